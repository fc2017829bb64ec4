//! Where the text of a node ends, as an edit behind it must know.

use super::event::Layout;
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
                .map_or(node.span.end, |item| self.end_in(text, *item)),
            NodeKind::Mapping(_, Layout::Block) => self
                .entries(id)
                .last()
                .map_or(node.span.end, |(_, value)| self.end_in(text, *value)),
            NodeKind::Alias(_) | NodeKind::Sequence(..) | NodeKind::Mapping(..) => node.span.end,
        }
    }
}
