//! `manifuse.io/expand` in every layout: exact texts, and properties that two readers which are not ours agree on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifuse::secret::{Map, Number, Text, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::render::render;
use crate::support::tree::{self, Tree};
use crate::support::{core_yaml, kube_yaml};

fn secret() -> Map {
    vec![
        ("user".to_owned(), Value::string("alice")),
        ("port".to_owned(), Value::Number(Number::from_literal("80"))),
    ]
}

const HEAD: &str = "kind: Secret\nmetadata: {annotations: {manifuse.io/expand: s}}\n";

/// What stands behind the head of a Secret.
fn body(text: &str) -> String {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let head = HEAD.replace('\n', line_end);
    let output = rendered(&format!("{head}{text}"), secret());
    output.strip_prefix(&head).unwrap().to_owned()
}

fn rendered(text: &str, values: Map) -> String {
    render(text, values, false).unwrap_or_else(|told| panic!("{}: {text:?}", told[0].message))
}

/// Documents without their head, and what they become.
const LAYOUTS: &[(&str, &str)] = &[
    (
        "stringData:\n  a: b # c\n# end\n",
        "stringData:\n  a: b # c\n  user: alice\n  port: \"80\"\n# end\n",
    ),
    (
        "stringData:\n    a: b\ntype: t\n",
        "stringData:\n    a: b\n    user: alice\n    port: \"80\"\ntype: t\n",
    ),
    (
        "stringData:\n  a: b",
        "stringData:\n  a: b\n  user: alice\n  port: \"80\"",
    ),
    (
        "stringData:\n  a: |\n    x\n\n  # c\n",
        "stringData:\n  a: |\n    x\n  user: alice\n  port: \"80\"\n\n  # c\n",
    ),
    (
        "stringData:\n  a: |+\n    x\n\ntype: t\n",
        "stringData:\n  a: |+\n    x\n\n  user: alice\n  port: \"80\"\ntype: t\n",
    ),
    (
        "stringData:\n  a: |\ntype: t\n",
        "stringData:\n  a: |\n  user: alice\n  port: \"80\"\ntype: t\n",
    ),
    (
        "stringData:\n  a:\ntype: t\n",
        "stringData:\n  a:\n  user: alice\n  port: \"80\"\ntype: t\n",
    ),
    (
        "stringData: {}\n",
        "stringData: {\"user\": \"alice\", \"port\": \"80\"}\n",
    ),
    (
        "stringData: {a: b} # c\n",
        "stringData: {a: b, \"user\": \"alice\", \"port\": \"80\"} # c\n",
    ),
    (
        "stringData: {\n  a: b,\n}\n",
        "stringData: {\n  a: b,\n  \"user\": \"alice\",\n  \"port\": \"80\",\n}\n",
    ),
    (
        "stringData: {a}\n",
        "stringData: {a, \"user\": \"alice\", \"port\": \"80\"}\n",
    ),
    (
        "stringData: {a: }\n",
        "stringData: {a: , \"user\": \"alice\", \"port\": \"80\"}\n",
    ),
    (
        "stringData:\ntype: t\n",
        "stringData: {\"user\": \"alice\", \"port\": \"80\"}\ntype: t\n",
    ),
    (
        "stringData: ~ # c\n",
        "stringData: {\"user\": \"alice\", \"port\": \"80\"} # c\n",
    ),
    (
        "type: t\n",
        "type: t\nstringData:\n  user: alice\n  port: \"80\"\n",
    ),
    (
        "type: t",
        "type: t\nstringData:\n  user: alice\n  port: \"80\"",
    ),
    (
        "type: t\n\n# end\n...\n",
        "type: t\nstringData:\n  user: alice\n  port: \"80\"\n\n# end\n...\n",
    ),
    (
        "type: t\r\n",
        "type: t\r\nstringData:\r\n  user: alice\r\n  port: \"80\"\r\n",
    ),
    (
        "type: t\n---\nkind: X\n",
        "type: t\nstringData:\n  user: alice\n  port: \"80\"\n---\nkind: X\n",
    ),
    (
        "finalizers:\n- a\n",
        "finalizers:\n- a\nstringData:\n  user: alice\n  port: \"80\"\n",
    ),
    (
        "stringData:\n  user: <path:s#user>\n",
        "stringData:\n  user: alice\n  port: \"80\"\n",
    ),
    (
        "data: {user: eA==}\nstringData: {port: x}\n",
        "data: {user: eA==}\nstringData: {port: x}\n",
    ),
    (
        "x: &x {a: b}\nstringData: {<<: *x}\n",
        "x: &x {a: b}\nstringData: {<<: *x, \"user\": \"alice\", \"port\": \"80\"}\n",
    ),
    (
        "stringData:\n  ? a\n  :\n",
        "stringData:\n  ? a\n  :\n  user: alice\n  port: \"80\"\n",
    ),
    (
        "stringData:\n  ? a # c: d\n  # e: f\n  : &a\ntype: t\n",
        "stringData:\n  ? a # c: d\n  # e: f\n  : &a\n  user: alice\n  port: \"80\"\ntype: t\n",
    ),
    (
        "stringData:\n  a:\n    !!str\n",
        "stringData:\n  a:\n    !!str\n  user: alice\n  port: \"80\"\n",
    ),
    (
        "l:\n- - a\n  -\n\n# end\n",
        "l:\n- - a\n  -\nstringData:\n  user: alice\n  port: \"80\"\n\n# end\n",
    ),
    (
        "stringData:\n  ? |\n    a\n  : |\n    b\n\n",
        "stringData:\n  ? |\n    a\n  : |\n    b\n  user: alice\n  port: \"80\"\n\n",
    ),
    (
        "? stringData # c: d\n",
        "? stringData\n: {\"user\": \"alice\", \"port\": \"80\"} # c: d\n",
    ),
    (
        "? stringData\n# c: d\n:\n",
        "? stringData\n# c: d\n: {\"user\": \"alice\", \"port\": \"80\"}\n",
    ),
    (
        "? stringData\n: a: b\n",
        "? stringData\n: a: b\n  user: alice\n  port: \"80\"\n",
    ),
    (
        "stringData: {a: !!str }\n",
        "stringData: {a: !!str , \"user\": \"alice\", \"port\": \"80\"}\n",
    ),
];

#[test]
fn entries_take_the_layout_of_the_map() {
    for (before, after) in LAYOUTS {
        assert_eq!(body(before), *after);
    }
}

#[test]
fn whole_documents() {
    for (before, after) in [
        (
            "  kind: ConfigMap\n  metadata:\n    annotations:\n      manifuse.io/expand: s\n",
            "  kind: ConfigMap\n  metadata:\n    annotations:\n      manifuse.io/expand: s\n  data:\n    user: alice\n    port: \"80\"\n",
        ),
        (
            r#"{"kind":"Secret","metadata":{"annotations":{"manifuse.io/expand":"s"}},"stringData":{"a":"b"}}"#,
            r#"{"kind":"Secret","metadata":{"annotations":{"manifuse.io/expand":"s"}},"stringData":{"a":"b", "user": "alice", "port": "80"}}"#,
        ),
        (
            r#"{"kind":"Secret","metadata":{"annotations":{"manifuse.io/expand":"s"}}}"#,
            r#"{"kind":"Secret","metadata":{"annotations":{"manifuse.io/expand":"s"}}, "stringData": {"user": "alice", "port": "80"}}"#,
        ),
        (
            "{\n  \"kind\": \"Secret\",\n  \"metadata\": {\"annotations\": {\"manifuse.io/expand\": \"s\"}},\n  \"stringData\": {\n    \"a\": null\n  }\n}\n",
            "{\n  \"kind\": \"Secret\",\n  \"metadata\": {\"annotations\": {\"manifuse.io/expand\": \"s\"}},\n  \"stringData\": {\n    \"a\": null,\n    \"user\": \"alice\",\n    \"port\": \"80\"\n  }\n}\n",
        ),
        (
            "kind: Secret\nmetadata: {annotations: {manifuse.io/expand: s, avp.kubernetes.io/path: s, avp.kubernetes.io/remove-missing: true}}\nstringData:\n  a: <no>\n",
            "kind: Secret\nmetadata: {annotations: {manifuse.io/expand: s, avp.kubernetes.io/path: s, avp.kubernetes.io/remove-missing: true}}\nstringData: {\"user\": \"alice\", \"port\": \"80\"}\n",
        ),
        (
            "kind: X\nmetadata: {annotations: {avp.kubernetes.io/ignore: true, manifuse.io/expand: s}}\n",
            "kind: X\nmetadata: {annotations: {avp.kubernetes.io/ignore: true, manifuse.io/expand: s}}\n",
        ),
    ] {
        assert_eq!(rendered(before, secret()), after);
    }
}

/// Keys are compared as Kubernetes spells them, since it would take either of two that it spells alike.
#[test]
fn an_own_entry_stays_whatever_its_key_is_written_like() {
    for (own, name) in [
        ("yes: own", "true"),
        ("1.50: own", "1.5"),
        ("0x7B: own", "123"),
        ("!!binary aG9zdA==: own", "host"),
        ("<<: [{b: own}, {c: own}]", "c"),
        ("? yes\n  : own", "true"),
    ] {
        let document = format!("{HEAD}stringData:\n  {own}\n");
        let values = vec![(name.to_owned(), Value::string("new"))];
        assert_eq!(rendered(&document, values), document);
    }
    let document = format!("{HEAD}stringData:\n  yes: own\n");
    let values = vec![("yes".to_owned(), Value::string("new"))];
    assert_eq!(rendered(&document, values), document + "  \"yes\": new\n");
}

#[test]
fn values_that_are_no_text() {
    let values = vec![
        ("b".to_owned(), Value::Bool(true)),
        (
            "m".to_owned(),
            Value::Map(vec![("k".to_owned(), Value::List(vec![Value::Null]))]),
        ),
        ("n".to_owned(), Value::Null),
        ("raw".to_owned(), Value::string(vec![0xff])),
        ("bin".to_owned(), Value::Bytes(Text::from("x"))),
        ("b".to_owned(), Value::Bool(false)),
    ];
    for (kind, rest) in [
        (
            "Secret",
            "stringData:\n  b: \"false\"\n  m: \"{\\\"k\\\":[null]}\"\ndata:\n  raw: /w==\n  bin: eA==\n",
        ),
        (
            "ConfigMap",
            "data:\n  b: \"false\"\n  m: \"{\\\"k\\\":[null]}\"\nbinaryData:\n  raw: /w==\n  bin: eA==\n",
        ),
    ] {
        let head = HEAD.replace("Secret", kind);
        assert_eq!(rendered(&head, values.clone()), format!("{head}{rest}"));
    }
}

#[test]
fn what_cannot_be_expanded_is_told() {
    let head = |kind: &str| HEAD.replace("Secret", kind);
    let cannot = |reason: &str| {
        format!("manifuse.io/expand cannot add to the document's stringData: {reason}")
    };
    for (text, message) in [
        (
            head("Deployment"),
            "manifuse.io/expand can only be used on Secret or ConfigMap".to_owned(),
        ),
        (
            HEAD.replace("expand: s", "expand: [s]"),
            "the annotation manifuse.io/expand is a list or a map, not text".to_owned(),
        ),
        (
            head("Secret") + "x: &x {a: b}\nstringData: *x\n",
            cannot("it is an alias"),
        ),
        (
            head("Secret") + "stringData: &x {a: b}\nx: *x\n",
            cannot("an alias stands for it elsewhere"),
        ),
        (
            head("Secret") + "x: &x {stringData: {a: b}}\n<<: *x\n",
            cannot("it comes from a merge key"),
        ),
        (head("Secret") + "stringData: [a]\n", cannot("it is no map")),
        (
            head("Secret") + "stringData: &x\n",
            cannot("it has an anchor or a tag"),
        ),
        (
            head("Secret") + "x: |+\n  a\n\n  ",
            "manifuse.io/expand cannot add to a document that ends in blanks without a line end"
                .to_owned(),
        ),
    ] {
        let told = render(&text, secret(), false).unwrap_err();
        assert_eq!(told[0].message, message);
        assert!(told[0].place.is_some(), "{message}");
    }
}

#[test]
fn what_is_no_path_is_told() {
    let wants = "manifuse.io/expand takes the path of a secret, without #KEY and without brackets";
    let line_end = "manifuse.io/expand holds a line end";
    for (annotation, message) in [
        ("s#user", wants),
        ("<path:s>", wants),
        ("\"s\\n\"", line_end),
        ("''", "manifuse.io/expand names no secret"),
    ] {
        let text = HEAD.replace("expand: s", &format!("expand: {annotation}"));
        let told = render(&text, secret(), false).unwrap_err();
        assert_eq!((&*told[0].message, told[0].hint.is_some()), (message, true));
    }
}

#[test]
fn keys_that_kubernetes_refuses_are_told() {
    for key in ["a b", "", ".", "..a", "é", &"k".repeat(254)] {
        let values = vec![(key.to_owned(), Value::string("v"))];
        let told = render(HEAD, values, false).unwrap_err();
        assert!(
            told[0].message.starts_with("s has the key "),
            "{}",
            told[0].message
        );
        assert!(
            told[0].message.ends_with(", which Kubernetes refuses"),
            "{}",
            told[0].message
        );
    }
}

/// A document to expand: the field's map as text, its own keys, and what stands around it.
fn document() -> impl Strategy<Value = (String, &'static str)> {
    let field = prop_oneof![
        Just(String::new()),
        Just(" {}\n".to_owned()),
        Just("\n".to_owned()),
        Just(" null # c\n".to_owned()),
        vec("[ab]: (x|'y'|\"z\"|5|\\|\n    t\n|\\|\\+\n    t\n\n|>-\n    t\n    u|\\[1, 2\\]|)( # c)?", 1..3).prop_map(|lines| {
            lines.iter().fold("\n".to_owned(), |mut out, line| {
                // A comment behind a block is a part of it.
                let line = if line.contains('\n') { line.trim_end_matches(" # c") } else { line };
                writeln!(out, "  {line}").unwrap();
                out
            })
        }),
        Just(" {a: b, 'c': [d]}\n".to_owned()),
        Just(" {\n  a: b, # c\n  c: d,\n  }\n".to_owned()),
    ];
    let behind = proptest::sample::select(vec![
        "",
        "# end\n",
        "\n\n",
        "type: t\n",
        "type: |\n  t\n\n",
        "immutable: true",
        "l:\n- a\n- b: c\n",
    ]);
    let kind = proptest::sample::select(vec!["Secret", "ConfigMap"]);
    let line_end = proptest::sample::select(vec!["\n", "\r\n"]);
    (field, behind, kind, line_end).prop_map(|(field, behind, kind, line_end)| {
        let name = if kind == "Secret" { "stringData" } else { "data" };
        let field = if field.is_empty() { field } else { format!("{name}:{field}") };
        let text = format!("# head\nkind: {kind}\nmetadata:\n  annotations:\n    manifuse.io/expand: s # c\n{field}{behind}");
        (text.replace('\n', line_end), name)
    })
}

fn values() -> impl Strategy<Value = Map> {
    let value = prop_oneof![
        any::<String>().prop_map(Value::string),
        proptest::sample::select(vec![
            "", "yes", "0", "a: b", "a\nb\n", "{}", "#", "\u{85}", " "
        ])
        .prop_map(Value::string),
        any::<bool>().prop_map(Value::Bool),
        vec(any::<u8>(), 0..4).prop_map(Value::string),
    ];
    vec(("[a-cx-z0-9._-]{1,3}|null|true|y|12", value), 0..4).prop_map(|entries| {
        entries
            .into_iter()
            .filter(|(key, _)| key != "." && !key.starts_with(".."))
            .collect()
    })
}

/// The tree with the entries that it has not got.
fn expected(before: &Tree, field: &str, values: &Map) -> Tree {
    let Tree::Map(mut document) = before.clone() else {
        panic!("a document is a map")
    };
    let binary = if field == "data" {
        "binaryData"
    } else {
        "data"
    };
    let last: BTreeMap<_, _> = values.iter().map(|(key, value)| (key, value)).collect();
    let has = |key: &String, name: &str| matches!(document.get(name), Some(Tree::Map(map)) if map.contains_key(key));
    let new: Vec<_> = last
        .into_iter()
        .filter(|(key, _)| !has(key, field) && !has(key, binary))
        .collect();
    for (key, value) in new {
        let (field, text) = match value {
            Value::Bool(truth) => (field, truth.to_string()),
            Value::String(text) => match text.expose_str() {
                Some(text) => (field, text.to_owned()),
                None => (binary, STANDARD.encode(text.expose())),
            },
            _ => unreachable!("not generated"),
        };
        let map = document.entry(field.to_owned()).or_insert(Tree::Null);
        if *map == Tree::Null {
            *map = Tree::Map(BTreeMap::new());
        }
        if let Tree::Map(map) = map {
            map.insert(key.clone(), Tree::String(text));
        }
    }
    Tree::Map(document)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_get_the_document_with_its_entries((input, field) in document(), values in values()) {
        let read = [kube_yaml::documents as fn(&[u8]) -> Result<Vec<Tree>, String>, core_yaml::documents];
        let before: Vec<_> = read.iter().map(|read| read(input.as_bytes())).collect();
        // Equal keys in the generated map are not this test's business.
        prop_assume!(before.iter().all(Result::is_ok));
        let output = render(&input, values.clone(), false).unwrap_or_else(|told| panic!("{told:?}\n{input:?}"));
        for (read, before) in read.iter().zip(before) {
            let after = read(output.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{output:?}"));
            let wanted = expected(&before.unwrap()[0], field, &values);
            let lines = tree::differences(&wanted, &after[0]);
            prop_assert!(lines.is_empty(), "{}\n--- input\n{:?}\n--- output\n{:?}", lines.join("\n"), input, output);
        }
        for line in input.lines().filter(|line| line.starts_with('#') || line.contains("# c")) {
            let kept = line.split(" null").next().unwrap();
            prop_assert!(output.contains(kept), "{kept:?} is lost in {output:?}");
        }
    }
}
