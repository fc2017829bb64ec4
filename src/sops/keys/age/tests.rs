//! Identities from everywhere, in their order, with passphrases that are injected.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use age::scrypt;
use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519;

use super::*;
use crate::env::{Origin, Setting};
use crate::sops::keys::KeyKind;

const SHARE: &[u8] = &[7; 32];
/// Made with `ssh-keygen -t ed25519 -a 1 -N 'open sesame'`.
const SSH_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABD0DFJowg
9IUyA++6gBM2MwAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIDDlBIeE+vqADISG
81OJx5dfXaDoDBr0K3JYTvqrenRzAAAAkM30ky0HERfoIXVMbnLAK/Ox39PFa26gCxGKoe
Ujg2mVN1Wl+OB30Q0clr7rKNdNrIMFmWHVxVeu5IbBprqeDAOzASxSpr2Z8T0rarJ0GZa3
YThVYhE7iAbqWkNCSn/KrQ467fvr7rsGpAlQVed9vbcOqH2pLbAosaZJvQXyMvUtR4v2je
XKOSNZ4ZO/4ppJJQ==
-----END OPENSSH PRIVATE KEY-----
";
const SSH_RECIPIENT: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDDlBIeE+vqADISG81OJx5dfXaDoDBr0K3JYTvqrenRz";

const RIGHT: Ask = |_| Ok("open sesame".into());
const WRONG: Ask = |_| Ok("cnry-passphrase".into());
const NOBODY: Ask = |_| Err(io::Error::other("no terminal"));

fn age(settings: &[(&str, &str)], ask: Ask) -> Age {
    let mut options = Options::default();
    for (name, value) in settings {
        let origin = Origin::Environment((*name).to_owned());
        let value = (*value).into();
        options.set(*name, Setting { value, origin });
    }
    Age::asking(&options, ask)
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn wrapped(recipient: &str) -> (MasterKey, String) {
    let key = MasterKey::new(KeyKind::Age, recipient);
    let enc = age(&[], NOBODY).wrap(&key, SHARE, deadline()).unwrap();
    (key, enc)
}

fn unwrap(age: &Age, (key, enc): &(MasterKey, String)) -> Result<Share, Failure> {
    age.unwrap(key, enc, deadline())
}

/// A new pair of keys: the secret and the public one.
fn pair() -> (String, String) {
    let identity = x25519::Identity::generate();
    let secret = identity.to_string();
    (
        secret.expose_secret().to_owned(),
        identity.to_public().to_string(),
    )
}

/// A key file with a passphrase, as `age -p` makes it.
fn protected(text: &str) -> Vec<u8> {
    let mut passphrase = scrypt::Recipient::new("open sesame".into());
    passphrase.set_work_factor(2);
    let encryptor = Encryptor::with_recipients([&passphrase as &dyn age::Recipient].into_iter());
    let mut file = Vec::new();
    let mut writer = encryptor.unwrap().wrap_output(&mut file).unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap();
    file
}

fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_passphrase_is_asked_for_once_and_last() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    fn ask(question: &str) -> io::Result<SecretString> {
        assert!(question.contains("locked.txt"), "{question}");
        ASKED.fetch_add(1, Ordering::Relaxed);
        RIGHT(question)
    }
    let folder = tempfile::tempdir().unwrap();
    let ((locked, its), (open, others)) = (pair(), pair());
    let path = file(
        folder.path(),
        "locked.txt",
        protected(&format!("# mine\n{locked}\n")),
    );
    let age = age(
        &[("SOPS_AGE_KEY_FILE", &path), ("SOPS_AGE_KEY", &open)],
        ask,
    );
    assert_eq!(*unwrap(&age, &wrapped(&others)).unwrap(), SHARE);
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    for _ in 0..2 {
        assert_eq!(*unwrap(&age, &wrapped(&its)).unwrap(), SHARE);
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    assert!(age.places().contains(&format!("{path} (1 identity)")));
}

#[test]
fn a_passphrase_that_does_not_help_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, public) = pair();
    let file = |name, text: &[u8]| file(folder.path(), name, text);
    let good = file("good", &protected(&secret));
    let cut = file("cut", &protected(&secret)[..100]);
    let odd = file("odd", &protected("cnry-no-key"));
    let key = file("key", SSH_KEY.as_bytes());
    let damaged = "the file is damaged";
    for (name, path, ask, told) in [
        ("SOPS_AGE_KEY_FILE", &good, WRONG, "it was wrong"),
        (
            "SOPS_AGE_KEY_FILE",
            &good,
            NOBODY,
            "there is no terminal to ask for it",
        ),
        ("SOPS_AGE_KEY_FILE", &cut, RIGHT, damaged),
        (
            "SOPS_AGE_KEY_FILE",
            &odd,
            RIGHT,
            "it protects no age identities",
        ),
        ("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &key, WRONG, "it was wrong"),
    ] {
        let age = age(&[(name, path)], ask);
        let recipient = if path == &key { SSH_RECIPIENT } else { &public };
        assert_eq!(unwrap(&age, &wrapped(recipient)), Err(Failure::NoMatch));
        let places = age.places();
        let expected = format!("{path} (protected by a passphrase: {told})");
        assert!(places.contains(&expected), "{places:?}");
        assert!(!format!("{places:?}").contains("cnry"), "{places:?}");
    }
}

#[test]
fn an_ssh_key_asks_for_its_passphrase_only_where_it_fits() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    fn ask(question: &str) -> io::Result<SecretString> {
        ASKED.fetch_add(1, Ordering::Relaxed);
        RIGHT(question)
    }
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "id", SSH_KEY);
    let age = age(&[("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &path)], ask);
    let (_, other) = pair();
    assert_eq!(unwrap(&age, &wrapped(&other)), Err(Failure::NoMatch));
    let expected = format!("{path} (protected by a passphrase, and for another recipient)");
    assert!(age.places().contains(&expected));
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    for _ in 0..2 {
        assert_eq!(*unwrap(&age, &wrapped(SSH_RECIPIENT)).unwrap(), SHARE);
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_command_runs_once_for_a_recipient_and_only_if_needed() {
    let folder = tempfile::tempdir().unwrap();
    let ((secret, its), (open, at_hand)) = (pair(), pair());
    let key = file(folder.path(), "key", secret);
    let runs = folder.path().join("runs");
    let log = runs.display();
    let command = format!("sh -c 'echo \"$SOPS_AGE_RECIPIENT\" >> {log}; cat {key}'");
    let age = age(
        &[("SOPS_AGE_KEY_CMD", &command), ("SOPS_AGE_KEY", &open)],
        NOBODY,
    );
    unwrap(&age, &wrapped(&at_hand)).unwrap();
    assert!(!runs.exists());
    for _ in 0..2 {
        assert_eq!(*unwrap(&age, &wrapped(&its)).unwrap(), SHARE);
    }
    let (_, other) = pair();
    assert_eq!(unwrap(&age, &wrapped(&other)), Err(Failure::NoMatch));
    assert_eq!(
        fs::read_to_string(&runs).unwrap(),
        format!("{its}\n{other}\n")
    );
}

/// A file may name thousands of recipients.
#[test]
fn commands_do_not_run_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let command = format!("sh -c 'echo >> {}'", runs.display());
    let age = age(&[("SOPS_AGE_KEY_CMD", &command)], NOBODY);
    let (_, recipient) = pair();
    let (mut key, enc) = wrapped(&recipient);
    for count in 0..MAX_RUNS + 5 {
        key.fields[0] = format!("age1{count}");
        assert_eq!(age.unwrap(&key, &enc, deadline()), Err(Failure::NoMatch));
    }
    assert_eq!(fs::read(&runs).unwrap().len(), MAX_RUNS);
}

#[test]
fn a_plugin_that_is_not_there_is_told() {
    let (_, other) = pair();
    let age = age(&[("SOPS_AGE_KEY", "AGE-PLUGIN-ABSENT-197JU8H")], NOBODY);
    let missing = Failure::new("there is no program age-plugin-absent in PATH")
        .with_hint("install age-plugin-absent, or use a key without a plugin");
    assert_eq!(unwrap(&age, &wrapped(&other)), Err(missing.clone()));
    let key = MasterKey::new(KeyKind::Age, "age1absent1pzry9x8g6yscrs");
    assert_eq!(age.wrap(&key, SHARE, deadline()), Err(missing));
}

#[test]
fn a_key_that_is_not_usable_says_why() {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        ("cnry-no-key", "no SSH private key of OpenSSH's form"),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n",
            "no SSH private key of OpenSSH's form",
        ),
        (
            pem,
            "protected by a passphrase in an old form: ssh-keygen -p -f FILE writes the new one",
        ),
    ] {
        let path = file(folder.path(), "id", text);
        let age = age(&[("SOPS_AGE_SSH_PRIVATE_KEY_FILE", &path)], NOBODY);
        let places = age.places();
        assert!(places.contains(&format!("{path} ({told})")), "{places:?}");
    }
}

#[test]
fn what_is_no_recipient_says_what_is() {
    let short = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDQ5MOmRTrTjx4s5WJ7cUDLy2ZqQZ3a3cOZ";
    for (text, told) in [
        ("", "it is written age1… or ssh-…"),
        ("cnry", "it is written age1… or ssh-…"),
        (
            "AGE-SECRET-KEY-1CNRY",
            "it is a private key, whose public one age-keygen -y prints",
        ),
        ("age1x", "a letter is missing or wrong"),
        ("age1test1x", "a letter is missing or wrong"),
        ("age1pq1x", "a letter is missing or wrong"),
        ("ssh-ed25519 AAAA", "its SSH key is damaged"),
        (short, "its SSH key is damaged"),
        (
            "ssh-dss AAAAB3NzaC1kc3M",
            "of SSH keys ssh-ed25519 and ssh-rsa can be used",
        ),
    ] {
        let told = format!("is no age recipient: {told}");
        let error = check(text).unwrap_err().to_string();
        assert!(error.ends_with(&told), "{error}");
        assert!(!error.to_lowercase().contains("cnry"), "{error}");
    }
}
