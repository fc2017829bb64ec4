//! A stream as Kubernetes documents: where they begin and end, their kind and annotations, and which of their strings
//! may be replaced (`avp-compat.md` 3, 5 and 7.1).

mod document;
mod pass;
mod paths;
mod split;
mod strings;

pub use document::{Annotations, Document, Identity};
pub use pass::FastPath;
pub use paths::Paths;
pub use split::{Chunk, Format, split};
pub use strings::{Listing, Position, StringNode, Strings};

use crate::diagnostics::{Explain, Fault, Span, Warning};
use crate::yaml::SyntaxError;

/// Why a chunk of a stream is no manifest. Quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// Where, in the source text.
    pub span: Span,
    /// What to try.
    pub hint: Option<String>,
    /// AVP's leading phrase for the same failure.
    pub avp: Option<String>,
}

/// What looks wrong in a chunk that is a manifest all the same.
pub type Warned = (Warning, Error);

impl Error {
    fn new(message: impl Into<String>, span: Span) -> Self {
        Self {
            message: message.into(),
            span,
            hint: None,
            avp: None,
        }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    fn with_avp(self, phrase: impl Into<String>) -> Self {
        Self {
            avp: Some(phrase.into()),
            ..self
        }
    }

    /// A syntax error of a chunk that begins at `offset`.
    fn syntax(error: &SyntaxError, format: Format, offset: usize) -> Self {
        let (language, phrase) = match format {
            Format::Yaml => ("YAML", "error converting YAML to JSON: yaml"),
            Format::Json => ("JSON", "json"),
        };
        let message = format!("this is not {language}: {}", error.message);
        let span = Span::at(offset + error.position);
        Self::new(message, span).with_avp(format!("{phrase}: {}", error.message))
    }
}

impl Explain for Error {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
