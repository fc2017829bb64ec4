//! Trees as one line each: entries by their keys, comments by `#`.

use super::{Format, read};
use crate::sops::tree::{Branch, Element, Item, Kind, Node};

fn outline(text: &str, format: Format) -> String {
    let documents = read(text, format).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let shown: Vec<String> = documents.iter().map(map).collect();
    shown.join(" --- ")
}

fn map(branch: &Branch) -> String {
    let items = branch.iter().map(|item| match item {
        Item::Entry(key, node) => format!("{key}:{}", value(node)),
        Item::Comment(comment) => format!("#{}", comment.text.expose_str().unwrap().trim()),
    });
    items.collect::<Vec<_>>().join(" ")
}

fn value(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Leaf(leaf) => {
            let text = leaf.text();
            format!("{}({})", leaf.type_name(), text.expose_str().unwrap())
        }
        Kind::Map(branch) => format!("{{{}}}", map(branch)),
        Kind::List(elements) => {
            let elements = elements.iter().map(|element| match element {
                Element::Value(node) => value(node),
                Element::Comment(comment) => {
                    format!("#{}", comment.text.expose_str().unwrap().trim())
                }
            });
            format!("[{}]", elements.collect::<Vec<_>>().join(" "))
        }
    }
}

/// The places that SOPS's own reader gives to comments, observed by what the real sops encrypts.
#[test]
fn comments_stand_where_sops_puts_them() {
    for (text, expected) in [
        ("# c\na: x\n", "#c a:string(x)"),
        ("a: x # c\nb: y\n", "#c a:string(x) b:string(y)"),
        ("a: x\n# c\nb: y\n", "a:string(x) #c b:string(y)"),
        ("a: x\n# c\n", "a:string(x) #c"),
        ("a: # c\n  b: x\n", "#c a:{b:string(x)}"),
        ("a:\n  # c\n  b: x\n", "a:{#c b:string(x)}"),
        ("a:\n  b: x\n# c\nd: y\n", "a:{b:string(x)} #c d:string(y)"),
        (
            "a:\n  b: x\n  # c\nd: y\n",
            "a:{b:string(x) #c} d:string(y)",
        ),
        ("a:\n  b: x # c\nd: y\n", "a:{#c b:string(x)} d:string(y)"),
        ("a:\n  - x\n  # c\n  - y\n", "a:[string(x) #c string(y)]"),
        ("a:\n  - x # c\n  - y\n", "a:[#c string(x) string(y)]"),
        ("a:\n  # c\n  - x\n", "a:[#c string(x)]"),
        ("a:\n  # c\n  - b: x\n", "a:[#c {b:string(x)}]"),
        ("a:\n- x\n# c\nb: y\n", "a:[string(x)] #c b:string(y)"),
        ("a: |  # c\n  x\nb: y\n", "#c a:string(x\n) b:string(y)"),
        ("a: {b: x} # c\nd: y\n", "#c a:{b:string(x)} d:string(y)"),
        ("a: x\n---\n# c\nb: y\n", "a:string(x) --- #c b:string(y)"),
        ("# c\n", ""),
        (
            "a: x\n---\n# c\n---\nb: y\n",
            "a:string(x) --- #c --- b:string(y)",
        ),
    ] {
        assert_eq!(outline(text, Format::Yaml), expected, "{text}");
    }
}

#[test]
fn aliases_are_written_out() {
    assert!(read("a: *z\n", Format::Yaml).is_err(), "no such anchor");
    for (text, expected) in [
        ("a: &x 1\nb: *x\n", "a:integer(1) b:integer(1)"),
        (
            "a: &x {k: 1}\nb: {<<: *x}\n",
            "a:{k:integer(1)} b:{<<:{k:integer(1)}}",
        ),
        ("a: &k b\n*k : 1\n", "a:string(b) b:integer(1)"),
    ] {
        assert_eq!(outline(text, Format::Yaml), expected);
    }
}

#[test]
fn scalars_are_typed_by_format() {
    let yaml = "a: 0x10\nb: 08\nc: yes\nd: ~\ne: 2024-01-01\nf: !!binary aGk=\n\"1\": t\n";
    assert_eq!(
        outline(yaml, Format::Yaml),
        "a:integer(16) b:float(8) c:string(yes) d:null e:time(2024-01-01T00:00:00Z) f:string(hi) 1:string(t)"
    );
    let json = r#"{"a":1,"a":1.50,"b":9223372036854775808,"c":-0,"d":[null,true,"5"],"e":{}} rest"#;
    assert_eq!(
        outline(json, Format::Json),
        "a:integer(1) a:float(1.5) b:float(9223372036854776000) c:integer(0) d:[null bool(True) string(5)] e:{}"
    );
    assert!(read(r#"{"a":1e400}"#, Format::Json).is_err());
}
