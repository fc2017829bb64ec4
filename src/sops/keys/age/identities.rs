//! Key files and SSH keys as identities, and what became of each place where they were looked for.

use zeroize::Zeroizing;

use super::hybrid::HybridIdentity;
use super::locked::{Lock, Locked, Passphrase};
use super::plugin::PluginIdentity;
use super::ssh::{self, SshKey};
use super::x25519::X25519Identity;

/// What unwraps.
pub(super) type Identity = Box<dyn age::Identity + Send + Sync>;

/// What a place holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Identities, one a line.
    Lines,
    /// Several in a line, too.
    Words,
    /// One SSH key.
    SshKey,
}

/// The identities of some places.
#[derive(Default)]
pub(super) struct Found {
    /// Usable at once.
    pub(super) ready: Vec<Identity>,
    /// Those that a plugin uses.
    pub(super) plugins: Vec<Identity>,
    /// Those that a passphrase protects.
    pub(super) locked: Vec<Locked>,
    /// Each place and its outcome.
    places: Vec<(String, String)>,
}

impl Found {
    /// Adds what a place holds: all of it, or nothing where a part is broken, as in SOPS.
    pub(super) fn add(
        &mut self,
        place: &str,
        text: Result<Zeroizing<Vec<u8>>, String>,
        holds: Holds,
        ask: &Passphrase,
    ) {
        let added = text.and_then(|text| match holds {
            Holds::SshKey => self.add_ssh(place, &text, ask),
            _ if is_age_file(&text) => {
                self.lock(place, Lock::File(text), ask);
                Ok(None)
            }
            _ => self.add_identities(&text, holds).map(Some),
        });
        match added {
            Ok(Some(outcome)) | Err(outcome) => self.note(place, outcome),
            // What is locked tells its outcome itself.
            Ok(None) => {}
        }
    }

    fn add_identities(&mut self, text: &[u8], holds: Holds) -> Result<String, String> {
        let text = std::str::from_utf8(text).map_err(|_| "not UTF-8")?;
        let mut contents = match holds {
            Holds::Words => Contents::parse(&text.replace([' ', '\t'], "\n"))?,
            _ => Contents::parse(text)?,
        };
        let count = contents.ready.len() + contents.plugins.len();
        self.ready.append(&mut contents.ready);
        self.plugins.append(&mut contents.plugins);
        Ok(counted(count))
    }

    fn add_ssh(
        &mut self,
        place: &str,
        text: &[u8],
        ask: &Passphrase,
    ) -> Result<Option<String>, String> {
        match ssh::parse(text)? {
            SshKey::Ready(identity) => {
                self.ready.push(Box::new(identity));
                Ok(Some("an SSH key".to_owned()))
            }
            SshKey::Locked(lock) => {
                self.lock(place, lock, ask);
                Ok(None)
            }
        }
    }

    fn lock(&mut self, place: &str, lock: Lock, ask: &Passphrase) {
        self.locked.push(Locked::new(place, lock, ask.clone()));
    }

    fn note(&mut self, place: &str, outcome: String) {
        self.places.push((place.to_owned(), outcome));
    }

    /// Takes over what a later look at the same places has found.
    pub(super) fn merge(&mut self, later: Self) {
        self.ready.extend(later.ready);
        self.plugins.extend(later.plugins);
        self.locked.extend(later.locked);
        self.places = later.places;
    }

    /// Each place and what was found there.
    pub(super) fn places(&self) -> impl Iterator<Item = String> {
        let places = self.places.iter();
        let open = places.map(|(place, outcome)| format!("{place} ({outcome})"));
        open.chain(self.locked.iter().map(Locked::outcome))
    }
}

/// Identities by their text.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) ready: Vec<Identity>,
    pub(super) plugins: Vec<Identity>,
}

impl Contents {
    /// Reads a key file: an identity a line, and comments. The reason says which of them is none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut contents = Self::default();
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        for (index, line) in lines.enumerate() {
            // gopass notes the recipient behind it.
            let line = line.split('|').next().unwrap_or_default();
            let wrong = || format!("entry {} is no age identity", index + 1);
            if line.starts_with("AGE-PLUGIN-") {
                let identity = line.parse().map_err(|_| wrong())?;
                contents.plugins.push(Box::new(PluginIdentity(identity)));
            } else if line.starts_with("AGE-SECRET-KEY-PQ-1") {
                let identity = HybridIdentity::parse(line).ok_or_else(wrong)?;
                contents.ready.push(Box::new(identity));
            } else {
                let identity = X25519Identity::parse(line).ok_or_else(wrong)?;
                contents.ready.push(Box::new(identity));
            }
        }
        Ok(contents)
    }
}

/// How many identities there are, in words.
pub(super) fn counted(count: usize) -> String {
    match count {
        1 => "1 identity".to_owned(),
        count => format!("{count} identities"),
    }
}

fn is_age_file(text: &[u8]) -> bool {
    text.starts_with(b"age-encryption") || text.starts_with(b"-----BEGIN AGE")
}
