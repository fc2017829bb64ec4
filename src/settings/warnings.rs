//! Settings that have no effect. Nothing here is an error, because argocd-vault-plugin takes them all without a word.

use super::file::SettingsFile;
use super::{NamedBackend, OURS, Settings, flat, structured, variables};
use crate::backends::registry;
use crate::diagnostics::{Diagnostic, Warning};
use crate::env::{Origin, Setting};

/// All of them.
pub(super) fn find(settings: &Settings, file: Option<&SettingsFile>) -> Vec<Diagnostic> {
    let types = chosen_types(settings);
    let keys = settings.flat.keys();
    let flat = keys.filter_map(|key| Some((key, settings.flat.get(key)?)));
    let named = settings.backends.iter().flat_map(own_settings);
    let ignored = flat
        .chain(named)
        .filter_map(|(key, set)| judge(key, set, &types));
    ignored.chain(file.and_then(sets_nothing)).collect()
}

/// The types of the backends that the settings ask for.
fn chosen_types(settings: &Settings) -> Vec<&str> {
    let default = settings.default_backend.as_ref();
    let named = settings.backends.iter().map(|backend| &*backend.kind.text);
    named
        .chain(settings.flat.text("AVP_TYPE"))
        .chain(default.map(|default| &*default.text))
        .collect()
}

/// What a named backend says itself, by the names of variables.
fn own_settings(backend: &NamedBackend) -> impl Iterator<Item = (&str, &Setting)> {
    let keys = registry::find(&backend.kind.text).map_or(&[][..], |kind| kind.settings);
    backend.settings.iter().filter_map(|own| {
        let (key, _) = keys.iter().find(|(_, dotted)| *dotted == own.key)?;
        Some((*key, &own.setting))
    })
}

fn judge(key: &str, setting: &Setting, types: &[&str]) -> Option<Diagnostic> {
    let origin = &setting.origin;
    // Plain variables may be for other programs; these are for nobody else.
    let is_for_us = match origin {
        Origin::File { .. } => true,
        Origin::Environment(name) => name.starts_with(flat::TENANT) || name.starts_with(OURS),
        Origin::Flag(_) | Origin::Default => false,
    };
    let Some(variable) = variables::find(key) else {
        // The whole environment comes by here, and near names take time: only what is for us is looked up.
        let meant = is_for_us.then(|| variables::meant(key)).flatten();
        let is_ours = is_for_us && key.starts_with(OURS);
        let warning = ignored(format!("{origin} is not known, and has no effect"));
        return (is_ours || meant.is_some()).then(|| match meant {
            Some(meant) => warning.with_hint(format!("did you mean {meant}?")),
            None => warning,
        });
    };
    // AVP hands this one to Vault's client also where it is plain.
    let is_for_us = is_for_us || key == "VAULT_WRAP_TTL";
    let matters = is_for_us && types.iter().any(|kind| variable.is_for(kind));
    (matters && variable.is_unread())
        .then(|| ignored(format!("{origin} is {}", variable.goes_to())))
}

/// An INI file above all: AVP looks for keys at the top only, where INI has none.
fn sets_nothing(file: &SettingsFile) -> Option<Diagnostic> {
    let mut keys = file.entries.iter().map(|entry| &entry.key);
    let is_read = |key: &String| flat::is_key(&key.to_uppercase()) || structured::is_key(key);
    if file.entries.is_empty() || keys.any(is_read) {
        return None;
    }
    let name = file.source.name();
    let warning = ignored(format!("{name} sets nothing that is read"));
    let hint =
        "the keys of an INI file lie in sections; write KEY=value in a file that ends in .env";
    Some(if name.rsplit('.').next() == Some("ini") {
        warning.with_hint(hint)
    } else {
        warning
    })
}

fn ignored(message: String) -> Diagnostic {
    Diagnostic::warning(Warning::IgnoredSetting, message)
}
