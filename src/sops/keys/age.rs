//! Wraps a data key for an age recipient, and unwraps it. Which recipient, the file may claim wrongly, so that
//! every identity is tried.

use std::io::{Read as _, Write as _};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::x25519::Recipient;
use age::{DecryptError, Decryptor, Encryptor, Identity};
use zeroize::Zeroizing;

use super::Identities;
use crate::sops::error::Error;

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

/// Whether this version can encrypt for a recipient.
pub(super) fn check(recipient: &str) -> Result<(), Error> {
    parse(recipient).map(drop)
}

fn parse(recipient: &str) -> Result<Recipient, Error> {
    recipient.parse().map_err(|_| {
        let shown: String = recipient.chars().take(100).collect();
        Error::Metadata(format!(
            "{shown} is no age recipient that this version can encrypt for"
        ))
    })
}

/// An armored age file for one recipient.
pub(super) fn wrap(recipient: &str, share: &[u8]) -> Result<String, Error> {
    let recipient = parse(recipient)?;
    let write = || -> std::io::Result<Vec<u8>> {
        let encryptor = Encryptor::with_recipients([&recipient as &dyn age::Recipient].into_iter())
            .map_err(std::io::Error::other)?;
        let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(share)?;
        writer.finish()?.finish()
    };
    let file = write().expect("writing to memory for one recipient");
    Ok(String::from_utf8(file).expect("armor is ASCII"))
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
