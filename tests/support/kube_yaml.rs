//! A second reader: a stream as kubectl and Argo CD read it, on libyaml's events and YAML 1.1's scalar rules.
//!
//! Nothing of the program is used here. Where Go's readers are odd (the sigs.k8s.io/yaml library and go-yaml below it),
//! this one is odd in the same way. Compared with them on 1,900 texts (all recorded inputs and outputs, the YAML test
//! suite); left are `\/` in double quotes (Go refuses it) and `\'` (Go takes it), two forms of tags and flow
//! keys, and a JSON number beyond 64-bit floats.

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use libyaml_safer::{EventData, Parser};
use regex::Regex;

use super::nodes::{self, Node, Rules};
use super::tree::{Number, Tree, fits_64_bits};

/// The documents of a stream, empty ones left out.
pub(crate) fn documents(stream: &[u8]) -> Result<Vec<Tree>, String> {
    if stream.trim_ascii_start().starts_with(b"{") {
        json_documents(stream)
    } else {
        yaml_documents(stream)
    }
}

pub(super) fn json_documents(stream: &[u8]) -> Result<Vec<Tree>, String> {
    serde_json::Deserializer::from_slice(stream)
        .into_iter::<serde_json::Value>()
        .map(|value| Ok(Tree::from(&value.map_err(|error| error.to_string())?)))
        .collect()
}

fn yaml_documents(stream: &[u8]) -> Result<Vec<Tree>, String> {
    let mut documents = Vec::new();
    for (index, chunk) in split(stream).iter().enumerate() {
        let document =
            document(chunk).map_err(|error| format!("document {}: {error}", index + 1))?;
        if document != Tree::Null {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// Cuts at lines that are three dashes, with a comment at most; lines end with a line feed from here on.
pub(super) fn split(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = vec![Vec::new()];
    for line in stream
        .strip_suffix(b"\n")
        .unwrap_or(stream)
        .split(|byte| *byte == b'\n')
    {
        let rest = line.strip_prefix(b"---").map(<[u8]>::trim_ascii);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"#")) {
            chunks.push(Vec::new());
            continue;
        }
        let chunk = chunks.last_mut().expect("there is always one");
        chunk.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        chunk.push(b'\n');
    }
    chunks
}

/// The first document of a text.
pub(crate) fn document(text: &[u8]) -> Result<Tree, String> {
    // libyaml-safer panics on a few malformed texts.
    catch_unwind(|| composed(text)).unwrap_or(Err("libyaml-safer gave up".to_owned()))
}

fn composed(text: &[u8]) -> Result<Tree, String> {
    // libyaml-safer, and no other, takes a text that begins like a byte order mark (U+F000 and beyond) for one with a
    // broken mark. A line in front of it changes nothing.
    let framed = [b"\n", text].concat();
    let mut input = if text.starts_with(b"\xef") && !text.starts_with(b"\xef\xbb\xbf") {
        &framed[..]
    } else {
        text
    };
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut composer = Composer {
        parser,
        nodes: Vec::new(),
        anchors: HashMap::new(),
    };
    match composer.first_document()? {
        None => Ok(Tree::Null),
        Some(root) => nodes::tree(&composer.nodes, root, &KUBERNETES),
    }
}

/// Events to nodes; an alias is a node of its own, so that a node inside itself can be told.
struct Composer<'r, 'b> {
    parser: Parser<&'b mut &'r [u8]>,
    nodes: Vec<Node>,
    anchors: HashMap<String, usize>,
}

impl Composer<'_, '_> {
    fn next(&mut self) -> Result<EventData, String> {
        Ok(self.parser.parse().map_err(|error| error.to_string())?.data)
    }

    fn first_document(&mut self) -> Result<Option<usize>, String> {
        self.next()?;
        if matches!(self.next()?, EventData::StreamEnd) {
            return Ok(None);
        }
        let first = self.next()?;
        let root = self.node(first, 0)?;
        // The end of the document is looked for, what lies behind it is not read.
        self.next()?;
        Ok(Some(root))
    }

    fn node(&mut self, event: EventData, depth: usize) -> Result<usize, String> {
        if depth > 1000 {
            return Err("nested too deeply for this reader".to_owned());
        }
        let id = self.nodes.len();
        match event {
            EventData::Alias { anchor } => {
                let target = self
                    .anchors
                    .get(&anchor)
                    .ok_or(format!("unknown anchor {anchor}"))?;
                self.nodes.push(Node::Alias(*target));
            }
            EventData::Scalar {
                anchor,
                tag,
                value,
                plain_implicit,
                ..
            } => {
                self.anchor(anchor, id);
                self.nodes.push(Node::Scalar {
                    text: value,
                    tag,
                    plain: plain_implicit,
                });
            }
            EventData::SequenceStart { anchor, .. } => {
                self.anchor(anchor, id);
                self.nodes.push(Node::List(Vec::new()));
                self.nodes[id] = Node::List(self.items(depth)?);
            }
            EventData::MappingStart { anchor, .. } => {
                self.anchor(anchor, id);
                self.nodes.push(Node::Map(Vec::new()));
                self.nodes[id] = Node::Map(self.entries(depth)?);
            }
            other => return Err(format!("unexpected event {other:?}")),
        }
        Ok(id)
    }

    fn anchor(&mut self, anchor: Option<String>, id: usize) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<usize>, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                EventData::SequenceEnd => return Ok(items),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(usize, usize)>, String> {
        let mut entries = Vec::new();
        loop {
            match self.next()? {
                EventData::MappingEnd => return Ok(entries),
                event => {
                    let key = self.node(event, depth + 1)?;
                    let value = self.next()?;
                    entries.push((key, self.node(value, depth + 1)?));
                }
            }
        }
    }
}

const KUBERNETES: Rules = Rules {
    scalar: |text, tag, plain| finish(resolve(text, tag, plain)?),
    key: |text, tag, plain| key_text(&resolve(text, tag, plain)?),
    merge: true,
};

/// Keys become strings; floats in Go's shortest form of 32 bits.
fn key_text(key: &Tree) -> Result<String, String> {
    match key {
        Tree::String(text) => Ok(text.clone()),
        Tree::Bool(bool) => Ok(bool.to_string()),
        Tree::Number(Number::Integer(integer)) if i64::try_from(*integer).is_ok() => {
            Ok(integer.to_string())
        }
        Tree::Number(Number::Float(float)) => Ok(go_float_32(*float)),
        other => Err(format!("unsupported map key {other}")),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "32 bits is what Go's reader takes here"
)]
fn go_float_32(float: f64) -> String {
    let float = float as f32;
    if float.is_nan() {
        return ".nan".to_owned();
    } else if !float.is_finite() {
        return format!("{}.inf", if float < 0.0 { "-" } else { "" });
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("this format has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is an integer");
    if (-4..6).contains(&exponent) {
        return float.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn resolve(text: &str, tag: Option<&str>, plain: bool) -> Result<Tree, String> {
    let string = || Ok(Tree::String(text.to_owned()));
    let known = match tag {
        None if plain => return Ok(plain_scalar(text)),
        None => return string(),
        Some(tag) => tag.strip_prefix(nodes::TAGS),
    };
    let resolved = plain_scalar(text);
    match (known, &resolved) {
        (Some("binary"), _) => binary(text),
        (Some("null"), Tree::Null)
        | (Some("bool"), Tree::Bool(_))
        | (Some("float"), Tree::Number(_)) => Ok(resolved),
        (Some("int"), Tree::Number(_)) if !is_float_spelling(text) => Ok(resolved),
        (Some(name @ ("null" | "bool" | "int" | "float")), _) => {
            Err(format!("cannot decode `{text}` as a !!{name}"))
        }
        _ => string(),
    }
}

fn binary(text: &str) -> Result<Tree, String> {
    let base64 = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
    );
    let bytes = base64
        .decode(text.replace(['\r', '\n'], ""))
        .map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
    Ok(Tree::String(go_text(&bytes)))
}

/// Bytes as Go writes them into JSON: one replacement character for each bad byte.
pub(crate) fn go_text(bytes: &[u8]) -> String {
    let chunks = bytes.utf8_chunks();
    chunks
        .map(|chunk| chunk.valid().to_owned() + &"\u{fffd}".repeat(chunk.invalid().len()))
        .collect()
}

/// A scalar as a value: infinities and "not a number" cannot be JSON, other floats get one spelling.
fn finish(tree: Tree) -> Result<Tree, String> {
    match tree {
        Tree::Number(Number::Float(float)) if float.is_finite() => {
            Ok(Tree::Number(Number::float(float)))
        }
        Tree::Number(Number::Float(float)) => Err(format!("unsupported value: {float}")),
        tree => Ok(tree),
    }
}

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
        .expect("the expression is right")
});

fn is_float_spelling(text: &str) -> bool {
    go_integer(&text.replace('_', "")).is_none()
}

/// What an untagged plain scalar is.
fn plain_scalar(text: &str) -> Tree {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            return Tree::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Tree::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Tree::Number(Number::Float(f64::INFINITY));
        }
        "-.inf" | "-.Inf" | "-.INF" => return Tree::Number(Number::Float(f64::NEG_INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return Tree::Number(Number::Float(f64::NAN)),
        _ => {}
    }
    let number = match text.as_bytes()[0] {
        b'.' => go_float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let digits = text.replace('_', "");
            go_integer(&digits)
                .map(Number::Integer)
                .or_else(|| go_float(&digits))
        }
        _ => None,
    };
    number.map_or_else(|| Tree::String(text.to_owned()), Tree::Number)
}

fn go_float(digits: &str) -> Option<Number> {
    let float: f64 = FLOAT.is_match(digits).then(|| digits.parse().ok())??;
    float.is_finite().then_some(Number::Float(float))
}

/// Go's integers with a base by prefix; `0b` may be followed by a sign, as go-yaml has it.
fn go_integer(digits: &str) -> Option<i128> {
    let (negative, unsigned) = match digits.as_bytes().first()? {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits),
    };
    let (base, rest) = based(unsigned);
    let may_be_signed = base == 2 && unsigned.len() == digits.len();
    if rest.starts_with(['+', '-']) && !may_be_signed {
        return None;
    }
    let magnitude = i128::from_str_radix(if rest.is_empty() { "?" } else { rest }, base).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    let limit_of_signed = digits.starts_with(['+', '-']) && i64::try_from(value).is_err();
    (fits_64_bits(value) && !limit_of_signed).then_some(value)
}

fn based(digits: &str) -> (u32, &str) {
    let prefix = digits.get(..2).unwrap_or_default().to_ascii_lowercase();
    match prefix.as_str() {
        "0x" => (16, &digits[2..]),
        "0o" => (8, &digits[2..]),
        "0b" => (2, &digits[2..]),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Tree {
        document(yaml.as_bytes()).unwrap()
    }

    /// What JSON the text is, as Go's reader printed it.
    fn reads(yaml: &str, json: &str) {
        let wanted = Tree::from(&serde_json::from_str(json).unwrap());
        assert_eq!(read(yaml).to_string(), wanted.to_string(), "{yaml}");
    }

    #[test]
    fn plain_scalars_are_yaml_1_1() {
        reads(
            "[yes, Off, y, tRue, ~, null]",
            r#"[true, false, true, "tRue", null, null]"#,
        );
        reads(
            "[012, 08, 0o17, 0x1F, 0b101, 1_000, 0x, +5, -0]",
            r#"[10, 8, 15, 31, 5, 1000, "0x", 5, 0]"#,
        );
        reads(
            "[1e3, .5, 1., 1.50, 1e400, 1:30, 2020-01-01]",
            r#"[1000, 0.5, 1, 1.5, "1e400", "1:30", "2020-01-01"]"#,
        );
        reads(
            "[9223372036854775807, 18446744073709551615, 18446744073709551616, -9223372036854775809]",
            "[9223372036854775807, 18446744073709551615, 18446744073709552000, -9223372036854775809e0]",
        );
        reads(
            "['yes', \"12\", !!str 12, !!binary aGk=, !x 12]",
            r#"["yes", "12", "12", "hi", "12"]"#,
        );
    }

    #[test]
    fn keys_become_strings() {
        reads(
            "{yes: 1, 0x10: 2, 1.23456789012: 3, 1e7: 4, 5: 5}",
            r#"{"true": 1, "16": 2, "1.2345679": 3, "1e+07": 4, "5": 5}"#,
        );
        assert!(document(b"{~: 1}").is_err());
        assert!(document(b"{[a]: 1}").is_err());
    }

    #[test]
    fn aliases_and_merge_keys_are_expanded() {
        reads(
            "a: &a {x: 1, w: 2}\nb: {w: 3, <<: *a}\nc: {<<: [{x: 9}, *a], z: *a}",
            r#"{"a": {"x": 1, "w": 2}, "b": {"x": 1, "w": 2}, "c": {"x": 9, "w": 2, "z": {"x": 1, "w": 2}}}"#,
        );
        assert!(document(b"a: &a [*a]").is_err());
        assert!(document(b"a: *none").is_err());
    }

    #[test]
    fn streams_are_cut_at_separators() {
        let count = |stream: &str| documents(stream.as_bytes()).map(|documents| documents.len());
        assert_eq!(
            count("a: 1\n---\n# nothing\n--- # b\nb: 1\n...\nignored: [\n"),
            Ok(2)
        );
        assert_eq!(count("{\"a\": 1} {\"b\": 2}"), Ok(2));
        assert!(count("{\"a\": 1}\n---\nb: 1\n").is_err());
        assert!(count("a: .inf\n").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for text in [
            "a: [",
            "a: 'x",
            "a: \"\\q\"",
            "a:\n\tb: 1",
            "!!int x",
            "%YAML 1.1\na: 1",
        ] {
            assert!(document(text.as_bytes()).is_err(), "{text}");
        }
        assert!(document(b"a: \xff").is_err());
    }
}
