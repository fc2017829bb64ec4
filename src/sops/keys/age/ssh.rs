//! SSH private keys as identities.

use age::ssh::{Identity, Recipient, UnsupportedKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::locked::Lock;

/// A private key takes a few kilobytes.
const MAX_SIZE: usize = 64 << 10;

/// A private key: as it is, or what protects it.
pub(super) enum SshKey {
    Ready(Identity),
    Locked(Lock),
}

/// Reads a private key in the form that `ssh-keygen` writes, or RSA's older one. The reason says what it is not.
pub(super) fn parse(text: &[u8]) -> Result<SshKey, &'static str> {
    const FORM: &str = "no SSH private key of OpenSSH's form";
    if text.len() > MAX_SIZE {
        return Err(FORM);
    }
    let text = std::str::from_utf8(text).map_err(|_| FORM)?;
    let start = text.find("-----BEGIN ").ok_or(FORM)?;
    let identity = Identity::from_buffer(&text.as_bytes()[start..], None).map_err(|_| FORM)?;
    match identity {
        Identity::Encrypted(key) => {
            let public = Recipient::try_from(Identity::Encrypted(key.clone()));
            let (kind, tag) = stanza(&public.map_err(|_| TYPE)?).ok_or(TYPE)?;
            let key = Box::new(key);
            Ok(SshKey::Locked(Lock::SshKey { key, kind, tag }))
        }
        Identity::Unsupported(key) => Err(unsupported(&key)),
        Identity::Unencrypted(_) => Ok(SshKey::Ready(identity)),
    }
}

/// How stanzas for a key begin: its type, and a short hash of it.
fn stanza(public: &Recipient) -> Option<(String, String)> {
    let public = public.to_string();
    let (kind, key) = public.split_once(' ')?;
    let hash = Sha256::digest(STANDARD.decode(key).ok()?);
    Some((kind.to_owned(), STANDARD_NO_PAD.encode(&hash[..4])))
}

const TYPE: &str = "an SSH key of a type that age cannot use: ssh-ed25519 and ssh-rsa can be";

fn unsupported(key: &UnsupportedKey) -> &'static str {
    match key {
        UnsupportedKey::EncryptedPem => {
            "protected by a passphrase in an old form: ssh-keygen -p -f FILE writes the new one"
        }
        UnsupportedKey::EncryptedSsh(_) => "protected by a cipher that is not known here",
        UnsupportedKey::Hardware(_) => "a key in hardware, which age cannot use",
        UnsupportedKey::Type(_) => TYPE,
    }
}
