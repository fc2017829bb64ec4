//! SOPS files in the application's folder as a store: a file is a secret, its top-level keys are the secret's keys.
//!
//! Format and keys are the business of the `sops` room; here a file is found, opened, and handed on as values. In a
//! manifest: `<path:secrets.enc.yaml#password>`, or `<sops:secrets.enc.yaml#tls | jsonPath {.crt}>`.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::registry::{SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Request};
use crate::diagnostics::{Explain as _, Source, io_reason};
use crate::env::{Environment, Options};
use crate::files::{FileError, Files};
use crate::secret::{Map, Value};
use crate::sops::{self, Encrypted, Format, Identities, MacCheck, Sources};

/// The registry's line. The keys without a name of our own are only looked up.
pub(super) const TYPE: Type = Type {
    name: "sops",
    settings: &[
        ("HOME", ""),
        ("SOPS_AGE_KEY", ""),
        ("SOPS_AGE_KEY_CMD", ""),
        (KEY_FILE, "ageKeyFile"),
        ("SOPS_AGE_SSH_PRIVATE_KEY_CMD", ""),
        ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", ""),
        ("XDG_CONFIG_HOME", ""),
    ],
    built_in: true,
    open,
};

const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";

/// Files from this size on are decrypted beside the other fetches, not between them.
const LARGE: usize = 256 << 10;

/// The files of the application, and the operator's keys.
struct Sops {
    sources: Sources,
    /// Read at the first use: a run that needs no file needs no key.
    identities: OnceLock<Arc<Identities>>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "wrong keys show only when a file wants one, as in SOPS"
)]
fn open(options: &Options, _: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    Ok(Arc::new(Sops {
        sources: Sources::new(options, options.path(KEY_FILE)),
        identities: OnceLock::new(),
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

    fn identities(&self) -> Option<Arc<Identities>> {
        Some(self.keys())
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(&request.id.path, &context.files))
    }
}

impl Sops {
    fn keys(&self) -> Arc<Identities> {
        let load = || Arc::new(Identities::load(&self.sources));
        Arc::clone(self.identities.get_or_init(load))
    }

    async fn read(&self, path: &str, files: &Arc<dyn Files>) -> Result<Answer, Error> {
        let bytes = files.read(path).map_err(|error| unreadable(path, &error))?;
        let format = format(path);
        let identities = self.keys();
        let text = String::from_utf8(bytes).map_err(|_| {
            let message = format!("the file {path} is not UTF-8");
            Error::new(ErrorKind::Malformed, message)
        })?;
        let source = Source::new(path, text);
        let values = if source.text().len() < LARGE {
            decrypt(&source, format, &identities)
        } else {
            let decrypted = spawn_blocking(move || decrypt(&source, format, &identities)).await;
            decrypted.map_err(|_| stopped(path))?
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
fn decrypt(source: &Source, format: Format, identities: &Identities) -> Result<Map, Error> {
    let wrong = |error| undecryptable(source, &error);
    let encrypted = Encrypted::parse(source.text(), format).map_err(wrong)?;
    let key = encrypted.data_key(identities).map_err(wrong)?;
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
