//! AVP's own cases (C177-C221), deviations where `avp-compat.md` section 14 wants them, and what holds for any value.

mod ours;

use proptest::prelude::*;

use super::{Applied, Cause, Error, MODIFIERS, apply, find, stringify};
use crate::diagnostics::Explain;
use crate::secret::{Number, Text, Value};
use crate::yaml::value::from_json;

const JSON: &str = r#"{"a":{"b":"c"},"n":123456789012,"l":[1,2],"z":null,"t":true,"f":0.5}"#;

fn run(statements: &[&str], value: Value) -> Result<Applied, Error> {
    let statements: Vec<String> = statements.iter().map(ToString::to_string).collect();
    apply(&statements, Some(value), "secret/data/db#key")
}

/// The value after the modifiers, as text, without warnings.
#[track_caller]
fn gives(statements: &[&str], value: Value, expected: &str) {
    let applied = run(statements, value).unwrap();
    let text = stringify(&applied.value);
    assert_eq!(text.expose_str(), Some(expected), "{statements:?}");
    assert_eq!(applied.warnings, [""; 0], "{statements:?}");
}

#[track_caller]
fn fails(statements: &[&str], value: Value, expected: &str) {
    let error = run(statements, value).unwrap_err();
    assert_eq!(error.to_string(), expected, "{statements:?}");
}

fn text(text: &str) -> Value {
    Value::string(text)
}

fn number(literal: &str) -> Value {
    Value::Number(Number::from_literal(literal))
}

fn json(text: &str) -> Value {
    from_json(text).unwrap()
}

#[test]
fn base64encode() {
    gives(&["base64encode"], text("alice"), "YWxpY2U=");
    gives(
        &["base64encode", "base64encode"],
        text("alice"),
        "WVd4cFkyVT0=",
    );
    gives(
        &["base64encode"],
        text(&"x".repeat(200)),
        &format!("{}eHg=", "eHh4".repeat(66)),
    );
    fails(
        &["base64encode x"],
        text("alice"),
        "base64encode: invalid parameters",
    );
    for (value, type_name) in [
        (number("80"), "json.Number"),
        (Value::Bool(true), "bool"),
        (json(r#"["a"]"#), "[]interface {}"),
        (json(r#"{"a":1}"#), "map[string]interface {}"),
        (Value::Bytes(Text::from("bin")), "[]uint8"),
        (Value::Null, "<nil>"),
    ] {
        let expected = format!("base64encode: invalid datatype {type_name}");
        fails(&["base64encode"], value, &expected);
    }
}

#[test]
fn base64decode() {
    gives(&["base64decode"], text("aGVsbG8="), "hello");
    gives(&["base64decode"], text(""), "");
    gives(&["base64decode"], text("aGVs\nbG8="), "hello");
    gives(&["base64decode", "base64encode"], text("/+8="), "/+8=");
    fails(
        &["base64decode 1"],
        text("aGVsbG8="),
        "base64decode: invalid parameters",
    );
    fails(
        &["base64decode"],
        number("80"),
        "base64decode: invalid datatype json.Number",
    );
    let binary = run(&["base64decode"], text("/+8=")).unwrap().value;
    assert_eq!(binary, Value::String(Text::from(vec![0xff, 0xef])));
}

#[test]
fn base64decode_warns_of_what_it_drops() {
    for (value, kept) in [
        ("aGVsbG8=!!", "hello"),
        ("aGVsbG8", "hel"),
        ("_-8=", ""),
        ("aGVs bG8=", "hel"),
    ] {
        let applied = run(&["base64decode"], text(value)).unwrap();
        assert_eq!(applied.value, text(kept));
        let warning = "base64decode: the value is not valid base64, and only what stands before the fault was decoded";
        assert_eq!(applied.warnings, [warning]);
    }
}

#[test]
fn sha256sum() {
    let alice = "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90";
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let digits = "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049";
    let chained = "f811c0a94d957569ae162f508b486146212fe535dc31ff06cc3abc7c82b49cfc";
    gives(&["sha256sum"], text("alice"), alice);
    gives(&["sha256sum"], text(""), empty);
    gives(&["sha256sum"], number("42"), digits);
    gives(&["base64encode", "sha256sum"], text("qv"), chained);
    fails(&["sha256sum 1"], text("v"), "sha256sum: invalid parameters");
    fails(
        &["sha256sum"],
        Value::Bool(true),
        "sha256sum: invalid datatype bool, expected string",
    );
}

#[test]
fn json_parse() {
    gives(&["jsonParse"], text(JSON), JSON);
    for scalar in ["12", "true", "null", "9007199254740993", "1.50"] {
        gives(&["jsonParse"], text(scalar), scalar);
    }
    assert_eq!(
        run(&["jsonParse"], text("null")).unwrap().value,
        Value::Null
    );
    gives(&["jsonParse"], text(r#""yes""#), "yes");
    gives(
        &["jsonParse"],
        text(r#"["on", 1.0, {}]"#),
        r#"["on",1.0,{}]"#,
    );
    fails(&["jsonParse 1"], text("1"), "jsonParse: invalid parameters");
    fails(
        &["jsonParse"],
        json(r#"{"a":1}"#),
        "jsonParse: invalid datatype map[string]interface {}",
    );
    fails(
        &["jsonParse"],
        text("1e400"),
        "jsonParse: the value holds a number that is out of range",
    );
    fails(
        &["jsonParse"],
        Value::String(Text::from(vec![0xff])),
        "jsonParse: the value is not UTF-8 text",
    );
}

#[test]
fn what_is_not_json_is_told_by_position() {
    for broken in ["0123", "alice", "", r#"{"a":hush}"#] {
        for modifier in ["jsonParse", "jsonPath {.a}"] {
            let error = run(&[modifier], text(broken)).unwrap_err();
            assert!(matches!(
                &error,
                Error::Failed {
                    cause: Cause::Json(_),
                    ..
                }
            ));
            let message = error.to_string();
            assert!(message.contains(": the value is not JSON: "), "{message}");
            assert!(message.contains(" at byte "), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }
}

#[test]
fn yaml_parse() {
    let yaml = "x: yes\ny: 012\nz: 1.0\nd: 2024-01-01\n";
    gives(
        &["yamlParse"],
        text(yaml),
        r#"{"x":true,"true":10,"z":1,"d":"2024-01-01"}"#,
    );
    gives(&["yamlParse"], text("a: 1\n---\nb: 2"), r#"{"a":1}"#);
    gives(&["yamlParse"], text("plain text"), "plain text");
    gives(&["yamlParse"], text("off"), "false");
    gives(&["yamlParse"], text("'12'"), "12");
    for empty in ["", "~", "# nothing\n"] {
        assert_eq!(run(&["yamlParse"], text(empty)).unwrap().value, Value::Null);
    }
    fails(
        &["yamlParse"],
        number("5"),
        "yamlParse: invalid datatype json.Number",
    );
    fails(&["yamlParse x"], text("a"), "yamlParse: invalid parameters");
    let broken = run(&["yamlParse"], text("a: [hush"))
        .unwrap_err()
        .to_string();
    assert!(
        broken.starts_with("yamlParse: error converting YAML to JSON: "),
        "{broken}"
    );
    assert!(!broken.contains("hush"), "{broken}");
}

#[test]
fn json_path() {
    gives(&["jsonPath {.a.b}"], text(JSON), "c");
    gives(&["jsonPath {.n}"], text(JSON), "123456789012");
    gives(&["jsonPath {.a.b}   x"], text(JSON), "c x");
    gives(&["jsonPath\n  {range\t.l[*]}{@};{end}"], text(JSON), "1;2;");
    gives(&["jsonPath {.p}"], json(r#"{"p":12345678}"#), "12345678");
    gives(&["jsonPath {.l}", "jsonParse"], text(JSON), "[1,2]");
    gives(&["jsonPath {.n}", "jsonParse"], text(JSON), "123456789012");
    gives(
        &["yamlParse", "jsonPath {.k}"],
        text("k: {l: [m]}"),
        r#"{"l":["m"]}"#,
    );
    gives(&["jsonPath {@}"], number("1.50"), "1.50");
    fails(&["jsonPath"], text(JSON), "jsonPath: invalid parameters");
    fails(&["jsonPath {.q}"], text(JSON), "jsonPath: q is not found");
    fails(&["jsonPath {.a>"], text(JSON), "jsonPath: unclosed action");
    let path = run(&["jsonPath {.n}"], text(JSON)).unwrap().value;
    assert_eq!(path, text("123456789012"));
}

#[test]
fn indent() {
    let pem = "-----B\nAA\nBB\n-----E\n";
    for (level, value, expected) in [
        ("2", pem, "-----B\n  AA\n  BB\n  -----E\n"),
        ("2", "  a  \n   b\n\n  c  \n", "a\n  b\n  c\n"),
        ("2", "a\n", "a\n"),
        ("2", "a\n\n\nb", "a\n  b"),
        ("2", "\n\na", "\n  a"),
        ("2", "a\n   \nb\n", "a\n  \n  b\n"),
        ("2", "a\r\n b", "a\n  b"),
        ("2", "a\n\u{a0}b\u{2003}", "a\n  b"),
        ("0", "first\n  second\n", "first\nsecond\n"),
        ("-2", "first\nsecond\n", "first\nsecond\n"),
        ("+2", "first\nsecond\n", "first\n  second\n"),
        ("2", "", ""),
    ] {
        gives(&[&format!("indent {level}")], text(value), expected);
    }
    let bytes = Value::String(Text::from(b" \xff \n\x0b\xfe\t".to_vec()));
    let expected = Value::String(Text::from(b"\xff\n  \xfe".to_vec()));
    assert_eq!(run(&["indent 2"], bytes).unwrap().value, expected);
}

#[test]
fn indent_by_what_is_no_level() {
    for statement in ["indent", "indent 2 3"] {
        fails(&[statement], text("a\nb"), "indent: invalid parameters");
    }
    for level in ["two", "0x2", "2.0", "99999999999999999999", "99999999999"] {
        let statement = format!("indent {level}");
        fails(
            &[&statement],
            text("a\nb"),
            "indent: invalid indentation level",
        );
    }
    fails(
        &["indent two"],
        number("5"),
        "indent: invalid indentation level",
    );
    fails(
        &["indent 2"],
        number("5"),
        "indent: invalid datatype json.Number",
    );
}

#[test]
fn unknown_names() {
    fails(
        &["Base64Encode"],
        text("v"),
        "invalid modifier: Base64Encode",
    );
    fails(&["base64encode", "foo"], text("v"), "invalid modifier: foo");
    for statement in ["", " ", "\n"] {
        let expected = "invalid modifier: the statement behind a bar is empty";
        fails(&[statement], text("v"), expected);
    }
}

#[test]
fn statements_fail_in_their_order() {
    fails(&["indent", "foo"], text("v"), "indent: invalid parameters");
    fails(&["foo", "indent"], text("v"), "invalid modifier: foo");
}

#[test]
fn errors_have_hints() {
    for (statement, hint) in [
        ("Base64Encode", "did you mean `base64encode`?"),
        ("jsonpath {.a}", "did you mean `jsonPath`?"),
        ("sha256", "did you mean `sha256sum`?"),
        ("sha", "did you mean `sha256sum` or `sha512sum`?"),
        ("indent x", "write `indent N`, with a number of spaces"),
        (
            "indentLines -1",
            "write `indentLines N`, with a number of spaces",
        ),
        ("bcrypt x", "write `bcrypt [COST]`"),
        (r#"htpasswd "a:b""#, r#"write `htpasswd "USER" [COST]`"#),
        (r#"replace "" b"#, r#"write `replace "OLD" "NEW"`"#),
        (
            "sprig",
            "the modifiers are base64decode, base64encode, base64urlDecode, base64urlEncode, bcrypt, default, htpasswd, \
             indent, indentLines, jsonParse, jsonPath, lower, quote, replace, required, sha256sum, sha512sum, toBool, \
             toInt, toJson, toNumber, toString, toYaml, trim, trimPrefix, trimSuffix, upper, urlEncode, yamlParse",
        ),
        ("", "remove the bar, or write a modifier behind it"),
        ("indent", "write `indent N`"),
        ("jsonPath", "write `jsonPath TEMPLATE`"),
        ("sha256sum x", "write `sha256sum`"),
        (
            "base64encode",
            "base64encode works on a string, and the value is of type list: put `toJson` in front of it",
        ),
    ] {
        let error = run(&[statement], Value::List(Vec::new())).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some(hint), "{statement}");
    }
}

#[test]
fn a_long_text_is_no_misspelt_name() {
    let error = run(&[&"x".repeat(1 << 20)], text("v")).unwrap_err();
    assert!(error.hint().unwrap().starts_with("the modifiers are "));
}

#[test]
fn the_table_is_sorted_and_finds_all() {
    assert!(MODIFIERS.is_sorted_by(|a, b| a.name < b.name));
    for modifier in MODIFIERS {
        assert_eq!(find(modifier.name).unwrap().name, modifier.name);
        assert!(modifier.usage().starts_with(modifier.name));
        assert!(!modifier.summary.is_empty());
    }
}

#[test]
fn the_grammar_page_shows_every_modifier() {
    let page = include_str!("../../docs/grammar.md");
    for modifier in MODIFIERS {
        let usage = modifier.usage();
        assert!(
            page.contains(&format!("\n| [`{usage}`](#")),
            "{usage} in the table"
        );
        let section = page.split_once(&format!("\n### {usage}\n")).unwrap().1;
        let section = section.split("\n#").next().unwrap();
        let statement = format!("| {}", modifier.name);
        assert!(section.contains("```yaml manifest") && section.contains(&statement));
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        "-?(0|[1-9][0-9]{0,30})([.][0-9]{1,5})?(e[0-9]{1,4})?".prop_map(|n| number(&n)),
        any::<String>().prop_map(Value::string),
        "[a-zA-Z0-9+/=\r\n]{0,12}".prop_map(Value::string),
        "[\\[\\]{}\":,0-9a n-]{0,12}".prop_map(Value::string),
        any::<Vec<u8>>().prop_map(|bytes| Value::String(Text::from(bytes))),
        any::<Vec<u8>>().prop_map(|bytes| Value::Bytes(Text::from(bytes))),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec(("[a-c<]{0,2}", inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn statements() -> impl Strategy<Value = String> {
    // These take long on purpose.
    let slow = |name: &str| matches!(name, "bcrypt" | "htpasswd");
    let names = MODIFIERS.iter().map(|modifier| modifier.name);
    let names: Vec<&str> = names.filter(|name| !slow(name)).collect();
    let arguments = prop_oneof![
        Just(String::new()),
        "[0-9-]{1,3}",
        "(\\{|\\}|[.]a|\\[|\\*|\\]|@| ){0,8}",
        ".{0,6}",
        "\"[a-z\\\\u0\" ]{0,6}\"( \"[a-z]?\")?",
    ];
    let quick = (prop::sample::select(names), arguments);
    prop_oneof![
        30 => quick.prop_map(|(name, arguments)| format!("{name} {arguments}")),
        1 => prop::sample::select(&["bcrypt 4", "htpasswd u 4"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn nothing_panics_and_errors_do_not_quote(
        chain in prop::collection::vec(statements(), 0..4),
        value in values(),
    ) {
        if let Err(error) = apply(&chain, Some(value), "db#key") {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn errors_do_not_quote_the_value(statement in statements(), noise in "[a-z\"\\[{:]{0,8}") {
        // A template may hold any of the value's characters, so look for one that none can.
        let marked = Value::string(format!("{noise}§secret§"));
        if let Err(error) = apply(&[statement.replace('§', "")], Some(marked), "db#key") {
            let shown = format!("{error} {error:?} {:?}", error.hint());
            prop_assert!(!shown.contains('§'), "{}", shown);
        }
    }

    #[test]
    fn compact_json_reads_back(value in values()) {
        let text = stringify(&value);
        if let Value::List(_) | Value::Map(_) = value {
            let again = from_json(text.expose_str().unwrap()).unwrap();
            prop_assert_eq!(stringify(&again), text);
        }
    }
}
