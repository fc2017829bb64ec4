//! One Kubernetes document: its tree, kind, name and annotations.

use std::collections::HashMap;

use super::{Chunk, Error, Format, Warned};
use crate::diagnostics::{Span, Warning};
use crate::yaml::json::JsonReader;
use crate::yaml::resolve::Resolved;
use crate::yaml::tree::{NodeId, NodeKind, ScalarType, Tree};
use crate::yaml::value;
use crate::yaml::{EventReader, Layout, SyntaxError, YamlReader};

/// A chunk's tree, if it is not empty, and what should be warned of.
type ReadTree<'s> = (Option<Tree<'s>>, Vec<Warned>);

/// A parsed document. Spans of its tree count from `offset`.
pub struct Document<'s> {
    /// The text that was parsed: a chunk.
    pub text: &'s str,
    /// Where `text` begins in its source.
    pub offset: usize,
    /// YAML or JSON.
    pub format: Format,
    /// The document's nodes.
    pub tree: Tree<'s>,
}

/// Without the text.
impl std::fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("offset", &self.offset)
            .field("format", &self.format)
            .field("tree", &self.tree)
            .finish_non_exhaustive()
    }
}

/// What messages call a document: `Deployment shop/web`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The kind.
    pub kind: String,
    /// `namespace/name`, `name`, or nothing.
    pub name: String,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.is_empty() {
            f.write_str(&self.kind)
        } else {
            write!(f, "{} {}", self.kind, self.name)
        }
    }
}

impl<'s> Document<'s> {
    /// The document of a chunk of `source`, and what should be warned of. There is none in an empty YAML chunk, which
    /// holds only comments or a null. What stands behind a YAML document is not read, as in AVP.
    pub fn read(
        source: &'s str,
        chunk: Chunk,
        format: Format,
    ) -> Result<(Option<Self>, Vec<Warned>), Error> {
        let text = &source[chunk.range()];
        let offset = chunk.start;
        let (tree, warnings) = match format {
            Format::Json => Self::read_json(text, offset),
            Format::Yaml => Self::read_yaml(text, offset),
        }?;
        let make = |tree| Self {
            text,
            offset,
            format,
            tree,
        };
        Ok((tree.map(make), warnings))
    }

    fn read_json(text: &'s str, offset: usize) -> Result<ReadTree<'s>, Error> {
        let syntax = |error| Error::syntax(&error, text, Format::Json, offset);
        let mut reader = JsonReader::new(text);
        let Some(tree) = Tree::read(&mut reader).map_err(syntax)? else {
            return Ok((None, Vec::new()));
        };
        if let Some(next) = reader.next_event().map_err(syntax)? {
            let message = "invalid character after top-level value".to_owned();
            let position = next.span.start;
            return Err(syntax(SyntaxError { message, position }));
        }
        check_kind(&tree, offset)?;
        check_numbers(&tree, offset)?;
        let mut warnings = Vec::new();
        for id in 0..tree.len() {
            if let NodeKind::Mapping(..) = tree.node(id).kind {
                warn_of_repeated_keys(&tree, tree.entries(id), offset, &mut warnings);
            }
        }
        Ok((Some(tree), warnings))
    }

    fn read_yaml(text: &'s str, offset: usize) -> Result<ReadTree<'s>, Error> {
        let syntax = |error| Error::syntax(&error, text, Format::Yaml, offset);
        if let Some(line) = directive(text) {
            let message = "a directive that the --- line cuts off from its document";
            let phrase =
                "error converting YAML to JSON: yaml: did not find expected <document start>";
            return Err(Error::new(message, line.shifted(offset))
                .with_avp(phrase)
                .with_hint("remove the directive: Kubernetes needs none"));
        }
        let mut reader = YamlReader::new(text);
        let Some(tree) = Tree::read(&mut reader).map_err(syntax)? else {
            return Ok((None, Vec::new()));
        };
        let mut warnings = Vec::new();
        if reader.next_event().is_ok_and(|next| next.is_none()) {
            // Nothing behind the document.
        } else {
            let end = Span::at(offset + tree.node(Tree::ROOT).span.end);
            let error = Error::new("text behind the end of the document is not read", end);
            warnings.push((Warning::TextBehindDocument, error));
        }
        if tree.is_empty() || is_null(&tree) {
            return Ok((None, warnings));
        }
        check_kind(&tree, offset)?;
        check_values(&tree, offset, &mut warnings)?;
        Ok((Some(tree), warnings))
    }

    /// Kind and name.
    pub fn identity(&self) -> Identity {
        let text = |id: Option<NodeId>| id.and_then(|id| self.tree.text(id)).unwrap_or_default();
        let metadata = self.tree.get(Tree::ROOT, "metadata");
        let field = |name| text(metadata.and_then(|metadata| self.tree.get(metadata, name)));
        let name = match (field("namespace"), field("name")) {
            ("", name) => name.to_owned(),
            (namespace, name) => format!("{namespace}/{name}"),
        };
        Identity {
            kind: self.kind().to_owned(),
            name,
        }
    }

    /// Where kind, namespace and name stand.
    pub fn identity_spans(&self) -> impl Iterator<Item = Span> {
        let metadata = self.tree.get(Tree::ROOT, "metadata");
        let field = |name| metadata.and_then(|metadata| self.tree.get(metadata, name));
        let nodes = [
            self.tree.get(Tree::ROOT, "kind"),
            field("namespace"),
            field("name"),
        ];
        nodes.into_iter().flatten().map(|id| self.span(id))
    }

    /// The kind; a document has one.
    pub fn kind(&self) -> &str {
        self.tree
            .get(Tree::ROOT, "kind")
            .and_then(|id| self.tree.string(id))
            .unwrap_or_default()
    }

    /// The annotations.
    pub fn annotations(&self) -> Annotations<'_, 's> {
        let metadata = self.tree.get(Tree::ROOT, "metadata");
        Annotations {
            document: self,
            node: metadata.and_then(|metadata| self.tree.get(metadata, "annotations")),
        }
    }

    /// The span of a node in the source.
    pub fn span(&self, id: NodeId) -> Span {
        self.tree.node(id).span.shifted(self.offset)
    }
}

/// The annotations of a document. Scalars count as their text (D14); what is no scalar is no annotation of ours.
#[derive(Clone, Copy, Debug)]
pub struct Annotations<'d, 's> {
    document: &'d Document<'s>,
    node: Option<NodeId>,
}

impl<'d> Annotations<'d, '_> {
    /// The text of an annotation and its place in the source. A null is an empty text.
    pub fn get(&self, name: &str) -> Option<(&'d str, Span)> {
        let id = self.document.tree.get(self.node?, name)?;
        let text = match self.document.tree.scalar_type(id)? {
            ScalarType::Other(Resolved::Null) => "",
            _ => self.document.tree.text(id)?,
        };
        Some((text, self.document.span(id)))
    }

    /// An annotation that is a list or a map.
    pub fn collection(&self, name: &str) -> Option<Span> {
        let id = self.document.tree.get(self.node?, name)?;
        self.document
            .tree
            .scalar_type(id)
            .is_none()
            .then(|| self.document.span(id))
    }

    /// A truth value in Go's syntax; anything else is false.
    pub fn is_true(&self, name: &str) -> bool {
        matches!(
            self.get(name),
            Some(("1" | "t" | "T" | "TRUE" | "true" | "True", _))
        )
    }
}

/// The first line that begins with `%`, if only blank lines and comments stand before it.
fn directive(text: &str) -> Option<Span> {
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with('%') {
            return Some(Span::new(position, position + line.trim_end().len()));
        }
        if !(line.trim().is_empty() || line.starts_with('#')) {
            return None;
        }
        position += line.len();
    }
    None
}

fn is_null(tree: &Tree<'_>) -> bool {
    tree.scalar_type(Tree::ROOT) == Some(ScalarType::Other(Resolved::Null))
}

fn check_kind(tree: &Tree<'_>, offset: usize) -> Result<(), Error> {
    let at = |id: NodeId| tree.node(id).span.shifted(offset);
    match &tree.node(Tree::ROOT).kind {
        NodeKind::Mapping(..) => {}
        NodeKind::Sequence(..) => {
            return Err(Error::new(
                "a document is a list, not a Kubernetes object",
                Span::at(at(Tree::ROOT).start),
            )
            .with_hint("put its items into documents of their own, separated by --- lines"));
        }
        _ => {
            return Err(Error::new(
                "a document is a scalar, not a Kubernetes object",
                at(Tree::ROOT),
            ));
        }
    }
    let kind = tree.get(Tree::ROOT, "kind");
    if kind
        .and_then(|kind| tree.string(kind))
        .is_some_and(|kind| !kind.is_empty())
    {
        return Ok(());
    }
    let (message, span) = match kind {
        Some(kind) => (
            "the document's kind is not a string with text in it",
            at(kind),
        ),
        None => ("the document has no kind", Span::at(at(Tree::ROOT).start)),
    };
    let phrase = "error unmarshaling JSON: while decoding JSON: Object 'Kind' is missing";
    Err(Error::new(message, span)
        .with_avp(phrase)
        .with_hint("each document needs a kind, like `kind: ConfigMap`"))
}

/// Numbers that no 64-bit float holds are refused, as Kubernetes' JSON reader does.
fn check_numbers(tree: &Tree<'_>, offset: usize) -> Result<(), Error> {
    for id in 0..tree.len() {
        let NodeKind::Scalar(literal, crate::yaml::Style::Plain) = &tree.node(id).kind else {
            continue;
        };
        if literal.parse::<f64>().is_ok_and(f64::is_infinite) {
            return Err(Error::new(
                "json: a number too large for Kubernetes",
                tree.node(id).span.shifted(offset),
            ));
        }
    }
    Ok(())
}

/// Keys and numbers that Kubernetes refuses; keys that stand twice.
fn check_values(tree: &Tree<'_>, offset: usize, warnings: &mut Vec<Warned>) -> Result<(), Error> {
    for id in 0..tree.len() {
        let span = tree.node(id).span.shifted(offset);
        match &tree.node(id).kind {
            NodeKind::Mapping(..) => check_keys(tree, tree.entries(id), offset, warnings)?,
            NodeKind::Scalar(..) => {
                if let Some(ScalarType::Other(Resolved::Float(float))) = tree.scalar_type(id)
                    && !float.is_finite()
                {
                    return Err(Error::new("a number that JSON cannot hold", span)
                        .with_hint("put it in quotes if it is meant as text"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_keys(
    tree: &Tree<'_>,
    entries: &[(NodeId, NodeId)],
    offset: usize,
    warnings: &mut Vec<Warned>,
) -> Result<(), Error> {
    let mut all_strings = true;
    for (key, _) in entries {
        let span = tree.node(*key).span.shifted(offset);
        match tree.scalar_type(*key) {
            None => {
                let error = Error::new("a key that is a list or a map", Span::at(span.start));
                return Err(error.with_hint("put a value that begins with { or [ in quotes"));
            }
            Some(ScalarType::Other(Resolved::Null)) => return Err(Error::new("a null key", span)),
            Some(ScalarType::String) => {}
            Some(_) => all_strings = false,
        }
    }
    if all_strings {
        warn_of_repeated_keys(tree, entries, offset, warnings);
    } else {
        warn_of_keys_that_become_equal(tree, entries, offset, warnings);
    }
    Ok(())
}

fn warn_of_repeated_keys(
    tree: &Tree<'_>,
    entries: &[(NodeId, NodeId)],
    offset: usize,
    warnings: &mut Vec<Warned>,
) {
    for (_, later) in tree.repeated_keys(entries) {
        let key = entries[later].0;
        if !tree.is_merge_key(key) {
            let span = tree.node(key).span.shifted(offset);
            let error = Error::new("the same key twice: the last one counts", span);
            warnings.push((Warning::DuplicateKey, error));
        }
    }
}

/// The same where not all keys are strings: Kubernetes' YAML reader tells keys apart by what they are, and makes
/// strings of them later, in no order.
fn warn_of_keys_that_become_equal(
    tree: &Tree<'_>,
    entries: &[(NodeId, NodeId)],
    offset: usize,
    warnings: &mut Vec<Warned>,
) {
    let kind = |key: NodeId| match tree.scalar_type(key) {
        Some(ScalarType::Binary) => Some(ScalarType::String),
        other => other,
    };
    let mut seen = HashMap::new();
    for (key, _) in entries.iter().filter(|(key, _)| !tree.is_merge_key(*key)) {
        let Ok(spelling) = value::key(tree, *key) else {
            continue;
        };
        let Some(earlier) = seen.insert(spelling, *key) else {
            continue;
        };
        let message = if kind(earlier) == kind(*key) {
            "the same key twice: the last one counts"
        } else {
            "two keys that Kubernetes spells alike: which of them counts is left to chance"
        };
        let span = tree.node(*key).span.shifted(offset);
        warnings.push((Warning::DuplicateKey, Error::new(message, span)));
    }
}

/// Whether a node is written in brackets, or stands within some.
pub(super) fn is_flow(layout: Layout, outer: bool) -> bool {
    outer || layout == Layout::Flow
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The warnings of the last chunk of a text.
    fn warnings(text: &str) -> Vec<(usize, String)> {
        let chunk = *crate::manifest::split(text).0.last().unwrap();
        let (_, warnings) = Document::read(text, chunk, Format::of(text)).unwrap();
        warnings
            .into_iter()
            .map(|(_, warning)| (warning.span.start, warning.message))
            .collect()
    }

    #[test]
    fn a_key_that_stands_twice_is_told_in_both_formats() {
        let twice = "the same key twice: the last one counts".to_owned();
        for (text, position) in [
            ("kind: X\n---\nkind: Z\na: 1\na: 2\n", 25),
            (r#"{"kind":"X"} {"kind":"Y","a":[{"b":1,"\u0062":2}]}"#, 37),
            (r#"{"kind":"X","<<":{},"<<":{}}"#, 20),
        ] {
            assert_eq!(warnings(text), [(position, twice.clone())], "{text}");
        }
        assert_eq!(warnings(r#"{"kind":"X","a":{"kind":1}}"#), []);
    }

    #[test]
    fn keys_that_kubernetes_spells_alike_are_told() {
        let alike = "two keys that Kubernetes spells alike: which of them counts is left to chance";
        let twice = "the same key twice: the last one counts";
        for (keys, told) in [
            ("{yes: 1, true: 2}", Some(twice)),
            ("{yes: 1, 'true': 2}", Some(alike)),
            ("{1: 1, 0x1: 2}", Some(twice)),
            ("{1: 1, 1.0: 2}", Some(alike)),
            ("{1: 1, '1': 2}", Some(alike)),
            ("{1.50: 1, 1.5: 2}", Some(twice)),
            ("{!!binary YQ==: 1, a: 2}", Some(twice)),
            ("{!!binary YQ==: 1, YQ==: 2}", None),
            ("{<<: {a: 1}, <<: {a: 2}, 1: 2}", None),
            ("{yes: 1, 'yes': 2, on: {}}", Some(twice)),
        ] {
            let text = format!("kind: X\na: {keys}");
            let messages: Vec<_> = warnings(&text).into_iter().map(|told| told.1).collect();
            let told: Vec<_> = told.into_iter().map(str::to_owned).collect();
            assert_eq!(messages, told, "{keys}");
        }
    }

    #[test]
    fn a_tab_is_told_where_it_stands() {
        for (text, position) in [
            ("kind: X\n\ta: 1\n", 8),
            ("kind: X\na:\n\tb: 1\n", 11),
            ("kind: X\na:\n  - b\n  \t- c\n", 19),
            ("# c\n---\nkind: X\n\ta: 1\n", 16),
        ] {
            let chunk = *crate::manifest::split(text).0.last().unwrap();
            let error = Document::read(text, chunk, Format::Yaml).unwrap_err();
            assert_eq!(error.span.start, position, "{text}");
            assert_eq!(
                error.hint.as_deref(),
                Some("YAML forbids tabs here: use spaces")
            );
        }
    }

    #[test]
    fn broken_texts_have_a_hint() {
        for text in [
            "a: \"x",
            "a: [1",
            "a: ]",
            "a: @x",
            "a: `x`",
            "a: b: c",
            "a: 'it's'",
            "a: \"\\d\"",
            "a: *x",
            "a: - b",
            "a\nb: 1",
            "l:\n  - a\n - b",
            "kind: X\na: {{ x }}",
            "{\"a\": 1,}",
        ] {
            let chunk = Span::new(0, text.len());
            let error = Document::read(text, chunk, Format::of(text)).unwrap_err();
            assert!(error.hint.is_some(), "{text}: {error}");
        }
    }

    #[test]
    fn errors_of_a_later_json_value_name_its_place() {
        for (text, position) in [
            (r#"{"kind":"X"} {"a":1}"#, 13),
            (r#"{"kind":"X"} [1]"#, 13),
            (r#"{"kind":"X"} {"kind":"Y","a":1e999}"#, 29),
        ] {
            let chunk = *crate::manifest::split(text).0.last().unwrap();
            let error = Document::read(text, chunk, Format::Json).unwrap_err();
            assert_eq!(error.span.start, position, "{text}");
        }
    }

    #[test]
    fn a_json_chunk_holds_one_value() {
        let text = r#"{"kind":"X"} {}"#;
        let error = Document::read(text, Span::new(0, text.len()), Format::Json).unwrap_err();
        assert_eq!(
            error.message,
            "this is not JSON: invalid character after top-level value"
        );
        assert_eq!(error.span, Span::at(13));
    }
}
