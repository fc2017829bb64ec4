//! The `sops` backend against the real sops: what that one encrypts now, this one reads, value by value.

mod age;
mod commands;
mod flips;
mod pgp;
mod random;

use std::fs;
use std::path::Path;
use std::process::Command;

use ::age::secrecy::ExposeSecret as _;

use crate::support::kube_yaml;
use crate::support::live;
use crate::support::program::Program;
use crate::support::tree::{Tree, differences};

/// Texts of data files: every type, awkward strings, comments, nesting, an empty map.
const FILES: &[(&str, &str)] = &[
    (
        "plain.yaml",
        "# a comment\nuser: shop\npassword: 'p@ss: w0rd #1'\nport: 5432\nratio: 0.5\nbig: 9007199254740993\non: true\nempty: \"\"\n",
    ),
    (
        "text.yaml",
        "block: |\n    first\n      second\n\n    third\nfolded: >-\n    one\n    two\nquoted: \"tab\\tquote\\\" nul\\0 \\u263a\"\nyes_string: 'yes'\nnumber_string: '012'\n",
    ),
    (
        "nested.yaml",
        "database: {user: a, hosts: [x, y, {z: 1}], none: {}}\nlist: [1, two, 3.5, false]\ndate: '2024-01-01'\n",
    ),
    (
        "data.json",
        "{\"user\": \"shop\", \"n\": -1, \"f\": 1.25, \"t\": true, \"m\": {\"l\": [\"a\\u0001\", \"\\ud83d\\ude00\"]}}",
    ),
];

#[test]
#[ignore = "needs the real sops, which tests/live/run installs"]
fn reads_what_the_real_sops_encrypts() {
    for (name, text) in FILES {
        let (program, sops) = encrypted(name, text);
        let wanted = sops.decrypted(name);
        let Tree::Map(entries) = &wanted else {
            panic!("{name} is no map");
        };
        let manifest = manifest(name, entries.keys());
        let run = program.file("manifest.yaml", manifest).run();
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{name}");
        let documents = kube_yaml::documents(&run.stdout).unwrap();
        let [Tree::Map(document)] = documents.as_slice() else {
            panic!("{name}: no map");
        };
        let lines = differences(&wanted, &document["spec"]);
        assert!(lines.is_empty(), "{name}:\n{}", lines.join("\n"));
    }
}

#[test]
#[ignore = "needs the real sops, which tests/live/run installs"]
fn refuses_what_was_changed_after_the_real_sops() {
    let (name, text) = FILES[0];
    let (program, _) = encrypted(name, text);
    let file = program.folder().join(name);
    let whole = fs::read_to_string(&file).unwrap();
    // The entry goes, its neighbours and the MAC stay.
    let changed: String = whole
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("ratio:"))
        .collect();
    assert_ne!(changed, whole);
    fs::write(&file, changed).unwrap();
    let run = program
        .file("manifest.yaml", manifest(name, ["user"]))
        .run();
    assert_eq!(
        (run.code, run.stdout.as_slice()),
        (Some(1), &b""[..]),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("MAC"), "{}", run.stderr);
}

/// The real sops, with an age key of its own.
struct Sops {
    folder: std::path::PathBuf,
}

impl Sops {
    fn call(&self, args: &[&str]) -> Vec<u8> {
        let output = Command::new(live::variable("LIVE_SOPS"))
            .args(args)
            .current_dir(&self.folder)
            .env("SOPS_AGE_KEY_FILE", self.folder.join("key"))
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// What the real sops says is in a file.
    fn decrypted(&self, name: &str) -> Tree {
        let json = self.call(&["decrypt", "--output-type", "json", name]);
        Tree::from(&serde_json::from_slice(&json).unwrap())
    }
}

/// A run that has the encrypted file in its folder and the key at hand.
fn encrypted(name: &str, text: &str) -> (Program, Sops) {
    let identity = ::age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let program = Program::manifuse(["generate", "manifest.yaml"])
        .file("key", identity.to_string().expose_secret())
        .file("key.pub", &recipient);
    let sops = Sops {
        folder: program.folder(),
    };
    fs::write(Path::new(&sops.folder).join(name), text).unwrap();
    sops.call(&["encrypt", "--in-place", "--age", &recipient, name]);
    let key = sops.folder.join("key").to_str().unwrap().to_owned();
    let program = program
        .env("AVP_TYPE", "sops")
        .env("SOPS_AGE_KEY_FILE", key);
    (program, sops)
}

/// A manifest with a field for each key.
fn manifest<K: AsRef<str>>(name: &str, keys: impl IntoIterator<Item = K>) -> String {
    let fields = keys.into_iter().map(|key| {
        let key = key.as_ref();
        format!("  \"{key}\": <path:{name}#{key}>\n")
    });
    format!("kind: X\nspec:\n{}", fields.collect::<String>())
}
