//! Keys and messages that nobody should have made: none ends the program, takes long, or opens.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aes_gcm::aead::OsRng;
use pgp::composed::MessageBuilder;
use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PacketHeader, PacketTrait as _, PublicKeyEncryptedSessionKey};
use pgp::types::{
    CompressionAlgorithm, EncryptionKey as _, EskType, KeyDetails as _, PkeskBytes, Tag,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::message::Sealed;
use super::*;
use crate::sops::keys::pgp::SHARE_SIZES;

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/gnupg")
        .join(path)
}

fn ring() -> Ring {
    let mut ring = Ring::default();
    ring.add_file(&golden("secret.asc"));
    ring
}

fn dearmored(path: &str) -> Vec<u8> {
    let text = fs::read(golden(path)).unwrap();
    let mut packets = Vec::new();
    let mut armor = pgp::armor::Dearmor::new(text.as_slice());
    armor.read_to_end(&mut packets).unwrap();
    packets
}

fn public(ring: &Ring, name: &str) -> pgp::packet::PublicSubkey {
    let fingerprints = fs::read_to_string(golden("fingerprints.txt")).unwrap();
    let line = fingerprints
        .lines()
        .find(|line| line.starts_with(name))
        .unwrap();
    let fingerprint = line.rsplit(' ').next().unwrap();
    ring.encryption_key(fingerprint, Timestamp::now()).unwrap()
}

/// A message of a recipient's packet and encrypted data.
fn message(recipient: &PublicKeyEncryptedSessionKey, data: &[u8]) -> Sealed {
    let mut packets = Vec::new();
    recipient.to_writer_with_header(&mut packets).unwrap();
    packets.extend_from_slice(data);
    Sealed::of(packets).unwrap()
}

fn opened(sealed: &Sealed, ring: &Ring) -> Result<Vec<u8>, String> {
    let share = sealed.open(ring, &SHARE_SIZES).map(|share| share.to_vec());
    share.map_err(|failure| failure.to_string())
}

/// The library takes the first byte of an RSA session key for its cipher, also where there is none.
#[test]
fn session_keys_of_any_size_are_no_panic() {
    let ring = ring();
    let key = public(&ring, "rsa");
    let data = [&[0xd2, 60, 1][..], &[0; 59]].concat();
    for size in 0..40 {
        let values = key.encrypt(OsRng, &vec![9; size], EskType::V3_4).unwrap();
        let PkeskBytes::Rsa { mpi } = &values else {
            panic!("not of RSA");
        };
        // Version, id and algorithm, then the number with its size.
        let length = u32::try_from(10 + 2 + mpi.len()).unwrap();
        let recipient = PublicKeyEncryptedSessionKey::V3 {
            packet_header: PacketHeader::new_fixed(Tag::PublicKeyEncryptedSessionKey, length),
            id: key.legacy_key_id(),
            pk_algo: key.algorithm(),
            values,
        };
        let reason = "no key at hand fits".to_owned();
        assert_eq!(
            opened(&message(&recipient, &data), &ring),
            Err(reason),
            "{size}"
        );
    }
}

/// What gpg writes since 2.3 for keys that it made itself: a packet of its own, with chunks and their authentication.
#[test]
fn the_newer_form_of_gpg_is_opened() {
    const CHUNK: u8 = 16;
    let ring = ring();
    let key = public(&ring, "curve");
    let session_key = [7; 32];
    let recipient = PublicKeyEncryptedSessionKey::from_session_key_v3(
        OsRng,
        &session_key.to_vec().into(),
        SymmetricKeyAlgorithm::AES256,
        &key,
    );
    let share = b"a share";
    let mut chunk = vec![0xcb, 13, b'b', 0, 0, 0, 0, 0];
    chunk.extend_from_slice(share);
    for (flip, expected) in [
        (None, Ok(share.to_vec())),
        (Some(0), Err("the OpenPGP message is damaged".to_owned())),
        (
            Some(chunk.len() + 20),
            Err("the OpenPGP message is damaged".to_owned()),
        ),
    ] {
        let nonce = |index: u8| {
            let mut nonce = [3; 15];
            nonce[14] ^= index;
            nonce
        };
        let head = [1, 9, 2, CHUNK];
        let about = |index: u8| [&[0xd4], &head[..], &[0; 7], &[index]].concat();
        let seal = |text: &[u8], nonce: &[u8], about: &[u8]| {
            let mut buffer = pgp::bytes::BytesMut::from(text);
            AeadAlgorithm::Ocb
                .encrypt_in_place(
                    &SymmetricKeyAlgorithm::AES256,
                    &session_key,
                    nonce,
                    about,
                    &mut buffer,
                )
                .unwrap();
            buffer.to_vec()
        };
        let size = (chunk.len() as u64).to_be_bytes();
        let mut sealed = seal(&chunk, &nonce(0), &about(0));
        sealed.extend(seal(&[], &nonce(1), &[about(1), size.to_vec()].concat()));
        if let Some(at) = flip {
            sealed[at] ^= 1;
        }
        let body = [&head[..], &nonce(0), &sealed].concat();
        let data = [&[0xd4, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
        assert_eq!(
            opened(&message(recipient.as_ref().unwrap(), &data), &ring),
            expected
        );
    }
}

/// A message of a kilobyte that would fill the memory, and shares of sizes that no data key has.
#[test]
fn only_shares_come_out() {
    let ring = ring();
    let key = public(&ring, "curve");
    for (size, opens) in [
        (0, false),
        (1, true),
        (64, true),
        (65, false),
        (50 << 20, false),
    ] {
        let mut message = MessageBuilder::from_bytes("", vec![0; size])
            .seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
        message.compression(CompressionAlgorithm::ZLIB);
        message.encrypt_to_key(OsRng, &key).unwrap();
        let sealed = Sealed::of(message.to_vec(OsRng).unwrap()).unwrap();
        let started = Instant::now();
        assert_eq!(opened(&sealed, &ring).is_ok(), opens, "{size}");
        assert!(started.elapsed() < Duration::from_secs(5), "{size}");
    }
}

/// The library expects two primes: this key has one of them twice.
#[test]
fn a_secret_key_that_is_none_is_passed_over() {
    let public = [4, 0, 0, 0, 1, 1, 0, 6, 49, 0, 3, 5];
    let secret = [0, 3, 5, 0, 3, 7, 0, 3, 7, 0, 1, 1];
    let body = private_key::packet(&public, &secret);
    assert!(ring::secret_key(&body).is_none());
    let mut ring = Ring::default();
    ring.add(&[&[0xc5, u8::try_from(body.len()).unwrap()], body.as_slice()].concat());
    assert_eq!(ring.secret_count(), 0);
}

#[test]
fn a_file_that_is_no_ring_is_no_panic() {
    for bytes in [
        &b""[..],
        b"\x80",
        b"\xc6\xff\xff\xff\xff\xff",
        b"-----BEGIN PGP ",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n!\n",
        &[0xff; 100],
    ] {
        let mut ring = Ring::default();
        ring.add(bytes);
        assert_eq!((ring.secret_count(), ring.locked_count()), (0, 0));
    }
    for text in [
        "(",
        "()",
        "(((((((((((((((((((((((((((",
        "(private-key (rsa))",
        "(1:",
        "(99999999999999999999:",
        "Key: (a",
        "(private-key (ecc (q #4#)(d #00#)))",
    ] {
        assert!(private_key::parse(text.as_bytes()).is_none(), "{text}");
    }
}

/// Bytes changed, put in and taken out.
fn mutated(mut bytes: Vec<u8>, edits: &[(Index, u8, u8)]) -> Vec<u8> {
    for (index, kind, value) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = index.index(bytes.len());
        match kind % 5 {
            0 => bytes[at] = *value,
            1 => bytes[at] ^= 1 << (value % 8),
            2 => bytes.insert(at, *value),
            3 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    prop::collection::vec((any::<Index>(), any::<u8>(), any::<u8>()), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn changed_messages_are_opened_or_refused(
        name in select(vec!["rsa", "curve", "several", "hidden", "signed", "compressed-zip", "no-integrity"]),
        edits in edits(),
    ) {
        let ring = ring();
        let packets = mutated(dearmored(&format!("messages/{name}.asc")), &edits);
        if let Ok(sealed) = Sealed::of(packets)
            && let Ok(share) = opened(&sealed, &ring)
        {
            prop_assert_eq!(share, b"a share of thirty-two bytes, or so");
        }
    }

    #[test]
    fn changed_keyrings_are_read_or_refused(
        name in select(vec!["legacy/secring.gpg", "legacy/pubring.gpg"]),
        edits in edits(),
    ) {
        let mut ring = Ring::default();
        ring.add(&mutated(fs::read(golden(name)).unwrap(), &edits));
        let sealed = Sealed::of(dearmored("messages/several.asc")).unwrap();
        let _ = opened(&sealed, &ring);
        for fingerprint in fs::read_to_string(golden("fingerprints.txt")).unwrap().split_whitespace() {
            if let Ok(key) = ring.encryption_key(fingerprint, Timestamp::now()) {
                let _ = message::seal(&key, b"a share");
            }
        }
    }

    #[test]
    fn changed_folders_are_read_or_refused(edits in edits(), box_edits in edits()) {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("private-keys-v1.d");
        fs::create_dir(&keys).unwrap();
        for from in ["home", "older", "imported"] {
            for entry in fs::read_dir(golden(from).join("private-keys-v1.d")).unwrap() {
                let path = entry.unwrap().path();
                let name = format!("{from}-{}", path.file_name().unwrap().display());
                fs::write(keys.join(name), mutated(fs::read(path).unwrap(), &edits)).unwrap();
            }
        }
        let keybox = mutated(fs::read(golden("home/pubring.kbx")).unwrap(), &box_edits);
        fs::write(folder.path().join("pubring.kbx"), keybox).unwrap();
        let ring = home::load(folder.path());
        let sealed = Sealed::of(dearmored("messages/several.asc")).unwrap();
        let _ = opened(&sealed, &ring);
    }
}
