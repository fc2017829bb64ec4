//! Wraps a data key for an age recipient, and unwraps it. Which recipient, the file may claim wrongly, so that every
//! identity is tried: first those at hand, then what commands print, then plugins, and what a passphrase protects last.

mod bech32;
mod command;
mod hybrid;
mod identities;
mod locked;
mod plugin;
mod recipient;
mod sources;
mod ssh;
mod x25519;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::slice;
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::plugin::ResolveError;
use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use age_core::format::{FileKey, Stanza};
use tokio::time::Instant;
use zeroize::Zeroizing;

use self::identities::{Found, Identity};
use self::locked::{Ask, Passphrase};
pub(super) use self::recipient::check;
use self::sources::{Sources, Stage};
use super::MasterKey;
use super::opener::{Failure, Local, Share};
use super::terminal;
use crate::env::Options;
use crate::secret::Text;

/// How an armored age file begins. Other age files are not accepted here.
const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// A data key has 32 bytes, a share one more.
const MAX_SIZE: usize = 64;
/// For so many recipients commands are run: a file may name thousands.
const MAX_RUNS: usize = 100;

/// The operator's identities. Each stage is looked at when the ones before it do not fit.
pub(super) struct Age {
    sources: Sources,
    ask: Passphrase,
    keys: OnceLock<Found>,
    ssh_keys: OnceLock<Found>,
    /// What is slow and may ask people happens one after the other.
    commands: Mutex<Commands>,
}

/// What commands have printed.
#[derive(Default)]
struct Commands {
    /// The recipients for which they were run.
    recipients: HashSet<String>,
    found: Found,
}

impl Age {
    /// Nothing is read before it is needed.
    pub(super) fn new(options: &Options) -> Self {
        Self::asking(options, terminal::passphrase)
    }

    fn asking(options: &Options, ask: Ask) -> Self {
        Self {
            sources: Sources::new(options),
            ask: Passphrase::Ask(ask),
            keys: OnceLock::new(),
            ssh_keys: OnceLock::new(),
            commands: Mutex::default(),
        }
    }

    /// The same with a further file of identities, and the passphrase that protects it.
    pub(super) fn with_file(mut self, path: PathBuf, passphrase: Option<Text>) -> Self {
        self.sources.add_locked_file(path, passphrase);
        self
    }

    /// What an age file holds, armored or not, if it is not larger. The recipient is told to commands that print keys.
    pub(super) fn open(
        &self,
        file: &[u8],
        recipient: &str,
        max: usize,
        deadline: Instant,
    ) -> Result<Share, Failure> {
        // Unbuffered, the header is parsed anew for every few bytes of it.
        let armored = BufReader::new(ArmoredReader::new(file));
        let decryptor = Decryptor::new_buffered(armored).map_err(|_| damaged())?;
        if decryptor.is_scrypt() {
            return Err(Failure::new("protected by a passphrase"));
        }
        let attempt = Attempt {
            age: self,
            recipient,
            deadline,
            failures: RefCell::default(),
        };
        let opened = decryptor.decrypt([&attempt as &dyn age::Identity].into_iter());
        let reader = opened.map_err(|error| match error {
            DecryptError::NoMatchingKeys => attempt.failure(),
            _ => damaged(),
        })?;
        // With room for all of it, so that no copy stays behind where the vector grows.
        let mut text = Zeroizing::new(Vec::with_capacity(max.min(file.len()) + 1));
        let size = reader.take(max as u64 + 1).read_to_end(&mut text);
        match size {
            Ok(size) if size <= max => Ok(text),
            _ => Err(damaged()),
        }
    }

    fn keys(&self) -> &Found {
        let load = || self.sources.load(Stage::Keys, &self.ask);
        self.keys.get_or_init(load)
    }

    fn ssh_keys(&self) -> &Found {
        let load = || self.sources.load(Stage::SshKeys, &self.ask);
        self.ssh_keys.get_or_init(load)
    }
}

impl Local for Age {
    fn unwrap(&self, key: &MasterKey, enc: &str, deadline: Instant) -> Result<Share, Failure> {
        let enc = enc.trim_start();
        if !enc.starts_with(ARMOR) {
            return Err(Failure::new("not an armored age file"));
        }
        let share = self.open(enc.as_bytes(), key.known_by(), MAX_SIZE, deadline)?;
        if share.is_empty() {
            return Err(damaged());
        }
        Ok(share)
    }

    fn wrap(&self, key: &MasterKey, share: &[u8], _: Instant) -> Result<String, Failure> {
        let recipient = recipient::parse(key.known_by()).map_err(Failure::new)?;
        let encryptor =
            Encryptor::with_recipients([&*recipient as &dyn age::Recipient].into_iter());
        let encryptor = encryptor.map_err(|error| match error {
            EncryptError::PluginResolve(error) => not_found(&error),
            _ => Failure::new("its plugin failed"),
        })?;
        let write = || -> std::io::Result<Vec<u8>> {
            let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
            let mut writer = encryptor.wrap_output(armor)?;
            writer.write_all(share)?;
            writer.finish()?.finish()
        };
        let file = write().expect("writing to memory");
        Ok(String::from_utf8(file).expect("armor is ASCII"))
    }

    fn places(&self) -> Vec<String> {
        let keys = [self.keys(), self.ssh_keys()].into_iter();
        let mut places: Vec<String> = keys.flat_map(Found::places).collect();
        // Where a plugin never answers, they are held for ever.
        match self.commands.try_lock() {
            Ok(commands) => places.extend(commands.found.places()),
            Err(TryLockError::Poisoned(error)) => places.extend(error.get_ref().found.places()),
            Err(TryLockError::WouldBlock) => {}
        }
        places.extend(self.sources.unused());
        places
    }
}

fn damaged() -> Failure {
    Failure::new("damaged")
}

/// One entry that is to be opened, by whatever opens it.
struct Attempt<'a> {
    age: &'a Age,
    recipient: &'a str,
    deadline: Instant,
    /// Identities that should fit and do not.
    failures: RefCell<Vec<Failure>>,
}

impl age::Identity for Attempt<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let by_files = || self.by(&self.age.keys().ready, stanzas);
        let by_ssh = || self.by(&self.age.ssh_keys().ready, stanzas);
        let key = by_files().or_else(by_ssh);
        key.or_else(|| self.last(stanzas)).map(Ok)
    }
}

impl Attempt<'_> {
    /// By any of these. One that fails does not keep the others from being tried.
    fn by(&self, identities: &[Identity], stanzas: &[Stanza]) -> Option<FileKey> {
        identities.iter().find_map(|identity| {
            let opened = identity.unwrap_stanzas(stanzas)?;
            let failed = |error| self.failures.borrow_mut().push(failure(&error));
            opened.map_err(failed).ok()
        })
    }

    /// By what takes its time, or somebody's.
    fn last(&self, stanzas: &[Stanza]) -> Option<FileKey> {
        let commands = self.age.commands.lock();
        let mut commands = commands.unwrap_or_else(PoisonError::into_inner);
        let known = self.by(&commands.found.ready, stanzas);
        if known.is_some() {
            return known;
        }
        if commands.recipients.len() < MAX_RUNS
            && commands.recipients.insert(self.recipient.to_owned())
        {
            let stage = Stage::Commands(self.recipient, self.deadline);
            commands
                .found
                .merge(self.age.sources.load(stage, &self.age.ask));
            let printed = self.by(&commands.found.ready, stanzas);
            if printed.is_some() {
                return printed;
            }
        }
        let all = [self.age.keys(), self.age.ssh_keys(), &commands.found];
        let by_plugin = all
            .iter()
            .find_map(|found| self.by(&found.plugins, stanzas));
        by_plugin.or_else(|| {
            let locked = all.iter().flat_map(|found| &found.locked);
            let mut fitting = locked.filter(|locked| locked.may_open(stanzas));
            fitting.find_map(|locked| self.by(locked.identities(), stanzas))
        })
    }

    /// The first failure stands for all: it is told with what to try.
    fn failure(&self) -> Failure {
        let failures = self.failures.take();
        failures.into_iter().next().unwrap_or(Failure::NoMatch)
    }
}

/// In words. What a plugin says stays out: nobody knows what it puts there.
fn failure(error: &DecryptError) -> Failure {
    match error {
        DecryptError::PluginResolve(error) => not_found(error),
        DecryptError::Plugin(_) | DecryptError::Io(_) => Failure::new("a plugin failed"),
        _ => damaged(),
    }
}

fn not_found(error: &ResolveError) -> Failure {
    match error {
        ResolveError::MissingPlugin { binary_name } => {
            Failure::new(format!("there is no program {binary_name} in PATH")).with_hint(format!(
                "install {binary_name}, or use a key without a plugin"
            ))
        }
        _ => Failure::new("no plugin can have its name"),
    }
}

#[cfg(test)]
mod tests;
