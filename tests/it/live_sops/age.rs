//! Age keys of all kinds, both ways: the real sops opens what we encrypt, we open what it encrypts.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::live;

const PLAIN: &str = "user: shop\nport: 5432\n";
const QUANTUM: &str =
    "AGE-SECRET-KEY-PQ-1GF8K6JFXDKKKDGNC6NXEC8459JA0PL4ZRQHUUE05KNRW4SLDUC3QQS98MX";

/// One of the two programs, on files of a folder.
fn call(program: &str, folder: &Path, variable: (&str, &str), args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .env(variable.0, variable.1)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The program by the name `sops`.
fn ours(folder: &Path) -> String {
    let link = folder.join("sops");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_manifuse"), &link).unwrap();
    }
    link.display().to_string()
}

fn both_ways(folder: &Path, recipient: &str, variable: (&str, &str)) {
    let (ours, theirs) = (ours(folder), live::variable("LIVE_SOPS"));
    fs::write(folder.join("plain.yaml"), PLAIN).unwrap();
    for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
        let args = ["encrypt", "--age", recipient, "plain.yaml"];
        let sealed = call(from, folder, variable, &args);
        assert!(sealed.contains(recipient) && !sealed.contains("shop"));
        fs::write(folder.join("sealed.yaml"), sealed).unwrap();
        let opened = call(to, folder, variable, &["decrypt", "sealed.yaml"]);
        assert_eq!(opened, PLAIN, "{from} to {to}");
    }
}

fn ssh_key(folder: &Path, kind: &str, passphrase: &str) -> String {
    let args = ["-q", "-t", kind, "-N", passphrase, "-C", "", "-f", "id"];
    let mut command = Command::new("ssh-keygen");
    let made = command.args(args).current_dir(folder).status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(folder.join("id.pub")).unwrap();
    public.trim().to_owned()
}

#[test]
#[ignore = "needs the real sops, which tests/live/run installs"]
fn ssh_keys() {
    for kind in ["ed25519", "rsa"] {
        let folder = tempfile::tempdir().unwrap();
        let recipient = ssh_key(folder.path(), kind, "");
        let variable = ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "id");
        both_ways(folder.path(), &recipient, variable);
    }
}

#[test]
#[ignore = "needs the real sops, which tests/live/run installs"]
fn post_quantum_keys() {
    let folder = tempfile::tempdir().unwrap();
    both_ways(
        folder.path(),
        include_str!("quantum.txt").trim(),
        ("SOPS_AGE_KEY", QUANTUM),
    );
}

/// The passphrase is typed on a terminal that `script` makes, after it was asked for, and does not show.
#[test]
#[ignore = "needs ssh-keygen and a terminal, which script makes"]
fn a_passphrase_is_asked_for_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let recipient = ssh_key(folder.path(), "ed25519", "open sesame");
    let ours = ours(folder.path());
    fs::write(folder.path().join("plain.yaml"), PLAIN).unwrap();
    let none = ("UNUSED", "");
    let args = ["encrypt", "--age", &recipient, "plain.yaml"];
    let sealed = call(&ours, folder.path(), none, &args);
    fs::write(folder.path().join("sealed.yaml"), sealed).unwrap();
    let command = format!("{ours} decrypt --output opened.yaml sealed.yaml");
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder.path())
        .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "id")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut terminal, mut stdin) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let mut shown = Vec::new();
    while !shown.ends_with(b"/id: ") {
        let mut byte = [0];
        terminal.read_exact(&mut byte).unwrap();
        shown.push(byte[0]);
    }
    stdin.write_all(b"open sesame\n").unwrap();
    terminal.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8_lossy(&shown);
    assert!(!shown.contains("sesame"), "{shown}");
    let opened = fs::read_to_string(folder.path().join("opened.yaml")).unwrap();
    assert_eq!(opened, PLAIN);
}
