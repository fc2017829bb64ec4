//! `manifuse.io/expand`: all keys of a secret become entries of a Secret's `stringData` or a `ConfigMap`'s `data`.
//!
//! A second round of edits, over the document as the first has left it: so it knows which entries there are, whatever
//! else was replaced or removed.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::failure::{of_backend, shown};
use super::reread::{self, Grown};
use crate::backends::{self, Answer, ErrorKind};
use crate::diagnostics::{Diagnostic, Fault, MANY, Span, few};
use crate::manifest::{Document, Format};
use crate::modifier;
use crate::secret::{Map, OnMissing, SecretId, Value};
use crate::yaml::edit;
use crate::yaml::encode_base64;
use crate::yaml::grow::{Grower, Spot};
use crate::yaml::resolve::Resolved;
use crate::yaml::tree::{NodeId, NodeKind, ScalarType, Tree};
use crate::yaml::value;
use crate::yaml::writer::Reader;

pub(super) const EXPAND: &str = "manifuse.io/expand";

/// What the annotation asks for.
#[derive(Clone)]
pub(super) struct Expand {
    pub secret: SecretId,
    /// Where the annotation stands.
    pub span: Span,
    /// What an absent secret means.
    pub on_missing: OnMissing,
}

/// The fields of a kind that take texts and bytes; none where nothing can be expanded.
pub(super) fn fields(kind: &str) -> Option<[&'static str; 2]> {
    match kind {
        "Secret" => Some(["stringData", "data"]),
        "ConfigMap" => Some(["data", "binaryData"]),
        _ => None,
    }
}

impl Expand {
    /// The entries of the secret: of equal keys the last, in the order of the store.
    pub(super) fn entries(
        &self,
        answer: &Result<Answer, backends::Error>,
    ) -> Result<Map, Vec<Diagnostic>> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error)
                if error.kind == ErrorKind::AbsentPath
                    && self.on_missing == OnMissing::RemoveEntry =>
            {
                return Ok(Map::new());
            }
            Err(error) => return Err(vec![of_backend(error)]),
        };
        let entries = last_of_equal(&answer.values);
        let refused = entries.iter().filter(|(key, _)| !is_key(key));
        let refused: Vec<_> = refused
            .map(|(key, _)| format!("{:?}", shown(key)))
            .collect();
        let denied = (!answer.denied.is_empty()).then(|| denied(&answer.denied));
        let refused = (!refused.is_empty()).then(|| self.refused(&refused));
        let failed = answer.failed.iter().map(|(_, error)| of_backend(error));
        let errors: Vec<_> = denied.into_iter().chain(refused).chain(failed).collect();
        if errors.is_empty() {
            Ok(entries)
        } else {
            Err(errors)
        }
    }

    fn refused(&self, keys: &[String]) -> Diagnostic {
        let (path, keys) = (shown(&self.secret.path), the_keys(keys));
        let message = format!("{path} has {keys}, which Kubernetes refuses");
        Diagnostic::error(Fault::Input, message)
            .with_hint("a key has up to 253 letters, digits, dots, - and _; placeholders can give the value another key")
    }
}

/// Keys that may not be read, and the reasons, each once.
fn denied(denied: &[(String, String)]) -> Diagnostic {
    let keys: Vec<_> = denied.iter().map(|(key, _)| shown(key)).collect();
    let mut reasons: Vec<_> = denied.iter().map(|(_, reason)| reason.clone()).collect();
    reasons.sort();
    reasons.dedup();
    reasons.truncate(MANY);
    let message = format!("{} may not be read", the_keys(&keys));
    Diagnostic::error(Fault::Backend, message).with_causes(&reasons)
}

fn the_keys(names: &[String]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("the key{plural} {}", few(names))
}

/// Of equal keys the last one's value in the first one's place, without nulls.
fn last_of_equal(values: &Map) -> Map {
    let mut places = HashMap::new();
    let mut entries = Map::new();
    for (key, value) in values {
        let place = *places.entry(key).or_insert(entries.len());
        if place == entries.len() {
            entries.push((key.clone(), value.clone()));
        } else {
            entries[place].1 = value.clone();
        }
    }
    entries.retain(|(_, value)| *value != Value::Null);
    entries
}

/// What Kubernetes takes as a key of a Secret or `ConfigMap`.
fn is_key(key: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&key.len()) && key.bytes().all(fits) && key != "." && !key.starts_with("..")
}

/// The document with the entries that it has not got.
pub(super) fn expanded(
    text: &str,
    format: Format,
    entries: &Map,
) -> Result<String, Box<Diagnostic>> {
    let chunk = Span::new(0, text.len());
    let bug = || {
        let message = "the expanded document does not read as intended";
        let error = Diagnostic::error(Fault::Bug, message);
        Box::new(error.with_hint("nothing was printed; please report this document's shape"))
    };
    let document = Document::read(text, chunk, format)
        .ok()
        .and_then(|(document, _)| document);
    let document = document.ok_or_else(bug)?;
    let tree = &document.tree;
    let fields = fields(document.kind()).ok_or_else(bug)?;
    let mut growing = Vec::new();
    for (field, new) in fields.into_iter().zip(missing(tree, fields, entries)) {
        if !new.is_empty() {
            let at = entry(tree, field).map_err(|reason| refuse(field, reason))?;
            growing.push(Grown { field, at, new });
        }
    }
    let reader = match format {
        Format::Json => Reader::Json,
        Format::Yaml => Reader::Yaml,
    };
    let tried = [Spot::Close, Spot::Far].into_iter().find_map(|spot| {
        let grower = Grower {
            text,
            tree,
            reader,
            spot,
        };
        let edited = grown(grower, &growing)?;
        reread::has_grown(tree, &edited, format, &growing).then_some(edited)
    });
    tried.ok_or_else(|| {
        if text.ends_with([' ', '\t']) {
            blanks_at_the_end()
        } else {
            bug()
        }
    })
}

/// The entries that no field has, as texts and as base64.
fn missing(tree: &Tree<'_>, fields: [&str; 2], entries: &Map) -> [Map; 2] {
    let mut own = HashSet::new();
    for field in fields {
        if let Some(map) = tree.get(Tree::ROOT, field) {
            keys_into(&mut own, tree, map);
        }
    }
    let mut missing = [Map::new(), Map::new()];
    for (key, value) in entries {
        if own.contains(&**key) {
            continue;
        }
        let text = modifier::stringify(value);
        if matches!(value, Value::Bytes(_)) || text.expose_str().is_none() {
            missing[1].push((key.clone(), Value::string(encode_base64(text.expose()))));
        } else {
            missing[0].push((key.clone(), Value::String(text)));
        }
    }
    missing
}

/// The keys of a map as Kubernetes spells them, also those that merge keys bring.
fn keys_into<'t>(keys: &mut HashSet<Cow<'t, str>>, tree: &'t Tree<'_>, map: NodeId) {
    for (key, value) in tree.entries(map) {
        if tree.is_merge_key(*key) {
            let maps = [value].into_iter().chain(tree.items(*value));
            maps.for_each(|map| keys_into(keys, tree, *map));
        } else {
            keys.extend(value::key(tree, *key));
        }
    }
}

/// The last entry of the document with this key, if it can take new ones; else why not.
fn entry(tree: &Tree<'_>, field: &str) -> Result<Option<usize>, &'static str> {
    let entries = tree.entries(Tree::ROOT);
    let Some(at) = entries
        .iter()
        .rposition(|(key, _)| tree.text(*key) == Some(field))
    else {
        return match tree.get(Tree::ROOT, field) {
            None => Ok(None),
            Some(_) => Err("it comes from a merge key"),
        };
    };
    let value = entries[at].1;
    let node = tree.node(value);
    let aliased = |id: NodeId| id != value && tree.target(id) == value;
    match &node.kind {
        NodeKind::Alias(_) => Err("it is an alias"),
        NodeKind::Mapping(..) if (0..tree.len()).any(aliased) => {
            Err("an alias stands for it elsewhere")
        }
        NodeKind::Mapping(..) => Ok(Some(at)),
        _ if tree.scalar_type(value) != Some(ScalarType::Other(Resolved::Null)) => {
            Err("it is no map")
        }
        _ if node.properties.anchor != 0 || node.properties.tag.is_some() => {
            Err("it has an anchor or a tag")
        }
        _ => Ok(Some(at)),
    }
}

fn refuse(field: &str, reason: &str) -> Box<Diagnostic> {
    let message = format!("{EXPAND} cannot add to the document's {field}: {reason}");
    let error = Diagnostic::error(Fault::Input, message);
    Box::new(error.with_hint("write the map out where it stands, or leave it away"))
}

/// Behind a `|+` some readers take them for a line of the value, and others do not.
fn blanks_at_the_end() -> Box<Diagnostic> {
    let message =
        format!("{EXPAND} cannot add to a document that ends in blanks without a line end");
    Box::new(
        Diagnostic::error(Fault::Input, message).with_hint("remove the blanks, or end their line"),
    )
}

/// The text with all new entries; `None` where a value cannot be written.
fn grown(grower: Grower<'_, '_>, growing: &[Grown<'_>]) -> Option<String> {
    let tree = grower.tree;
    let mut edits = Vec::new();
    let mut fields = Map::new();
    for Grown { field, at, new } in growing {
        let Some(at) = at else {
            fields.push(((*field).to_owned(), Value::Map(new.clone())));
            continue;
        };
        let (key, value) = tree.entries(Tree::ROOT)[*at];
        edits.push(match tree.node(value).kind {
            NodeKind::Mapping(..) => grower.append(value, new).ok()?,
            _ => grower.instead_of_null((key, value), new).ok()?,
        });
    }
    if !fields.is_empty() {
        edits.push(grower.append(Tree::ROOT, &fields).ok()?);
    }
    edits.sort_by_key(|edit| edit.span);
    Some(edit::apply(grower.text, &edits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_keys_that_cannot_be_taken_some_are_told() {
        let expand = Expand {
            secret: SecretId {
                backend: "b".into(),
                path: "s".into(),
                version: None,
                kv_version: None,
            },
            span: Span::at(0),
            on_missing: OnMissing::Fail,
        };
        let told = |count: usize| {
            let key = |n| (format!("a {n}"), Value::string("CANARY"));
            let mut answer = Answer::whole((0..count).map(key).collect(), None);
            let denied = |n| (format!("d{n}"), format!("reason {}", n % 2));
            answer.denied = (0..count).map(denied).collect();
            let told = expand.entries(&Ok(answer)).unwrap_err();
            told.into_iter()
                .map(|error| (error.message, error.causes))
                .collect::<Vec<_>>()
        };
        let reasons = |count| (0..count).map(|n| format!("reason {n}")).collect();
        assert_eq!(
            told(1),
            [
                ("the key d0 may not be read".to_owned(), reasons(1)),
                (
                    "s has the key \"a 0\", which Kubernetes refuses".to_owned(),
                    vec![]
                ),
            ]
        );
        assert_eq!(
            told(500),
            [
                (
                    "the keys d0, d1, d2, d3, d4, d5, d6, d7, d8, d9 and 490 more may not be read".to_owned(),
                    reasons(2)
                ),
                (
                    "s has the keys \"a 0\", \"a 1\", \"a 2\", \"a 3\", \"a 4\", \"a 5\", \"a 6\", \"a 7\", \"a 8\", \"a 9\" and 490 more, which Kubernetes refuses".to_owned(),
                    vec![]
                ),
            ]
        );
    }
}
