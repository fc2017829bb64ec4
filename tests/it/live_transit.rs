//! Data keys in the transit engine of a real server: the real sops and we open each other's files.

use std::fs;
use std::path::Path;
use std::process::Command;

use age::secrecy::ExposeSecret as _;

use crate::support::live;
use crate::support::program::Program;

const PLAIN: &str = "kind: Secret\nstringData:\n    user: shop\n    password: 'p@ss: #1'\n";

/// The real sops in a folder; what it prints.
fn sops(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(live::variable("LIVE_SOPS"))
        .args(args)
        .current_dir(folder)
        .env("SOPS_AGE_KEY_FILE", "key")
        .env("VAULT_TOKEN", live::variable("VAULT_TOKEN"))
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Us by the name `sops`; what we print.
fn ours(program: Program) -> String {
    let run = program
        .env("SOPS_AGE_KEY_FILE", "key")
        .env("VAULT_TOKEN", live::variable("VAULT_TOKEN"))
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
#[ignore = "needs the real sops and an OpenBao, which tests/live/run starts"]
fn each_opens_the_others_files() {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let server = live::variable("VAULT_ADDR");
    let transit = format!("hc_vault_transit_uri: {server}/v1/transit/keys/manifuse");
    let groups = format!(
        "shamir_threshold: 2\n    key_groups:\n      - age: [{recipient}]\n      - hc_vault: [{server}/v1/transit/keys/manifuse-2]"
    );
    for rule in [transit, groups] {
        let config = format!("creation_rules:\n  - {rule}\n");
        let program = |args: [&str; 2]| {
            Program::sops(args)
                .file("key", identity.to_string().expose_secret())
                .file(".sops.yaml", &config)
                .file("plain.yaml", PLAIN)
        };
        let there = program(["decrypt", "theirs.yaml"]);
        let folder = there.folder();
        let theirs = sops(&folder, &["encrypt", "plain.yaml"]);
        fs::write(folder.join("theirs.yaml"), theirs).unwrap();
        let encrypted = ours(program(["encrypt", "plain.yaml"]));
        fs::write(folder.join("ours.yaml"), encrypted).unwrap();
        let expected = sops(&folder, &["decrypt", "ours.yaml"]);
        let read = ours(there);
        assert_eq!(read, expected, "{rule}");
        assert!(expected.contains("password: 'p@ss: #1'"), "{expected}");
    }
}

/// As a Kustomization of Flux has it: the token beside the stream, one request for each wrapped key.
#[test]
#[ignore = "needs the real sops and an OpenBao, which tests/live/run starts"]
fn a_stream_of_files_of_the_real_sops() {
    let server = live::variable("VAULT_ADDR");
    let program = Program::manifuse(["generate", "."]);
    let folder = program.folder();
    let key = format!("{server}/v1/transit/keys/manifuse");
    for name in ["a.yaml", "b.yaml"] {
        fs::write(folder.join(name), PLAIN).unwrap();
        let rule = ["--encrypted-regex", "^stringData$"];
        let args = [
            "encrypt",
            "-i",
            rule[0],
            rule[1],
            "--hc-vault-transit",
            &key,
            name,
        ];
        sops(&folder, &args);
    }
    let stdout = ours(
        program
            .file("c.yaml", "kind: X\nplain: true\n")
            .env("VAULT_ADDR", server),
    );
    assert_eq!(stdout.matches("user: shop").count(), 2, "{stdout}");
    assert!(
        !stdout.contains("sops:") && stdout.contains("plain: true"),
        "{stdout}"
    );
}
