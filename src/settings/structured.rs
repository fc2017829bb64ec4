//! Our own part of `manifuse.yaml`: named backends and which of them is the default.
//!
//! What a backend may be set is for its type to say, so its settings leave here as dotted keys with their places.

use std::sync::Arc;

use super::document::{self, Entry, Node, error_at};
use super::file::SettingsFile;
use super::rules::{self, Rules};
use super::{flat, variables};
use crate::diagnostics::{Diagnostic, Place, Source, Span, nearest};
use crate::env::{Environment, Origin, Setting};

/// The keys that make a settings file ours.
const KEYS: [&str; 4] = ["defaultBackend", "backends", "policy", "sops"];
/// The one key of `sops`.
const STREAM_MAC: &str = "streamMac";
/// In `<path:…>` it means the default backend.
const RESERVED: &str = "path";

/// A backend instance as the file sets it.
#[derive(Clone, Debug)]
pub struct NamedBackend {
    /// Its name in references.
    pub name: Arc<str>,
    /// Its `type`.
    pub kind: Located,
    /// Its other settings, nested keys joined by dots, in the order of the file.
    pub settings: Vec<BackendSetting>,
}

/// A text of a settings file and where it stands.
#[derive(Clone, Debug)]
pub struct Located {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// One setting of a named backend.
#[derive(Clone, Debug)]
pub struct BackendSetting {
    /// The dotted key, e.g. `auth.role`.
    pub key: String,
    /// The value and its origin.
    pub setting: Setting,
    /// Where the key stands.
    pub place: Place,
}

/// The structured part of the file.
#[derive(Debug, Default)]
pub(super) struct Structured {
    pub(super) default_backend: Option<Located>,
    pub(super) backends: Vec<NamedBackend>,
    pub(super) stream_mac: Option<Located>,
    pub(super) rules: Rules,
}

/// Whether a key at the top makes the file ours.
pub(super) fn is_key(key: &str) -> bool {
    KEYS.contains(&key)
}

/// The key of ours that another one is likely to mean.
pub(super) fn meant(key: &str) -> Option<&'static str> {
    nearest(key, KEYS)
}

/// Reads the structured keys, and refuses keys that are neither structured nor AVP's.
pub(super) fn parse(
    file: &SettingsFile,
    environment: &Environment,
) -> Result<Structured, Vec<Diagnostic>> {
    let mut parser = Parser {
        file,
        errors: Vec::new(),
    };
    let mut parsed = Structured::default();
    for entry in &file.entries {
        match entry.key.as_str() {
            "defaultBackend" => parsed.default_backend = parser.text(entry),
            "backends" => parsed.backends = parser.backends(entry),
            "sops" => parsed.stream_mac = parser.stream_mac(entry),
            "policy" => parsed.rules = rules::parse(&mut parser, entry, environment),
            key if flat::is_key(&key.to_uppercase()) => {
                if let Some(meant) = variables::meant(&key.to_uppercase()) {
                    parser.unknown(entry.span, entry.shown(), &[meant]);
                }
            }
            _ => parser.unknown(entry.span, entry.shown(), &KEYS),
        }
    }
    if parser.errors.is_empty() {
        Ok(parsed)
    } else {
        Err(parser.errors)
    }
}

pub(super) struct Parser<'a> {
    file: &'a SettingsFile,
    errors: Vec<Diagnostic>,
}

impl Parser<'_> {
    fn source(&self) -> &Arc<Source> {
        &self.file.source
    }

    fn place(&self, span: Span) -> Place {
        Place::new(Arc::clone(self.source()), span)
    }

    pub(super) fn fail(&mut self, span: Span, message: impl Into<String>) {
        let error = error_at(self.source(), span, message);
        self.errors.push(error);
    }

    pub(super) fn unknown(&mut self, span: Span, key: &str, known: &[&str]) {
        let mut error = error_at(self.source(), span, format!("unknown setting {key}"));
        if let Some(meant) = nearest(key, known.iter().copied()) {
            error = error.with_hint(format!("did you mean {meant}?"));
        }
        self.errors.push(error);
    }

    /// A text that may be printed: a name.
    pub(super) fn text(&mut self, entry: &Entry) -> Option<Located> {
        if let Node::Scalar(text) = &entry.value {
            return Some(Located {
                text: text.expose_str()?.to_owned(),
                place: self.place(entry.value_span),
            });
        }
        if !matches!(entry.value, Node::Null) {
            self.fail(entry.span, format!("{} must be a text", entry.shown()));
        }
        None
    }

    pub(super) fn map<'e>(&mut self, entry: &'e Entry, name: &str) -> &'e [Entry] {
        match &entry.value {
            Node::Map(entries) => entries,
            Node::Null => &[],
            Node::Scalar(_) | Node::List(_) => {
                self.fail(entry.span, format!("{name} must be a map"));
                &[]
            }
        }
    }

    fn stream_mac(&mut self, entry: &Entry) -> Option<Located> {
        let mut found = None;
        for entry in self.map(entry, "sops") {
            if entry.key == STREAM_MAC {
                found = self.text(entry);
            } else {
                let name = format!("sops.{}", entry.shown());
                self.unknown(entry.span, &name, &["sops.streamMac"]);
            }
        }
        found
    }

    fn backends(&mut self, entry: &Entry) -> Vec<NamedBackend> {
        let entries = self.map(entry, "backends");
        entries
            .iter()
            .filter_map(|entry| self.backend(entry))
            .collect()
    }

    fn backend(&mut self, entry: &Entry) -> Option<NamedBackend> {
        let name = entry.key.as_str();
        if !is_name(name) {
            let hint = match name {
                RESERVED => "path is reserved: <path:…> reads from the default backend",
                _ => "use letters, digits, -, _ and ., and begin with a letter or digit",
            };
            let message = format!("{:?} cannot be the name of a backend", entry.shown());
            let error = error_at(self.source(), entry.span, message).with_hint(hint);
            self.errors.push(error);
            return None;
        }
        let before = self.errors.len();
        let entries = self.map(entry, &format!("backends.{name}"));
        let kind = entries.iter().find(|entry| entry.key == "type");
        let kind = kind.and_then(|kind| self.text(kind));
        let mut settings = Vec::new();
        for entry in entries.iter().filter(|entry| entry.key != "type") {
            self.flatten(entry, name, "", &mut settings);
        }
        if kind.is_none() && self.errors.len() == before {
            self.fail(entry.span, format!("the backend {name} has no type"));
        }
        Some(NamedBackend {
            name: Arc::from(name),
            kind: kind?,
            settings,
        })
    }

    fn flatten(
        &mut self,
        entry: &Entry,
        backend: &str,
        prefix: &str,
        out: &mut Vec<BackendSetting>,
    ) {
        let key = format!("{prefix}{}", entry.shown());
        let name = format!("backends.{backend}.{key}");
        self.errors
            .extend(document::nul_error(self.source(), entry, &name));
        match &entry.value {
            Node::Null => {}
            Node::Map(entries) => {
                for entry in entries {
                    self.flatten(entry, backend, &format!("{key}."), out);
                }
            }
            Node::List(_) => self.fail(
                entry.span,
                format!("backends.{backend}.{key} must not be a list"),
            ),
            Node::Scalar(text) => {
                let origin = Origin::File {
                    path: self.source().name().to_owned(),
                    key: format!("backends.{backend}.{key}"),
                };
                out.push(BackendSetting {
                    setting: Setting {
                        value: text.clone(),
                        origin,
                    },
                    place: self.place(entry.span),
                    key,
                });
            }
        }
    }
}

/// What can stand before the colon of `<NAME:PATH#KEY>`, but not what already means something there.
fn is_name(name: &str) -> bool {
    name != RESERVED
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
