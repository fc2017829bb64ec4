//! Master keys: each kind is a file that unwraps a file's data key. Here the kinds come together in groups, and the
//! data key is recovered.

mod age;
mod identities;
mod master;
mod shamir;

use aes_gcm::aead::OsRng;
use aes_gcm::aead::rand_core::RngCore as _;
use zeroize::Zeroizing;

pub use self::identities::{Identities, Sources};
pub(super) use self::master::{KeyKind, MasterKey, Wrapped};
use super::error::{Error, NoKey};
use super::metadata::Metadata;

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

    /// Wraps the key for groups of master keys: each key of the only group holds the whole of it, each key of one of
    /// several groups that group's share, of which `threshold` are needed; 0 needs all.
    pub(super) fn wrap(
        &self,
        groups: &[Vec<MasterKey>],
        threshold: usize,
        now: &str,
    ) -> Result<Vec<KeyGroup>, Error> {
        let whole = || vec![Zeroizing::new(self.expose().to_vec())];
        let shares = match (groups.len(), threshold) {
            (0, _) => return Err(Error::Metadata("no key groups provided".to_owned())),
            (1, _) => whole(),
            (count, 0) => shamir::split(self.expose(), count, count)?,
            (count, threshold) => shamir::split(self.expose(), threshold, count)?,
        };
        let wrapped = |key: &MasterKey, share: &[u8]| {
            Ok(Wrapped {
                key: key.clone(),
                enc: wrap(key, share)?,
                created_at: now.to_owned(),
            })
        };
        let group = |(keys, share): (&Vec<MasterKey>, &Zeroizing<Vec<u8>>)| {
            if keys.is_empty() {
                return Err(Error::Metadata("empty key group provided".to_owned()));
            }
            let keys = keys
                .iter()
                .map(|key| wrapped(key, share))
                .collect::<Result<_, _>>()?;
            Ok(KeyGroup { keys })
        };
        groups.iter().zip(&shares).map(group).collect()
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

/// Recovers the data key with the keys at hand.
pub(super) fn recover(metadata: &Metadata, identities: &Identities) -> Result<DataKey, Error> {
    let mut tried = NoKey::default();
    let groups = &metadata.groups;
    if let [group] = groups.as_slice() {
        return match open(group, identities, &mut tried) {
            Some(key) => DataKey::from_bytes(&key),
            None => Err(no_key(metadata, identities, tried)),
        };
    }
    let needed = match metadata.threshold {
        0 => groups.len(),
        threshold => threshold.max(2),
    };
    let mut shares = Vec::new();
    for group in groups {
        shares.extend(open(group, identities, &mut tried));
        if shares.len() == needed {
            break;
        }
    }
    if shares.len() < needed {
        tried.groups = Some((shares.len(), needed));
        return Err(no_key(metadata, identities, tried));
    }
    let key = shamir::combine(&shares)
        .ok_or_else(|| Error::Metadata("the shares of its data key do not fit".to_owned()))?;
    DataKey::from_bytes(&key)
}

/// What the first key of a group that can be opened holds.
fn open(
    group: &KeyGroup,
    identities: &Identities,
    tried: &mut NoKey,
) -> Option<Zeroizing<Vec<u8>>> {
    for Wrapped { key, enc, .. } in &group.keys {
        if key.kind != KeyKind::Age {
            continue;
        }
        match age::unwrap(enc, identities) {
            Ok(key) => return Some(key),
            // The recipients and the places say that no key fits; only what is odd is told besides.
            Err(age::Failure::NoMatch) => {}
            Err(failure) => {
                let name = key.describe();
                tried.failures.push(format!("{name}: {failure}"));
            }
        }
    }
    None
}

/// The data key, or share, wrapped by one master key.
fn wrap(key: &MasterKey, share: &[u8]) -> Result<String, Error> {
    match key.kind {
        KeyKind::Age => age::wrap(key.known_by(), share),
        kind => Err(Error::Metadata(format!(
            "this version cannot encrypt for keys of the kind {}",
            kind.list()
        ))),
    }
}

fn no_key(metadata: &Metadata, identities: &Identities, mut tried: NoKey) -> Error {
    let keys = metadata.groups.iter().flat_map(|group| &group.keys);
    let mut keys = keys.map(|wrapped| &wrapped.key);
    tried.recipients = keys.clone().map(MasterKey::describe).collect();
    tried.usable = keys.any(MasterKey::is_usable);
    tried.places = identities.places().to_vec();
    Error::NoKey(tried)
}
