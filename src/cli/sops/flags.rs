//! The flags of the `sops` commands: those of sops by their names, with help of our own.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use super::change_flags::{Edit, GroupsCommand, Rotate, Set, Unset, UpdateKeys};
use super::key_flags::{Aws, Keys, USE};

const DECRYPT_EXAMPLES: &str = "\
Examples:
  manifuse sops decrypt secrets.enc.yaml
  manifuse sops decrypt --extract '[\"db\"][\"password\"]' secrets.enc.yaml
  manifuse sops decrypt --output-type json app.env
  manifuse sops decrypt --input-type yaml --output-type yaml < values.enc

A link to the program that is called sops takes the same commands, and the older form: sops -d secrets.enc.yaml";

const EXTRACT: &str =
    "Print only what this path leads to, e.g. '[\"db\"][\"password\"]' or '[\"hosts\"][0]'";

const ENCRYPT_EXAMPLES: &str = "\
Examples:
  manifuse sops encrypt --age age1... secrets.yaml > secrets.enc.yaml
  manifuse sops encrypt --encrypted-regex '^(data|stringData)$' --in-place secret.yaml
  manifuse sops encrypt --filename-override app.env < app.env > app.enc.env

Without keys among the flags they come from the .sops.yaml that is nearest to the working folder.";

const EDIT_EXAMPLES: &str = "\
Examples:
  manifuse sops edit secrets.enc.yaml
  EDITOR='code --wait' manifuse sops edit secrets.enc.yaml
  manifuse sops edit --age age1... new.enc.yaml

The editor is SOPS_EDITOR, else EDITOR, else vim, nano or vi. A file that is not there begins with an example.";

const SET_EXAMPLES: &str = "\
Examples:
  manifuse sops set secrets.enc.yaml '[\"db\"][\"password\"]' '\"s3cr3t\"'
  manifuse sops set --value-stdin secrets.enc.yaml '[\"db\"]' < db.json
  manifuse sops set --value-file secrets.enc.yaml '[\"hosts\"][0]' host.json

The line of the value changes, the MAC and the time; all else stays as it is.";

const UPDATEKEYS: &str = "\
Values, MAC and time stay. Whoever could open a file before can still open its older versions: rotate \
the file, and the secrets in it.";

/// What may be done with encrypted files.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SopsCommand {
    /// Prints a file decrypted, byte for byte as sops does
    #[command(after_long_help = DECRYPT_EXAMPLES)]
    Decrypt(Box<Decrypt>),
    /// Encrypts a file
    #[command(after_long_help = ENCRYPT_EXAMPLES)]
    Encrypt(Box<Encrypt>),
    /// Lets you change a decrypted file in an editor, and encrypts it again
    #[command(after_long_help = EDIT_EXAMPLES)]
    Edit(Box<Edit>),
    /// Puts one value into an encrypted file
    #[command(after_long_help = SET_EXAMPLES)]
    Set(Box<Set>),
    /// Takes one value out of an encrypted file
    Unset(Box<Unset>),
    /// Encrypts a file with a new data key, for its keys or for others
    Rotate(Box<Rotate>),
    /// Lets the keys that .sops.yaml names for files open them, and no others
    #[command(after_long_help = UPDATEKEYS)]
    Updatekeys(UpdateKeys),
    /// Changes the groups of keys of which several are needed
    Groups {
        #[command(subcommand)]
        command: GroupsCommand,
    },
    /// Says as JSON whether a file is encrypted
    Filestatus(Filestatus),
    /// Runs a command with the values of a file in its environment
    ExecEnv(ExecEnv),
    /// Runs a command on a decrypted file that only exists while it runs
    ExecFile(ExecFile),
}

/// What every command takes.
#[expect(clippy::doc_markdown, reason = "help texts, printed as they are")]
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct Common {
    /// A .sops.yaml; without it the nearest one from the working folder upwards [env: SOPS_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Blanks that YAML is indented by
    #[arg(long, value_name = "NUMBER")]
    pub(super) indent: Option<usize>,

    /// Taken and ignored: keys are always at hand in the program itself
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) enable_local_keyservice: Option<String>,

    /// Taken and ignored
    #[arg(long, hide = true)]
    pub(super) verbose: bool,
}

/// A file that must be named.
#[derive(Args, Debug)]
pub(in crate::cli) struct Named {
    /// The file
    #[arg(value_name = "FILE")]
    pub(super) file: OsString,

    /// The format of the file: yaml, json, dotenv, ini or binary; by its name without this
    #[arg(long, value_name = "FORMAT")]
    pub(super) input_type: Option<String>,

    #[command(flatten)]
    pub(super) common: Common,
}

/// How a file is read, and what of it.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct Reading {
    /// The file; standard input without it
    #[arg(value_name = "FILE")]
    pub(super) file: Option<OsString>,

    /// The format of the file: yaml, json, dotenv, ini or binary; by its name without this
    #[arg(long, value_name = "FORMAT")]
    pub(super) input_type: Option<String>,

    /// The format of what is printed; that of the file without this
    #[arg(long, value_name = "FORMAT")]
    pub(super) output_type: Option<String>,

    /// The order in which kinds of keys are tried
    #[arg(long, value_name = "KINDS")]
    pub(super) decryption_order: Option<String>,

    #[command(flatten)]
    pub(super) common: Common,
}

/// The flags of `decrypt`.
#[derive(Args, Debug, Default)]
pub(in crate::cli) struct Decrypt {
    #[command(flatten)]
    pub(super) reading: Reading,

    // No doc comment: rustdoc would look for links in it.
    #[arg(long, value_name = "PATH", help = EXTRACT)]
    pub(super) extract: Option<String>,

    /// Write into the file itself
    #[arg(short, long)]
    pub(super) in_place: bool,

    /// Write into this file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Print also what was changed since it was encrypted
    #[arg(long)]
    pub(super) ignore_mac: bool,

    /// The name by which the format is chosen
    #[arg(long, value_name = "NAME")]
    pub(super) filename_override: Option<String>,
}

/// The flags of `encrypt`.
#[derive(Args, Debug, Default)]
pub(in crate::cli) struct Encrypt {
    /// The file; standard input without it
    #[arg(value_name = "FILE")]
    pub(super) file: Option<OsString>,

    #[command(flatten)]
    pub(super) encrypting: Encrypting,

    /// Write into the file itself
    #[arg(short, long)]
    pub(super) in_place: bool,

    /// Write into this file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// The format of the file: yaml, json, dotenv, ini or binary; by its name without this
    #[arg(long, value_name = "FORMAT")]
    pub(super) input_type: Option<String>,

    /// The format of the encrypted file; that of the file without this
    #[arg(long, value_name = "FORMAT")]
    pub(super) output_type: Option<String>,

    /// The name by which format and rules are chosen; needed for standard input
    #[arg(long, value_name = "NAME")]
    pub(super) filename_override: Option<String>,

    #[command(flatten)]
    pub(super) common: Common,
}

/// For whom and by which rule a file is encrypted.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct Encrypting {
    #[command(flatten)]
    pub(super) keys: Keys<USE>,

    #[command(flatten)]
    pub(super) aws: Aws,

    #[command(flatten)]
    pub(super) rules: Rules,

    /// Only the values that are encrypted count for the MAC
    #[arg(long)]
    pub(super) mac_only_encrypted: bool,

    /// How many key groups are needed to open the file
    #[arg(long, value_name = "NUMBER")]
    pub(super) shamir_secret_sharing_threshold: Option<usize>,
}

/// Which values are encrypted: at most one of these.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct Rules {
    /// All but what lies under a key that ends so
    #[arg(long, value_name = "SUFFIX")]
    pub(super) unencrypted_suffix: Option<String>,

    /// Only what lies under a key that ends so
    #[arg(long, value_name = "SUFFIX")]
    pub(super) encrypted_suffix: Option<String>,

    /// All but what lies under a key that matches
    #[arg(long, value_name = "REGEX")]
    pub(super) unencrypted_regex: Option<String>,

    /// Only what lies under a key that matches
    #[arg(long, value_name = "REGEX")]
    pub(super) encrypted_regex: Option<String>,

    /// All but what stands below a comment that matches
    #[arg(long, value_name = "REGEX")]
    pub(super) unencrypted_comment_regex: Option<String>,

    /// Only what stands below a comment that matches
    #[arg(long, value_name = "REGEX")]
    pub(super) encrypted_comment_regex: Option<String>,
}

impl Rules {
    /// Those that are given, by the names that the `sops` block has for them.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("unencrypted_suffix", &self.unencrypted_suffix),
            ("encrypted_suffix", &self.encrypted_suffix),
            ("unencrypted_regex", &self.unencrypted_regex),
            ("encrypted_regex", &self.encrypted_regex),
            ("unencrypted_comment_regex", &self.unencrypted_comment_regex),
            ("encrypted_comment_regex", &self.encrypted_comment_regex),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// The flags of `filestatus`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Filestatus {
    #[command(flatten)]
    pub(super) named: Named,
}

/// The flags of `exec-env`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ExecEnv {
    #[command(flatten)]
    pub(super) named: Named,

    /// The command, for a shell
    #[arg(value_name = "COMMAND")]
    pub(super) command: OsString,

    /// Nothing of this environment but the values of the file
    #[arg(long)]
    pub(super) pristine: bool,

    /// Become the command instead of waiting for it
    #[arg(long)]
    pub(super) same_process: bool,
}

/// The flags of `exec-file`.
#[derive(Args, Debug)]
pub(in crate::cli) struct ExecFile {
    #[command(flatten)]
    pub(super) named: Named,

    /// The command, for a shell; {} in it is the path of the decrypted file
    #[arg(value_name = "COMMAND")]
    pub(super) command: String,

    /// A file on a disk instead of a pipe with a name: for commands that read it more than once
    #[arg(long, action = ArgAction::SetTrue)]
    pub(super) no_fifo: bool,

    /// The name of the decrypted file
    #[arg(long, value_name = "NAME", default_value = "tmp-file")]
    pub(super) filename: String,

    /// The format of the decrypted file
    #[arg(long, value_name = "FORMAT")]
    pub(super) output_type: Option<String>,
}
