//! The `sops` commands: what the real sops answered to the same arguments, by its name and by ours.

use std::fs;

use crate::support::program::Program;
use crate::support::sops_bundle::{Case, cases};

const COMMANDS: &str = include_str!("../golden/sops/commands.txt");

/// Exit codes of ours by sops's own name that differ, and why.
const OTHER_CODES: [(&str, i32); 1] = [
    // sops says 1 for a file that is missing, but only here.
    ("filestatus-missing", 100),
];

fn prepared(program: Program, case: &Case) -> Program {
    let program = program.file("keys.txt", case.keys.join("\n"));
    let program = program.env("SOPS_AGE_KEY_FILE", "keys.txt");
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

#[test]
fn answer_as_sops_does() {
    let mut count = 0;
    for case in cases(COMMANDS) {
        count += 1;
        let name = &case.name;
        let other = OTHER_CODES.iter().find(|(other, _)| other == name);
        let code = other.map_or(case.exit, |(_, code)| *code);
        let expected = case.result.as_ref().map(|(_, text)| text.clone());
        let program = prepared(Program::sops(case.args.clone()), &case);
        let (found, text, stderr) = answer(&program, &case);
        assert_eq!(found, Some(code), "{name}: {stderr}");
        assert_eq!(text, expected.clone().unwrap_or_default(), "{name}");
        let ours = ["sops".to_owned()].into_iter().chain(case.args.clone());
        let program = prepared(Program::manifuse(ours), &case);
        let (found, text, stderr) = answer(&program, &case);
        let is_child = case.args[0].starts_with("exec-");
        assert_eq!(found == Some(0), case.exit == 0, "{name}: {stderr}");
        assert!(found == Some(case.exit) || !is_child, "{name}: {stderr}");
        assert_eq!(text, expected.unwrap_or_default(), "{name}");
    }
    assert_eq!(count, 40);
}
