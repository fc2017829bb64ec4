//! A string of a document as layers of text with references in them.
//!
//! Each layer knows how it was written into the one around it, so references in decoded text need no special case.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use crate::placeholder::{self, Placeholder, Scope};
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
            let layer = |decoded: Vec<u8>| self.layer(Cow::Owned(decoded), self.scope, 1);
            let parts = base64(&bytes, layer).into_iter().collect();
            return Text { bytes, parts };
        }
        self.layer(bytes, self.scope, 0)
    }

    fn layer<'s>(&self, bytes: Cow<'s, [u8]>, scope: &Scope, depth: usize) -> Text<'s> {
        let references = placeholder::parse(&bytes, scope);
        self.with_layers(bytes, references, scope, depth)
    }

    /// A text with these references, and with what is written inside it.
    fn with_layers<'s>(
        &self,
        bytes: Cow<'s, [u8]>,
        references: Vec<Placeholder>,
        scope: &Scope,
        depth: usize,
    ) -> Text<'s> {
        let reference = |found: Placeholder| Part {
            range: found.range,
            content: Content::Reference(found.reference),
        };
        let mut parts: Vec<Part<'s>> = references.into_iter().map(reference).collect();
        if depth < MAX_LAYERS {
            if parts.is_empty() && self.secret {
                parts.extend(base64(&bytes, |decoded| {
                    self.decoded(decoded, scope, depth)
                }));
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

    /// A text that was base64 at this depth. Only the first layer may hold generic placeholders, and its references
    /// count only where one of them stays within a line, as in AVP.
    fn decoded<'s>(&self, decoded: Vec<u8>, scope: &Scope, depth: usize) -> Text<'s> {
        let decoded = Cow::Owned(decoded);
        if depth > 0 {
            self.layer(decoded, &scope.inline_only(), depth + 1)
        } else if placeholder::may_hold_generic(&decoded) {
            self.layer(decoded, scope, 1)
        } else {
            self.with_layers(decoded, Vec::new(), scope, 1)
        }
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
        let references: Vec<Range<usize>> = parts.iter().map(|part| part.range.clone()).collect();
        for id in (0..tree.len()).filter(|id| !keys.contains(id)) {
            let NodeKind::Scalar(value, crate::yaml::Style::Json) = &tree.node(id).kind else {
                continue;
            };
            let span = tree.node(id).span;
            let range = span.start + 1..span.end - 1;
            let next = references.partition_point(|reference| reference.end <= range.start);
            let taken = references
                .get(next)
                .is_some_and(|next| next.start < range.end);
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

/// Base64 as the whole text, if there is something to replace in it.
fn base64<'s>(bytes: &[u8], read: impl FnOnce(Vec<u8>) -> Text<'s>) -> Option<Part<'s>> {
    let decoded = decode_base64(std::str::from_utf8(bytes).ok()?)?;
    let content = Content::Nested(Layer::Base64, read(decoded).into_nonempty()?);
    Some(Part {
        range: 0..bytes.len(),
        content,
    })
}

fn keys_of(tree: &Tree<'_>) -> HashSet<NodeId> {
    (0..tree.len())
        .flat_map(|id| tree.entries(id).iter().map(|(key, _)| *key))
        .collect()
}

impl Text<'_> {
    /// Whether there is only white space around a range.
    pub(super) fn is_nothing_but(&self, range: &Range<usize>) -> bool {
        let around = [&self.bytes[..range.start], &self.bytes[range.end..]];
        around.iter().all(|text| text.trim_ascii().is_empty())
    }

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
