//! SOPS files in the application's folder as a store: a file is a secret, its top-level keys are the secret's keys.
//!
//! Format and keys are the business of the `sops` room; here a file is found, opened, and handed on as values. In a
//! manifest: `<path:secrets.enc.yaml#password>`, or `<sops:secrets.enc.yaml#tls | jsonPath {.crt}>`.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::registry::{Own, SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Request};
use crate::diagnostics::{Explain as _, Source, io_reason};
use crate::env::{Environment, Options};
use crate::files::FileError;
use crate::secret::{Map, Value};
use crate::sops::{self, Encrypted, Format, Keyring, MacCheck};

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "sops",
    settings: sops::SETTINGS,
    own: &[Own::setting(
        "MANIFUSE_SOPS_AZURE_VAULTS",
        "the vaults that may be asked",
    )],
    built_in: true,
    open,
};

/// Files from this size on are decrypted beside the other fetches, not between them.
const LARGE: usize = 256 << 10;

/// The files of the application, and the operator's keys.
struct Sops {
    keyring: Arc<Keyring>,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let keyring = Keyring::new(options, environment)
        .map_err(|error| SettingsError::new(error.to_string()).about(sops::ORDER))?;
    Ok(Arc::new(Sops {
        keyring: Arc::new(keyring),
    }))
}

impl Backend for Sops {
    fn normalize(&self, path: &str) -> String {
        let mut kept: Vec<&str> = Vec::new();
        for step in path.split('/') {
            match step {
                "" if !kept.is_empty() => {}
                "." => {}
                ".." if kept.last().is_some_and(|last| !matches!(*last, ".." | "")) => {
                    kept.pop();
                }
                step => kept.push(step),
            }
        }
        kept.join("/")
    }

    fn keyring(&self) -> Option<Arc<Keyring>> {
        Some(Arc::clone(&self.keyring))
    }

    fn reads_files(&self) -> bool {
        true
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(&request.id.path, context))
    }
}

impl Sops {
    async fn read(&self, path: &str, context: &FetchContext) -> Result<Answer, Error> {
        let bytes = context
            .files
            .read(path)
            .map_err(|error| unreadable(path, &error))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let message = format!("the file {path} is not UTF-8");
            Error::new(ErrorKind::Malformed, message)
        })?;
        let source = Source::new(path, text);
        let keyring = Arc::clone(&self.keyring);
        let is_large = source.text().len() >= LARGE;
        let deadline = context.deadline;
        let decrypted = async move { decrypt(&source, &keyring, deadline).await };
        let values = if is_large {
            let here = Handle::current();
            let decrypted = spawn_blocking(move || here.block_on(decrypted)).await;
            decrypted.map_err(|_| stopped(path))?
        } else {
            decrypted.await
        };
        Ok(Answer {
            has_paths: true,
            ..Answer::whole(values?, None)
        })
    }
}

/// A panic has been told by its place; its own text could hold what was decrypted.
fn stopped(path: &str) -> Error {
    Error::new(
        ErrorKind::Malformed,
        format!("decrypting {path} was broken off"),
    )
}

/// The first document's values, as AVP reads them.
async fn decrypt(source: &Source, keyring: &Keyring, deadline: Instant) -> Result<Map, Error> {
    let format = format(source.name());
    let wrong = |error| undecryptable(source, &error);
    let encrypted = Encrypted::parse(source.text(), format).map_err(wrong)?;
    let key = encrypted.data_key(keyring, deadline).await;
    let key = key.map_err(wrong)?;
    let documents = encrypted
        .decrypt(&key, MacCheck::Required)
        .map_err(wrong)?
        .into_documents();
    Ok(documents.into_iter().next().map(merged).unwrap_or_default())
}

/// By the file's name. AVP takes every file for YAML, so that is what a file is that names no format.
fn format(path: &str) -> Format {
    match Format::of_path(path) {
        Format::Binary => Format::Yaml,
        named => named,
    }
}

/// SOPS keeps merge keys as keys; the readers of what it writes merge them, and so does AVP.
fn merged(map: Map) -> Map {
    let mut inherited = Map::new();
    let mut own = Map::with_capacity(map.len());
    for (key, value) in map {
        let value = merged_value(value);
        match (key.as_str(), value) {
            ("<<", Value::Map(map)) => inherited.extend(map),
            ("<<", Value::List(maps)) => {
                // What comes earlier in the list wins, so it must come later in the map.
                let maps = maps.into_iter().rev().filter_map(|value| match value {
                    Value::Map(map) => Some(map),
                    _ => None,
                });
                inherited.extend(maps.flatten());
            }
            (_, value) => own.push((key, value)),
        }
    }
    let overridden: HashSet<&str> = own.iter().map(|(key, _)| key.as_str()).collect();
    inherited.retain(|(key, _)| !overridden.contains(key.as_str()));
    inherited.append(&mut own);
    inherited
}

fn merged_value(value: Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(merged(map)),
        Value::List(items) => Value::List(items.into_iter().map(merged_value).collect()),
        other => other,
    }
}

fn unreadable(path: &str, error: &FileError) -> Error {
    match error {
        FileError::Absent { .. } => {
            Error::new(ErrorKind::AbsentPath, format!("Could not find file {path}"))
                .with_hint("the path of a SOPS file is relative to the application's folder")
        }
        FileError::Outside { .. } => Error::new(ErrorKind::Reference, error.to_string()),
        FileError::TooLarge { .. } => Error::new(ErrorKind::Malformed, error.to_string()),
        FileError::Io { source, .. } => {
            Error::new(ErrorKind::Denied, error.to_string()).with_cause(io_reason(source))
        }
    }
}

fn undecryptable(source: &Source, error: &sops::Error) -> Error {
    let kind = match error {
        sops::Error::NoKey(_) => ErrorKind::Denied,
        _ => ErrorKind::Malformed,
    };
    let name = source.name();
    let place = match error.position() {
        Some(position) => {
            let at = source.line_column(position);
            format!("{name}:{}:{}", at.line, at.column)
        }
        None => name.to_owned(),
    };
    let mut failure = Error::new(kind, format!("{place}: {error}"));
    failure.causes = error.causes();
    failure.hint = error.hint();
    failure
}
