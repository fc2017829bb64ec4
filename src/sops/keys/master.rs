//! Master keys by their kinds: what each kind is called, and which fields its entries in the `sops` block have.

use crate::sops::error::Error;

/// The kinds of master keys, in the order in which a group is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::sops) enum KeyKind {
    AwsKms,
    GcpKms,
    HuaweiKms,
    AzureKeyVault,
    Vault,
    Pgp,
    Age,
}

impl KeyKind {
    pub(in crate::sops) const ALL: [Self; 7] = [
        Self::AwsKms,
        Self::GcpKms,
        Self::HuaweiKms,
        Self::AzureKeyVault,
        Self::Vault,
        Self::Pgp,
        Self::Age,
    ];

    /// The list that holds them.
    pub(in crate::sops) fn list(self) -> &'static str {
        match self {
            Self::AwsKms => "kms",
            Self::GcpKms => "gcp_kms",
            Self::HuaweiKms => "hckms",
            Self::AzureKeyVault => "azure_kv",
            Self::Vault => "hc_vault",
            Self::Pgp => "pgp",
            Self::Age => "age",
        }
    }

    /// The fields that say which key it is; people know it by the first.
    pub(in crate::sops) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::AwsKms => &["arn", "role", "aws_profile"],
            Self::GcpKms => &["resource_id"],
            Self::HuaweiKms => &["key_id"],
            Self::AzureKeyVault => &["vault_url", "name", "version"],
            Self::Vault => &["vault_address", "engine_path", "key_name"],
            Self::Pgp => &["fp"],
            Self::Age => &["recipient"],
        }
    }

    /// Whether an empty field is written, too.
    pub(in crate::sops) fn keeps_empty(self, field: &str) -> bool {
        self == Self::AwsKms && field == "aws_profile"
    }

    /// Whether entries say when they were made.
    pub(in crate::sops) fn is_dated(self) -> bool {
        self != Self::Age
    }
}

/// One master key. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::sops) struct MasterKey {
    pub(in crate::sops) kind: KeyKind,
    /// The values of its kind's fields, in their order; what is not said is empty.
    pub(in crate::sops) fields: Vec<String>,
    /// What AWS binds the wrapped key to, sorted by name.
    pub(in crate::sops) context: Vec<(String, String)>,
}

impl MasterKey {
    /// A key that one field says.
    pub(in crate::sops) fn new(kind: KeyKind, known_by: &str) -> Self {
        let mut fields = vec![String::new(); kind.fields().len()];
        known_by.trim().clone_into(&mut fields[0]);
        Self {
            kind,
            fields,
            context: Vec::new(),
        }
    }

    /// Reads a key as flags and `.sops.yaml` spell it (`sops.md` section 11).
    pub(in crate::sops) fn parse(kind: KeyKind, text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let wrong = |form: &str| {
            let shown: String = text.chars().take(100).collect();
            Error::Recipe(format!(
                "{shown} is no key of the kind {}: {form}",
                kind.list()
            ))
        };
        let mut key = Self::new(kind, text);
        match kind {
            KeyKind::AwsKms => {
                if let Some((arn, role)) = text.split_once("+arn:") {
                    arn.clone_into(&mut key.fields[0]);
                    key.fields[1] = format!("arn:{role}");
                }
            }
            KeyKind::AzureKeyVault => {
                let form = || wrong("it is written https://VAULT/keys/NAME/VERSION");
                let (vault, name) = text.split_once("/keys/").ok_or_else(form)?;
                let (name, version) = name.split_once('/').unwrap_or((name, ""));
                key.fields = [vault, name, version].map(str::to_owned).into();
            }
            KeyKind::Vault => {
                let form = || wrong("it is written https://HOST/v1/ENGINE/keys/NAME");
                let (address, path) = text.split_once("/v1/").ok_or_else(form)?;
                let (engine, name) = path.rsplit_once("/keys/").ok_or_else(form)?;
                key.fields = [address, engine, name].map(str::to_owned).into();
            }
            KeyKind::Age => super::age::check(text)?,
            KeyKind::Pgp => key.fields[0].retain(|c| c != ' '),
            KeyKind::GcpKms | KeyKind::HuaweiKms => {}
        }
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        Ok(key)
    }

    /// The field by which people know it.
    pub(in crate::sops) fn known_by(&self) -> &str {
        &self.fields[0]
    }

    /// What messages call it. Post-quantum recipients fill pages.
    pub(super) fn describe(&self) -> String {
        const SHOWN: usize = 100;
        let mut text = match self.kind {
            KeyKind::Age => self.known_by().to_owned(),
            kind => format!("{} {}", kind.list(), self.known_by()),
        };
        if let Some((end, _)) = text.char_indices().nth(SHOWN) {
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

/// A data key, or a share of it, as one master key has wrapped it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::sops) struct Wrapped {
    pub(in crate::sops) key: MasterKey,
    pub(in crate::sops) enc: String,
    /// When, as its file says it.
    pub(in crate::sops) created_at: String,
}
