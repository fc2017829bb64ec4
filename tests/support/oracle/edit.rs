//! Values in the places of `<path:s#k0>`, `<path:s#k1>`, …: two readers that are not ours read the output as the
//! input's tree with the values in their places, and no edit reaches beyond the string it is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifuse::manifest::{Document, Format, split};
use manifuse::modifier::stringify;
use manifuse::secret::{Map, Value};
use manifuse::yaml::edit::Edit;

use super::readers::same_shape;
use super::{input, split as reading};
use crate::support::expectation::{Expectation, as_text, to_tree, trees};
use crate::support::render::look;
use crate::support::tree::{Tree, differences};
use crate::support::{core_yaml, kube_yaml};

pub(super) fn check(input: &[u8]) {
    let Some((text, values)) = input::pieces(input) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let secret = input::named(values);
    let rendered = look(text, secret.clone(), false, |rendered| {
        edits_stay_in_strings(text, &rendered.edits[0]);
        input::check_told(&rendered.warnings);
        rendered.slices().concat()
    });
    match rendered {
        Ok(output) => reads_as_replaced(text, &output, &secret),
        Err(told) => input::check_told(&told),
    }
}

/// Edits are in order, and each lies between the token before a string and the end of that string's lines.
fn edits_stay_in_strings(text: &str, edits: &[Edit]) {
    let places = places(text);
    let mut end = 0;
    for edit in edits {
        assert!(end <= edit.span.start, "{edit:?} begins before {end}");
        end = edit.span.end;
        let inside = |place: &std::ops::Range<usize>| {
            place.start <= edit.span.start && edit.span.end <= place.end
        };
        assert!(
            places.iter().any(inside),
            "{edit:?} lies in none of {places:?}"
        );
    }
    assert!(end <= text.len());
}

/// Where the scalars that may be written again stand, each with what belongs to it: properties and header before it,
/// blank lines behind it. Where entries may be removed or added, everything.
fn places(text: &str) -> Vec<std::ops::Range<usize>> {
    let format = Format::of(text);
    let mut places = Vec::new();
    for chunk in split(text).0 {
        let Ok((Some(document), _)) = Document::read(text, chunk, format) else {
            continue;
        };
        let annotations = document.annotations();
        let all = ["avp.kubernetes.io/remove-missing", "manifuse.io/expand"];
        if all.iter().any(|name| annotations.get(name).is_some()) {
            places.push(chunk.range());
        }
        let tree = &document.tree;
        let scalars = (0..tree.len()).filter(|id| tree.text(*id).is_some());
        for node in scalars.map(|id| tree.node(id)) {
            let behind = &document.text[node.span.end..];
            let blank = behind.len() - behind.trim_start().len();
            places.push(document.offset + node.after..document.offset + node.span.end + blank);
        }
    }
    places
}

/// A reader that is not ours: the documents of a stream.
type Reader = fn(&[u8]) -> Result<Vec<Tree>, String>;

fn reads_as_replaced(text: &str, output: &str, secret: &Map) {
    let Ok(kubernetes) = kube_yaml::documents(text.as_bytes()) else {
        return;
    };
    // Where we read something else than Kubernetes does, another target says so.
    if !is_text(secret) || reading::ours(text).as_ref() != Some(&kubernetes) {
        return;
    }
    let readers: [Reader; 2] = [kube_yaml::documents, core_yaml::documents];
    for reader in readers {
        let Ok(before) = reader(text.as_bytes()) else {
            continue;
        };
        let same = before.len() == kubernetes.len()
            && before
                .iter()
                .zip(&kubernetes)
                .all(|(a, b)| same_shape(a, b));
        if same && before.iter().all(|tree| within_the_rules(tree, secret)) {
            let after = reader(output.as_bytes())
                .unwrap_or_else(|error| panic!("{error}\n--- input\n{text}\n--- output\n{output}"));
            let lines = differences(&replaced(&before, secret), &Tree::List(after));
            assert!(
                lines.is_empty(),
                "{}\n--- input\n{text}\n--- output\n{output}",
                lines.join("\n")
            );
        }
    }
}

fn replaced(documents: &[Tree], secret: &Map) -> Tree {
    let secret = &trees(secret);
    let replaced = |tree: &Tree| {
        Expectation {
            secret,
            kind: kind(tree),
        }
        .of(tree, false)
    };
    Tree::List(documents.iter().map(replaced).collect())
}

fn kind(document: &Tree) -> &str {
    match document {
        Tree::Map(entries) => match entries.get("kind") {
            Some(Tree::String(kind)) => kind,
            _ => "",
        },
        _ => "",
    }
}

/// Whether all texts of a secret are UTF-8; others fail the run, but for those in base64.
fn is_text(secret: &Map) -> bool {
    let utf8 = |value: &Value| !matches!(value, Value::String(text) if text.expose_str().is_none());
    secret.iter().all(|(_, value)| utf8(value))
}

/// Whether `Expectation` knows what becomes of a document: no annotations of ours, only placeholders of the one form,
/// at most one layer of base64, and in it values whose text another writer would write the same.
fn within_the_rules(document: &Tree, secret: &Map) -> bool {
    let in_text = kind(document) == "ConfigMap" || kind(document) == "Secret";
    let plain = |value: &Value| {
        matches!(value, Value::String(_))
            || stringify(value).expose() == as_text(&to_tree(value)).as_bytes()
    };
    if in_text && !secret.iter().all(|(_, value)| plain(value)) {
        return false;
    }
    all_texts(document, &|text, is_key| {
        let ours = is_key && (text.contains("avp.kubernetes.io") || text.contains("manifuse.io"));
        let layers = kind(document) == "Secret" && !is_one_layer(text, secret);
        !ours && !layers && is_simple(text, secret)
    })
}

fn all_texts(tree: &Tree, hold: &impl Fn(&str, bool) -> bool) -> bool {
    match tree {
        Tree::Map(entries) => entries
            .iter()
            .all(|(key, item)| hold(key, true) && all_texts(item, hold)),
        Tree::List(items) => items.iter().all(|item| all_texts(item, hold)),
        Tree::String(text) => hold(text, false),
        _ => true,
    }
}

fn is_one_layer(text: &str, secret: &Map) -> bool {
    let json = |text: &str| text.trim_start().starts_with(['{', '[']);
    let Some(decoded) = manifuse::yaml::decode_base64(text) else {
        return !json(text);
    };
    let Ok(decoded) = String::from_utf8(decoded) else {
        return false;
    };
    let is_nested = manifuse::yaml::decode_base64(&decoded).is_some_and(|inner| !inner.is_empty());
    STANDARD.decode(text).is_ok() && !is_nested && !json(&decoded) && is_simple(&decoded, secret)
}

/// Whether all that looks like a placeholder is `<path:s#kN>` of a value that there is.
fn is_simple(text: &str, secret: &Map) -> bool {
    let is_known = |rest: &str| {
        let number = rest
            .strip_prefix("<path:s#k")
            .and_then(|rest| rest.split_once('>'));
        let number =
            number.and_then(|(digit, _)| (digit.len() == 1).then(|| digit.parse().ok())?);
        number.is_some_and(|number: usize| number < secret.len())
    };
    let mut starts = text
        .match_indices("<path:")
        .map(|(start, _)| &text[start..]);
    !text.contains("<memory:") && starts.all(is_known)
}
