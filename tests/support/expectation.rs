//! What a document must become when values go in the places of `<path:s#kN>`: the rules of argocd-vault-plugin, said a
//! second time on trees that other readers made.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifuse::secret::{Map, Value};

use super::kube_yaml::go_text;
use super::tree::{Number, Tree, fits_64_bits};

/// What a document becomes, as `avp-compat.md` 7.1 to 7.3 say.
#[derive(Clone, Copy)]
pub(crate) struct Expectation<'a> {
    pub(crate) secret: &'a BTreeMap<String, Tree>,
    pub(crate) kind: &'a str,
}

impl Expectation<'_> {
    /// The tree with its strings replaced.
    pub(crate) fn of(&self, node: &Tree, in_list: bool) -> Tree {
        match node {
            Tree::Map(entries) => Tree::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone(), self.of(value, false)))
                    .collect(),
            ),
            Tree::List(items) if in_list => Tree::List(items.clone()),
            Tree::List(items) => Tree::List(items.iter().map(|item| self.of(item, true)).collect()),
            Tree::String(text) => self.string(text),
            other => other.clone(),
        }
    }

    fn string(&self, text: &str) -> Tree {
        let decoded = STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        match (self.kind, decoded) {
            ("Secret", Some(decoded)) if decoded.contains("<path:s#") => {
                Tree::String(STANDARD.encode(as_text(&self.generic(&decoded))))
            }
            ("ConfigMap", _) => Tree::String(as_text(&self.generic(text))),
            _ => self.generic(text),
        }
    }

    /// The generic rule: strings go in place, anything else takes the whole text.
    fn generic(&self, text: &str) -> Tree {
        let mut out = String::new();
        let mut whole = None;
        let mut rest = text;
        while let Some(start) = rest.find("<path:s#") {
            let (before, placeholder) = rest.split_at(start);
            let (placeholder, behind) = placeholder.split_at("<path:s#kN>".len());
            out += before;
            match &self.secret[&placeholder["<path:s#".len()..placeholder.len() - 1]] {
                Tree::String(value) => out += value,
                native => whole = Some(native.clone()),
            }
            rest = behind;
        }
        whole.unwrap_or_else(|| Tree::String(out + rest))
    }
}

/// A value as text: strings as they are, all else as compact JSON.
pub(crate) fn as_text(tree: &Tree) -> String {
    match tree {
        Tree::String(text) => text.clone(),
        Tree::List(items) => format!(
            "[{}]",
            items.iter().map(as_json).collect::<Vec<_>>().join(",")
        ),
        Tree::Map(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(key, value)| format!("{key:?}:{}", as_json(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        other => other.to_string(),
    }
}

fn as_json(tree: &Tree) -> String {
    match tree {
        Tree::String(text) => serde_json::to_string(text).unwrap(),
        other => as_text(other),
    }
}

/// A secret's values by key.
pub(crate) fn trees(secret: &Map) -> BTreeMap<String, Tree> {
    secret
        .iter()
        .map(|(key, value)| (key.clone(), to_tree(value)))
        .collect()
}

fn to_number(literal: &str) -> Number {
    match literal.parse() {
        Ok(integer) if fits_64_bits(integer) => Number::Integer(integer),
        _ => Number::float(literal.parse().expect("a number in JSON is one in Rust")),
    }
}

/// A value as another reader sees it.
pub(crate) fn to_tree(value: &Value) -> Tree {
    match value {
        Value::String(text) => Tree::String(go_text(text.expose())),
        Value::Bool(truth) => Tree::Bool(*truth),
        Value::Number(number) => Tree::Number(to_number(number.expose())),
        Value::List(items) => Tree::List(items.iter().map(to_tree).collect()),
        Value::Map(map) => Tree::Map(
            map.iter()
                .map(|(key, value)| (key.clone(), to_tree(value)))
                .collect(),
        ),
        Value::Null => Tree::Null,
        Value::Bytes(bytes) => Tree::String(STANDARD.encode(bytes.expose())),
    }
}
