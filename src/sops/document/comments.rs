//! Which item a comment belongs to. SOPS's YAML reader puts a comment above an entry, and one on its line, in front of
//! the entry, and one that ends a mapping into that mapping; selectors by comment depend on it. The text's lines and
//! columns decide.

use crate::diagnostics::Span;
use crate::sops::tree::Comment;

/// A comment that waits for what comes next.
pub(super) struct Waiting {
    pub(super) comment: Comment,
    pub(super) column: usize,
}

/// Lines and columns of a text, in bytes.
pub(super) struct Lines<'a> {
    text: &'a str,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text }
    }

    fn start_of_line(&self, position: usize) -> usize {
        let before = &self.text.as_bytes()[..position];
        before
            .iter()
            .rposition(|byte| matches!(byte, b'\n' | b'\r'))
            .map_or(0, |line_end| line_end + 1)
    }

    pub(super) fn column(&self, position: usize) -> usize {
        position - self.start_of_line(position)
    }

    /// Whether nothing but the dashes of list items stands on the line before a comment.
    pub(super) fn is_behind_dashes(&self, comment: Span) -> bool {
        let line = &self.text.as_bytes()[self.start_of_line(comment.start)..comment.start];
        line.contains(&b'-') && line.iter().all(|byte| matches!(byte, b' ' | b'-'))
    }

    /// Whether anything but white space stands on the line before a comment.
    pub(super) fn is_behind_something(&self, comment: Span) -> bool {
        let line = &self.text.as_bytes()[self.start_of_line(comment.start)..comment.start];
        line.iter().any(|byte| !matches!(byte, b' ' | b'\t'))
    }
}
