//! Edits of a text by span.

use crate::diagnostics::Span;

/// A replacement of some bytes of a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go; empty for an insertion.
    pub span: Span,
    /// What comes in their place. May hold secrets.
    pub text: String,
}

impl Edit {
    /// Puts `text` in the place of `span`.
    pub fn new(span: Span, text: impl Into<String>) -> Self {
        Self {
            span,
            text: text.into(),
        }
    }
}

/// Never the text.
impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Edit({}..{})", self.span.start, self.span.end)
    }
}

/// The slices of a span of a text with the edits in it applied, in order: input slices and replacements by turns.
///
/// # Panics
/// When the edits are not sorted, overlap, or lie outside the span.
pub fn slices<'t>(text: &'t str, edits: &'t [Edit], span: Span) -> impl Iterator<Item = &'t str> {
    let starts = std::iter::once(span.start).chain(edits.iter().map(|edit| edit.span.end));
    let ends = edits
        .iter()
        .map(|edit| edit.span.start)
        .chain(std::iter::once(span.end));
    let replacements = edits
        .iter()
        .map(|edit| edit.text.as_str())
        .chain(std::iter::once(""));
    starts
        .zip(ends)
        .zip(replacements)
        .flat_map(|((start, end), replacement)| [&text[start..end], replacement])
        .filter(|slice| !slice.is_empty())
}

/// The text with its edits applied.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    slices(text, edits, Span::new(0, text.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_outside_the_edits_stay() {
        let edits = [
            Edit::new(Span::new(0, 1), "A"),
            Edit::new(Span::at(2), "+"),
            Edit::new(Span::new(3, 4), ""),
        ];
        assert_eq!(apply("abcd", &edits), "Ab+c");
        assert_eq!(apply("abcd", &[]), "abcd");
    }
}
