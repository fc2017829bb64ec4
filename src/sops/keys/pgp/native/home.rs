//! GnuPG's folder, read beside a running gpg: keyrings of all its versions, and its secret keys, which lie in a file each.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use super::private_key::{self, PrivateKey};
use super::ring::{self, Ring};
use crate::diagnostics::io_reason;

/// The type of a record of the keybox that holds OpenPGP keys.
const OPENPGP: u8 = 2;
/// More files of secret keys than anybody has.
const MAX_KEYS: usize = 1000;

/// The keys of a folder.
pub(super) fn load(home: &Path) -> Ring {
    let mut ring = Ring::default();
    let place = home.display().to_string();
    if let Err(error) = fs::read_dir(home) {
        ring.note(&place, &io_reason(&error));
        return ring;
    }
    for name in ["secring.gpg", "pubring.gpg"] {
        if let Ok(bytes) = super::read(&home.join(name)) {
            ring.add(&bytes);
        }
    }
    if let Ok(bytes) = super::read(&home.join("pubring.kbx")) {
        keybox(&bytes).for_each(|keys| ring.add(keys));
    }
    match private_keys(&home.join("private-keys-v1.d")) {
        Ok(keys) => join(&mut ring, &keys),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => ring.note(&place, &io_reason(&error)),
    }
    let found = ring::found(ring.secret_count(), ring.locked_count());
    ring.note(&place, &found);
    ring
}

/// The OpenPGP keys in a keybox: records with a size of four bytes, a type, and where in the record the keys lie.
fn keybox(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let number = |record: &[u8], at: usize| {
        let number = record.get(at..)?.first_chunk().copied()?;
        usize::try_from(u32::from_be_bytes(number)).ok()
    };
    let records = std::iter::from_fn(move || {
        // A record has its size and type at least; nothing is said of what follows a broken one.
        let size = number(bytes, 0).filter(|size| *size > 4)?;
        let record;
        (record, bytes) = bytes.split_at_checked(size)?;
        Some(record)
    });
    records.filter_map(move |record| {
        if record[4] != OPENPGP {
            return None;
        }
        let start = number(record, 8)?;
        record.get(start..)?.get(..number(record, 12)?)
    })
}

/// The secret keys of a folder, by what their public keys have in common with them.
fn private_keys(folder: &Path) -> io::Result<HashMap<Vec<u8>, PrivateKey>> {
    let mut keys = HashMap::new();
    for entry in fs::read_dir(folder)?.take(MAX_KEYS) {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "key") {
            continue;
        }
        // One that is damaged is no reason not to use the others.
        let key = super::read(&path).ok();
        if let Some((material, key)) = key.and_then(|bytes| private_key::parse(&bytes)) {
            keys.insert(material, key);
        }
    }
    Ok(keys)
}

/// Finds the public key of each secret one, which knows neither its id nor when it was made.
fn join(ring: &mut Ring, keys: &HashMap<Vec<u8>, PrivateKey>) {
    let mut found = Vec::new();
    for packet in ring.public_packets() {
        let key = private_key::material(packet.body).and_then(|material| keys.get(material));
        let public = key.and_then(|_| packet.public_key());
        found.extend(public.zip(key).map(|(public, key)| match key {
            PrivateKey::Plain(numbers) => (public, Some(private_key::packet(packet.body, numbers))),
            PrivateKey::Locked => (public, None),
        }));
    }
    for (public, packet) in found {
        match packet {
            Some(packet) => ring.add_packet(&public, packet),
            None => ring.add_locked(&public),
        }
    }
}
