//! What gpg has made is opened, and what is made here names the right key. The folders and messages are described by
//! `tests/golden/gnupg/make.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::env::{Origin, Setting};
use crate::sops::keys::KeyKind;

const SHARE: &[u8] = b"a share of thirty-two bytes, or so";

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/gnupg")
        .join(path)
}

fn message(name: &str) -> String {
    fs::read_to_string(golden("messages").join(name).with_extension("asc")).unwrap()
}

fn options(settings: &[(&str, &Path)]) -> Options {
    let mut options = Options::default();
    for (name, value) in settings {
        let value = value.to_str().unwrap().into();
        let origin = Origin::Environment((*name).to_owned());
        options.set(*name, Setting { value, origin });
    }
    options
}

/// Keys that some settings lead to, and no gpg.
fn keys(settings: &[(&str, &Path)]) -> Pgp {
    let none = Path::new("/no/gpg");
    let settings: Vec<_> = [("SOPS_GPG_EXEC", none)]
        .iter()
        .chain(settings)
        .copied()
        .collect();
    Pgp::new(&options(&settings))
}

fn home(name: &str) -> Pgp {
    keys(&[("GNUPGHOME", &golden(name))])
}

fn file(name: &str) -> Pgp {
    keys(&[("MANIFUSE_PGP_KEY_FILE", &golden(name))])
}

fn master(fingerprint: &str) -> MasterKey {
    MasterKey::new(KeyKind::Pgp, fingerprint)
}

/// No test waits longer.
fn soon() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

fn open(pgp: &Pgp, enc: &str) -> Result<Vec<u8>, String> {
    let opened = pgp.unwrap(&master("any"), enc, soon());
    opened
        .map(|share| share.to_vec())
        .map_err(|failure| failure.to_string())
}

#[test]
fn opens_messages_by_a_file_of_keys() {
    let pgp = file("secret.asc");
    for name in [
        "rsa",
        "curve",
        "nistp256",
        "nistp384",
        "nistp521",
        "several",
        "hidden",
        "hidden-among",
        "compressed-none",
        "compressed-zip",
        "compressed-zlib",
        "signed",
        "3DES",
        "CAST5",
        "BLOWFISH",
        "AES",
        "AES192",
        "AES256",
        "TWOFISH",
        "CAMELLIA128",
        "CAMELLIA192",
        "CAMELLIA256",
        "IDEA",
    ] {
        assert_eq!(open(&pgp, &message(name)).as_deref(), Ok(SHARE), "{name}");
    }
}

#[test]
fn opens_messages_by_the_folders_of_gnupg() {
    for (folder, names) in [
        (
            "home",
            &[
                "rsa", "curve", "nistp256", "nistp384", "nistp521", "several", "hidden",
            ][..],
        ),
        ("imported", &["rsa", "curve", "several", "hidden-among"]),
        ("older", &["rsa", "curve"]),
        ("legacy", &["rsa", "curve"]),
    ] {
        let pgp = home(folder);
        for name in names {
            assert_eq!(
                open(&pgp, &message(name)).as_deref(),
                Ok(SHARE),
                "{folder}: {name}"
            );
        }
    }
}

/// The keys of `tests/golden/gnupg/public.asc`, by the names of their owners, as gpg lists them.
fn listed(name: &str) -> (String, String) {
    let fingerprints = include_str!("../../../../tests/golden/gnupg/fingerprints.txt");
    let line = fingerprints
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let (primary, subkey) = line.unwrap().split_once(' ').unwrap();
    (primary.to_owned(), subkey.to_owned())
}

#[test]
fn what_is_wrapped_opens_again() {
    let (public, secret) = (file("public.asc"), file("secret.asc"));
    for name in ["rsa", "curve", "nistp256", "nistp384", "nistp521"] {
        let (primary, subkey) = listed(name);
        for fingerprint in [
            primary.clone(),
            primary.to_lowercase(),
            format!("0x{primary}"),
            subkey.clone(),
            format!("{subkey}!"),
            primary[24..].to_owned(),
        ] {
            for pgp in [
                &public,
                &secret,
                &home("imported"),
                &home("legacy"),
                &home("home"),
            ] {
                let message = pgp.wrap(&master(&fingerprint), SHARE, soon()).unwrap();
                assert!(
                    message.starts_with("-----BEGIN PGP MESSAGE-----\n\n"),
                    "{message}"
                );
                assert!(
                    message.ends_with("\n-----END PGP MESSAGE-----"),
                    "{message}"
                );
                assert_eq!(
                    open(&secret, &message).as_deref(),
                    Ok(SHARE),
                    "{fingerprint}"
                );
            }
        }
    }
}

#[test]
fn what_is_not_at_hand_is_told() {
    let pgp = file("secret.asc");
    let missing = "there is no program /no/gpg";
    let damaged = format!("the OpenPGP message is damaged; {missing}");
    for (message, reason) in [
        (message("no-integrity"), damaged.clone()),
        (
            message("passphrase"),
            format!("no key at hand fits; {missing}"),
        ),
        (message("locked"), format!("no key at hand fits; {missing}")),
        (
            message("signed-only"),
            format!("an OpenPGP message that is not encrypted; {missing}"),
        ),
        (
            String::new(),
            format!("not an armored OpenPGP message; {missing}"),
        ),
        (
            "ENC".to_owned(),
            format!("not an armored OpenPGP message; {missing}"),
        ),
    ] {
        assert_eq!(open(&pgp, &message), Err(reason), "{message}");
    }
    let locked = format!("its secret key is behind a passphrase or on a card; {missing}");
    for pgp in [file("locked.asc"), home("home")] {
        assert_eq!(open(&pgp, &message("locked")), Err(locked.clone()));
    }
    let (primary, _) = listed("rsa");
    for (fingerprint, reason) in [
        (
            format!("{primary}!"),
            "its public key has no usable part for encryption",
        ),
        ("0".repeat(40), "no key at hand fits"),
        ("rsa@example.invalid".to_owned(), "no key at hand fits"),
        (String::new(), "no key at hand fits"),
    ] {
        let failure = pgp.wrap(&master(&fingerprint), SHARE, soon()).unwrap_err();
        assert_eq!(failure.to_string(), format!("{reason}; {missing}"));
    }
}

#[test]
fn places_tell_what_was_found() {
    let (home, file) = (golden("home"), golden("locked.asc"));
    let pgp = keys(&[("GNUPGHOME", &home), ("MANIFUSE_PGP_KEY_FILE", &file)]);
    let found = [
        format!(
            "{} (no secret key, 1 behind a passphrase or on a card)",
            file.display()
        ),
        format!(
            "{} (6 secret keys, 1 behind a passphrase or on a card)",
            home.display()
        ),
    ];
    assert_eq!(pgp.places(), found);
    let pgp = keys(&[
        ("HOME", Path::new("/no")),
        ("MANIFUSE_PGP_KEY_FILE", &golden("home")),
    ]);
    let found = [
        format!("{} (is a directory)", golden("home").display()),
        "/no/.gnupg (no such file or directory)".to_owned(),
    ];
    assert_eq!(pgp.places(), found);
}

/// A program that stands in for gpg: a script, and what it was called with.
struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    fn new(script: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("gpg");
        let log = folder.path().display();
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >{log}/args\necho \"$GNUPGHOME\" >{log}/home\n{script}\n"
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        Self { folder }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn keys(&self) -> Pgp {
        let program = self.folder.path().join("gpg");
        Pgp::new(&options(&[
            ("SOPS_GPG_EXEC", &program),
            ("GNUPGHOME", self.folder.path()),
        ]))
    }

    fn told(&self, failure: &Failure) -> String {
        let program = self.folder.path().join("gpg");
        failure
            .to_string()
            .replace(program.to_str().unwrap(), "gpg")
    }
}

#[test]
fn what_no_key_opens_gpg_is_asked() {
    let fake = Fake::new("cat > $GNUPGHOME/stdin; printf 'the share'");
    let pgp = fake.keys();
    assert_eq!(
        open(&pgp, &message("locked")).as_deref(),
        Ok(&b"the share"[..])
    );
    assert_eq!(fake.read("args"), "-d\n");
    assert_eq!(fake.read("stdin"), message("locked"));
    assert_eq!(
        fake.read("home").trim(),
        fake.folder.path().to_str().unwrap()
    );

    let fake = Fake::new("cat > $GNUPGHOME/stdin; printf '\\n  armored\\n text\\n\\n'");
    let fingerprint = "46B79CD3ECF7F5794BEF961022AC5D5AE0EF66A4!";
    let armored = fake
        .keys()
        .wrap(&master(fingerprint), SHARE, soon())
        .unwrap();
    assert_eq!(armored, "armored\n text");
    assert_eq!(fake.read("stdin").as_bytes(), SHARE);
    let args = "--no-default-recipient\n--yes\n--encrypt\n-a\n-r\n46B79CD3ECF7F5794BEF961022AC5D5AE0EF66A4!\n--trusted-key\n22AC5D5AE0EF66A4!\n--no-encrypt-to\n";
    assert_eq!(fake.read("args"), args);
}

#[test]
fn a_gpg_that_fails_is_told_without_what_it_says_of_values() {
    for (script, reason) in [
        ("exit 0", "it printed nothing"),
        ("exit 2", "it does not say why"),
        (
            "printf secret; echo secret >&2; exit 2",
            "it does not say why",
        ),
        (
            "echo secret >&2; echo 'gpg: decryption failed: No secret key' >&2; echo secret >&2; exit 2",
            "decryption failed: No secret key",
        ),
        ("printf '%065d' 0", "printed too much"),
        ("cat /dev/zero", "printed too much"),
        ("kill -9 $$", "it does not say why"),
    ] {
        let fake = Fake::new(script);
        let failure = fake
            .keys()
            .unwrap(&master("any"), &message("rsa"), soon())
            .unwrap_err();
        assert_eq!(
            fake.told(&failure),
            format!("no key at hand fits; gpg failed: {reason}"),
            "{script}"
        );
    }
}

#[test]
fn gpg_is_not_asked_for_what_is_at_hand() {
    let fake = Fake::new("exit 1");
    let program = fake.folder.path().join("gpg");
    let pgp = Pgp::new(&options(&[
        ("SOPS_GPG_EXEC", &program),
        ("MANIFUSE_PGP_KEY_FILE", &golden("secret.asc")),
    ]));
    assert_eq!(open(&pgp, &message("rsa")).as_deref(), Ok(SHARE));
    assert!(pgp.wrap(&master(&listed("rsa").0), SHARE, soon()).is_ok());
    assert!(!fake.folder.path().join("args").exists());
}

/// The subkeys that gpg has taken are those taken here.
#[test]
fn of_a_persons_keys_the_one_is_taken_that_gpg_takes() {
    let pgp = file("choices.asc");
    let choices = include_str!("../../../../tests/golden/gnupg/choices.txt");
    for line in choices.lines() {
        let [name, fingerprint, taken] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let wrapped = pgp.wrap(&master(fingerprint), SHARE, soon());
        let reason = match name {
            "revoked" => "its public key is revoked",
            "over" => "its public key has expired",
            _ => {
                assert_eq!(recipient(&wrapped.unwrap()), taken, "{name}");
                continue;
            }
        };
        let told = wrapped.unwrap_err().to_string();
        assert_eq!(told, format!("{reason}; there is no program /no/gpg"));
        assert_eq!(taken, "-", "{name}");
    }
}

/// The key id in an armored message's first packet.
fn recipient(message: &str) -> String {
    use base64::Engine as _;
    let (_, body) = message.split_once("\n\n").unwrap();
    let (body, _) = body.split_once("\n=").unwrap();
    let packets = base64::prelude::BASE64_STANDARD.decode(body.replace('\n', ""));
    let packets = packets.unwrap();
    // Behind tag and length, which has two bytes from 192 on, comes the version.
    let start = packets.iter().position(|byte| *byte == 3).unwrap() + 1;
    let id = packets[start..].first_chunk().unwrap();
    format!("{:016X}", u64::from_be_bytes(*id))
}
