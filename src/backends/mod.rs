//! Secret stores: the trait, its request and answer, the registry table, and one file (or folder) per store.
//!
//! The rest of the program knows stores only through [`Backend`] and [`registry`].

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azurekeyvault;
mod delineasecretserver;
mod env;
mod file;
#[cfg(feature = "gcp")]
mod gcpsecretmanager;
mod ibmsecretsmanager;
mod keepersecretsmanager;
#[cfg(feature = "kubernetes")]
mod kubernetessecret;
mod onepasswordconnect;
mod passwords;
pub mod pool;
pub mod registry;
pub mod shared;
mod sops;
mod vault;
mod yandexcloudlockbox;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};
use tokio::time::Instant;

use self::registry::SettingsError;
use crate::clients::{Address, cloud, http};
use crate::diagnostics::{Explain, Fault};
use crate::env::Options;
use crate::files::Files;
use crate::secret::{Map, SecretId, Text, Value, last};
use crate::sops::{Keyring, TreePath};
use crate::yaml::value::from_json;

/// One read of one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which secret, in which version.
    pub id: SecretId,
    /// Which of its keys are wanted. A store that answers whole secrets may give more.
    pub keys: Keys,
}

/// The keys that a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All of them.
    All,
    /// These.
    Some(BTreeSet<String>),
}

/// What a store answered: an outcome for each wanted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The version that was read, where the store tells.
    pub version: Option<String>,
    /// The keys that exist. A key that is not here is absent; a null counts as absent.
    pub values: Map,
    /// Keys that exist but may not be read, with the store's reason (no secret in it).
    pub denied: Vec<(String, String)>,
    /// Keys whose own reading has failed, in a store where each key is a call.
    pub failed: Vec<(String, Error)>,
    /// Whether a key that is not here may be a path into the values.
    pub has_paths: bool,
}

/// What an answer says about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The value.
    Present(&'a Value),
    /// There is no such key.
    Absent,
    /// The key may not be read, and why.
    Denied(&'a str),
    /// The key's own reading has failed, and why.
    Failed(&'a Error),
}

impl Answer {
    /// An answer that holds all keys of the secret.
    pub fn whole(values: Map, version: Option<String>) -> Self {
        Self {
            version,
            values,
            denied: Vec::new(),
            failed: Vec::new(),
            has_paths: false,
        }
    }

    /// The value of a key; of two equal keys the last counts.
    fn value(&self, key: &str) -> Option<&Value> {
        let path = || TreePath::parse_short(key).ok()?.find_in(&self.values);
        last(&self.values, key).or_else(|| self.has_paths.then(path).flatten())
    }

    /// The outcome for a key.
    pub fn outcome(&self, key: &str) -> Outcome<'_> {
        if let Some((_, reason)) = self.denied.iter().find(|(name, _)| name == key) {
            return Outcome::Denied(reason);
        }
        if let Some((_, error)) = self.failed.iter().find(|(name, _)| name == key) {
            return Outcome::Failed(error);
        }
        match self.value(key) {
            None | Some(Value::Null) => Outcome::Absent,
            Some(value) => Outcome::Present(value),
        }
    }
}

/// What a fetch may use besides the network.
#[derive(Clone)]
pub struct FetchContext {
    /// The application's folder.
    pub files: Arc<dyn Files>,
    /// When the whole run's fetching must be over.
    pub deadline: Instant,
}

/// A configured secret store. Cheap to open; logs in by itself, once, at the first fetch.
pub trait Backend: Send + Sync {
    /// Checks a path before any request is made: the store's own normalised form of it, for path validation.
    ///
    /// The default is the path as it is.
    fn normalize(&self, path: &str) -> String {
        path.to_owned()
    }

    /// What a request reads, as the operator's rules name it: the secret's normalised path, or what its keys make of it
    /// where a key can lead elsewhere. What is read below a path as a whole ends in `/*/*`, which only a pattern that
    /// allows all of it matches.
    fn reads(&self, request: &Request) -> Vec<String> {
        vec![self.normalize(&request.id.path)]
    }

    /// What its settings hold that is hardly meant, though they can be used: for a warning each, so without a value.
    fn odd_settings(&self) -> &[SettingsError] {
        &[]
    }

    /// The keys that open encrypted documents of a stream, if it is a store of encrypted files.
    fn keyring(&self) -> Option<Arc<Keyring>> {
        None
    }

    /// Whether it reads the application's own files: another application's answers are not its own.
    fn reads_files(&self) -> bool {
        false
    }

    /// Reads one secret. Retries and the deadline are the backend's business (by `clients`), de-duplication and the
    /// bound on concurrent calls are the caller's.
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>>;

    /// Which requests share a call, for a store that has one for several: each request stands in one batch.
    fn batches<'r>(&self, requests: &'r [Request]) -> Vec<Vec<&'r Request>> {
        requests.iter().map(|request| vec![request]).collect()
    }

    /// Reads a batch: one outcome for each of its requests, in their order.
    fn fetch_batch<'a>(
        &'a self,
        batch: &'a [&'a Request],
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Vec<Result<Answer, Error>>> {
        let fetches = batch.iter().map(|request| self.fetch(request, context));
        Box::pin(join_all(fetches))
    }
}

/// Why a secret could not be read. The kind decides what happens; the text is for people and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// One sentence in lower case without a final stop. AVP's leading phrase where its section 14 asks for that.
    pub message: String,
    /// Causes below the message, outermost first.
    pub causes: Vec<String>,
    /// What to try.
    pub hint: Option<String>,
}

/// Kinds of failure, decided by type and status code, never by the text of a server's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The path does not exist, or this version of it. Not a missing key for `remove-missing`, as in AVP.
    AbsentPath,
    /// The store refuses: not logged in, or not allowed.
    Denied,
    /// No answer: connection, TLS, time, too many requests, 5xx.
    Unreachable,
    /// An answer that makes no sense.
    Malformed,
    /// The reference itself cannot be asked for (bad path form).
    Reference,
    /// Settings that only a fetch can prove wrong, e.g. a token file that is not there.
    Settings,
}

impl Error {
    /// A failure without causes or hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same below another message.
    #[must_use]
    fn below(mut self, message: impl Into<String>) -> Self {
        let own = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, own);
        self
    }

    /// The same as the failure of a login, with what to try if it was refused.
    #[must_use]
    fn of_login(self, service: &str, hint: impl Into<String>) -> Self {
        let is_denied = self.kind == ErrorKind::Denied;
        let error = self.below(format!("the login to {service} failed"));
        if is_denied {
            return error.with_hint(hint);
        }
        error
    }

    /// The same with a cause below the message.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }
}

/// A store's answer, if it is a JSON object.
fn object(body: &Text) -> Option<Map> {
    match body.expose_str().map(from_json) {
        Some(Ok(Value::Map(map))) => Some(map),
        _ => None,
    }
}

/// Nothing to do where no version is asked for of a store that has none.
fn without_version(request: &Request, store: &str) -> Result<(), Error> {
    if request.id.version.is_none() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Reference, format!("{store} has no versions"));
    Err(error.with_hint("leave the version out: what is there now is read"))
}

/// The address in a setting. Credentials go there, so that only the operator may say it.
fn own_address(
    options: &Options,
    key: &'static str,
    example: &str,
) -> Result<Option<Address>, SettingsError> {
    let text = options
        .text(key)
        .filter(|_| !options.is_set_by_application(key));
    let wrong = |error| {
        SettingsError::new(format!(
            "{} cannot be used: {error}",
            options.described(key)
        ))
        .about(key)
        .hint(format!("for example {example}"))
    };
    text.map(|text| Address::parse(text.trim()).map_err(wrong))
        .transpose()
}

/// Some of these settings are missing. AVP's words.
fn required<const N: usize>(options: &Options, keys: [&str; N], by: &str) -> SettingsError {
    let unset = keys.into_iter().filter(|key| options.text(key).is_none());
    let unset: Vec<_> = unset.collect();
    let all = keys.join(", ");
    let all = match all.rsplit_once(", ") {
        Some((first, last)) => format!("{first} and {last} are"),
        None => format!("{all} is"),
    };
    let error = SettingsError::new(format!("{all} required for {by}"));
    error.hint(format!("set {}", unset.join(" and ")))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        let kind = match error.kind {
            http::ErrorKind::Connection
            | http::ErrorKind::Tls(_)
            | http::ErrorKind::Timeout
            | http::ErrorKind::RateLimit
            | http::ErrorKind::RedirectElsewhere(_) => ErrorKind::Unreachable,
            http::ErrorKind::TooLarge
            | http::ErrorKind::Protocol
            | http::ErrorKind::RedirectAgain
            | http::ErrorKind::RedirectNowhere => ErrorKind::Malformed,
            http::ErrorKind::Header(_) | http::ErrorKind::Setup => ErrorKind::Settings,
        };
        Self {
            kind,
            message: error.to_string(),
            causes: error.causes().to_vec(),
            hint: error.hint().map(ToOwned::to_owned),
        }
    }
}

impl From<cloud::Error> for Error {
    fn from(error: cloud::Error) -> Self {
        let kind = match error.kind {
            cloud::ErrorKind::Absent => ErrorKind::AbsentPath,
            cloud::ErrorKind::Denied => ErrorKind::Denied,
            cloud::ErrorKind::Unreachable => ErrorKind::Unreachable,
            cloud::ErrorKind::Malformed => ErrorKind::Malformed,
            cloud::ErrorKind::Settings => ErrorKind::Settings,
        };
        Self {
            kind,
            message: error.to_string(),
            causes: error.causes().to_vec(),
            hint: error.hint().map(ToOwned::to_owned),
        }
    }
}

impl Explain for Error {
    fn fault(&self) -> Fault {
        match self.kind {
            ErrorKind::AbsentPath | ErrorKind::Malformed | ErrorKind::Reference => Fault::Input,
            ErrorKind::Denied | ErrorKind::Unreachable => Fault::Backend,
            ErrorKind::Settings => Fault::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
