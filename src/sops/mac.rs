//! The hash over a file's values: SHA-512 of their canonical texts in order, without separators. It covers no keys and
//! no nesting; those of encrypted values are covered by the cipher.

use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use super::tree::{Leaf, float_text};
use crate::secret::Text;

/// What the hash begins with where only encrypted values count, so that the two kinds cannot be mistaken: the SHA-256
/// of `sops`.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// The hash of the values so far.
pub(super) struct Mac {
    hash: Sha512,
    /// The hash as versions before 3.13.2 made it, once a value came that they read otherwise.
    older: Option<Sha512>,
}

impl Mac {
    pub(super) fn new(only_encrypted: bool) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            hash.update(ONLY_ENCRYPTED);
        }
        Self { hash, older: None }
    }

    /// Adds a value.
    pub(super) fn add(&mut self, leaf: &Leaf) {
        let spelled;
        let text = match leaf {
            // A binary file is one text of its whole size.
            Leaf::String(text) => text,
            other => {
                spelled = other.text();
                &spelled
            }
        };
        self.hash.update(text.expose());
        if let Some(older) = &mut self.older {
            older.update(text.expose());
        }
    }

    /// Adds a number that stands unencrypted in a JSON file. Versions before 3.13.2 take each such number for a float,
    /// which loses digits beyond 2^53 and keeps the sign of zero.
    pub(super) fn add_json_number(&mut self, leaf: &Leaf, literal: &str) {
        let older = literal.parse().map_or_else(|_| leaf.text(), float_text);
        let text = leaf.text();
        if older != text {
            self.older.get_or_insert_with(|| self.hash.clone());
        }
        self.hash.update(text.expose());
        if let Some(hash) = &mut self.older {
            hash.update(older.expose());
        }
    }

    /// The hash as it is stored, before it is encrypted.
    pub(super) fn text(self) -> Text {
        Text::from(hex(&self.hash.finalize()))
    }

    /// Whether the hash is the one that the file says, compared in constant time.
    pub(super) fn is(self, expected: &Text) -> bool {
        let matches = |hash: Sha512| hex(&hash.finalize()).as_bytes().ct_eq(expected.expose());
        let newer = matches(self.hash);
        let older = self.older.map_or(0.into(), matches);
        (newer | older).into()
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "6A104843F0AB6BC899CC80C0042CB34132B843027369EEB980187068F37BE95A71C5F713E57DF6F90215587CAEA36EBE66CC77BDF8B46179B4D861EC84E03F11";
    const ONLY: &str = "22E6D620339B30201CDEC8E396AFC3425874C8BB32CE7E8155D557F1733AF52EE0D26C06FE8568E23DA7E86A907B9B53B6B00B4B175FD73415F768421753D6DF";

    fn mac(only_encrypted: bool) -> Mac {
        let mut mac = Mac::new(only_encrypted);
        mac.add(&Leaf::String("s3cr3t".into()));
        mac.add(&Leaf::Bool(true));
        mac
    }

    #[test]
    fn worked_hashes() {
        assert!(mac(false).is(&ALL.into()));
        assert!(mac(true).is(&ONLY.into()));
        assert!(!mac(true).is(&ALL.into()));
        assert!(!mac(false).is(&ALL.to_lowercase().into()));
        assert!(!mac(false).is(&"".into()));
    }

    #[test]
    fn a_json_integer_counts_as_either_version_reads_it() {
        let of = |literal: &str, leaf: Leaf| {
            let mut mac = mac(false);
            mac.add_json_number(&leaf, literal);
            mac.add(&Leaf::Bool(false));
            mac
        };
        let hash = |text: &str| Text::from(hex(&Sha512::digest(text)));
        let big = || of("9007199254740993", Leaf::Int(9_007_199_254_740_993));
        assert!(big().is(&hash("s3cr3tTrue9007199254740993False")));
        assert!(big().is(&hash("s3cr3tTrue9007199254740992False")));
        assert!(!big().is(&hash("s3cr3tTrue9007199254740994False")));
        let zero = || of("-0", Leaf::Int(0));
        assert!(zero().is(&hash("s3cr3tTrue0False")));
        assert!(zero().is(&hash("s3cr3tTrue-0False")));
        assert!(!of("5", Leaf::Int(5)).is(&hash("s3cr3tTrue-5False")));
    }
}
