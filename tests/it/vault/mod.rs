//! The vault backend against a fake server, through the trait: what it asks, and what it makes of the answers.

#[cfg(feature = "aws")]
mod aws;
mod bad_input;
mod cache;
mod logins;
mod network;
mod read;
mod tls;
pub(crate) mod tunnel;
mod wrapping;

use std::sync::Arc;
use std::time::Duration;

use manifuse::backends::registry::{self, SettingsError};
use manifuse::backends::{Answer, Backend, Error, FetchContext, Keys, Outcome, Request};
use manifuse::env::{Environment, Options, Origin, Setting};
use manifuse::files::{FileError, Files};
use manifuse::secret::{SecretId, Value};
use tokio::time::Instant;

/// A token and a secret that must never show.
const TOKEN: &str = "s.CANARYtokenCANARY";
const SECRET: &str = "CANARYsecretCANARY";

/// A KV version 2 answer.
fn kv2(data: &str) -> String {
    format!(
        r#"{{"request_id":"r","data":{{"data":{data},"metadata":{{"version":4}}}},"auth":null}}"#
    )
}

/// A login answer.
fn auth(token: &str) -> String {
    format!(r#"{{"data":null,"auth":{{"client_token":"{token}","lease_duration":60}}}}"#)
}

/// No file is read by this backend's fetches.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        Err(FileError::Absent { path: path.into() })
    }
}

/// Options out of pairs, as if they were variables.
fn options(settings: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    for (key, value) in settings {
        let setting = Setting {
            value: (*value).into(),
            origin: Origin::Environment((*key).to_owned()),
        };
        options.set(*key, setting);
    }
    options
}

pub(crate) fn open(settings: &[(&str, &str)]) -> Result<Arc<dyn Backend>, SettingsError> {
    open_in(&Environment::default(), settings)
}

/// In an environment that says which proxy the system has.
fn open_in(
    environment: &Environment,
    settings: &[(&str, &str)],
) -> Result<Arc<dyn Backend>, SettingsError> {
    // Retries must not make tests slow; everything else is as users have it.
    let mut all = vec![("MANIFUSE_VAULT_RETRY_WAIT", "1ms")];
    all.extend_from_slice(settings);
    let vault = registry::find("vault").unwrap();
    (vault.open)(&options(&all), environment)
}

/// A backend that has its token already.
fn with_token(url: &str, more: &[(&str, &str)]) -> Arc<dyn Backend> {
    let mut settings = vec![
        ("VAULT_ADDR", url),
        ("AVP_AUTH_TYPE", "token"),
        ("VAULT_TOKEN", TOKEN),
    ];
    settings.extend_from_slice(more);
    open(&settings).unwrap()
}

pub(crate) fn request(path: &str) -> Request {
    Request {
        id: SecretId {
            backend: "vault".into(),
            path: path.into(),
            version: None,
            kv_version: None,
        },
        keys: Keys::All,
    }
}

/// One run: everything fetched at the same time, under one deadline.
pub(crate) fn run(
    backend: &dyn Backend,
    requests: &[Request],
    limit: Duration,
) -> Vec<Result<Answer, Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let context = FetchContext {
            files: Arc::new(NoFiles),
            deadline: Instant::now() + limit,
        };
        let fetches = requests
            .iter()
            .map(|request| backend.fetch(request, &context));
        futures::future::join_all(fetches).await
    })
}

/// Long enough for a busy machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn fetch(backend: &dyn Backend, path: &str) -> Result<Answer, Error> {
    run(backend, &[request(path)], PATIENCE).remove(0)
}

/// The failure, after a look for secrets in everything that it can print.
pub(crate) fn failure(outcome: Result<Answer, Error>) -> Error {
    let error = outcome.unwrap_err();
    let all = format!("{error} {error:?} {:?} {:?}", error.causes, error.hint);
    assert!(!all.contains("CANARY"), "a secret shows: {all}");
    error
}

/// The text of a string value.
pub(crate) fn text(answer: &Answer, key: &str) -> String {
    match answer.outcome(key) {
        Outcome::Present(Value::String(text)) => text.expose_str().unwrap().to_owned(),
        other => panic!("{key}: {other:?}"),
    }
}
