//! Lines and columns of many diagnostics, in one pass over each source text.

use std::sync::Arc;

use crate::diagnostics::{Diagnostic, LineColumn, Source};

/// The line and column of each diagnostic that has a place.
///
/// A broken one-line JSON of 100 MB may give thousands of diagnostics, so no byte is looked at twice.
pub(super) fn of(diagnostics: &[Diagnostic]) -> Vec<Option<LineColumn>> {
    let mut found = vec![None; diagnostics.len()];
    let mut wanted: Vec<(&Arc<Source>, usize, usize)> = diagnostics
        .iter()
        .enumerate()
        .filter_map(|(index, diagnostic)| {
            let (source, offset) = diagnostic.place.as_ref()?.origin();
            Some((source, offset, index))
        })
        .collect();
    wanted.sort_by_key(|(source, offset, _)| (Arc::as_ptr(source) as usize, *offset));
    for group in wanted.chunk_by(|a, b| Arc::ptr_eq(a.0, b.0)) {
        let mut cursor = Cursor::new(group[0].0.text());
        for &(_, offset, index) in group {
            found[index] = Some(cursor.advance(offset));
        }
    }
    found
}

/// A position that only moves forward.
struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    fn advance(&mut self, offset: usize) -> LineColumn {
        let offset = self.text.floor_char_boundary(offset).max(self.offset);
        let passed = &self.text[self.offset..offset];
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        match passed.rfind('\n') {
            Some(newline) => self.column = passed[newline + 1..].chars().count() + 1,
            None => self.column += passed.chars().count(),
        }
        self.offset = offset;
        LineColumn {
            line: self.line,
            column: self.column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Fault, Place, Span};

    #[test]
    fn agrees_with_the_source_for_every_offset_in_any_order() {
        let texts = ["a: é\r\n\n  <x>\nlast", "", "\u{feff}k: 😀y"];
        let sources: Vec<_> = texts
            .iter()
            .map(|text| Arc::new(Source::new("s", *text)))
            .collect();
        let mut diagnostics = Vec::new();
        for source in sources.iter().rev() {
            for offset in (0..source.text().len() + 2).rev() {
                diagnostics.push(
                    Diagnostic::error(Fault::Input, "m")
                        .at(Place::new(Arc::clone(source), Span::at(offset))),
                );
            }
        }
        let found = of(&diagnostics);
        for (diagnostic, found) in diagnostics.iter().zip(found) {
            let place = diagnostic.place.as_ref().unwrap();
            let expected = place.source.line_column(place.span.start);
            assert_eq!(found, Some(expected), "at {}", place.span.start);
        }
    }
}
