//! Encrypted manifests in the stream that cannot be opened, or whose decrypted text is no use.
//!
//! The two files were written by the real sops; name, annotations and values are encrypted. They hold [`VALUE`] and
//! [`DECODED`], and [`NEIGHBOUR`] both encrypted and not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sops::IDENTITY;
use super::{CREDENTIAL, Case, DECODED, NEIGHBOUR, VALUE, case, check};

const SECRET: &str = include_str!("secret.enc.yaml");
const ANNOTATED: &str = include_str!("annotated.enc.yaml");

#[test]
fn documents_that_cannot_be_opened() {
    check(&broken());
}

#[test]
fn decrypted_text_is_not_quoted() {
    check(&decrypted());
}

fn document(what: &'static str, code: i32, says: &'static str, text: impl Into<Vec<u8>>) -> Case {
    case(what, code, says)
        .manifest(text)
        .env("SOPS_AGE_KEY", IDENTITY)
}

#[expect(clippy::too_many_lines, reason = "a flat table")]
fn broken() -> Vec<Case> {
    let edited = |what, says, from: &str, to: &str| {
        assert!(SECRET.contains(from), "{from}");
        document(what, 1, says, SECRET.replacen(from, to, 1))
    };
    let mismatch = "MAC mismatch";
    let data = |text: &str| {
        let data = STANDARD.encode(text);
        format!("kind: Secret\ndata:\n  a: {data}\n")
    };
    vec![
        document("no key", 3, "no key at hand", SECRET).env("SOPS_AGE_KEY", CREDENTIAL),
        edited("a changed literal", mismatch, NEIGHBOUR, DECODED),
        edited(
            "a value that was added",
            "is not encrypted",
            "stringData:\n",
            &format!("stringData:\n    b: {VALUE}\n"),
        ),
        edited(
            "a number that was added",
            "type integer",
            "stringData:\n",
            "stringData:\n    b: 7\n",
        ),
        edited(
            "a damaged value",
            "damaged",
            "value: ENC[AES256_GCM,data:",
            "value: ENC[AES256_GCM,data:!",
        ),
        edited(
            "a moved value",
            "authentication failed",
            "value: ENC",
            "other: ENC",
        ),
        edited(
            "a block with a text for keys",
            "sops block is broken",
            "    age:",
            &format!("    age: {VALUE}\n    y:"),
        ),
        edited("no MAC", "the file has no MAC", "    mac:", "    mic:"),
        edited(
            "a MAC in plain text",
            "MAC",
            "    mac: ENC",
            &format!("    mac: {VALUE}\n    mic: ENC"),
        ),
        document(
            "a file that was changed",
            1,
            mismatch,
            data(&SECRET.replace(NEIGHBOUR, DECODED)),
        ),
        document(
            "a file that is no text",
            1,
            "can be printed as binary",
            data(SECRET),
        ),
    ]
}

fn decrypted() -> Vec<Case> {
    vec![
        document(
            "a missing key",
            1,
            "missing value for a placeholder in decoded text",
            SECRET,
        ),
        document(
            "a backend that there is not",
            2,
            "no backend named as an encrypted annotation says",
            ANNOTATED,
        ),
        document("a secret that may not be read", 3, "answered 403", SECRET).answers(|_| {
            crate::support::server::Reply::json(403, r#"{"errors":["permission denied"]}"#)
        }),
    ]
}
