//! One document as a tree of nodes that remember their spans.

use std::borrow::Cow;
use std::collections::HashMap;

use super::event::{Event, EventKind, EventReader, Layout, Properties, Style, SyntaxError};
use super::resolve::{self, Resolved};
use crate::diagnostics::Span;

/// A node's number within its tree.
pub type NodeId = usize;

/// One document. Node 0 is the root.
#[derive(Debug)]
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
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
    pub properties: Properties<'a>,
}

/// The content of a node.
#[derive(Debug)]
pub enum NodeKind<'a> {
    /// A scalar.
    Scalar(Cow<'a, str>, Style),
    /// A list.
    Sequence(Vec<NodeId>, Layout),
    /// Keys and values in source order.
    Mapping(Vec<(NodeId, NodeId)>, Layout),
    /// The node that an alias stands for.
    Alias(NodeId),
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

    /// The entries of a mapping (aliases followed), in source order; empty for anything else.
    pub fn entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match &self.nodes[self.target(id)].kind {
            NodeKind::Mapping(entries, _) => entries,
            _ => &[],
        }
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

    /// The value of the last entry whose key has that text.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.entries(id)
            .iter()
            .rev()
            .find(|(name, _)| self.text(*name) == Some(key))
            .map(|(_, value)| *value)
    }

    /// The type of a scalar (aliases followed); `None` for collections.
    pub fn scalar_type(&self, id: NodeId) -> Option<ScalarType> {
        let node = &self.nodes[self.target(id)];
        let NodeKind::Scalar(text, style) = &node.kind else {
            return None;
        };
        let tag = node
            .properties
            .tag
            .as_deref()
            .and_then(|tag| tag.strip_prefix("tag:yaml.org,2002:"));
        Some(match (tag, style) {
            (Some("str"), _) => ScalarType::String,
            (Some("binary"), _) => ScalarType::Binary,
            (Some("int" | "float" | "bool" | "null"), _) | (_, Style::Plain) => {
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
enum Open {
    Sequence(NodeId, Vec<NodeId>, Layout),
    Mapping(NodeId, Vec<(NodeId, NodeId)>, Layout, Option<NodeId>),
}

struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    /// Where the last token ended.
    end: usize,
}

impl<'a> Builder<'a> {
    fn new(end: usize) -> Self {
        Self {
            nodes: Vec::new(),
            open: Vec::new(),
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
                    self.leaf(NodeKind::Scalar(text, style), span, properties);
                }
                EventKind::Alias(anchor) => {
                    let target = self
                        .anchors
                        .get(&anchor)
                        .copied()
                        .ok_or_else(|| SyntaxError {
                            message: "an alias inside its own anchor".to_owned(),
                            position: span.start,
                        })?;
                    self.leaf(NodeKind::Alias(target), span, properties);
                }
                EventKind::SequenceStart(layout) => {
                    let id = self.start(NodeKind::Sequence(Vec::new(), layout), span, properties);
                    self.open.push(Open::Sequence(id, Vec::new(), layout));
                }
                EventKind::MappingStart(layout) => {
                    let id = self.start(NodeKind::Mapping(Vec::new(), layout), span, properties);
                    self.open.push(Open::Mapping(id, Vec::new(), layout, None));
                }
                EventKind::SequenceEnd | EventKind::MappingEnd => self.close(span),
            }
        }
        Ok(Tree { nodes: self.nodes })
    }

    fn push(&mut self, kind: NodeKind<'a>, span: Span, properties: Properties<'a>) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node {
            kind,
            span,
            after: self.end,
            properties,
        });
        self.end = self.end.max(span.end);
        id
    }

    fn leaf(&mut self, kind: NodeKind<'a>, span: Span, properties: Properties<'a>) {
        let anchor = properties.anchor;
        let id = self.push(kind, span, properties);
        self.anchor(anchor, id);
        self.attach(id);
    }

    fn start(&mut self, kind: NodeKind<'a>, span: Span, properties: Properties<'a>) -> NodeId {
        self.push(kind, span, properties)
    }

    fn anchor(&mut self, anchor: usize, id: NodeId) {
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }

    fn close(&mut self, span: Span) {
        let (id, kind, end) = match self.open.pop().expect("an end event closes a start event") {
            Open::Sequence(id, items, layout) => (
                id,
                NodeKind::Sequence(items, layout),
                self.end_of(layout, span),
            ),
            Open::Mapping(id, entries, layout, _) => (
                id,
                NodeKind::Mapping(entries, layout),
                self.end_of(layout, span),
            ),
        };
        self.end = end;
        self.nodes[id].kind = kind;
        self.nodes[id].span.end = self.nodes[id].span.end.max(end);
        self.anchor(self.nodes[id].properties.anchor, id);
        self.attach(id);
    }

    /// A block collection ends with its last token; the parser's own end event stands at the next one.
    fn end_of(&self, layout: Layout, span: Span) -> usize {
        match layout {
            Layout::Flow => self.end.max(span.end),
            Layout::Block => self.end,
        }
    }

    fn attach(&mut self, id: NodeId) {
        match self.open.last_mut() {
            None => {}
            Some(Open::Sequence(_, items, _)) => items.push(id),
            Some(Open::Mapping(_, entries, _, key)) => match key.take() {
                None => *key = Some(id),
                Some(key) => entries.push((key, id)),
            },
        }
    }
}
