//! The recorded cases once more, their output decoded by Go's own reader instead of ours.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::golden::{all_cases, prepare, run};
use crate::support::bundle::{Case, Expect};
use crate::support::live;
use crate::support::tree::{Tree, differences};
use crate::support::{fake_vault, kube_yaml};

#[test]
#[ignore = "needs Go's reader, built by tests/live/run"]
fn go_reads_every_output_as_recorded() {
    let reader = live::variable("LIVE_K8SJSON");
    let mut complaints = Vec::new();
    let mut compared = 0;
    for case in all_cases() {
        if let Expect::Documents(wanted) = &case.expect {
            compared += 1;
            complaints.extend(complaint(&reader, &case, wanted));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    // So that a bundle that is read as empty does not pass.
    assert!(compared > 350, "only {compared} cases render");
}

fn complaint(reader: &str, case: &Case, wanted: &str) -> Option<String> {
    let server = fake_vault::start(case.vault.clone());
    let run = run(case, &prepare(case, &server));
    if run.code != Some(0) {
        return Some(format!("{}: {}", case.id, run.stderr));
    }
    let wanted = Tree::from(&serde_json::from_str(wanted).unwrap());
    let read = match go_reads(reader, &run.stdout) {
        Ok(read) => read,
        Err(error) => return Some(format!("{}: Go cannot read it: {error}", case.id)),
    };
    let second = kube_yaml::documents(&run.stdout).map(Tree::List);
    if second.as_ref() != Ok(&read) {
        return Some(format!(
            "{}: our second reader and Go's differ: {second:?}, {read}",
            case.id
        ));
    }
    let lines = differences(&wanted, &read);
    (!lines.is_empty()).then(|| format!("{}:\n{}", case.id, lines.join("\n")))
}

fn go_reads(reader: &str, stream: &[u8]) -> Result<Tree, String> {
    let mut child = Command::new(reader)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stream).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(Tree::from(&serde_json::from_slice(&output.stdout).unwrap()))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
