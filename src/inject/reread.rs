//! Reads an edited document again: it must be the old one with the new values in their places, and nothing else.

use std::collections::{HashMap, HashSet};

use super::place::Work;
use crate::diagnostics::Span;
use crate::manifest::{Document, Format};
use crate::yaml::YamlReader;
use crate::yaml::edit::{self, Edit};
use crate::yaml::json::JsonReader;
use crate::yaml::tree::{NodeId, NodeKind, ScalarType, Tree};
use crate::yaml::value;

/// What must be read at a place.
pub(super) enum Expected {
    /// This string.
    Text(String),
    /// What this flow text reads as.
    Native(String),
}

/// Whether the edited chunk of `work` reads as expected. `expected` is keyed by the old node's start in the source,
/// `removed` holds the starts of removed entries' keys.
pub(super) fn reads_back(
    source: &str,
    work: &Work<'_>,
    edits: &[Edit],
    expected: &HashMap<usize, &Expected>,
    removed: &HashSet<usize>,
) -> bool {
    let local: Vec<Edit> = edits
        .iter()
        .map(|edit| shifted(edit, work.chunk.start))
        .collect();
    let edited = edit::apply(&source[work.chunk.range()], &local);
    let (Ok((Some(old), _)), Some(new)) = (
        Document::read(source, work.chunk, work.format),
        tree(&edited, work.format),
    ) else {
        return false;
    };
    Comparison {
        old: &old.tree,
        new: &new,
        offset: old.offset,
        expected,
        removed,
    }
    .same(Tree::ROOT, Tree::ROOT)
}

/// The tree of an edited document. Whether Kubernetes takes it is not asked: the kind, too, may be a secret's value.
fn tree(text: &str, format: Format) -> Option<Tree<'_>> {
    let tree = match format {
        Format::Yaml => Tree::read(&mut YamlReader::new(text)),
        Format::Json => Tree::read(&mut JsonReader::new(text)),
    };
    tree.ok().flatten()
}

fn shifted(edit: &Edit, offset: usize) -> Edit {
    Edit::new(
        Span::new(edit.span.start - offset, edit.span.end - offset),
        edit.text.clone(),
    )
}

struct Comparison<'c, 'o, 'n> {
    old: &'c Tree<'o>,
    new: &'c Tree<'n>,
    offset: usize,
    expected: &'c HashMap<usize, &'c Expected>,
    removed: &'c HashSet<usize>,
}

impl Comparison<'_, '_, '_> {
    fn same(&self, old: NodeId, new: NodeId) -> bool {
        let (old_node, new_node) = (self.old.node(old), self.new.node(new));
        if !matches!(
            old_node.kind,
            NodeKind::Sequence(..) | NodeKind::Mapping(..)
        ) {
            match self.expected.get(&(old_node.span.start + self.offset)) {
                Some(Expected::Native(text)) => {
                    let wanted = value::from_yaml(text).ok();
                    return wanted.is_some() && wanted == value::from_tree(self.new, new).ok();
                }
                Some(Expected::Text(text)) => {
                    let is_string = matches!(
                        self.new.scalar_type(new),
                        Some(ScalarType::String | ScalarType::Binary)
                    );
                    return is_string && self.new.text(new) == Some(text);
                }
                None => {}
            }
        }
        match (&old_node.kind, &new_node.kind) {
            (NodeKind::Scalar(a, _), NodeKind::Scalar(b, _)) => {
                a == b && self.old.scalar_type(old) == self.new.scalar_type(new)
            }
            (NodeKind::Alias(_), NodeKind::Alias(_)) => true,
            (NodeKind::Sequence(..), NodeKind::Sequence(..)) => {
                let (a, b) = (self.old.items(old), self.new.items(new));
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.same(*a, *b))
            }
            (NodeKind::Mapping(..), NodeKind::Mapping(..)) => {
                let (a, b) = (self.old.entries(old), self.new.entries(new));
                let kept: Vec<_> = a.iter().filter(|(key, _)| !self.is_removed(*key)).collect();
                let same = |(a, b): (&&(NodeId, NodeId), &(NodeId, NodeId))| {
                    self.same(a.0, b.0) && self.same(a.1, b.1)
                };
                kept.len() == b.len() && kept.iter().zip(b).all(same)
            }
            _ => false,
        }
    }

    fn is_removed(&self, key: NodeId) -> bool {
        self.removed
            .contains(&(self.old.node(key).span.start + self.offset))
    }
}
