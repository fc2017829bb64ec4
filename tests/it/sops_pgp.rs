//! Files for OpenPGP keys by the program: where keys are looked for, when gpg is asked, and what is told where nothing fits. The keys
//! of `pgp/` are in the bundles of recorded cases, and those of gpg in `tests/golden/gnupg/`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::sops::case;
use crate::support::program::Program;

/// What the file of `pgp-rsa` holds.
const PASSWORD: &str = "open-sesame";

/// A command on the file of `pgp-rsa`, without a key. There is a gpg on many a machine: it stays out of it.
fn decrypt(name: &str) -> Program {
    let args = ["sops", "decrypt", "--extract", "[\"db\"][\"password\"]"];
    let program = Program::manifuse(args.into_iter().chain(["f.yaml"]));
    program
        .file("f.yaml", case(name).encrypted)
        .file("rsa.asc", &case("pgp-rsa").keys[0])
        .env("SOPS_GPG_EXEC", "/no/gpg")
}

/// A program at `gpg` that runs a script.
fn with_gpg(program: Program, script: &str) -> Program {
    let program = program.file("gpg", format!("#!/bin/sh\n{script}\n"));
    let path = program.folder().join("gpg");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    program.env("SOPS_GPG_EXEC", path.to_str().unwrap())
}

#[test]
fn a_file_of_keys_is_named_by_a_variable_or_by_the_settings() {
    let run = decrypt("pgp-rsa")
        .env("MANIFUSE_PGP_KEY_FILE", "rsa.asc")
        .run();
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (Some(0), PASSWORD.as_bytes()),
        "{}",
        run.stderr
    );
    let run = Program::manifuse(["generate", "manifest.yaml"])
        .file("f.yaml", case("pgp-rsa").encrypted)
        .file("keys/rsa.asc", &case("pgp-rsa").keys[0])
        .file("manifest.yaml", "kind: X\na: <files:f.yaml#db.password>\n")
        .file(
            "manifuse.yaml",
            "backends:\n  files: {type: sops, pgpKeyFile: keys/rsa.asc}\n",
        )
        .env("SOPS_GPG_EXEC", "/no/gpg")
        .run();
    assert_eq!(
        run.stdout,
        format!("kind: X\na: {PASSWORD}\n").as_bytes(),
        "{}",
        run.stderr
    );
}

#[test]
fn a_folder_of_keys_may_hold_them_as_flux_wants_it() {
    let program = decrypt("pgp-rsa").file("keys/other.asc", &case("pgp-curve").keys[0]);
    let program = program.file("keys/team.asc", &case("pgp-rsa").keys[0]);
    let run = program.env("MANIFUSE_SOPS_KEYS", "keys").run();
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (Some(0), PASSWORD.as_bytes()),
        "{}",
        run.stderr
    );
}

/// Its own folder is where gpg has it, or in the home folder.
#[test]
fn the_folder_of_gnupg_is_read() {
    let binary = decrypt("pgp-rsa").file("gnupg/secring.gpg", secring());
    let run = binary.env("GNUPGHOME", "gnupg").run();
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (Some(0), PASSWORD.as_bytes()),
        "{}",
        run.stderr
    );
    let home = decrypt("pgp-rsa").file("home/.gnupg/secring.gpg", secring());
    let path = home.folder().join("home");
    let run = home.env("HOME", path.to_str().unwrap()).run();
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (Some(0), PASSWORD.as_bytes()),
        "{}",
        run.stderr
    );
}

/// The key of `pgp-rsa` as gpg 1 keeps it.
fn secring() -> Vec<u8> {
    use base64::Engine as _;
    let armored = &case("pgp-rsa").keys[0];
    let (_, body) = armored.split_once("\n\n").unwrap();
    let (body, _) = body.split_once("\n=").unwrap();
    let body = body.replace('\n', "");
    base64::prelude::BASE64_STANDARD.decode(body).unwrap()
}

#[test]
fn gpg_is_asked_where_no_key_is_at_hand() {
    // The data key of another file: what gpg prints is taken for it, and the values do not fit.
    let program = with_gpg(decrypt("pgp-rsa"), "cat >asked; printf '%032d' 0");
    let run = program.run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("message authentication failed"),
        "{}",
        run.stderr
    );
    let asked = fs::read_to_string(program.folder().join("asked")).unwrap();
    assert!(
        asked.starts_with("-----BEGIN PGP MESSAGE-----\n"),
        "{asked}"
    );
}

/// Whoever writes an Application must not say which program runs.
#[test]
fn an_application_cannot_choose_the_program() {
    let program = with_gpg(decrypt("pgp-rsa"), "touch run; exit 1");
    let path = program.folder().join("gpg").to_str().unwrap().to_owned();
    let program = Program::avp(["generate", "manifest.yaml"])
        .file("f.yaml", case("pgp-rsa").encrypted)
        .file("manifest.yaml", "kind: X\na: <path:f.yaml#db>\n")
        .env("AVP_TYPE", "sops")
        .env("PATH", "/no")
        .env("ARGOCD_ENV_SOPS_GPG_EXEC", path.clone());
    let run = program.run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("there is no program gpg"),
        "{}",
        run.stderr
    );
    assert!(!fs::exists(path.replace("/gpg", "/run")).unwrap());
}

#[test]
fn what_does_not_fit_is_told_with_the_places() {
    let program = decrypt("pgp-curve").env("MANIFUSE_PGP_KEY_FILE", "rsa.asc");
    let run = program.run();
    let folder = program.folder();
    let home = folder.with_file_name("home");
    let told = run
        .stderr
        .replace(folder.to_str().unwrap(), "{dir}")
        .replace(home.to_str().unwrap(), "{home}");
    assert_eq!(run.code, Some(3));
    let expected = "error: no key at hand opens this file
 --> f.yaml:1:1
  = cause: it was encrypted for pgp 645DD4FC053A4C86718DE2FAA41170008E5EF266
  = cause: pgp 645DD4FC053A4C86718DE2FAA41170008E5EF266: no key at hand fits; there is no program /no/gpg
  = cause: keys were looked for in {dir}/rsa.asc (2 secret keys), {home}/.gnupg (no such file or directory)
  = help: name a file with its keys in MANIFUSE_PGP_KEY_FILE or pgpKeyFile, or let gpg have them
";
    assert_eq!(told, expected);
}
