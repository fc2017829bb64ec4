//! Keys that clouds hold, against fakes that check what the real services check: where a login comes from, what is signed,
//! and what is told when a service refuses, stumbles or talks nonsense.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcp")]
mod gcp;

use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request};
use crate::support::sops_bundle::{Case, cases};

/// What a service answers, and what is then told.
type Told = (fn(&Request) -> Reply, &'static str);

/// A file that the real sops encrypted, with the exchange that opens it.
fn recorded(name: &str) -> Case {
    let cases = cases(include_str!("../../golden/sops/servers.txt"));
    cases.into_iter().find(|case| case.name == name).unwrap()
}

/// The decryption of a text with these variables. `{dir}` stands for the folder.
fn decryption(text: &str, variables: &[(&str, &str)]) -> Program {
    let mut program = Program::manifuse(["sops", "decrypt", "f.yaml"]).file("f.yaml", text);
    let folder = program.folder().display().to_string();
    for (name, value) in variables {
        program = program.env(name, value.replace("{dir}", &folder));
    }
    program
}

/// It came out.
fn works(run: &Run) {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(String::from_utf8_lossy(&run.stdout).contains("password: open-sesame"));
}

/// It failed, and said so without this.
fn fails(run: &Run, says: &str, secrets: &[&str]) {
    assert_ne!(run.code, Some(0));
    assert!(run.stdout.is_empty());
    assert!(run.stderr.contains(says), "{}", run.stderr);
    for secret in secrets {
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
}

const PLAIN: &str = "db:\n    password: open-sesame\n";

/// Encrypts by a rule, decrypts what came out, and gives it.
fn goes_round(rule: &str, variables: &[(&str, &str)]) -> String {
    let encryption = |program: Program| {
        let folder = program.folder().display().to_string();
        variables.iter().fold(program, |program, (name, value)| {
            program.env(name, value.replace("{dir}", &folder))
        })
    };
    let program = Program::manifuse(["sops", "encrypt", "f.yaml"]).file("f.yaml", PLAIN);
    let config = format!("creation_rules:\n  - key_groups:\n      - {rule}\n");
    let run = encryption(program.file(".sops.yaml", config)).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let run = decryption(&text, variables).run();
    works(&run);
    assert_eq!(String::from_utf8_lossy(&run.stdout), PLAIN);
    text
}
