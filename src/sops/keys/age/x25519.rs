//! Age's usual kind of key (<https://c2sp.org/age#the-x25519-recipient-type>) by AWS-LC. The arithmetic takes half the time
//! of that in `age`, and the public key is made once: it counts where a stream holds a thousand wrapped keys.

use age::DecryptError;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::bech32;

/// What stanzas of this kind are called.
const STANZA: &str = "X25519";
/// What the key of a stanza is made for.
const INFO: &[u8] = b"age-encryption.org/v1/X25519";

/// A public key, and what both sides agree on.
pub(super) type Point = [u8; 32];

/// A private key and its public one.
pub(super) struct Pair {
    private: PrivateKey,
    public: Point,
}

impl Pair {
    /// Of a private key's 32 bytes.
    pub(super) fn new(private: &[u8]) -> Option<Self> {
        Self::of(PrivateKey::from_private_key(&X25519, private).ok()?)
    }

    /// A new one, or nothing where the system has no random numbers.
    pub(super) fn generate() -> Option<Self> {
        Self::of(PrivateKey::generate(&X25519).ok()?)
    }

    fn of(private: PrivateKey) -> Option<Self> {
        let public = private.compute_public_key().ok()?;
        let public = public.as_ref().try_into().ok()?;
        Some(Self { private, public })
    }

    pub(super) fn public(&self) -> &Point {
        &self.public
    }

    /// What both sides know, unless the other one's point gives nothing away of this one's key.
    pub(super) fn agree(&self, point: &Point) -> Option<Zeroizing<Point>> {
        let point = UnparsedPublicKey::new(&X25519, point);
        let shared = |shared: &[u8]| shared.try_into().map(Zeroizing::new).map_err(drop);
        agreement::agree(&self.private, point, (), shared).ok()
    }
}

/// A private key as `age-keygen` makes it.
pub(super) struct X25519Identity(Pair);

impl X25519Identity {
    /// Reads `AGE-SECRET-KEY-1…`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let key = bech32::decode(text, "age-secret-key-")?;
        Pair::new(&key).map(Self)
    }

    /// The file key, if the stanza is for this identity.
    fn open(&self, shared: &Point, point: &Point, body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let salt = [point.as_slice(), self.0.public()].concat();
        let mut key = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(Some(&salt), shared).expand(INFO, &mut *key);
        expanded.expect("keys are short");
        let cipher = ChaCha20Poly1305::new(Key::from_slice(&*key));
        let opened = cipher.decrypt(&Nonce::default(), body);
        opened.ok().map(Zeroizing::new)
    }
}

impl age::Identity for X25519Identity {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != STANZA {
            return None;
        }
        let point = match stanza.args.as_slice() {
            [point] => STANDARD_NO_PAD.decode(point).ok(),
            _ => None,
        };
        let point: Option<Point> = point.and_then(|point| point.try_into().ok());
        let agreed = point.and_then(|point| Some((self.0.agree(&point)?, point)));
        let Some((shared, point)) = agreed else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        if stanza.body.len() != FILE_KEY_BYTES + size_of::<Tag>() {
            return Some(Err(DecryptError::InvalidHeader));
        }
        let key = self.open(&shared, &point, &stanza.body)?;
        Some(Ok(FileKey::init_with_mut(|own| own.copy_from_slice(&key))))
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;
    use age::{Identity as _, Recipient as _, x25519};

    use super::*;

    fn pair() -> (X25519Identity, x25519::Identity) {
        let theirs = x25519::Identity::generate();
        let ours = X25519Identity::parse(theirs.to_string().expose_secret());
        (ours.expect("age made it"), theirs)
    }

    fn wrapped(identity: &x25519::Identity) -> Stanza {
        let key = FileKey::init_with_mut(|key| key.fill(7));
        let wrapped = identity.to_public().wrap_file_key(&key);
        wrapped.expect("it is sound").0.remove(0)
    }

    /// As the text of the outcome, for file keys do not compare.
    fn outcome(opened: Option<Result<FileKey, DecryptError>>) -> String {
        match opened {
            None => "not ours".to_owned(),
            Some(Ok(key)) => format!("{:?}", key.expose_secret()),
            Some(Err(error)) => format!("{error:?}"),
        }
    }

    #[test]
    fn stanzas_are_answered_as_age_answers_them() {
        let (ours, theirs) = pair();
        let (stranger, _) = pair();
        let sound = wrapped(&theirs);
        assert_eq!(
            outcome(ours.unwrap_stanza(&sound)),
            format!("{:?}", [7; 16])
        );
        assert_eq!(outcome(stranger.unwrap_stanza(&sound)), "not ours");

        let changes: [fn(&mut Stanza); 9] = [
            |stanza| stanza.body[0] ^= 1,
            |stanza| stanza.body.push(0),
            |stanza| stanza.body.clear(),
            |stanza| stanza.args.clear(),
            |stanza| stanza.args.push(String::new()),
            |stanza| stanza.args[0].push('='),
            |stanza| stanza.args[0] = STANDARD_NO_PAD.encode([0; 32]),
            |stanza| stanza.args[0] = STANDARD_NO_PAD.encode([9; 31]),
            |stanza| "x25519".clone_into(&mut stanza.tag),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut stanza = Stanza {
                tag: sound.tag.clone(),
                args: sound.args.clone(),
                body: sound.body.clone(),
            };
            change(&mut stanza);
            let expected = outcome(theirs.unwrap_stanza(&stanza));
            assert_eq!(outcome(ours.unwrap_stanza(&stanza)), expected, "{number}");
        }
    }

    #[test]
    fn texts_of_other_kinds_are_refused() {
        let secret = x25519::Identity::generate().to_string();
        let text = secret.expose_secret();
        let public = x25519::Identity::generate().to_public().to_string();
        assert!(X25519Identity::parse(&text.to_lowercase()).is_some());
        for text in ["", &text[..70], &text.replace("KEY-1", "KEY-PQ-1"), &public] {
            assert!(X25519Identity::parse(text).is_none());
        }
    }
}
