//! Runs a command of the operator that prints a key. What it prints is never shown.

use std::process::Command;
use std::time::Instant;

use zeroize::Zeroizing;

use crate::diagnostics::io_reason;
use crate::sops::keys::child::{self, Broken};
use crate::sops::keys::folder::MAX_FILE;

/// What a command prints for a recipient, which it is told in its environment. The words are those of a shell, but no
/// shell is run.
pub(super) fn run(
    line: &str,
    recipient: &str,
    deadline: Instant,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let words = shlex::split(line).ok_or("its quotes do not match")?;
    let (program, arguments) = words.split_first().ok_or("empty")?;
    // It stays in our process group: in one of its own it could not ask on the terminal.
    let mut command = Command::new(program);
    command.args(arguments).env("SOPS_AGE_RECIPIENT", recipient);
    let output =
        child::run(&mut command, &[], MAX_FILE, deadline).map_err(|error| match error {
            Broken::NotRun(reason) => format!("could not be run: {}", io_reason(&reason)),
            error => error.to_string(),
        })?;
    match (output.status.success(), output.status.code()) {
        (true, _) => Ok(output.stdout),
        (false, Some(code)) => Err(format!("ended with the exit code {code}")),
        (false, None) => Err("was ended by a signal".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(line: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        super::run(line, "age1x", Instant::now() + Duration::from_mins(1))
    }

    #[test]
    fn words_are_those_of_a_shell_without_a_shell() {
        let printed = run(r#"printf %s, "a b" 'c $d' e\ f $g"#).unwrap();
        assert_eq!(*printed, b"a b,c $d,e f,$g,");
        let printed = run("sh -c 'echo $SOPS_AGE_RECIPIENT'").unwrap();
        assert_eq!(*printed, b"age1x\n");
    }

    #[test]
    fn failures_are_told_without_what_was_printed() {
        for (line, told) in [
            ("", "empty"),
            ("  # nothing", "empty"),
            ("cat 'x", "its quotes do not match"),
            (
                "/no/such/program cnry",
                "could not be run: no such file or directory",
            ),
            (
                "sh -c 'echo cnry; echo cnry >&2; exit 3'",
                "ended with the exit code 3",
            ),
            ("sh -c 'echo cnry; kill -9 $$'", "was ended by a signal"),
            ("sh -c 'yes cnry | head -c 1000000000'", "printed too much"),
        ] {
            assert_eq!(run(line).unwrap_err(), told, "{line}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let start = Instant::now();
        let soon = || Instant::now() + Duration::from_millis(50);
        let late = "did not end in time";
        for line in [
            "sleep 5",
            // It closes what we read, and stays.
            "sh -c 'exec >&-; exec sleep 5'",
            // It leaves something behind that holds what we read.
            "sh -c 'sleep 5 & echo'",
        ] {
            assert_eq!(super::run(line, "", soon()).unwrap_err(), late, "{line}");
        }
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
