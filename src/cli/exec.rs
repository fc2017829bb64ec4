//! `exec`: runs a renderer such as `helm template` without a shell, and renders what it prints. Nothing is printed if it
//! fails: in a shell's pipe its failure would be lost.

use std::ffi::OsStr;
use std::fs;
use std::io::{Cursor, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::flags::Exec;
use super::generate;
use super::report::{Failure, Reporter};
use super::{Name, Process};
use crate::diagnostics::{Diagnostic, Fault, io_reason};
use crate::{input, settings};

/// How long a command may take, if nobody says otherwise: what Argo CD gives its own tools.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long what the command leaves behind may keep its output open, and how long it has to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);

/// Runs the command and gives the exit code: the command's own where that fails.
pub(super) fn run(mut exec: Exec, process: &mut Process<'_>) -> u8 {
    let filled = exec.fill_from(&process.environment);
    let mut flags = exec.flags;
    let reporter = Reporter::new(&flags, Name::Manifuse, process);
    if let Err(errors) = filled {
        return reporter.fail(process.stderr, Failure::new(errors), &[]);
    }
    let job = Job {
        name: program_name(&exec.command[0]),
        limit: flags.input_limit.unwrap_or(input::DEFAULT_LIMIT),
        patience: exec.command_timeout.unwrap_or(PATIENCE),
    };
    let output = job.run(&mut command(&exec.command, &exec.pass_env, process));
    let Ended { status, printed } = match output {
        Ok(ended) => ended,
        Err(error) => return reporter.fail(process.stderr, error.into(), &[]),
    };
    if !status.success() {
        reporter.fail(process.stderr, job.failed(status).into(), &[]);
        return code(status);
    }
    flags.paths = vec!["-".into()];
    flags.stdin_name = Some(format!("<{}>", job.name));
    let mut stdin = Cursor::new(printed);
    let mut process = Process {
        arguments: Vec::new(),
        environment: process.environment.clone(),
        folder: process.folder.clone(),
        stdin: &mut stdin,
        stdout: process.stdout,
        stderr: process.stderr,
        terminal: process.terminal,
    };
    generate::run(flags, Name::Manifuse, &mut process)
}

/// The command in our folder and our environment, without what is for us alone: a renderer runs what charts say.
fn command(line: &[std::ffi::OsString], kept: &[String], process: &Process<'_>) -> Command {
    let is_passed = |name: &str| kept.iter().any(|kept| kept == name) || !settings::is_ours(name);
    let mut command = Command::new(&line[0]);
    command
        .args(&line[1..])
        .current_dir(&process.folder)
        .env_clear()
        .envs(
            process
                .environment
                .iter()
                .filter(|(name, _)| is_passed(name)),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// The command's program, without its folder. Arguments may hold secrets and are never told.
fn program_name(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    name.to_string_lossy().into_owned()
}

/// A command that has ended.
struct Ended {
    status: ExitStatus,
    printed: Vec<u8>,
}

/// A command to run.
struct Job {
    name: String,
    limit: u64,
    patience: Duration,
}

impl Job {
    /// How it ended, and what it printed.
    fn run(&self, command: &mut Command) -> Result<Ended, Box<Diagnostic>> {
        let start = Instant::now();
        let mut child = command.spawn().map_err(|error| self.not_run(&error))?;
        let printed = read(child.stdout.take(), self.limit);
        let ended = self.wait(&mut child, &printed, start);
        if ended.is_err() {
            end(&mut child);
        }
        ended
    }

    fn wait(
        &self,
        child: &mut Child,
        printed: &Receiver<std::io::Result<Vec<u8>>>,
        start: Instant,
    ) -> Result<Ended, Box<Diagnostic>> {
        let mut output = None;
        let mut exit: Option<(ExitStatus, Instant)> = None;
        loop {
            if output.is_none() {
                match printed.recv_timeout(POLL) {
                    Ok(bytes) => output = Some(bytes.map_err(|error| self.not_run(&error))?),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => output = Some(Vec::new()),
                }
            } else {
                thread::sleep(POLL);
            }
            if output
                .as_ref()
                .is_some_and(|bytes| bytes.len() as u64 > self.limit)
            {
                return Err(Box::new(self.too_much()));
            }
            if exit.is_none() {
                let status = child.try_wait().map_err(|error| self.not_run(&error))?;
                exit = status.map(|status| (status, Instant::now()));
            }
            match (exit, &mut output) {
                (Some((status, _)), Some(bytes)) => {
                    let printed = std::mem::take(bytes);
                    return Ok(Ended { status, printed });
                }
                (Some((status, _)), None) if !status.success() => {
                    let printed = Vec::new();
                    return Ok(Ended { status, printed });
                }
                (Some((_, at)), None) if at.elapsed() > GRACE => {
                    return Err(Box::new(self.left_behind()));
                }
                _ if start.elapsed() > self.patience => return Err(Box::new(self.too_slow())),
                _ => {}
            }
        }
    }

    fn not_run(&self, error: &std::io::Error) -> Box<Diagnostic> {
        let message = format!("{} could not be run", self.name);
        let error = Diagnostic::error(Fault::Input, message).with_cause(io_reason(error));
        Box::new(error.with_hint("the command is run without a shell: its first word is a program"))
    }

    fn too_much(&self) -> Diagnostic {
        let message = format!("{} prints more than {} bytes", self.name, self.limit);
        Diagnostic::error(Fault::Input, message).with_hint("--input-limit raises the limit")
    }

    fn too_slow(&self) -> Diagnostic {
        let message = format!("{} did not end within {:?}", self.name, self.patience);
        Diagnostic::error(Fault::Input, message).with_hint("--command-timeout gives it more time")
    }

    fn left_behind(&self) -> Diagnostic {
        let message = format!(
            "{} has ended, but something that it started keeps its output open",
            self.name
        );
        Diagnostic::error(Fault::Input, message)
    }

    fn failed(&self, status: ExitStatus) -> Diagnostic {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        Diagnostic::error(Fault::Input, format!("{} failed with {how}", self.name))
    }
}

/// Reads in a thread: a program that goes on printing must not keep us from looking at the clock.
fn read(stdout: Option<ChildStdout>, limit: u64) -> Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map_or(Ok(0), |out| out.take(limit + 1).read_to_end(&mut bytes));
        // Nobody listens any more where the command was given up.
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

/// Ends the command and all that it started. They are in our own process group, where Argo CD and terminals look for
/// them, so each is ended by its own number.
fn end(child: &mut Child) {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    let all = with_descendants(pid);
    for signal in [Signal::TERM, Signal::KILL] {
        for pid in &all {
            // It may have ended by itself.
            let _ = kill_process(*pid, signal);
        }
        let asked = Instant::now();
        while asked.elapsed() < GRACE && matches!(child.try_wait(), Ok(None)) {
            thread::sleep(POLL);
        }
    }
}

/// A process and those below it, as Linux lists them; elsewhere the process alone.
fn with_descendants(pid: Pid) -> Vec<Pid> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        let pid = pid.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        all.extend(
            children
                .split_whitespace()
                .filter_map(|pid| Pid::from_raw(pid.parse().ok()?)),
        );
        next += 1;
    }
    all
}

fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(1)
}
