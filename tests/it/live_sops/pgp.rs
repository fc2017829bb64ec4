//! OpenPGP both ways, with keys that gpg makes now: what sops and gpg encrypt is opened here without gpg, what is encrypted here they
//! open, and a key behind a passphrase is left to gpg.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::live;
use crate::support::program::{Program, Run};

const PLAIN: &str = "db:\n    password: open sesame\n";
const NO_GPG: &str = "/no/gpg";

/// A folder of gpg, whose agent goes with it.
struct Gnupg {
    folder: TempDir,
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        let mut agent = Command::new("gpgconf");
        agent.env("GNUPGHOME", self.home()).args(["--kill", "all"]);
        let _ = agent.output();
    }
}

impl Gnupg {
    /// Keys are made and used with a passphrase, which gpg finds in a file.
    fn new(passphrase: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gnupg = Self { folder };
        fs::create_dir(gnupg.home()).unwrap();
        fs::set_permissions(gnupg.home(), fs::Permissions::from_mode(0o700)).unwrap();
        let file = gnupg.home().join("passphrase");
        fs::write(&file, passphrase).unwrap();
        let settings = format!(
            "pinentry-mode loopback\npassphrase-file {}\n",
            file.display()
        );
        fs::write(gnupg.home().join("gpg.conf"), settings).unwrap();
        gnupg
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("g")
    }

    fn call(&self, args: &[&str]) -> Vec<u8> {
        let mut gpg = Command::new("gpg");
        gpg.env("GNUPGHOME", self.home())
            .args(["--batch", "--yes", "--quiet"]);
        succeeded(&gpg.args(args).output().unwrap())
    }

    /// Adds a subkey for encryption, made at a time.
    fn add(&self, fingerprint: &str, kind: &str, time: &str, expire: &str) {
        let time = format!("--faked-system-time={time}T000000");
        self.call(&[&time, "--quick-add-key", fingerprint, kind, "encr", expire]);
    }

    /// The fingerprint of a key with a subkey for encryption, made some time ago.
    fn key(&self, name: &str, primary: &str, subkey: &str) -> String {
        let time = "--faked-system-time=20240101T000000";
        self.call(&[
            time,
            "--quick-generate-key",
            name,
            primary,
            "sign,cert",
            "never",
        ]);
        let listed = self.call(&["--list-keys", "--with-colons", name]);
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr")).unwrap();
        let fingerprint = line.split(':').nth(9).unwrap().to_owned();
        self.add(&fingerprint, subkey, "20240101", "never");
        fingerprint
    }

    /// What the real sops prints in a folder.
    fn sops(&self, folder: &Path, args: &[&str]) -> Vec<u8> {
        let mut sops = Command::new(live::variable("LIVE_SOPS"));
        sops.env("GNUPGHOME", self.home())
            .env("SOPS_DISABLE_VERSION_CHECK", "1");
        succeeded(&sops.args(args).current_dir(folder).output().unwrap())
    }

    fn manifuse(&self, args: &[&str], gpg: &str) -> Program {
        Program::manifuse(args.iter().copied())
            .env("GNUPGHOME", self.home().to_str().unwrap())
            .env("SOPS_GPG_EXEC", gpg)
    }
}

fn succeeded(output: &Output) -> Vec<u8> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    output.stdout.clone()
}

fn printed(run: &Run) -> &str {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    std::str::from_utf8(&run.stdout).unwrap()
}

/// Both ways for one key.
fn both_ways(gnupg: &Gnupg, fingerprint: &str, gpg: &str) {
    let program = gnupg.manifuse(&["sops", "decrypt", "theirs.yaml"], gpg);
    let program = program.file("plain.yaml", PLAIN);
    let folder = program.folder();
    let theirs = gnupg.sops(&folder, &["encrypt", "--pgp", fingerprint, "plain.yaml"]);
    let run = program.file("theirs.yaml", theirs).run();
    assert_eq!(printed(&run), PLAIN);

    let program = gnupg.manifuse(&["sops", "encrypt", "plain.yaml"], NO_GPG);
    let rule = format!("creation_rules: [{{pgp: {fingerprint}}}]\n");
    let program = program.file(".sops.yaml", rule).file("plain.yaml", PLAIN);
    let ours = printed(&program.run()).to_owned();
    let folder = program.folder();
    fs::write(folder.join("ours.yaml"), &ours).unwrap();
    assert_eq!(
        gnupg.sops(&folder, &["decrypt", "ours.yaml"]),
        PLAIN.as_bytes()
    );

    // As gpg itself sees it: a data key of 32 bytes.
    let start = ours.find("-----BEGIN PGP").unwrap();
    let (message, _) = ours[start..].split_once("fp:").unwrap();
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    fs::write(folder.join("message"), lines.join("\n")).unwrap();
    let message = folder.join("message");
    let key = gnupg.call(&["--decrypt", message.to_str().unwrap()]);
    assert_eq!(key.len(), 32);
}

#[test]
#[ignore = "needs the real sops, which tests/live/run installs, and gpg"]
fn keys_of_every_kind_work_both_ways_without_gpg() {
    let gnupg = Gnupg::new("");
    for (name, primary, subkey) in [
        ("rsa@example.invalid", "rsa3072", "rsa3072"),
        ("curve@example.invalid", "ed25519", "cv25519"),
        ("nist@example.invalid", "nistp384", "nistp256"),
    ] {
        let fingerprint = gnupg.key(name, primary, subkey);
        both_ways(&gnupg, &fingerprint, NO_GPG);
    }
}

#[test]
#[ignore = "needs the real sops, which tests/live/run installs, and gpg"]
fn a_key_behind_a_passphrase_is_left_to_gpg() {
    let gnupg = Gnupg::new("correct horse");
    let fingerprint = gnupg.key("locked@example.invalid", "ed25519", "cv25519");
    both_ways(&gnupg, &fingerprint, "gpg");
}

/// The newest subkey counts that has not expired; with a `!` the one that is named.
#[test]
#[ignore = "needs the real sops, which tests/live/run installs, and gpg"]
fn the_subkey_is_the_one_that_gpg_takes() {
    let gnupg = Gnupg::new("");
    let fingerprint = gnupg.key("many@example.invalid", "ed25519", "cv25519");
    gnupg.add(&fingerprint, "rsa2048", "20240201", "never");
    gnupg.add(&fingerprint, "cv25519", "20240301", "30d");
    let listed = gnupg.call(&["--list-keys", "--with-colons", "--with-subkey-fingerprint"]);
    let listed = String::from_utf8(listed).unwrap();
    let subkeys: Vec<&str> = listed
        .lines()
        .filter(|line| line.starts_with("fpr"))
        .filter_map(|line| line.split(':').nth(9))
        .skip(1)
        .collect();
    for name in [
        fingerprint.clone(),
        subkeys[0].to_owned(),
        format!("{}!", subkeys[0]),
    ] {
        let program = gnupg.manifuse(&["sops", "encrypt", "plain.yaml"], NO_GPG);
        let rule = format!("creation_rules: [{{pgp: '{name}'}}]\n");
        let program = program.file(".sops.yaml", rule).file("plain.yaml", PLAIN);
        let ours = printed(&program.run()).to_owned();
        let theirs = gnupg.sops(
            &program.folder(),
            &["encrypt", "--pgp", &name, "plain.yaml"],
        );
        let theirs = String::from_utf8(theirs).unwrap();
        assert_eq!(
            recipient(&gnupg, &ours),
            recipient(&gnupg, &theirs),
            "{name}"
        );
    }
}

/// The id of the key that a file's data key is encrypted for.
fn recipient(gnupg: &Gnupg, file: &str) -> String {
    let start = file.find("-----BEGIN PGP").unwrap();
    let (message, _) = file[start..].split_once("fp:").unwrap();
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    let path = gnupg.home().join("message");
    fs::write(&path, lines.join("\n")).unwrap();
    let packets = gnupg.call(&["--list-packets", path.to_str().unwrap()]);
    let packets = String::from_utf8(packets).unwrap();
    let line = packets.lines().find(|line| line.starts_with(":pubkey enc"));
    line.unwrap().to_owned()
}
