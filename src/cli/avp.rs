//! argocd-vault-plugin's own command line, for when the program is called by that name (`avp-compat.md` section 1).
//!
//! Its flags follow the rules of its library, not of ours, and every failure is exit code 1. Usage follows usage errors
//! only: after a failed run it would bury the message.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;

use super::flags::Generate;
use super::pflag::{self, Flag, Takes};
use super::{Name, Process, complete, print};
use crate::diagnostics::nearest;

/// The name.
pub(super) const NAME: &str = "argocd-vault-plugin";

const ROOT_HELP: &str = "\
Puts secrets into Kubernetes manifests. This is manifuse by the name of argocd-vault-plugin.

Usage:
  argocd-vault-plugin [flags]
  argocd-vault-plugin [command]

Available Commands:
  completion  Print a completion script for a shell
  generate    Print manifests with their secrets in place
  help        Help about a command
  version     Print the version

Flags:
  -h, --help   help for argocd-vault-plugin

Use \"argocd-vault-plugin [command] --help\" for more about a command.
";

const GENERATE_HELP: &str = "\
Print manifests with their secrets in place

Usage:
  argocd-vault-plugin generate <path> [flags]

Flags:
  -c, --config-path string         settings file: YAML, JSON, TOML, HCL, properties, dotenv or INI
      --disable-token-cache        neither read nor write the cache of Vault tokens
  -h, --help                       help for generate
  -s, --secret-name string         Kubernetes Secret with settings: NAME in argocd, or NAMESPACE:NAME
      --verbose-sensitive-output   say more on stderr; secrets are not shown in this version
";

const VERSION_HELP: &str = "\
Print the version

Usage:
  argocd-vault-plugin version [flags]

Flags:
  -h, --help   help for version
";

const COMPLETION_HELP: &str = "\
Print a completion script for a shell

Usage:
  argocd-vault-plugin completion [bash|fish|powershell|zsh]

Flags:
  -h, --help   help for completion
";

const COMMANDS: [&str; 4] = ["completion", "generate", "help", "version"];

/// What the command line asks for.
#[derive(Debug)]
enum Request {
    Help(&'static str),
    Version,
    Generate(Box<Generate>),
    Completion(Shell),
}

/// The flags of `generate`.
const GENERATE_FLAGS: &[Flag] = &[
    Flag {
        short: Some('c'),
        long: "config-path",
        takes: Takes::Text(|flags| &mut flags.config_path),
    },
    Flag {
        short: Some('s'),
        long: "secret-name",
        takes: Takes::Text(|flags| &mut flags.secret_name),
    },
    Flag {
        short: None,
        long: "verbose-sensitive-output",
        takes: Takes::Bool(|flags| &mut flags.verbose_sensitive_output),
    },
    Flag {
        short: None,
        long: "disable-token-cache",
        takes: Takes::Bool(|flags| &mut flags.disable_token_cache),
    },
];

/// Why the command line is wrong, and the usage that belongs to it.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    message: String,
    usage: &'static str,
}

/// Runs the program as AVP.
pub(super) fn run(process: &mut Process<'_>) -> u8 {
    match parse(&process.arguments[1..]) {
        Ok(Request::Help(text)) => print(process, text),
        Ok(Request::Version) => print(process, version()),
        Ok(Request::Completion(shell)) => complete(shell, &mut definition(), process),
        Ok(Request::Generate(flags)) => super::generate::run(*flags, Name::Avp, process),
        Err(Refusal { message, usage }) => {
            let _ = write!(process.stderr, "Error: {message}\n{usage}");
            1
        }
    }
}

fn version() -> String {
    let commit = option_env!("MANIFUSE_BUILD_COMMIT").unwrap_or("manifuse");
    let date = option_env!("MANIFUSE_BUILD_DATE").unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    format!("{NAME} v{version} ({commit}) BuildDate: {date}\n")
}

fn parse(arguments: &[OsString]) -> Result<Request, Refusal> {
    let Some(at) = command_at(arguments) else {
        return root(arguments);
    };
    let (before, after) = (&arguments[..at], &arguments[at + 1..]);
    let rest: Vec<&OsStr> = before
        .iter()
        .chain(after)
        .map(OsString::as_os_str)
        .collect();
    match arguments[at].to_str() {
        Some("generate") => {
            let (flags, help) = flags(&rest, GENERATE_FLAGS, GENERATE_HELP)?;
            if help {
                return Ok(Request::Help(GENERATE_HELP));
            }
            generate(flags)
        }
        Some("version") => {
            let (_, help) = flags(&rest, &[], VERSION_HELP)?;
            Ok(if help {
                Request::Help(VERSION_HELP)
            } else {
                Request::Version
            })
        }
        Some("completion") => completion(&rest),
        Some("help") => Ok(Request::Help(help_about(rest.first().copied()))),
        _ => Err(unknown_command(&arguments[at])),
    }
}

/// Further paths are ignored, as AVP does.
fn generate(mut flags: Generate) -> Result<Request, Refusal> {
    flags.paths.truncate(1);
    if flags.paths.is_empty() {
        return Err(Refusal {
            message: "<path> argument required to generate manifests".to_owned(),
            usage: GENERATE_HELP,
        });
    }
    Ok(Request::Generate(Box::new(flags)))
}

/// The flags behind a command, and whether help is asked for.
fn flags(
    arguments: &[&OsStr],
    known: &'static [Flag],
    usage: &'static str,
) -> Result<(Generate, bool), Refusal> {
    pflag::parse(arguments, known).map_err(|message| Refusal { message, usage })
}

fn root(arguments: &[OsString]) -> Result<Request, Refusal> {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    flags(&arguments, &[], ROOT_HELP)?;
    Ok(Request::Help(ROOT_HELP))
}

fn help_about(command: Option<&OsStr>) -> &'static str {
    match command.and_then(OsStr::to_str) {
        Some("generate") => GENERATE_HELP,
        Some("version") => VERSION_HELP,
        Some("completion") => COMPLETION_HELP,
        _ => ROOT_HELP,
    }
}

fn completion(rest: &[&OsStr]) -> Result<Request, Refusal> {
    let (parsed, help) = flags(rest, &[], COMPLETION_HELP)?;
    let shell = parsed.paths.first().and_then(|shell| shell.to_str());
    Ok(match shell {
        Some("bash") if !help => Request::Completion(Shell::Bash),
        Some("fish") if !help => Request::Completion(Shell::Fish),
        Some("powershell") if !help => Request::Completion(Shell::PowerShell),
        Some("zsh") if !help => Request::Completion(Shell::Zsh),
        _ => Request::Help(COMPLETION_HELP),
    })
}

/// Where the command stands: the first argument that is no flag and no value of one. The root knows the flag `help`
/// only, so that any other takes the argument behind it for its value.
fn command_at(arguments: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while at < arguments.len() {
        let argument = arguments[at].as_encoded_bytes();
        let takes_value = !argument.contains(&b'=')
            && argument != b"--help"
            && argument != b"-h"
            && (argument.starts_with(b"--") || (argument.starts_with(b"-") && argument.len() == 2));
        match argument {
            b"--" => return None,
            _ if takes_value => at += 2,
            [] | [b'-', ..] => at += 1,
            _ => return Some(at),
        }
    }
    None
}

fn unknown_command(command: &OsStr) -> Refusal {
    let command = command.to_string_lossy();
    let lower = command.to_lowercase();
    let begins = COMMANDS
        .iter()
        .find(|name| name.starts_with(&lower))
        .copied();
    let suggestion = begins
        .or_else(|| nearest(&command, COMMANDS))
        .map_or(String::new(), |name| {
            format!("\n\nDid you mean this?\n\t{name}\n")
        });
    Refusal {
        message: format!(
            "unknown command \"{command}\" for \"{NAME}\"{suggestion}\nRun '{NAME} --help' for usage."
        ),
        usage: "",
    }
}

/// The same command line for the makers of completion scripts.
fn definition() -> Command {
    let arguments = GENERATE_FLAGS.iter().map(|flag| {
        let argument = Arg::new(flag.long).long(flag.long);
        let argument = match flag.short {
            Some(short) => argument.short(short),
            None => argument,
        };
        match flag.takes {
            Takes::Text(_) => argument.action(ArgAction::Set),
            Takes::Bool(_) | Takes::Help => argument.action(ArgAction::SetTrue),
        }
    });
    let path = Arg::new("path").value_hint(clap::ValueHint::AnyPath);
    let shells = ["bash", "fish", "powershell", "zsh"];
    Command::new(NAME)
        .subcommand(Command::new("generate").args(arguments).arg(path))
        .subcommand(Command::new("version"))
        .subcommand(Command::new("completion").arg(Arg::new("shell").value_parser(shells)))
}
