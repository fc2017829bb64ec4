//! OpenPGP without gpg: the keys in files, and those in GnuPG's folder that have no passphrase.

mod certificate;
mod home;
mod message;
mod private_key;
mod ring;
mod rsa;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pgp::types::Timestamp;
use zeroize::Zeroizing;

use self::message::Sealed;
use self::ring::Ring;
use crate::env::Options;
use crate::sops::keys::folder::Folder;
use crate::sops::keys::opener::{Failure, Share};

/// A public keyring of a busy person has some megabytes.
const MAX_FILE: u64 = 64 << 20;

/// Where keys lie, and the keys: those of files, then those of GnuPG, each read at the first use.
pub(super) struct Native {
    file: Option<PathBuf>,
    /// A folder as Flux wants it.
    folder: Option<Folder>,
    home: Option<PathBuf>,
    of_files: OnceLock<Ring>,
    of_home: OnceLock<Ring>,
}

impl Native {
    pub(super) fn new(options: &Options) -> Self {
        let user = options.path("HOME").map(|home| home.join(".gnupg"));
        Self {
            file: options.path("MANIFUSE_PGP_KEY_FILE"),
            folder: Folder::new(options),
            home: options.path("GNUPGHOME").or(user),
            of_files: OnceLock::new(),
            of_home: OnceLock::new(),
        }
    }

    /// What a message holds, if it has one of these sizes.
    pub(super) fn open(
        &self,
        message: &[u8],
        sizes: &RangeInclusive<usize>,
    ) -> Result<Share, Failure> {
        let sealed = Sealed::parse(message)?;
        self.first_that_fits(|ring| sealed.open(ring, sizes))
    }

    /// An armored message for the key that a fingerprint names.
    pub(super) fn wrap(&self, fingerprint: &str, share: &[u8]) -> Result<String, Failure> {
        let now = Timestamp::now();
        self.first_that_fits(|ring| {
            let key = ring.encryption_key(fingerprint, now)?;
            message::seal(&key, share)
        })
    }

    pub(super) fn places(&self) -> Vec<String> {
        let rings = [self.of_files(), self.of_home()];
        rings
            .iter()
            .flat_map(|ring| ring.places())
            .cloned()
            .collect()
    }

    /// The answer of the first ring that has a key for it, or else the worst that happened.
    fn first_that_fits<T>(&self, ask: impl Fn(&Ring) -> Result<T, Failure>) -> Result<T, Failure> {
        ask(self.of_files()).or_else(|first| {
            ask(self.of_home()).map_err(|second| match second {
                Failure::NoMatch => first,
                Failure::Other { .. } => second,
            })
        })
    }

    fn of_files(&self) -> &Ring {
        self.of_files.get_or_init(|| {
            let mut ring = Ring::default();
            match &self.file {
                Some(file) => ring.add_file(file),
                None => ring.note("MANIFUSE_PGP_KEY_FILE", "not set"),
            }
            let files = self.folder.iter().flat_map(|folder| folder.files(".asc"));
            for file in files {
                ring.add_place(&file.place, file.text);
            }
            ring
        })
    }

    fn of_home(&self) -> &Ring {
        self.of_home.get_or_init(|| match &self.home {
            Some(home) => home::load(home),
            None => Ring::default(),
        })
    }
}

/// A file of keys, read as it was named.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let too_large = || io::Error::other("too large for a file of keys");
    if size > MAX_FILE {
        return Err(too_large());
    }
    // With room for all of it, so that no copy stays behind where the vector grows.
    let room = usize::try_from(size).map_err(|_| too_large())?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_large());
    }
    Ok(bytes)
}
