//! Master keys: each kind is a file that unwraps a file's data key. Here the kinds come together in groups, and the
//! data key is recovered.

mod age;
mod identities;
mod shamir;

use zeroize::Zeroizing;

pub use self::identities::{Identities, Sources};
use super::error::{Error, NoKey};
use super::metadata::Metadata;

/// The key that a file's values are encrypted with. Clears itself and prints nothing.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// The bytes, opened.
    pub(super) fn expose(&self) -> &[u8; 32] {
        &self.0
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
pub(super) struct KeyGroup {
    pub(super) keys: Vec<MasterKey>,
}

/// One wrapped data key, or share of it.
pub(super) enum MasterKey {
    /// Wrapped for an age recipient, as an armored age file.
    Age { recipient: String, enc: String },
    /// A kind that this version does not open: its name in the `sops` block, and what the key is known by.
    Other { kind: &'static str, name: String },
}

impl MasterKey {
    /// What people know it by. Post-quantum recipients fill pages.
    fn describe(&self) -> String {
        const SHOWN: usize = 100;
        let mut text = match self {
            Self::Age { recipient, .. } => recipient.clone(),
            Self::Other { kind, name } => format!("{kind} {name}"),
        };
        if let Some((end, _)) = text.char_indices().nth(SHOWN) {
            text.truncate(end);
            text.push('…');
        }
        text
    }

    /// Whether this version has the means to open it. Plugins have names, set off by a second `1`.
    fn is_usable(&self) -> bool {
        matches!(self, Self::Age { recipient, .. }
            if recipient.starts_with("age1") && recipient.matches('1').count() == 1)
    }
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
    for key in &group.keys {
        let MasterKey::Age { enc, .. } = key else {
            continue;
        };
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

fn no_key(metadata: &Metadata, identities: &Identities, mut tried: NoKey) -> Error {
    let keys = metadata.groups.iter().flat_map(|group| &group.keys);
    tried.recipients = keys.clone().map(MasterKey::describe).collect();
    tried.usable = keys.into_iter().any(MasterKey::is_usable);
    tried.places = identities.places().to_vec();
    Error::NoKey(tried)
}
