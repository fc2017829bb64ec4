//! Cuts a source text into chunks of one document each, as AVP cuts it: JSON at the ends of its values, YAML at lines
//! that begin with `---`, wherever they stand.

use memchr::memmem;

use super::Error;
use crate::diagnostics::Span;
use crate::yaml::json::JsonReader;
use crate::yaml::{EventKind, EventReader};

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

/// What lies between two separators, or one value of a JSON text without the blanks around it.
pub type Chunk = Span;

/// The chunks of a source text, in order, and what is wrong with its separators or with the grammar of its JSON. A byte
/// order mark at the start belongs to no chunk. Chunks of YAML may be empty.
pub fn split(text: &str) -> (Vec<Chunk>, Vec<Error>) {
    match Format::of(text) {
        Format::Json => split_json(text),
        Format::Yaml => split_yaml(text),
    }
}

/// The values of a JSON text up to the first error: behind it nobody knows where a value begins.
///
/// The text is read here once more than its documents need, but without a tree; brackets alone would not tell where a
/// broken value ends.
fn split_json(text: &str) -> (Vec<Chunk>, Vec<Error>) {
    let mut reader = JsonReader::new(text);
    let mut chunks = Vec::new();
    let mut start = 0;
    loop {
        match reader.next_event() {
            Ok(None) => return (chunks, Vec::new()),
            Err(error) => return (chunks, vec![Error::syntax(&error, text, Format::Json, 0)]),
            Ok(Some(event)) => match event.kind {
                EventKind::DocumentStart => start = event.span.start,
                EventKind::DocumentEnd => chunks.push(Span::new(start, event.span.end)),
                _ => {}
            },
        }
    }
}

fn split_yaml(text: &str) -> (Vec<Chunk>, Vec<Error>) {
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
        .chain(memmem::find_iter(text.as_bytes(), "\n---").map(|newline| newline + 1))
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
    }

    #[test]
    fn each_json_value_is_a_chunk() {
        assert_eq!(
            chunks("{\"a\": \"}{\"} {\"b\":[{}]}[1] 2\n\"c\"\n"),
            ["{\"a\": \"}{\"}", "{\"b\":[{}]}", "[1]", "2", "\"c\""]
        );
        assert_eq!(chunks("{}"), ["{}"]);
    }

    #[test]
    fn an_error_in_json_ends_the_chunks_and_keeps_its_place() {
        for (text, values, position, message) in [
            ("{\"a\": 1}\n---\n", 1, 10, "invalid character in a number"),
            (
                "{} {\"a\":} {}",
                1,
                8,
                "invalid character looking for the beginning of a value",
            ),
            ("{}{}\n{\"a\": \"", 2, 12, "unexpected end of JSON input"),
            (
                "{a: 1}",
                0,
                1,
                "invalid character looking for the beginning of an object key",
            ),
        ] {
            let (chunks, errors) = split(text);
            assert_eq!(chunks.len(), values, "{text}");
            let [error] = &errors[..] else {
                panic!("{text}: {errors:?}");
            };
            assert_eq!(error.span, Span::at(position), "{text}");
            assert_eq!(
                error.message,
                format!("this is not JSON: {message}"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_separator_holds_nothing_else() {
        for text in ["a: 1\n--- {b: 2}", "---foo\n", "----\n"] {
            let (_, errors) = split(text);
            assert_eq!(errors.len(), 1, "{text}");
        }
    }
}
