//! The grammar: text into literal pieces and references, with byte ranges.
//!
//! Knows no modifier and no backend: names that a syntax accepts come in the [`Scope`]. A further syntax is one file
//! with its needles and one line in the table of syntaxes.

use std::ops::Range;
use std::sync::Arc;

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
