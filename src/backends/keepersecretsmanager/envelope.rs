//! What Keeper's messages are wrapped in: AES-256-GCM by a key for one call, that key encrypted for the server (ephemeral
//! ECDH on P-256, SHA-256), and the device's ECDSA signature over both.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::secret::Text;

const NONCE: usize = 12;

/// Base64 in either alphabet, padded or not.
pub(super) fn decode(text: &Text) -> Option<Text> {
    let same = |byte: &u8| match byte {
        b'+' => b'-',
        b'/' => b'_',
        byte => *byte,
    };
    let bytes = text.expose().iter().map(same);
    let text = Text::from(bytes.filter(|byte| *byte != b'=').collect::<Vec<u8>>());
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.expose());
    bytes.ok().map(Text::from)
}

/// What was sealed by a key, if it is the key and nobody changed it: nonce, ciphertext and tag in one.
pub(super) fn open(key: &Text, sealed: &[u8]) -> Option<Text> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).ok()?;
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = zeroize::Zeroizing::new(sealed.to_vec());
    let length = key
        .open_in_place(nonce, Aad::empty(), &mut text)
        .ok()?
        .len();
    text.truncate(length);
    Some(Text::from(std::mem::take(&mut *text)))
}

/// The other way round.
pub(super) fn seal(key: &[u8], text: &Text) -> Option<Vec<u8>> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let mut sealed = text.expose().to_vec();
    let nonce = key
        .seal_in_place_append_tag(Aad::empty(), &mut sealed)
        .ok()?;
    Some([nonce.as_ref().as_slice(), &sealed].concat())
}

/// Seals it so that only who has the private key of this public one opens it.
fn seal_for(public: &[u8], text: &Text) -> Option<Vec<u8>> {
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).ok()?;
    let own_public = own.compute_public_key().ok()?;
    let peer = UnparsedPublicKey::new(&ECDH_P256, public);
    let sealed = agree_ephemeral(own, peer, (), |shared| {
        seal(digest(&SHA256, shared).as_ref(), text).ok_or(())
    });
    Some([own_public.as_ref(), &sealed.ok()?].concat())
}

/// A message, and the key of its answer.
pub(super) struct Message {
    pub(super) key: Text,
    pub(super) sealed_key: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// The device's key.
pub(super) struct Device(EcdsaKeyPair);

impl Device {
    /// Out of PKCS #8.
    pub(super) fn new(key: &Text) -> Option<Self> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.expose())
            .ok()
            .map(Self)
    }

    /// A message to the server that has the private key of this public one.
    pub(super) fn message(&self, server: &[u8], text: &Text) -> Option<Message> {
        let mut key = vec![0; 32];
        rand::fill(&mut key).ok()?;
        let key = Text::from(key);
        let sealed_key = seal_for(server, &key)?;
        let body = seal(key.expose(), text)?;
        let signed = [sealed_key.as_slice(), &body].concat();
        let signature = self.0.sign(&SystemRandom::new(), &signed).ok()?;
        Some(Message {
            signature: signature.as_ref().to_vec(),
            key,
            sealed_key,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 14 of the paper that GCM was proposed to NIST with.
    #[test]
    fn opens_what_the_papers_test_case_has() {
        let sealed = "000000000000000000000000\
                      cea7403d4d606b6e074ec5d3baf39d18\
                      d0d1c8a799996bf0265b98b5d48ab919";
        let byte = |at: usize| u8::from_str_radix(&sealed[at..at + 2], 16).unwrap();
        let mut bytes: Vec<u8> = (0..sealed.len()).step_by(2).map(byte).collect();
        let key = Text::from(vec![0; 32]);
        assert_eq!(open(&key, &bytes), Some(Text::from(vec![0; 16])));
        bytes[20] ^= 1;
        assert_eq!(open(&key, &bytes), None);
        assert_eq!(open(&key, &bytes[..5]), None);
        assert_eq!(open(&Text::from("short"), &bytes), None);
    }

    #[test]
    fn base64_comes_in_both_alphabets() {
        for text in ["--__", "++//", "+-/_"] {
            assert_eq!(
                decode(&text.into()),
                Some(Text::from(vec![0xfb, 0xef, 0xff]))
            );
        }
        assert_eq!(decode(&"YQ==".into()), Some(Text::from("a")));
        assert_eq!(decode(&"a!".into()), None);
    }
}
