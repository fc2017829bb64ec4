//! A settings file as a tree of keys and texts with their places, whatever its format is.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Fault, Place, Source, Span};
use crate::secret::Text;

/// AVP's words for a file that cannot be parsed.
pub(super) const LEAD: &str = "While parsing config";

/// A key, its value, and where they stand.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key as written.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) span: Span,
    /// The value.
    pub(super) value: Node,
    /// Where the value stands.
    pub(super) value_span: Span,
    /// What happens to the value and is hardly meant, in words that follow the key.
    pub(super) odd: Option<&'static str>,
}

impl Entry {
    /// The key as messages show it: of `KEY=value`, where YAML wants a colon, not the value.
    pub(super) fn shown(&self) -> &str {
        let end = self.key.find(['=', ':', '\n']);
        end.map_or(&self.key, |end| &self.key[..=end])
    }
}

/// A value. Settings are texts in the end, so that numbers are texts here.
#[derive(Debug)]
pub(super) enum Node {
    /// Nothing: as if the key were not there.
    Null,
    /// A string, number or bool.
    Scalar(Text),
    /// A list; its items are called by their numbers. No setting of a backend is one.
    List(Vec<Entry>),
    /// A map.
    Map(Vec<Entry>),
}

impl Entry {
    /// A key whose value has no place of its own.
    pub(super) fn at(key: &str, span: Span, value: Node) -> Self {
        Self {
            key: key.to_owned(),
            span,
            value,
            value_span: span,
            odd: None,
        }
    }

    /// Puts a key below others: `a.b.c` as maps in maps.
    pub(super) fn below<'p>(self, parents: impl DoubleEndedIterator<Item = &'p str>) -> Self {
        parents.rev().fold(self, |entry, parent| {
            Self::at(parent, entry.span, Node::Map(vec![entry]))
        })
    }
}

/// Makes one of all maps of one key, at every depth. Of two other values the last counts, which is for the reader to see to.
pub(super) fn merge(entries: Vec<Entry>) -> Vec<Entry> {
    let mut merged: Vec<Entry> = Vec::new();
    let mut maps = HashMap::new();
    for entry in entries {
        let Node::Map(more) = entry.value else {
            merged.push(entry);
            continue;
        };
        let at = *maps.entry(entry.key.clone()).or_insert(merged.len());
        match merged.get_mut(at).map(|known| &mut known.value) {
            Some(Node::Map(known)) => known.extend(more),
            _ => merged.push(Entry {
                value: Node::Map(more),
                ..entry
            }),
        }
    }
    for entry in &mut merged {
        if let Node::Map(entries) = &mut entry.value {
            *entries = merge(std::mem::take(entries));
        }
    }
    merged
}

/// An error at a place of a settings file. Nothing of the file is quoted: it may hold credentials.
pub(super) fn error_at(source: &Arc<Source>, span: Span, message: impl Into<String>) -> Diagnostic {
    let place = Place::new(Arc::clone(source), span);
    Diagnostic::error(Fault::Settings, message).at(place)
}

/// The error of a value that no setting can have: none is sent, named or compared with a NUL in it.
pub(super) fn nul_error(source: &Arc<Source>, entry: &Entry, name: &str) -> Option<Diagnostic> {
    let Node::Scalar(text) = &entry.value else {
        return None;
    };
    let holds_one = text.expose_str()?.contains('\0');
    let message = format!("{name} holds a NUL, which no setting can");
    holds_one.then(|| error_at(source, entry.span, message))
}

/// A file that is not what its format says, in our own words: those of parsers often quote.
pub(super) fn failed(source: &Arc<Source>, offset: usize, cause: &str) -> Box<Diagnostic> {
    Box::new(error_at(source, Span::at(offset), LEAD).with_cause(cause))
}

/// The tree on one line.
#[cfg(test)]
pub(super) fn show(entries: &[Entry]) -> String {
    let show = |entry: &Entry| {
        let value = match &entry.value {
            Node::Null => "~".to_owned(),
            Node::Scalar(text) => format!("{:?}", text.expose_str().unwrap()),
            Node::List(items) => format!("[{}]", show(items)),
            Node::Map(entries) => format!("{{{}}}", show(entries)),
        };
        format!("{}={value}", entry.key)
    };
    entries.iter().map(show).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(key: &str, value: Node) -> Entry {
        Entry::at(key, Span::at(0), value)
    }

    #[test]
    fn maps_of_one_key_become_one_at_every_depth() {
        let path = |path: &[&str], value: &str| {
            let (last, parents) = path.split_last().unwrap();
            map(last, Node::Scalar(Text::from(value))).below(parents.iter().copied())
        };
        let entries = vec![
            path(&["a", "b", "c"], "1"),
            path(&["x"], "2"),
            path(&["a", "b", "d"], "3"),
            path(&["a", "e"], "4"),
            path(&["x"], "5"),
        ];
        let expected = r#"a={b={c="1" d="3"} e="4"} x="2" x="5""#;
        assert_eq!(show(&merge(entries)), expected);
    }

    /// Looking for each among all before it would take minutes.
    #[test]
    fn a_hundred_thousand_maps_are_merged_at_once() {
        let entry = |i: usize| map(&format!("k{i}"), Node::Map(vec![map("a", Node::Null)]));
        let merged = merge((0..200_000).map(|i| entry(i % 100_000)).collect());
        assert_eq!(merged.len(), 100_000);
        assert_eq!(show(&merged[99_999..]), "k99999={a=~ a=~}");
    }
}
