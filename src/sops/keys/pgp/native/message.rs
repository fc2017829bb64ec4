//! One encrypted message: found out whom it is for, opened, and made.

use std::io::Read as _;
use std::ops::RangeInclusive;

use aes_gcm::aead::OsRng;
use pgp::armor::Dearmor;
use pgp::bytes::Bytes;
use pgp::composed::{
    ArmorOptions, DecryptionOptions, Esk, Message, MessageBuilder, PlainSessionKey, TheRing,
};
use pgp::crypto::checksum;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PublicKeyEncryptedSessionKey, PublicSubkey, SecretSubkey};
use pgp::types::{
    DecryptionKey as _, EskType, KeyId, Password, PkeskBytes, PkeskVersion, PlainSecretParams,
    SecretParams, Seipdv1ReadMode,
};
use zeroize::Zeroizing;

use super::ring::Ring;
use super::rsa;
use crate::sops::keys::opener::{Failure, Share};

/// More recipients and hidden ones times keys are not tried: each costs milliseconds.
const MAX_ATTEMPTS: usize = 100;
/// A message may be compressed, in theory more than once.
const MAX_LAYERS: usize = 4;

/// A message, whose recipients are known.
pub(super) struct Sealed {
    packets: Vec<u8>,
    recipients: Vec<PublicKeyEncryptedSessionKey>,
}

impl Sealed {
    /// Reads a message, armored or not, as far as it can be read without a key.
    pub(super) fn parse(message: &[u8]) -> Result<Self, Failure> {
        // Every packet begins with a byte that no armor has.
        if message.first().is_some_and(|first| first & 0x80 != 0) {
            return Self::of(message.to_vec());
        }
        let mut packets = Vec::new();
        let armor = Dearmor::new(message.trim_ascii_start()).read_to_end(&mut packets);
        armor.map_err(|_| Failure::new("not an armored OpenPGP message"))?;
        Self::of(packets)
    }

    /// Reads the packets of one.
    pub(super) fn of(packets: Vec<u8>) -> Result<Self, Failure> {
        let esks = match Message::from_bytes(packets.as_slice()) {
            Ok(Message::Encrypted { esk, .. }) => esk,
            Ok(_) => return Err(Failure::new("an OpenPGP message that is not encrypted")),
            Err(_) => return Err(damaged()),
        };
        let recipients = esks.into_iter().filter_map(|esk| match esk {
            Esk::PublicKeyEncryptedSessionKey(recipient) => Some(recipient),
            Esk::SymKeyEncryptedSessionKey(_) => None,
        });
        Ok(Self {
            recipients: recipients.collect(),
            packets,
        })
    }

    /// What is in it, if one of the keys fits.
    pub(super) fn open(
        &self,
        ring: &Ring,
        sizes: &RangeInclusive<usize>,
    ) -> Result<Share, Failure> {
        let all = self.recipients.iter().flat_map(|recipient| {
            let keys = ring.secrets(id(recipient));
            keys.map(move |key| (recipient, key))
        });
        let mut failure = Failure::NoMatch;
        for (recipient, key) in all.take(MAX_ATTEMPTS) {
            if let Some(session_key) = session_key(recipient, key) {
                match self.decrypt(session_key, sizes) {
                    Some(share) => return Ok(share),
                    None => failure = damaged(),
                }
            }
        }
        let is_locked = |recipient| ring.is_locked(id(recipient));
        if failure == Failure::NoMatch && self.recipients.iter().any(is_locked) {
            return Err(
                Failure::new("its secret key is behind a passphrase or on a card").with_hint(
                    "only gpg opens such a key: import it there, or export it without a passphrase",
                ),
            );
        }
        Err(failure)
    }

    /// Messages without integrity protection are refused, as gpg does it.
    fn decrypt(
        &self,
        session_key: PlainSessionKey,
        sizes: &RangeInclusive<usize>,
    ) -> Option<Share> {
        let options = DecryptionOptions::new()
            .enable_gnupg_aead()
            .set_seipdv1_read_mode(Seipdv1ReadMode::default());
        let ring = TheRing {
            session_keys: vec![session_key],
            decrypt_options: options,
            ..TheRing::default()
        };
        let message = Message::from_bytes(self.packets.as_slice()).ok()?;
        let (mut message, _) = message.decrypt_the_ring(ring, true).ok()?;
        for _ in 0..MAX_LAYERS {
            if !message.is_compressed() {
                break;
            }
            message = message.decompress().ok()?;
        }
        let max = *sizes.end();
        // What is not compressed fits, so that no copy stays behind where the vector grows.
        let mut share = Zeroizing::new(Vec::with_capacity(max.min(self.packets.len()) + 1));
        let limit = max as u64 + 1;
        let literal = message.is_literal() || message.is_signed();
        let size = message.by_ref().take(limit).read_to_end(&mut share).ok()?;
        (literal && sizes.contains(&size)).then_some(share)
    }
}

fn damaged() -> Failure {
    Failure::new("the OpenPGP message is damaged")
}

/// Whom a session key is for; zeros say nobody.
fn id(recipient: &PublicKeyEncryptedSessionKey) -> KeyId {
    match recipient {
        PublicKeyEncryptedSessionKey::V3 { id, .. } => *id,
        _ => KeyId::WILDCARD,
    }
}

fn session_key(
    recipient: &PublicKeyEncryptedSessionKey,
    key: &SecretSubkey,
) -> Option<PlainSessionKey> {
    let kind = match recipient.version() {
        PkeskVersion::V3 => EskType::V3_4,
        PkeskVersion::V6 => EskType::V6,
        PkeskVersion::Other(_) => return None,
    };
    let values = recipient.values().ok()?;
    // The library's own way from here on takes the first byte of what may have none.
    if let (
        SecretParams::Plain(PlainSecretParams::RSA(key)),
        PkeskBytes::Rsa { mpi },
        EskType::V3_4,
    ) = (key.secret_params(), values, kind)
    {
        return plain_session_key(&rsa::decrypt(key, mpi)?);
    }
    key.decrypt(&Password::empty(), values, kind).ok()?.ok()
}

/// A cipher, its key, and their sum.
fn plain_session_key(text: &[u8]) -> Option<PlainSessionKey> {
    let (cipher, rest) = text.split_first()?;
    let (key, sum) = rest.split_last_chunk::<2>()?;
    let sym_alg = SymmetricKeyAlgorithm::from(*cipher);
    let fits = sym_alg != SymmetricKeyAlgorithm::Plaintext && key.len() == sym_alg.key_size();
    (fits && checksum::simple(*sum, key).is_ok()).then(|| PlainSessionKey::V3_4 {
        sym_alg,
        key: key.into(),
    })
}

/// An armored message for one key, which every version of gpg opens.
pub(super) fn seal(key: &PublicSubkey, share: &[u8]) -> Result<String, Failure> {
    let share = Bytes::from_owner(Zeroizing::new(share.to_vec()));
    let mut message =
        MessageBuilder::from_bytes("", share).seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
    let armored = message
        .encrypt_to_key(OsRng, key)
        .map(drop)
        .and_then(|()| message.to_armored_string(OsRng, ArmorOptions::default()));
    match armored {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(_) => Err(Failure::new(
            "its public key is of a kind that only gpg knows",
        )),
    }
}
