//! SOPS files that cannot be opened, or whose values do not fit.
//!
//! `secrets.enc.yaml` was written by the real sops; it holds [`VALUE`] and, not encrypted, [`NEIGHBOUR`].

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::program::Program;

use super::{CREDENTIAL, Case, DECODED, KEY, NEIGHBOUR, VALUE, case, check};

const FILE: &str = include_str!("secrets.enc.yaml");
/// Whose the file is.
pub(super) const OWN: &str = "age1zpaaazskavxze44xume0rhw59gkrfuh90nzx7cyufzhuhc3u2asqa4vqhd";
/// Opens the file, and nothing else.
pub(super) const IDENTITY: &str =
    "AGE-SECRET-KEY-1U82DFYT6K26D9Z8WWWSXVVYTU9Z757UTQK438XFKP58T84P745HS2U0TSZ";

#[test]
fn files_that_cannot_be_opened() {
    assert!(IDENTITY.to_lowercase().starts_with(KEY));
    check(&keys());
}

/// A gpg that tells what it should not, and a key where its file belongs.
#[test]
fn openpgp_keys_that_do_not_fit() {
    let text = crate::sops::case("pgp-rsa").encrypted;
    let none = "no key at hand opens this file";
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gpg");
    let script =
        format!("#!/bin/sh\nprintf '%065d{CREDENTIAL}' 0; echo {CREDENTIAL} >&2; exit $STATUS\n");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let armored = format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{CREDENTIAL}\n");
    let gpg = |what, status: &str| {
        file(case(what, 3, none), text.clone())
            .env("SOPS_GPG_EXEC", program.to_str().unwrap())
            .env("STATUS", status)
    };
    check(&[
        gpg("a gpg that prints too much", "0"),
        gpg("a gpg that fails", "2"),
        gpg("a key instead of its file", "2").env("MANIFUSE_PGP_KEY_FILE", armored.clone()),
        gpg("a damaged key", "2")
            .env("MANIFUSE_PGP_KEY_FILE", "keys.asc")
            .file("keys.asc", armored),
    ]);
}

#[test]
fn files_that_were_changed() {
    check(&changed());
}

#[test]
fn values_that_do_not_fit() {
    check(&values());
}

/// The commands, by both names, in every way they fail.
#[test]
fn commands_that_fail() {
    let plain = FILE.replacen("sops:", "extra: [a]\nsops:", 1);
    let moved = FILE.replacen(NEIGHBOUR, "another", 1);
    for (args, text, code) in [
        (
            &["decrypt", "--extract", "[\"none\"]", "f.yaml"][..],
            FILE,
            1,
        ),
        (
            &["decrypt", "--extract", "[\"user\"][0]", "f.yaml"],
            FILE,
            1,
        ),
        (&["decrypt", "--extract", "user", "f.yaml"], FILE, 91),
        (&["decrypt", "--output-type", "binary", "f.yaml"], FILE, 4),
        (&["decrypt", "--output-type", "ini", "f.yaml"], FILE, 4),
        (&["decrypt", "--output", "no/where", "f.yaml"], FILE, 3),
        (&["decrypt", "--input-type", "json", "f.yaml"], FILE, 1),
        (&["decrypt", "f.yaml"], &plain, 25),
        (&["decrypt", "f.yaml"], &moved, 51),
        (&["exec-env", "f.yaml", "exit 7"], FILE, 1),
        (&["exec-file", "f.yaml", "exit 7"], FILE, 7),
        (
            &["exec-file", "--filename", "../f", "f.yaml", "true"],
            FILE,
            1,
        ),
    ] {
        fails(args, text, code);
    }
}

/// Those that write, too.
#[test]
fn commands_that_write_and_fail() {
    let moved = FILE.replacen(NEIGHBOUR, "another", 1);
    let quoted = format!("\"{VALUE}\"");
    for (args, text, code) in [
        (&["set", "f.yaml", "[\"user\"]", VALUE][..], FILE, 7),
        (&["set", "f.yaml", "[\"user\"]", "1", VALUE], FILE, 100),
        (&["set", "f.yaml", "user", VALUE], FILE, 7),
        (&["set", "f.yaml", "[\"sops\"]", &quoted], FILE, 4),
        (&["set", "f.yaml", "[0]", &quoted], FILE, 1),
        (&["set", "f.yaml", "[\"user\"]", &quoted], &moved, 51),
        (
            &["set", "--value-file", "f.yaml", "[\"a\"]", "f.yaml"],
            FILE,
            7,
        ),
        (&["--set", VALUE, "f.yaml"], FILE, 7),
        (&["unset", "f.yaml", "[\"user\"][0]"], FILE, 1),
        (&["rotate", "-i", "f.yaml"], &moved, 51),
        (&["rotate", "--rm-age", OWN, "f.yaml"], FILE, 1),
        (&["rotate", "--output", "no/where", "f.yaml"], FILE, 3),
        (&["groups", "delete", "-f", "f.yaml", "0"], FILE, 1),
        (&["groups", "add", "-f", "f.yaml"], FILE, 1),
        (&["updatekeys", "-y", "f.yaml"], FILE, 1),
        (&["unset", "f.yaml", "[\"none\"]"], FILE, 1),
    ] {
        fails(args, text, code);
    }
}

/// Runs a command on a file by both names: it must fail, with sops's exit code by that name, and tell no value.
fn fails(args: &[&str], text: &str, code: i32) {
    let ours = ["sops"].iter().chain(args).copied();
    for program in [Program::sops(args.to_vec()), Program::manifuse(ours)] {
        let program = program.file("f.yaml", text).env("SOPS_AGE_KEY", IDENTITY);
        let run = program.run();
        let told = String::from_utf8_lossy(&run.stdout).into_owned() + &run.stderr;
        assert_ne!(run.code, Some(0), "{args:?}");
        assert!(!told.contains(VALUE), "{args:?}: {told}");
        assert!(!told.contains(NEIGHBOUR), "{args:?}: {told}");
    }
    let program = Program::sops(args.to_vec()).file("f.yaml", text);
    let run = program.env("SOPS_AGE_KEY", IDENTITY).run();
    assert_eq!(run.code, Some(code), "{args:?}: {}", run.stderr);
}

fn file(case: Case, text: impl Into<Vec<u8>>) -> Case {
    let text = text.into();
    // By our own name paths are relative to what is rendered, by AVP's to the working folder.
    case.value("<sops:secrets.enc#user>")
        .file("k8s/secrets.enc", text.clone())
        .file("secrets.enc", text)
        .env("MANIFUSE_ROOT", ".")
        .env("SOPS_AGE_KEY", IDENTITY)
}

fn good(what: &'static str, code: i32, says: &'static str) -> Case {
    file(case(what, code, says), FILE)
}

fn keys() -> Vec<Case> {
    let none = "no key at hand opens this file";
    let other = "AGE-SECRET-KEY-13WSGSQYC6AQNAHYZFCFA096X5QWWSE48DYY055PES72YNQ3YFEKQE3C46C";
    vec![
        good("no key", 3, none).env("SOPS_AGE_KEY", ""),
        good("another key", 3, none).env("SOPS_AGE_KEY", other),
        good("a key with a typo", 3, none).env("SOPS_AGE_KEY", &IDENTITY[..40]),
        good("what is no key", 3, none).env("SOPS_AGE_KEY", CREDENTIAL),
        good("a file with what is no key", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env("SOPS_AGE_KEY_FILE", "keys.txt")
            .file(
                "keys.txt",
                format!("# {CREDENTIAL}\n{CREDENTIAL}\n{other}\n"),
            ),
        good("a key instead of its file", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env("SOPS_AGE_KEY_FILE", IDENTITY),
        good("a command that prints a key", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env(
                "SOPS_AGE_KEY_CMD",
                format!("echo {CREDENTIAL} >&2; echo {other}"),
            ),
        good("a command that prints a key and fails", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env(
                "SOPS_AGE_KEY_CMD",
                format!("sh -c 'echo {CREDENTIAL} >&2; echo {IDENTITY}; exit 1'"),
            ),
        good("a command with a key in it that is not closed", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env("SOPS_AGE_KEY_CMD", format!("echo '{IDENTITY} {CREDENTIAL}")),
        good("a command that is a key", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env("SOPS_AGE_SSH_PRIVATE_KEY_CMD", IDENTITY),
        good("an SSH key that is none", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "id")
            .file("id", CREDENTIAL),
        good("an SSH key instead of its file", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env(
                "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
                format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{CREDENTIAL}"),
            ),
        good("a folder of keys with what is none", 3, none)
            .env("SOPS_AGE_KEY", "")
            .env("MANIFUSE_SOPS_KEYS", "keys")
            .file("keys/a.agekey", CREDENTIAL)
            .file("keys/b.agekey", *b"\xff"),
        file(
            case("a wrapped key that was changed", 3, none),
            FILE.replace("LCBqWkgl", "LCBqWkgm"),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a flat table")]
fn changed() -> Vec<Case> {
    let edited = |what, says, from: &str, to: &str| {
        assert!(FILE.contains(from), "{from}");
        file(case(what, 1, says), FILE.replace(from, to))
    };
    let mac = FILE
        .lines()
        .find(|line| line.trim().starts_with("mac:"))
        .unwrap();
    let user = FILE.lines().next().unwrap();
    let sops = &FILE[FILE.find("sops:").unwrap()..];
    vec![
        edited(
            "a changed value",
            "message authentication failed",
            "data:8Q6t",
            "data:8Q6u",
        ),
        edited(
            "a damaged value",
            "the encrypted text is damaged",
            "data:8Q6t",
            "data:8Q!t",
        ),
        edited(
            "a value of another type",
            "could not decrypt user",
            user,
            &user.replace("type:str", "type:int"),
        ),
        edited("a changed literal", "MAC mismatch", NEIGHBOUR, DECODED),
        edited("an entry that was removed", "MAC mismatch", user, "# "),
        edited(
            "a value that is not encrypted",
            "is not encrypted",
            user,
            &format!("user: {VALUE}"),
        ),
        edited("no MAC", "the file has no MAC", mac, ""),
        edited(
            "a MAC in plain text",
            "MAC",
            mac,
            &format!("    mac: {VALUE}"),
        ),
        edited(
            "a sops block that is a text",
            "sops",
            sops,
            &format!("sops: {VALUE}\n"),
        ),
        edited(
            "a sops block of another form",
            "sops block is broken",
            "    age:",
            "    age: x\n    y:",
        ),
        edited(
            "no sops block",
            "sops metadata not found",
            sops,
            &format!("password: {VALUE}\n"),
        ),
        edited(
            "an open quote",
            "secrets.enc:1",
            user,
            &format!("user: \"{VALUE}"),
        ),
        edited(
            "an unknown anchor",
            "secrets.enc:1",
            user,
            &format!("user: *{VALUE}"),
        ),
        edited("equal keys", "secrets.enc", "list:", "user:"),
        file(
            case("a file that is not UTF-8", 1, "is not UTF-8"),
            [VALUE.as_bytes(), b": \xff\n"].concat(),
        ),
    ]
}

fn values() -> Vec<Case> {
    let on = |what, says, placeholder: &str| {
        let placeholder = format!("<sops:secrets.enc#{placeholder}>");
        good(what, 1, says).value(&placeholder)
    };
    vec![
        on("a missing key", "has no key pasword", "pasword"),
        on(
            "a value that is not JSON",
            "jsonParse: the value is not JSON",
            "json | jsonParse",
        ),
        on(
            "a value without such a field",
            "jsonPath",
            "json | jsonPath {.nokey}",
        ),
        on("a list", "invalid datatype", "list | base64encode"),
        good("a file that is not there", 1, "Could not find file").value("<sops:none.yaml#user>"),
        good("a file out of the folder", 1, "leads out of").value("<sops:../../none.yaml#user>"),
        good("a good file", 0, ""),
    ]
}
