//! Password stores, the folders that `pass`, `gopass` and `passage` keep: an entry is a file for people's OpenPGP or age
//! keys, read as it lies there. Neither program is needed, and nothing is pulled or pushed.
//!
//! Layout: <https://www.passwordstore.org>, <https://github.com/gopasspw/gopass/blob/master/docs/features.md>. In a
//! manifest: `<pass:shop/db#password>` is the first line of `shop/db.gpg` or `shop/db.age`.

mod entry;
pub(super) mod gopass;
pub(super) mod pass;

use std::path::{Path, PathBuf};

use futures::future::BoxFuture;

use super::file::below;
use super::registry::SettingsError;
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Request, without_version};
use crate::diagnostics::io_reason;
use crate::env::Options;
use crate::files::{FileError, Files as _, FolderFiles};
use crate::sops::{FileKeys, NoKey, Sealing};

/// Names the store's folder.
const STORE: &str = "PASSWORD_STORE_DIR";

/// What one entry may have as a file: the limit of any answer, and what encryption adds.
const LARGEST_FILE: u64 = 24 << 20;

/// How an entry's file ends, what it is encrypted by, and which file of the store says for whom.
const KINDS: [(&str, Sealing, &str); 2] = [
    (".gpg", Sealing::OpenPgp, ".gpg-id"),
    (".age", Sealing::Age, ".age-recipients"),
];

/// A file that says for whom entries are has short lines.
const LONGEST_ID: usize = 200;

/// The settings of both types, after those of one.
macro_rules! settings {
    ($($own:expr),*) => {
        &[
            $($own,)*
            (super::STORE, "store"),
            ("GNUPGHOME", ""),
            ("HOME", ""),
            ("MANIFUSE_PGP_KEY_FILE", "pgpKeyFile"),
            ("MANIFUSE_SOPS_KEYS", "keys"),
            ("SOPS_AGE_KEY", ""),
            ("SOPS_AGE_KEY_CMD", ""),
            ("SOPS_AGE_KEY_FILE", "ageKeyFile"),
            ("SOPS_AGE_SSH_PRIVATE_KEY_CMD", ""),
            ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "sshKeyFile"),
            ("SOPS_GPG_EXEC", ""),
            ("XDG_CONFIG_HOME", ""),
        ]
    };
}
use settings;

/// Folders of entries, and the keys that open them.
struct Passwords {
    /// Those with the longest names first.
    mounts: Vec<Mount>,
    keys: FileKeys,
}

/// A store, and below which name its entries are. The main one has no name.
struct Mount {
    name: String,
    files: FolderFiles,
}

/// The folder that the operator has set: whoever writes manifests may not say whose passwords are read.
fn own_folder(options: &Options) -> Option<PathBuf> {
    let folder = options.path(STORE)?;
    (!options.is_set_by_application(STORE)).then_some(folder)
}

/// A folder in the user's home.
fn at_home(options: &Options, path: &str) -> Option<PathBuf> {
    Some(options.path("HOME")?.join(path))
}

impl Mount {
    fn open(name: &str, folder: &Path) -> Result<Self, SettingsError> {
        let files = FolderFiles::open(folder, folder, LARGEST_FILE).map_err(|error| {
            let folder = folder.display();
            let reason = io_reason(&error);
            SettingsError::new(format!(
                "the password store {folder} cannot be used: {reason}"
            ))
            .about(STORE)
            .hint("set PASSWORD_STORE_DIR, or store in manifuse.yaml, to the folder of the entries")
        })?;
        Ok(Self {
            name: name.to_owned(),
            files,
        })
    }

    /// What an entry is called here, if it is one of this store's.
    fn inner<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.name.as_str() {
            "" => Some(path),
            name => path.strip_prefix(name)?.strip_prefix('/'),
        }
    }

    /// An entry's file, still encrypted.
    fn read(&self, path: &str) -> Result<(Vec<u8>, Sealing), FileError> {
        let read = |(ending, sealing, _): (&str, Sealing, _)| {
            let file = self.files.read(&format!("{path}{ending}"))?;
            Ok((file, sealing))
        };
        let [first, second] = KINDS;
        read(first).or_else(|error| match error {
            FileError::Absent { .. } => read(second),
            error => Err(error),
        })
    }

    /// For whom entries beside this one are encrypted, as the nearest file of the store says it.
    fn recipients(&self, path: &str, sealing: Sealing) -> Vec<String> {
        let [first, second] = KINDS;
        let name = if sealing == first.1 {
            first.2
        } else {
            second.2
        };
        let folders = Path::new(path).ancestors().skip(1);
        let mut files = folders.map(|folder| folder.join(name));
        let text = files.find_map(|file| self.files.read(file.to_str()?).ok());
        let text = String::from_utf8_lossy(text.as_deref().unwrap_or_default()).into_owned();
        let ids = text.lines().filter_map(|line| line.split('#').next());
        let ids = ids.map(str::trim);
        ids.filter(|id| !id.is_empty() && id.len() <= LONGEST_ID)
            .map(ToOwned::to_owned)
            .collect()
    }

    fn unreadable(&self, path: &str, error: &FileError) -> Error {
        match error {
            FileError::Absent { .. } if self.files.root().join(path).is_dir() => Error::new(
                ErrorKind::AbsentPath,
                format!("{path} is a folder of the password store"),
            )
            .with_hint("name an entry in it"),
            FileError::Absent { .. } => {
                let root = self.files.root().display();
                Error::new(
                    ErrorKind::AbsentPath,
                    format!("the password store has no entry {path}"),
                )
                .with_hint(format!("there is no {path}.gpg or {path}.age in {root}"))
            }
            FileError::Outside { .. } => Error::new(ErrorKind::Denied, leads_out(path)),
            FileError::TooLarge { .. } => Error::new(ErrorKind::Malformed, error.to_string()),
            FileError::Io { source, .. } => {
                Error::new(ErrorKind::Denied, error.to_string()).with_cause(io_reason(source))
            }
        }
    }
}

impl Passwords {
    async fn read(&self, request: &Request, context: &FetchContext) -> Result<Answer, Error> {
        let path = &*request.id.path;
        without_version(request, "a password store")?;
        let clean = clean(path).ok_or_else(|| Error::new(ErrorKind::Reference, leads_out(path)))?;
        let found = self
            .mounts
            .iter()
            .find_map(|mount| Some((mount, mount.inner(&clean)?)));
        let Some((mount, inner)) = found else {
            let message = format!("no password store has the entry {path}");
            return Err(Error::new(ErrorKind::AbsentPath, message));
        };
        let (file, sealing) = mount
            .read(inner)
            .map_err(|error| mount.unreadable(inner, &error))?;
        let opened = self.keys.open(sealing, file, context.deadline).await;
        let text = opened.map_err(|tried| {
            unopened(
                path,
                NoKey {
                    recipients: mount.recipients(inner, sealing),
                    ..tried
                },
            )
        })?;
        let values = entry::values(&text, &request.keys).map_err(|reason| {
            let message = format!("the entry {path} cannot be read: {reason}");
            Error::new(ErrorKind::Malformed, message)
        })?;
        Ok(Answer {
            has_paths: true,
            ..Answer::whole(values, None)
        })
    }
}

impl Backend for Passwords {
    fn normalize(&self, path: &str) -> String {
        // A path that leaves the store is refused by `fetch`.
        clean(path).unwrap_or_else(|| path.to_owned())
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(request, context))
    }
}

/// An entry's name without `.` and doubled slashes; `None` where it is absolute or climbs.
fn clean(path: &str) -> Option<String> {
    Some(below(path)?.to_str()?.to_owned())
}

fn leads_out(path: &str) -> String {
    format!("the path {path} leads out of the password store")
}

fn unopened(path: &str, tried: NoKey) -> Error {
    let message = format!("no key at hand opens the entry {path}");
    Error {
        kind: ErrorKind::Denied,
        message,
        causes: tried.causes(),
        hint: tried.hint,
    }
}
