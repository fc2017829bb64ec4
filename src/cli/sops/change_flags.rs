//! The flags of the commands that change encrypted files.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::flags::{Common, Encrypting, Named};
use super::key_flags::{ADD, Aws, Keys, REMOVE, USE};

const PATH: &str = "The path of the value, e.g. '[\"db\"][\"password\"]' or '[\"hosts\"][0]'";

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
    // Any number of them, with hyphens before them or not: clap would print those that it does not want.
    #[arg(value_name = "VALUE", num_args = 0.., allow_hyphen_values = true)]
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
