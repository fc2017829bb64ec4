//! Input texts with names, and positions in them.

use std::ops::Range;
use std::sync::Arc;

/// A half-open range of bytes in a source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end, "a span runs forward");
        Self { start, end }
    }

    /// An empty span at a position.
    pub fn at(position: usize) -> Self {
        Self::new(position, position)
    }

    /// How many bytes it covers.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it covers nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// As a range, for slicing.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The same span in a text that begins `offset` bytes earlier.
    #[must_use]
    pub fn shifted(self, offset: usize) -> Self {
        Self::new(self.start + offset, self.end + offset)
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

/// A position as people count it: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A named input text, read once and never changed.
pub struct Source {
    name: String,
    text: String,
    /// What it was made of, if it was not read as it is.
    origin: Option<Origin>,
}

/// The text that another one was made of, and where the two differ.
struct Origin {
    source: Arc<Source>,
    /// In order: what was written into the new text, and what it took the place of.
    written: Vec<(Span, Span)>,
}

impl Source {
    /// A text by the name that messages give it: a path as typed, or `<stdin>`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            origin: None,
        }
    }

    /// A text with spans of it replaced, in order. Messages about it name places in the old text and quote nothing of
    /// what was replaced.
    ///
    /// # Panics
    /// When the spans are not sorted, overlap, or lie outside the text.
    pub fn derived<'t>(
        origin: &Arc<Self>,
        replacements: impl IntoIterator<Item = (Span, &'t str)>,
    ) -> Self {
        let mut text = String::with_capacity(origin.text.len());
        let (mut position, mut written) = (0, Vec::new());
        for (span, replacement) in replacements {
            text.push_str(&origin.text[position..span.start]);
            let start = text.len();
            text.push_str(replacement);
            written.push((Span::new(start, text.len()), span));
            position = span.end;
        }
        text.push_str(&origin.text[position..]);
        Self {
            name: origin.name.clone(),
            text,
            origin: Some(Origin {
                source: Arc::clone(origin),
                written,
            }),
        }
    }

    /// The text that was read, and where in it a position of this one comes from.
    pub fn origin(self: &Arc<Self>, position: usize) -> (&Arc<Self>, usize) {
        let Some(origin) = &self.origin else {
            return (self, position);
        };
        let before = origin
            .written
            .partition_point(|(new, _)| new.start <= position);
        let position = match before.checked_sub(1).map(|last| origin.written[last]) {
            None => position,
            Some((new, old)) if position < new.end => old.start,
            Some((new, old)) => old.end + (position - new.end),
        };
        origin.source.origin(position)
    }

    /// Whether something in a span was not in the text that was read: it must not be quoted.
    pub fn is_derived_in(&self, span: Span) -> bool {
        self.origin.as_ref().is_some_and(|origin| {
            let first = origin
                .written
                .partition_point(|(new, _)| new.end <= span.start);
            let behind = origin.written[first..].iter();
            let mut inside = behind.take_while(|(new, _)| new.start < span.end);
            inside.any(|(new, _)| !new.is_empty())
        })
    }

    /// The name that messages give it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of a span.
    ///
    /// # Panics
    /// When the span is not within this text, or cuts a character.
    pub fn slice(&self, span: Span) -> &str {
        &self.text[span.range()]
    }

    /// Where a byte offset is. Offsets past the end give the end.
    pub fn line_column(&self, offset: usize) -> LineColumn {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        LineColumn {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Never the text: inputs hold what people would not want in a log.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_lead_back_to_what_was_read() {
        let read = Arc::new(Source::new("x", "abc ENC def\nSOPS\nz\n"));
        let replacements = [(Span::new(4, 7), "secret"), (Span::new(12, 17), "")];
        let made = Arc::new(Source::derived(&read, replacements));
        assert_eq!(made.text(), "abc secret def\nz\n");
        for (position, expected) in [
            (0, 0),
            (3, 3),
            (4, 4),
            (9, 4),
            (10, 7),
            (14, 11),
            (15, 17),
            (17, 19),
        ] {
            let (source, found) = made.origin(position);
            assert!(Arc::ptr_eq(source, &read));
            assert_eq!(found, expected, "{position}");
        }
        let quotable = |start, end| !made.is_derived_in(Span::new(start, end));
        assert!(quotable(0, 4) && quotable(10, 17));
        assert!(!quotable(0, 5) && !quotable(9, 10) && !quotable(6, 7));
        let again = Arc::new(Source::derived(&made, [(Span::new(4, 10), "y")]));
        assert_eq!(again.origin(6).1, 8);
    }
}
