//! What the real argocd-vault-plugin does, case by case: `tests/golden/avp/`, run end to end against a fake Vault.
//!
//! Documents are compared as Kubernetes reads them. Byte-exact output is the business of other tests.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;

use crate::support::bundle::{Case, Expect, cases};
use crate::support::program::{Program, Run};
use crate::support::server::Server;
use crate::support::tree::{Tree, differences};
use crate::support::{fake_vault, kube_yaml};

macro_rules! areas {
    ($($test:ident $area:literal)*) => {
        const AREAS: &[(&str, &str)] = &[$(($area, include_str!(concat!("../golden/avp/", $area, ".txt")))),*];

        $(#[test]
        fn $test() {
            let (area, bundle) = AREAS.iter().find(|(area, _)| *area == $area).unwrap();
            check(&cases(area, bundle));
        })*
    };
}

areas! {
    annotations "annotations"
    cli "cli"
    files "files"
    json "json"
    kinds "kinds"
    login "login"
    look_alikes "look-alikes"
    modifiers "modifiers"
    natives "natives"
    placeholders "placeholders"
    remove_missing "remove-missing"
    settings "settings"
    values "values"
    vault "vault"
    yaml "yaml"
}

#[test]
fn no_case_is_lost() {
    assert_eq!(all_cases().len(), 524);
    let bundles =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/avp")).unwrap();
    assert_eq!(bundles.count(), AREAS.len());
}

/// The cases of all areas.
pub(crate) fn all_cases() -> Vec<Case> {
    AREAS
        .iter()
        .flat_map(|(area, bundle)| cases(area, bundle))
        .collect()
}

/// Runs the cases and reports all that fail at once.
fn check(cases: &[Case]) {
    let mut report = String::new();
    let mut failed = 0;
    for case in cases {
        let complaints = complaints(case);
        failed += usize::from(!complaints.is_empty());
        for (index, complaint) in complaints.iter().enumerate() {
            let lead = if index == 0 { &case.id } else { "" };
            writeln!(report, "{lead}\n    {}", complaint.replace('\n', "\n    ")).unwrap();
        }
    }
    assert!(
        failed == 0,
        "{failed} of {} cases fail\n\n{report}",
        cases.len()
    );
}

/// What is wrong with a case's run; empty if all is well.
fn complaints(case: &Case) -> Vec<String> {
    let server = fake_vault::start(case.vault.clone());
    let program = prepare(case, &server);
    let run = run(case, &program);
    let mut complaints = verdict(case, &run);
    let requests = server.lines();
    // Where ours differs, argocd-vault-plugin has often failed before its first request.
    if requests.len() > case.requests && !case.differs {
        complaints.push(format!(
            "{} requests, where {} are enough: {requests:?}",
            requests.len(),
            case.requests
        ));
    }
    complaints.extend(leaks(case, &run));
    complaints
}

/// Makes the call as often as the case says; the last one counts.
pub(crate) fn run(case: &Case, program: &Program) -> Run {
    (1..case.runs).fold(program.run(), |_, _| program.run())
}

/// The case's files, links and variables, and the fake Vault's address.
pub(crate) fn prepare(case: &Case, server: &Server) -> Program {
    let address = |text: &str| text.replace("@VAULT_ADDR@", &server.url());
    let mut program = Program::avp(&case.args).env("VAULT_ADDR", server.url());
    for (name, value) in &case.env {
        program = program.env(name, address(value));
    }
    for (path, data) in &case.files {
        program = match std::str::from_utf8(data) {
            Ok(text) if path.starts_with("files/") => program.file(path, address(text)),
            _ => program.file(path, data),
        };
    }
    for folder in &case.folders {
        std::fs::create_dir_all(program.folder().join(folder)).unwrap();
    }
    for (name, target) in &case.links {
        let link = program.folder().join(name);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
    }
    match &case.stdin {
        Some(text) => program.stdin(text.clone()),
        None => program,
    }
}

fn verdict(case: &Case, run: &Run) -> Vec<String> {
    match &case.expect {
        Expect::Documents(json) => documents(json, run),
        Expect::Either if run.code == Some(0) => {
            let input: Vec<u8> = case
                .files
                .iter()
                .flat_map(|(_, text)| text.clone())
                .collect();
            let same = run.stdout == input;
            (!same)
                .then(|| format!("neither an error nor the input as it is:\n{}", lossy(run)))
                .into_iter()
                .collect()
        }
        Expect::Error | Expect::Either => failure(run),
    }
}

/// A failure is exit code 1 (argocd-vault-plugin knows no other), something on stderr and nothing on stdout.
fn failure(run: &Run) -> Vec<String> {
    let mut complaints = Vec::new();
    if run.code != Some(1) {
        complaints.push(format!(
            "exit code {:?} instead of 1; stderr:\n{}",
            run.code, run.stderr
        ));
    }
    if !run.stdout.is_empty() {
        complaints.push(format!("stdout should be empty, but is:\n{}", lossy(run)));
    }
    if run.stderr.trim().is_empty() || run.stderr.contains("panicked") {
        complaints.push(format!("stderr does not explain: {:?}", run.stderr));
    }
    complaints
}

fn documents(wanted: &str, run: &Run) -> Vec<String> {
    if run.code != Some(0) {
        return vec![format!(
            "exit code {:?} instead of 0; stderr:\n{}",
            run.code, run.stderr
        )];
    }
    let wanted = Tree::from(&serde_json::from_str(wanted).unwrap());
    match kube_yaml::documents(&run.stdout) {
        Err(error) => vec![format!("stdout cannot be read: {error}\n{}", lossy(run))],
        Ok(came) => {
            let mut lines = differences(&wanted, &Tree::List(came));
            if !lines.is_empty() {
                lines.push(format!("stdout:\n{}", lossy(run)));
            }
            lines
        }
    }
}

fn lossy(run: &Run) -> String {
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// Secret values that stand on stderr although no input holds them.
fn leaks(case: &Case, run: &Run) -> Vec<String> {
    if case
        .args
        .iter()
        .any(|arg| arg.starts_with("--verbose-sensitive-output"))
    {
        return Vec::new();
    }
    let known = |value: &str| {
        case.files.iter().any(|(path, text)| {
            path.starts_with("input/") && String::from_utf8_lossy(text).contains(value)
        }) || case.args.iter().any(|arg| arg.contains(value))
    };
    secrets(case)
        .into_iter()
        .filter(|value| run.stderr.contains(value) && !known(value))
        .map(|value| format!("the secret {value:?} is on stderr:\n{}", run.stderr))
        .collect()
}

/// Credentials, and the strings of all answers that are long enough to be told from other text.
fn secrets(case: &Case) -> Vec<String> {
    let credentials = [
        "VAULT_TOKEN",
        "AVP_PASSWORD",
        "AVP_SECRET_ID",
        "AVP_GITHUB_TOKEN",
    ];
    let mut secrets: Vec<String> = credentials
        .iter()
        .filter_map(|name| case.env.get(*name).cloned())
        .collect();
    for answer in case.vault.all() {
        if let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body) {
            strings(&body["data"]["data"], &mut secrets);
            strings(&body["auth"]["client_token"], &mut secrets);
        }
    }
    secrets.retain(|secret| secret.trim().len() > 4);
    secrets
}

fn strings(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        serde_json::Value::Object(entries) => {
            entries.values().for_each(|item| strings(item, found));
        }
        _ => {}
    }
}
