//! Reads an edited document again: it must be the old one with the new values in their places, and nothing else.

use std::collections::{HashMap, HashSet};

use crate::diagnostics::Span;
use crate::manifest::{Document, Format};
use crate::secret::{Map, Value};
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

/// Whether the edited chunk reads as expected. `expected` is keyed by the old node's start in the source, `removed`
/// holds the starts of removed entries' keys and of removed items.
pub(super) fn reads_back(
    source: &str,
    chunk: Span,
    format: Format,
    edits: &[Edit],
    expected: &HashMap<usize, &Expected>,
    removed: &HashSet<usize>,
) -> bool {
    let local: Vec<Edit> = edits
        .iter()
        .map(|edit| shifted(edit, chunk.start))
        .collect();
    let edited = edit::apply(&source[chunk.range()], &local);
    let (Ok((Some(old), _)), Some(new)) =
        (Document::read(source, chunk, format), tree(&edited, format))
    else {
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

/// New entries of one of the document's fields.
pub(super) struct Grown<'g> {
    pub field: &'g str,
    /// Which entry of the document it is; none yet.
    pub at: Option<usize>,
    pub new: Map,
}

/// Whether `text` reads as the old document with the new entries, and nothing else.
pub(super) fn has_grown(old: &Tree<'_>, text: &str, format: Format, grown: &[Grown<'_>]) -> bool {
    let Some(new) = &tree(text, format) else {
        return false;
    };
    let comparison = Comparison {
        old,
        new,
        offset: 0,
        expected: &HashMap::new(),
        removed: &HashSet::new(),
    };
    let same = |(a, b): (&(NodeId, NodeId), &(NodeId, NodeId))| {
        comparison.same(a.0, b.0) && comparison.same(a.1, b.1)
    };
    let has = |(key, value): &(NodeId, NodeId), wanted: &(String, Value)| {
        let (name, Value::String(text)) = wanted else {
            return false;
        };
        new.string(*key) == Some(name) && new.string(*value) == text.expose_str()
    };
    let has_all = |entries: &[(NodeId, NodeId)], wanted: &Map| {
        entries.len() == wanted.len() && entries.iter().zip(wanted).all(|(a, b)| has(a, b))
    };
    let (before, after) = (old.entries(Tree::ROOT), new.entries(Tree::ROOT));
    let fields: Vec<_> = grown.iter().filter(|grown| grown.at.is_none()).collect();
    after.len() == before.len() + fields.len()
        && before.iter().zip(after).enumerate().all(|(index, (a, b))| {
            let Some(grown) = grown.iter().find(|grown| grown.at == Some(index)) else {
                return same((a, b));
            };
            let (own, all) = (old.entries(a.1), new.entries(b.1));
            comparison.same(a.0, b.0)
                && all.len() >= own.len()
                && own.iter().zip(all).all(same)
                && has_all(&all[own.len()..], &grown.new)
        })
        && after[before.len()..]
            .iter()
            .zip(fields)
            .all(|(entry, grown)| {
                new.string(entry.0) == Some(grown.field)
                    && has_all(new.entries(entry.1), &grown.new)
            })
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
                    return match value::from_yaml(text) {
                        Ok(wanted) => {
                            value::from_tree(self.new, new).is_ok_and(|found| found == wanted)
                        }
                        // Words for what is no number of JSON: Kubernetes will refuse them.
                        Err(_) => self.new.text(new) == Some(text),
                    };
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
                let kept: Vec<_> = a.iter().filter(|item| !self.is_removed(**item)).collect();
                kept.len() == b.len() && kept.iter().zip(b).all(|(a, b)| self.same(**a, *b))
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

    /// A key, or an item that is no collection: one begins where its first key does.
    fn is_removed(&self, id: NodeId) -> bool {
        let node = self.old.node(id);
        let is_collection = matches!(node.kind, NodeKind::Sequence(..) | NodeKind::Mapping(..));
        !is_collection && self.removed.contains(&(node.span.start + self.offset))
    }
}
