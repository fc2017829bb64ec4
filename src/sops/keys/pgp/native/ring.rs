//! Keys at hand: secret ones by their key ids, and whole public keys with their signatures, which say what may be encrypted for
//! them. A key that cannot be read is passed over: another may be the one that is wanted.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _};
use std::ops::Range;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::OnceLock;

use memchr::memmem;
use pgp::armor::Dearmor;
use pgp::composed::{Deserializable as _, SignedPublicKey};
use pgp::packet::{PacketHeader, PublicSubkey, SecretSubkey};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails as _, KeyId, PacketLength, Tag, Timestamp};
use zeroize::Zeroizing;

use super::certificate;
use crate::diagnostics::io_reason;
use crate::sops::keys::opener::Failure;

const ARMOR: &[u8] = b"-----BEGIN PGP ";

/// Keys, and what became of each place.
#[derive(Default)]
pub(super) struct Ring {
    secrets: HashMap<KeyId, Vec<Secret>>,
    /// Keys whose secret part is not here, or behind a passphrase.
    locked: HashSet<KeyId>,
    /// Each key with its subkeys and signatures, as it was exported.
    blocks: Vec<Zeroizing<Vec<u8>>>,
    places: Vec<String>,
}

impl Ring {
    /// Adds the keys of a file that a setting names.
    pub(super) fn add_file(&mut self, path: &Path) {
        let place = match path.display().to_string() {
            // The key itself was set where its file belongs.
            key if key.contains("-----BEGIN ") => "a file that is called like a key".to_owned(),
            path => path,
        };
        self.add_place(&place, super::read(path));
    }

    /// Adds the keys of a file, armored ones or not, and says what was found.
    pub(super) fn add_place(&mut self, place: &str, bytes: io::Result<Zeroizing<Vec<u8>>>) {
        match bytes {
            Ok(bytes) => {
                let (secrets, locked) = (self.secret_count(), self.locked.len());
                self.add(&bytes);
                let found = found(self.secret_count() - secrets, self.locked.len() - locked);
                self.note(place, &found);
            }
            Err(error) => self.note(place, &io_reason(&error)),
        }
    }

    /// Adds all keys of a text or of binary packets.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        for packets in dearmored(bytes) {
            for block in blocks(&packets) {
                self.add_block(block);
            }
        }
    }

    fn add_block(&mut self, block: &[u8]) {
        for packet in packets(block).filter(KeyPacket::is_secret) {
            if let Some(key) = packet.secret_key() {
                self.add_secret(key);
            }
        }
        self.blocks.push(Zeroizing::new(block.to_vec()));
    }

    fn add_secret(&mut self, key: SecretSubkey) {
        if key.secret_params().is_encrypted() {
            self.add_locked(key.public_key());
        } else if key.algorithm().can_encrypt() {
            let same = self.secrets.entry(key.legacy_key_id()).or_default();
            same.push(Secret {
                packet: Zeroizing::default(),
                key: Some(key).into(),
            });
        }
    }

    /// Adds the packet of a secret key whose public half is known.
    pub(super) fn add_packet(&mut self, key: &PublicSubkey, packet: Zeroizing<Vec<u8>>) {
        if key.algorithm().can_encrypt() {
            let same = self.secrets.entry(key.legacy_key_id()).or_default();
            let key = OnceLock::new();
            same.push(Secret { packet, key });
        }
    }

    /// Adds a key whose secret half is out of reach. Of no use, as above, are those that only sign.
    pub(super) fn add_locked(&mut self, key: &PublicSubkey) {
        if key.algorithm().can_encrypt() {
            self.locked.insert(key.legacy_key_id());
        }
    }

    /// The secret keys for an id; all of them where the message does not say whom it is for.
    pub(super) fn secrets(&self, id: KeyId) -> impl Iterator<Item = &SecretSubkey> {
        let hidden = id.is_wildcard();
        let named = self.secrets.get(&id).into_iter();
        let all = self.secrets.values().filter(move |_| hidden);
        named.chain(all).flatten().filter_map(Secret::key)
    }

    pub(super) fn is_locked(&self, id: KeyId) -> bool {
        self.locked.contains(&id)
    }

    pub(super) fn secret_count(&self) -> usize {
        self.secrets.values().map(Vec::len).sum()
    }

    pub(super) fn locked_count(&self) -> usize {
        self.locked.len()
    }

    /// The public keys, each with what it is made of.
    pub(super) fn public_packets(&self) -> impl Iterator<Item = KeyPacket<'_>> {
        let all = self.blocks.iter().flat_map(|block| packets(block));
        all.filter(|packet| !packet.is_secret())
    }

    /// The key to encrypt with for a fingerprint.
    pub(super) fn encryption_key(
        &self,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<PublicSubkey, Failure> {
        let wanted = certificate::Wanted::parse(fingerprint).ok_or(Failure::NoMatch)?;
        let mut failure = Failure::NoMatch;
        for block in &self.blocks {
            if !packets(block).any(|packet| packet.public_key().is_some_and(|key| wanted.is(&key)))
            {
                continue;
            }
            match certificate(block).map(|key| certificate::choose(&key, &wanted, now)) {
                Some(Ok(key)) => return Ok(key),
                Some(Err(reason)) => failure = Failure::new(reason),
                None => failure = Failure::new("its public key cannot be read"),
            }
        }
        Err(failure)
    }

    pub(super) fn places(&self) -> &[String] {
        &self.places
    }

    pub(super) fn note(&mut self, place: &str, outcome: &str) {
        self.places.push(format!("{place} ({outcome})"));
    }
}

/// A secret key, read when it is wanted: to check that the numbers of an RSA key belong together takes its time.
struct Secret {
    packet: Zeroizing<Vec<u8>>,
    key: OnceLock<Option<SecretSubkey>>,
}

impl Secret {
    fn key(&self) -> Option<&SecretSubkey> {
        let key = self.key.get_or_init(|| secret_key(&self.packet));
        key.as_ref()
    }
}

/// How many keys were found, in words.
pub(super) fn found(secrets: usize, locked: usize) -> String {
    let secrets = match secrets {
        0 => "no secret key".to_owned(),
        1 => "1 secret key".to_owned(),
        count => format!("{count} secret keys"),
    };
    match locked {
        0 => secrets,
        locked => format!("{secrets}, {locked} behind a passphrase or on a card"),
    }
}

/// A public or secret key, primary or not, as it lies in a file.
pub(super) struct KeyPacket<'a> {
    tag: Tag,
    pub(super) body: &'a [u8],
}

impl KeyPacket<'_> {
    fn is_secret(&self) -> bool {
        matches!(self.tag, Tag::SecretKey | Tag::SecretSubkey)
    }

    fn secret_key(&self) -> Option<SecretSubkey> {
        secret_key(self.body)
    }

    /// The public key in it.
    pub(super) fn public_key(&self) -> Option<PublicSubkey> {
        if self.is_secret() {
            return self.secret_key().map(|key| key.public_key().clone());
        }
        let header = PacketHeader::new_fixed(Tag::PublicSubkey, self.body.len().try_into().ok()?);
        PublicSubkey::try_from_reader(header, self.body).ok()
    }
}

/// Reads a secret key. Primary keys and subkeys differ by their tags only; one type serves for both.
pub(super) fn secret_key(body: &[u8]) -> Option<SecretSubkey> {
    let header = PacketHeader::new_fixed(Tag::SecretSubkey, body.len().try_into().ok()?);
    // The library panics where two primes are not.
    catch_unwind(|| SecretSubkey::try_from_reader(header, body).ok()).ok()?
}

/// A packet among others.
struct Piece<'a> {
    tag: Tag,
    body: &'a [u8],
    start: usize,
    end: usize,
}

/// The packets up to the first that is damaged.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let start = bytes.len() - rest.len();
        let header = PacketHeader::try_from_reader(&mut rest).ok()?;
        let PacketLength::Fixed(size) = header.packet_length() else {
            return None;
        };
        let body;
        (body, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        Some(Piece {
            tag: header.tag(),
            body,
            start,
            end: bytes.len() - rest.len(),
        })
    })
}

/// The key packets among others.
fn packets(bytes: &[u8]) -> impl Iterator<Item = KeyPacket<'_>> {
    let is_key = |tag| {
        matches!(
            tag,
            Tag::PublicKey | Tag::PublicSubkey | Tag::SecretKey | Tag::SecretSubkey
        )
    };
    let keys = pieces(bytes).filter(move |piece| is_key(piece.tag));
    keys.map(|piece| KeyPacket {
        tag: piece.tag,
        body: piece.body,
    })
}

/// The bytes of each key, from its primary packet up to the next one.
fn blocks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    for piece in pieces(bytes) {
        match (piece.tag, blocks.last_mut()) {
            (Tag::PublicKey | Tag::SecretKey, _) => blocks.push(piece.start..piece.end),
            (_, Some(block)) => block.end = piece.end,
            (_, None) => {}
        }
    }
    blocks.into_iter().map(|block| &bytes[block])
}

/// The packets of each armored part of a text, or the bytes as they are.
fn dearmored(bytes: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    // Every packet begins with a byte that no text has.
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        return vec![Zeroizing::new(bytes.to_vec())];
    }
    let parts = memmem::find_iter(bytes, ARMOR);
    parts
        .filter_map(|start| {
            let mut packets = Zeroizing::new(Vec::with_capacity(bytes.len() - start));
            let mut armor = Dearmor::new(&bytes[start..]);
            armor.read_to_end(&mut packets).ok()?;
            Some(packets)
        })
        .collect()
}

/// A key with its signatures. Of a secret key it is the public half; what gpg notes between the packets is left out.
fn certificate(block: &[u8]) -> Option<SignedPublicKey> {
    let mut public = Vec::with_capacity(block.len());
    for piece in pieces(block) {
        let packet = KeyPacket {
            tag: piece.tag,
            body: piece.body,
        };
        match piece.tag {
            Tag::SecretKey | Tag::SecretSubkey => {
                let key = packet.public_key()?.to_bytes().ok()?;
                let tag = if piece.tag == Tag::SecretKey {
                    Tag::PublicKey
                } else {
                    Tag::PublicSubkey
                };
                let header = PacketHeader::new_fixed(tag, key.len().try_into().ok()?);
                header.to_writer(&mut public).ok()?;
                public.extend_from_slice(&key);
            }
            Tag::PublicKey
            | Tag::PublicSubkey
            | Tag::UserId
            | Tag::UserAttribute
            | Tag::Signature => {
                public.extend_from_slice(&block[piece.start..piece.end]);
            }
            _ => {}
        }
    }
    SignedPublicKey::from_bytes(public.as_slice()).ok()
}
