//! Where the text of a node ends, as an edit behind it must know.

use super::event::Layout;
use super::lines;
use super::scalar::Scalar;
use super::tree::{NodeId, NodeKind, Tree};

impl Tree<'_> {
    /// Where a node's own text ends in `text`, the text of this tree; the line break is not included.
    pub fn end_in(&self, text: &str, id: NodeId) -> usize {
        let node = self.node(id);
        match &node.kind {
            NodeKind::Scalar(_, style) => {
                let scalar = Scalar {
                    text,
                    span: node.span,
                    style: *style,
                    after: node.after,
                };
                match (scalar.block_header(), scalar.block_body()) {
                    (Some(header), Some(body)) if body.end == body.start => header.line_end,
                    (Some(_), Some(body)) => body.end,
                    _ => node.span.end,
                }
            }
            NodeKind::Sequence(_, Layout::Block) => self
                .items(id)
                .last()
                .map_or(node.span.end, |item| self.item_end_in(text, *item)),
            NodeKind::Mapping(_, Layout::Block) => self
                .entries(id)
                .last()
                .map_or(node.span.end, |entry| self.entry_end_in(text, *entry)),
            NodeKind::Alias(_) | NodeKind::Sequence(..) | NodeKind::Mapping(..) => node.span.end,
        }
    }

    /// Where a map's entry ends.
    pub fn entry_end_in(&self, text: &str, (key, value): (NodeId, NodeId)) -> usize {
        if self.node(value).span.is_empty() {
            let behind = self.end_of_empty(text, value, b":");
            behind.unwrap_or_else(|| self.end_in(text, key))
        } else {
            self.end_in(text, value)
        }
    }

    fn item_end_in(&self, text: &str, item: NodeId) -> usize {
        let empty = self.node(item).span.is_empty();
        let dash = empty.then(|| self.end_of_empty(text, item, b":-"));
        dash.flatten().unwrap_or_else(|| self.end_in(text, item))
    }

    /// Where the indicators, the tag and the anchor of an empty scalar end, if there are any: its span may stand at the
    /// next token, lines below.
    pub(super) fn end_of_empty(&self, text: &str, id: NodeId, indicators: &[u8]) -> Option<usize> {
        let node = self.node(id);
        let tagged = usize::from(node.properties.tag.is_some());
        let mut properties = tagged + usize::from(node.properties.anchor != 0);
        let (mut position, mut end) = (node.after, None);
        loop {
            match text.as_bytes().get(position) {
                Some(b' ' | b'\t' | b'\r' | b'\n') => position += 1,
                Some(b'#') => position = lines::end_of(text, position),
                Some(b'&' | b'!') if properties > 0 => {
                    properties -= 1;
                    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '}' | ']');
                    let length = text[position..].find(ends);
                    position = length.map_or(text.len(), |length| position + length);
                    end = Some(position);
                }
                Some(byte) if indicators.contains(byte) => {
                    position += 1;
                    end = Some(position);
                }
                _ => return end,
            }
        }
    }
}
