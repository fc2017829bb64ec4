//! The type `gopass`: the stores that gopass's configuration mounts, and its own file of age identities.
//!
//! <https://github.com/gopasspw/gopass/blob/master/docs/config.md>

use std::cmp::Reverse;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Mount, Passwords, STORE, at_home, own_folder, settings};
use crate::backends::Backend;
use crate::backends::registry::{Own, SettingsError, Type};
use crate::diagnostics::io_reason;
use crate::env::{Environment, Options};
use crate::sops::FileKeys;

/// The registry's line.
pub(in crate::backends) const TYPE: Type = Type {
    name: "gopass",
    settings: settings!(
        (CONFIG, "config"),
        (AGE_PASSWORD, "agePassword"),
        ("GOPASS_HOMEDIR", ""),
        ("XDG_DATA_HOME", "")
    ),
    own: &[
        Own::setting(CONFIG, "the file that says which stores are mounted"),
        Own::secret(AGE_PASSWORD, "the passphrase of its age identities"),
        Own::setting("GOPASS_HOMEDIR", "the home folder, for gopass alone"),
        Own::setting("XDG_DATA_HOME", "where `gopass/stores/root` lies"),
    ],
    built_in: true,
    open,
};

const CONFIG: &str = "GOPASS_CONFIG";
const AGE_PASSWORD: &str = "GOPASS_AGE_PASSWORD";

/// More than anybody's configuration.
const LARGEST_CONFIG: u64 = 1 << 20;

fn open(options: &Options, _: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let mut mounts = match own_folder(options) {
        Some(folder) => vec![Mount::open("", &folder)?],
        None => mounts(options)?,
    };
    mounts.sort_by_key(|mount| Reverse(mount.name.len()));
    let identities = user_folder(options).map(|folder| folder.join("age/identities"));
    let passphrase = options.text(AGE_PASSWORD).map(Into::into);
    Ok(Arc::new(Passwords {
        mounts,
        keys: FileKeys::new(options, identities.map(|path| (path, passphrase))),
    }))
}

/// The stores of the configuration; without one the store where gopass makes it.
fn mounts(options: &Options) -> Result<Vec<Mount>, SettingsError> {
    let named = options
        .path(CONFIG)
        .filter(|_| !options.is_set_by_application(CONFIG));
    let is_named = named.is_some();
    let file = named.or_else(|| Some(user_folder(options)?.join("config")));
    let file = file.unwrap_or_default();
    let text = match read(&file) {
        Ok(text) => text,
        Err(error) if is_named || error.kind() != io::ErrorKind::NotFound => {
            let message = format!(
                "gopass's configuration {} cannot be read: {}",
                file.display(),
                io_reason(&error)
            );
            let error = SettingsError::new(message).about(CONFIG);
            return Err(error.hint(format!(
                "set {CONFIG}, or config in manifuse.yaml, to the file that gopass config reads"
            )));
        }
        Err(_) => String::new(),
    };
    let mut paths: Vec<(String, PathBuf)> = Vec::new();
    for (name, path) in parse(&text) {
        let path = match path.strip_prefix("~/") {
            Some(rest) => home(options).map(|home| home.join(rest)),
            None => Some(PathBuf::from(path)),
        };
        paths.retain(|(known, _)| known != name);
        paths.extend(path.map(|path| (name.to_owned(), path)));
    }
    if is_named && paths.is_empty() {
        let message = format!("gopass's configuration {} mounts no store", file.display());
        let error = SettingsError::new(message).about(CONFIG);
        return Err(error.hint("a store is a path below [mounts], or below [mounts \"NAME\"]"));
    }
    if !paths.iter().any(|(name, _)| name.is_empty()) {
        paths.extend(default_store(options).map(|path| (String::new(), path)));
    }
    if paths.is_empty() {
        let error = SettingsError::new("a gopass backend needs the folder of its entries");
        return Err(error
            .about(STORE)
            .hint("set PASSWORD_STORE_DIR, or store in manifuse.yaml"));
    }
    let mut mounts = Vec::with_capacity(paths.len());
    for (name, path) in paths {
        mounts.push(Mount::open(&name, &path)?);
    }
    Ok(mounts)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(LARGEST_CONFIG)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// The home folder as gopass sees it.
fn home(options: &Options) -> Option<PathBuf> {
    options
        .path("GOPASS_HOMEDIR")
        .or_else(|| options.path("HOME"))
}

/// The folder of gopass's configuration and identities.
fn user_folder(options: &Options) -> Option<PathBuf> {
    let config = match options.path("GOPASS_HOMEDIR") {
        Some(home) => Some(home.join(".config")),
        None => options
            .path("XDG_CONFIG_HOME")
            .or_else(|| at_home(options, ".config")),
    };
    Some(config?.join("gopass"))
}

/// Where gopass makes a store, or where `pass` has made one before.
fn default_store(options: &Options) -> Option<PathBuf> {
    let data = match options.path("GOPASS_HOMEDIR") {
        Some(home) => Some(home.join(".local/share")),
        None => options
            .path("XDG_DATA_HOME")
            .or_else(|| at_home(options, ".local/share")),
    };
    let own = data.map(|data| data.join("gopass/stores/root"));
    own.filter(|folder| folder.is_dir())
        .or_else(|| home(options).map(|home| home.join(".password-store")))
}

/// The mounts of a configuration, which has Git's syntax: `path` in `[mounts]` and in `[mounts "NAME"]`.
fn parse(text: &str) -> Vec<(&str, &str)> {
    let mut mounts = Vec::new();
    let mut name = None;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.split(']').next().unwrap_or_default();
            name = section.strip_prefix("mounts").and_then(mount_name);
        } else if let (Some(name), Some((key, value))) = (name, line.split_once('=')) {
            let value = value.trim();
            let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            if key.trim().eq_ignore_ascii_case("path") {
                mounts.push((name, quoted.unwrap_or(value)));
            }
        }
    }
    mounts
}

/// The name in a section's head, behind its first word.
fn mount_name(rest: &str) -> Option<&str> {
    match rest.trim() {
        "" => Some(""),
        quoted => quoted.strip_prefix('"')?.strip_suffix('"'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_its_mounts() {
        let text = "; of gopass\n[core]\n\tpath = no\n[mounts]\n\tpath = ~/root\n[mounts \"work/team\"]\n\tPath = \"/a b\"\n\
            [mountsX]\npath = no\n[age]\nagent-enabled = false\n";
        assert_eq!(parse(text), [("", "~/root"), ("work/team", "/a b")]);
        assert_eq!(parse("[mounts \"\npath = x\n[\n= \n[mounts"), []);
    }
}
