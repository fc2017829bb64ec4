//! Wraps a data key for an age recipient, and unwraps it. Which recipient, the file may claim wrongly, so that
//! every identity is tried.

use std::io::{Read as _, Write as _};
use std::sync::OnceLock;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::x25519::Recipient;
use age::{DecryptError, Decryptor, Encryptor, Identity};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::identities::{Identities, Sources};
use super::master::MasterKey;
use super::opener::{Failure, Local, Share};
use crate::env::Options;
use crate::sops::error::Error;

/// How an armored age file begins. Other age files are not accepted here.
const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// A data key has 32 bytes, a share one more.
const MAX_SIZE: u64 = 64;

/// The age identities at hand, read when the first entry is to be opened.
pub(super) struct Age {
    sources: Sources,
    identities: OnceLock<Identities>,
}

impl Age {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            sources: Sources::new(options),
            identities: OnceLock::new(),
        }
    }

    fn identities(&self) -> &Identities {
        self.identities
            .get_or_init(|| Identities::load(&self.sources))
    }
}

impl Local for Age {
    fn unwrap(&self, _: &MasterKey, enc: &str, _: Instant) -> Result<Share, Failure> {
        unwrap(enc, self.identities())
    }

    fn wrap(&self, key: &MasterKey, share: &[u8], _: Instant) -> Result<String, Failure> {
        wrap(key.known_by(), share).map_err(|error| Failure::new(error.to_string()))
    }

    fn places(&self) -> Vec<String> {
        self.identities().places().to_vec()
    }
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
fn wrap(recipient: &str, share: &[u8]) -> Result<String, Error> {
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
fn unwrap(enc: &str, identities: &Identities) -> Result<Share, Failure> {
    let damaged = || Failure::new("damaged");
    let enc = enc.trim_start();
    if !enc.starts_with(ARMOR) {
        return Err(Failure::new("not an armored age file"));
    }
    let decryptor = Decryptor::new(ArmoredReader::new(enc.as_bytes())).map_err(|_| damaged())?;
    if decryptor.is_scrypt() {
        return Err(Failure::new("protected by a passphrase"));
    }
    let identities = identities.iter().map(|identity| identity as &dyn Identity);
    let reader = decryptor.decrypt(identities).map_err(|error| match error {
        DecryptError::NoMatchingKeys => Failure::NoMatch,
        _ => damaged(),
    })?;
    let mut key = Zeroizing::new(Vec::with_capacity(64));
    let size = reader.take(MAX_SIZE + 1).read_to_end(&mut key);
    match size {
        Ok(1..=64) => Ok(key),
        _ => Err(damaged()),
    }
}
