//! What the clients of AWS, Google Cloud, Azure and of single services have in common: why a service did not do what it
//! was asked for, and how its words are shown.

use std::error::Error as StdError;
use std::fmt;
#[cfg(any(feature = "aws", feature = "azure"))]
use std::io;

use super::http;
use crate::env::SettingsError;
use crate::secret::Text;

/// Longer words of a service are cut.
const LONGEST_WORDS: usize = 400;

/// What to try when a service does not take a token that was good a moment ago.
pub(super) const NOT_TAKEN: &str =
    "the token was not taken: has the login expired, and is this machine's clock right?";

/// A failure. The text is for people and holds no secret.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind of failure.
    pub kind: ErrorKind,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

/// Kinds of failure, decided by type and status, never by a service's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such thing.
    Absent,
    /// Not logged in, or not allowed.
    Denied,
    /// No answer: connection, TLS, time, too many requests, 5xx.
    Unreachable,
    /// An answer that makes no sense.
    Malformed,
    /// Wrong settings or credentials on our side.
    Settings,
}

impl ErrorKind {
    /// What a status that is no success means.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            404 => Self::Absent,
            408 | 429 | 500.. => Self::Unreachable,
            400..500 => Self::Denied,
            _ => Self::Malformed,
        }
    }
}

impl Error {
    /// A failure without causes or hint.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// The same with a cause below it, if that says anything.
    #[must_use]
    pub(crate) fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        let cause = cause.to_string();
        if !cause.is_empty() {
            self.causes.push(cause);
        }
        self
    }

    /// The same with what to try.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What lies below the message, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to try.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {}

/// Where nothing has been asked yet.
impl From<Error> for SettingsError {
    fn from(error: Error) -> Self {
        Self {
            message: error.message,
            hint: error.hint,
            setting: None,
        }
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        let kind = match error.kind {
            http::ErrorKind::TooLarge
            | http::ErrorKind::Protocol
            | http::ErrorKind::RedirectAgain
            | http::ErrorKind::RedirectNowhere => ErrorKind::Malformed,
            http::ErrorKind::Header(_) | http::ErrorKind::Setup => ErrorKind::Settings,
            _ => ErrorKind::Unreachable,
        };
        Self {
            kind,
            message: error.to_string(),
            causes: error.causes().to_vec(),
            hint: error.hint().map(ToOwned::to_owned),
        }
    }
}

/// The words of a service or of its client in one line, without credentials. Behind the first line stands what was signed
/// (with a session's token), behind `stderr` what a command of the
/// user's printed, in `body=<` the whole of an answer.
pub(super) fn words(text: &str, secrets: &[Text]) -> String {
    let mut text = text.lines().next().unwrap_or_default().trim().to_owned();
    let lower = text.to_ascii_lowercase();
    let end = ["stderr", ", body=<"]
        .iter()
        .filter_map(|mark| lower.find(mark))
        .min();
    text.truncate(end.unwrap_or(text.len()));
    // Striking out a very short one would tell it by the gaps.
    let long = |secret: &&str| secret.len() >= 4;
    for secret in secrets.iter().filter_map(Text::expose_str).filter(long) {
        text = text.replace(secret, "[redacted]");
    }
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(LONGEST_WORDS).collect()
}

/// An error and all that lies below it.
#[cfg(any(
    feature = "aws",
    feature = "azure",
    feature = "gcp",
    feature = "kubernetes"
))]
pub(super) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// What broke a connection, in the words of the innermost cause.
#[cfg(any(feature = "aws", feature = "azure"))]
pub(super) fn broken_by(error: &(dyn StdError + 'static)) -> String {
    let last = chain(error).last().unwrap_or(error);
    match last.downcast_ref::<io::Error>() {
        Some(error) if error.raw_os_error().is_some() => crate::diagnostics::io_reason(error),
        _ => words(&last.to_string(), &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_neither_credentials_nor_more_than_one_line() {
        let secrets = [Text::from("CANARY-1"), Text::from("a")];
        let shown = words("a bad CANARY-1 here\nCANARY-2", &secrets);
        assert_eq!(shown, "a bad [redacted] here");
        let shown = words("exited with 1. Stderr: CANARY-3", &secrets);
        assert_eq!(shown, "exited with 1. ");
        assert_eq!(words(&"x".repeat(9_000), &[]).len(), LONGEST_WORDS);
    }

    #[test]
    fn kinds_follow_the_status() {
        for (status, kind) in [
            (302, ErrorKind::Malformed),
            (400, ErrorKind::Denied),
            (404, ErrorKind::Absent),
            (429, ErrorKind::Unreachable),
            (503, ErrorKind::Unreachable),
        ] {
            assert_eq!(ErrorKind::of_status(status), kind, "{status}");
        }
    }
}
