//! A file that has changed, in the layout that it had: texts take the place of others where those stand, then lines
//! come and go. What this gives is read again; where it does not say what it should, the whole file is laid out as SOPS
//! does it.

use std::collections::HashMap;

use super::document::{self, Format, Layout};
use super::error::Error;
use super::merge::merge;
use super::tree::{Branch, Comment, Element, Item, Kind, Leaf, Node, same};
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::yaml::edit::{self, Edit};
use crate::yaml::lines;
use crate::yaml::timestamp::Timestamp;

/// The text of a file that is to hold `new`, block and all. `layout` is for what the old text has no example of.
pub(super) fn rewritten(
    text: &str,
    old: &[Branch],
    new: &[Branch],
    format: Format,
    layout: Layout,
) -> Result<Vec<u8>, Error> {
    let layout = layout_of(text, old, format).unwrap_or(layout);
    let mut walk = Walk {
        text,
        edits: Vec::new(),
    };
    for (old, new) in old.iter().zip(new) {
        walk.branch(old, new);
    }
    let changed = walk.changed();
    let target = print(new, format, layout)?;
    let kept = || {
        let base = print(&document::read(&changed, format).ok()?, format, layout).ok()?;
        let kept = merge(&changed, &base, &target)?;
        let read = document::read(&kept, format).ok()?;
        let is_right =
            read.len() == new.len() && read.iter().zip(new).all(|(read, new)| same(read, new));
        is_right.then_some(kept)
    };
    Ok(kept().unwrap_or(target).into_bytes())
}

fn print(documents: &[Branch], format: Format, layout: Layout) -> Result<String, Error> {
    // The encrypted form of any bytes is JSON.
    let format = match format {
        Format::Binary => Format::Json,
        format => format,
    };
    let documents: Vec<&Branch> = documents.iter().collect();
    let text = document::write(&documents, format, layout)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The indentation of a text, as its block shows it.
fn layout_of(text: &str, old: &[Branch], format: Format) -> Option<Layout> {
    let usual = Layout::default();
    match format {
        Format::Yaml => {
            let block = old.first()?.iter().find_map(|item| match item {
                Item::Entry(key, node) if key == document::BLOCK => Some(node.span),
                _ => None,
            })?;
            let yaml_indent = block.start - lines::start_of(text, block.start);
            (2..=9).contains(&yaml_indent).then_some(Layout {
                yaml_indent,
                ..usual
            })
        }
        Format::Json | Format::Binary => {
            let first = text[text.find('{')? + 1..].split('"').next()?;
            let blanks = first.rsplit_once('\n')?.1;
            let json_indent = match blanks {
                "\t" => None,
                blanks => Some(blanks.len()),
            };
            Some(Layout {
                json_indent,
                ..usual
            })
        }
        Format::Dotenv | Format::Ini => None,
    }
}

/// Through two trees side by side.
struct Walk<'t> {
    text: &'t str,
    edits: Vec<Edit>,
}

impl Walk<'_> {
    /// The text with all edits, or as it was where an alias would make them change other values too.
    fn changed(mut self) -> String {
        self.edits.sort_by_key(|edit| edit.span);
        let apart = self
            .edits
            .windows(2)
            .all(|pair| pair[0].span.end <= pair[1].span.start);
        edit::apply(self.text, if apart { &self.edits } else { &[] })
    }

    fn branch(&mut self, old: &Branch, new: &Branch) {
        let mut entries: HashMap<&str, Vec<&Node>> = HashMap::new();
        for item in old.iter().rev() {
            if let Item::Entry(key, node) = item {
                entries.entry(key).or_default().push(node);
            }
        }
        for item in new {
            if let Item::Entry(key, node) = item
                && let Some(old) = entries.get_mut(key.as_str()).and_then(Vec::pop)
            {
                self.node(old, node);
            }
        }
        let [old, new] = [old, new].map(|branch| {
            let comments = branch.iter().filter_map(|item| match item {
                Item::Comment(comment) => Some(comment),
                Item::Entry(..) => None,
            });
            comments.collect::<Vec<_>>()
        });
        self.comments(&old, &new);
    }

    fn node(&mut self, old: &Node, new: &Node) {
        match (&old.kind, &new.kind) {
            (Kind::Map(old), Kind::Map(new)) => self.branch(old, new),
            (Kind::List(old), Kind::List(new)) => self.list(old, new),
            (Kind::Leaf(Leaf::String(text)), Kind::Leaf(Leaf::String(new))) => {
                self.exchange(old.span, text, new);
            }
            _ => {}
        }
    }

    /// Items are found by their places: where some come or go, only lines can tell.
    fn list(&mut self, old: &[Element], new: &[Element]) {
        let same_kind = |(old, new): (&Element, &Element)| {
            std::mem::discriminant(old) == std::mem::discriminant(new)
        };
        if old.len() != new.len() || !old.iter().zip(new).all(same_kind) {
            return;
        }
        for pair in old.iter().zip(new) {
            match pair {
                (Element::Value(old), Element::Value(new)) => self.node(old, new),
                (Element::Comment(old), Element::Comment(new)) => self.comments(&[old], &[new]),
                _ => {}
            }
        }
    }

    /// Comments are found by their order.
    fn comments(&mut self, old: &[&Comment], new: &[&Comment]) {
        if old.len() == new.len() {
            for (old, new) in old.iter().zip(new) {
                if let Some(span) = old.span {
                    self.exchange(span, &old.text, &new.text);
                }
            }
        }
    }

    /// Puts an encrypted text or a time in the place of one, whatever quotes are around it.
    fn exchange(&mut self, span: Span, old: &Text, new: &Text) {
        let [Some(old), Some(new)] = [old, new].map(Text::expose_str) else {
            return;
        };
        let source = self.text.get(span.range()).unwrap_or_default();
        if old != new
            && (is_sealed(old) && is_sealed(new) || is_time(old) && is_time(new))
            && let Some(offset) = source.find(old)
        {
            let start = span.start + offset;
            let span = Span::new(start, start + old.len());
            self.edits.push(Edit::new(span, new));
        }
    }
}

/// Whether a text is an encrypted one that reads the same in quotes and without.
fn is_sealed(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    text.starts_with("ENC[") && text.bytes().all(is_plain)
}

fn is_time(text: &str) -> bool {
    Timestamp::from_rfc3339(text).is_some()
}
