//! Flags, settings file and environment, layered into one typed value that remembers where each setting came from.
//!
//! AVP's flat keys and our named backends live side by side. Which keys a backend type has is for `backends` to say;
//! `cli` brings both together.

mod document;
mod file;
mod flat;
mod format;
mod rules;
mod structured;
#[cfg(test)]
mod tests;
mod validation;
pub mod variables;
mod warnings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;
use sha2::{Digest as _, Sha256};

pub use file::FILE_NAME;
pub use structured::{BackendSetting, Located, NamedBackend};
pub use validation::InvalidExpression;

use crate::diagnostics::{Diagnostic, Fault};
use crate::env::{Environment, Options, Origin, Setting};
use crate::policy::Policy;
use crate::secret::Text;

/// Where an operator's settings lie unnamed.
pub const SYSTEM_FOLDER: &str = "/etc/manifuse";

/// How our own variables begin.
const OURS: &str = "MANIFUSE_";

/// Whether the MAC of encrypted documents in a stream is looked at: `verify` or `ignore`.
const STREAM_MAC: &str = "MANIFUSE_SOPS_STREAM_MAC";

/// Where settings are to be looked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// What relative paths are relative to.
    pub folder: &'a Path,
    /// What is rendered. Where it lies within `folder`, our file may lie on the way down to it.
    pub rendered: &'a Path,
    /// Usually [`SYSTEM_FOLDER`].
    pub system_folder: &'a Path,
    /// The settings file that a flag or variable names.
    pub config: Option<&'a str>,
    /// What a Secret of the cluster holds, if a flag names one. A file that is named stands in its place.
    pub secret: Option<&'a InSecret>,
    /// Whether many applications share the process: they may set only what the file says.
    pub is_shared: bool,
}

/// Settings in a Secret of the cluster.
#[derive(Debug)]
pub struct InSecret {
    /// What messages call it.
    pub name: String,
    /// AVP's keys and their values.
    pub entries: Vec<(String, Text)>,
}

/// All settings.
#[derive(Debug)]
pub struct Settings {
    /// AVP's keys, by their upper-case names, and plain variables: the settings of a backend that has no instance.
    pub flat: Options,
    /// For each key of `flat` that more than one source sets: those that lost, the strongest first.
    pub overridden: BTreeMap<String, Vec<Origin>>,
    /// The settings file that was read, if there was one.
    pub file: Option<String>,
    /// SHA-256 of that file: shows that it has changed.
    pub file_digest: Option<[u8; 32]>,
    /// A file of ours beside what is rendered, that does not count because it lies outside the working directory.
    pub passed_over: Option<String>,
    /// Plain variables only: what a named backend falls back to.
    pub plain: Options,
    /// The named backends, in the order of the file.
    pub backends: Vec<NamedBackend>,
    /// The name of the backend that `path:` means, if the file says it.
    pub default_backend: Option<Located>,
    /// Whether the MAC of encrypted documents in a stream must be right.
    pub verifies_stream_mac: bool,
    /// What applications may read, and where values may land.
    pub policy: Policy,
    /// What is hardly meant as it is set.
    pub warnings: Vec<Diagnostic>,
}

impl Settings {
    /// The path validation, if one is set. To be asked for when there is a manifest: AVP does not look at the
    /// expression before.
    pub fn path_validation(&self) -> Result<Option<Regex>, InvalidExpression> {
        validation::compile(&self.flat)
    }

    /// Which source won, for every key of AVP's, also for those that nobody reads.
    pub fn origins(&self) -> impl Iterator<Item = (&str, &Origin)> {
        let keys = self.flat.keys().filter(|key| flat::is_key(key));
        keys.filter_map(|key| Some((key, &self.flat.get(key)?.origin)))
    }
}

/// Whether a variable is a setting that an application has set, by Argo CD's prefix.
pub fn is_tenants(name: &str) -> bool {
    let key = name.strip_prefix(flat::TENANT).map(str::to_uppercase);
    key.is_some_and(|key| flat::is_key(&key))
}

/// Whether a variable is for this program, or holds a credential of its backends.
pub fn is_ours(name: &str) -> bool {
    let plain = name.strip_prefix(flat::TENANT).unwrap_or(name);
    plain.starts_with(OURS)
        || flat::is_key(&plain.to_uppercase())
        || variables::all().any(|variable| variable.name == plain && !variable.shown)
}

/// Reads and layers everything, or says everything that is wrong.
pub fn load(request: &Request<'_>) -> Result<Settings, Vec<Diagnostic>> {
    let mut errors = refused(request.environment);
    let file = match file::load(request) {
        Ok(file) => file,
        Err(error) => {
            errors.push(*error);
            return Err(errors);
        }
    };
    let layers = flat::layers(request.environment, file.as_ref());
    let ours = file.as_ref().filter(|file| file.ours);
    let parse = |file| structured::parse(file, request.environment);
    let parsed = ours.map_or_else(|| Ok(structured::Structured::default()), parse);
    let tenants = parsed.as_ref().map(|parsed| {
        parsed
            .rules
            .refuse_variables(request.environment, request.is_shared)
    });
    let (refused, told) = tenants.unwrap_or_default();
    errors.extend(refused);
    let stream_mac = parsed.as_ref().map_or(&None, |parsed| &parsed.stream_mac);
    let verifies_stream_mac = verifies_stream_mac(request.environment, stream_mac.as_ref());
    let verifies_stream_mac = verifies_stream_mac.unwrap_or_else(|error| {
        errors.push(*error);
        true
    });
    match (layers, parsed) {
        (Ok(layers), Ok(parsed)) if errors.is_empty() => {
            let mut settings = Settings {
                flat: flat::options(&layers),
                overridden: losers(layers),
                file: file.as_ref().map(|file| file.source.name().to_owned()),
                file_digest: file
                    .as_ref()
                    .map(|file| Sha256::digest(file.source.text()).into()),
                passed_over: file::passed_over(request),
                plain: flat::plain(request.environment),
                backends: parsed.backends,
                default_backend: parsed.default_backend,
                verifies_stream_mac,
                policy: parsed.rules.policy,
                warnings: Vec::new(),
            };
            settings.warnings = warnings::find(&settings, file.as_ref());
            settings.warnings.extend(told);
            Ok(settings)
        }
        (layers, parsed) => {
            errors.extend(layers.err().into_iter().flatten());
            errors.extend(parsed.err().into_iter().flatten());
            Err(errors)
        }
    }
}

/// Where settings are looked for when none is named, the first found counts.
pub fn places(request: &Request<'_>) -> Vec<PathBuf> {
    file::places(request)
}

fn losers(layers: flat::Layers) -> BTreeMap<String, Vec<Origin>> {
    let origins = |settings: Vec<Setting>| {
        settings
            .into_iter()
            .skip(1)
            .map(|lost| lost.origin)
            .collect()
    };
    let several = layers
        .into_iter()
        .filter(|(_, settings)| settings.len() > 1);
    several
        .map(|(key, settings)| (key, origins(settings)))
        .collect()
}

/// The variable wins over the file, as those of flags do.
fn verifies_stream_mac(
    environment: &Environment,
    setting: Option<&Located>,
) -> Result<bool, Box<Diagnostic>> {
    let variable = environment.get(STREAM_MAC).filter(|text| !text.is_empty());
    let text = variable.or_else(|| setting.map(|setting| setting.text.as_str()));
    match text {
        None | Some("verify") => Ok(true),
        Some("ignore") => Ok(false),
        Some(_) => {
            let name = if variable.is_some() {
                STREAM_MAC
            } else {
                "sops.streamMac"
            };
            let message = format!("{name} must be verify or ignore");
            let mut error = Diagnostic::error(Fault::Settings, message);
            error.place = setting
                .filter(|_| variable.is_none())
                .map(|setting| setting.place.clone());
            Err(Box::new(error))
        }
    }
}

/// Our own variables are the operator's: an application cannot set them.
fn refused(environment: &Environment) -> Vec<Diagnostic> {
    let tenant = format!("{}{OURS}", flat::TENANT);
    environment
        .iter()
        .filter(|(name, _)| name.starts_with(&tenant))
        .map(|(name, _)| {
            let plain = &name[flat::TENANT.len()..];
            Diagnostic::error(
                Fault::Settings,
                format!("an application may not set {name}"),
            )
            .with_hint(format!(
                "set {plain} in the environment of the plugin itself"
            ))
        })
        .collect()
}
