//! Where references stand: enough to write an edit without the document's tree, so that trees need not be kept.

use std::borrow::Cow;

use super::text::Text;
use crate::diagnostics::Span;
use crate::manifest::{Format, Identity};
use crate::secret::SecretId;
use crate::yaml::Style;
use crate::yaml::scalar::Scalar;

/// A document in which something is replaced, or whose secret must be readable.
pub(super) struct Work<'s> {
    /// Which of the run's sources.
    pub source: usize,
    /// The document's chunk of the source.
    pub chunk: Span,
    /// YAML or JSON.
    pub format: Format,
    /// Kind and name.
    pub identity: Identity,
    /// Whether values that are no strings are written as text (`ConfigMap`).
    pub stringify: bool,
    /// The secret of the `path` annotation and where the annotation stands.
    pub annotated: Option<(SecretId, Span)>,
    /// The strings that hold references, in document order.
    pub places: Vec<Place<'s>>,
}

/// A string that holds references.
pub(super) struct Place<'s> {
    /// Where it is written.
    pub site: Site,
    /// The scalar's decoded text; base64 for `!!binary`.
    pub decoded: Cow<'s, str>,
    /// Its layers.
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
    /// A `!!str` or `!!binary` tag, which a value that is no string must lose.
    pub tag: Option<Span>,
    pub in_flow: bool,
    /// Whether an alias stands there: it is written whole.
    pub alias: bool,
    /// Whether it is base64 by its tag.
    pub binary: bool,
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
