//! Which key of a person is encrypted for: the newest that may be used for it, is not revoked and not over, as gpg chooses. What a
//! key is for, only signatures by its owner say, and each is checked.

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{PacketHeader, PublicKey, PublicSubkey, Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{Duration, KeyDetails, Tag, Timestamp};

/// The key that a fingerprint or a long key id names.
pub(super) struct Wanted {
    digits: String,
    /// It and no other of that person's.
    exact: bool,
}

impl Wanted {
    /// `None` for what only gpg understands: names, addresses, short ids.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bare = text.trim_end_matches('!');
        let digits = bare.strip_prefix("0x").unwrap_or(bare).to_ascii_lowercase();
        let exact = bare.len() < text.len();
        let known = [16, 40, 64].contains(&digits.len());
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        (known && is_hex).then_some(Self { digits, exact })
    }

    pub(super) fn is(&self, key: &impl KeyDetails) -> bool {
        let name = match self.digits.len() {
            16 => key.legacy_key_id().to_string(),
            _ => key.fingerprint().to_string(),
        };
        name.eq_ignore_ascii_case(&self.digits)
    }
}

/// The key to encrypt with.
pub(super) fn choose(
    person: &SignedPublicKey,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<PublicSubkey, &'static str> {
    let primary = &person.primary_key;
    let revocations = &person.details.revocation_signatures;
    if revocations
        .iter()
        .any(|revocation| revocation.verify_key(primary).is_ok())
    {
        return Err("its public key is revoked");
    }
    let own = own_signature(person)
        .ok_or("nothing that its owner signed says what its public key is for")?;
    if is_over(primary, own, now) {
        return Err("its public key has expired");
    }
    let fits = |key: &PublicSubkey| !wanted.exact || wanted.is(key);
    let subkeys = person.public_subkeys.iter().rev();
    let newest = subkeys
        .filter(|subkey| fits(&subkey.key) && is_usable(subkey, primary, now))
        .max_by_key(KeyDetails::created_at);
    let whole = as_subkey(primary).filter(|key| fits(key) && may_encrypt(key, own));
    newest
        .map(|subkey| subkey.key.clone())
        .or(whole)
        .ok_or("its public key has no usable part for encryption")
}

/// The newest signature by which the owner says what the key is for: over the key, or over a name that stands.
fn own_signature(person: &SignedPublicKey) -> Option<&Signature> {
    let primary = &person.primary_key;
    let direct = person.details.direct_signatures.iter();
    let direct = direct.filter(|own| own.verify_key(primary).is_ok());
    let names = person.details.users.iter().filter_map(|user| {
        let own = user.signatures.iter();
        let own = own.filter(|own| {
            own.verify_certification(primary, Tag::UserId, &user.id)
                .is_ok()
        });
        newest(own).filter(|own| own.typ() != Some(SignatureType::CertRevocation))
    });
    newest(direct.chain(names))
}

fn is_usable(subkey: &SignedPublicSubKey, primary: &PublicKey, now: Timestamp) -> bool {
    let signatures = subkey.signatures.iter();
    let own = signatures.filter(|own| own.verify_subkey_binding(primary, &subkey.key).is_ok());
    let (revocations, bindings): (Vec<_>, Vec<_>) =
        own.partition(|own| own.typ() == Some(SignatureType::SubkeyRevocation));
    let binding = newest(bindings.into_iter());
    revocations.is_empty()
        && binding.is_some_and(|own| !is_over(subkey, own, now) && may_encrypt(&subkey.key, own))
}

fn newest<'s>(signatures: impl Iterator<Item = &'s Signature>) -> Option<&'s Signature> {
    signatures.max_by_key(|signature| signature.created())
}

/// Whether its time is over, or has not come.
fn is_over(key: &impl KeyDetails, own: &Signature, now: Timestamp) -> bool {
    let created = key.created_at().as_secs();
    // No time is no end.
    let lasts = own.key_expiration_time().map_or(0, Duration::as_secs);
    created > now.as_secs() || (lasts > 0 && created.saturating_add(lasts) <= now.as_secs())
}

/// Old keys do not say what they are for: then their kind does.
fn may_encrypt(key: &PublicSubkey, own: &Signature) -> bool {
    let says = own.config().is_some_and(|config| {
        let mut said = config.hashed_subpackets();
        said.any(|said| matches!(said.data, SubpacketData::KeyFlags(_)))
    });
    let flags = own.key_flags();
    key.algorithm().can_encrypt() && (!says || flags.encrypt_comms() || flags.encrypt_storage())
}

/// A primary key as one that can be encrypted for like any other.
fn as_subkey(primary: &PublicKey) -> Option<PublicSubkey> {
    let body = primary.to_bytes().ok()?;
    let header = PacketHeader::new_fixed(Tag::PublicSubkey, body.len().try_into().ok()?);
    PublicSubkey::try_from_reader(header, body.as_slice()).ok()
}
