//! AVP's own keys: `ARGOCD_ENV_` variables, plain variables, the settings file and defaults, in exactly the order of
//! `avp-compat.md` 9.1, which differs for the keys that AVP hands to a library.

use std::collections::BTreeMap;

use super::document::{self, Entry, Node, error_at};
use super::file::SettingsFile;
use super::structured;
use crate::diagnostics::Diagnostic;
use crate::env::{Environment, Options, Origin, Setting};
use crate::secret::Text;

/// How Argo CD marks what an application sets.
pub(super) const TENANT: &str = "ARGOCD_ENV_";

/// Keys that begin like this AVP exports for libraries, over what the plain environment says.
const EXPORTED: [&str; 7] = [
    "VAULT",
    "AWS",
    "AZURE",
    "GOOGLE",
    "SOPS",
    "OP_CONNECT",
    "K8S_SECRET",
];

const KV_VERSION: &str = "AVP_KV_VERSION";

/// The only keys whose values AVP trims.
const TRIMMED: [&str; 2] = ["AVP_TYPE", "AVP_AUTH_TYPE"];

/// Whether a key may stand in a settings file or behind `ARGOCD_ENV_`.
pub(super) fn is_key(upper: &str) -> bool {
    upper.starts_with("AVP_") || is_exported(upper)
}

/// Whether AVP hands a key to its libraries.
pub(super) fn is_exported(upper: &str) -> bool {
    EXPORTED.iter().any(|prefix| upper.starts_with(prefix))
}

/// What every backend sees of the environment: plain variables that are not empty. And the default that AVP has.
pub(super) fn plain(environment: &Environment) -> Options {
    let mut options = Options::default();
    options.set(KV_VERSION, kv_version());
    for (name, value) in plain_variables(environment) {
        options.set(name, from_environment(name, value));
    }
    options
}

fn plain_variables(environment: &Environment) -> impl Iterator<Item = (&str, &str)> {
    let is_plain = |(name, value): &(&str, &str)| !value.is_empty() && !name.starts_with(TENANT);
    environment.iter().filter(is_plain)
}

/// What every source says of each key, the winner first.
pub(super) type Layers = BTreeMap<String, Vec<Setting>>;

/// All sources by their order.
pub(super) fn layers(
    environment: &Environment,
    file: Option<&SettingsFile>,
) -> Result<Layers, Vec<Diagnostic>> {
    let mut layers = Layers::new();
    let mut add = |key: String, wins: bool, setting: Setting| {
        let known = layers.entry(key).or_default();
        let at = if wins { 0 } else { known.len() };
        known.insert(at, setting);
    };
    for (name, value) in plain_variables(environment) {
        add(name.to_owned(), true, from_environment(name, value));
    }
    if let Some(file) = file {
        for (key, setting) in from_file(file)? {
            let wins = is_exported(&key);
            add(key, wins, setting);
        }
    }
    for (name, value) in environment.iter() {
        let key = name.strip_prefix(TENANT).map(str::to_uppercase);
        if let Some(key) = key.filter(|key| is_key(key)) {
            add(key, true, from_environment(name, value));
        }
    }
    add(KV_VERSION.to_owned(), false, kv_version());
    Ok(layers)
}

/// The only setting that has a default in AVP's own settings.
fn kv_version() -> Setting {
    Setting {
        value: Text::from("2"),
        origin: Origin::Default,
    }
}

/// The winners.
pub(super) fn options(layers: &Layers) -> Options {
    let mut options = Options::default();
    for (key, settings) in layers {
        if let Some(winner) = settings.first() {
            options.set(key, winner.clone());
        }
    }
    for key in TRIMMED {
        trim(&mut options, key);
    }
    options
}

fn from_environment(name: &str, value: &str) -> Setting {
    Setting {
        value: Text::from(value),
        origin: Origin::Environment(name.to_owned()),
    }
}

/// AVP's keys of the file by their upper-case names. A null is as good as no key.
fn from_file(file: &SettingsFile) -> Result<BTreeMap<String, Setting>, Vec<Diagnostic>> {
    let mut settings = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut errors = Vec::new();
    for entry in &file.entries {
        let key = entry.key.to_uppercase();
        if !is_key(&key) || (file.ours && structured::is_key(&entry.key)) {
            continue;
        }
        errors.extend(document::nul_error(&file.source, entry, entry.shown()));
        if let Some(before) = seen
            .insert(key.clone(), entry)
            .filter(|e| e.key != entry.key)
        {
            errors.push(twice(file, before, entry));
        }
        match &entry.value {
            Node::Null => {}
            Node::Scalar(text) => {
                let origin = Origin::File {
                    path: file.source.name().to_owned(),
                    key: entry.key.clone(),
                };
                let value = text.clone();
                settings.insert(key, Setting { value, origin });
            }
            Node::List(_) | Node::Map(_) => {
                let message = format!(
                    "{} must be a text, a number or true or false",
                    entry.shown()
                );
                errors.push(error_at(&file.source, entry.span, message));
            }
        }
    }
    if errors.is_empty() {
        Ok(settings)
    } else {
        Err(errors)
    }
}

/// Case does not matter in keys: AVP takes one of the two by the rules of its library, which differ by format.
fn twice(file: &SettingsFile, before: &Entry, entry: &Entry) -> Diagnostic {
    let line = file.source.line_column(before.span.start).line;
    let message = format!(
        "{} is the same setting as {} in line {line}",
        entry.shown(),
        before.shown()
    );
    error_at(&file.source, entry.span, message).with_hint("keep one of them")
}

fn trim(options: &mut Options, key: &str) {
    let Some(setting) = options.get(key) else {
        return;
    };
    let trimmed = setting.value.expose_str().unwrap_or_default().trim();
    let setting = Setting {
        value: Text::from(trimmed),
        origin: setting.origin.clone(),
    };
    options.set(key, setting);
}
