//! Events into trees: aliases written out, comments put where SOPS puts them.

use std::collections::HashMap;

use super::comments::{Lines, Waiting};
use super::{Format, into_branch, scalar};
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::sops::error::Error;
use crate::sops::tree::{Branch, Comment, Element, Item, Kind, Leaf, Node, copy};
use crate::yaml::{Event, EventKind, Layout, Properties, Style};

/// How many nodes aliases may add to a text.
const ALIAS_BUDGET: usize = 1_000_000;

/// Builds the documents of one text.
pub(super) struct Builder<'a> {
    format: Format,
    lines: Lines<'a>,
    open: Vec<Open>,
    documents: Vec<Branch>,
    /// The root of the document at hand, once it is read.
    root: Option<Node>,
    /// Comments of a document without entries.
    loose: Vec<Waiting>,
    /// Nodes that aliases may ask for.
    anchored: HashMap<usize, Node>,
    alias_budget: usize,
}

/// A collection that is not closed yet.
struct Open {
    span: Span,
    anchor: usize,
    /// The column of its entries; `None` in flow style.
    column: Option<usize>,
    content: Content,
}

enum Content {
    List(Vec<Element>),
    /// The entries, and the key whose value comes next.
    Map(Branch, Option<String>),
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str, format: Format) -> Self {
        Self {
            format,
            lines: Lines::new(text),
            open: Vec::new(),
            documents: Vec::new(),
            root: None,
            loose: Vec::new(),
            anchored: HashMap::new(),
            alias_budget: ALIAS_BUDGET,
        }
    }

    /// Whether nothing more is to be read.
    pub(super) fn is_complete(&self) -> bool {
        self.format != Format::Yaml && !self.documents.is_empty()
    }

    pub(super) fn finish(self) -> Vec<Branch> {
        self.documents
    }

    /// Takes the next event.
    pub(super) fn take(&mut self, event: Event<'a>) -> Result<(), Error> {
        let Event {
            kind,
            span,
            properties,
        } = event;
        match kind {
            EventKind::DocumentStart => Ok(()),
            EventKind::DocumentEnd => self.end_document(),
            EventKind::Scalar(text, style) => self.scalar(&text, style, &properties, span),
            EventKind::SequenceStart(layout) => {
                self.start(Content::List(Vec::new()), layout, &properties, span)
            }
            EventKind::MappingStart(layout) => {
                let content = Content::Map(Branch::new(), None);
                self.start(content, layout, &properties, span)
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => self.end(span),
            EventKind::Alias(anchor) => self.alias(anchor, span),
            EventKind::Comment(text) => {
                self.comment(&text, span);
                Ok(())
            }
        }
    }

    fn end_document(&mut self) -> Result<(), Error> {
        let root = self.root.take();
        let mut branch = root.map_or_else(|| Ok(Branch::new()), into_branch)?;
        let loose = self.loose.drain(..);
        branch.extend(loose.map(|waiting| Item::Comment(waiting.comment)));
        self.documents.push(branch);
        self.anchored.clear();
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &str,
        style: Style,
        properties: &Properties,
        span: Span,
    ) -> Result<(), Error> {
        let tag = properties.tag();
        if self.expects_key() {
            let key = match self.format {
                Format::Yaml => scalar::key(text, style, tag, span)?,
                _ => text.to_owned(),
            };
            if properties.anchor != 0 {
                let leaf = Kind::Leaf(Leaf::String(Text::from(text)));
                self.anchored
                    .insert(properties.anchor, Node::new(leaf, span));
            }
            self.key(key);
            return Ok(());
        }
        let kind = scalar::value(text, style, tag, span, self.format)?;
        self.flush();
        self.value(Node::new(kind, span), properties.anchor)
    }

    fn expects_key(&self) -> bool {
        let innermost = self.open.last().map(|open| &open.content);
        matches!(innermost, Some(Content::Map(_, None)))
    }

    fn key(&mut self, key: String) {
        self.flush();
        if let Some(Open {
            content: Content::Map(_, pending),
            ..
        }) = self.open.last_mut()
        {
            *pending = Some(key);
        }
    }

    fn start(
        &mut self,
        content: Content,
        layout: Layout,
        properties: &Properties,
        span: Span,
    ) -> Result<(), Error> {
        if self.expects_key() {
            return Err(Error::structure(span, "a key that is a list or a mapping"));
        }
        let column = match layout {
            Layout::Block => Some(self.lines.column(span.start)),
            Layout::Flow => None,
        };
        // Comments that stand further left belong to what encloses the collection.
        self.flush_left_of(column.unwrap_or(usize::MAX));
        self.open.push(Open {
            span,
            anchor: properties.anchor,
            column,
            content,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Error> {
        self.flush_at_end();
        let Some(open) = self.open.pop() else {
            return Err(Error::structure(span, "a collection ends that never began"));
        };
        let kind = match open.content {
            Content::List(elements) => Kind::List(elements),
            Content::Map(branch, _) => Kind::Map(branch),
        };
        self.value(Node::new(kind, open.span), open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Error> {
        let unknown = || Error::structure(span, "an alias to something that is not complete");
        let node = self.anchored.get(&anchor).ok_or_else(unknown)?;
        if self.expects_key() {
            let Kind::Leaf(Leaf::String(text)) = &node.kind else {
                return Err(Error::structure(span, "a key that is not a string"));
            };
            let key = text.expose_str().ok_or_else(unknown)?.to_owned();
            self.key(key);
            return Ok(());
        }
        let mut node = copy(node, &mut self.alias_budget)
            .ok_or_else(|| Error::structure(span, "too many nodes by aliases"))?;
        node.span = span;
        self.flush();
        self.value(node, 0)
    }

    /// Puts a complete value where it belongs.
    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Error> {
        if anchor != 0 {
            let kept = copy(&node, &mut self.alias_budget)
                .ok_or_else(|| Error::structure(node.span, "too many nodes behind anchors"))?;
            self.anchored.insert(anchor, kept);
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(elements)) => elements.push(Element::Value(node)),
            Some(Content::Map(branch, pending)) => {
                let key = pending
                    .take()
                    .ok_or_else(|| Error::structure(node.span, "a key that is no scalar"))?;
                branch.push(Item::Entry(key, node));
            }
        }
        Ok(())
    }

    fn comment(&mut self, text: &str, span: Span) {
        let comment = Comment {
            span: Some(span),
            ..Comment::new(Text::from(text))
        };
        if self.lines.is_behind_dashes(span) {
            // It belongs to the item that comes next, and to what is in it if that is a collection.
            let column = usize::MAX - 1;
            self.loose.push(Waiting { comment, column });
            return;
        }
        if self.lines.is_behind_something(span)
            && let Some(open) = self.open.last_mut()
        {
            open.content.insert_on_line(comment);
            return;
        }
        let column = self.lines.column(span.start);
        self.loose.push(Waiting { comment, column });
    }

    /// Puts waiting comments in front of what comes next in the innermost collection.
    fn flush(&mut self) {
        self.flush_left_of(usize::MAX);
    }

    fn flush_left_of(&mut self, column: usize) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let (left, kept) = std::mem::take(&mut self.loose)
            .into_iter()
            .partition::<Vec<_>, _>(|waiting| waiting.column < column);
        self.loose = kept;
        for waiting in left {
            open.content.push_comment(waiting.comment);
        }
    }

    /// Puts waiting comments at the end of the innermost collection, if they are indented like its entries.
    fn flush_at_end(&mut self) {
        let outer = self.open.iter().rev().nth(1).and_then(|open| open.column);
        let Some(open) = self.open.last_mut() else {
            return;
        };
        // A list may stand at the column of the keys around it; then what stands there is the outer mapping's.
        let least = match (open.column, outer) {
            (Some(column), Some(outer)) => column.max(outer + 1),
            _ => 0,
        };
        let (own, kept) = std::mem::take(&mut self.loose)
            .into_iter()
            .partition::<Vec<_>, _>(|waiting| waiting.column >= least);
        self.loose = kept;
        for waiting in own {
            open.content.push_comment(waiting.comment);
        }
    }
}

impl Content {
    fn push_comment(&mut self, comment: Comment) {
        match self {
            Self::List(elements) => elements.push(Element::Comment(comment)),
            Self::Map(branch, _) => branch.push(Item::Comment(comment)),
        }
    }

    /// Puts a comment in front of the entry on whose line it stands: the one whose value comes next, or else the last.
    fn insert_on_line(&mut self, mut comment: Comment) {
        let is_scalar = |node: &Node| matches!(node.kind, Kind::Null | Kind::Leaf(_));
        match self {
            Self::Map(branch, None) if !branch.is_empty() => {
                comment.inline =
                    matches!(branch.last(), Some(Item::Entry(_, node)) if is_scalar(node));
                branch.insert(branch.len() - 1, Item::Comment(comment));
            }
            Self::List(elements) if !elements.is_empty() => {
                comment.inline =
                    matches!(elements.last(), Some(Element::Value(node)) if is_scalar(node));
                elements.insert(elements.len() - 1, Element::Comment(comment));
            }
            _ => self.push_comment(comment),
        }
    }
}
