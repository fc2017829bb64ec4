//! Templates as kubectl's evaluator answers them, and what must hold for any template.

use proptest::prelude::*;

use super::super::parse::json_text;
use super::{Error, render};
use crate::secret::{Text, Value};

const DATA: &str = r#"{"a":{"b":"c"},"n":123456,"f":1234567.5,"l":[1.5,2.5],"z":null,"t":true,"e":[],
"items":[{"n":"a","v":1.5},{"n":"b","v":2.5},{"n":"c"}],"dot.key":"dk",
"p":[{"n":"a","v":1.5},{"n":"b","v":2.5}],"o":{"x":"<b>&"},"m":[[1],[],[2,3]]}"#;

/// Templates on `DATA`, and what client-go 0.29 makes of them.
const RECORDED: &[(&str, Result<&str, &str>)] = &[
    ("{.a.b}", Ok("c")),
    ("{.a}", Ok(r#"{"b":"c"}"#)),
    ("{a.b}", Err("unrecognized identifier a")),
    ("{ .a.b }", Ok("c")),
    ("{$.a.b}", Ok("c")),
    ("{@.a.b}", Ok("c")),
    ("{.a .b}", Ok("c")),
    ("{.z}", Ok("null")),
    ("{.t}", Ok("true")),
    ("{.n}", Ok("123456")),
    ("{.f}", Ok("1.2345675e+06")),
    ("{.l}", Ok("[1.5,2.5]")),
    ("{.l[*]}", Ok("1.5 2.5")),
    ("{.l.*}", Ok("1.5 2.5")),
    ("{.l[0]}", Ok("1.5")),
    ("{.l[-1]}", Ok("2.5")),
    ("{.l[-2]}", Ok("1.5")),
    (
        "{.l[-3]}",
        Err("array index out of bounds: index -1, length 2"),
    ),
    (
        "{.l[2]}",
        Err("array index out of bounds: index 2, length 2"),
    ),
    ("{.l[0:1]}", Ok("1.5")),
    ("{.l[:]}", Ok("1.5 2.5")),
    ("{.l[1:]}", Ok("2.5")),
    ("{.l[:-1]}", Ok("1.5")),
    ("{.l[::2]}", Ok("1.5")),
    ("{.l[::0]}", Err("step must be > 0")),
    (
        "{.l[1:0]}",
        Err("starting index 1 is greater than ending index 0"),
    ),
    ("{.l[1:1]}", Ok("")),
    ("{.l[]}", Ok("1.5")),
    (
        "{.l[0:5]}",
        Err("array index out of bounds: index 4, length 2"),
    ),
    ("{.l[x]}", Err("invalid array index x")),
    ("{.l[-]}", Err("array index - is not a number")),
    ("{.l[1:2:3:4]}", Err("invalid array index 1:2:3:4")),
    (
        "{.l[99999999999999999999]}",
        Err("array index 99999999999999999999 is not a number"),
    ),
    ("{.e}", Ok("[]")),
    ("{.e[*]}", Ok("")),
    (
        "{.e[0]}",
        Err("array index out of bounds: index 0, length 0"),
    ),
    (
        "{.a[0]}",
        Err("map[string]interface {} is not array or slice"),
    ),
    ("{.t[0]}", Err("bool is not array or slice")),
    ("{.a.b[0]}", Err("string is not array or slice")),
    ("{.a.b.x}", Err("x is not found")),
    ("{.q}", Err("q is not found")),
    ("{.z.x}", Err("x is not found")),
    ("{.items[*].v}", Ok("1.5 2.5")),
    ("{.items[*]['n','v']}", Ok("a b c 1.5 2.5")),
    ("{['a','t']}", Ok(r#"{"b":"c"} true"#)),
    ("{.l[0,1]}", Ok("1.5 2.5")),
    ("{.l[0, -1]}", Ok("1.5 2.5")),
    ("{.l[1,0]}", Ok("2.5 1.5")),
    (r"{.dot\.key}", Ok("dk")),
    (r"{['dot\.key']}", Ok("dk")),
    ("{['dot.key']}", Err("dot is not found")),
    (r#"{["dot.key"]}"#, Err(r#"invalid array index "dot.key""#)),
    ("{['a']}", Ok(r#"{"b":"c"}"#)),
    ("{['a'].b}", Ok("c")),
    ("{['a.b']}", Ok("c")),
    ("{['a}b']}", Ok(r#"{"b":"c"}"#)),
    (
        "{['a{b']}",
        Err("unrecognized character in action: U+007B '{'"),
    ),
    ("{['']}", Err(" is not found")),
    ("{.}", Err(" is not found")),
    ("{..b}", Ok("c")),
    ("{..['b']}", Ok("c")),
    ("{..v}", Ok("1.5 2.5 1.5 2.5")),
    ("{....b}", Err("invalid multiple recursive descent")),
    ("{..*}", Err("unrecognized character in action: U+002A '*'")),
    ("{.o}", Ok(r#"{"x":"\u003cb\u003e\u0026"}"#)),
    ("{.o.x}", Ok("<b>&")),
    ("{.a.b.*}", Ok("99")),
    ("{.items[?(@.n=='b')].v}", Ok("2.5")),
    (r#"{.items[?(@.n=="b")].v}"#, Ok("2.5")),
    ("{.items[?(@.n!='b')].n}", Ok("a c")),
    ("{.items[?(@.n<'c')].n}", Ok("a b")),
    ("{.p[?(@.v<2)]}", Err("incompatible types for comparison")),
    ("{.p[?(@.v<2.0)].n}", Ok("a")),
    ("{.p[?(@.v<=2.5)].n}", Ok("a b")),
    ("{.p[?(@.v>2.0)].n}", Ok("b")),
    ("{.p[?(@.v>=1.5)].n}", Ok("a b")),
    ("{.items[?(@.v==1.5)]}", Err("v is not found")),
    ("{.items[?(@.v)].n}", Ok("a b")),
    ("{.items[?(@.n[5])].n}", Ok("a b c")),
    ("{.m[?(@[0])]}", Ok("[1] [] [2,3]")),
    ("{.m[?(@[5])]}", Ok("[1] [] [2,3]")),
    ("{.l[?(@==1.5)]}", Ok("1.5")),
    ("{.l[?(@=='x')]}", Err("incompatible types for comparison")),
    ("{.items[?(@.n=1)]}", Err("unrecognized filter operator =")),
    ("{.items[?(@.n=='b]}", Err("unterminated filter")),
    ("{.items[?(@.n=='b')}", Err("unclosed array expect ]")),
    ("{.items[?(@.n=='b)')]}", Ok("")),
    ("{.items[?('b'==@.n)].n}", Ok("b")),
    ("{.m[?(@==1)]}", Err("invalid type for comparison")),
    ("{.items[?(@.n==@.n)].n}", Ok("a b c")),
    ("{.items[?()].n}", Ok("a b c")),
    ("{.items[?(@.n)", Err("unclosed array expect ]")),
    ("{.items[?(true)].n}", Ok("a b c")),
    (
        "{.m[?(@[*]==1.5)]}",
        Err("can only compare one element at a time"),
    ),
    ("{.l[?(true<false)]}", Err("invalid type for comparison")),
    ("{.l[?(true==true)]}", Ok("1.5 2.5")),
    ("{.l[?(1<2)]}", Ok("1.5 2.5")),
    ("{range .l[*]}[{@}] {end}", Ok("[1.5] [2.5] ")),
    ("{range .items[*]}{.n}={.v},{end}", Err("v is not found")),
    ("{range .p[*]}{.n}={.v},{end}", Ok("a=1.5,b=2.5,")),
    (
        r#"{range .items[0:2]}{.n}{"\t"}{.v}{"\n"}{end}after"#,
        Ok("a\t1.5\nb\t2.5\nafter"),
    ),
    (
        "{range .m[*]}<{range @[*]}{@},{end}>{end}",
        Ok("<1,><><2,3,>"),
    ),
    ("{range .e[*]}{@}{end}x", Ok("x")),
    ("{range .e[*]}{.n}{end}", Err("n is not found")),
    ("{range .l[*]}x", Ok("xxx")),
    (
        "{range .l[*]}x{end}{end}",
        Err("not in range, nothing to end"),
    ),
    ("{end}", Err("not in range, nothing to end")),
    ("{range}", Ok("")),
    ("{range .q}{end}", Err("q is not found")),
    ("{range .l[*]}{range @}.{end}{end}", Ok("..")),
    ("text", Ok("text")),
    (".a.b", Ok(".a.b")),
    ("pre{.a.b}post", Ok("precpost")),
    ("{.a.b}{':'}{.a.b}", Ok("c:c")),
    ("{.a.b} x", Ok("c x")),
    (r#"{'a"b'}"#, Ok(r#"a"b"#)),
    (r#"{"a'b"}"#, Ok("a'b")),
    (r"{'a\'b'}", Ok("a'b")),
    (r#"{"\u00e9\x41\101\n"}"#, Ok("éAA\n")),
    (
        r#"{"\z"}"#,
        Err(r#"unquote string "\z" error invalid syntax"#),
    ),
    ("{'a}", Err("unterminated quoted string")),
    (r"{'\\'}", Err("unterminated quoted string")),
    ("{1}", Ok("1")),
    ("{-2.50}", Ok("-2.5")),
    ("{1e6}", Err("unrecognized identifier e6")),
    ("{1.2.3}", Err("cannot parse number 1.2.3")),
    ("{+5}", Ok("5")),
    ("{true}", Ok("true")),
    ("{false}", Ok("false")),
    ("{foo}", Err("unrecognized identifier foo")),
    ("{!x}", Err("unrecognized character in action: U+0021 '!'")),
    ("{é}", Err("unrecognized identifier é")),
    ("{.a", Err("unclosed action")),
    ("{", Err("unclosed action")),
    ("}", Ok("}")),
    ("{.a}}", Ok(r#"{"b":"c"}}"#)),
    ("{[0]", Err("unclosed action")),
    ("{[", Err("unterminated array")),
    ("{1 2}", Ok("2")),
    ("{.l[*] 7}", Ok("7 7")),
    ("{1000000}", Ok("1000000")),
    (r"{.a\}", Err("unclosed action")),
    ("{*}", Err("unrecognized character in action: U+002A '*'")),
];

fn value(json: &str) -> Value {
    json_text(&Text::from(json)).unwrap()
}

fn run(template: &str, json: &str, literals: bool) -> Result<String, Error> {
    let text = render(template, &value(json), literals)?;
    Ok(String::from_utf8_lossy(text.expose()).into_owned())
}

#[track_caller]
fn gives(template: &str, json: &str, literals: bool, expected: &str) {
    assert_eq!(
        run(template, json, literals),
        Ok(expected.to_owned()),
        "{template}"
    );
}

#[test]
fn templates_give_what_kubectl_gives() {
    for (template, expected) in RECORDED {
        let found = run(template, DATA, false).map_err(|error| error.to_string());
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found, expected, "{template}");
    }
}

#[test]
fn integers_keep_their_digits_and_floats_look_as_in_avp() {
    let json = r#"{"n":123456789012,"f":1e6,"g":0.5,"o":{"n":12345678901234567890,"f":1.50}}"#;
    gives("{.n} {.f} {.g}", json, false, "123456789012 1e+06 0.5");
    gives("{.o}", json, false, r#"{"f":1.5,"n":12345678901234567890}"#);
    gives("{.n} {.f} {.g}", json, true, "123456789012 1e6 0.5");
    gives("{.o}", json, true, r#"{"f":1.50,"n":12345678901234567890}"#);
}

/// AVP's numbers from Vault are strings in disguise.
#[test]
fn literals_compare_as_numbers_and_as_text() {
    let json = r#"[{"v":5,"n":"a"},{"v":7,"n":"b"}]"#;
    gives("{[?(@.v=='5')].n}", json, true, "a");
    gives("{[?(@.v<6.0)].n}", json, true, "a");
    assert_eq!(run("{[?(@.v=='5')]}", json, false), Err(Error::Comparison));
    assert_eq!(run("{[?(@.v<6)]}", json, true), Err(Error::Comparison));
}

#[test]
fn of_two_equal_keys_the_last_counts() {
    let json = r#"{"k":1,"a":2,"k":3}"#;
    gives("{.k} {.*} {@}", json, false, r#"3 2 3 {"a":2,"k":3}"#);
}

#[test]
fn nulls() {
    gives("{@}", "null", false, "<no value>");
    gives("{[*]}", "[null,1]", false, "null 1");
    gives(
        "{range [*]}({@}){end}",
        "[null,1]",
        false,
        "(<no value>)(1)",
    );
    gives("{[*].a}", r#"[null,{"a":1}]"#, false, "1");
    let nothing = Err(Error::NotList("<nil>"));
    assert_eq!(run("{[0]}", "null", false), nothing);
    assert_eq!(run("{range @}{end}", "null", false), nothing);
    let filtered = Err(Error::NotFilterable("<nil>"));
    assert_eq!(run("{.z[?(@.a)]}", r#"{"z":null}"#, false), filtered);
}

#[test]
fn bytes_are_a_list_inside_and_base64_outside() {
    let bytes = Value::Bytes(Text::from("bin"));
    let text = |template| render(template, &bytes, true).unwrap().expose().to_vec();
    assert_eq!(text("{@}"), b"\"Ymlu\"");
    assert_eq!(text("{[0]}"), b"98");
}

/// kubectl prints the value here.
#[test]
fn no_error_quotes_the_value() {
    let json = r#"{"a":"hush","b":{"hush":1}}"#;
    for template in [
        "{.a[?(@.x)]}",
        "{.b[?(@.x)]}",
        "{.a[0]}",
        "{.a.x}",
        "{[?(@.a=='x')]}",
        "{.b.hush.x[0]}",
    ] {
        let error = run(template, json, false).unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn work_is_bounded() {
    let list = format!("[{}0]", "0,".repeat(200));
    let nested = "{range @[*]}".repeat(2) + &"{range $[*]}".repeat(8);
    assert!(run(&nested, &format!("[{list}]"), false).is_err());
    let open = "{range @}".repeat(60);
    assert_eq!(run(&open, "[1]", false), Err(Error::TooMuch));
    let deep = "{range @}".repeat(100_000);
    assert_eq!(run(&deep, "[1]", false), Err(Error::TooDeep));
    let union = format!("{{[{}]}}", "*,".repeat(20_000) + "*");
    assert_eq!(run(&union, &list, false), Err(Error::TooMuch));
    let filters = "[?(@.a=='".repeat(100_000);
    assert!(run(&format!("{{{filters}"), "[]", false).is_err());
    let nest = format!(
        "{}\"{}\"{}",
        "[".repeat(500),
        "x".repeat(60_000),
        "]".repeat(500)
    );
    assert_eq!(run("{..}", &nest, false), Err(Error::TooMuch));
}

/// Templates in which something close to a step is likely.
fn templates() -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec![
        "{",
        "}",
        ".",
        "..",
        ".a",
        ".b",
        "*",
        "[",
        "]",
        "[*]",
        "[0]",
        "[-1]",
        "[:1]",
        "['a']",
        "['a','b']",
        "[?(",
        ")]",
        "[?(@.a)]",
        "[?(@.a==1.5)]",
        "@",
        "$",
        "'",
        "\"",
        "\\",
        "<",
        "=",
        "range ",
        "end",
        "{range .a[*]}",
        "{end}",
        " ",
        "1",
        "-",
        "true",
        "x",
        "é",
        ",",
        ":",
    ]);
    prop::collection::vec(step, 0..12).prop_map(|steps| steps.concat())
}

fn values() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["1", "1.5", "null", "true", "\"x\"", "[]", "{}"]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(4, 32, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(",")));
            let map = (inner.clone(), inner).prop_map(|(a, b)| format!(r#"{{"a":{a},"b":{b}}}"#));
            prop_oneof![list, map]
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn no_template_panics(template in templates(), json in values(), literals: bool) {
        let found = run(&template, &json, literals);
        if !template.contains('{') {
            prop_assert_eq!(found, Ok(template));
        }
    }

    #[test]
    fn any_text_is_a_template_or_an_error(template: String) {
        let found = run(&template, "{}", false);
        let plain = !template.contains('{');
        prop_assert!(!plain || found == Ok(template));
    }
}
