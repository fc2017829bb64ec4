//! One document as a tree of nodes that remember their spans. Its size and depth with all aliases written out are
//! bounded, so whoever walks it needs no guard of his own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use super::event::{Event, EventKind, EventReader, Layout, Properties, Style, SyntaxError};
use super::parser::MAX_DEPTH;
use super::resolve::{self, Resolved};
use crate::diagnostics::Span;

/// How many nodes aliases may add to a document (design section 7).
pub const MAX_EXPANSION: usize = 1_000_000;

/// A node's number within its tree.
pub type NodeId = usize;

/// One document. Node 0 is the root.
///
/// The children of all collections share two lists, so that a collection costs no allocation of its own.
#[derive(Debug)]
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    items: Vec<NodeId>,
    entries: Vec<(NodeId, NodeId)>,
}

/// A node and where it stands.
#[derive(Debug)]
pub struct Node<'a> {
    /// What it is.
    pub kind: NodeKind<'a>,
    /// The token's bytes (see [`Event::span`]); for a collection from its start to the end of its last token.
    pub span: Span,
    /// Where the token before it ended: between there and `span` are its properties, header and blanks.
    pub after: usize,
    /// Anchor and tag.
    pub properties: Properties,
}

/// The content of a node.
pub enum NodeKind<'a> {
    /// A scalar.
    Scalar(Cow<'a, str>, Style),
    /// A list; see [`Tree::items`].
    Sequence(Children, Layout),
    /// Keys and values; see [`Tree::entries`].
    Mapping(Children, Layout),
    /// The node that an alias stands for.
    Alias(NodeId),
}

/// Where a tree keeps the children of a collection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Children {
    start: usize,
    end: usize,
}

/// Texts by their length: a secret may be read as a tree.
impl fmt::Debug for NodeKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(text, style) => write!(f, "Scalar({} bytes, {style:?})", text.len()),
            Self::Sequence(items, layout) => write!(f, "Sequence({items:?}, {layout:?})"),
            Self::Mapping(entries, layout) => write!(f, "Mapping({entries:?}, {layout:?})"),
            Self::Alias(target) => write!(f, "Alias({target})"),
        }
    }
}

/// The type of a scalar as Kubernetes reads it, its tag taken into account.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalarType {
    /// A string.
    String,
    /// A string, written as base64 (`!!binary`).
    Binary,
    /// Anything else.
    Other(Resolved),
}

impl<'a> Tree<'a> {
    /// Reads the next document; `None` at the end of the text.
    pub fn read(reader: &mut impl EventReader<'a>) -> Result<Option<Self>, SyntaxError> {
        loop {
            match reader.next_event()? {
                None => return Ok(None),
                Some(Event {
                    kind: EventKind::DocumentStart,
                    span,
                    ..
                }) => {
                    return Builder::new(span.end).read(reader).map(Some);
                }
                Some(_) => {}
            }
        }
    }

    /// The node of that number.
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id]
    }

    /// The node, or what it is an alias for.
    pub fn target(&self, id: NodeId) -> NodeId {
        match self.nodes[id].kind {
            NodeKind::Alias(target) => target,
            _ => id,
        }
    }

    /// The document's top node.
    pub const ROOT: NodeId = 0;

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: a tree has a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The items of a list (aliases followed), in source order; empty for anything else.
    pub fn items(&self, id: NodeId) -> &[NodeId] {
        match self.nodes[self.target(id)].kind {
            NodeKind::Sequence(Children { start, end }, _) => &self.items[start..end],
            _ => &[],
        }
    }

    /// The entries of a mapping (aliases followed), in source order; empty for anything else.
    pub fn entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match self.nodes[self.target(id)].kind {
            NodeKind::Mapping(Children { start, end }, _) => &self.entries[start..end],
            _ => &[],
        }
    }

    /// Entries whose key stands again later in the same mapping: the earlier and the next one, by index. Nearly always
    /// empty, so small mappings are compared pair by pair.
    pub fn repeated_keys(&self, entries: &[(NodeId, NodeId)]) -> Vec<(usize, usize)> {
        const SMALL: usize = 16;
        let key = |index: usize| self.text(entries[index].0);
        if entries.len() <= SMALL {
            let mut keys = [None; SMALL];
            for (index, place) in keys[..entries.len()].iter_mut().enumerate() {
                *place = key(index);
            }
            let keys = &keys[..entries.len()];
            let next = |earlier: usize| {
                let mut later = keys[earlier + 1..].iter();
                later.position(|later| *later == keys[earlier])
            };
            return (0..keys.len())
                .filter_map(|earlier| Some((earlier, earlier + 1 + next(earlier)?)))
                .collect();
        }
        let mut seen = HashMap::with_capacity(entries.len());
        (0..entries.len())
            .filter_map(|later| Some((seen.insert(key(later), later)?, later)))
            .collect()
    }

    /// The text of a scalar (aliases followed), whatever its type.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match &self.nodes[self.target(id)].kind {
            NodeKind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that Kubernetes reads as a string (aliases followed).
    pub fn string(&self, id: NodeId) -> Option<&str> {
        match self.scalar_type(id)? {
            ScalarType::String => self.text(id),
            _ => None,
        }
    }

    /// The value of the last entry whose key has that text; else what a merge key (`<<`) brings, of a list of maps the
    /// first that has the key.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let entries = self.entries(id);
        let own = entries
            .iter()
            .rev()
            .find(|(name, _)| self.text(*name) == Some(key));
        own.map(|(_, value)| *value).or_else(|| {
            let merges = entries.iter().filter(|(name, _)| self.is_merge_key(*name));
            merges
                .map(|(_, value)| *value)
                .find_map(|value| self.merged(value, key))
        })
    }

    fn merged(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let maps = self.items(id).iter();
        maps.copied()
            .find_map(|map| self.get(map, key))
            .or_else(|| self.get(id, key))
    }

    /// Whether a key is the merge key: `<<`, plain or tagged.
    pub fn is_merge_key(&self, key: NodeId) -> bool {
        let node = &self.nodes[key];
        match (&node.kind, node.properties.tag()) {
            (_, Some(tag)) => tag == "tag:yaml.org,2002:merge",
            (NodeKind::Scalar(text, Style::Plain), None) => text == "<<",
            _ => false,
        }
    }

    /// The type of a scalar (aliases followed); `None` for collections.
    pub fn scalar_type(&self, id: NodeId) -> Option<ScalarType> {
        let node = &self.nodes[self.target(id)];
        let NodeKind::Scalar(text, style) = &node.kind else {
            return None;
        };
        // As in Go, any tag but these makes text of a scalar.
        let tag = node.properties.tag();
        let known = tag.map(|tag| tag.strip_prefix("tag:yaml.org,2002:").unwrap_or_default());
        Some(match (known, style) {
            (Some("binary"), _) => ScalarType::Binary,
            (Some("int" | "float" | "bool" | "null"), _) | (None, Style::Plain) => {
                match resolve::kubernetes(text) {
                    Resolved::String => ScalarType::String,
                    other => ScalarType::Other(other),
                }
            }
            _ => ScalarType::String,
        })
    }
}

/// A collection that is still open.
struct Open {
    id: NodeId,
    /// Where its children begin in the builder's list of them.
    children: usize,
    /// What is inside, aliases written out.
    extent: Extent,
}

/// The size of a node with all aliases written out.
#[derive(Clone, Copy, Default)]
struct Extent {
    nodes: usize,
    depth: usize,
}

impl Extent {
    const LEAF: Self = Self { nodes: 1, depth: 1 };
}

struct Builder<'a> {
    tree: Tree<'a>,
    open: Vec<Open>,
    /// The complete children of all open collections, those of the innermost last.
    children: Vec<NodeId>,
    /// Anchored nodes that are complete.
    anchors: HashMap<usize, (NodeId, Extent)>,
    /// Where the last token ended.
    end: usize,
}

impl<'a> Builder<'a> {
    fn new(end: usize) -> Self {
        /// Nodes of a small document.
        const SMALL: usize = 64;
        Self {
            tree: Tree {
                nodes: Vec::with_capacity(SMALL),
                items: Vec::new(),
                entries: Vec::with_capacity(SMALL / 2),
            },
            open: Vec::new(),
            children: Vec::with_capacity(SMALL),
            anchors: HashMap::new(),
            end,
        }
    }

    fn read(mut self, reader: &mut impl EventReader<'a>) -> Result<Tree<'a>, SyntaxError> {
        while let Some(event) = reader.next_event()? {
            let Event {
                kind,
                span,
                properties,
            } = event;
            match kind {
                EventKind::DocumentEnd => break,
                EventKind::DocumentStart | EventKind::Comment(_) => {}
                EventKind::Scalar(text, style) => {
                    let id = self.push(NodeKind::Scalar(text, style), span, properties);
                    self.complete(id, Extent::LEAF)?;
                }
                EventKind::Alias(anchor) => self.alias(anchor, span, properties)?,
                EventKind::SequenceStart(layout) => {
                    let kind = NodeKind::Sequence(Children::default(), layout);
                    self.start(kind, span, properties);
                }
                EventKind::MappingStart(layout) => {
                    let kind = NodeKind::Mapping(Children::default(), layout);
                    self.start(kind, span, properties);
                }
                EventKind::SequenceEnd | EventKind::MappingEnd => self.close(span)?,
            }
        }
        Ok(self.tree)
    }

    fn push(&mut self, kind: NodeKind<'a>, span: Span, properties: Properties) -> NodeId {
        let id = self.tree.nodes.len();
        self.tree.nodes.push(Node {
            kind,
            span,
            after: self.end,
            properties,
        });
        self.end = self.end.max(span.end);
        id
    }

    fn start(&mut self, kind: NodeKind<'a>, span: Span, properties: Properties) {
        let id = self.push(kind, span, properties);
        self.open.push(Open {
            id,
            children: self.children.len(),
            extent: Extent::LEAF,
        });
    }

    fn alias(
        &mut self,
        anchor: usize,
        span: Span,
        properties: Properties,
    ) -> Result<(), SyntaxError> {
        let Some(&(target, extent)) = self.anchors.get(&anchor) else {
            return Err(SyntaxError {
                message: "an alias inside its own anchor".to_owned(),
                position: span.start,
            });
        };
        let id = self.push(NodeKind::Alias(target), span, properties);
        self.complete(id, extent)
    }

    fn close(&mut self, span: Span) -> Result<(), SyntaxError> {
        let open = self.open.pop().expect("an end event closes a start event");
        let Tree {
            nodes,
            items,
            entries,
        } = &mut self.tree;
        let node = &mut nodes[open.id];
        let children = &self.children[open.children..];
        let layout = match &mut node.kind {
            NodeKind::Sequence(range, layout) => {
                range.start = items.len();
                items.extend(children);
                range.end = items.len();
                *layout
            }
            NodeKind::Mapping(range, layout) => {
                range.start = entries.len();
                let (pairs, _) = children.as_chunks::<2>();
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                range.end = entries.len();
                *layout
            }
            _ => unreachable!("only collections are open"),
        };
        self.children.truncate(open.children);
        if layout == Layout::Flow {
            // A block collection ends with its last token; the parser's end event stands at the next one.
            self.end = self.end.max(span.end);
        }
        node.span.end = node.span.end.max(self.end);
        self.complete(open.id, open.extent)
    }

    /// Remembers a complete node's anchor and puts the node into its collection.
    fn complete(&mut self, id: NodeId, extent: Extent) -> Result<(), SyntaxError> {
        let node = &self.tree.nodes[id];
        let position = node.span.start;
        if node.properties.anchor != 0 {
            self.anchors.insert(node.properties.anchor, (id, extent));
        }
        let written = self.tree.nodes.len();
        let Some(parent) = self.open.last_mut() else {
            return Ok(());
        };
        parent.extent.nodes = parent.extent.nodes.saturating_add(extent.nodes);
        parent.extent.depth = parent.extent.depth.max(extent.depth + 1);
        self.children.push(id);
        let error = |message: &str| {
            Err(SyntaxError {
                message: message.to_owned(),
                position,
            })
        };
        match parent.extent {
            extent if extent.nodes > written + MAX_EXPANSION => error("too many nodes by aliases"),
            extent if extent.depth > MAX_DEPTH + 1 => error("nested too deeply by aliases"),
            _ => Ok(()),
        }
    }
}
