//! Unwraps a data key that was encrypted for an age recipient. Which recipient, the file may claim wrongly, so that
//! every identity is tried.

use std::io::Read as _;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, Identity};
use zeroize::Zeroizing;

use super::Identities;

/// How an armored age file begins. Other age files are not accepted here.
const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// A data key has 32 bytes, a share one more.
const MAX_SIZE: u64 = 64;

/// Why an entry was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("no identity fits")]
    NoMatch,
    #[error("not an armored age file")]
    NotArmored,
    #[error("protected by a passphrase")]
    Passphrase,
    #[error("damaged")]
    Damaged,
}

/// The data key, or share, in an armored age file.
pub(super) fn unwrap(enc: &str, identities: &Identities) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let enc = enc.trim_start();
    if !enc.starts_with(ARMOR) {
        return Err(Failure::NotArmored);
    }
    let decryptor =
        Decryptor::new(ArmoredReader::new(enc.as_bytes())).map_err(|_| Failure::Damaged)?;
    if decryptor.is_scrypt() {
        return Err(Failure::Passphrase);
    }
    let identities = identities.iter().map(|identity| identity as &dyn Identity);
    let reader = decryptor.decrypt(identities).map_err(|error| match error {
        DecryptError::NoMatchingKeys => Failure::NoMatch,
        _ => Failure::Damaged,
    })?;
    let mut key = Zeroizing::new(Vec::with_capacity(64));
    let size = reader.take(MAX_SIZE + 1).read_to_end(&mut key);
    match size {
        Ok(1..=64) => Ok(key),
        _ => Err(Failure::Damaged),
    }
}
