//! The commands in `docs/sops.md`, run by a shell in a folder that has the files they name, with the built program and stand-ins
//! for other tools.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::docs::blocks;
use crate::support::sops_files::{KEY, RECIPIENT, encrypted};

const PAGE: &str = "docs/sops.md";

/// Blocks that need more than a stand-in can give, by their first words.
const ELSEWHERE: [(&str, &str); 1] = [(
    "gpg --export-secret-keys",
    "tests/it/sops_pgp.rs opens files by such a folder, tests/live/run with what gpg itself exports",
)];

/// Other tools, as far as the page needs them. Each appends a line to what it edits, so that something changed.
const TOOLS: [(&str, &str); 5] = [
    ("age-keygen", "echo \"$KEY\" > \"$2\""),
    ("code", "echo 'more: by code' >> \"$2\""),
    ("helm", "grep -q open-sesame \"$4\" && echo kind: X"),
    ("vim", "echo 'most: by vim' >> \"$1\""),
    (
        "kubectl",
        "\
case $1 in
apply) grep -q open-sesame ;;
create)
    for argument; do case $argument in --from-file=*)
        argument=${argument#--from-file=}; cp ${argument#*=} \"$MOUNT/${argument%%=*}\"
    esac; done ;;
*) exit 1 ;;
esac",
    ),
];

const PLAIN: &str = "db:\n    password: open-sesame\n    old: x\ntls: {}\n";

/// A folder with what the page speaks of.
struct World(TempDir);

impl World {
    fn new(block: &str) -> Self {
        let world = Self(tempfile::tempdir().expect("a folder"));
        for folder in ["tools", "bin", "work/k8s", "mount"] {
            fs::create_dir_all(world.path(folder)).expect("a new folder");
        }
        let program = env!("CARGO_BIN_EXE_manifuse");
        symlink(program, world.path("tools/manifuse")).expect("a new link");
        for (name, script) in TOOLS {
            let tool = world.path("tools").join(name);
            fs::write(&tool, format!("#!/bin/sh\n{script}\n")).expect("a new file");
            fs::set_permissions(&tool, Permissions::from_mode(0o755)).expect("our own file");
        }
        // The page encrypts what it decrypts elsewhere.
        let dotenv = "PASSWORD=open-sesame\n";
        let dotenv = if block.contains("sops encrypt") {
            dotenv.to_owned()
        } else {
            encrypted("app.env", dotenv)
        };
        let manifest = "kind: Secret\nstringData:\n    password: open-sesame\n".to_owned();
        for (name, text) in [
            ("secrets.enc.yaml", encrypted("a.yaml", PLAIN)),
            ("other.enc.yaml", encrypted("a.yaml", PLAIN)),
            ("values.enc", encrypted("a.yaml", PLAIN)),
            ("app.env", dotenv),
            ("secret.yaml", manifest.clone()),
            ("k8s/secret.yaml", encrypted("a.yaml", &manifest)),
            ("keys.yaml", "aws_access_key_id: test-only\n".to_owned()),
            ("tls.json", "{\"key\": \"k\"}".to_owned()),
            (
                ".sops.yaml",
                format!("creation_rules:\n  - age: {RECIPIENT}\n"),
            ),
        ] {
            fs::write(world.path("work").join(name), text).expect("a new file");
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a block: each of its commands must succeed.
    fn run(&self, block: &str) -> Result<(), String> {
        let mount = self.path("mount");
        let mount = mount.to_str().expect("UTF-8");
        let text = block
            .replace("age1...", RECIPIENT)
            .replace("/etc/sops-keys", mount);
        let mut shell = Command::new("bash");
        shell.args(["-e", "-o", "pipefail", "-c", &text]);
        let home = self.0.path().display();
        shell.env_clear().current_dir(self.path("work"));
        shell.env("PATH", format!("{home}/tools:{home}/bin:/usr/bin:/bin"));
        shell
            .env("HOME", self.0.path())
            .env("KEY", KEY)
            .env("MOUNT", mount);
        if !block.contains("MANIFUSE_SOPS_KEYS") {
            shell.env("SOPS_AGE_KEY", KEY);
        }
        let output = shell.output().expect("there is a bash");
        if output.status.success() {
            return Ok(());
        }
        let told = [output.stdout, output.stderr].concat();
        Err(format!("{text}\n{}", String::from_utf8_lossy(&told)))
    }
}

#[test]
fn the_commands_on_the_page_do_what_they_say() {
    let all = blocks(Path::new(PAGE));
    let (mut seen, mut failed, mut elsewhere) = (0, Vec::new(), 0);
    for block in all.iter().filter(|block| block.kind == "sh") {
        if ELSEWHERE
            .iter()
            .any(|(words, _)| block.text.starts_with(words))
        {
            elsewhere += 1;
            continue;
        }
        seen += 1;
        let done = World::new(&block.text).run(&block.text);
        failed.extend(done.err().map(|told| format!("{}\n{told}", block.place)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(elsewhere, ELSEWHERE.len());
    assert!(seen > 6, "only {seen} blocks");
}
