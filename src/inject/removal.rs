//! Removes map entries (`remove-missing`): whole lines in block style, with their comma in flow style, and `{}` where
//! nothing stays.

use std::collections::HashSet;
use std::sync::Arc;

use super::place::Work;
use crate::diagnostics::{Diagnostic, Fault, Place, Source, Span};
use crate::manifest::Document;
use crate::yaml::Layout;
use crate::yaml::edit::Edit;
use crate::yaml::scalar::Scalar;
use crate::yaml::tree::{NodeId, NodeKind};

/// The edits that remove the entries whose keys begin at these positions of the source.
pub(super) fn edits(
    source: &Arc<Source>,
    work: &Work<'_>,
    keys: &[usize],
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

struct Removal<'r, 's> {
    source: &'r Arc<Source>,
    document: &'r Document<'s>,
}

impl Removal<'_, '_> {
    fn start(&self, id: NodeId) -> usize {
        self.document.span(id).start
    }

    /// An anchor that an alias elsewhere needs cannot go.
    fn refuse_anchors(&self, keys: &[usize]) -> Result<(), Box<Diagnostic>> {
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
    fn own_entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match &self.document.tree.node(id).kind {
            NodeKind::Mapping(entries, _) => entries,
            _ => &[],
        }
    }

    fn of_mapping(&self, id: NodeId, keys: &[usize]) -> Vec<Edit> {
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
            (true, false, true) => self.flow_entries(entries, &goes),
            (true, false, false) => self.block_entries(entries, &goes),
        }
    }

    /// `{}` for a whole block mapping: behind its key where only a line break stands between.
    fn whole_block(&self, mapping: NodeId, entries: &[(NodeId, NodeId)]) -> Edit {
        let first = entries[0].0;
        let end = entries
            .iter()
            .map(|(_, value)| self.value_end(*value))
            .max()
            .unwrap_or_default();
        let after = self.document.tree.node(mapping).after + self.document.offset;
        let gap = &self.source.text()[after..self.start(first)];
        if gap.trim() == ":" && gap.contains('\n') {
            let colon = after + gap.find(':').unwrap_or_default();
            return Edit::new(Span::new(colon + 1, end), " {}");
        }
        // The key's own anchor or tag goes with it.
        let properties = gap.trim_end_matches([' ', '\t']);
        let word = properties.rfind([' ', '\n']).map_or(0, |blank| blank + 1);
        let own = properties[word..].starts_with(['&', '!']);
        let start = if own { after + word } else { self.start(first) };
        Edit::new(Span::new(start, end), "{}")
    }

    fn block_entries(&self, entries: &[(NodeId, NodeId)], goes: &[bool]) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (index, (key, value)) in entries.iter().enumerate().filter(|(index, _)| goes[*index]) {
            let start = self.start(*key);
            let line_start = self.source.text()[..start]
                .rfind('\n')
                .map_or(0, |newline| newline + 1);
            let before = self.source.text()[line_start..start].trim_start();
            let own_line = before.is_empty() || before.starts_with(['&', '!', '?']);
            let next = entries.get(index + 1).map(|(key, _)| self.start(*key));
            let span = match (own_line, next) {
                (false, Some(next)) => Span::new(start, next),
                _ => Span::new(
                    line_start.max(self.document.offset),
                    self.line_end(self.value_end(*value)),
                ),
            };
            edits.push(Edit::new(span, ""));
        }
        edits
    }

    /// Entries go with the comma behind them; those behind the last that stays go with the comma before them.
    fn flow_entries(&self, entries: &[(NodeId, NodeId)], goes: &[bool]) -> Vec<Edit> {
        let Some(last) = goes.iter().rposition(|goes| !goes) else {
            return Vec::new();
        };
        let mut edits: Vec<Edit> = (0..last)
            .filter(|index| goes[*index])
            .map(|index| {
                Edit::new(
                    Span::new(
                        self.start(entries[index].0),
                        self.start(entries[index + 1].0),
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
        let node = self.document.tree.node(id);
        match &node.kind {
            NodeKind::Scalar(_, style) => {
                let span = self.document.span(id);
                let scalar = Scalar {
                    text: self.source.text(),
                    span,
                    style: *style,
                    after: node.after + self.document.offset,
                };
                let body = scalar.block_body();
                body.map_or(span.end, |body| body.end.max(body.start))
            }
            NodeKind::Alias(_) => self.document.span(id).end,
            NodeKind::Sequence(_, Layout::Flow) | NodeKind::Mapping(_, Layout::Flow) => {
                self.document.span(id).end
            }
            NodeKind::Sequence(items, _) => items
                .last()
                .map_or(node.span.end, |item| self.value_end(*item)),
            NodeKind::Mapping(entries, _) => entries
                .last()
                .map_or(node.span.end, |(_, value)| self.value_end(*value)),
        }
    }

    /// The end of the line that holds a position, its line break included.
    fn line_end(&self, position: usize) -> usize {
        self.source.text()[position..]
            .find('\n')
            .map_or(self.source.text().len(), |newline| position + newline + 1)
    }
}
