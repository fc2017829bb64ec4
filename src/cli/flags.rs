//! Every flag, its help and its variable. Help, man page and completions come out of this table.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::sops::SopsCommand;
use crate::diagnostics::{Diagnostic, Fault, Format, LevelList, warning_names};
use crate::env::Environment;

const EXAMPLES: &str = "\
Examples:
  manifuse generate ./k8s | kubectl apply -f -
  helm template shop ./chart | manifuse generate -
  manifuse generate -c settings.yaml ./k8s

Exit codes:
  0  fine
  1  a reference could not be resolved, or an input is broken
  2  wrong usage or settings
  3  a backend is unreachable or denies
  4  forbidden by policy or path validation
  5  a bug in this program
Where several apply, the first of 5, 2, 4, 3, 1. Called as argocd-vault-plugin: 0 or 1.";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "manifuse",
    version,
    about = "Puts secrets into Kubernetes manifests, in place",
    long_about = "Reads Kubernetes manifests, fetches the secrets that they refer to, puts the values in place and prints the \
        manifests. A drop-in replacement for argocd-vault-plugin.",
    after_long_help = EXAMPLES,
    term_width = 100
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Prints manifests with their secrets in place
    #[command(after_long_help = EXAMPLES)]
    Generate(Box<GeneratePaths>),
    /// Runs a command that prints manifests, and prints them with their secrets in place
    #[command(after_long_help = EXEC_EXAMPLES)]
    Exec(Box<Exec>),
    /// Renders for Argo CD's repo-server, as a plugin that stays
    #[cfg(feature = "cmp")]
    #[command(after_long_help = super::cmp_server::EXAMPLES)]
    CmpServer(Box<super::cmp_server::CmpServer>),
    /// Prints the first file of a folder that refers to a secret; nothing if there is none
    #[command(after_long_help = DISCOVER_EXAMPLES)]
    Discover(Discover),
    /// Says what is set, and by whom
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Reads and writes encrypted files, as sops does
    Sops {
        #[command(subcommand)]
        command: SopsCommand,
    },
    /// Prints the version
    Version,
    /// Prints a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints a manual page
    Man {
        /// The command it is about; without it the program
        command: Option<String>,
    },
}

/// What may be asked about settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints the settings of a run, where they come from and what they won over, but no secret
    #[command(after_long_help = CONFIG_EXAMPLES)]
    Show(ConfigShow),
    /// Prints every variable that is known and what becomes of it
    Variables {
        /// How it is printed
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        output: Output,
    },
}

const CONFIG_EXAMPLES: &str = "\
Examples:
  manifuse config show
  manifuse config show -c settings.yaml
  manifuse config show ./k8s --output json

No network is used. Exit code 2 where settings are wrong, with all errors.";

/// The flags of `config show`.
#[expect(clippy::doc_markdown, reason = "help texts, printed as they are")]
#[derive(Args, Debug)]
pub(super) struct ConfigShow {
    /// What would be rendered: a manifuse.yaml may lie on the way to it
    #[arg(value_name = "PATH")]
    pub(super) path: Option<OsString>,

    /// The settings file [env: MANIFUSE_CONFIG]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config_path: Option<String>,

    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Output,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Text,
    /// One JSON value
    Json,
}

const EXEC_EXAMPLES: &str = "\
Examples:
  manifuse exec -- helm template shop ./chart --values values.yaml
  manifuse exec --command-timeout 2m -- kustomize build overlays/production

The command runs without a shell. Variables that hold this program's settings and credentials are not passed on to it, unless
--pass-env names them. Where the command fails, nothing is printed and its exit code is ours; otherwise as generate.";

const DISCOVER_EXAMPLES: &str = "\
Examples:
  manifuse discover
  manifuse discover ./chart

For Argo CD's spec.discover.find.command: exit code 0 in both cases. Needs no network.";

/// `generate` and what it renders.
#[derive(Args, Debug)]
pub(super) struct GeneratePaths {
    /// Manifests: files, folders (.yaml, .yml and .json in them), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<OsString>,

    #[command(flatten)]
    pub(super) flags: Generate,
}

/// The flags of `exec`.
#[expect(clippy::doc_markdown, reason = "help texts, printed as they are")]
#[derive(Args, Debug)]
pub(super) struct Exec {
    #[command(flatten)]
    pub(super) flags: Generate,

    /// How long the command may take, e.g. 2m; 90s without it [env: MANIFUSE_COMMAND_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) command_timeout: Option<Duration>,

    /// Variables of ours that the command gets too, e.g. AWS_REGION
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(super) pass_env: Vec<String>,

    /// The command and its arguments, after --
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

/// The flags of `discover`.
#[expect(clippy::doc_markdown, reason = "help texts, printed as they are")]
#[derive(Args, Debug)]
pub(super) struct Discover {
    /// The folder; without it the one we are in
    #[arg(value_name = "PATH")]
    pub(super) path: Option<OsString>,

    /// The settings file [env: MANIFUSE_CONFIG]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config_path: Option<String>,
}

/// The flags of `generate`. What is `None` was not given.
#[expect(clippy::doc_markdown, reason = "help texts, printed as they are")]
#[derive(Args, Debug, Default)]
pub(super) struct Generate {
    /// What is rendered; a command gives it in its own way.
    #[arg(skip)]
    pub(super) paths: Vec<OsString>,

    /// What messages call standard input.
    #[arg(skip)]
    pub(super) stdin_name: Option<String>,

    /// Settings: AVP's keys in any of its formats, or a manifuse.yaml [env: MANIFUSE_CONFIG]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config_path: Option<String>,

    /// AVP's settings in a Kubernetes Secret; the namespace is argocd if none is named
    #[arg(short, long, value_name = "[NAMESPACE:]NAME")]
    pub(super) secret_name: Option<String>,

    /// As --verbose; secrets are not shown in this version
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide_possible_values = true)]
    pub(super) verbose_sensitive_output: Option<bool>,

    /// Neither read nor write the cache of Vault tokens
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) disable_token_cache: Option<bool>,

    /// An input without documents is fine [env: MANIFUSE_ALLOW_EMPTY]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) allow_empty: Option<bool>,

    /// Check also the documents that hold no reference: syntax, keys, kind [env: MANIFUSE_VALIDATE]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) validate: Option<bool>,

    /// The folder that paths in manifests cannot leave [env: MANIFUSE_ROOT]
    ///
    /// Without it: the nearest folder with .git at or above what is rendered, else the rendered folder; under Argo CD
    /// the application's folder.
    #[arg(long, value_name = "FOLDER")]
    pub(super) root: Option<String>,

    /// How errors and warnings are printed [env: MANIFUSE_ERROR_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    pub(super) error_format: Option<ErrorFormat>,

    /// What becomes of warnings: off, on or error by their names, e.g. all=error,list-items=off [env: MANIFUSE_WARN]
    #[arg(long, value_name = "NAME=LEVEL,...", value_parser = LevelList::parse, long_help = warn_help())]
    pub(super) warn: Vec<LevelList>,

    /// Say what is passed over and where settings come from [env: MANIFUSE_VERBOSE]
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) verbose: Option<bool>,

    /// How long all fetching may take together, e.g. 90s or 2m; 60s without it [env: MANIFUSE_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,

    /// How many requests may be under way at one backend; 64 without it [env: MANIFUSE_CONCURRENCY]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    pub(super) concurrency: Option<usize>,

    /// How much is read as manifests, e.g. 4GiB; 1GiB without it [env: MANIFUSE_INPUT_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) input_limit: Option<u64>,

    /// How large one document may be; 256MiB without it [env: MANIFUSE_DOCUMENT_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) document_limit: Option<u64>,

    /// How large a file may be that a manifest refers to; 16MiB without it [env: MANIFUSE_FILE_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) file_limit: Option<u64>,
}

/// How errors and warnings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ErrorFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl From<ErrorFormat> for Format {
    fn from(format: ErrorFormat) -> Self {
        match format {
            ErrorFormat::Text => Self::Text,
            ErrorFormat::Json => Self::Json,
        }
    }
}

impl Exec {
    /// As [`Generate::fill_from`], with the variable of its own.
    pub(super) fn fill_from(&mut self, environment: &Environment) -> Result<(), Vec<Diagnostic>> {
        let mut from = Variables::new(environment);
        from.fill(
            &mut self.command_timeout,
            "MANIFUSE_COMMAND_TIMEOUT",
            duration,
        );
        let mut errors = self.flags.fill_from(environment).err().unwrap_or_default();
        errors.extend(from.finish().err().unwrap_or_default());
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

impl Generate {
    /// Whether a switch is on.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose == Some(true) || self.verbose_sensitive_output == Some(true)
    }

    /// Takes what was not given from our variables. An empty one is as good as none.
    pub(super) fn fill_from(&mut self, environment: &Environment) -> Result<(), Vec<Diagnostic>> {
        let mut from = Variables::new(environment);
        let text = |text: &str| Ok(text.to_owned());
        let format = |text: &str| {
            ErrorFormat::from_str(text, false).map_err(|_| "it is text or json".to_owned())
        };
        from.fill(&mut self.config_path, "MANIFUSE_CONFIG", text);
        from.fill(&mut self.allow_empty, "MANIFUSE_ALLOW_EMPTY", go_bool);
        from.fill(&mut self.validate, "MANIFUSE_VALIDATE", go_bool);
        from.fill(&mut self.root, "MANIFUSE_ROOT", text);
        from.fill(&mut self.error_format, "MANIFUSE_ERROR_FORMAT", format);
        from.fill(&mut self.verbose, "MANIFUSE_VERBOSE", go_bool);
        from.fill(&mut self.timeout, "MANIFUSE_TIMEOUT", duration);
        from.fill(&mut self.concurrency, "MANIFUSE_CONCURRENCY", at_least_one);
        from.fill(&mut self.input_limit, "MANIFUSE_INPUT_LIMIT", size);
        from.fill(&mut self.document_limit, "MANIFUSE_DOCUMENT_LIMIT", size);
        from.fill(&mut self.file_limit, "MANIFUSE_FILE_LIMIT", size);
        // The flag goes on where the variable ends.
        self.warn
            .splice(0..0, from.read("MANIFUSE_WARN", LevelList::parse));
        from.finish()
    }
}

/// Our variables, and what is wrong in those that were read.
pub(super) struct Variables<'a> {
    environment: &'a Environment,
    errors: Vec<Diagnostic>,
}

impl<'a> Variables<'a> {
    /// Reads from an environment.
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            errors: Vec::new(),
        }
    }

    /// What was wrong.
    pub(super) fn finish(self) -> Result<(), Vec<Diagnostic>> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(self.errors)
        }
    }

    /// Takes what was not given from a variable. An empty one is as good as none.
    pub(super) fn fill<T>(&mut self, flag: &mut Option<T>, name: &str, parse: Parse<T>) {
        if flag.is_none() {
            *flag = self.read(name, parse);
        }
    }

    /// The value of a variable, if it is set and right.
    pub(super) fn read<T>(&mut self, name: &str, parse: Parse<T>) -> Option<T> {
        let text = self.environment.get(name).filter(|text| !text.is_empty())?;
        let wrong = |reason| {
            let message = format!("{name} is wrong: {reason}");
            self.errors
                .push(Diagnostic::error(Fault::Settings, message));
        };
        parse(text).map_err(wrong).ok()
    }
}

/// Reads the text of a flag or variable, or says what it should be.
pub(super) type Parse<T> = fn(&str) -> Result<T, String>;

fn warn_help() -> String {
    let names: Vec<_> = warning_names().collect();
    format!(
        "What becomes of warnings: off, on or error by their names, e.g. all=error,list-items=off [env: MANIFUSE_WARN]\n\n\
         It may stand several times and goes on where the variable ends; what stands later wins. The names: {}.",
        names.join(", ")
    )
}

/// What AVP takes for true and false.
pub(super) fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("it is true or false".to_owned()),
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "it is a whole number from 1".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "it is a time such as 500ms, 90s or 2m, and at least 1ms".to_owned();
    let (number, unit) = split_unit(text);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" | "" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        _ => None,
    };
    // A year is as good as forever, and clocks can add it.
    let limit = |milliseconds: &u64| (1..=366 * 24 * 3_600_000).contains(milliseconds);
    milliseconds
        .filter(limit)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "it is a size such as 4096, 512KiB, 64MiB or 4GiB".to_owned();
    let (number, unit) = split_unit(text);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let shift = match unit {
        "" | "B" => 0,
        "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::diagnostics::{Rendering, render};

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_and_sizes() {
        let seconds = |text| duration(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("90s"), Ok(90.0));
        assert_eq!(seconds("90"), Ok(90.0));
        assert_eq!(seconds("2m"), Ok(120.0));
        assert_eq!(seconds("500ms"), Ok(0.5));
        for text in [
            "",
            "s",
            "-1s",
            "1h",
            "1.5s",
            "0",
            "0s",
            "0ms",
            "00m",
            "99999999999999999999",
            "18446744073709551615m",
            "999999999999s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("1KiB"), Ok(1024));
        assert_eq!(size("2M"), Ok(2 << 20));
        assert_eq!(size("4GiB"), Ok(4 << 30));
        for text in ["", "GiB", "1TiB", "1 GiB", "18446744073709551615GiB", "-1"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_win_over_variables_and_empty_variables_are_none() {
        let environment = [
            ("MANIFUSE_CONFIG", "env.yaml"),
            ("MANIFUSE_ROOT", "/env"),
            ("MANIFUSE_TIMEOUT", "5s"),
            ("MANIFUSE_VERBOSE", ""),
            ("MANIFUSE_WARN", "all=error"),
            ("MANIFUSE_ERROR_FORMAT", "json"),
        ]
        .into_iter()
        .collect();
        let levels = |text| vec![LevelList::parse(text).unwrap()];
        let mut flags = Generate {
            config_path: Some("flag.yaml".to_owned()),
            warn: levels("all=off"),
            ..Generate::default()
        };
        flags.fill_from(&environment).unwrap();
        assert_eq!(flags.config_path.as_deref(), Some("flag.yaml"));
        assert_eq!(flags.root.as_deref(), Some("/env"));
        assert_eq!(flags.timeout, Some(Duration::from_secs(5)));
        assert_eq!(flags.verbose, None);
        let both = [levels("all=error"), levels("all=off")].concat();
        assert_eq!(flags.warn, both, "the flag goes on where the variable ends");
        assert_eq!(flags.error_format, Some(ErrorFormat::Json));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value, reason) in [
            (
                "MANIFUSE_TIMEOUT",
                "soon",
                "it is a time such as 500ms, 90s or 2m, and at least 1ms",
            ),
            (
                "MANIFUSE_INPUT_LIMIT",
                "x",
                "it is a size such as 4096, 512KiB, 64MiB or 4GiB",
            ),
            ("MANIFUSE_ALLOW_EMPTY", "yes", "it is true or false"),
            ("MANIFUSE_ERROR_FORMAT", "JSON", "it is text or json"),
            ("MANIFUSE_CONCURRENCY", "0", "it is a whole number from 1"),
        ] {
            let environment = [(name, value)].into_iter().collect();
            let error = Generate::default().fill_from(&environment).unwrap_err();
            let expected = format!("error: {name} is wrong: {reason}\n");
            assert_eq!(render(&error, Rendering::PLAIN), expected);
        }
    }

    #[test]
    fn all_wrong_variables_are_told() {
        let environment = [("MANIFUSE_TIMEOUT", "soon"), ("MANIFUSE_WARN", "bogus=off")];
        let environment = environment.into_iter().collect();
        let errors = Generate::default().fill_from(&environment).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
    }

    #[test]
    fn every_variable_in_the_help_is_read() {
        let help = Cli::command()
            .find_subcommand_mut("generate")
            .unwrap()
            .render_long_help()
            .to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let names: Vec<_> = help
            .split("[env: ")
            .skip(1)
            .map(|rest| rest.split(']').next().unwrap())
            .collect();
        assert_eq!(names.len(), 12, "{names:?}");
        for name in names {
            let environment = [(name, "1")].into_iter().collect();
            let mut flags = Generate::default();
            // `1` fits all of them but the format and the warnings, whose refusal shows that they were read.
            let filled = flags.fill_from(&environment);
            let changed = format!("{flags:?}") != format!("{:?}", Generate::default());
            assert!(changed || filled.is_err(), "{name}");
        }
    }
}
