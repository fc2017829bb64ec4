//! Settings that have no effect, or not the one that was meant. Nothing here is an error, because argocd-vault-plugin takes
//! them all without a word.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{Entry, Node};
use super::file::SettingsFile;
use super::{NamedBackend, OURS, Settings, flat, structured, variables};
use crate::backends::registry;
use crate::diagnostics::{Diagnostic, Place, Warning};
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
    let of_file = file.map(|file| of_file(file, settings));
    ignored.chain(of_file.into_iter().flatten()).collect()
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

/// What is in the file and not read, or not as it was meant.
fn of_file(file: &SettingsFile, settings: &Settings) -> Vec<Diagnostic> {
    let name = file.source.name();
    let last: BTreeMap<_, _> = file.entries.iter().map(|e| (e.key.as_str(), e)).collect();
    let told = last.values().filter_map(|entry| {
        let warning = odd(entry, settings).or_else(|| unread(entry))?;
        Some(warning.at(Place::new(Arc::clone(&file.source), entry.span)))
    });
    let mut told: Vec<_> = told.collect();
    let is_read = |key: &&str| flat::is_key(&key.to_uppercase()) || structured::is_key(key);
    if file.entries.is_empty() {
        told.push(ignored(format!("{name} is empty")));
    } else if told.is_empty() && !last.keys().any(is_read) {
        let warning = ignored(format!("{name} sets nothing that is read"));
        let hint =
            "the keys of an INI file lie in sections; write KEY=value in a file that ends in .env";
        told.push(match name.rsplit('.').next() {
            Some("ini") => warning.with_hint(hint),
            _ => warning,
        });
    }
    told
}

/// A value that its format has changed, where it counts.
fn odd(entry: &Entry, settings: &Settings) -> Option<Diagnostic> {
    let winner = settings.flat.get(&entry.key.to_uppercase())?;
    let counts = matches!(&winner.origin, Origin::File { key, .. } if *key == entry.key);
    let odd = entry.odd.filter(|_| counts)?;
    let message = format!("{} {odd}", entry.shown());
    let warning = Diagnostic::warning(Warning::OddSetting, message);
    Some(warning.with_hint("in single quotes a value is taken as it is"))
}

/// A key that is nearly one of ours in a file that has none of them, and one of ours that says nothing.
fn unread(entry: &Entry) -> Option<Diagnostic> {
    let key = entry.shown();
    if entry.key == "backends" {
        let is_empty = match &entry.value {
            Node::Map(backends) => backends.is_empty(),
            value => matches!(value, Node::Null),
        };
        return is_empty.then(|| ignored(format!("{key} is empty")));
    }
    let is_read = structured::is_key(key) || flat::is_key(&key.to_uppercase());
    let meant = structured::meant(key).filter(|_| !is_read)?;
    let warning = ignored(format!("{key} is not known, and has no effect"));
    Some(warning.with_hint(format!("did you mean {meant}?")))
}

fn ignored(message: String) -> Diagnostic {
    Diagnostic::warning(Warning::IgnoredSetting, message)
}
