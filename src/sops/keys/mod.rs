//! Master keys: each kind is a file or folder that unwraps a file's data key. They come together in the keyring.

mod age;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
mod child;
mod file_keys;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod flux;
mod folder;
#[cfg(feature = "gcp")]
mod gcp;
mod keyring;
mod master;
mod opener;
mod pgp;
mod shamir;
mod terminal;
mod vault;

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore as _;
use zeroize::Zeroizing;

pub use self::file_keys::{FileKeys, Sealing};
pub use self::keyring::{InvalidOrder, Keyring, ORDER, SETTINGS};
pub(super) use self::master::{KeyKind, MasterKey, Wrapped};
use self::opener::Share;
pub use self::vault::ALLOWLIST;
use super::error::Error;

/// The key that a file's values are encrypted with. Clears itself and prints nothing.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// The bytes, opened.
    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A new one.
    pub(super) fn generate() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *key);
        Self(key)
    }

    /// What the keys of each of so many groups hold: those of a single group the whole key, those of one of several a
    /// share of it. `threshold` shares give the key back; 0 needs all.
    fn shares(&self, groups: usize, threshold: usize) -> Result<Vec<Share>, Error> {
        match (groups, threshold) {
            (0, _) => Err(Error::Recipe("no key groups provided".to_owned())),
            (1, _) => Ok(vec![Zeroizing::new(self.expose().to_vec())]),
            (groups, 0) => shamir::split(self.expose(), groups, groups),
            (groups, threshold) => shamir::split(self.expose(), threshold, groups),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            let size = bytes.len();
            return Err(Error::Metadata(format!(
                "its data key has {size} bytes, not 32"
            )));
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }
}

/// Keys of which any one opens the file, or its share of the data key.
#[derive(Clone)]
pub(super) struct KeyGroup {
    pub(super) keys: Vec<Wrapped>,
}
