//! The flags that name master keys: one for each kind, in three roles.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::failure::{Code, Failure};
use crate::cli::Process;
use crate::diagnostics::{Diagnostic, Fault};
use crate::sops::Recipe;

/// The keys that a file is encrypted for.
pub(super) const USE: usize = 0;
/// Keys that are added to a file.
pub(super) const ADD: usize = 1;
/// Keys that are taken away from a file.
pub(super) const REMOVE: usize = 2;

/// A kind of keys.
struct Kind {
    /// The list that holds them in files.
    list: &'static str,
    /// The flag in each role.
    flags: [&'static str; 3],
    short: Option<char>,
    help: &'static str,
    /// The variable that counts without a flag.
    variable: &'static str,
}

const fn kind(
    list: &'static str,
    flags: [&'static str; 3],
    short: Option<char>,
    help: &'static str,
    variable: &'static str,
) -> Kind {
    Kind {
        list,
        flags,
        short,
        help,
        variable,
    }
}

/// The kinds, in the order in which their keys are put together.
const KINDS: [Kind; 7] = [
    kind(
        "kms",
        ["kms", "add-kms", "rm-kms"],
        Some('k'),
        "AWS KMS keys (ARN, or ARN+ROLE)",
        "SOPS_KMS_ARN",
    ),
    kind(
        "gcp_kms",
        ["gcp-kms", "add-gcp-kms", "rm-gcp-kms"],
        None,
        "Google Cloud KMS keys",
        "SOPS_GCP_KMS_IDS",
    ),
    kind(
        "hckms",
        ["hckms", "add-hckms", "rm-hckms"],
        None,
        "HuaweiCloud KMS keys",
        "SOPS_HUAWEICLOUD_KMS_IDS",
    ),
    kind(
        "azure_kv",
        ["azure-kv", "add-azure-kv", "rm-azure-kv"],
        None,
        "Azure Key Vault keys (https://VAULT/keys/NAME/VERSION)",
        "SOPS_AZURE_KEYVAULT_URLS",
    ),
    kind(
        "pgp",
        ["pgp", "add-pgp", "rm-pgp"],
        Some('p'),
        "OpenPGP fingerprints",
        "SOPS_PGP_FP",
    ),
    kind(
        "hc_vault",
        [
            "hc-vault-transit",
            "add-hc-vault-transit",
            "rm-hc-vault-transit",
        ],
        None,
        "Keys of Vault or OpenBao (https://HOST/v1/ENGINE/keys/NAME)",
        "SOPS_VAULT_URIS",
    ),
    kind(
        "age",
        ["age", "add-age", "rm-age"],
        Some('a'),
        "age recipients",
        "SOPS_AGE_RECIPIENTS",
    ),
];

/// Keys of all kinds in one role.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Keys<const ROLE: usize> {
    /// Those that flags name, with commas between them, for each kind.
    given: [Option<String>; KINDS.len()],
}

impl<const ROLE: usize> Args for Keys<ROLE> {
    fn augment_args(command: Command) -> Command {
        let arg = |kind: &Kind| {
            let help = match ROLE {
                USE => format!("{} [env: {}]", kind.help, kind.variable),
                _ => kind.help.to_owned(),
            };
            Arg::new(kind.flags[ROLE])
                .long(kind.flags[ROLE])
                .short(kind.short.filter(|_| ROLE == USE))
                .value_name("KEYS")
                .help(help)
                .action(ArgAction::Append)
        };
        command.args(KINDS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const ROLE: usize> FromArgMatches for Keys<ROLE> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |kind: &Kind| {
            let values = matches.get_many::<String>(kind.flags[ROLE])?;
            Some(values.map(String::as_str).collect::<Vec<_>>().join(","))
        };
        Ok(Self {
            given: KINDS.each_ref().map(given),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What AWS needs to know besides.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct Aws {
    /// The profile by which AWS KMS keys are used
    #[arg(long, value_name = "PROFILE")]
    aws_profile: Option<String>,

    /// What AWS binds the data key to, as NAME:VALUE, separated by commas
    #[arg(long, value_name = "PAIRS")]
    encryption_context: Option<String>,
}

impl Aws {
    /// Tells the AWS keys of a recipe.
    pub(super) fn tell(&self, recipe: &mut Recipe) -> Result<(), Failure> {
        if let Some(profile) = &self.aws_profile {
            recipe.set_aws_profile(profile);
        }
        let context = self
            .encryption_context
            .as_deref()
            .filter(|context| !context.is_empty());
        context
            .map_or(Ok(()), |context| recipe.set_context(context))
            .map_err(|error| {
                let diagnostic =
                    Diagnostic::error(Fault::Settings, format!("--encryption-context: {error}"));
                Failure::new(Code::BadContext, diagnostic)
            })
    }
}

impl<const ROLE: usize> Keys<ROLE> {
    /// Whether any flag names a key.
    pub(super) fn is_given(&self) -> bool {
        self.given.iter().any(Option::is_some)
    }

    /// A recipe of the keys.
    pub(super) fn recipe(&self, aws: &Aws, process: &Process<'_>) -> Result<Recipe, Failure> {
        let mut recipe = Recipe::default();
        for (kind, given) in KINDS.iter().zip(&self.given) {
            let variable = || {
                process
                    .environment
                    .get(kind.variable)
                    .filter(|_| ROLE == USE)
            };
            if let Some(keys) = given.as_deref().or_else(variable) {
                let added = recipe.add(kind.list, keys);
                added.map_err(|error| Failure::input(Code::Generic, error.to_string()))?;
            }
        }
        aws.tell(&mut recipe)?;
        Ok(recipe)
    }
}
