//! Commands that change who can open a file.

use crate::support::sops_files::{KEY, RECIPIENT, decrypted, done, encrypted, sops};

const OTHER: &str = "age1kury3dpwxr8htp6xxf2m6qd0jmagnqnc0es2yd8vnlq0k883hy0s2y9uy8";

const FILES: [(&str, &str); 5] = [
    (
        "a.yaml",
        "# note\na: 1 # inline\nl:\n    - x\n    # in it\n    - y\n---\nb: 2\n",
    ),
    (
        "a.json",
        "{\n\t\"a\": 1,\n\t\"b\": [\n\t\ttrue,\n\t\t\"x\"\n\t]\n}\n",
    ),
    ("a.env", "# note\nA=1\nB=x=y\n"),
    ("a.ini", "[s]\n; note\nkey = a\n"),
    ("a.bin", "any\nbytes"),
];

#[test]
fn a_rotated_file_has_the_same_values_and_no_old_text() {
    for (file, plain) in FILES {
        let text = encrypted(file, plain);
        let rotated = done(
            &sops(&["-r", "-i", "--add-age", OTHER, file]).file(file, &text),
            file,
        );
        assert_eq!(decrypted(file, &rotated), decrypted(file, &text), "{file}");
        let sealed = text
            .split("ENC[")
            .skip(1)
            .map(|rest| rest.split(']').next());
        for old in sealed.flatten() {
            assert!(!rotated.contains(old), "{file}: {rotated}");
        }
        assert!(rotated.contains(OTHER), "{file}: {rotated}");
        let args = ["rotate", "-i", "--rm-age", RECIPIENT, file];
        let without = done(&sops(&args).file(file, &rotated), file);
        assert!(!without.contains(RECIPIENT), "{file}: {without}");
        let run = sops(&["decrypt", file]).file(file, without).run();
        assert_eq!(run.code, Some(128), "{}", run.stderr);
    }
}

#[test]
fn keys_of_other_kinds_are_written_as_sops_writes_them() {
    // No key of these kinds can be used here: what is named stands in the message.
    for (flag, key, name) in [
        (
            "--kms",
            "arn:aws:kms:eu-west-1:1:key/k+arn:aws:iam::1:role/r",
            "kms arn:aws:kms:eu-west-1:1:key/k",
        ),
        (
            "--gcp-kms",
            "projects/p/locations/l/keyRings/r/cryptoKeys/k",
            "gcp_kms projects/p",
        ),
        ("--hckms", "eu:1234", "hckms eu:1234"),
        (
            "--azure-kv",
            "https://127.0.0.1:9/keys/k/1",
            "azure_kv https://127.0.0.1:9",
        ),
        (
            "--hc-vault-transit",
            "http://127.0.0.1:9/v1/transit/keys/k",
            "hc_vault http://127.0.0.1:9",
        ),
        (
            "-p",
            "0123456789ABCDEF0123456789ABCDEF01234567",
            "pgp 0123456789ABCDEF",
        ),
    ] {
        let keys = ["AWS_EC2_METADATA_DISABLED", "SOPS_GPG_EXEC"];
        let program = sops(&["encrypt", flag, key, "a.yaml"]).file("a.yaml", "a: 1\n");
        let program = keys
            .into_iter()
            .fold(program, |program, name| program.env(name, "true"));
        let run = program.run();
        assert_eq!(run.code, Some(1), "{flag} {}", run.stderr);
        assert!(run.stderr.contains(name), "{flag} {}", run.stderr);
        assert_eq!(run.stdout, b"");
    }
    let context = [
        "encrypt",
        "--kms",
        "arn:aws:kms:eu-west-1:1:key/k",
        "--encryption-context",
        "a",
        "a.yaml",
    ];
    assert_eq!(sops(&context).file("a.yaml", "a: 1\n").run().code, Some(6));
}

#[test]
fn updated_keys_are_asked_for_and_told() {
    let text = encrypted("a.yaml", "a: 1\n");
    let rules = format!("creation_rules:\n  - age: {RECIPIENT},{OTHER}\n");
    let changes = format!(
        "The following changes will be made to the file's groups:\nGroup 1\n    {RECIPIENT}\n+++ {OTHER}\n"
    );
    for (answer, code, updated) in [("y\n", 0, true), ("what\nn\n", 0, false), ("", 1, false)] {
        let program = sops(&["updatekeys", "a.yaml"]).file("a.yaml", &text);
        let program = program.file(".sops.yaml", &rules).stdin(answer);
        let run = program.run();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        let stdout = String::from_utf8(run.stdout).unwrap();
        assert!(stdout.starts_with(&changes), "{stdout}");
        let after = std::fs::read_to_string(program.folder().join("a.yaml")).unwrap();
        assert_eq!(after != text, updated, "{answer}");
        // The key that was there stays wrapped as it was, and so do values, MAC and time.
        for line in text.lines() {
            assert!(
                after
                    .lines()
                    .any(|other| other.trim_start_matches(['-', ' '])
                        == line.trim_start_matches(['-', ' '])),
                "{line}"
            );
        }
    }
}

#[test]
fn several_files_are_updated_whatever_becomes_of_the_others() {
    let text = encrypted("a.yaml", "a: 1\n");
    let rules = format!("creation_rules:\n  - path_regex: yaml$\n    age: {RECIPIENT},{OTHER}\n");
    let program = sops(&["updatekeys", "-y", "a.yaml", "no.txt", "b.yaml"]);
    let program = program
        .file("a.yaml", &text)
        .file("b.yaml", &text)
        .file(".sops.yaml", rules);
    let run = program.run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("File b.yaml synced with new keys"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("1 files were not updated"),
        "{}",
        run.stderr
    );
}

#[test]
fn groups_come_and_go() {
    let text = encrypted("a.yaml", "a: 1\n");
    let added = done(
        &sops(&["groups", "add", "-i", "-f", "a.yaml", "--age", OTHER]).file("a.yaml", &text),
        "a.yaml",
    );
    assert!(added.contains("shamir_threshold: 2"), "{added}");
    let both = format!(
        "{KEY}\nAGE-SECRET-KEY-1U82DFYT6K26D9Z8WWWSXVVYTU9Z757UTQK438XFKP58T84P745HS2U0TSZ"
    );
    let one = sops(&["decrypt", "a.yaml"])
        .file("a.yaml", &added)
        .env("SOPS_AGE_KEY_FILE", "k")
        .file("k", both)
        .run();
    assert_eq!(one.code, Some(128), "one of two groups opens nothing");
    for (index, message) in [
        ("1", "Shamir threshold is 2, but we only have 1 key groups"),
        ("7", "there is no key group 7"),
    ] {
        let run = sops(&["groups", "delete", "-f", "a.yaml", index])
            .file("a.yaml", &added)
            .run();
        assert_eq!(run.code, Some(1));
        assert!(run.stderr.contains(message), "{}", run.stderr);
    }
}

#[test]
fn keys_of_a_file_that_is_not_there() {
    let run = sops(&["rotate", "--add-age", OTHER, "none.yaml"]).run();
    assert_eq!(run.code, Some(49), "{}", run.stderr);
    assert_eq!(sops(&["rotate", "none.yaml"]).run().code, Some(100));
}
