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
use crate::yaml::{SyntaxError, lines};

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

    /// A syntax error of `text`, a chunk that begins at `offset`.
    fn syntax(error: &SyntaxError, text: &str, format: Format, offset: usize) -> Self {
        let (language, phrase, hints) = match format {
            Format::Yaml => ("YAML", "error converting YAML to JSON: yaml", YAML_HINTS),
            Format::Json => ("JSON", "json", JSON_HINTS),
        };
        let message = format!("this is not {language}: {}", error.message);
        let position = match format {
            Format::Yaml if error.message.contains("tab") => indenting_tab(text, error.position),
            _ => error.position,
        };
        let hint = hints.iter().find(|(part, _)| error.message.contains(part));
        Self {
            hint: hint.map(|(_, hint)| (*hint).to_owned()),
            ..Self::new(message, Span::at(offset + position))
                .with_avp(format!("{phrase}: {}", error.message))
        }
    }
}

/// What to try, by a part of the reader's message.
#[rustfmt::skip]
const YAML_HINTS: &[(&str, &str)] = &[
    ("tab", "YAML forbids tabs here: use spaces"),
    ("unclosed quote", "the quote that opens here is not closed"),
    ("unclosed bracket", "the bracket that opens here is not closed"),
    ("misplaced bracket", "put the value in quotes"),
    ("unexpected character", "put the value in quotes: no text without quotes begins like this"),
    ("mapping values are not allowed", "check the indentation, or put a value that holds a colon and a space in quotes"),
    ("did not find expected key", "check the indentation and the quotes in front of this place"),
    ("simple key expected", "a key has a colon and a space behind it"),
    ("unknown escape", r"in double quotes a \ begins an escape: write \\, or use single quotes"),
    ("trailing content", r#"put the whole value in quotes; within them write \" in double ones, and '' in single ones"#),
    ("block sequence entries are not allowed", "begin a list on a line of its own"),
    ("unknown anchor", "put a text that begins with * in quotes: it is an alias without them"),
];
const JSON_HINTS: &[(&str, &str)] = &[(
    "beginning of an object key",
    "a key stands in double quotes, and no comma behind the last entry",
)];

/// The tab in the indentation of a line that the YAML reader means, which may have noticed it lines before or behind it.
fn indenting_tab(text: &str, position: usize) -> usize {
    let start = lines::start_of(text, position);
    let tab = |line: lines::Line<'_>| {
        let indentation = line.content.len() - line.content.trim_start().len();
        Some(line.start + line.content[..indentation].find('\t')?)
    };
    lines::of(text, start, text.len())
        .find_map(tab)
        .unwrap_or(position)
}

impl Explain for Error {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
