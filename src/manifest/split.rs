//! Cuts a source text into chunks as AVP cuts it: JSON values by their brackets, YAML at lines that begin with `---`,
//! wherever they stand.

use super::Error;
use crate::diagnostics::Span;

/// How a source text is read: decided by its first byte (`avp-compat.md` 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML documents between separator lines.
    Yaml,
    /// Concatenated JSON values, without separators.
    Json,
}

impl Format {
    /// The format of a source text.
    pub fn of(text: &str) -> Self {
        if text.starts_with('{') {
            Self::Json
        } else {
            Self::Yaml
        }
    }
}

/// What lies between two separators, or the whole of a JSON text.
pub type Chunk = Span;

/// The chunks of a source text, in order, and what is wrong with its separators. A byte order mark at the start belongs
/// to no chunk. Chunks may be empty.
pub fn split(text: &str) -> (Vec<Chunk>, Vec<Error>) {
    if Format::of(text) == Format::Json {
        return (vec![Span::new(0, text.len())], Vec::new());
    }
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut chunks = Vec::new();
    let mut errors = Vec::new();
    let mut chunk_start = start;
    for separator in separators(text, start) {
        let line_end = text[separator..]
            .find('\n')
            .map_or(text.len(), |offset| separator + offset);
        if let Err(error) = check_separator(&text[separator..line_end], separator) {
            errors.push(error);
        }
        chunks.push(Span::new(chunk_start, separator));
        chunk_start = (line_end + 1).min(text.len());
    }
    chunks.push(Span::new(chunk_start, text.len()));
    (chunks, errors)
}

/// Where the lines that begin with `---` begin.
fn separators(text: &str, start: usize) -> impl Iterator<Item = usize> {
    let first = text[start..].starts_with("---").then_some(start);
    first
        .into_iter()
        .chain(text.match_indices("\n---").map(|(newline, _)| newline + 1))
}

fn check_separator(line: &str, start: usize) -> Result<(), Error> {
    let rest = line["---".len()..].trim();
    if rest.is_empty() || rest.starts_with('#') {
        return Ok(());
    }
    let span = Span::new(start, start + line.trim_end().len());
    Err(Error::new("something stands behind the --- of a separator line", span)
        .with_avp("invalid Yaml document separator")
        .with_hint("nothing but a comment may stand behind --- on its line; begin the document on the next line"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str) -> Vec<&str> {
        split(text)
            .0
            .into_iter()
            .map(|span| &text[span.range()])
            .collect()
    }

    #[test]
    fn lines_that_begin_with_dashes_separate() {
        assert_eq!(chunks("a: 1\n--- # note\nb: 2\n"), ["a: 1\n", "b: 2\n"]);
        assert_eq!(chunks("---\r\na: 1\r\n---"), ["", "a: 1\r\n", ""]);
        assert_eq!(chunks("a: 1\n ---\n"), ["a: 1\n ---\n"]);
        assert_eq!(chunks("\u{feff}---\na: 1"), ["", "a: 1"]);
        assert_eq!(chunks("{\"a\": 1}\n---\n"), ["{\"a\": 1}\n---\n"]);
    }

    #[test]
    fn a_separator_holds_nothing_else() {
        for text in ["a: 1\n--- {b: 2}", "---foo\n", "----\n"] {
            let (_, errors) = split(text);
            assert_eq!(errors.len(), 1, "{text}");
        }
    }
}
