//! The strings of a document, and which of them are replaced: values of maps, and items of lists that are not
//! themselves items of a list (`avp-compat.md` 7.1). Keys are never replaced.

use std::collections::HashSet;
use std::fmt;

use super::Document;
use super::document::is_flow;
use crate::yaml::tree::{NodeId, NodeKind, ScalarType, Tree};

/// A string in a document.
#[derive(Clone, Copy)]
pub struct StringNode<'d> {
    /// The node that stands there: the scalar, or an alias for it.
    pub node: NodeId,
    /// The scalar itself.
    pub scalar: NodeId,
    /// Its decoded text; of a `!!binary` scalar the base64 text.
    pub text: &'d str,
    /// Whether it is a `!!binary` scalar.
    pub binary: bool,
    /// Whether it stands in brackets.
    pub in_flow: bool,
    /// Whether a later entry of the same map has the same key, so that nobody reads this one.
    pub shadowed: bool,
    /// What it is in its map or list.
    pub position: Position,
}

/// Without the text.
impl fmt::Debug for StringNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringNode")
            .field("node", &self.node)
            .field("scalar", &self.scalar)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// What a string is in its map or list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The value of a map's entry.
    Value {
        /// The map.
        mapping: NodeId,
        /// The entry's key.
        key: NodeId,
    },
    /// An item of a list.
    Item,
    /// Where nothing is replaced: a key, or a list in a list.
    Fixed,
}

/// The strings of a document.
#[derive(Debug, Default)]
pub struct Strings<'d> {
    /// In document order. An alias is listed where it stands, if it stands for a string. Of those where nothing is
    /// replaced only such as hold a `<` or have an anchor.
    pub strings: Vec<StringNode<'d>>,
    /// Aliases of lists and maps that stand where their strings are not replaced although they are at the anchor, or the
    /// other way round.
    pub crossed_aliases: Vec<NodeId>,
}

/// Which strings are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// All.
    All,
    /// Those that may hold something without being decoded (unless a tag says `!!binary`): nearly none in most documents.
    Telling,
}

impl Document<'_> {
    /// The strings of the document.
    pub fn strings(&self, listing: Listing) -> Strings<'_> {
        let tree = &self.tree;
        let mut walk = Walk {
            tree,
            telling: (0..tree.len())
                .filter(|id| listing == Listing::All || may_tell(tree, *id))
                .collect(),
            passed: 0,
            found: Strings::default(),
            fixed: HashSet::new(),
            aliases: Vec::new(),
        };
        walk.node(
            Tree::ROOT,
            Place {
                end: tree.len(),
                in_flow: false,
                shadowed: false,
                position: Position::Item,
            },
        );
        for (alias, target, fixed) in std::mem::take(&mut walk.aliases) {
            if walk.fixed.contains(&target) != fixed {
                walk.found.crossed_aliases.push(alias);
            }
        }
        walk.found
    }
}

/// Whether a node may be, or stand for, a string that holds something, or be what an alias stands for.
fn may_tell(tree: &Tree<'_>, id: NodeId) -> bool {
    let node = tree.node(id);
    let by_itself = match &node.kind {
        NodeKind::Scalar(text, _) => node.properties.tag.is_some() || text.contains('<'),
        NodeKind::Alias(_) => true,
        _ => false,
    };
    by_itself || node.properties.anchor != 0
}

#[derive(Clone, Copy)]
struct Place {
    /// The number behind the last node that lies in this one.
    end: NodeId,
    in_flow: bool,
    shadowed: bool,
    position: Position,
}

struct Walk<'d, 's> {
    tree: &'d Tree<'s>,
    /// The nodes for which the walk is made, in order: what holds none of them is not entered.
    telling: Vec<NodeId>,
    /// How many of them are passed.
    passed: usize,
    found: Strings<'d>,
    /// Collections whose strings are not replaced at their own place.
    fixed: HashSet<NodeId>,
    /// Aliases of collections: alias, target, whether the alias stands at a fixed place.
    aliases: Vec<(NodeId, NodeId, bool)>,
}

impl<'d> Walk<'d, '_> {
    fn node(&mut self, id: NodeId, place: Place) {
        let tree = self.tree;
        let before = |telling: &&NodeId| **telling < id;
        self.passed += self.telling[self.passed..]
            .iter()
            .take_while(before)
            .count();
        if self
            .telling
            .get(self.passed)
            .is_none_or(|next| *next >= place.end)
        {
            return;
        }
        match &tree.node(id).kind {
            NodeKind::Scalar(..) => self.string(id, id, place),
            NodeKind::Alias(target) => match tree.node(*target).kind {
                NodeKind::Scalar(..) => self.string(id, *target, place),
                _ => self
                    .aliases
                    .push((id, *target, self.is_fixed(*target, place.position))),
            },
            NodeKind::Sequence(_, layout) => {
                let in_flow = is_flow(*layout, place.in_flow);
                let fixed = self.is_fixed(id, place.position);
                self.mark(id, fixed);
                // A list in a list is fixed; `Item` on a sequence means just that.
                let position = if fixed {
                    Position::Fixed
                } else {
                    Position::Item
                };
                let items = tree.items(id);
                for (index, item) in items.iter().enumerate() {
                    let end = items.get(index + 1).copied().unwrap_or(place.end);
                    self.node(
                        *item,
                        Place {
                            end,
                            in_flow,
                            position,
                            ..place
                        },
                    );
                }
            }
            NodeKind::Mapping(_, layout) => {
                let in_flow = is_flow(*layout, place.in_flow);
                let fixed = place.position == Position::Fixed;
                self.mark(id, fixed);
                self.entries(id, tree.entries(id), Place { in_flow, ..place }, fixed);
            }
        }
    }

    fn entries(
        &mut self,
        mapping: NodeId,
        entries: &'d [(NodeId, NodeId)],
        place: Place,
        fixed: bool,
    ) {
        let repeated = self.tree.repeated_keys(entries);
        let repeated: HashSet<usize> = repeated.into_iter().map(|(earlier, _)| earlier).collect();
        for (index, &(key, value)) in entries.iter().enumerate() {
            let shadowed = place.shadowed || repeated.contains(&index);
            self.node(
                key,
                Place {
                    end: value,
                    position: Position::Fixed,
                    ..place
                },
            );
            let position = if fixed {
                Position::Fixed
            } else {
                Position::Value { mapping, key }
            };
            let end = entries.get(index + 1).map_or(place.end, |(next, _)| *next);
            self.node(
                value,
                Place {
                    end,
                    shadowed,
                    position,
                    ..place
                },
            );
        }
    }

    /// Whether the strings of a collection at a place stay as they are.
    fn is_fixed(&self, id: NodeId, position: Position) -> bool {
        let list_in_list =
            position == Position::Item && matches!(self.tree.node(id).kind, NodeKind::Sequence(..));
        position == Position::Fixed || (list_in_list && id != Tree::ROOT)
    }

    fn mark(&mut self, id: NodeId, fixed: bool) {
        if fixed {
            self.fixed.insert(id);
        }
    }

    fn string(&mut self, node: NodeId, scalar: NodeId, place: Place) {
        let binary = match self.tree.scalar_type(scalar) {
            Some(ScalarType::String) => false,
            Some(ScalarType::Binary) => true,
            _ => return,
        };
        let text = self.tree.text(scalar).unwrap_or_default();
        let plays_no_part = self.tree.node(scalar).properties.anchor == 0 && !text.contains('<');
        if place.position == Position::Fixed && plays_no_part {
            return;
        }
        let Place {
            in_flow,
            shadowed,
            position,
            ..
        } = place;
        self.found.strings.push(StringNode {
            node,
            scalar,
            text,
            binary,
            in_flow,
            shadowed,
            position,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::Span;
    use crate::manifest::Format;

    #[test]
    fn keys_and_lists_in_lists_stay() {
        let text = "kind: X\na: [p, [q, {r: s}], {t: u}]\n? &k v\n: *k\nw: 5\n";
        let (document, _) = Document::read(text, Span::new(0, text.len()), Format::Yaml).unwrap();
        let document = document.unwrap();
        let strings = document.strings(Listing::All).strings;
        let replaced: Vec<_> = strings
            .iter()
            .filter(|s| s.position != Position::Fixed)
            .map(|s| s.text)
            .collect();
        assert_eq!(replaced, ["X", "p", "u", "v"]);
    }
}
