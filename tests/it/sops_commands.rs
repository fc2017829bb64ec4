//! The `sops` commands: what the real sops answered to the same arguments, by its name and by ours.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::{Captures, Regex};

use crate::support::program::Program;
use crate::support::sops_bundle::{Case, cases};
use crate::support::sops_files::sops;
use crate::support::sops_keys;

const COMMANDS: &str = include_str!("../golden/sops/commands.txt");

/// Exit codes of ours by sops's own name that differ, and why.
const OTHER_CODES: [(&str, i32); 7] = [
    // sops says 1 for a file that is missing, but only here.
    ("filestatus-missing", 100),
    // sops encrypts nothing, without a word.
    ("refuse-invalid-regex", 1),
    // sops finds these while it encrypts (23), here they are found while the file is read.
    ("refuse-key-bool", 2),
    ("refuse-key-int", 2),
    ("refuse-uint", 2),
    // sops passes over what stands behind the file, and looks for another file.
    ("refuse-missing-file", 1),
    // sops sets no list.
    ("set-array", 0),
];

const LAID_OUT_OTHERWISE: [&str; 2] = [
    // A text that each reader of YAML reads otherwise.
    "encrypt-yaml-unicode",
    // Since 3.13 sops leaves plain comments on their lines; this was recorded before.
    "rules-comment-regex",
];

fn prepared(program: Program, case: &Case) -> Program {
    let keys = sops_keys::files(&case.keys, &program.folder());
    let variables = keys.iter().chain(&case.env);
    let program = variables.fold(program, |program, (name, value)| program.env(name, value));
    let files = case.files.iter();
    files.fold(program, |program, (name, text)| program.file(name, text))
}

/// What came out where the case says, and the exit code.
fn answer(program: &Program, case: &Case) -> (Option<i32>, Vec<u8>, String) {
    let run = program.run();
    let text = match &case.result {
        Some((place, _)) if place != "stdout" => {
            fs::read(program.folder().join(place)).unwrap_or_default()
        }
        _ => run.stdout,
    };
    (run.code, text, run.stderr)
}

/// How one run differs from what it should be.
fn differs(case: &Case, program: &Program, code: Option<i32>) -> Option<String> {
    let (found, text, stderr) = answer(program, case);
    let expected = case.result.as_ref().map_or(&[][..], |(_, text)| text);
    if code.is_some() && found != code || code.is_none() && found == Some(0) {
        return Some(format!(
            "{}: exit code {found:?}, {code:?} is right: {stderr}",
            case.name
        ));
    }
    let is_right = !case.masked.is_empty() || text == expected;
    (!is_right).then(|| format!("{}: {}", case.name, String::from_utf8_lossy(&text)))
}

#[test]
fn answer_as_sops_does() {
    let mut count = 0;
    let mut failures = Vec::new();
    for case in cases(COMMANDS) {
        count += 1;
        let other = OTHER_CODES.iter().find(|(other, _)| *other == case.name);
        let code = other.map_or(case.exit, |(_, code)| *code);
        let program = prepared(Program::sops(case.args.clone()), &case);
        failures.extend(differs(&case, &program, Some(code)));
        // By our own name failures have codes of our own, but for those of a command that was run.
        let is_child = case.args[0].starts_with("exec-");
        let code = (code == 0 || is_child).then_some(code);
        let ours = ["sops".to_owned()].into_iter().chain(case.args.clone());
        let program = prepared(Program::manifuse(ours), &case);
        failures.extend(differs(&case, &program, code));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(count, 172);
}

/// sops refuses that.
#[test]
fn a_list_can_be_set() {
    let mut cases = cases(COMMANDS).into_iter();
    let case = cases.find(|case| case.name == "set-array").unwrap();
    let program = prepared(Program::sops(case.args.clone()), &case);
    assert_eq!(program.run().code, Some(0));
    let text = fs::read(program.folder().join("file.yaml")).unwrap();
    let args = ["decrypt", "--extract", &case.args[2], "file.yaml"];
    let program = prepared(Program::sops(args), &case).file("file.yaml", text);
    assert_eq!(program.run().stdout, b"- a\n");
}

/// What differs each time in an encrypted file, replaced by sizes and words as the recorded files have them.
fn masked(text: &str) -> String {
    let value = Regex::new(r"ENC\[AES256_GCM,data:([^,]*),iv:([^,]*),tag:([^,]*),type:([a-z]+)\]")
        .expect("valid");
    let size = |text: &str| STANDARD.decode(text).expect("base64").len();
    let text = value.replace_all(text, |found: &Captures<'_>| {
        let [data, iv, tag] = [1, 2, 3].map(|part| size(&found[part]));
        format!("ENC[data:{data},iv:{iv},tag:{tag},type:{}]", &found[4])
    });
    let armor =
        Regex::new(r"(?s)-----BEGIN (AGE ENCRYPTED FILE|PGP MESSAGE)-----.*?-----END [A-Z ]+-----")
            .expect("valid");
    let text = armor.replace_all(&text, |found: &Captures<'_>| {
        format!("<{}>", found[1].to_lowercase())
    });
    let wrapped = Regex::new(r#"(\benc"?: "?)[\w:+/=]+"#).expect("valid");
    let text = wrapped.replace_all(&text, "${1}<wrapped>");
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").expect("valid");
    let text = time.replace_all(&text, "<time>");
    let version = Regex::new(r"\b3\.1[0-9]\.[0-9]+\b").expect("valid");
    version.replace_all(&text, "<version>").into_owned()
}

/// The lines of the `sops` section of an INI file sorted: sops 3.11 writes them in any order.
fn sections_sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    if let Some(start) = lines.iter().position(|line| *line == "[sops]") {
        lines[start..].sort_unstable();
    }
    lines
}

/// A text that has not the shape of what sops encrypts.
pub(crate) fn odd_shape(case: &Case, text: &str) -> Option<String> {
    let shape = masked(text);
    let is_shape = |expected: &[u8]| {
        sections_sorted(&shape) == sections_sorted(&String::from_utf8_lossy(expected))
    };
    let fits = case.masked.iter().any(|(_, expected)| is_shape(expected));
    (!fits).then(|| format!("{} has the shape\n{shape}", case.name))
}

/// How many encrypted texts of the file that the case changes are in a text.
fn kept(case: &Case, after: &str) -> usize {
    let changed = case.result.as_ref().map(|(name, _)| name);
    let before = case.files.iter().find(|(name, _)| Some(name) == changed);
    let before = before.map_or(String::new(), |(_, text)| {
        String::from_utf8_lossy(text).into_owned()
    });
    let sealed = Regex::new(r"ENC\[AES256_GCM,[^\]]*\]").expect("valid");
    let texts = sealed.find_iter(&before);
    texts.filter(|text| after.contains(text.as_str())).count()
}

/// What is encrypted has the shape of what sops encrypts, and decrypts to the same bytes.
#[test]
fn encrypt_as_sops_does() {
    let mut failures = Vec::new();
    for case in cases(COMMANDS) {
        let Some((extension, _)) = case.masked.first() else {
            continue;
        };
        let name = &case.name;
        let (code, text, stderr) =
            answer(&prepared(Program::sops(case.args.clone()), &case), &case);
        if code != Some(0) {
            failures.push(format!("{name}: {stderr}"));
            continue;
        }
        let after = String::from_utf8(text.clone()).unwrap();
        failures.extend(odd_shape(&case, &after));
        let kept = kept(&case, &after);
        if kept < case.kept {
            failures.push(format!("{name} keeps {kept} texts, sops {}", case.kept));
        }
        let file = format!("again.{extension}");
        // Elsewhere, so that no configuration says how it is laid out.
        let keys = Case {
            keys: case.keys.clone(),
            ..Case::default()
        };
        let program = prepared(Program::sops(["decrypt".to_owned(), file.clone()]), &keys);
        let run = program.file(&file, &text).run();
        if run.stdout != case.plain && !LAID_OUT_OTHERWISE.contains(&name.as_str()) {
            let stdout = String::from_utf8_lossy(&run.stdout);
            failures.push(format!("{name} decrypts to\n{stdout}{}", run.stderr));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The place is in the configuration, not in the file that is encrypted.
#[test]
fn what_the_configuration_says_wrongly_is_shown_in_it() {
    for (config, told) in [
        (
            "creation_rules:\n  - age: [\n",
            &[" --> .sops.yaml:", "error: "][..],
        ),
        (
            "creation_rules: 1\n",
            &[
                "the configuration is wrong: creation_rules is no list",
                " --> .sops.yaml",
            ],
        ),
        (
            "creation_rules:\n  - path_regex: prod/\n    age: x\n",
            &[
                "no matching creation rules found",
                "path_regex matches dev/a.yaml",
                " --> .sops.yaml",
            ],
        ),
        (
            "creation_rules:\n  - age: AGE-SECRET-KEY-1CNRY\n",
            &["it is a private key, whose public one age-keygen -y prints"],
        ),
    ] {
        let program = sops(&["encrypt", "dev/a.yaml"]).file("dev/a.yaml", "a: b\n");
        let run = program.file(".sops.yaml", config).run();
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        for told in told {
            assert!(run.stderr.contains(told), "{config}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("CNRY"), "{}", run.stderr);
    }
}

#[test]
fn words_that_are_no_command_are_no_file_to_edit() {
    for (args, told) in [
        (&["decryt", "a.yaml"][..], "'decrypt'"),
        (&["publish", "a.yaml"], "unrecognized subcommand 'publish'"),
        (
            &["completion", "bash"],
            "unrecognized subcommand 'completion'",
        ),
        (&["keyservice"], "unrecognized subcommand 'keyservice'"),
    ] {
        let run = sops(args).file("a.yaml", "a: b\n").run();
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(told), "{args:?}: {}", run.stderr);
    }
    let run = sops(&["decrypt"]).stdin("a: b\n").run();
    assert!(run.stderr.contains("--input-type"), "{}", run.stderr);
}
