//! One encrypted value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`, sealed and opened with the data key and the place it
//! stands at.

use aes_gcm::aead::OsRng;
use aes_gcm::aead::generic_array::typenum::{U12, U16, U32};
use aes_gcm::aead::generic_array::{ArrayLength, GenericArray};
use aes_gcm::aead::rand_core::RngCore as _;
use aes_gcm::aes::Aes256;
use aes_gcm::{AeadInPlace, AesGcm, KeyInit};
use zeroize::Zeroizing;

use super::error::ValueError;
use super::tree::Leaf;
use crate::secret::Text;
use crate::yaml::go_scalar::parse_float;
use crate::yaml::timestamp::Timestamp;
use crate::yaml::{decode_base64, encode_base64};

/// How an encrypted value begins.
const START: &str = "ENC[AES256_GCM,data:";
const TAG_SIZE: usize = 16;

/// The size of the nonces that SOPS writes.
const NONCE_SIZE: usize = 32;

/// Seals and opens values with one data key. The key schedules are made once for all values of a file.
pub(super) struct Cipher {
    /// For the 32-byte nonces that every version of SOPS writes.
    usual: AesGcm<Aes256, U32>,
    /// For the 12-byte nonces that the format also allows.
    short: AesGcm<Aes256, U12>,
}

/// What an encrypted value turns out to be.
pub(super) enum Opened {
    Leaf(Leaf),
    Comment(Text),
}

/// The parts of an encrypted value.
struct Parts<'a> {
    data: &'a str,
    iv: &'a str,
    tag: &'a str,
    kind: &'a str,
}

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let key = GenericArray::from_slice(key);
        Self {
            usual: AesGcm::new(key),
            short: AesGcm::new(key),
        }
    }

    /// Decrypts a value. The empty text stands for itself.
    pub(super) fn open(&self, text: &str, aad: &[u8]) -> Result<Opened, ValueError> {
        if text.is_empty() {
            return Ok(Opened::Leaf(Leaf::String(Text::from(""))));
        }
        let parts = Parts::parse(text).ok_or(ValueError::NotEncrypted)?;
        let decode = |part| decode_base64(part).ok_or(ValueError::Damaged);
        let (iv, tag) = (decode(parts.iv)?, decode(parts.tag)?);
        let mut bytes = Zeroizing::new(decode(parts.data)?);
        let tag = whole_tag(&mut bytes, tag)?;
        match iv.len() {
            32 => unseal(&self.usual, &iv, aad, &mut bytes, &tag)?,
            12 => unseal(&self.short, &iv, aad, &mut bytes, &tag)?,
            _ => return Err(ValueError::Damaged),
        }
        typed(parts.kind, bytes)
    }
}

/// What a value is sealed as.
pub(super) struct Plain {
    /// The name of its type.
    pub(super) kind: &'static str,
    /// Its canonical text.
    pub(super) text: Text,
}

impl Plain {
    pub(super) fn leaf(leaf: &Leaf) -> Self {
        let kind = match leaf {
            Leaf::String(_) => "str",
            Leaf::Int(_) => "int",
            Leaf::Float(_) => "float",
            Leaf::Bool(_) => "bool",
            Leaf::Time(_) => "time",
        };
        Self {
            kind,
            text: leaf.text(),
        }
    }

    pub(super) fn comment(text: &Text) -> Self {
        Self {
            kind: "comment",
            text: text.clone(),
        }
    }

    /// What something opened was sealed as.
    pub(super) fn of(opened: &Opened) -> Self {
        match opened {
            Opened::Leaf(leaf) => Self::leaf(leaf),
            Opened::Comment(text) => Self::comment(text),
        }
    }
}

impl Cipher {
    /// Encrypts a value. The empty text stands for itself.
    pub(super) fn seal(&self, plain: &Plain, aad: &[u8]) -> String {
        if plain.text.expose().is_empty() {
            return String::new();
        }
        let mut nonce = [0; NONCE_SIZE];
        OsRng.fill_bytes(&mut nonce);
        let mut bytes = Zeroizing::new(plain.text.expose().to_vec());
        let tag = self
            .usual
            .encrypt_in_place_detached(GenericArray::from_slice(&nonce), aad, &mut bytes)
            .expect("no value is as long as 64 GiB");
        format!(
            "{START}{},iv:{},tag:{},type:{}]",
            encode_base64(&bytes),
            encode_base64(&nonce),
            encode_base64(&tag),
            plain.kind
        )
    }
}

/// SOPS looks at data and tag only as one text, so a tag may have lost bytes to the data.
fn whole_tag(data: &mut Vec<u8>, tag: Vec<u8>) -> Result<Vec<u8>, ValueError> {
    if tag.len() == TAG_SIZE {
        return Ok(tag);
    }
    data.extend_from_slice(&tag);
    let size = data.len().checked_sub(TAG_SIZE);
    Ok(data.split_off(size.ok_or(ValueError::Damaged)?))
}

fn unseal<N: ArrayLength<u8>>(
    cipher: &AesGcm<Aes256, N>,
    iv: &[u8],
    aad: &[u8],
    bytes: &mut [u8],
    tag: &[u8],
) -> Result<(), ValueError> {
    let tag: &GenericArray<u8, U16> = GenericArray::from_slice(tag);
    cipher
        .decrypt_in_place_detached(GenericArray::from_slice(iv), aad, bytes, tag)
        .map_err(|_| ValueError::Authentication)
}

/// What the decrypted bytes mean.
fn typed(kind: &str, mut bytes: Zeroizing<Vec<u8>>) -> Result<Opened, ValueError> {
    let leaf = match kind {
        // `bytes` is from SOPS's first years, and crashes its successors.
        "str" | "bytes" => Leaf::String(Text::from(std::mem::take(&mut *bytes))),
        "comment" => return Ok(Opened::Comment(Text::from(std::mem::take(&mut *bytes)))),
        "int" => Leaf::Int(parse(&bytes, |text| text.parse().ok(), "integer")?),
        "float" => Leaf::Float(parse(&bytes, parse_float, "float")?),
        "bool" => Leaf::Bool(parse(&bytes, parse_bool, "bool")?),
        "time" => Leaf::Time(parse(&bytes, Timestamp::from_rfc3339, "time")?),
        _ => return Err(ValueError::UnknownType),
    };
    Ok(Opened::Leaf(leaf))
}

fn parse<T>(
    bytes: &[u8],
    parse: impl Fn(&str) -> Option<T>,
    name: &'static str,
) -> Result<T, ValueError> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(parse).ok_or(ValueError::Type(name))
}

/// A truth value as Go spells it.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

impl<'a> Parts<'a> {
    /// Takes a text apart. What stands behind the last bracket of the first line is not looked at, as in SOPS, which
    /// has no anchor there.
    fn parse(text: &'a str) -> Option<Self> {
        let line = text.strip_prefix(START)?.lines().next()?;
        let inner = &line[..line.rfind(']')?];
        let (inner, kind) = inner.rsplit_once(",type:")?;
        let (inner, tag) = inner.rsplit_once(",tag:")?;
        let (data, iv) = inner.rsplit_once(",iv:")?;
        let parts = [data, iv, tag, kind];
        let complete = parts.iter().all(|part| !part.is_empty());
        complete.then_some(Self {
            data,
            iv,
            tag,
            kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the format's description: key 00…1f.
    fn cipher() -> Cipher {
        let mut key = [0; 32];
        for (value, byte) in (0..).zip(&mut key) {
            *byte = value;
        }
        Cipher::new(&key)
    }

    const SECRET: &str = "ENC[AES256_GCM,data:ZPKSOr57,iv:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=,tag:1kwKUx9QfqZyt5+iJx05Vw==,type:str]";
    const TRUE: &str = "ENC[AES256_GCM,data:Q7OELQ==,iv:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=,tag:/idaZC+rDnwunLprUhFRVA==,type:bool]";
    const NOTE: &str = "ENC[AES256_GCM,data:ea6FLQ==,iv:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=,tag:HBFiwnY/tNVVxEdhaWu+Fw==,type:comment]";

    fn open(text: &str, aad: &str) -> Result<String, ValueError> {
        let show = |text: Text| text.expose_str().unwrap().to_owned();
        match cipher().open(text, aad.as_bytes())? {
            Opened::Leaf(leaf) => Ok(format!("{}:{}", leaf.type_name(), show(leaf.text()))),
            Opened::Comment(text) => Ok(format!("comment:{}", show(text))),
        }
    }

    #[test]
    fn worked_values() {
        assert_eq!(open(SECRET, "db:password:").as_deref(), Ok("string:s3cr3t"));
        assert_eq!(open(TRUE, "flags:").as_deref(), Ok("bool:True"));
        assert_eq!(open(NOTE, ":").as_deref(), Ok("comment:note"));
        assert_eq!(open("", "any:").as_deref(), Ok("string:"));
    }

    #[test]
    fn a_value_belongs_to_its_place_and_key() {
        assert_eq!(open(SECRET, "db:"), Err(ValueError::Authentication));
        let other = Cipher::new(&[1; 32]).open(SECRET, b"db:password:");
        assert!(matches!(other, Err(ValueError::Authentication)));
    }

    #[test]
    fn damaged_values() {
        for (from, to, expected) in [
            ("data:ZPKSOr57", "data:", ValueError::NotEncrypted),
            ("type:str]", "type:str", ValueError::NotEncrypted),
            ("ENC[", "enc[", ValueError::NotEncrypted),
            ("data:ZPKSOr57", "data:ZPKSOr5", ValueError::Damaged),
            ("Ozw9Pj8=", "Ozw9", ValueError::Damaged),
            ("1kwKUx9QfqZyt5+iJx05Vw==", "AAAA", ValueError::Damaged),
            ("ZPKSOr57", "ZPKSOr56", ValueError::Authentication),
            ("type:str", "type:int", ValueError::Type("integer")),
            ("type:str", "type:bool", ValueError::Type("bool")),
            ("type:str", "type:float", ValueError::Type("float")),
            ("type:str", "type:time", ValueError::Type("time")),
            ("type:str", "type:", ValueError::NotEncrypted),
            ("type:str", "type:Str", ValueError::UnknownType),
        ] {
            let text = SECRET.replace(from, to);
            assert_ne!(text, SECRET);
            assert_eq!(open(&text, "db:password:"), Err(expected), "{from} {to}");
        }
    }

    #[test]
    fn what_follows_the_bracket_does_not_matter() {
        for behind in [" trailing", "\nnext line]", "\n"] {
            let text = format!("{SECRET}{behind}");
            assert_eq!(open(&text, "db:password:").as_deref(), Ok("string:s3cr3t"));
        }
    }
}
