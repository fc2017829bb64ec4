//! Trees as JSON, byte for byte as SOPS prints them: Go's escapes, no comments.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::numbers::{self, Exponent};
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::sops::error::Error;
use crate::sops::tree::{Branch, Element, Item, Kind, Leaf, Node};

/// What a level is indented by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indent {
    Tab,
    Blanks(usize),
}

/// A document, with a line end behind it.
pub(super) fn document(branch: &Branch, indent: Indent) -> Result<Zeroizing<String>, Error> {
    let mut writer = Writer::new(indent);
    writer.branch(branch, 0)?;
    writer.out.push('\n');
    Ok(writer.out)
}

/// A value, without a line end.
pub(super) fn value(node: &Node, indent: Indent) -> Result<Zeroizing<String>, Error> {
    let mut writer = Writer::new(indent);
    writer.node(node, 0)?;
    Ok(writer.out)
}

/// One value.
pub(super) fn leaf(leaf: &Leaf, span: Span) -> Result<Text, Error> {
    let mut writer = Writer::new(Indent::Tab);
    writer.leaf(leaf, span)?;
    Ok(Text::from(std::mem::take(&mut *writer.out)))
}

struct Writer {
    out: Zeroizing<String>,
    indent: Indent,
}

impl Writer {
    fn new(indent: Indent) -> Self {
        Self {
            out: Zeroizing::new(String::new()),
            indent,
        }
    }

    fn node(&mut self, node: &Node, depth: usize) -> Result<(), Error> {
        match &node.kind {
            Kind::Null => self.out.push_str("null"),
            Kind::Leaf(leaf) => self.leaf(leaf, node.span)?,
            Kind::Map(branch) => self.branch(branch, depth)?,
            Kind::List(elements) => {
                let values = elements.iter().filter_map(|element| match element {
                    Element::Value(node) => Some(node),
                    Element::Comment(_) => None,
                });
                self.collection(['[', ']'], values, depth, |writer, node| {
                    writer.node(node, depth + 1)
                })?;
            }
        }
        Ok(())
    }

    fn branch(&mut self, branch: &Branch, depth: usize) -> Result<(), Error> {
        let entries = branch.iter().filter_map(|item| match item {
            Item::Entry(key, node) => Some((key, node)),
            Item::Comment(_) => None,
        });
        self.collection(['{', '}'], entries, depth, |writer, (key, node)| {
            writer.string(key);
            writer.out.push_str(": ");
            writer.node(node, depth + 1)
        })
    }

    fn collection<T>(
        &mut self,
        [open, close]: [char; 2],
        items: impl Iterator<Item = T>,
        depth: usize,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        let mut is_empty = true;
        for item in items {
            if !is_empty {
                self.out.push(',');
            }
            is_empty = false;
            self.line(depth + 1);
            write(self, item)?;
        }
        if !is_empty {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        let (character, count) = match self.indent {
            Indent::Tab => ('\t', depth),
            Indent::Blanks(width) => (' ', depth * width),
        };
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(character, count));
    }

    fn leaf(&mut self, leaf: &Leaf, span: Span) -> Result<(), Error> {
        match leaf {
            Leaf::String(text) => self.bytes(text.expose()),
            Leaf::Int(integer) => {
                let _ = write!(self.out, "{integer}");
            }
            Leaf::Float(float) if float.is_finite() => {
                let text = numbers::shortest(*float, -6..21, Exponent::Short);
                self.out.push_str(&text);
            }
            Leaf::Float(_) => {
                let reason = "a number that JSON cannot hold";
                return Err(Error::structure(span, reason));
            }
            Leaf::Bool(true) => self.out.push_str("true"),
            Leaf::Bool(false) => self.out.push_str("false"),
            Leaf::Time(time) => self.bytes(time.to_text().expose()),
        }
        Ok(())
    }

    /// A text that need not be UTF-8: Go marks each wrong byte by an escape, which a mark that was there is not.
    fn bytes(&mut self, bytes: &[u8]) {
        self.out.push('"');
        for chunk in bytes.utf8_chunks() {
            self.inside(chunk.valid());
            for _ in chunk.invalid() {
                self.out.push_str("\\ufffd");
            }
        }
        self.out.push('"');
    }

    fn string(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn inside(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(character));
                }
                _ => self.out.push(character),
            }
        }
    }
}
