//! Files of the real sops with a bit that was flipped: what it still opens, we open to the same bytes, and nothing else.

use std::fs;
use std::process::{Command, Output};

use super::{FILES, encrypted};
use crate::support::tree::Tree;
use crate::support::{core_yaml, live};

/// Where the answers may differ.
fn is_same(theirs: &Output, ours: &Output) -> bool {
    let says = |output: &Output, reason| String::from_utf8_lossy(&output.stderr).contains(reason);
    match (theirs.status.success(), ours.status.success()) {
        // Sops replaces such bytes in JSON; we take no text that has them.
        (true, false) => says(ours, "it is not UTF-8"),
        // The oldest files have none, and it says nothing.
        (false, true) => says(theirs, "Version string empty"),
        (false, false) => true,
        // A comment behind a value that is not encrypted: this sops moves it, later ones do not.
        (true, true) => {
            let read = |text| core_yaml::documents(text).map(Tree::List);
            read(&theirs.stdout) == read(&ours.stdout)
                && (theirs.stdout == ours.stdout || says(theirs, "unencrypted comment"))
        }
    }
}

/// How many bits are flipped in each file.
const FLIPS: usize = 250;

#[test]
#[ignore = "needs the real sops, which tests/live/run installs"]
fn flipped_bits_are_answered_as_sops_answers_them() {
    let mut odd = Vec::new();
    let mut opened = 0;
    for (name, text) in [FILES[0], FILES[3]] {
        let (program, _) = encrypted(name, text);
        let file = program.folder().join(name);
        let whole = fs::read(&file).unwrap();
        let run = |program: &str, args: &[&str]| {
            Command::new(program)
                .args(args)
                .arg(name)
                .current_dir(file.parent().unwrap())
                .env("SOPS_AGE_KEY_FILE", "key")
                .env("SOPS_DISABLE_VERSION_CHECK", "1")
                .output()
                .unwrap()
        };
        for flip in 0..FLIPS {
            let position = flip * whole.len() / FLIPS;
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << (flip % 8);
            fs::write(&file, &bytes).unwrap();
            let theirs = run(&live::variable("LIVE_SOPS"), &["decrypt"]);
            let ours = run(env!("CARGO_BIN_EXE_manifuse"), &["sops", "decrypt"]);
            opened += usize::from(theirs.status.success());
            if !is_same(&theirs, &ours) {
                odd.push(format!(
                    "{name}, bit {} of byte {position}\nsops: {}{}ours: {}{}",
                    flip % 8,
                    String::from_utf8_lossy(&theirs.stdout),
                    String::from_utf8_lossy(&theirs.stderr),
                    String::from_utf8_lossy(&ours.stdout),
                    String::from_utf8_lossy(&ours.stderr),
                ));
            }
        }
    }
    assert!(
        odd.is_empty(),
        "{} differ:\n{}",
        odd.len(),
        odd.join("\n\n")
    );
    assert!(opened > 0, "some bits do not matter");
}
