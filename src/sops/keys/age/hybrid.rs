//! Age's post-quantum kind of key (`age1pq1…`): HPKE (RFC 9180) over the two key exchanges ML-KEM-768 and X25519, joined
//! as in X-Wing (draft-connolly-cfrg-xwing-kem), so that a wrapped key is safe as long as one of them is.

use std::collections::HashSet;

use aes_gcm::aead::OsRng;
use age::{DecryptError, EncryptError};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::{Hkdf, HkdfExtract};
use ml_kem::kem::{Decapsulate as _, Encapsulate as _};
use ml_kem::{B32, EncodedSizeUser as _, KemCore, MlKem768};
use sha2::Sha256;
use sha3::digest::{ExtendableOutput as _, Update as _, XofReader as _};
use sha3::{Digest as _, Sha3_256, Shake256};
use zeroize::Zeroizing;

use super::bech32;
use super::x25519::{Pair, Point};

/// What stanzas of this kind are called.
const STANZA: &str = "mlkem768x25519";
/// What HPKE's keys are made for.
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// HPKE with the numbers of X-Wing, HKDF-SHA256 and ChaCha20-Poly1305.
const SUITE: [&[u8]; 2] = [b"HPKE-v1HPKE", &[0x64, 0x7a, 0, 1, 0, 3]];
/// X-Wing's own name: a picture of its wings.
const LABEL: &[u8] = br"\.//^\";

const KEM_KEY: usize = 1184;
const KEM_TEXT: usize = 1088;

/// A public key.
pub(super) struct HybridRecipient {
    ml_kem: <MlKem768 as KemCore>::EncapsulationKey,
    x25519: Point,
}

/// A private key.
pub(super) struct HybridIdentity {
    ml_kem: <MlKem768 as KemCore>::DecapsulationKey,
    x25519: Pair,
}

impl HybridRecipient {
    /// Reads `age1pq1…`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let key = bech32::decode(text, "age1pq")?;
        let (ml_kem, x25519) = key.split_at_checked(KEM_KEY)?;
        let ml_kem = ml_kem.try_into().ok()?;
        Some(Self {
            ml_kem: <MlKem768 as KemCore>::EncapsulationKey::from_bytes(&ml_kem),
            x25519: x25519.try_into().ok()?,
        })
    }
}

impl HybridIdentity {
    /// Reads `AGE-SECRET-KEY-PQ-1…`, from whose bytes both private keys are made.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let seed = bech32::decode(text, "age-secret-key-pq-")?;
        if seed.len() != 32 {
            return None;
        }
        let mut keys = Shake256::default().chain(&*seed).finalize_xof();
        let mut next = || {
            let mut key = Zeroizing::new([0; 32]);
            keys.read(&mut *key);
            key
        };
        let (d, z, x25519) = (next(), next(), next());
        let (ml_kem, _) = MlKem768::generate_deterministic(&B32::from(*d), &B32::from(*z));
        Some(Self {
            ml_kem,
            x25519: Pair::new(&*x25519)?,
        })
    }

    /// The file key, if the stanza is for this identity.
    fn open(&self, enc: &[u8], body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (kem_text, point) = enc.split_at_checked(KEM_TEXT)?;
        let point: Point = point.try_into().ok()?;
        let ml_kem = self.ml_kem.decapsulate(&kem_text.try_into().ok()?).ok()?;
        let shared = self.x25519.agree(&point)?;
        let secret = join(&ml_kem, &*shared, &point, self.x25519.public());
        let (cipher, nonce) = schedule(&*secret);
        cipher.decrypt(&nonce, body).ok().map(Zeroizing::new)
    }
}

impl age::Recipient for HybridRecipient {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        let broken = || EncryptError::Io(std::io::Error::other("the key cannot be used"));
        let (enc, ml_kem) = self.ml_kem.encapsulate(&mut OsRng).map_err(|()| broken())?;
        let own = Pair::generate().ok_or_else(broken)?;
        let shared = own.agree(&self.x25519).ok_or_else(broken)?;
        let secret = join(&ml_kem, &*shared, own.public(), &self.x25519);
        let (cipher, nonce) = schedule(&*secret);
        let body = cipher
            .encrypt(&nonce, &file_key.expose_secret()[..])
            .map_err(|_| broken())?;
        let enc = [&enc[..], own.public()].concat();
        let stanza = Stanza {
            tag: STANZA.to_owned(),
            args: vec![STANDARD_NO_PAD.encode(enc)],
            body,
        };
        // Beside another kind it would not be safe any more.
        Ok((vec![stanza], ["postquantum".to_owned()].into()))
    }
}

impl age::Identity for HybridIdentity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA {
            return None;
        }
        let [enc] = stanza.args.as_slice() else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        let enc = STANDARD_NO_PAD.decode(enc).ok()?;
        let key = self.open(&enc, &stanza.body)?;
        if key.len() != FILE_KEY_BYTES {
            return Some(Err(DecryptError::InvalidHeader));
        }
        Some(Ok(FileKey::init_with_mut(|own| own.copy_from_slice(&key))))
    }
}

/// The shared secret of both key exchanges.
fn join(ml_kem: &[u8], x25519: &[u8], point: &[u8], public: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut hash = Sha3_256::new();
    for part in [ml_kem, x25519, point, public, LABEL] {
        sha3::Digest::update(&mut hash, part);
    }
    Zeroizing::new(hash.finalize().into())
}

/// HPKE's key schedule without a shared key: the cipher and the nonce of the first message.
fn schedule(secret: &[u8]) -> (ChaCha20Poly1305, Nonce) {
    let (no_psk, _) = extract(&[], b"psk_id_hash", &[]);
    let (info, _) = extract(&[], b"info_hash", INFO);
    let (_, keys) = extract(secret, b"secret", &[]);
    let expand = |label: &[u8], okm: &mut [u8]| {
        let size = u16::try_from(okm.len())
            .expect("keys are short")
            .to_be_bytes();
        let [version, suite] = SUITE;
        let parts = [&size, version, suite, label, &[0], &no_psk, &info];
        keys.expand_multi_info(&parts, okm).expect("keys are short");
    };
    let mut key = Zeroizing::new([0; 32]);
    expand(b"key", &mut *key);
    let mut nonce = Nonce::default();
    expand(b"base_nonce", &mut nonce);
    (ChaCha20Poly1305::new(Key::from_slice(&*key)), nonce)
}

fn extract(salt: &[u8], label: &[u8], secret: &[u8]) -> ([u8; 32], Hkdf<Sha256>) {
    let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
    let [version, suite] = SUITE;
    for part in [version, suite, label, secret] {
        extract.input_ikm(part);
    }
    let (key, hkdf) = extract.finalize();
    (key.into(), hkdf)
}

#[cfg(test)]
mod tests {
    use age::{Identity as _, Recipient as _};

    use super::*;

    const IDENTITY: &str =
        "AGE-SECRET-KEY-PQ-1GF8K6JFXDKKKDGNC6NXEC8459JA0PL4ZRQHUUE05KNRW4SLDUC3QQS98MX";

    fn wrapped(identity: &HybridIdentity) -> Stanza {
        let recipient = HybridRecipient {
            ml_kem: identity.ml_kem.encapsulation_key().clone(),
            x25519: *identity.x25519.public(),
        };
        let key = FileKey::init_with_mut(|key| key.fill(7));
        let (mut stanzas, labels) = recipient.wrap_file_key(&key).unwrap();
        assert_eq!(labels, ["postquantum".to_owned()].into());
        stanzas.remove(0)
    }

    /// That age itself reads it so is held by the recorded case `age-post-quantum`.
    #[test]
    fn what_is_wrapped_can_be_unwrapped_by_its_identity_only() {
        let identity = HybridIdentity::parse(IDENTITY).unwrap();
        let mut stanza = wrapped(&identity);
        let key = identity.unwrap_stanza(&stanza).unwrap().unwrap();
        assert_eq!(key.expose_secret(), &[7; FILE_KEY_BYTES]);
        let other = HybridIdentity {
            x25519: Pair::generate().unwrap(),
            ..HybridIdentity::parse(IDENTITY).unwrap()
        };
        assert!(other.unwrap_stanza(&stanza).is_none());
        stanza.body[0] ^= 1;
        assert!(identity.unwrap_stanza(&stanza).is_none());
        stanza.args.push(String::new());
        let refused = identity.unwrap_stanza(&stanza);
        assert!(matches!(refused, Some(Err(DecryptError::InvalidHeader))));
        "X25519".clone_into(&mut stanza.tag);
        assert!(identity.unwrap_stanza(&stanza).is_none());
    }

    #[test]
    fn each_byte_of_both_exchanges_counts() {
        let identity = HybridIdentity::parse(IDENTITY).unwrap();
        let stanza = wrapped(&identity);
        let enc = STANDARD_NO_PAD.decode(&stanza.args[0]).unwrap();
        assert_eq!(enc.len(), KEM_TEXT + size_of::<Point>());
        for position in (0..enc.len()).step_by(37).chain([KEM_TEXT, enc.len() - 1]) {
            let mut changed = enc.clone();
            // The top bit of a point does not count.
            changed[position] ^= 1;
            assert!(
                identity.open(&changed, &stanza.body).is_none(),
                "{position}"
            );
        }
        for end in [0, KEM_TEXT, enc.len() - 1] {
            assert!(identity.open(&enc[..end], &stanza.body).is_none(), "{end}");
        }
    }

    #[test]
    fn texts_of_other_kinds_are_refused() {
        let x25519 = "AGE-SECRET-KEY-13WSGSQYC6AQNAHYZFCFA096X5QWWSE48DYY055PES72YNQ3YFEKQE3C46C";
        for text in ["", x25519, &IDENTITY[..70], &IDENTITY.replace("GF8", "GF9")] {
            assert!(HybridIdentity::parse(text).is_none(), "{text}");
            assert!(HybridRecipient::parse(text).is_none(), "{text}");
        }
    }
}
