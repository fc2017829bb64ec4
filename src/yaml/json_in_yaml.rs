//! JSON text for YAML readers. Nearly all JSON is YAML; what some reader refuses is written in another way.

use std::borrow::Cow;

use super::edit::{self, Edit};
use super::event::Style;
use super::json::JsonReader;
use super::tree::{Node, NodeKind, Tree};
use super::writer::{LONGEST_KEY, double_quoted, is_printable};
use crate::diagnostics::Span;

/// One JSON value so that every YAML reader takes it for the same: no surrogate pairs, no `\/`, no raw characters that
/// YAML forbids, and a `?` before long keys. Text that is no JSON value stays as it is.
pub fn for_yaml_readers(json: &str) -> Cow<'_, str> {
    let Ok(Some(tree)) = Tree::read(&mut JsonReader::new(json)) else {
        return json.into();
    };
    let mut edits = Vec::new();
    for id in 0..tree.len() {
        for (key, value) in tree.entries(id) {
            let value_start = tree.node(*value).span.start;
            edits.extend(key_edits(tree.node(*key), value_start, json));
        }
        edits.extend(string_edit(tree.node(id), json));
    }
    if edits.is_empty() {
        return json.into();
    }
    edits.sort_by_key(|edit| edit.span);
    edit::apply(json, &edits).into()
}

/// Announces a long key; its colon must have a blank behind it then.
fn key_edits(key: &Node<'_>, value_start: usize, json: &str) -> Vec<Edit> {
    if key.span.len() <= LONGEST_KEY {
        return Vec::new();
    }
    let blank = if json[..value_start].ends_with(':') {
        " "
    } else {
        ""
    };
    vec![
        Edit::new(Span::at(key.span.start), "? "),
        Edit::new(Span::at(value_start), blank),
    ]
}

fn string_edit(node: &Node<'_>, json: &str) -> Option<Edit> {
    let NodeKind::Scalar(text, Style::Json) = &node.kind else {
        return None;
    };
    let token = &json[node.span.range()];
    let surrogate = token.contains("\\ud") || token.contains("\\uD");
    let fits = !surrogate && !token.contains("\\/") && token.chars().all(is_printable);
    (!fits).then(|| Edit::new(node.span, double_quoted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::value::{from_json, from_yaml};

    #[test]
    fn what_yaml_readers_refuse_is_written_in_another_way() {
        let long = "k".repeat(1100);
        let json = format!(
            "{{\"a\":\"\\ud83d\\ude00 \\/ \u{7f}\",\"b\": [\"x\\u00e9\"],\"{long}\":\"\\/\",\"\\/\":1}}"
        );
        let yaml = for_yaml_readers(&json);
        let expected =
            format!("{{\"a\":\"😀 / \\u007f\",\"b\": [\"x\\u00e9\"],? \"{long}\": \"/\",\"/\":1}}");
        assert_eq!(yaml, expected);
        assert_eq!(from_json(&json), from_yaml(&yaml));
        assert_eq!(for_yaml_readers("{\"a\": 1}"), "{\"a\": 1}");
    }
}
