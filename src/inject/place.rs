//! Where references stand: enough to write an edit without the document's tree, so that trees need not be kept.

use std::collections::{HashMap, HashSet};

use super::expand::Expand;
use super::text::{Reading, Text};
use crate::diagnostics::Span;
use crate::manifest::{Document, Format, Position, StringNode, Strings};
use crate::secret::SecretId;
use crate::yaml::Style;
use crate::yaml::scalar::Scalar;
use crate::yaml::tree::{NodeId, NodeKind};

/// A document in which something is replaced, or whose secret must be readable.
pub(super) struct Work<'s> {
    /// Which of the run's sources.
    pub source: usize,
    /// The document's chunk of the source.
    pub chunk: Span,
    /// YAML or JSON.
    pub format: Format,
    /// Whether values that are no strings are written as text (`ConfigMap`).
    pub stringify: bool,
    /// The secret of the `path` annotation and where the annotation stands. Boxed, as is all that few documents have:
    /// there may be hundreds of thousands.
    pub annotated: Option<Box<(SecretId, Span)>>,
    /// The secret whose keys become entries.
    pub expand: Option<Box<Expand>>,
    /// The strings that hold references, in document order.
    pub places: Vec<Place<'s>>,
}

/// A string that holds references.
pub(super) struct Place<'s> {
    /// Where it is written.
    pub site: Site,
    /// The scalar's decoded text (base64 for `!!binary`) and what is replaced in it.
    pub text: Text<'s>,
    /// Whether nobody reads it, because a later entry has the same key.
    pub shadowed: bool,
    /// The start of the entry's key in the source, if it is a map's value.
    pub entry: Option<usize>,
    /// The same for each alias of this scalar that is a map's value: such an entry goes when this one goes.
    pub alias_entries: Vec<usize>,
    /// Aliases of this scalar where nothing is replaced: the old text is written there.
    pub fixed_aliases: Vec<Site>,
}

/// Where and how a scalar is written. Spans count in the source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub span: Span,
    pub style: Style,
    /// Where the token before it ended.
    pub after: usize,
    /// Its tag, which a value that is no string must lose: it makes text of it.
    pub tag: Option<Span>,
    pub in_flow: bool,
    /// Whether an alias stands there: it is written whole.
    pub alias: bool,
    /// Whether it is base64 by its tag.
    pub binary: bool,
}

impl Place<'_> {
    /// The scalar's decoded text.
    pub(super) fn decoded(&self) -> &str {
        std::str::from_utf8(&self.text.bytes).expect("a scalar is UTF-8")
    }
}

impl Site {
    /// The scalar in its source text.
    pub(super) fn scalar<'t>(&self, text: &'t str) -> Scalar<'t> {
        Scalar {
            text,
            span: self.span,
            style: self.style,
            after: self.after,
        }
    }
}

/// The places of a document: each scalar once, where it is defined; an alias only where it differs from its anchor.
pub(super) fn places<'s>(
    document: &Document<'s>,
    strings: &Strings<'_>,
    reading: &Reading<'_>,
) -> Vec<Place<'s>> {
    let at_alias = strings
        .strings
        .iter()
        .filter(|string| string.node != string.scalar);
    let aliased: HashSet<NodeId> = at_alias.map(|string| string.scalar).collect();
    let replaced_at_anchor: HashMap<NodeId, bool> = strings
        .strings
        .iter()
        .filter(|string| string.node == string.scalar && aliased.contains(&string.scalar))
        .map(|string| (string.scalar, string.position != Position::Fixed))
        .collect();
    let mut places: Vec<Place<'s>> = Vec::new();
    let mut by_scalar: HashMap<NodeId, usize> = HashMap::new();
    for string in &strings.strings {
        let at_anchor = replaced_at_anchor
            .get(&string.scalar)
            .copied()
            .unwrap_or(false);
        let is_alias = string.node != string.scalar;
        let known = by_scalar.get(&string.scalar).copied();
        match (string.position == Position::Fixed, is_alias && at_anchor) {
            (true, true) => {
                if let Some(place) = known {
                    places[place].fixed_aliases.push(site(document, string));
                }
            }
            (false, true) => {
                if let (Some(place), Some(entry)) = (known, entry_of(document, string)) {
                    places[place].alias_entries.push(entry);
                }
            }
            (true, false) => {}
            (false, false) => {
                let NodeKind::Scalar(decoded, _) = &document.tree.node(string.scalar).kind else {
                    continue;
                };
                let text = reading.read(decoded.clone(), string.binary);
                if !text.parts.is_empty() {
                    if aliased.contains(&string.scalar) {
                        by_scalar.entry(string.scalar).or_insert(places.len());
                    }
                    places.push(place(document, string, text));
                }
            }
        }
    }
    // They are kept for the whole run, and most documents have one or two.
    places.shrink_to_fit();
    places
}

fn place<'s>(document: &Document<'s>, string: &StringNode<'_>, text: Text<'s>) -> Place<'s> {
    let entry = entry_of(document, string);
    let site = site(document, string);
    Place {
        site,
        text,
        shadowed: string.shadowed,
        entry,
        alias_entries: Vec::new(),
        fixed_aliases: Vec::new(),
    }
}

/// Where the key of a string's map entry begins in the source.
fn entry_of(document: &Document<'_>, string: &StringNode<'_>) -> Option<usize> {
    match string.position {
        Position::Value { key, .. } => Some(document.span(key).start),
        _ => None,
    }
}

fn site(document: &Document<'_>, string: &StringNode<'_>) -> Site {
    let node = document.tree.node(string.node);
    let (style, alias) = match &node.kind {
        NodeKind::Scalar(_, style) => (*style, false),
        _ => (Style::Plain, true),
    };
    let tag = node
        .properties
        .tag
        .as_ref()
        .and_then(|tag| tag.span)
        .map(|span| span.shifted(document.offset));
    Site {
        span: node.span.shifted(document.offset),
        style,
        after: node.after + document.offset,
        tag,
        in_flow: string.in_flow,
        alias,
        binary: string.binary,
    }
}
