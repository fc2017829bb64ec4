//! Events: the parser crate's view of a text, in our words, with byte spans.
//!
//! Two readers produce them: [`super::parser`] (YAML, by the parser crate) and [`super::json`] (strict JSON). Nothing
//! else in the program names the parser crate.

use std::borrow::Cow;
use std::fmt;

use crate::diagnostics::Span;

/// One event and the bytes it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// What it is.
    pub kind: EventKind<'a>,
    /// A scalar's whole token with its quotes; for block scalars the content from the first character after the header
    /// and its indentation. Collections: the opening character, or an empty span where the first entry begins.
    pub span: Span,
    /// Anchor and tag of a node.
    pub properties: Properties,
}

/// What an event says.
#[derive(Clone, PartialEq, Eq)]
pub enum EventKind<'a> {
    /// A document begins.
    DocumentStart,
    /// A document ends.
    DocumentEnd,
    /// A scalar and its decoded text.
    Scalar(Cow<'a, str>, Style),
    /// A sequence begins.
    SequenceStart(Layout),
    /// A sequence ends.
    SequenceEnd,
    /// A mapping begins.
    MappingStart(Layout),
    /// A mapping ends.
    MappingEnd,
    /// An alias to the anchor of that number.
    Alias(usize),
    /// A comment: its text after the `#`.
    Comment(Cow<'a, str>),
}

/// Texts by their length: a secret may be read through events.
impl fmt::Debug for EventKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DocumentStart => f.write_str("DocumentStart"),
            Self::DocumentEnd => f.write_str("DocumentEnd"),
            Self::Scalar(text, style) => write!(f, "Scalar({} bytes, {style:?})", text.len()),
            Self::SequenceStart(layout) => write!(f, "SequenceStart({layout:?})"),
            Self::SequenceEnd => f.write_str("SequenceEnd"),
            Self::MappingStart(layout) => write!(f, "MappingStart({layout:?})"),
            Self::MappingEnd => f.write_str("MappingEnd"),
            Self::Alias(anchor) => write!(f, "Alias({anchor})"),
            Self::Comment(text) => write!(f, "Comment({} bytes)", text.len()),
        }
    }
}

/// Anchor and tag. Small, because nearly no node has any and every node is moved about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// The anchor's number within its text; 0 is none.
    pub anchor: usize,
    /// The tag.
    pub tag: Option<Box<Tag>>,
}

/// A tag as it is written at a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Resolved: `tag:yaml.org,2002:str`, `!local`, ….
    pub name: String,
    /// Where it stands, if it is written out.
    pub span: Option<Span>,
}

impl Properties {
    /// The resolved tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_ref().map(|tag| tag.name.as_str())
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`.
    SingleQuoted,
    /// `"…"`, in YAML.
    DoubleQuoted,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
    /// `"…"` in a JSON text; a JSON number or word is [`Style::Plain`].
    Json,
}

/// How a collection is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// By indentation.
    Block,
    /// In brackets.
    Flow,
}

/// A source of events, in document order.
pub trait EventReader<'a> {
    /// The next event, or `None` at the end.
    fn next_event(&mut self) -> Result<Option<Event<'a>>, SyntaxError>;
}

/// A text that is not YAML (or JSON). The message quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where, as a byte offset in the text.
    pub position: usize,
}
