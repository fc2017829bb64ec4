//! What looks like a mistake in a document that can be rendered all the same. `docs/warnings.md` shows an example of each.

use std::collections::HashSet;

use super::document::{ANNOTATIONS, IGNORE, REMOVE_MISSING};
use super::place::Place;
use super::unknown;
use crate::diagnostics::{Diagnostic, Span, Warning, nearest};
use crate::manifest::{Document, Position, StringNode, Strings};
use crate::placeholder::{self, Scope};
use crate::yaml::tree::{NodeId, NodeKind, Tree};
use crate::yaml::{Style, decode_base64, lines};

/// How the annotations begin that mean something to us.
const OURS: [&str; 2] = ["avp.kubernetes.io/", "manifuse.io/"];
const OF_ITS_OWN: &str = "make the item a document of its own";

/// What Go takes for false.
const FALSE: [&str; 6] = ["0", "f", "F", "FALSE", "false", "False"];

/// The warnings and where they belong.
pub(super) fn of(
    document: &Document<'_>,
    strings: &Strings<'_>,
    scope: &Scope,
    places: &[Place<'_>],
) -> Vec<(Diagnostic, Span)> {
    let mut suspect = Suspect {
        document,
        scope,
        told: Vec::new(),
    };
    for string in &strings.strings {
        suspect.unknown_backend(string);
        if string.node == string.scalar {
            suspect.unreplaced(string);
            suspect.malformed(string);
            suspect.cut(string);
        }
    }
    suspect.unknown_annotations();
    suspect.items();
    suspect.metadata(places);
    suspect.told
}

/// The annotations of an object that begin like ours: their names, and where these stand.
fn ours<'d>(tree: &'d Tree<'_>, object: NodeId) -> impl Iterator<Item = (&'d str, NodeId)> {
    let annotations = tree
        .get(object, "metadata")
        .and_then(|metadata| tree.get(metadata, "annotations"));
    let entries = annotations.map_or(&[][..], |annotations| tree.entries(annotations));
    let named = entries
        .iter()
        .filter_map(|(key, _)| Some((tree.text(*key)?, *key)));
    named.filter(|(name, _)| OURS.iter().any(|ours| name.starts_with(ours)))
}

/// What stands in brackets on one line, without other brackets inside.
fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('<').filter_map(|(start, _)| {
        let inner = &text[start + 1..];
        let end = inner.find(['<', '>', '\n'])?;
        let closed = inner[end..].starts_with('>');
        closed.then(|| &text[start..start + end + 2])
    })
}

struct Suspect<'d, 's> {
    document: &'d Document<'s>,
    scope: &'d Scope,
    told: Vec<(Diagnostic, Span)>,
}

impl Suspect<'_, '_> {
    fn tell(&mut self, node: NodeId, warning: Diagnostic) {
        self.told.push((warning, self.document.span(node)));
    }

    fn unknown_backend(&mut self, string: &StringNode<'_>) {
        if let Some(message) = unknown::warning(string.text, self.scope) {
            self.tell(
                string.node,
                Diagnostic::warning(Warning::MisspeltBackend, message),
            );
        }
    }

    /// Inline placeholders where nothing is replaced are most likely a mistake (D15).
    fn unreplaced(&mut self, string: &StringNode<'_>) {
        if string.position == Position::Fixed && self.refers(string.text.as_bytes()) {
            let message = "a placeholder in a key or in a list within a list is not replaced";
            self.tell(
                string.node,
                Diagnostic::warning(Warning::UnreplacedPlaceholder, message),
            );
        }
    }

    fn refers(&self, text: &[u8]) -> bool {
        !placeholder::parse(text, &self.scope.inline_only()).is_empty()
    }

    /// Whether a text begins with a reference.
    fn opens(&self, text: &str) -> bool {
        let found = placeholder::parse(text.as_bytes(), &self.scope.inline_only());
        found.first().is_some_and(|found| found.range.start == 0)
    }

    /// What begins like an inline placeholder and is none. With the annotation it is a generic one, whose failure is told.
    fn malformed(&mut self, string: &StringNode<'_>) {
        let is_malformed = |whole: &str| self.is_malformed(whole, whole == string.text.trim());
        if self.scope.generic.is_none() && bracketed(string.text).any(is_malformed) {
            let message = "a placeholder that is not <NAME:PATH#KEY> is not replaced";
            let warning = Diagnostic::warning(Warning::UnreplacedPlaceholder, message);
            let hint = "it ends in #KEY, or in #KEY#VERSION";
            self.tell(string.node, warning.with_hint(hint));
        }
    }

    /// `<path:secret/web>`. Routes of web servers look like `<path:id>`, so it must look like a path, or stand alone.
    fn is_malformed(&self, bracketed: &str, alone: bool) -> bool {
        let inner = bracketed.trim_matches(['<', '>']);
        let Some((name, rest)) = inner.split_once(':') else {
            return false;
        };
        let path = rest.split('|').next().unwrap_or_default().trim_end();
        let is_ours = name == "path" || self.scope.backends.iter().any(|known| **known == *name);
        let is_path = path.contains(['/', '#']) && !path.starts_with("//");
        let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        // Nearly all are references, and need not be parsed again to see it.
        let has_key = path
            .split_once('#')
            .is_some_and(|(path, key)| !path.is_empty() && !key.is_empty() && !key.contains('#'));
        is_ours
            && !has_key
            && (is_path || alone && !path.is_empty())
            && !path.contains(odd)
            && !self.refers(bracketed.as_bytes())
    }

    /// A reference whose end is lost: `a: <path:x #y>`, where the reader ends the value in front of the ` #`, and
    /// `{a: <path:x#y | replace a,b c>}`, where it ends at the comma.
    fn cut(&mut self, string: &StringNode<'_>) {
        let Some(value) = string.text.rfind('<').map(|open| &string.text[open..]) else {
            return;
        };
        if value.contains('>') {
            return;
        }
        let node = self.document.tree.node(string.scalar);
        let plain = matches!(node.kind, NodeKind::Scalar(_, Style::Plain));
        let text = self.document.text;
        let behind = &text[node.span.end..lines::end_of(text, node.span.end)];
        let next = behind.trim_start().chars().next().filter(|_| plain);
        let line = value.lines().next().unwrap_or_default();
        let quotes = "put the value in quotes";
        let (message, hint) = if next == Some('#') && self.opens(&format!("{value}{behind}")) {
            (
                "a placeholder is cut off by its #, which begins a comment behind a space",
                quotes,
            )
        } else if !self.opens(&format!("{line}>")) {
            return;
        } else if next == Some(',') {
            (
                "a placeholder is cut off by a comma, which ends a value in brackets",
                quotes,
            )
        } else {
            ("a placeholder has no > at its end", "write > behind it")
        };
        let warning = Diagnostic::warning(Warning::CutReference, message);
        self.tell(string.node, warning.with_hint(hint));
    }

    /// Items of a list (`kind: List`, `kind: SecretList`) are no documents (D17): their annotations have no effect, nor
    /// has their kind.
    fn items(&mut self) {
        let tree = &self.document.tree;
        let Some(of) = self.document.kind().strip_suffix("List") else {
            return;
        };
        let items = tree
            .get(Tree::ROOT, "items")
            .map_or(&[][..], |items| tree.items(items));
        for item in items {
            self.annotations_of(*item);
            let kind = tree.get(*item, "kind").and_then(|kind| tree.string(kind));
            if kind.unwrap_or(of) == "Secret" {
                self.base64_of(*item);
            }
        }
    }

    /// A mistyped annotation lets its document through as it is, and so does a truth value that Go does not know.
    fn unknown_annotations(&mut self) {
        for name in [IGNORE, REMOVE_MISSING] {
            let annotations = self.document.annotations();
            if let Some((text, span)) = annotations.get(name)
                && !(annotations.is_true(name) || FALSE.contains(&text))
            {
                let message =
                    format!("the annotation {name} is neither true nor false, and has no effect");
                let warning = Diagnostic::warning(Warning::UnknownAnnotation, message);
                let hint = "write \"true\" or \"false\"";
                self.told.push((warning.with_hint(hint), span));
            }
        }
        for (name, key) in ours(&self.document.tree, Tree::ROOT) {
            if ANNOTATIONS.contains(&name) {
                continue;
            }
            let message = format!("the annotation {name} is not known, and has no effect");
            let mut warning = Diagnostic::warning(Warning::UnknownAnnotation, message);
            warning.hint = nearest(name, ANNOTATIONS).map(|near| format!("did you mean {near}?"));
            self.tell(key, warning);
        }
    }

    fn annotations_of(&mut self, item: NodeId) {
        for (name, key) in ours(&self.document.tree, item) {
            let message = format!("the annotation {name} of an item of a List has no effect");
            let warning = Diagnostic::warning(Warning::ListItems, message);
            self.tell(key, warning.with_hint(OF_ITS_OWN));
        }
    }

    fn base64_of(&mut self, item: NodeId) {
        let tree = &self.document.tree;
        let data = tree
            .get(item, "data")
            .map_or(&[][..], |data| tree.entries(data));
        for (_, value) in data {
            let decoded = tree.string(*value).and_then(decode_base64);
            if decoded.is_some_and(|decoded| self.refers(&decoded)) {
                let message = "a placeholder in base64 in an item of a List is not replaced";
                let warning = Diagnostic::warning(Warning::ListItems, message);
                self.tell(*value, warning.with_hint(OF_ITS_OWN));
            }
        }
    }

    /// Annotations and labels are shown to everybody, and kubectl copies them (D58). Digests are there for just that.
    fn metadata(&mut self, places: &[Place<'_>]) {
        if places.is_empty() {
            return;
        }
        let tree = &self.document.tree;
        let field = |id, name| tree.get(id, name).map(|id| tree.target(id));
        let values: HashSet<usize> = (0..tree.len())
            .filter_map(|id| field(id, "metadata"))
            .flat_map(|metadata| [field(metadata, "annotations"), field(metadata, "labels")])
            .flatten()
            .flat_map(|map| tree.entries(map))
            .map(|(_, value)| self.document.span(*value).start)
            .collect();
        for place in places
            .iter()
            .filter(|place| values.contains(&place.site.span.start))
        {
            let is_digest = |transforms: &[String]| {
                transforms
                    .last()
                    .is_some_and(|last| last.starts_with("sha"))
            };
            if place
                .text
                .references()
                .iter()
                .any(|reference| !is_digest(&reference.transforms))
            {
                let message = "a secret is put into an annotation or a label";
                self.told.push((
                    Diagnostic::warning(Warning::SecretInMetadata, message),
                    place.site.span,
                ));
            }
        }
    }
}
