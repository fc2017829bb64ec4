//! The modifiers that AVP does not have: what they make, every wrong type and argument, and long values.

use proptest::prelude::*;

use super::super::{MAX_RESULT, catch_missing};
use super::{apply, fails, gives, json, number, run, text, values};
use crate::diagnostics::Explain;
use crate::modifier::{Arguments, MODIFIERS};
use crate::secret::{Text, Value};
use crate::yaml::value::from_yaml;
use crate::yaml::writer::{self, Reader};

const FROM_AVP: [&str; 7] = [
    "base64decode",
    "base64encode",
    "indent",
    "jsonParse",
    "jsonPath",
    "sha256sum",
    "yamlParse",
];

/// A good statement for each of ours; of those that hash, a quick one.
fn statement(name: &str) -> String {
    let arguments = match name {
        "default" | "required" | "trimPrefix" | "trimSuffix" => r#""a b""#,
        "replace" => r#""a" "bc""#,
        "indentLines" => "2",
        "htpasswd" => "user 4",
        "bcrypt" => "4",
        _ => "",
    };
    format!("{name} {arguments}").trim().to_owned()
}

fn ours() -> impl Iterator<Item = &'static str> {
    let names = MODIFIERS.iter().map(|modifier| modifier.name);
    names.filter(|name| !FROM_AVP.contains(name))
}

fn missing(statements: &[&str]) -> Result<Value, String> {
    let statements: Vec<String> = statements.iter().map(ToString::to_string).collect();
    let applied = apply(&statements, None, "secret/data/db#key");
    applied
        .map(|applied| applied.value)
        .map_err(|error| error.to_string())
}

#[test]
fn default_stands_in_for_what_is_missing() {
    assert_eq!(missing(&[r#"default "a|\u007c""#]), Ok(text("a||")));
    assert_eq!(
        missing(&["default none", "base64encode"]),
        Ok(text("bm9uZQ=="))
    );
    assert_eq!(missing(&["default 3", "toInt"]), Ok(number("3")));
    assert_eq!(missing(&[r#"default """#]), Ok(text("")));
    // What stands before it is passed by, known or not.
    assert_eq!(missing(&["nonsense", "indent", "default x"]), Ok(text("x")));
    assert_eq!(missing(&["default a", "default b"]), Ok(text("a")));
    gives(&["default x"], text("value"), "value");
    gives(&["default x"], text(""), "");
    gives(&["default x"], Value::Bool(false), "false");
    gives(&["jsonParse", "default x"], text("null"), "x");
}

#[test]
fn required_says_the_authors_words() {
    let message = "required: ask the db team".to_owned();
    assert_eq!(missing(&[r#"required "ask the db team""#]), Err(message));
    assert_eq!(
        missing(&["required a", "default b"]),
        Err("required: a".to_owned())
    );
    assert_eq!(missing(&["default b", "required a"]), Ok(text("b")));
    fails(&["jsonParse", "required x"], text("null"), "required: x");
    gives(&["required x"], number("80"), "80");
}

#[test]
fn a_missing_value_stays_missing() {
    for statements in [&[][..], &["base64encode"], &["nonsense", ""]] {
        assert_eq!(missing(statements), Ok(Value::Null));
    }
    let catches = |statement: &str| catch_missing(&["trim".to_owned(), statement.to_owned()]);
    assert!(catches("default x") && catches(" required\nx"));
    assert!(!catches("Default x") && !catches("trim default") && !catches(""));
}

#[test]
fn texts() {
    for (statement, value, expected) in [
        ("trim", " \t\u{a0}a b\r\n\u{2003}", "a b"),
        ("trim", " \n ", ""),
        ("trimPrefix postgres://", "postgres://u@h", "u@h"),
        ("trimPrefix x", "xxa", "xa"),
        (r#"trimSuffix "\n""#, "a\n\n", "a\n"),
        (r#"trimSuffix """#, "a", "a"),
        ("upper", "aé_ß1", "AÉ_SS1"),
        ("lower", "AÉ_1", "aé_1"),
        (r#"replace "a" """#, "banana", "bnn"),
        (r#"replace "\n" "\\n""#, "a\nb\n", "a\\nb\\n"),
        ("replace aa a", "aaaa", "aa"),
        ("quote", "a\"\\\n\u{1}é", r#""a\"\\\n\u0001é""#),
        (
            "urlEncode",
            "p@ss w/r:d+%é~-._",
            "p%40ss%20w%2Fr%3Ad%2B%25%C3%A9~-._",
        ),
        ("base64urlEncode", "a??>>", "YT8_Pj4"),
        ("base64urlDecode", "YT8_Pj4", "a??>>"),
        ("base64urlDecode", "YT8_Pj4=", "a??>>"),
        (
            "indentLines 2",
            "{\n  \"a\": 1\n\n}\n",
            "{\n    \"a\": 1\n\n  }\n",
        ),
        ("indentLines 2", "a\r\n\r\n b\r\n", "a\r\n\r\n   b\r\n"),
        ("indentLines 2", "\n a\n   ", "\n   a\n     "),
        ("indentLines 0", "a\nb", "a\nb"),
        (r#"indentLines "3""#, "a\nb", "a\n   b"),
        ("indentLines 2", "", ""),
        ("toString", "a", "a"),
        ("toJson", "a\"<é", r#""a\"<é""#),
        ("toYaml", "a: b", r#""a: b""#),
        (
            "sha512sum",
            "",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
    ] {
        gives(&[statement], text(value), expected);
    }
}

#[test]
fn types() {
    for (statement, value, expected) in [
        ("toNumber", text(" 1.50\n"), number("1.50")),
        ("toNumber", text("-1e3"), number("-1e3")),
        ("toNumber", number("5"), number("5")),
        ("toInt", text("5432\n"), number("5432")),
        (
            "toInt",
            text("12345678901234567890"),
            number("12345678901234567890"),
        ),
        ("toBool", text(" True\n"), Value::Bool(true)),
        ("toBool", text("false"), Value::Bool(false)),
        ("toBool", Value::Bool(true), Value::Bool(true)),
        ("toString", number("80"), text("80")),
        ("toString", Value::Bool(false), text("false")),
        (
            "toString",
            json(r#"{"b":[1],"a":null}"#),
            text(r#"{"b":[1],"a":null}"#),
        ),
        ("toString", Value::Bytes(Text::from("bin")), text("bin")),
        (
            "toJson",
            json(r#"{"b":[1.50],"a":null}"#),
            text(r#"{"b":[1.50],"a":null}"#),
        ),
        ("toJson", Value::Null, text("null")),
        ("quote", number("80"), text(r#""80""#)),
    ] {
        assert_eq!(
            run(&[statement], value).unwrap().value,
            expected,
            "{statement}"
        );
    }
    for (statement, value, cause) in [
        ("toNumber", "", "the value is not a number"),
        ("toNumber", "0080", "the value is not a number"),
        ("toNumber", "\"1\"", "the value is not a number"),
        ("toNumber", "1_000", "the value is not a number"),
        (
            "toNumber",
            "1e400",
            "the value holds a number that is out of range",
        ),
        ("toInt", "80.0", "the value is not an integer"),
        ("toInt", "true", "the value is not an integer"),
        ("toBool", "yes", "the value is neither true nor false"),
        ("base64urlDecode", "a+/b", "the value is not base64url"),
        ("base64urlDecode", "YT8_P", "the value is not base64url"),
        (r#"replace "" a"#, "a", "the text to replace is empty"),
        ("indentLines two", "a", "invalid indentation level"),
        ("indentLines -2", "a", "invalid indentation level"),
        ("indentLines 99999999999", "a", "invalid indentation level"),
    ] {
        let name = statement.split(' ').next().unwrap();
        fails(&[statement], text(value), &format!("{name}: {cause}"));
    }
}

#[test]
fn yaml_in_block_style() {
    let value = json(
        r#"{"name":"shop","port":"80","on":"yes","empty":{},"none":[],"n":1E5,"deep":{"list":[1,["a",{"x":"y\nz","k":null}]]},"name":"last"}"#,
    );
    let expected = r#"name: last
port: "80"
"on": "yes"
empty: {}
"none": []
"n": 1.0e+5
deep:
  list:
    - 1
    - - a
      - x: "y\nz"
        k: null"#;
    gives(&["toYaml"], value, expected);
    let long = format!(r#"{{"a":{{"{}":[1]}}}}"#, "k".repeat(1001));
    let expected = format!("a:\n  {{? \"{}\" : [1]}}", "k".repeat(1001));
    gives(&["toYaml"], json(&long), &expected);
}

#[test]
fn passwords() {
    let hash = |statement: &str, value: &str, secret| {
        let applied = apply(&[statement.to_owned()], Some(text(value)), secret).unwrap();
        let Value::String(line) = applied.value else {
            panic!("a hash is a string");
        };
        line.expose_str().unwrap().to_owned()
    };
    let line = hash("htpasswd alice 4", "p@ss", "db#pass");
    assert_eq!(line, hash("htpasswd \"alice\" 4", "p@ss", "db#pass"));
    let (user, bcrypt) = line.split_once(':').unwrap();
    assert!(user == "alice" && bcrypt.starts_with("$2y$04$"));
    assert!(bcrypt::verify("p@ss", bcrypt).unwrap());
    assert!(!bcrypt::verify("p@sS", bcrypt).unwrap());
    let salt = |line: &str| line.rsplit_once('$').unwrap().1[..22].to_owned();
    for other in [
        hash("htpasswd alice 4", "p@ss", "db#other"),
        hash("htpasswd alice 4", "p@sS", "db#pass"),
        hash("htpasswd bob 4", "p@ss", "db#pass"),
        hash("htpasswd alice 5", "p@ss", "db#pass"),
        hash("bcrypt 4", "p@ss", "db#pass"),
    ] {
        assert_ne!(salt(&line), salt(&other), "{other}");
    }
    assert!(hash("bcrypt", "", "db#pass").starts_with("$2a$10$"));
    let longest = "x".repeat(72);
    let bcrypt = hash("bcrypt 4", &longest, "db#pass");
    assert!(bcrypt::verify(&longest, &bcrypt).unwrap());
}

#[test]
fn passwords_that_bcrypt_would_cut() {
    let long = "x".repeat(73);
    for (statement, value, cause) in [
        (
            "htpasswd u",
            &*long,
            "the value is longer than the 72 bytes that bcrypt reads",
        ),
        ("bcrypt", "a\0b", "the value holds a NUL, where bcrypt ends"),
        ("bcrypt 3", "a", "the cost is not a number from 4 to 14"),
        ("bcrypt 15", "a", "the cost is not a number from 4 to 14"),
        (
            "htpasswd u ten",
            "a",
            "the cost is not a number from 4 to 14",
        ),
    ] {
        let name = statement.split(' ').next().unwrap();
        fails(&[statement], text(value), &format!("{name}: {cause}"));
    }
    for user in ["a:b", "", r"a\nb"] {
        let cause = "htpasswd: the user is empty, or holds a colon or a control character";
        fails(&[&format!("htpasswd \"{user}\"")], text("a"), cause);
    }
}

#[test]
fn values_of_the_wrong_type() {
    let untyped = ["default", "required", "toJson", "toYaml"];
    for name in ours().filter(|name| !untyped.contains(name)) {
        let statement = statement(name);
        for (value, hint) in [
            (Value::Null, "put `default \"TEXT\"` in front of it"),
            (json("[1]"), "put `toJson` in front of it"),
            (json(r#"{"a":1}"#), "put `toJson` in front of it"),
        ] {
            if name == "toString" && value != Value::Null {
                continue;
            }
            let found = value.type_name();
            let error = run(&[&statement], value).unwrap_err();
            let message = format!("{name}: wants text, and the value is of type {found}");
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint));
        }
    }
    let of_bytes = [
        "base64urlDecode",
        "base64urlEncode",
        "bcrypt",
        "default",
        "htpasswd",
        "indentLines",
        "required",
        "sha512sum",
        "toBool",
        "toInt",
        "toNumber",
        "toString",
        "urlEncode",
    ];
    for name in ours().filter(|name| !of_bytes.contains(name)) {
        let bytes = Value::string(vec![b'a', 0xff]);
        for value in [bytes.clone(), Value::Bytes(Text::from(vec![0xff]))] {
            // Bytes are no text in JSON and YAML: they become base64.
            if matches!((name, &value), ("toJson" | "toYaml", Value::Bytes(_))) {
                continue;
            }
            let expected = format!("{name}: the value is not UTF-8 text");
            fails(&[&statement(name)], value, &expected);
        }
    }
}

#[test]
fn arguments_missing_and_extra() {
    for modifier in MODIFIERS {
        let (least, most) = match modifier.arguments {
            Arguments::None => (0, 0),
            Arguments::One(_) => (1, 1),
            Arguments::Many(_) => continue,
            Arguments::Quoted(form) => (
                form.matches(['"', 'N']).count().div_ceil(2),
                form.split(' ').count(),
            ),
        };
        let with = |count| format!("{}{}", modifier.name, " 4".repeat(count));
        let mut wrong = vec![with(most + 1)];
        if modifier.name == "replace" {
            wrong.push(with(1));
        }
        if least > 0 {
            wrong.push(with(0));
        }
        for statement in wrong {
            let error = run(&[&statement], text("4")).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{}: invalid parameters", modifier.name)
            );
            assert_eq!(error.hint(), Some(format!("write `{}`", modifier.usage())));
        }
    }
}

#[test]
fn broken_quotes() {
    for (statement, message, hint) in [
        (
            r#"default "a"#,
            "default: the quote at byte 8 is not closed",
            r"inside quotes write | as \u007c, > as \u003e and < as \u003c",
        ),
        (
            r#"replace a "\q""#,
            "replace: the text in quotes at byte 10 has a bad escape or a control character",
            r#"the escapes are \", \\, \n, \t and \uXXXX (two of these beyond FFFF)"#,
        ),
        (
            r#"default "a"b"#,
            "default: the argument at byte 8 has a quote that touches other text",
            r#"write `default "TEXT"`"#,
        ),
    ] {
        let error = run(&[statement], Value::Null).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().as_deref(), Some(hint));
    }
}

#[test]
fn long_values() {
    const LENGTH: usize = 10_000_000;
    for shape in ["x", "a\n", "\u{1}"] {
        let value = Value::string(shape.repeat(LENGTH / shape.len()));
        for modifier in MODIFIERS {
            let statement = match modifier.name {
                "jsonPath" => "jsonPath {@}".to_owned(),
                "indent" => "indent 2".to_owned(),
                name => statement(name),
            };
            if let Ok(applied) = run(&[&statement], value.clone()) {
                let Value::String(text) = applied.value else {
                    continue;
                };
                assert!(text.expose().len() <= MAX_RESULT, "{statement}");
            }
        }
    }
}

#[test]
fn results_that_would_fill_the_memory() {
    let wide = format!(
        "{}{}{}",
        "[".repeat(400),
        "1,".repeat(1 << 20) + "1",
        "]".repeat(400)
    );
    for (statements, value) in [
        (
            vec![format!("replace x {}", "y".repeat(1 << 20))],
            text(&"x".repeat(1 << 20)),
        ),
        (vec!["replace x xxxxxxxx".to_owned(); 12], text("xx")),
        (vec!["quote".to_owned(); 30], text("\\")),
        (
            vec!["jsonParse".to_owned(), "toYaml".to_owned()],
            text(&wide),
        ),
    ] {
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        let message = run(&statements, value).unwrap_err().to_string();
        assert!(
            message.ends_with(": the result is longer than 64 MiB"),
            "{message}"
        );
    }
}

proptest! {
    #[test]
    fn yaml_reads_back(value in values()) {
        if let Ok(applied) = run(&["toYaml"], value.clone()) {
            let Value::String(yaml) = applied.value else {
                panic!("YAML is text");
            };
            let flow = writer::flow(&value, Reader::Yaml).unwrap();
            // Numbers that no float holds cannot be read at all.
            let again = from_yaml(yaml.expose_str().unwrap());
            prop_assert!(again.ok() == from_yaml(&flow).ok());
        }
    }

    #[test]
    fn encoded_texts_decode(bytes: Vec<u8>) {
        let value = Value::string(bytes);
        let again = run(&["base64urlEncode", "base64urlDecode"], value.clone()).unwrap().value;
        prop_assert!(again == value);
    }

    #[test]
    fn quoted_texts_read_back(line: String) {
        gives(&["quote", "yamlParse"], text(&line), &line);
        gives(&["quote", "jsonParse"], text(&line), &line);
        gives(&["toJson", "jsonParse"], text(&line), &line);
    }
}
