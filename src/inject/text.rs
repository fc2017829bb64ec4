//! A string of a document as layers of text with references in them.
//!
//! Each layer knows how it was written into the one around it, so references in decoded text need no special case.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use crate::placeholder::{self, Scope};
use crate::secret::Reference;
use crate::yaml::json::JsonReader;
use crate::yaml::tree::{NodeId, NodeKind, Tree};
use crate::yaml::{decode_base64, writer};

/// How deep layers may lie in each other: base64 of JSON of base64 is what people have.
const MAX_LAYERS: usize = 4;

/// A text and what is replaced in it. Never printed: it may be decoded from a Secret.
pub(super) struct Text<'s> {
    /// The text as it reads in its layer. Not necessarily UTF-8 below the first.
    pub bytes: Cow<'s, [u8]>,
    /// In order, not overlapping.
    pub parts: Vec<Part<'s>>,
}

/// A part of a text.
pub(super) struct Part<'s> {
    pub range: Range<usize>,
    pub content: Content<'s>,
}

pub(super) enum Content<'s> {
    Reference(Reference),
    /// A text written inside this one.
    Nested(Layer, Text<'s>),
}

/// How a text is written into the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// Standard padded base64.
    Base64,
    /// The inside of a JSON string.
    JsonString,
}

impl Layer {
    /// The text of the layer around; `None` when this one must be UTF-8 and is not.
    pub(super) fn encode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Base64 => Some(crate::yaml::encode_base64(bytes)),
            Self::JsonString => {
                let mut inside = String::new();
                writer::escape_into(&mut inside, std::str::from_utf8(bytes).ok()?);
                Some(inside)
            }
        }
    }
}

/// How the strings of a document are read.
pub(super) struct Reading<'a> {
    pub scope: &'a Scope,
    /// In a Secret, base64 is looked into.
    pub secret: bool,
}

impl Reading<'_> {
    /// The layers of a string; without parts when there is nothing to replace. A `binary` string is base64 in any kind.
    pub(super) fn read<'s>(&self, string: Cow<'s, str>, binary: bool) -> Text<'s> {
        let bytes = match string {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        if binary {
            let parts = self.base64(&bytes, self.scope, 0).into_iter().collect();
            return Text { bytes, parts };
        }
        self.layer(bytes, self.scope, 0)
    }

    fn layer<'s>(&self, bytes: Cow<'s, [u8]>, scope: &Scope, depth: usize) -> Text<'s> {
        let reference = |found: placeholder::Placeholder| Part {
            range: found.range,
            content: Content::Reference(found.reference),
        };
        let mut parts: Vec<Part<'s>> = placeholder::parse(&bytes, scope)
            .into_iter()
            .map(reference)
            .collect();
        if depth < MAX_LAYERS {
            if parts.is_empty() && self.secret {
                parts.extend(self.base64(&bytes, scope, depth));
            }
            if parts
                .iter()
                .all(|part| matches!(part.content, Content::Reference(_)))
            {
                self.json_strings(&bytes, scope, depth, &mut parts);
            }
        }
        // Texts are kept for the whole run, and most have one part.
        parts.shrink_to_fit();
        Text { bytes, parts }
    }

    /// Base64 as the whole text. Only the first layer may hold generic placeholders, as in AVP.
    fn base64<'s>(&self, bytes: &[u8], scope: &Scope, depth: usize) -> Option<Part<'s>> {
        let decoded = decode_base64(std::str::from_utf8(bytes).ok()?)?;
        let inner = if depth == 0 {
            self.layer(Cow::Owned(decoded), scope, depth + 1)
        } else {
            self.layer(Cow::Owned(decoded), &scope.inline_only(), depth + 1)
        };
        let content = Content::Nested(Layer::Base64, inner.into_nonempty()?);
        Some(Part {
            range: 0..bytes.len(),
            content,
        })
    }

    /// JSON as the whole text, in a Secret: strings that hide a reference behind escapes or base64. Elsewhere AVP's users
    /// rely on such text to stay.
    fn json_strings(&self, bytes: &[u8], scope: &Scope, depth: usize, parts: &mut Vec<Part<'_>>) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        if !self.secret || !text.trim_start().starts_with(['{', '[']) {
            return;
        }
        let Ok(Some(tree)) = Tree::read(&mut JsonReader::new(text)) else {
            return;
        };
        let keys = keys_of(&tree);
        for id in (0..tree.len()).filter(|id| !keys.contains(id)) {
            let NodeKind::Scalar(value, crate::yaml::Style::Json) = &tree.node(id).kind else {
                continue;
            };
            let span = tree.node(id).span;
            let range = span.start + 1..span.end - 1;
            let taken = parts
                .iter()
                .any(|part| part.range.start < range.end && range.start < part.range.end);
            if taken || value.is_empty() {
                continue;
            }
            let inner = self.layer(
                Cow::Owned(value.as_bytes().to_vec()),
                &scope.inline_only(),
                depth + 1,
            );
            if let Some(inner) = inner.into_nonempty() {
                parts.push(Part {
                    range,
                    content: Content::Nested(Layer::JsonString, inner),
                });
            }
        }
        parts.sort_by_key(|part| part.range.start);
    }
}

fn keys_of(tree: &Tree<'_>) -> HashSet<NodeId> {
    (0..tree.len())
        .flat_map(|id| tree.entries(id).iter().map(|(key, _)| *key))
        .collect()
}

impl Text<'_> {
    fn into_nonempty(self) -> Option<Self> {
        (!self.parts.is_empty()).then_some(self)
    }

    /// All references, in order, in all layers.
    pub(super) fn references(&self) -> Vec<&Reference> {
        let mut all = Vec::new();
        for part in &self.parts {
            match &part.content {
                Content::Reference(reference) => all.push(reference),
                Content::Nested(_, text) => all.extend(text.references()),
            }
        }
        all
    }
}
