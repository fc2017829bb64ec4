//! Why an encrypted text cannot be opened. No message holds a value: what stands in the file at a place where
//! something encrypted belongs may be the secret itself.

use std::fmt;

use crate::diagnostics::{Explain, Fault, Span};
use crate::yaml::SyntaxError;

/// A failure of the whole text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text does not have its format's syntax.
    #[error("{0}")]
    Syntax(SyntaxError),
    /// It has the syntax, but SOPS knows no such tree.
    #[error("{reason}")]
    Structure {
        /// What is wrong.
        reason: String,
        /// Where.
        span: Span,
    },
    /// There is a `sops` block already, so the text cannot be encrypted.
    #[error("a top-level entry is called sops: the file is encrypted already")]
    Encrypted,
    /// The configuration has rules, and none is for this file. In sops's words, which people search for.
    #[error("no matching creation rules found")]
    NoRule,
    /// The configuration says something wrong.
    #[error("the configuration is wrong: {0}")]
    Config(String),
    /// There is nothing to encrypt.
    #[error("the file holds no document")]
    Empty,
    /// There is no `sops` block.
    #[error("sops metadata not found")]
    NoMetadata,
    /// The `sops` block says something wrong.
    #[error("the sops block is broken: {0}")]
    Metadata(String),
    /// For whom, or by which rule, a file is to be encrypted is said wrongly.
    #[error("{0}")]
    Recipe(String),
    /// No master key could be used.
    #[error("no key at hand opens this file")]
    NoKey(Box<NoKey>),
    /// A master key could not be used to encrypt.
    #[error("could not encrypt the data key for {key}: {reason}")]
    Wrap {
        /// What messages call the key.
        key: String,
        /// Why.
        reason: String,
        /// What to try.
        hint: Option<String>,
    },
    /// A value cannot be decrypted.
    #[error("could not decrypt {path}: {reason}")]
    Value {
        /// Its keys, joined by dots.
        path: String,
        /// Where it stands.
        span: Span,
        /// Why.
        reason: ValueError,
    },
    /// The MAC cannot be decrypted.
    #[error("the file's MAC cannot be decrypted: {0}")]
    BrokenMac(ValueError),
    /// There is no MAC.
    #[error("the file has no MAC")]
    NoMac,
    /// The MAC is of other values.
    #[error("MAC mismatch: the file's values are not those that were encrypted")]
    MacMismatch,
}

/// Why a single value cannot be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A text where something encrypted belongs.
    #[error("a text that is not encrypted stands where the file's rules want an encrypted one")]
    NotEncrypted,
    /// A number or the like where something encrypted belongs.
    #[error("expected an encrypted text, found a value of type {0}")]
    NotText(&'static str),
    /// The parts in `ENC[…]` are not what they should be.
    #[error("the encrypted text is damaged")]
    Damaged,
    /// Another key, another place, or changed bytes.
    #[error(
        "message authentication failed: the value was changed or moved, or the key is another one"
    )]
    Authentication,
    /// What was decrypted is not what its type says.
    #[error("the decrypted text is no {0}")]
    Type(&'static str),
    /// A type that nobody writes.
    #[error("unknown data type")]
    UnknownType,
    /// An encrypted comment that the rule would take for its mark.
    #[error(
        "a comment's encrypted text matches unencrypted_comment_regex, so what follows it could not be read again"
    )]
    LooksLikeRule,
    /// A comment in the place of a mapping's value.
    #[error("a comment stands in the place of a value")]
    Comment,
}

/// What was tried, for people.
#[derive(Debug, Default)]
pub struct NoKey {
    /// Who can open the file.
    pub recipients: Vec<String>,
    /// What happened with keys that were tried, or could not be.
    pub failures: Vec<String>,
    /// Where keys were looked for.
    pub places: Vec<String>,
    /// How many key groups were opened, and how many must be, if the file has several.
    pub groups: Option<(usize, usize)>,
    /// What to try.
    pub hint: Option<String>,
}

impl Error {
    /// Something wrong at a place.
    pub(super) fn structure(span: Span, reason: impl Into<String>) -> Self {
        Self::Structure {
            reason: reason.into(),
            span,
        }
    }

    /// Where in the text it is, if it is about a place.
    pub fn position(&self) -> Option<usize> {
        match self {
            Self::Syntax(error) => Some(error.position),
            Self::Structure { span, .. } | Self::Value { span, .. } => Some(span.start),
            _ => None,
        }
    }

    /// What lies below the message.
    pub fn causes(&self) -> Vec<String> {
        match self {
            Self::NoKey(tried) => tried.causes(),
            _ => Vec::new(),
        }
    }
}

impl NoKey {
    /// What to say below the message.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        if let Some((opened, needed)) = self.groups {
            causes.push(format!(
                "{opened} of its key groups could be opened, {needed} are needed"
            ));
        }
        if !self.recipients.is_empty() {
            causes.push(format!("it was encrypted for {}", Listed(&self.recipients)));
        }
        if !self.failures.is_empty() {
            causes.push(Listed(&self.failures).to_string());
        }
        if !self.places.is_empty() {
            causes.push(format!("keys were looked for in {}", Listed(&self.places)));
        }
        causes
    }
}

/// A list that stays readable when it is long.
struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        let shown = &self.0[..self.0.len().min(SHOWN)];
        f.write_str(&shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Explain for Error {
    fn fault(&self) -> Fault {
        match self {
            Self::NoKey(_) | Self::Wrap { .. } => Fault::Backend,
            _ => Fault::Input,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoMetadata => {
                "it is not encrypted: sops encrypt does that; a store of type file reads it as it is"
            }
            Self::NoKey(tried) => return tried.hint.clone(),
            Self::Wrap { hint, .. } => return hint.clone(),
            Self::Value { .. } | Self::NoMac | Self::MacMismatch | Self::BrokenMac(_) => {
                "a change by hand or a merge can do this: take the file from a good commit, or encrypt it anew"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
