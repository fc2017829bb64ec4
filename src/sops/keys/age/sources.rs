//! Where age identities are looked for. SOPS merges all places; none overrides another.

use std::path::{Path, PathBuf};

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::command;
use super::identities::{Found, Holds};
use super::locked::Passphrase;
use crate::diagnostics::io_reason;
use crate::env::Options;
use crate::secret::Text;
use crate::sops::keys::folder::{self, Folder};

const KEYS: &str = "SOPS_AGE_KEY";
const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";
const KEY_COMMAND: &str = "SOPS_AGE_KEY_CMD";
const SSH_FILE: &str = "SOPS_AGE_SSH_PRIVATE_KEY_FILE";
const SSH_COMMAND: &str = "SOPS_AGE_SSH_PRIVATE_KEY_CMD";

const NOT_SET: &str = "not set";

/// What is looked at together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage<'a> {
    /// Age's own key files.
    Keys,
    /// Files of SSH keys, which take longer to read.
    SshKeys,
    /// What commands print for a recipient until then.
    Commands(&'a str, Instant),
}

/// Where identities are to be looked for.
#[derive(Default)]
pub(super) struct Sources {
    places: Vec<Place>,
    folder: Option<Folder>,
    /// Settings that would name places, and why they do not.
    unused: Vec<(&'static str, &'static str)>,
}

/// One place.
struct Place {
    /// What messages call it.
    name: String,
    origin: Origin,
    holds: Holds,
    /// What protects it, if that is set.
    passphrase: Option<Text>,
}

/// How one gets what a place holds.
enum Origin {
    Text(Text),
    File(PathBuf),
    /// A command may have a key in it.
    Command(Text),
}

impl Sources {
    /// The places that the settings say.
    pub(super) fn new(options: &Options) -> Self {
        let mut sources = Self {
            folder: Folder::new(options),
            ..Self::default()
        };
        if sources.folder.is_none() {
            sources.unused.push((folder::SETTING.0, NOT_SET));
        }
        let home = absolute(options, "HOME");
        let ssh = |name| home.as_ref().map(|home| home.join(".ssh").join(name));
        sources.set(options, KEYS, Holds::Words);
        sources.set(options, KEY_FILE, Holds::Lines);
        sources.set(options, KEY_COMMAND, Holds::Lines);
        sources.add_file(default_file(options, home.as_deref()), Holds::Lines);
        sources.set(options, SSH_FILE, Holds::SshKey);
        sources.set(options, SSH_COMMAND, Holds::SshKey);
        sources.add_file(ssh("id_ed25519"), Holds::SshKey);
        sources.add_file(ssh("id_rsa"), Holds::SshKey);
        if home.is_none() {
            sources.unused.push(("HOME", NOT_SET));
        }
        sources
    }

    /// Adds the place that a setting says.
    fn set(&mut self, options: &Options, key: &'static str, holds: Holds) {
        let is_command = [KEY_COMMAND, SSH_COMMAND].contains(&key);
        let unused = match options.text(key) {
            None if options.get(key).is_some() => Some("empty"),
            None => Some(NOT_SET),
            Some(_) if is_command && options.is_set_by_application(key) => {
                Some("not run, because an application set it")
            }
            Some(_) => None,
        };
        if let Some(reason) = unused {
            return self.unused.push((key, reason));
        }
        let value = || options.text(key).unwrap_or_default().into();
        let path = options
            .path(key)
            .filter(|_| [KEY_FILE, SSH_FILE].contains(&key));
        match path {
            Some(path) => self.add_file(Some(path), holds),
            None => self.places.push(Place {
                name: key.to_owned(),
                origin: if is_command {
                    Origin::Command(value())
                } else {
                    Origin::Text(value())
                },
                holds,
                passphrase: None,
            }),
        }
    }

    /// Adds a file that is usually protected by a passphrase.
    pub(super) fn add_locked_file(&mut self, path: PathBuf, passphrase: Option<Text>) {
        self.places.push(Place {
            passphrase,
            ..Place::file(path, Holds::Lines)
        });
    }

    fn add_file(&mut self, path: Option<PathBuf>, holds: Holds) {
        self.places
            .extend(path.map(|path| Place::file(path, holds)));
    }

    /// The settings that say no place, by reason.
    pub(super) fn unused(&self) -> Vec<String> {
        let mut reasons: Vec<(&str, String)> = Vec::new();
        for (name, reason) in self.unused.iter().rev() {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, names)) if names.contains(' ') => *names = format!("{name}, {names}"),
                Some((_, names)) => *names = format!("{name} and {names}"),
                None => reasons.push((reason, (*name).to_owned())),
            }
        }
        let told = reasons.into_iter();
        told.map(|(reason, names)| format!("{names} ({reason})"))
            .collect()
    }

    /// Reads all places of a stage. One that cannot be read is no error: another may hold the key that fits.
    pub(super) fn load(&self, stage: Stage<'_>, ask: &Passphrase) -> Found {
        let mut found = Found::default();
        for place in self.places.iter().filter(|place| place.is_in(stage)) {
            let given = place.passphrase.clone().map(Passphrase::Given);
            let ask = given.as_ref().unwrap_or(ask);
            found.add(&place.name, place.read(stage), place.holds, ask);
        }
        if stage == Stage::Keys {
            for file in self
                .folder
                .iter()
                .flat_map(|folder| folder.files(".agekey"))
            {
                let text = file.text.map_err(|error| io_reason(&error));
                found.add(&file.place, text, Holds::Lines, ask);
            }
        }
        found
    }
}

impl Place {
    fn file(path: PathBuf, holds: Holds) -> Self {
        Self {
            name: file_name(&path),
            origin: Origin::File(path),
            holds,
            passphrase: None,
        }
    }

    fn is_in(&self, stage: Stage<'_>) -> bool {
        let is_command = matches!(self.origin, Origin::Command(_));
        match stage {
            Stage::Commands(..) => is_command,
            Stage::Keys => !is_command && self.holds != Holds::SshKey,
            Stage::SshKeys => !is_command && self.holds == Holds::SshKey,
        }
    }

    fn read(&self, stage: Stage<'_>) -> Result<Zeroizing<Vec<u8>>, String> {
        match (&self.origin, stage) {
            (Origin::Command(line), Stage::Commands(recipient, deadline)) => {
                let line = line.expose_str().unwrap_or_default();
                command::run(line, recipient, deadline.into_std())
            }
            (Origin::Text(text) | Origin::Command(text), _) => {
                Ok(Zeroizing::new(text.expose().to_vec()))
            }
            (Origin::File(path), _) => folder::read(path).map_err(|error| io_reason(&error)),
        }
    }
}

/// What messages call a file: its path, unless that is the key itself, set where its file belongs.
fn file_name(path: &Path) -> String {
    let name = path.display().to_string();
    let upper = name.to_ascii_uppercase();
    if upper.contains("AGE-SECRET-KEY-") || upper.contains("PRIVATE KEY-") {
        return "a file that is called like a key".to_owned();
    }
    name
}

/// The user's key file as SOPS places it.
fn default_file(options: &Options, home: Option<&Path>) -> Option<PathBuf> {
    let user = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".config"
    };
    let config = absolute(options, "XDG_CONFIG_HOME").or_else(|| Some(home?.join(user)));
    config.map(|config| config.join("sops/age/keys.txt"))
}

/// A folder that the user's environment names.
fn absolute(options: &Options, name: &str) -> Option<PathBuf> {
    let path = options.text(name).map(PathBuf::from);
    path.filter(|path| path.is_absolute())
}
