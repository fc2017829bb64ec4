//! A third reader: YAML 1.2 with its core schema, as tools outside Kubernetes read a manifest.
//!
//! On yaml-rust2, whose scanner is an ancestor of our parser's. Merge keys are plain keys here, as the core schema has it.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use yaml_rust2::Event;
use yaml_rust2::parser::{MarkedEventReceiver, Parser, Tag};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::kube_yaml::{json_documents, split};
use super::nodes::{self, Node, Rules};
use super::tree::{Number, Tree, fits_64_bits};

/// The documents of a stream, cut as Kubernetes cuts it; empty ones left out.
pub(crate) fn documents(stream: &[u8]) -> Result<Vec<Tree>, String> {
    if stream.trim_ascii_start().starts_with(b"{") {
        return json_documents(stream);
    }
    let mut documents = Vec::new();
    for (index, chunk) in split(stream).iter().enumerate() {
        let text = std::str::from_utf8(chunk).map_err(|error| error.to_string())?;
        let document =
            document(text).map_err(|error| format!("document {}: {error}", index + 1))?;
        if document != Tree::Null {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// The first document of a text.
pub(crate) fn document(text: &str) -> Result<Tree, String> {
    let mut composer = Composer::default();
    Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
        .load(&mut composer, false)
        .map_err(|error| error.to_string())?;
    match composer.root {
        None => Ok(Tree::Null),
        Some(root) => nodes::tree(&composer.nodes, root, &CORE),
    }
}

const CORE: Rules = Rules {
    scalar: |text, tag, plain| Ok(resolve(text, tag, plain)),
    key: |text, tag, plain| match resolve(text, tag, plain) {
        Tree::String(text) => Ok(text),
        other => Ok(other.to_string()),
    },
    merge: false,
};

/// Events to nodes: collections that are open, and what each has collected.
#[derive(Default)]
struct Composer {
    nodes: Vec<Node>,
    anchors: HashMap<usize, usize>,
    open: Vec<(usize, Vec<usize>)>,
    root: Option<usize>,
}

impl MarkedEventReceiver for Composer {
    fn on_event(&mut self, event: Event, _: Marker) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == TScalarStyle::Plain;
                let tag = tag.as_ref().map(tag_name);
                self.leaf(anchor, Node::Scalar { text, tag, plain });
            }
            Event::Alias(anchor) => {
                let target = self.anchors[&anchor];
                self.leaf(0, Node::Alias(target));
            }
            Event::SequenceStart(anchor, _) => self.start(anchor, Node::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.start(anchor, Node::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => {}
        }
    }
}

impl Composer {
    fn leaf(&mut self, anchor: usize, node: Node) {
        let id = self.add(anchor, node);
        self.put(id);
    }

    fn start(&mut self, anchor: usize, node: Node) {
        let id = self.add(anchor, node);
        self.open.push((id, Vec::new()));
    }

    fn end(&mut self) {
        let (id, items) = self.open.pop().expect("what ends has begun");
        self.nodes[id] = match self.nodes[id] {
            Node::Map(_) => Node::Map(items.chunks(2).map(|pair| (pair[0], pair[1])).collect()),
            _ => Node::List(items),
        };
        self.put(id);
    }

    fn add(&mut self, anchor: usize, node: Node) -> usize {
        let id = self.nodes.len();
        self.nodes.push(node);
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    fn put(&mut self, id: usize) {
        match self.open.last_mut() {
            Some((_, items)) => items.push(id),
            None => self.root = Some(id),
        }
    }
}

fn tag_name(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

fn resolve(text: &str, tag: Option<&str>, plain: bool) -> Tree {
    match tag.map(|tag| tag.strip_prefix(nodes::TAGS)) {
        None if plain => plain_scalar(text),
        Some(Some("null" | "bool" | "int" | "float")) => plain_scalar(text),
        _ => Tree::String(text.to_owned()),
    }
}

static INTEGER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"));
static FLOAT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"));
static NO_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"));

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("the expression is right")
}

/// What an untagged plain scalar is, by the core schema.
fn plain_scalar(text: &str) -> Tree {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "true" | "True" | "TRUE" => return Tree::Bool(true),
        "false" | "False" | "FALSE" => return Tree::Bool(false),
        _ => {}
    }
    let number = integer(text).or_else(|| float(text));
    number.map_or_else(|| Tree::String(text.to_owned()), Tree::Number)
}

fn integer(text: &str) -> Option<Number> {
    if !INTEGER.is_match(text) {
        return None;
    }
    let (digits, base) = match text.get(..2) {
        Some("0o") => (&text[2..], 8),
        Some("0x") => (&text[2..], 16),
        _ => (text, 10),
    };
    let value = i128::from_str_radix(digits, base).ok()?;
    fits_64_bits(value).then_some(Number::Integer(value))
}

fn float(text: &str) -> Option<Number> {
    if NO_NUMBER.is_match(text) {
        return Some(Number::Float(f64::INFINITY));
    }
    FLOAT
        .is_match(text)
        .then(|| text.parse().map(Number::float).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(yaml: &str, json: &str) {
        let wanted = Tree::from(&serde_json::from_str(json).unwrap());
        assert_eq!(
            document(yaml).unwrap().to_string(),
            wanted.to_string(),
            "{yaml}"
        );
    }

    #[test]
    fn plain_scalars_are_the_core_schema() {
        reads(
            "[yes, Off, y, true, FALSE, ~, null]",
            r#"["yes", "Off", "y", true, false, null, null]"#,
        );
        reads(
            "[012, 0o17, 0x1F, 0b101, 1_000, +5, 1e3, .5, 1:30]",
            r#"[12, 15, 31, "0b101", "1_000", 5, 1000, 0.5, "1:30"]"#,
        );
        reads(
            "['true', \"12\", !!str 12, !x 12]",
            r#"["true", "12", "12", "12"]"#,
        );
    }

    #[test]
    fn aliases_are_expanded_and_merge_keys_are_keys() {
        reads(
            "a: &a {x: [1]}\nb: *a\nc: {<<: *a, true: 1}",
            r#"{"a": {"x": [1]}, "b": {"x": [1]}, "c": {"<<": {"x": [1]}, "true": 1}}"#,
        );
    }

    #[test]
    fn streams_are_cut_as_kubernetes_cuts_them() {
        let count = |stream: &str| documents(stream.as_bytes()).map(|documents| documents.len());
        assert_eq!(count("a: 1\n---\n# nothing\n--- # b\nb: 1\n"), Ok(2));
        assert!(count("a: [\n").is_err());
    }
}
