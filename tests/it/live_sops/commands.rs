//! The commands that write, one after the other on one file: what each leaves, the real sops decrypts as we do, and takes
//! on from there.

use std::fs;

use super::{Sops, encrypted};
use crate::support::program::Program;

const OTHER: &str = "age1kury3dpwxr8htp6xxf2m6qd0jmagnqnc0es2yd8vnlq0k883hy0s2y9uy8";

/// Files as the real sops is given them, and where a text is in each.
const FILES: &[(&str, &str, &str)] = &[
    (
        "a.yaml",
        "# note\na: one # inline\nl:\n    - x\n    # in it\n    - y\nm: {n: 1.5, t: true}\nu_unencrypted: 5\n---\nb: 2\n",
        "[\"a\"]",
    ),
    (
        "a.json",
        "{\"a\": {\"b\": [true, \"one\", 7]}, \"c\": null}",
        "[\"a\"][\"b\"][1]",
    ),
    ("a.env", "# note\nA=one\nB=x=y\n", "[\"A\"]"),
    (
        "a.ini",
        "top = 1\n[s]\n; note\nkey = one\n",
        "[\"s\"][\"key\"]",
    ),
    ("a.bin", "any\nbytes", "[\"data\"]"),
];

#[test]
#[ignore = "needs the real sops, which tests/live/run installs"]
fn the_real_sops_reads_what_each_command_leaves() {
    for (file, text, path) in FILES {
        let (program, sops) = encrypted(file, text);
        let session = Session { sops, file };
        let own = fs::read_to_string(program.folder().join("key.pub")).unwrap();
        let rule = format!("creation_rules:\n  - age: {own}\n");
        let program = program.file("rules", rule);
        session.ours(&["set", file, path, "\"changed\""]);
        if *file == "a.yaml" {
            session.ours(&[
                "set",
                file,
                "[\"new\"][\"deep\"]",
                "{\"a\": [1, 2.5, null], \"b\": -7}",
            ]);
            session.ours(&["set", file, "[\"u_unencrypted\"]", "6"]);
            session.ours(&["unset", file, "[\"l\"][0]"]);
            session.ours(&["unset", file, "[\"m\"]"]);
        }
        session.ours(&["rotate", "-i", "--add-age", OTHER, file]);
        session.ours(&["--config", "rules", "updatekeys", "-y", file]);
        let encrypted = fs::read_to_string(program.folder().join(file)).unwrap();
        assert!(!encrypted.contains(OTHER), "{encrypted}");
        let group = ["groups", "add", "-i", "-f", file, "--age", &own];
        session.ours(&group);
        session.ours(&["edit", file]);
        let plain = session.sops.call(&["decrypt", file]);
        let plain = String::from_utf8_lossy(&plain).into_owned();
        assert!(plain.contains("changed again"), "{plain}");
        session.sops.call(&["set", file, path, "\"theirs\""]);
        session.ours(&["set", file, path, "\"ours\""]);
    }
}

struct Session<'s> {
    sops: Sops,
    file: &'s str,
}

impl Session<'_> {
    /// Runs a command of ours; both programs must read the same from the file behind it.
    fn ours(&self, args: &[&str]) {
        self.run(args);
        let theirs = self.sops.call(&["decrypt", self.file]);
        let same = self.run(&["decrypt", self.file]) == theirs;
        let theirs = String::from_utf8_lossy(&theirs);
        assert!(same, "{args:?}: sops reads\n{theirs}");
    }

    fn run(&self, args: &[&str]) -> Vec<u8> {
        let key = self.sops.folder.join("key").to_str().unwrap().to_owned();
        let program = Program::sops(args.iter().copied()).env("SOPS_AGE_KEY_FILE", key);
        let program = program.env("EDITOR", "sed -i 's/changed/changed again/'");
        let run = program.run_in(&self.sops.folder);
        assert_eq!(run.code, Some(0), "{args:?} {}", run.stderr);
        run.stdout
    }
}
