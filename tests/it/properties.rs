//! Properties over generated documents, positions and values: two readers that are not ours read the output as the
//! input's tree with its strings replaced, and the bytes around the edits stay.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifuse::secret::{Map, Number, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::expectation::{Expectation, trees};
use crate::support::render::render;
use crate::support::tree::{self, Tree};
use crate::support::{core_yaml, kube_yaml};

/// How many keys the secret has: `k0`, `k1`, ….
const KEYS: usize = 4;

/// Values that trip readers and writers, beside random ones.
const AWKWARD: &[&str] = &[
    "",
    " ",
    "  lead",
    "trail ",
    "a\nb",
    "a\nb\n",
    "\n",
    "\n\na",
    "a\n\n",
    " a\n b",
    "a\r\nb",
    "a\tb",
    "\t",
    "yes",
    "No",
    "on",
    "null",
    "~",
    "true",
    "0",
    "-1",
    "012",
    "0o7",
    "0x1F",
    "1_000",
    "1e3",
    ".5",
    ".inf",
    "1:30",
    "12:30:45",
    "2020-01-01",
    "=",
    "<<",
    "a: b",
    "a #b",
    "#",
    "- a",
    "-",
    "?",
    ": ",
    "[a",
    "{a",
    "]",
    "&a",
    "*a",
    "!a",
    "|",
    ">",
    "'",
    "\"",
    "it's \"x\"",
    "%a",
    "@a",
    "`a",
    "---",
    "...",
    "a,b",
    "\\",
    "\\n",
    "$1 ${x}",
    "<path:s#k0>",
    "\u{0}",
    "\u{1b}[0m",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffe}",
    "é",
    "😀",
    "-----BEGIN X-----\nAAAA\n-----END X-----\n",
    "a\n  b\n c\n",
    "x \ny",
];

fn value() -> impl Strategy<Value = Value> {
    let native = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| Value::Number(Number::from_literal(number.to_string()))),
        Just(Value::Number(Number::from_literal("1.5"))),
        Just(Value::List(vec![Value::string("yes"), Value::Bool(true)])),
        Just(Value::Map(vec![("a b".to_owned(), Value::string("x: y"))])),
    ];
    prop_oneof![
        6 => proptest::sample::select(AWKWARD).prop_map(Value::string),
        3 => any::<String>().prop_map(Value::string),
        2 => "[a-z \n]{0,12}".prop_map(Value::string),
        1 => native,
    ]
}

fn secret() -> impl Strategy<Value = Map> {
    vec(value(), KEYS).prop_map(|values| {
        values
            .into_iter()
            .enumerate()
            .map(|(i, v)| (format!("k{i}"), v))
            .collect()
    })
}

/// A node of a generated document.
#[derive(Clone, Debug)]
enum Node {
    /// Text with `@` where a placeholder goes, and how it is written.
    Text(Vec<Part>, Style),
    /// The same in base64.
    Base64(Vec<Part>),
    /// Something that is no string.
    Other(&'static str),
    List(Vec<Node>),
    Map(Vec<Node>),
    FlowList(Vec<Node>),
    FlowMap(Vec<Node>),
}

#[derive(Clone, Debug)]
enum Part {
    Words(String),
    Placeholder(usize),
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Plain,
    PlainLines,
    Single,
    SingleLines,
    Double,
    DoubleEscaped,
    DoubleLines,
    Literal(&'static str),
    Folded(&'static str),
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        "[a-z][a-z0-9./é“-]{0,6}".prop_map(Part::Words),
        (0..KEYS).prop_map(Part::Placeholder)
    ]
}

fn style() -> impl Strategy<Value = Style> {
    prop_oneof![
        3 => Just(Style::Plain),
        1 => Just(Style::PlainLines),
        1 => Just(Style::Single),
        1 => Just(Style::SingleLines),
        2 => Just(Style::Double),
        1 => Just(Style::DoubleEscaped),
        1 => Just(Style::DoubleLines),
        2 => proptest::sample::select(vec!["|", "|-", "|+", "|2", "|2-"]).prop_map(Style::Literal),
        1 => proptest::sample::select(vec![">", ">-", ">+"]).prop_map(Style::Folded),
    ]
}

fn text() -> impl Strategy<Value = Node> {
    (vec(part(), 1..4), style()).prop_map(|(parts, style)| Node::Text(parts, style))
}

fn node() -> impl Strategy<Value = Node> {
    let other = proptest::sample::select(vec![
        "5",
        "1.50",
        "yes",
        "~",
        "0777",
        "",
        "2020-01-01",
        "{}",
        "[]",
        "!!str 5",
        "# c",
    ]);
    let base64 = vec(part(), 1..4).prop_map(Node::Base64);
    let leaf = prop_oneof![6 => text(), 1 => base64, 1 => other.prop_map(Node::Other)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 1..4).prop_map(Node::Map),
            2 => vec(inner.clone(), 1..4).prop_map(Node::List),
            1 => vec(inner.clone(), 1..4).prop_map(Node::FlowMap),
            1 => vec(inner, 1..4).prop_map(Node::FlowList),
        ]
    })
}

fn document() -> impl Strategy<Value = String> {
    written(vec(node(), 1..5))
}

/// A document without lists in lists, in which every placeholder is replaced.
fn shallow_document() -> impl Strategy<Value = String> {
    let several = || vec(text(), 1..4);
    let node = prop_oneof![
        text(),
        several().prop_map(Node::List),
        several().prop_map(Node::Map)
    ];
    written(vec(node, 1..5))
}

fn written(nodes: impl Strategy<Value = Vec<Node>>) -> impl Strategy<Value = String> {
    let line_end = proptest::sample::select(vec!["\n", "\r\n", "\r"]);
    let kind = proptest::sample::select(vec!["X", "X", "ConfigMap", "Secret"]);
    (nodes, line_end, any::<bool>(), kind).prop_map(|(nodes, line_end, newline, kind)| {
        let mut out = format!("# head\nkind: {kind} # c\n");
        write_map(&nodes, 0, &mut out);
        if !newline {
            out.truncate(out.trim_end_matches('\n').len());
        }
        out.replace('\n', line_end)
    })
}

fn write_map(nodes: &[Node], indent: usize, out: &mut String) {
    for (index, node) in nodes.iter().enumerate() {
        write!(out, "{:indent$}f{index}:", "").unwrap();
        write_value(node, indent, out);
    }
}

/// Writes what stands behind `key:` or `-`, and the line's end.
fn write_value(node: &Node, indent: usize, out: &mut String) {
    match node {
        Node::Map(nodes) => {
            *out += "\n";
            write_map(nodes, indent + 2, out);
        }
        Node::List(nodes) => {
            *out += "\n";
            for node in nodes {
                write!(out, "{:indent$}-", "", indent = indent + 2).unwrap();
                write_value(node, indent + 2, out);
            }
        }
        Node::Text(parts, style) => writeln!(out, " {}", scalar(parts, *style, indent)).unwrap(),
        Node::Other(text) => writeln!(out, " {text}").unwrap(),
        Node::Base64(parts) => writeln!(out, " {}", base64(parts)).unwrap(),
        flow => writeln!(out, " {} # flow", flow_text(flow)).unwrap(),
    }
}

fn flow_text(node: &Node) -> String {
    let join = |nodes: &[Node]| nodes.iter().map(flow_text).collect::<Vec<_>>();
    match node {
        Node::Map(nodes) | Node::FlowMap(nodes) => {
            let entries: Vec<_> = join(nodes)
                .into_iter()
                .enumerate()
                .map(|(i, text)| format!("f{i}: {text}"))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Node::List(nodes) | Node::FlowList(nodes) => format!("[{}]", join(nodes).join(", ")),
        Node::Other(text) if text.is_empty() || text.starts_with('#') => "null".to_owned(),
        Node::Other(text) => (*text).to_owned(),
        Node::Base64(parts) => base64(parts),
        Node::Text(parts, Style::Plain | Style::PlainLines) => scalar(parts, Style::Plain, 0),
        Node::Text(parts, Style::Single | Style::SingleLines) => scalar(parts, Style::Single, 0),
        Node::Text(parts, _) => scalar(parts, Style::Double, 0),
    }
}

fn base64(parts: &[Part]) -> String {
    STANDARD.encode(words(parts).join("="))
}

fn words(parts: &[Part]) -> Vec<String> {
    parts
        .iter()
        .map(|part| match part {
            Part::Words(words) => words.clone(),
            Part::Placeholder(key) => format!("<path:s#k{key}>"),
        })
        .collect()
}

fn scalar(parts: &[Part], style: Style, indent: usize) -> String {
    let words = words(parts);
    let deeper = format!("\n{:indent$}", "", indent = indent + 2);
    let lines = |indicators: &str| format!("{indicators}{deeper}{}", words.join(&deeper));
    match style {
        Style::Plain => words.join(" "),
        Style::PlainLines => words.join(&deeper),
        Style::Single => format!("'{}'", words.join("''")),
        Style::SingleLines => format!("'{}'", words.join(&deeper)),
        Style::Double => format!("\"{}\"", words.join("\\n\\\"")),
        Style::DoubleEscaped => format!(
            "\"{}\"",
            words
                .join("\\u0020")
                .replace('<', "\\x3c")
                .replace('>', "\\u003e")
        ),
        Style::DoubleLines => format!("\"{}\"", words.join(&format!("\\{deeper}"))),
        Style::Literal(indicators) | Style::Folded(indicators) => lines(indicators),
    }
}

/// The stream as a YAML 1.2 reader of another make sees it.
fn read_1_2(text: &str) -> Tree {
    let mut documents =
        core_yaml::documents(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text:?}"));
    assert_eq!(documents.len(), 1, "{text:?}");
    documents.remove(0)
}

fn assert_same(wanted: &Tree, came: &Tree, input: &str, output: &str) {
    let lines = tree::differences(wanted, came);
    assert!(
        lines.is_empty(),
        "{}\n--- input\n{input:?}\n--- output\n{output:?}",
        lines.join("\n")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn output_reads_as_the_tree_with_its_strings_replaced(input in document(), secret in secret()) {
        let values = trees(&secret);
        let output = render(&input, secret, false).unwrap_or_else(|told| panic!("{told:?}\n{input}"));
        let before = kube_yaml::documents(input.as_bytes()).unwrap();
        let after = kube_yaml::documents(output.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{output}"));
        prop_assert_eq!(after.len(), 1);
        let kind = input.split(' ').nth(2).unwrap();
        let expected = Expectation { secret: &values, kind };
        assert_same(&expected.of(&before[0], false), &after[0], &input, &output);
        assert_same(&expected.of(&read_1_2(&input), false), &read_1_2(&output), &input, &output);
    }

    #[test]
    fn json_reads_as_the_tree_with_its_strings_replaced(
        nodes in vec(node(), 1..5),
        secret in secret(),
        ascii in any::<bool>(),
        pretty in any::<bool>(),
    ) {
        let mut yaml = "kind: X\n".to_owned();
        write_map(&nodes, 0, &mut yaml);
        let document: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let input = if ascii { text.unwrap().replace('<', "\\u003c").replace('é', "\\u00e9") } else { text.unwrap() };
        let values = trees(&secret);
        let expected = Expectation { secret: &values, kind: "X" };
        let output = render(&input, secret, false).unwrap_or_else(|told| panic!("{told:?}\n{input}"));
        let before = Tree::from(&document);
        let strict: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_same(&expected.of(&before, false), &Tree::from(&strict), &input, &output);
        let as_yaml = kube_yaml::document(output.as_bytes()).unwrap();
        assert_same(&expected.of(&before, false), &as_yaml, &input, &output);
    }

    #[test]
    fn bytes_around_the_edits_stay(input in shallow_document(), word in "[a-z]{1,5}") {
        // A word that is inert in each style replaces just the placeholder.
        let secret = (0..KEYS).map(|key| (format!("k{key}"), Value::string(format!("w{word}")))).collect();
        let output = render(&input, secret, false).unwrap();
        let mut wanted = input.replace("\\x3cpath", "<path").replace("\\u003e", ">");
        for key in 0..KEYS {
            wanted = wanted.replace(&format!("<path:s#k{key}>"), &format!("w{word}"));
        }
        prop_assert_eq!(output, wanted);
    }

    #[test]
    fn what_holds_no_placeholder_stays(input in document()) {
        let input = input.replace("<path", "path").replace("\\x3cpath", "path").replace("kind: Secret", "kind: Other");
        for validate in [false, true] {
            prop_assert_eq!(&render(&input, Map::new(), validate).unwrap(), &input);
        }
    }
}
