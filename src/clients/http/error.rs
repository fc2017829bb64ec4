//! Why there is no answer: kinds that decide what to do, and texts with method, host and cause.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::Address;
use crate::diagnostics::io_reason;

/// No answer. The text names method and address; headers, bodies and query are never part of it.
#[derive(Clone, Debug)]
pub struct Error {
    /// What kind of failure.
    pub kind: ErrorKind,
    method: String,
    address: String,
    tries: u32,
    causes: Vec<String>,
}

/// What went wrong between us and an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection, or it broke: worth another try.
    Connection,
    /// TLS does not come about: never worth another try.
    Tls(TlsFault),
    /// The deadline passed.
    Timeout,
    /// The rate limit of the settings leaves no time before the deadline.
    RateLimit,
    /// The answer is larger than the limit.
    TooLarge,
    /// What came is not HTTP, or breaks off in the middle of the head.
    Protocol,
    /// A redirect to another host (named here), where the token must not go.
    RedirectElsewhere(String),
    /// A redirect after a redirect.
    RedirectAgain,
    /// A redirect without a usable target.
    RedirectNowhere,
    /// A value that cannot be sent in this header.
    Header(&'static str),
    /// The TLS settings do not fit together.
    Setup,
}

/// What went wrong with TLS, as far as there is advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// No authority that we trust signed the server's certificate.
    UnknownIssuer,
    /// The server speaks something else.
    NotTls,
    /// Anything else: the cause says it.
    Other,
}

impl Error {
    pub(super) fn new(method: &str, address: &Address, kind: ErrorKind) -> Self {
        Self {
            kind,
            method: method.to_owned(),
            address: address.to_string(),
            tries: 1,
            causes: Vec::new(),
        }
    }

    /// Adds the innermost cause: the layers between repeat each other.
    pub(super) fn with_cause(mut self, error: &reqwest::Error) -> Self {
        self.causes = innermost(error);
        self
    }

    /// After so many tries; what went wrong before a deadline passed is more telling than the deadline.
    pub(super) fn after(mut self, tries: u32, before: Option<String>) -> Self {
        self.tries = tries;
        if self.kind == ErrorKind::Timeout {
            self.causes
                .extend(before.filter(|before| !before.is_empty()));
        }
        self
    }

    /// Whether another try may help.
    pub(super) fn is_worth_retrying(&self) -> bool {
        self.kind == ErrorKind::Connection
    }

    /// What lies below the text, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to try, as far as it does not depend on the store.
    pub fn hint(&self) -> Option<&'static str> {
        match &self.kind {
            ErrorKind::Tls(TlsFault::UnknownIssuer) => {
                Some("name the authority that signed the server's certificate in the settings")
            }
            ErrorKind::Tls(TlsFault::NotTls) => {
                Some("the server does not speak TLS on this port: is its address http://?")
            }
            ErrorKind::Timeout => Some(
                "the server is slow or silent; --timeout limits all fetching, VAULT_CLIENT_TIMEOUT a request to Vault",
            ),
            ErrorKind::Header(_) => Some(
                "it holds a line end or the like: does the setting that it is out of end with one?",
            ),
            ErrorKind::RateLimit => Some("raise the rate limit of the settings, or the time limit"),
            ErrorKind::RedirectElsewhere(_) => Some(
                "the token is not sent to another host: set the address to where the server really is",
            ),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            method, address, ..
        } = self;
        match &self.kind {
            ErrorKind::Connection => write!(f, "no connection: {method} {address}")?,
            ErrorKind::Tls(_) => write!(f, "no secure connection: {method} {address}")?,
            ErrorKind::Timeout => write!(f, "no answer in time: {method} {address}")?,
            ErrorKind::RateLimit => {
                write!(f, "the rate limit leaves no time: {method} {address}")?;
            }
            ErrorKind::TooLarge => {
                let limit = super::LARGEST_ANSWER >> 20;
                write!(
                    f,
                    "the answer is larger than {limit} MiB: {method} {address}"
                )?;
            }
            ErrorKind::Protocol => write!(f, "the answer is not HTTP: {method} {address}")?,
            ErrorKind::RedirectElsewhere(target) => {
                write!(f, "{method} {address} redirects to another host, {target}")?;
            }
            ErrorKind::RedirectAgain => write!(f, "{method} {address} redirects more than once")?,
            ErrorKind::RedirectNowhere => write!(f, "{method} {address} redirects to nowhere")?,
            ErrorKind::Header(name) => {
                write!(
                    f,
                    "the value for the header {name} holds a line end or a control character"
                )?;
            }
            ErrorKind::Setup => write!(f, "the TLS settings for {address} do not work")?,
        }
        if self.tries > 1 {
            write!(f, " ({} tries)", self.tries)?;
        }
        Ok(())
    }
}

impl StdError for Error {}

/// Sorts a failure of the library by the types in its chain, not by its text.
pub(super) fn kind_of(error: &reqwest::Error) -> ErrorKind {
    let chain = || std::iter::successors(error.source(), |error| (*error).source());
    if let Some(error) = chain().find_map(as_tls) {
        return ErrorKind::Tls(tls_fault(error));
    }
    if error.is_builder() {
        return ErrorKind::Setup;
    }
    let parse = |cause: &(dyn StdError + 'static)| {
        cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_parse)
    };
    if chain().any(parse) {
        return ErrorKind::Protocol;
    }
    ErrorKind::Connection
}

/// The TLS library's error, however many I/O errors the layers above have wrapped it into. (An I/O error's `source`
/// leaves out what it wraps.)
fn as_tls<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(error) = cause.downcast_ref() {
        return Some(error);
    }
    let wrapped = cause.downcast_ref::<io::Error>()?.get_ref()?;
    as_tls(wrapped)
}

fn tls_fault(error: &rustls::Error) -> TlsFault {
    use rustls::{CertificateError, Error, InvalidMessage};
    match error {
        // A bad signature: another authority of the same name.
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => TlsFault::UnknownIssuer,
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsFault::NotTls,
        _ => TlsFault::Other,
    }
}

fn innermost(error: &reqwest::Error) -> Vec<String> {
    let last = std::iter::successors(error.source(), |error| (*error).source()).last();
    let words = |error: &(dyn StdError + 'static)| match error.downcast_ref::<io::Error>() {
        Some(error) if error.raw_os_error().is_some() => io_reason(error),
        _ => error.to_string(),
    };
    last.map(words).into_iter().collect()
}
