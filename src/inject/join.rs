//! Joins the rendered texts into one stream that kubectl and Argo CD read as they read the texts apart: a stream that
//! starts with `{` is JSON to its end, and in YAML each text needs a separator (`avp-compat.md` addendum 5).

use std::borrow::Cow;

use super::Rendered;
use crate::diagnostics::Span;
use crate::manifest::{Format, split};
use crate::yaml::edit::{self, Edit};
use crate::yaml::for_yaml_readers;

const BYTE_ORDER_MARK: &str = "\u{feff}";
const SEPARATOR: &str = "---\n";

impl Rendered<'_> {
    /// The stream in slices of the inputs and of the edits, in order. One text comes out byte for byte outside its
    /// edits; so do several, but for JSON among YAML that YAML readers would refuse.
    pub fn slices(&self) -> Vec<Cow<'_, str>> {
        let texts: Vec<&str> = self.sources.iter().map(|source| source.text()).collect();
        let all_json = texts.iter().all(|text| Format::of(text) == Format::Json);
        let mut joint = Joint {
            slices: Vec::new(),
            line_open: false,
        };
        for (text, edits) in texts.iter().zip(&self.edits) {
            match (Format::of(text), all_json) {
                (Format::Json, true) => joint.text(text, edits, ""),
                (Format::Json, false) => joint.json_documents(text, edits),
                (Format::Yaml, _) if is_blank(text) && texts.len() > 1 => {}
                (Format::Yaml, _) => {
                    let alone = texts.len() == 1 && !text.contains("\n---");
                    if joint.slices.is_empty() && !alone && text.trim_start().starts_with('{') {
                        // Without it, readers would take the whole stream for JSON.
                        joint.put(SEPARATOR);
                    }
                    joint.text(text, edits, SEPARATOR);
                }
            }
        }
        joint.slices
    }

    /// Each text by its name, with its own edits.
    pub fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.sources.iter().zip(&self.edits).map(|(source, edits)| {
            let whole = Span::new(0, source.text().len());
            let text = edit::slices(source.text(), edits, whole).collect();
            (source.name(), text)
        })
    }
}

fn is_blank(text: &str) -> bool {
    text.trim_start_matches(BYTE_ORDER_MARK).trim().is_empty()
}

struct Joint<'r> {
    slices: Vec<Cow<'r, str>>,
    /// Whether the last line has no line end yet.
    line_open: bool,
}

impl<'r> Joint<'r> {
    /// One text; `separator` goes before it unless it begins with one, or is the first. Only the first keeps a byte
    /// order mark.
    fn text(&mut self, text: &'r str, edits: &'r [Edit], separator: &'static str) {
        let mut start = 0;
        if self.slices.iter().any(|slice| *slice != SEPARATOR) {
            start = text.len() - text.trim_start_matches(BYTE_ORDER_MARK).len();
            self.end_line();
            if !text[start..].starts_with("---") {
                self.put(separator);
            }
        }
        for slice in slices_of(text, edits, Span::new(start, text.len())) {
            self.put(slice);
        }
    }

    /// Each value of a JSON text as a YAML document of its own.
    fn json_documents(&mut self, text: &'r str, edits: &'r [Edit]) {
        for value in split(text).0 {
            self.end_line();
            self.put(SEPARATOR);
            let edited: String = slices_of(text, edits, value).collect();
            self.put(for_yaml_readers(&edited).into_owned());
        }
    }

    fn end_line(&mut self) {
        if self.line_open {
            self.put("\n");
        }
    }

    fn put(&mut self, text: impl Into<Cow<'r, str>>) {
        let text = text.into();
        if !text.is_empty() {
            self.line_open = !text.ends_with('\n');
            self.slices.push(text);
        }
    }
}

/// The bytes of a span, with the edits in it.
fn slices_of<'r>(text: &'r str, edits: &'r [Edit], span: Span) -> impl Iterator<Item = &'r str> {
    let first = edits.partition_point(|edit| edit.span.start < span.start);
    let behind = edits.partition_point(|edit| edit.span.start < span.end);
    edit::slices(text, &edits[first..behind], span)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostics::Source;

    fn joined(texts: &[&str]) -> String {
        let sources: Vec<_> = texts
            .iter()
            .map(|text| Arc::new(Source::new("x", *text)))
            .collect();
        let edits = texts.iter().map(|_| Vec::new()).collect();
        Rendered {
            sources: &sources,
            edits,
            warnings: Vec::new(),
        }
        .slices()
        .concat()
    }

    #[test]
    fn one_text_stays_as_it_is() {
        for text in [
            "kind: X\n",
            "kind: X",
            "\u{feff}---\nkind: X\n---\n",
            "{\"kind\": \"X\"} {\"kind\": \"Y\"}",
            "\n{\"kind\": \"X\"}\n",
        ] {
            assert_eq!(joined(&[text]), text);
        }
    }

    #[test]
    fn texts_are_joined_so_that_nothing_is_lost() {
        let (json_x, json_y) = ("{\"kind\":\"X\"}", "{\"kind\":\"Y\"}\n");
        assert_eq!(joined(&["kind: X", "kind: Y\n"]), "kind: X\n---\nkind: Y\n");
        assert_eq!(
            joined(&["kind: X\n", "--- # c\nkind: Y\n"]),
            "kind: X\n--- # c\nkind: Y\n"
        );
        assert_eq!(
            joined(&["kind: X\n", "\u{feff}kind: Y\n"]),
            "kind: X\n---\nkind: Y\n"
        );
        assert_eq!(
            joined(&[json_x, json_y]),
            "{\"kind\":\"X\"}\n{\"kind\":\"Y\"}\n"
        );
        assert_eq!(
            joined(&["kind: X\n", json_y]),
            "kind: X\n---\n{\"kind\":\"Y\"}"
        );
        assert_eq!(
            joined(&["\n{\"kind\":\"X\"}\n---\nkind: Y\n"]),
            "---\n\n{\"kind\":\"X\"}\n---\nkind: Y\n"
        );
        let smile = "{\"kind\":\"X\",\"a\":\"\\ud83d\\ude00\"}";
        assert_eq!(
            joined(&[smile, "kind: Y\n"]),
            "---\n{\"kind\":\"X\",\"a\":\"😀\"}\n---\nkind: Y\n"
        );
        assert_eq!(joined(&[smile]), smile);
        let two = format!("{json_x}{json_y}");
        assert_eq!(
            joined(&[&two, "\n", "kind: Z\n"]),
            "---\n{\"kind\":\"X\"}\n---\n{\"kind\":\"Y\"}\n---\nkind: Z\n"
        );
    }
}
