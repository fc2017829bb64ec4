//! A password store that the real pass keeps with the real gpg: entries in every shape that pass takes, read without gpg, and by it
//! where a key is behind a passphrase.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::stores::{program, values};
use crate::support::live;
use crate::support::program::Program;

/// Tests that call gpg go one by one: it finds no key while another gpg changes the key ring of the suite.
static KEY_RING: Mutex<()> = Mutex::new(());

/// A tool on the store of the suite, whose variables lie in the environment; what it prints.
fn tool(name: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(name)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name} {args:?}");
    output.stdout
}

/// A rendering from the store, without gpg.
fn render(references: &[String]) -> Program {
    program(references, "60s")
        .env("AVP_TYPE", "pass")
        .env("PASSWORD_STORE_DIR", live::variable("PASSWORD_STORE_DIR"))
        .env("SOPS_GPG_EXEC", "/no/gpg")
}

/// The same by gpg alone: its folder is named to it, not to us.
fn by_gpg(program: Program, options: &str) -> Program {
    let home = live::variable("GNUPGHOME");
    let script = format!("#!/bin/sh\nexport GNUPGHOME='{home}'\nexec gpg {options} \"$@\"\n");
    let program = program.file("gpg", script);
    let path = program.folder().join("gpg");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    program.env("SOPS_GPG_EXEC", path.to_str().unwrap())
}

#[test]
#[ignore = "needs the real pass and its store, which tests/live/run makes"]
fn entries_of_pass_are_read_with_gpg_and_without() {
    let _alone = KEY_RING.lock();
    let references = [
        "pass:app/db#password",
        "pass:app/db#user",
        "gopass:app/db#url",
        "pass:app/plain#password",
        "pass:app/json#@all | jsonPath {.pass}",
    ];
    let references = references.map(ToOwned::to_owned);
    let plain = "s3cret with spaces and \u{fc}n\u{ef}code";
    let wanted = ["p1", "u1", "https://example.invalid", plain, "p1"];
    let ours = render(&references).env("GNUPGHOME", live::variable("GNUPGHOME"));
    assert_eq!(values(&ours.run()), wanted);
    assert_eq!(values(&by_gpg(render(&references), "").run()), wanted);
}

#[test]
#[ignore = "needs the real pass and its store, which tests/live/run makes"]
fn whatever_pass_takes_comes_out_as_pass_shows_it() {
    let _alone = KEY_RING.lock();
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let entries = [
        &b"\n"[..],
        b"a",
        b"a\n\n\n",
        "\u{6f22}\r\nb: \u{1f600}\n".as_bytes(),
        &every_byte,
        &large,
    ];
    let mut references = Vec::new();
    let mut wanted = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let name = format!("shapes/of entries/{number}");
        tool("pass", &["insert", "--multiline", "--force", &name], entry);
        let shown = tool("pass", &["show", &name], b"");
        assert_eq!(shown, *entry, "{name}");
        // By `path`, which takes spaces.
        references.push(format!("path:{name}#@all | toString | base64encode"));
        wanted.push(STANDARD.encode(shown));
    }
    let ours = render(&references).env("GNUPGHOME", live::variable("GNUPGHOME"));
    assert_eq!(values(&ours.run()), wanted);
    assert_eq!(values(&by_gpg(render(&references), "").run()), wanted);
}

#[test]
#[ignore = "needs the real pass and its store, which tests/live/run makes"]
fn a_key_behind_a_passphrase_is_left_to_gpg() {
    let _alone = KEY_RING.lock();
    let person = "locked <locked@example.invalid>";
    let secret = [
        "--batch",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "correct horse",
    ];
    let make = [
        "--quick-generate-key",
        person,
        "default",
        "default",
        "never",
    ];
    tool("gpg", &[&secret[..], &make].concat(), b"");
    tool(
        "pass",
        &["init", "--path=locked", "locked@example.invalid"],
        b"",
    );
    tool(
        "pass",
        &["insert", "--multiline", "--force", "locked/a"],
        b"p2\n",
    );
    let references = ["pass:locked/a#password".to_owned()];
    let alone = render(&references).env("GNUPGHOME", live::variable("GNUPGHOME"));
    let alone = alone.run();
    assert_eq!(alone.code, Some(3));
    let words = "its secret key is behind a passphrase or on a card";
    assert!(alone.stderr.contains(words), "{}", alone.stderr);
    let recipient = "it was encrypted for locked@example.invalid";
    assert!(alone.stderr.contains(recipient), "{}", alone.stderr);
    let options = "--pinentry-mode loopback --passphrase 'correct horse'";
    assert_eq!(values(&by_gpg(render(&references), options).run()), ["p2"]);
}
