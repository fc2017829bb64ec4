//! The stores without a server: variables, mounted files and password stores.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::sops::{IDENTITY, OWN};
use super::{CREDENTIAL, Case, SETTING, VALUE, VARIABLE, case, check};

const SETTINGS: &str =
    "backends:\n  ci: {type: env, prefix: APP_}\n  mounted: {type: file, root: secrets}\n";

/// What fails, its exit code, what is said, and the placeholder.
const CASES: &[(&str, i32, &str, &str)] = &[
    (
        "a variable beyond the prefix",
        3,
        "may not read the variable UNRELATED",
        "<ci:-#UNRELATED>",
    ),
    (
        "a credential's variable",
        3,
        "may not read",
        "<ci:AWS_SECRET_#ACCESS_KEY>",
    ),
    (
        "a variable that is not set",
        1,
        "has no key APP_NONE",
        "<ci:-#APP_NONE>",
    ),
    (
        "a variable that is not JSON",
        1,
        "is not JSON",
        "<ci:-#APP_TOKEN | jsonParse>",
    ),
    ("a good variable", 0, "", "<ci:-#APP_TOKEN>"),
    (
        "a file that is not there",
        1,
        "has no key user",
        "<mounted:db#user>",
    ),
    (
        "a folder that is not there",
        1,
        "there is no folder",
        "<mounted:none#user>",
    ),
    (
        "a file beyond the root",
        1,
        "is not the name of a file",
        "<mounted:db#../../outside>",
    ),
    (
        "a folder beyond the root",
        1,
        "leads out of",
        "<mounted:../x#outside>",
    ),
    (
        "a file that is not JSON",
        1,
        "is not JSON",
        "<mounted:db#password | jsonParse>",
    ),
    (
        "a file that is no text",
        1,
        "",
        "<mounted:db#bytes | jsonParse>",
    ),
    ("a good file", 0, "", "<mounted:db#password>"),
];

#[test]
fn variables_and_files() {
    let cases = CASES
        .iter()
        .map(|(what, code, says, placeholder)| stores(case(what, *code, says).value(placeholder)));
    check(&cases.collect::<Vec<_>>());
}

fn stores(case: Case) -> Case {
    let bytes = [b"\xff".as_slice(), VALUE.as_bytes()].concat();
    case.settings("manifuse.yaml", SETTINGS)
        .env("APP_TOKEN", VALUE)
        .file("secrets/db/password", VALUE)
        .file("secrets/db/bytes", bytes)
        .file("outside", VARIABLE)
}

/// What fails, its exit code, what is said, and the placeholder.
const ENTRIES: &[(&str, i32, &str, &str)] = &[
    ("a good entry", 0, "", "<pass:db#password>"),
    (
        "a key that is not there",
        1,
        "has no key none",
        "<pass:db#none>",
    ),
    (
        "an entry that is not JSON",
        1,
        "is not JSON",
        "<pass:db#@all | jsonParse>",
    ),
    (
        "a head that is none",
        1,
        "a line of its head is no header",
        "<pass:mime#password>",
    ),
    (
        "a file that is not base64",
        1,
        "its body is not base64",
        "<pass:binary#@binary>",
    ),
    (
        "an entry that is not there",
        1,
        "has no entry none",
        "<pass:none#password>",
    ),
    (
        "an entry beyond the store",
        1,
        "leads out of",
        "<pass:../outside#password>",
    ),
    (
        "an entry that is not encrypted",
        3,
        "no key at hand opens the entry open",
        "<pass:open#password>",
    ),
    (
        "a gpg that tells what it should not",
        3,
        "no key at hand opens the entry gpg",
        "<pass:gpg#password>",
    ),
];

#[test]
fn entries_of_password_stores() {
    let folder = tempfile::tempdir().unwrap();
    let gpg = folder.path().join("gpg");
    let script = format!("#!/bin/sh\necho {CREDENTIAL}; echo {CREDENTIAL} >&2; exit 2\n");
    fs::write(&gpg, script).unwrap();
    fs::set_permissions(&gpg, fs::Permissions::from_mode(0o700)).unwrap();
    let store = |case: Case| {
        passwords(case)
            .env("SOPS_AGE_KEY", IDENTITY)
            .env("SOPS_GPG_EXEC", gpg.to_str().unwrap())
    };
    let cases = ENTRIES
        .iter()
        .map(|(what, code, says, placeholder)| store(case(what, *code, says).value(placeholder)));
    let none = "no key at hand opens the entry db";
    let other = |what| store(case(what, 3, none).value("<pass:db#password>"));
    let others = [
        other("a key that is none").env("SOPS_AGE_KEY", CREDENTIAL),
        other("a key in the place of its file")
            .env("SOPS_AGE_KEY", "")
            .env("SOPS_AGE_KEY_FILE", IDENTITY),
        store(case("a store that is none", 2, "cannot be used").value("<pass:db#password>"))
            .env("PASSWORD_STORE_DIR", "k8s/app.yaml/x"),
    ];
    check(&cases.chain(others).collect::<Vec<_>>());
}

/// A password store for the key of the encrypted files.
fn passwords(case: Case) -> Case {
    let recipient: age::x25519::Recipient = OWN.parse().unwrap();
    let sealed = |text: String| age::encrypt(&recipient, text.as_bytes()).unwrap();
    case.env("PASSWORD_STORE_DIR", "store")
        .file(
            "store/db.age",
            sealed(format!("{VALUE}\n{VALUE}: {SETTING}\n")),
        )
        .file(
            "store/mime.age",
            sealed(format!("GOPASS-SECRET-1.0\n{VALUE}\n")),
        )
        .file(
            "store/binary.age",
            sealed(format!(
                "{VALUE}\ncontent-transfer-encoding: Base64\n{VALUE}!\n"
            )),
        )
        .file("store/open.age", VALUE)
        .file("store/gpg.gpg", VALUE)
        .file("outside.age", sealed(VARIABLE.to_owned()))
}
