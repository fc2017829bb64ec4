//! Reading: chunks cover the text, a string's span holds what reads as that string, other readers see the same tree,
//! and a document that passes through unparsed would have stayed as it is.

use manifuse::manifest::{Document, FastPath, Format, split};
use manifuse::placeholder;
use manifuse::secret::Value;
use manifuse::yaml::scalar::{BlockBody, Scalar};
use manifuse::yaml::tree::{NodeKind, Tree as Nodes};
use manifuse::yaml::value::from_tree;
use manifuse::yaml::{EventKind, EventReader, Style, YamlReader};

use super::{input, readers};
use crate::support::expectation::to_tree;
use crate::support::kube_yaml;
use crate::support::render::render;
use crate::support::tree::{Tree, differences};

pub(super) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match Format::of(text) {
        Format::Yaml => lines_cover(text),
        Format::Json => values_cover(text),
    }
    let format = Format::of(text);
    for chunk in split(text).0 {
        if let Ok((Some(document), _)) = Document::read(text, chunk, format) {
            spans_hold_the_texts(&document);
            reads_as_others_do(&document);
        }
    }
    passes_what_would_stay(text);
}

/// The documents of a stream as we read them; `None` when one of them is wrong.
pub(super) fn ours(text: &str) -> Option<Vec<Tree>> {
    let format = Format::of(text);
    let mut documents = Vec::new();
    for chunk in split(text).0 {
        if let Some(document) = Document::read(text, chunk, format).ok()?.0 {
            documents.push(tree(&document)?);
        }
    }
    Some(documents)
}

fn tree(document: &Document<'_>) -> Option<Tree> {
    let value = from_tree(&document.tree, Nodes::ROOT).ok()?;
    Some(to_tree(&value))
}

/// Between chunks lie the separator lines, and nothing else.
fn lines_cover(text: &str) {
    let (chunks, _) = split(text);
    let mut end = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    for (index, chunk) in chunks.iter().enumerate() {
        let between = &text[end..chunk.start];
        let is_line = between.starts_with("---")
            && between.lines().count() == 1
            && (between.ends_with('\n') || chunk.start == text.len());
        assert!(
            if index == 0 {
                between.is_empty()
            } else {
                is_line
            },
            "{between:?}"
        );
        let content = &text[chunk.range()];
        assert!(
            !content.starts_with("---") && !content.contains("\n---"),
            "{content:?}"
        );
        end = chunk.end;
    }
    assert_eq!(end, text.len());
}

/// Between the values of a JSON text lies white space. Where `serde_json` takes the text, the values are the same.
fn values_cover(text: &str) {
    let (chunks, errors) = split(text);
    let mut end = 0;
    for chunk in &chunks {
        assert!(text[end..chunk.start].trim().is_empty(), "{text:?}");
        end = chunk.end;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let mut ends = Vec::new();
    while let Some(value) = values.next() {
        if value.is_err() {
            return;
        }
        ends.push(values.byte_offset());
    }
    assert!(errors.is_empty(), "{errors:?} {text:?}");
    assert_eq!(
        chunks.iter().map(|chunk| chunk.end).collect::<Vec<_>>(),
        ends,
        "{text:?}"
    );
}

/// What stands at a scalar's span reads as its text, and its map leads to the right bytes.
fn spans_hold_the_texts(document: &Document<'_>) {
    for node in (0..document.tree.len()).map(|id| document.tree.node(id)) {
        let NodeKind::Scalar(decoded, style) = &node.kind else {
            continue;
        };
        let scalar = Scalar {
            text: document.text,
            span: node.span,
            style: *style,
            after: node.after,
        };
        assert!(node.after <= node.span.start, "{:?}", node.span);
        let source = scalar.source();
        if source.is_empty() {
            continue;
        }
        let again = match style {
            Style::Json => serde_json::from_str(source).ok(),
            Style::Plain => Some(folded(source)),
            Style::SingleQuoted | Style::DoubleQuoted => first_text(source),
            Style::Literal | Style::Folded => block(&scalar).and_then(|text| first_text(&text)),
        };
        // A block whose indentation is more than a digit says, and half a surrogate pair in JSON, have no other reading.
        if again.is_none_or(|again| again == *decoded) {
            maps(&scalar, decoded);
        } else {
            // The parser passes over a comment within a plain scalar, which is no YAML.
            let theirs = kube_yaml::document(document.text.as_bytes());
            assert!(theirs.is_err(), "{source:?} is not {decoded:?}");
        }
    }
}

/// Lines of plain text: one break is a blank, of more one goes.
fn folded(source: &str) -> String {
    let mut text = String::new();
    let mut breaks = 0;
    for line in source.replace("\r\n", "\n").split(['\n', '\r']) {
        let line = line.trim_matches([' ', '\t']);
        if !line.is_empty() {
            text += &if breaks == 1 {
                " ".to_owned()
            } else {
                "\n".repeat(breaks.max(1) - 1)
            };
            text += line;
            breaks = 0;
        }
        breaks += 1;
    }
    text
}

/// The text of the first scalar.
fn first_text(yaml: &str) -> Option<String> {
    let mut reader = YamlReader::new(yaml);
    while let Some(event) = reader.next_event().ok()? {
        if let EventKind::Scalar(text, _) = event.kind {
            return Some(text.into_owned());
        }
    }
    None
}

/// A block scalar alone, with its indentation as a digit, so that its first lines may be blank.
fn block(scalar: &Scalar<'_>) -> Option<String> {
    let header = scalar.block_header()?;
    let BlockBody {
        start,
        blank_end,
        indent,
        ..
    } = scalar.block_body()?;
    let indicators = &scalar.text[header.indicators.range()];
    let letters = indicators.trim_matches(|c: char| c.is_ascii_digit());
    let letters: String = letters.chars().filter(|c| !c.is_ascii_digit()).collect();
    let body = &scalar.text[start..blank_end];
    // Blank lines alone have no indentation: with a digit their blanks would be text.
    let can_be_said = (1..=9).contains(&indent) && !body.trim().is_empty();
    can_be_said.then(|| format!("{letters}{indent}\n{body}"))
}

/// Each character's source bytes stand behind those of the one before.
fn maps(scalar: &Scalar<'_>, decoded: &str) {
    let Some(map) = scalar.map(decoded) else {
        return;
    };
    let mut end = 0;
    for (start, character) in decoded.char_indices() {
        if let Some(span) = map.span(start..start + character.len_utf8()) {
            assert!(end <= span.start, "{:?} of {:?}", span, scalar.source());
            assert!(scalar.text.get(span.range()).is_some(), "{span:?}");
            end = span.end;
        }
    }
}

/// Where other readers agree about the document, we see the same.
fn reads_as_others_do(document: &Document<'_>) {
    let theirs = match document.format {
        Format::Yaml => readers::agreed(document.text),
        Format::Json => serde_json::from_str::<serde_json::Value>(document.text)
            .ok()
            .map(|json| Tree::from(&json)),
    };
    if let (Some(ours), Some(theirs)) = (tree(document), theirs) {
        let lines = differences(&theirs, &ours);
        assert!(
            lines.is_empty(),
            "{}\n{:?}",
            lines.join("\n"),
            document.text
        );
    }
}

/// With and without the fast path the same comes out; only what it does not parse may be broken.
fn passes_what_would_stay(text: &str) {
    let values = || input::named(vec![Value::string("one"), Value::string("a\nb: c")]);
    let (fast, parsed) = (render(text, values(), false), render(text, values(), true));
    match (fast, parsed) {
        (Ok(fast), Ok(parsed)) => assert_eq!(fast, parsed),
        (Err(_), Err(told)) => input::check_told(&told),
        (Err(told), Ok(_)) => panic!("{told:?}"),
        (Ok(_), Err(told)) => {
            input::check_told(&told);
            let path = FastPath::new(placeholder::needles());
            let passing: Vec<_> = split(text)
                .0
                .into_iter()
                .filter(|chunk| path.may_pass(&text[chunk.range()]))
                .collect();
            for place in told.iter().filter_map(|told| told.place.as_ref()) {
                let at = place.span.start;
                assert!(
                    passing
                        .iter()
                        .any(|chunk| chunk.start <= at && at <= chunk.end),
                    "{told:?}"
                );
            }
        }
    }
}
