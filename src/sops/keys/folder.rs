//! Key files, read with a bound: those that settings name, and a folder of them as Flux wants its Secret of keys
//! (`*.agekey`, `*.asc`, `sops.vault-token`, …), mounted or written by hand.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::env::Options;

/// The setting that names the folder.
pub(super) const SETTING: (&str, &str) = ("MANIFUSE_SOPS_KEYS", "keys");

/// Key files are small; a larger one is a mistake.
pub(super) const MAX_FILE: usize = 16 << 20;
/// A Secret has room for far fewer.
const MAX_ENTRIES: usize = 10_000;

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// One of its files.
pub(super) struct KeyFile {
    /// What messages call it.
    pub(super) place: String,
    pub(super) text: io::Result<Zeroizing<Vec<u8>>>,
}

impl Folder {
    /// The folder that is set.
    pub(super) fn new(options: &Options) -> Option<Self> {
        let path = options.path(SETTING.0)?;
        Some(Self { path })
    }

    /// The files whose names end so (`.asc`), sorted, or the one file of that name (`sops.vault-token`), if it is
    /// there. A folder that cannot be read is a file that cannot be.
    pub(super) fn files(&self, name: &str) -> Vec<KeyFile> {
        let names = match self.names(name) {
            Ok(names) => names,
            Err(error) => {
                return vec![KeyFile {
                    place: self.path.display().to_string(),
                    text: Err(error),
                }];
            }
        };
        let file = |path: PathBuf| KeyFile {
            place: path.display().to_string(),
            text: read(&path),
        };
        names.into_iter().map(file).collect()
    }

    fn names(&self, name: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)?.take(MAX_ENTRIES) {
            let path = entry?.path();
            let own = path.file_name().and_then(|own| own.to_str());
            if own.is_some_and(|own| own == name || (name.starts_with('.') && own.ends_with(name)))
            {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

/// A key file, read from the disk as the operator named it. What is too large is not kept.
pub(super) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(16 << 10));
    File::open(path)?
        .take(MAX_FILE as u64 + 1)
        .read_to_end(&mut text)?;
    if text.len() > MAX_FILE {
        return Err(io::Error::other("too large for a key file"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Folder, name: &str) -> Vec<String> {
        let files = folder.files(name).into_iter();
        let place = |file: KeyFile| file.place.rsplit('/').next().unwrap().to_owned();
        files.map(place).collect()
    }

    #[test]
    fn files_are_found_by_their_ends_or_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.agekey", "a.agekey", "a.asc", "sops.vault-token", "x"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let folder = Folder {
            path: folder.path().to_owned(),
        };
        assert_eq!(names(&folder, ".agekey"), ["a.agekey", "b.agekey"]);
        assert_eq!(names(&folder, "sops.vault-token"), ["sops.vault-token"]);
        assert!(names(&folder, "vault-token").is_empty());
        let token = folder.files("sops.vault-token").remove(0);
        assert_eq!(token.text.unwrap().as_slice(), b"sops.vault-token");
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large.asc");
        File::create(&large)
            .and_then(|file| file.set_len(MAX_FILE as u64 + 1))
            .unwrap();
        let path = folder.path().to_owned();
        let error = Folder { path }.files(".asc").remove(0).text.unwrap_err();
        assert_eq!(error.to_string(), "too large for a key file");
        let absent = Folder {
            path: folder.path().join("absent"),
        };
        let told = absent.files(".asc").remove(0);
        assert!(told.place.ends_with("/absent"));
        assert_eq!(told.text.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
