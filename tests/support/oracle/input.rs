//! How an input brings values along: a text first, then pieces behind lines that say what they are. Readable, so that
//! a kept input can be understood and a new one written by hand.

use manifuse::diagnostics::{Diagnostic, Fault, Rendering, render};
use manifuse::secret::{Map, Value};
use manifuse::yaml::value::from_json;

/// What stands for a secret in an input.
const MARK: &str = "S!";
/// What is put there: found in a message, it leaked.
const CANARY: &str = "canary-5dU0xq";

const STRING: &[u8] = b"\n=== string\n";
const JSON: &[u8] = b"\n=== json\n";

/// The text of an input, and its values. `None` when a value is no JSON.
pub(super) fn pieces(input: &[u8]) -> Option<(&[u8], Vec<Value>)> {
    let (text, mut rest) = cut(input);
    let mut values = Vec::new();
    while let Some((json, content)) = rest {
        let (piece, behind) = cut(content);
        values.push(if json {
            let text = std::str::from_utf8(piece).ok()?;
            // Numbers that no 64-bit float holds have no value that another reader could agree with.
            serde_json::from_str::<serde_json::Value>(text).ok()?;
            from_json(text).ok()?
        } else {
            Value::string(piece.to_vec())
        });
        rest = behind;
    }
    Some((text, values))
}

/// What stands before the first separator; whether JSON follows, and what follows.
type Cut<'i> = (&'i [u8], Option<(bool, &'i [u8])>);

fn cut(input: &[u8]) -> Cut<'_> {
    let at = |separator: &[u8]| input.windows(separator.len()).position(|w| w == separator);
    let (json, start, separator) = match (at(STRING), at(JSON)) {
        (Some(string), json) if json.is_none_or(|json| string < json) => (false, string, STRING),
        (_, Some(json)) => (true, json, JSON),
        _ => return (input, None),
    };
    let content = &input[start + separator.len()..];
    (&input[..start], Some((json, content)))
}

/// The values by the names `k0`, `k1`, ….
pub(super) fn named(values: Vec<Value>) -> Map {
    let named = values.into_iter().enumerate();
    named.map(|(i, value)| (format!("k{i}"), value)).collect()
}

/// A text with its secrets in the places that are marked.
pub(super) fn marked(text: &str) -> String {
    text.replace(MARK, CANARY)
}

/// The same in a value.
pub(super) fn marked_value(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.expose_str() {
            Some(text) => Value::string(marked(text)),
            None => value.clone(),
        },
        Value::List(items) => Value::List(items.iter().map(marked_value).collect()),
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(key, item)| (key.clone(), marked_value(item)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Whether each secret of a marked text stands where a value does, and none where a name may, which is printed: behind
/// `:` or `=` of its line, but not before one.
pub(super) fn marks_are_values(text: &str) -> bool {
    text.match_indices(CANARY).all(|(start, _)| {
        let quotes = |c: char| matches!(c, ' ' | '\t' | '"' | '\'');
        let before = text[..start].trim_end_matches(quotes);
        let behind = text[start + CANARY.len()..]
            .split(['\n', ',', '}'])
            .next()
            .unwrap_or_default();
        before.ends_with([':', '=']) && !behind.contains([':', '='])
    })
}

/// Nothing that is told may be a bug, or hold a marked secret.
pub(super) fn check_told(told: &[Diagnostic]) {
    let text = render(told, Rendering::PLAIN);
    check_text(&text);
    assert!(told.iter().all(|told| told.fault != Fault::Bug), "{text}");
}

pub(super) fn check_text(text: &str) {
    assert!(!is_marked(text), "leaked: {text}");
}

pub(super) fn is_marked(text: &str) -> bool {
    text.contains(CANARY)
}
