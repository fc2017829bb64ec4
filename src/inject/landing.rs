//! Where values land: the operator's rules for kinds of objects, and what the rules for paths only report. Runs only where
//! there are such rules, as documents are parsed once more for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::locate::Locator;
use super::place::Work;
use super::{Plan, Stream};
use crate::diagnostics::{Diagnostic, Span};
use crate::manifest::Document;
use crate::policy::{Landing, Policy};
use crate::secret::SecretId;
use crate::yaml::tree::{NodeId, NodeKind, Tree};

/// What the rules say of a stream, each with its place: errors or warnings, by the policy's mode.
pub(super) fn check(stream: &Stream<'_>, plan: &Plan, policy: &Policy) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    if policy.kinds.is_none() && plan.reported.is_empty() {
        return told;
    }
    for work in stream.works.iter().flatten() {
        let source = &stream.sources[work.source];
        let locator = Locator::new(source, work);
        for (secret, span) in secrets(work) {
            let reported = plan.reported.get(secret).cloned();
            told.extend(reported.map(|warning| warning.at(locator.span(span))));
        }
        if policy.kinds.is_some() {
            let refused = landings(work, source.text(), policy);
            told.extend(refused.map(|(refusal, span)| refusal.at(locator.span(span))));
        }
    }
    told
}

/// The secrets of a document and where they are asked for.
fn secrets<'w>(work: &'w Work<'_>) -> impl Iterator<Item = (&'w SecretId, Span)> {
    let annotated = work
        .annotated
        .as_deref()
        .map(|(secret, span)| (secret, *span));
    let expanded = work
        .expand
        .as_deref()
        .map(|expand| (&expand.secret, expand.span));
    let placed = work.places.iter().flat_map(|place| {
        let secrets = place
            .text
            .references()
            .into_iter()
            .filter_map(|reference| reference.secret.as_ref());
        secrets.map(|secret| (secret, place.site.span))
    });
    annotated.into_iter().chain(expanded).chain(placed)
}

/// The values of a document that may not land where they do.
fn landings(
    work: &Work<'_>,
    text: &str,
    policy: &Policy,
) -> impl Iterator<Item = (Diagnostic, Span)> {
    let document = Document::read(text, work.chunk, work.format);
    let document = document.ok().and_then(|(document, _)| document);
    let spans = document
        .as_ref()
        .map_or_else(Vec::new, |document| spots(document, work));
    let api_version = document.as_ref().map_or("", api_version);
    let kind = document.as_ref().map_or("", Document::kind);
    let refused: Vec<_> = spans
        .into_iter()
        .filter_map(|(entry, span)| {
            let landing = Landing {
                api_version,
                kind,
                entry: &entry,
            };
            Some((policy.refuse_landing(landing)?, span))
        })
        .collect();
    refused.into_iter()
}

/// Each spot where a value comes to stand, also by an alias, with the entry at the top that holds it.
fn spots(document: &Document<'_>, work: &Work<'_>) -> Vec<(Arc<str>, Span)> {
    let tree = &document.tree;
    let starts: BTreeSet<usize> = work
        .places
        .iter()
        .map(|place| place.site.span.start)
        .collect();
    let holds = |span: Span| starts.range(span.range()).next().is_some();
    let entries = entries(document);
    let mut spots: Vec<(Arc<str>, Span)> = Vec::new();
    let expanded = work.expand.as_deref();
    spots.extend(expanded.map(|expand| (Arc::from("data"), expand.span)));
    for id in 0..tree.len() {
        let span = document.span(id);
        let lands = match &tree.node(id).kind {
            NodeKind::Alias(target) => holds(document.span(*target)),
            NodeKind::Scalar(..) => starts.contains(&span.start),
            _ => false,
        };
        if lands {
            // The last entry that begins before it: a value ends where the next key begins.
            let behind = entries.partition_point(|(start, _)| *start <= span.start);
            let entry = behind.checked_sub(1).map(|index| &entries[index].1);
            spots.push((entry.map_or_else(|| Arc::from(""), Arc::clone), span));
        }
    }
    spots
}

/// Where each entry at the top of the document begins, and its key; a key that is no text is empty.
fn entries(document: &Document<'_>) -> Vec<(usize, Arc<str>)> {
    let tree = &document.tree;
    let entries = match tree.node(Tree::ROOT).kind {
        NodeKind::Mapping(..) => tree.entries(Tree::ROOT),
        _ => &[],
    };
    let entry = |(key, _): &(NodeId, NodeId)| {
        let name = tree.string(*key).unwrap_or_default();
        (document.span(*key).start, Arc::from(name))
    };
    entries.iter().map(entry).collect()
}

fn api_version<'d>(document: &'d Document<'_>) -> &'d str {
    let tree = &document.tree;
    match tree.node(Tree::ROOT).kind {
        NodeKind::Mapping(..) => tree
            .get(Tree::ROOT, "apiVersion")
            .and_then(|id| tree.string(id))
            .unwrap_or_default(),
        _ => "",
    }
}
