//! Identities that a passphrase protects. It is asked for when nothing else fits, and once.

use std::io::{self, Read as _};
use std::sync::OnceLock;

use age::armor::ArmoredReader;
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, scrypt};
use age_core::format::Stanza;
use zeroize::Zeroizing;

use super::identities::{Contents, Identity};
use crate::secret::Text;
use crate::sops::keys::folder::MAX_FILE;

/// Asks for a passphrase.
pub(super) type Ask = fn(&str) -> io::Result<SecretString>;

/// How one comes by a passphrase.
#[derive(Clone)]
pub(super) enum Passphrase {
    /// Somebody is asked.
    Ask(Ask),
    /// A setting says it.
    Given(Text),
}

impl Passphrase {
    fn get(&self, question: &str) -> Result<SecretString, &'static str> {
        match self {
            Self::Ask(ask) => ask(question).map_err(|_| "there is no terminal to ask for it"),
            Self::Given(text) => Ok(SecretString::from(text.expose_str().unwrap_or_default())),
        }
    }
}

/// As much work as Go's age accepts.
const MAX_WORK: u8 = 22;

/// Protected identities.
pub(super) struct Locked {
    /// Where they were found.
    place: String,
    lock: Lock,
    passphrase: Passphrase,
    opened: OnceLock<Result<Vec<Identity>, &'static str>>,
}

/// What protects them.
pub(super) enum Lock {
    /// An age file.
    File(Zeroizing<Vec<u8>>),
    /// An SSH key's own encryption, and the stanzas that this key would open.
    SshKey {
        key: Box<age::ssh::EncryptedKey>,
        kind: String,
        tag: String,
    },
}

impl Locked {
    pub(super) fn new(place: &str, lock: Lock, passphrase: Passphrase) -> Self {
        Self {
            place: place.to_owned(),
            lock,
            passphrase,
            opened: OnceLock::new(),
        }
    }

    /// Whether it is worth to ask for the passphrase.
    pub(super) fn may_open(&self, stanzas: &[Stanza]) -> bool {
        match &self.lock {
            Lock::File(_) => true,
            Lock::SshKey { kind, tag, .. } => stanzas
                .iter()
                .any(|stanza| stanza.tag == *kind && stanza.args.first() == Some(tag)),
        }
    }

    /// What was protected; nothing if it cannot be opened, which [`Self::outcome`] tells.
    pub(super) fn identities(&self) -> &[Identity] {
        let opened = self.opened.get_or_init(|| self.open());
        opened.as_deref().unwrap_or_default()
    }

    /// The place, and what came of it.
    pub(super) fn outcome(&self) -> String {
        let outcome = match self.opened.get() {
            None => "protected by a passphrase, and for another recipient".to_owned(),
            Some(Err(reason)) => format!("protected by a passphrase: {reason}"),
            Some(Ok(identities)) => super::identities::counted(identities.len()),
        };
        format!("{} ({outcome})", self.place)
    }

    fn open(&self) -> Result<Vec<Identity>, &'static str> {
        let question = format!("Passphrase for {}", self.place);
        let ask = || self.passphrase.get(&question);
        match &self.lock {
            Lock::File(file) => open_file(file, ask),
            Lock::SshKey { key, .. } => {
                let key = key.decrypt(ask()?).map_err(|_| "it was wrong")?;
                Ok(vec![Box::new(age::ssh::Identity::from(key))])
            }
        }
    }
}

fn open_file(
    file: &[u8],
    ask: impl FnOnce() -> Result<SecretString, &'static str>,
) -> Result<Vec<Identity>, &'static str> {
    let damaged = "the file is damaged";
    let decryptor = Decryptor::new(ArmoredReader::new(file)).map_err(|_| damaged)?;
    if !decryptor.is_scrypt() {
        return Err("the file is encrypted otherwise");
    }
    let mut passphrase = scrypt::Identity::new(ask()?);
    passphrase.set_max_work_factor(MAX_WORK);
    let opened = decryptor.decrypt([&passphrase as &dyn age::Identity].into_iter());
    let reader = opened.map_err(|error| match error {
        DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed
        | DecryptError::NoMatchingKeys => "it was wrong",
        _ => damaged,
    })?;
    let mut text = Zeroizing::new(String::with_capacity(16 << 10));
    let read = reader.take(MAX_FILE as u64).read_to_string(&mut text);
    read.map_err(|_| damaged)?;
    let Contents { mut ready, plugins } =
        Contents::parse(&text).map_err(|_| "it protects no age identities")?;
    ready.extend(plugins);
    Ok(ready)
}
