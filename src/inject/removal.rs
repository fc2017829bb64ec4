//! Removes map entries (`remove-missing`): whole lines in block style, with their comma in flow style, and `{}` where
//! nothing stays.

use std::collections::HashSet;
use std::sync::Arc;

use super::place::Work;
use crate::diagnostics::{Diagnostic, Fault, Place, Source, Span};
use crate::manifest::Document;
use crate::yaml::edit::Edit;
use crate::yaml::tree::{NodeId, NodeKind};
use crate::yaml::{Layout, lines};

/// The edits that remove the entries whose keys begin at these positions of the source.
pub(super) fn edits(
    source: &Arc<Source>,
    work: &Work<'_>,
    keys: &HashSet<usize>,
) -> Result<Vec<Edit>, Box<Diagnostic>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let bug = || {
        Box::new(Diagnostic::error(
            Fault::Bug,
            "a document could not be read a second time",
        ))
    };
    let (document, _) =
        Document::read(source.text(), work.chunk, work.format).map_err(|_| bug())?;
    let document = &document.ok_or_else(bug)?;
    let removal = Removal { source, document };
    removal.refuse_anchors(keys)?;
    Ok((0..document.tree.len())
        .flat_map(|id| removal.of_mapping(id, keys))
        .collect())
}

/// The edit that removes one entry of a mapping, which has others.
pub(super) fn of_entry(
    source: &Arc<Source>,
    document: &Document<'_>,
    mapping: NodeId,
    key: NodeId,
) -> Vec<Edit> {
    let keys = HashSet::from([document.span(key).start]);
    Removal { source, document }.of_mapping(mapping, &keys)
}

/// A key and its value.
type Entry = (NodeId, NodeId);

struct Removal<'r, 's> {
    source: &'r Arc<Source>,
    document: &'r Document<'s>,
}

impl Removal<'_, '_> {
    fn start(&self, id: NodeId) -> usize {
        self.document.span(id).start
    }

    /// An anchor that an alias elsewhere needs cannot go.
    fn refuse_anchors(&self, keys: &HashSet<usize>) -> Result<(), Box<Diagnostic>> {
        let tree = &self.document.tree;
        let goes: HashSet<NodeId> = (0..tree.len())
            .flat_map(|id| self.own_entries(id))
            .filter(|(key, _)| keys.contains(&self.start(*key)))
            .flat_map(|(key, value)| [*key, *value])
            .collect();
        let needed = (0..tree.len()).find(|id| {
            !goes.contains(id) && tree.target(*id) != *id && goes.contains(&tree.target(*id))
        });
        let Some(alias) = needed else { return Ok(()) };
        let message = "an entry with a missing value cannot be removed: this alias refers to it";
        let place = Place::new(Arc::clone(self.source), self.document.span(alias));
        let error = Diagnostic::error(Fault::Input, message).at(place);
        Err(Box::new(
            error.with_hint("write the text out instead of the alias"),
        ))
    }

    /// The entries of a mapping node itself; an alias for it has none.
    fn own_entries(&self, id: NodeId) -> &[Entry] {
        match self.document.tree.node(id).kind {
            NodeKind::Mapping(..) => self.document.tree.entries(id),
            _ => &[],
        }
    }

    fn of_mapping(&self, id: NodeId, keys: &HashSet<usize>) -> Vec<Edit> {
        let entries = self.own_entries(id);
        let goes: Vec<bool> = entries
            .iter()
            .map(|(key, _)| keys.contains(&self.start(*key)))
            .collect();
        let flow = matches!(
            self.document.tree.node(id).kind,
            NodeKind::Mapping(_, Layout::Flow)
        );
        match (
            goes.iter().any(|goes| *goes),
            goes.iter().all(|goes| *goes),
            flow,
        ) {
            (false, ..) => Vec::new(),
            (true, true, true) => {
                let span = self.document.span(id);
                vec![Edit::new(Span::new(span.start + 1, span.end - 1), "")]
            }
            (true, true, false) => vec![self.whole_block(id, entries)],
            (true, false, true) => self.flow_entries(id, entries, &goes),
            (true, false, false) => self.block_entries(id, entries, &goes),
        }
    }

    /// `{}` for a whole block mapping: behind its key where only a line break stands between.
    fn whole_block(&self, mapping: NodeId, entries: &[Entry]) -> Edit {
        let end = entries
            .iter()
            .map(|(_, value)| self.value_end(*value))
            .max()
            .unwrap_or_default();
        let start = self.entry_start(mapping, entries, 0);
        let after = self.document.tree.node(mapping).after + self.document.offset;
        let gap = &self.source.text()[after..start];
        if gap.trim() == ":" && gap.contains(['\n', '\r']) {
            let colon = after + gap.find(':').unwrap_or_default();
            return Edit::new(Span::new(colon + 1, end), " {}");
        }
        Edit::new(Span::new(start, end), "{}")
    }

    /// Whole lines. Only a first entry may share its line, with the `-` before its mapping: it goes up to the next one.
    fn block_entries(&self, mapping: NodeId, entries: &[Entry], goes: &[bool]) -> Vec<Edit> {
        let text = self.source.text();
        let mut edits = Vec::new();
        for (index, (_, value)) in entries.iter().enumerate().filter(|(index, _)| goes[*index]) {
            let start = self.entry_start(mapping, entries, index);
            let line_start = lines::start_of(text, start).max(self.document.offset);
            let own_line = text[line_start..start].trim().is_empty();
            let span = if own_line || index + 1 == entries.len() {
                Span::new(line_start, self.line_end(self.value_end(*value)))
            } else {
                Span::new(start, self.entry_start(mapping, entries, index + 1))
            };
            edits.push(Edit::new(span, ""));
        }
        edits
    }

    /// Where an entry begins: at the `?` before its key, or at the key's anchor or tag, or at the key itself.
    fn entry_start(&self, mapping: NodeId, entries: &[Entry], index: usize) -> usize {
        let tree = &self.document.tree;
        let key = entries[index].0;
        let flow = matches!(tree.node(mapping).kind, NodeKind::Mapping(_, Layout::Flow));
        // A block mapping begins at its first key, where the `?` is passed already.
        let before = if index == 0 && !flow { mapping } else { key };
        let key_start = self.start(key);
        let gap = Span::new(tree.node(before).after + self.document.offset, key_start);
        let text = self.source.text();
        let words = words(text, gap);
        if let Some((start, _)) = words.iter().rev().find(|(_, word)| *word == "?") {
            return *start;
        }
        // On the line before, they are the block mapping's own.
        let of_key = |(start, word): &&(usize, &str)| {
            word.starts_with(['&', '!'])
                && (flow || !text[*start..key_start].contains(['\n', '\r']))
        };
        let first = words.iter().rev().take_while(of_key).last();
        first.map_or(key_start, |(start, _)| *start)
    }

    /// Entries go with the comma behind them; those behind the last that stays go with the comma before them.
    fn flow_entries(&self, mapping: NodeId, entries: &[Entry], goes: &[bool]) -> Vec<Edit> {
        let Some(last) = goes.iter().rposition(|goes| !goes) else {
            return Vec::new();
        };
        let mut edits: Vec<Edit> = (0..last)
            .filter(|index| goes[*index])
            .map(|index| {
                Edit::new(
                    Span::new(
                        self.entry_start(mapping, entries, index),
                        self.entry_start(mapping, entries, index + 1),
                    ),
                    "",
                )
            })
            .collect();
        if last + 1 < entries.len() {
            let end = self.value_end(entries[entries.len() - 1].1);
            edits.push(Edit::new(
                Span::new(self.value_end(entries[last].1), end),
                "",
            ));
        }
        edits
    }

    /// Where a value's text ends, line break not included.
    fn value_end(&self, id: NodeId) -> usize {
        let document = self.document;
        document.tree.end_in(document.text, id) + document.offset
    }

    /// The end of the line that holds a position, its line break included.
    fn line_end(&self, position: usize) -> usize {
        let text = self.source.text();
        let end = lines::end_of(text, position);
        end + lines::break_at(text, end)
    }
}

/// The words between two tokens and where they begin: indicators, anchors and tags; no comments.
fn words(text: &str, gap: Span) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut position = gap.start;
    while position < gap.end {
        let rest = &text[position..gap.end];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', ',']).len();
        position += blanks;
        let rest = &rest[blanks..];
        let stop: &[char] = if rest.starts_with('#') {
            &['\r', '\n']
        } else {
            &[' ', '\t', '\r', '\n']
        };
        let word = &rest[..rest.find(stop).unwrap_or(rest.len())];
        if !(word.is_empty() || word.starts_with('#')) {
            words.push((position, word));
        }
        position += word.len();
    }
    words
}
