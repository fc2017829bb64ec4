//! The flags of the `sops` commands: those of sops by their names, with help of our own.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};

use super::key_flags::{ADD, Aws, Keys, REMOVE, USE};

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

const PATH: &str = "The path of the value, e.g. '[\"db\"][\"password\"]' or '[\"hosts\"][0]'";

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

/// A file that is to be changed in place.
#[derive(Args, Debug)]
pub(in crate::cli) struct Changing {
    #[command(flatten)]
    pub(super) named: Named,

    /// Open the file also if something was changed since it was encrypted; its new MAC is right again
    #[arg(long)]
    pub(super) ignore_mac: bool,

    /// The order in which kinds of keys are tried
    #[arg(long, value_name = "KINDS")]
    pub(super) decryption_order: Option<String>,

    /// Taken and ignored: the file keeps its format
    #[arg(long, hide = true)]
    pub(super) output_type: Option<String>,
}

/// The flags of `edit`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Edit {
    #[command(flatten)]
    pub(super) changing: Changing,

    /// Show the sops block, too
    #[arg(short, long)]
    pub(super) show_master_keys: bool,

    /// Taken and ignored: the file itself is always written
    #[arg(short, long, hide = true)]
    pub(super) in_place: bool,

    #[command(flatten)]
    pub(super) encrypting: Encrypting,
}

/// The flags of `set`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Set {
    #[command(flatten)]
    pub(super) changing: Changing,

    // No doc comment: rustdoc would look for links in it.
    #[arg(value_name = "PATH", help = PATH)]
    pub(super) path: String,

    /// The value as JSON; what is missing on the way to it is made
    // Any number of them: clap would print those that are too many.
    #[arg(value_name = "VALUE", num_args = 0.., allow_negative_numbers = true)]
    pub(super) value: Vec<OsString>,

    /// VALUE is the name of a file that holds the value
    #[arg(long)]
    pub(super) value_file: bool,

    /// Read the value from standard input
    #[arg(long)]
    pub(super) value_stdin: bool,

    /// Write nothing if the value is there already
    #[arg(long)]
    pub(super) idempotent: bool,
}

/// The flags of `unset`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Unset {
    #[command(flatten)]
    pub(super) changing: Changing,

    #[arg(value_name = "PATH", help = PATH)]
    pub(super) path: String,

    /// Do nothing if there is no such value
    #[arg(long)]
    pub(super) idempotent: bool,
}

/// The flags of `rotate`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Rotate {
    #[command(flatten)]
    pub(super) changing: Changing,

    #[command(flatten)]
    pub(super) add: Keys<ADD>,

    #[command(flatten)]
    pub(super) remove: Keys<REMOVE>,

    #[command(flatten)]
    pub(super) aws: Aws,

    /// Write into the file itself
    #[arg(short, long)]
    pub(super) in_place: bool,

    /// Write into this file
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// The flags of `updatekeys`.
#[derive(Args, Debug)]
pub(in crate::cli) struct UpdateKeys {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<OsString>,

    /// Do it without asking
    #[arg(short, long)]
    pub(super) yes: bool,

    /// The format of the files: yaml, json, dotenv, ini or binary; by their names without this
    #[arg(long, value_name = "FORMAT")]
    pub(super) input_type: Option<String>,

    /// How many key groups are needed to open a file; what it says itself without this
    #[arg(long, value_name = "NUMBER")]
    pub(super) shamir_secret_sharing_threshold: Option<usize>,

    #[command(flatten)]
    pub(super) common: Common,
}

/// What may be done with key groups.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GroupsCommand {
    /// Adds a group: from then on one of its keys is needed as well
    Add(Box<GroupsAdd>),
    /// Takes a group away
    Delete(GroupsDelete),
}

/// The file whose groups are changed.
#[derive(Args, Debug)]
pub(in crate::cli) struct GroupChange {
    /// The file
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: OsString,

    /// Write into the file itself
    #[arg(short, long)]
    pub(super) in_place: bool,

    /// How many key groups are needed from then on
    #[arg(long, value_name = "NUMBER")]
    pub(super) shamir_secret_sharing_threshold: Option<usize>,

    /// The format of the file: yaml, json, dotenv, ini or binary; by its name without this
    #[arg(long, value_name = "FORMAT")]
    pub(super) input_type: Option<String>,

    #[command(flatten)]
    pub(super) common: Common,
}

/// The flags of `groups add`.
#[derive(Args, Debug)]
pub(in crate::cli) struct GroupsAdd {
    #[command(flatten)]
    pub(super) change: GroupChange,

    #[command(flatten)]
    pub(super) keys: Keys<USE>,

    #[command(flatten)]
    pub(super) aws: Aws,
}

/// The flags of `groups delete`.
#[derive(Args, Debug)]
pub(in crate::cli) struct GroupsDelete {
    /// Its number, from 0 on
    #[arg(value_name = "NUMBER")]
    pub(super) index: usize,

    #[command(flatten)]
    pub(super) change: GroupChange,
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
