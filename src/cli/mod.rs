//! The command line: which command, with which flags, and what it prints. One file per command.
//!
//! [`run`] is the whole program as a function: it sees the arguments, the environment, a folder and three streams, and
//! nothing else of the process.

mod avp;
#[cfg(feature = "kubernetes")]
mod cluster;
#[cfg(feature = "cmp")]
mod cmp_server;
mod config;
mod discover;
mod exec;
mod flags;
mod generate;
mod instances;
mod pflag;
mod progress;
mod report;
mod sops;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser as _};
use clap_complete::Shell;

use crate::diagnostics::{Diagnostic, Fault, io_reason};
pub use crate::env::Environment;
use flags::{Cli, Command, Generate, GeneratePaths};

/// What the program sees of its process.
pub struct Process<'a> {
    /// The arguments, the program's own name first.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Environment,
    /// What relative paths are relative to.
    pub folder: PathBuf,
    /// Standard input.
    pub stdin: &'a mut dyn Read,
    /// Standard output.
    pub stdout: &'a mut dyn Write,
    /// Standard error.
    pub stderr: &'a mut dyn Write,
    /// Whether standard error is a terminal.
    pub terminal: bool,
}

/// By which name the program was called. It behaves as AVP does by AVP's, and as sops by sops's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Manifuse,
    Avp,
    Sops,
}

/// The exit code of a failed run whose reason is the command line.
const USAGE: u8 = 2;

/// How long servers may take together, if nobody says otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// How many requests may be under way at one backend, if nobody says otherwise. 200 secrets at 20 ms each take 4 rounds
/// (0.1 s); more connections gain little, and servers limit how many they take.
const CONCURRENCY: usize = 64;

/// Runs the program and gives its exit code. A panic becomes the exit code of a bug; the panic hook tells it.
pub fn run(mut process: Process<'_>) -> u8 {
    let name = name(&process.arguments);
    let run = AssertUnwindSafe(|| match name {
        Name::Avp => avp::run(&mut process),
        Name::Sops => sops::run_by_name(&mut process),
        Name::Manifuse => manifuse(&mut process),
    });
    catch_unwind(run).unwrap_or(match name {
        Name::Avp | Name::Sops => 1,
        Name::Manifuse => Fault::Bug.exit_code(),
    })
}

fn name(arguments: &[OsString]) -> Name {
    let called = arguments
        .first()
        .and_then(|name| Path::new(name).file_stem());
    match called {
        Some(stem) if stem == avp::NAME => Name::Avp,
        Some(stem) if stem == sops::NAME => Name::Sops,
        _ => Name::Manifuse,
    }
}

fn manifuse(process: &mut Process<'_>) -> u8 {
    let cli = match Cli::try_parse_from(&process.arguments) {
        Ok(cli) => cli,
        Err(error) => return refuse(&suggest_generate(error, &process.folder), process),
    };
    match cli.command {
        None => print(process, Cli::command().render_long_help().to_string()),
        Some(Command::Generate(command)) => {
            let GeneratePaths { paths, flags } = *command;
            generate::run(Generate { paths, ..flags }, Name::Manifuse, process)
        }
        Some(Command::Exec(command)) => exec::run(*command, process),
        #[cfg(feature = "cmp")]
        Some(Command::CmpServer(command)) => cmp_server::run(*command, process),
        Some(Command::Discover(command)) => discover::run(command, process),
        Some(Command::Config { command }) => config::run(command, process),
        Some(Command::Sops { command }) => sops::run(command, Name::Manifuse, process),
        Some(Command::Version) => {
            print(process, format!("manifuse {}\n", env!("CARGO_PKG_VERSION")))
        }
        Some(Command::Completions { shell }) => complete(shell, &mut Cli::command(), process),
        Some(Command::Man { command }) => manual(command.as_deref(), process),
    }
}

/// AVP's users type a path first; so do users of kubectl.
fn suggest_generate(mut error: clap::Error, folder: &Path) -> clap::Error {
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand)
        && folder.join(name).exists()
    {
        let tip = format!("did you mean `manifuse generate {name}`?");
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// Help and version come as errors too; they go to stdout.
fn refuse(error: &clap::Error, process: &mut Process<'_>) -> u8 {
    let text = error.render();
    if !error.use_stderr() {
        return print(process, text.to_string());
    }
    let colours = process.terminal
        && process
            .environment
            .get("NO_COLOR")
            .is_none_or(str::is_empty);
    let text = if colours {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let _ = process.stderr.write_all(text.as_bytes());
    USAGE
}

fn complete(shell: Shell, command: &mut clap::Command, process: &mut Process<'_>) -> u8 {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, command, name, &mut script);
    print(process, script)
}

fn manual(name: Option<&str>, process: &mut Process<'_>) -> u8 {
    let mut command = Cli::command();
    command.build();
    let chosen = match name {
        None => Some(command),
        Some(name) => command.find_subcommand(name).cloned(),
    };
    let Some(chosen) = chosen else {
        let name = name.unwrap_or_default();
        let _ = writeln!(process.stderr, "error: there is no command {name}");
        return USAGE;
    };
    let chosen = chosen
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(name.is_some());
    let mut page = Vec::new();
    match clap_mangen::Man::new(chosen).render(&mut page) {
        Ok(()) => print(process, page),
        Err(error) => report::cannot_write(process.stderr, &error),
    }
}

/// Runs everything that waits.
struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    fn new() -> Result<Self, Box<Diagnostic>> {
        Self::build(&mut tokio::runtime::Builder::new_current_thread())
    }

    fn build(builder: &mut tokio::runtime::Builder) -> Result<Self, Box<Diagnostic>> {
        let built = builder.enable_all().build();
        built.map(|runtime| Self(Some(runtime))).map_err(|error| {
            let message = "the asynchronous runtime did not start";
            Box::new(Diagnostic::error(Fault::Bug, message).with_cause(io_reason(&error)))
        })
    }

    /// One whose connections are served while others are rendered.
    #[cfg(feature = "cmp")]
    fn with_threads() -> Result<Self, Box<Diagnostic>> {
        Self::build(&mut tokio::runtime::Builder::new_multi_thread())
    }

    fn wait<R>(&self, future: impl Future<Output = R>) -> R {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        runtime.block_on(future)
    }
}

impl Drop for Runtime {
    /// Does not wait for a look-up of a name that hangs, beyond any deadline.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Prints something that is the command's result.
fn print(process: &mut Process<'_>, text: impl AsRef<[u8]>) -> u8 {
    let written = process.stdout.write_all(text.as_ref());
    match written.and_then(|()| process.stdout.flush()) {
        Ok(()) => 0,
        Err(error) => report::cannot_write(process.stderr, &error),
    }
}
