//! What the encrypted texts of a file turned out to be. Whoever writes the file again leaves the text of each value that
//! is unchanged at its place as it is, nonce and all: no other value is ever encrypted with that nonce.

use std::collections::{HashMap, VecDeque};

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore as _;
use sha2::{Digest as _, Sha256};

use super::cipher::Plain;

/// Encrypted texts by what they hold and where. Equal values of one list have several, in the order of the file.
pub(super) struct Sealed {
    /// So that nobody who reads the memory can guess values by their hashes.
    salt: [u8; 32],
    texts: HashMap<[u8; 32], VecDeque<String>>,
}

impl Sealed {
    /// Without any text: all that is asked for is to be encrypted.
    pub(super) fn new() -> Self {
        let mut salt = [0; 32];
        OsRng.fill_bytes(&mut salt);
        Self {
            salt,
            texts: HashMap::new(),
        }
    }

    /// Keeps a text that holds a value at a place.
    pub(super) fn keep(&mut self, place: &[u8], plain: &Plain, text: &str) {
        let key = self.key(place, plain);
        self.texts
            .entry(key)
            .or_default()
            .push_back(text.to_owned());
    }

    /// The next text that holds a value at a place.
    pub(super) fn take(&mut self, place: &[u8], plain: &Plain) -> Option<String> {
        let key = self.key(place, plain);
        self.texts.get_mut(&key)?.pop_front()
    }

    fn key(&self, place: &[u8], plain: &Plain) -> [u8; 32] {
        // A float that is written `5` is read as an integer; it is the same number.
        let kind = match plain.kind {
            "float" => "int",
            kind => kind,
        };
        let mut hash = Sha256::new_with_prefix(self.salt);
        for part in [place, kind.as_bytes()] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.update(plain.text.expose());
        hash.finalize().into()
    }
}
