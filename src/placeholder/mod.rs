//! The grammar: text into literal pieces and references, with byte ranges.
//!
//! Knows no modifier and no backend: names that a syntax accepts come in the [`Scope`]. A further syntax is one file
//! with its needles and one line in the table of syntaxes.

mod avp;
mod head;
mod named;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

pub use avp::may_hold_generic;

use crate::secret::{OnMissing, Reference};

/// What a document says about how its text is to be read.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Set when the document carries `avp.kubernetes.io/path`: generic placeholders count.
    pub generic: Option<Generic>,
    /// The backend that `path:` and generic placeholders mean.
    pub default_backend: Arc<str>,
    /// The names that `<NAME:PATH#KEY>` accepts.
    pub backends: Arc<[Arc<str>]>,
    /// `avp.kubernetes.io/kv-version`, also when empty.
    pub kv_version: Option<Arc<str>>,
    /// What a missing key means here.
    pub on_missing: OnMissing,
}

impl Scope {
    /// The same without generic placeholders: what counts in base64 within base64 and in JSON strings.
    #[must_use]
    pub fn inline_only(&self) -> Self {
        Self {
            generic: None,
            ..self.clone()
        }
    }
}

/// The secret that generic placeholders of a document refer to.
#[derive(Clone, Debug)]
pub struct Generic {
    /// The path; `None` when the annotation is empty, so that every generic placeholder is missing.
    pub path: Option<Arc<str>>,
    /// `avp.kubernetes.io/secret-version`.
    pub version: Option<Arc<str>>,
}

/// A reference and the bytes of the text that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// The bytes to replace, brackets included.
    pub range: Range<usize>,
    /// What it refers to.
    pub reference: Reference,
}

/// One way to write a reference.
struct Syntax {
    /// A text that holds a reference of this syntax holds at least one of these.
    needles: &'static [&'static str],
    /// All references of this syntax, in order, none overlapping another.
    find: fn(&[u8], &Scope) -> Vec<Placeholder>,
}

/// All syntaxes; where two claim the same bytes, the upper one has them.
///
/// AVP's inline form stands first: what AVP can read means the same here. Its generic form stands last: it takes any
/// text in brackets for a key, and a key that looks like `NAME:PATH#KEY` would only be a missing one.
const SYNTAXES: &[Syntax] = &[avp::INLINE, named::NAMED, avp::GENERIC];

/// Byte strings at least one of which occurs in every text that holds a reference.
pub fn needles() -> impl Iterator<Item = &'static [u8]> {
    SYNTAXES
        .iter()
        .flat_map(|syntax| syntax.needles)
        .map(|needle| needle.as_bytes())
}

/// The references of a text that stands in `scope`: from left to right, without overlap, in time linear in its length.
///
/// The text need not be UTF-8. Every reference is `typed`; who decoded the text from another one changes that.
pub fn parse(text: &[u8], scope: &Scope) -> Vec<Placeholder> {
    // Every syntax opens with this byte, and most texts have none.
    if !text.contains(&b'<') {
        return Vec::new();
    }
    SYNTAXES.iter().fold(Vec::new(), |taken, syntax| {
        join(taken, (syntax.find)(text, scope))
    })
}

/// Both lists in order, without the `further` ones that overlap a `taken` one.
fn join(taken: Vec<Placeholder>, further: Vec<Placeholder>) -> Vec<Placeholder> {
    if taken.is_empty() {
        return further;
    }
    let mut joined = Vec::with_capacity(taken.len() + further.len());
    let mut taken = taken.into_iter().peekable();
    for placeholder in further {
        while let Some(before) = taken.next_if(|t| t.range.end <= placeholder.range.start) {
            joined.push(before);
        }
        let free = taken
            .peek()
            .is_none_or(|next| placeholder.range.end <= next.range.start);
        if free {
            joined.push(placeholder);
        }
    }
    joined.extend(taken);
    joined
}
