//! Encrypted files that are written again: what did not change stays, byte for byte, however the file is laid out.

use crate::support::program::Program;
use crate::support::sops_files::{KEY, decrypted, done, encrypted};

const PLAIN: &str = "\
# top
db:
    # which one
    user: app
    password: s3cr3t
    hosts:
        - a.example
        - b.example
        - c.example
port: 5432
note_unencrypted: it's open
empty: \"\"
";

fn sops(args: &[&str]) -> Program {
    let args = ["sops"].iter().chain(args).copied();
    Program::manifuse(args).env("SOPS_AGE_KEY", KEY)
}

/// The lines that went and those that came, but for the MAC and the time, which always change.
fn changes(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let rest = |of: &str, without: &str| -> Vec<String> {
        let mut others: Vec<&str> = without.split_inclusive('\n').collect();
        let mut rest = of.split_inclusive('\n').filter(|line| {
            let found = others.iter().position(|other| other == line);
            found.map(|place| others.remove(place)).is_none()
        });
        let stamps = rest.by_ref().map(str::to_owned).collect::<Vec<_>>();
        let is_stamp = |line: &String| {
            ["mac", "lastmodified"]
                .iter()
                .any(|name| line.contains(name))
        };
        let (stamps, others) = stamps.into_iter().partition::<Vec<_>, _>(is_stamp);
        assert!(stamps.len() <= 2, "{stamps:?}");
        others
    };
    (rest(before, after), rest(after, before))
}

/// Sets a value in a file that somebody has laid out otherwise; gives what went and came.
fn set(file: &str, text: &str, path: &str, value: &str) -> (Vec<String>, Vec<String>) {
    let after = done(&sops(&["set", file, path, value]).file(file, text), file);
    decrypted(file, &after);
    changes(text, &after)
}

/// A layout that sops would not write.
fn by_hand(text: &str) -> String {
    let mut by_hand = String::from("---\n# a note that is not encrypted\n\n");
    for line in text.lines() {
        let quoted = match line.split_once(": ENC[") {
            Some((key, rest)) if !key.contains('#') => format!("{key}:   'ENC[{rest}'   # plain"),
            _ => line.to_owned(),
        };
        by_hand.push_str(&quoted);
        by_hand.push_str("\n\n");
        if line.ends_with('|') || by_hand.contains("BEGIN AGE") {
            by_hand.pop();
        }
    }
    by_hand
}

#[test]
fn one_value_changes_one_line() {
    let usual = encrypted("a.yaml", PLAIN);
    let windows = usual.replace('\n', "\r\n");
    for text in [usual.clone(), by_hand(&usual), windows] {
        let (went, came) = set("a.yaml", &text, r#"["db"]["password"]"#, r#""new""#);
        assert_eq!((went.len(), came.len()), (1, 1), "{went:?} {came:?} {text}");
        assert!(came[0].starts_with("    password: "), "{came:?}");
        let quoted = |line: &str| line.split_once("ENC[").map(|(head, _)| head.to_owned());
        assert_eq!(quoted(&went[0]), quoted(&came[0]));
        let end = |line: &str| {
            line.rsplit_once("type:str]")
                .map(|(_, tail)| tail.to_owned())
        };
        assert_eq!(end(&went[0]), end(&came[0]));
    }
}

#[test]
fn a_new_value_is_one_new_line() {
    let usual = encrypted("a.yaml", PLAIN);
    for text in [usual.clone(), by_hand(&usual), usual.replace('\n', "\r\n")] {
        let (went, came) = set("a.yaml", &text, r#"["db"]["hosts"][3]"#, r#""d.example""#);
        assert_eq!((went.len(), came.len()), (0, 1), "{went:?} {came:?}");
        assert!(came[0].starts_with("        - ENC["), "{came:?}");
        let (went, came) = set("a.yaml", &text, r#"["new"]"#, "true");
        assert_eq!((went.len(), came.len()), (0, 1), "{went:?} {came:?}");
    }
}

#[test]
fn a_value_that_goes_takes_its_line_with_it() {
    let usual = encrypted("a.yaml", PLAIN);
    for text in [usual.clone(), by_hand(&usual), usual.replace('\n', "\r\n")] {
        for path in [
            r#"["db"]["password"]"#,
            r#"["db"]["hosts"][0]"#,
            r#"["port"]"#,
        ] {
            let program = sops(&["unset", "a.yaml", path]).file("a.yaml", &text);
            let after = done(&program, "a.yaml");
            let (went, came) = changes(&text, &after);
            assert_eq!((went.len(), came.len()), (1, 0), "{went:?} {came:?}");
            decrypted("a.yaml", &after);
        }
    }
}

#[test]
fn other_formats_keep_their_layout_too() {
    for (file, plain, path, head) in [
        (
            "a.env",
            "# note\nA=1\nB_unencrypted=x\nC=3\n",
            r#"["C"]"#,
            "C=ENC[",
        ),
        (
            "a.ini",
            "top = 1\n; about s\n[s]\nkey = a\nlonger = b\n",
            r#"["s"]["key"]"#,
            "key    = ENC[",
        ),
        (
            "a.json",
            "{\"a\": [1, \"x\"], \"b\": {\"c\": true}}",
            r#"["b"]["c"]"#,
            "\t\t\"c\": \"ENC[",
        ),
        ("a.bin", "any bytes", r#"["data"]"#, "\t\"data\": \"ENC["),
    ] {
        let text = encrypted(file, plain);
        let spaced = match file {
            "a.env" => text.replace('\n', "\n\n"),
            "a.ini" => text.replace("[s]", "\n\n  [s]   "),
            _ => text.clone(),
        };
        for text in [text, spaced] {
            let (went, came) = set(file, &text, path, r#""new""#);
            assert_eq!((went.len(), came.len()), (1, 1), "{file} {went:?} {came:?}");
            assert!(came[0].starts_with(head), "{came:?}");
        }
    }
    // All on one line.
    let text = encrypted("a.json", "{\"a\": 1, \"b\": \"x\"}");
    let compact = serde_json::from_str::<serde_json::Value>(&text)
        .unwrap()
        .to_string();
    let after = done(
        &sops(&["set", "a.json", r#"["b"]"#, r#""new""#]).file("a.json", &compact),
        "a.json",
    );
    assert_eq!(after.lines().count(), 1, "{after}");
    assert_eq!(
        decrypted("a.json", &after),
        "{\n\t\"a\": 1,\n\t\"b\": \"new\"\n}\n"
    );
}

#[test]
fn a_value_that_is_set_again_keeps_its_text() {
    let text = encrypted("a.yaml", PLAIN);
    let once = done(
        &sops(&["set", "a.yaml", r#"["port"]"#, "5432"]).file("a.yaml", &text),
        "a.yaml",
    );
    assert_eq!(changes(&text, &once), (Vec::new(), Vec::new()));
    let program = sops(&["set", "--idempotent", "a.yaml", r#"["port"]"#, "5432"]);
    assert_eq!(done(&program.file("a.yaml", &text), "a.yaml"), text);
}

#[test]
fn equal_values_of_a_list_keep_their_own_texts() {
    let text = encrypted("a.yaml", "l:\n    - same\n    - same\n    - other\n");
    let (went, came) = set("a.yaml", &text, r#"["l"][2]"#, r#""same""#);
    assert_eq!((went.len(), came.len()), (1, 1), "{went:?} {came:?}");
    // No nonce serves twice.
    let after = done(
        &sops(&["set", "a.yaml", r#"["l"][2]"#, r#""same""#]).file("a.yaml", &text),
        "a.yaml",
    );
    let mut lines: Vec<&str> = after
        .lines()
        .filter(|line| line.contains("- ENC["))
        .collect();
    lines.dedup();
    assert_eq!(lines.len(), 3, "{after}");
}

/// A file, what it holds, a path and a value that cannot be put there, and why.
const IMPOSSIBLE: &[(&str, &str, &str, &str, &str)] = &[
    (
        "a.yaml",
        "a: 1\n",
        r#"["sops"]["mac"]"#,
        "1",
        "a top-level entry is called sops",
    ),
    (
        "a.env",
        "A=1\n",
        r#"["sops_mac"]"#,
        "1",
        "a top-level entry is called sops",
    ),
    ("a.env", "A=1\n", r#"["A"]"#, "null", "cannot hold null"),
    (
        "a.env",
        "A=1\n",
        r#"["A"]["b"]"#,
        "1",
        "cannot hold the list or mapping A",
    ),
    (
        "a.ini",
        "[s]\na = 1\n",
        r#"["a"]"#,
        "1",
        "only as a section",
    ),
    (
        "a.bin",
        "x",
        r#"["data"]"#,
        "5",
        "only a document with a text under the key data",
    ),
    (
        "a.yaml",
        "a: [1]\n",
        r#"["a"]["b"]"#,
        "1",
        "what stands before b is no mapping",
    ),
    (
        "a.yaml",
        "a: [1]\n",
        "[0]",
        "1",
        "what stands before 0 is no mapping",
    ),
    (
        "a.yaml",
        "a: 1\n",
        r#"["a"]"#,
        "--cnry-word",
        "the value is not valid JSON",
    ),
];

#[test]
fn what_cannot_be_set() {
    for (file, plain, path, value, message) in IMPOSSIBLE {
        let text = encrypted(file, plain);
        let program = sops(&["set", file, path, value]).file(file, &text);
        let run = program.run();
        assert!(!run.stderr.contains("cnry"), "{}", run.stderr);
        assert_ne!(run.code, Some(0), "{file} {path}");
        assert!(run.stderr.contains(message), "{}", run.stderr);
        let after = std::fs::read_to_string(program.folder().join(file)).unwrap();
        assert_eq!(after, text);
    }
}

#[test]
fn values_come_from_files_and_standard_input() {
    let text = encrypted("a.yaml", "a: 1\n");
    let value = "{\"b\": [1, 2.5, null], \"c\": \"x\"}\n";
    let plain = "a:\n    b:\n        - 1\n        - 2.5\n        - null\n    c: x\n";
    let by_stdin = sops(&["set", "--value-stdin", "a.yaml", "[\"a\"]"]).stdin(value);
    let by_file =
        sops(&["set", "--value-file", "a.yaml", "[\"a\"]", "v.json"]).file("v.json", value);
    let legacy =
        Program::sops(["--set", &format!("[\"a\"] {value}"), "a.yaml"]).env("SOPS_AGE_KEY", KEY);
    for program in [by_stdin, by_file, legacy] {
        let after = done(&program.file("a.yaml", &text), "a.yaml");
        assert_eq!(decrypted("a.yaml", &after), plain);
    }
    for args in [
        &["set", "a.yaml", "[\"a\"]"][..],
        &["set", "--value-stdin", "a.yaml", "[\"a\"]", "1"],
    ] {
        let run = sops(args).file("a.yaml", &text).run();
        assert!(run.stderr.contains("--value-stdin"), "{}", run.stderr);
    }
}

#[test]
fn mode_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let text = encrypted("a.yaml", "a: 1\n");
    let program = sops(&["set", "link.yaml", "[\"a\"]", "2"]).file("a.yaml", &text);
    let path = program.folder().join("a.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("a.yaml", program.folder().join("link.yaml")).unwrap();
    done(&program, "a.yaml");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(program.folder().join("link.yaml").is_symlink());
    assert_eq!(std::fs::read_dir(program.folder()).unwrap().count(), 2);
}
