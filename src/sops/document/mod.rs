//! File formats: each reads a text into the tree of [`super::tree`], takes the `sops` block out of it, and writes trees.
//!
//! YAML and JSON share one builder over events; a binary file is a JSON file with one text.

mod block;
mod builder;
mod comments;
mod dotenv;
mod flat;
mod ini;
mod json_writer;
mod numbers;
mod scalar;
#[cfg(test)]
mod tests;
mod yaml_scalar;
mod yaml_writer;

use std::collections::HashSet;

use zeroize::Zeroizing;

pub(super) use self::block::{BLOCK, put_block, refuse, restore_block, stamp, take_block};
use self::builder::Builder;
use self::json_writer::Indent;
use self::numbers::Exponent;
use super::error::Error;
use super::tree::{Branch, Item, Kind, Leaf, Node};
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::yaml::json::JsonReader;
use crate::yaml::writer::number_literal;
use crate::yaml::{EventReader, YamlReader};

/// The one key of a binary file.
const DATA: &str = "data";

/// The formats of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML, one or more documents.
    Yaml,
    /// JSON, one object; what follows it is not looked at.
    Json,
    /// Lines of `KEY=value`.
    Dotenv,
    /// Sections of keys.
    Ini,
    /// Any bytes; encrypted they are one text in a JSON object.
    Binary,
}

impl Format {
    /// The format that SOPS takes a file of that name for: by its extension in lower case, and binary without one that
    /// it knows.
    pub fn of_path(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Json,
            Some("env") => Self::Dotenv,
            Some("ini") => Self::Ini,
            _ => Self::Binary,
        }
    }

    /// The format of that name: `yaml`, `json`, `dotenv`, `ini` or `binary`.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "yaml" => Self::Yaml,
            "json" => Self::Json,
            "dotenv" => Self::Dotenv,
            "ini" => Self::Ini,
            "binary" => Self::Binary,
            _ => return None,
        })
    }
}

/// How documents are laid out where a format leaves a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Blanks that a mapping in YAML is indented by.
    pub yaml_indent: usize,
    /// Blanks that a level in JSON is indented by; `None` is a tab.
    pub json_indent: Option<usize>,
}

impl Default for Layout {
    /// As SOPS prints files without a configuration.
    fn default() -> Self {
        Self {
            yaml_indent: 4,
            json_indent: None,
        }
    }
}

impl Layout {
    fn json(self) -> Indent {
        self.json_indent.map_or(Indent::Tab, Indent::Blanks)
    }
}

/// The documents of a text, in order.
pub(super) fn read(text: &str, format: Format) -> Result<Vec<Branch>, Error> {
    match format {
        Format::Dotenv => return Ok(vec![dotenv::read(text)?]),
        Format::Ini => return Ok(vec![ini::read(text)?]),
        Format::Yaml | Format::Json | Format::Binary => {}
    }
    let mut builder = Builder::new(text, format);
    if format == Format::Yaml {
        run(&mut YamlReader::with_comments(text, true), &mut builder)?;
    } else {
        run(&mut JsonReader::new(text), &mut builder)?;
    }
    let documents = builder.finish();
    if format == Format::Yaml
        && let Some(first) = documents.first()
    {
        refuse_duplicates(first)?;
    }
    Ok(documents)
}

fn run<'a>(reader: &mut impl EventReader<'a>, builder: &mut Builder<'a>) -> Result<(), Error> {
    while let Some(event) = reader.next_event().map_err(Error::Syntax)? {
        builder.take(event)?;
        if builder.is_complete() {
            break;
        }
    }
    Ok(())
}

/// SOPS's YAML reader refuses equal keys at the top of the first document, and nowhere else.
fn refuse_duplicates(branch: &Branch) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for item in branch {
        if let Item::Entry(key, node) = item
            && !seen.insert(key.as_str())
        {
            return Err(Error::structure(
                node.span,
                format!("the key {key} stands twice"),
            ));
        }
    }
    Ok(())
}

/// The mapping that a document must be.
fn into_branch(root: Node) -> Result<Branch, Error> {
    match root.kind {
        Kind::Map(branch) => Ok(branch),
        Kind::Null => Ok(Branch::new()),
        Kind::Leaf(_) | Kind::List(_) => Err(Error::structure(
            root.span,
            "the top of a SOPS file must be a mapping",
        )),
    }
}

/// The text that bytes must be in all formats but one.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::structure(
            Span::at(error.valid_up_to()),
            "a file of this format must be UTF-8",
        )
    })
}

/// The documents of a text that is not encrypted, for whoever encrypts it.
pub(super) fn read_plain(bytes: &[u8], format: Format) -> Result<Vec<Branch>, Error> {
    if format == Format::Binary {
        let data = Node::text(bytes.to_vec());
        return Ok(vec![vec![Item::Entry(DATA.to_owned(), data)]]);
    }
    let text = utf8(bytes)?;
    let documents = read(text, format)?;
    refuse(&documents, format)?;
    let says_nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if format == Format::Yaml && !text.is_empty() && text.lines().all(says_nothing) {
        return Err(Error::structure(
            Span::at(0),
            "a file with nothing but comments holds no document",
        ));
    }
    if documents.is_empty() {
        return Err(Error::Empty);
    }
    Ok(documents)
}

/// Documents as a text of a format, byte for byte as SOPS prints them. All formats but YAML hold only the first one.
pub(super) fn write(
    documents: &[&Branch],
    format: Format,
    layout: Layout,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let empty = Branch::new();
    let first = documents.first().copied().unwrap_or(&empty);
    match format {
        Format::Yaml => Ok(into_bytes(yaml_writer::documents(
            documents,
            layout.yaml_indent,
        ))),
        Format::Json => json_writer::document(first, layout.json()).map(into_bytes),
        Format::Dotenv => dotenv::write(first),
        Format::Ini => ini::write(first),
        Format::Binary => binary(documents),
    }
}

/// One value as a text of a format: strings as they are, a mapping as a document with `others` behind it, anything else
/// as the format spells it.
pub(super) fn write_value(
    node: &Node,
    others: &[Branch],
    format: Format,
    layout: Layout,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    match (&node.kind, format) {
        (Kind::Leaf(Leaf::String(text)), _) => Ok(Zeroizing::new(text.expose().to_vec())),
        (Kind::Map(branch), _) => {
            let documents: Vec<&Branch> = [branch].into_iter().chain(others).collect();
            write(&documents, format, layout)
        }
        (_, Format::Yaml) => Ok(into_bytes(yaml_writer::value(node, layout.yaml_indent))),
        (_, Format::Json | Format::Ini) => json_writer::value(node, layout.json()).map(into_bytes),
        (_, Format::Dotenv | Format::Binary) => {
            let reason = "only a text can be taken out of a file of this format";
            Err(Error::structure(node.span, reason))
        }
    }
}

fn into_bytes(mut text: Zeroizing<String>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(std::mem::take(&mut *text).into_bytes())
}

/// The bytes that a binary file holds.
fn binary(documents: &[&Branch]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let wrong = || {
        let reason = "only a document with a text under the key data can be printed as binary";
        Error::structure(Span::at(0), reason)
    };
    let [document] = documents else {
        return Err(wrong());
    };
    let data = document.iter().find_map(|item| match item {
        Item::Entry(key, node) if key == DATA => Some(&node.kind),
        _ => None,
    });
    match data {
        Some(Kind::Leaf(Leaf::String(text))) => Ok(Zeroizing::new(text.expose().to_vec())),
        _ => Err(wrong()),
    }
}

/// The entries of a document as environment variables.
pub(super) fn variables(document: &Branch) -> Result<Vec<(String, Text)>, Error> {
    let entries = document.iter().filter_map(|item| match item {
        Item::Entry(key, node) => Some((key, node)),
        Item::Comment(_) => None,
    });
    entries
        .map(|(key, node)| {
            let text = flat_text(node).ok_or_else(|| {
                let reason = format!("the environment cannot hold the list or mapping {key}");
                Error::structure(node.span, reason)
            })?;
            Ok((key.clone(), text))
        })
        .collect()
}

/// A value that is no UTF-8 text, as a format spells it: so that readers of YAML 1.1 too take floats for numbers.
pub(super) fn literal(leaf: &Leaf, format: Format, span: Span) -> Result<Text, Error> {
    match (leaf, format) {
        (_, Format::Json) => json_writer::leaf(leaf, span),
        (Leaf::Float(_), _) => Ok(Text::from(number_literal(&yaml_scalar::word(leaf)))),
        _ => Ok(Text::from(yaml_scalar::word(leaf))),
    }
}

/// A value as a flat format writes it; `None` for lists and mappings.
pub(super) fn flat_text(node: &Node) -> Option<Text> {
    Some(match &node.kind {
        Kind::Null => Text::from("<nil>"),
        Kind::Leaf(Leaf::Float(float)) => flat_float(*float),
        Kind::Leaf(Leaf::Bool(truth)) => Text::from(truth.to_string()),
        Kind::Leaf(Leaf::Time(time)) => time.whole_seconds().to_text(),
        Kind::Leaf(leaf) => leaf.text(),
        Kind::List(_) | Kind::Map(_) => return None,
    })
}

/// A float as Go's `%G`, but never so that it looks like an integer.
fn flat_float(float: f64) -> Text {
    if !float.is_finite() {
        return super::tree::float_text(float);
    }
    let text = numbers::shortest(float, -4..21, Exponent::TwoDigits).to_uppercase();
    Text::from(if text.contains(['.', 'E']) {
        text
    } else {
        text + ".0"
    })
}
