//! The table of backend types. A new store is one file and one line here.

use std::sync::Arc;

use super::Backend;
pub use crate::env::SettingsError;
use crate::env::{Environment, Options};

/// One type of backend.
pub struct Type {
    /// The name in `AVP_TYPE`, in `type:` of `manifuse.yaml`, and in `<NAME:PATH#KEY>`.
    pub name: &'static str,
    /// Its settings: the AVP key, and the dotted key of the structured form. Plain environment variables of these
    /// names also serve a structured instance that does not set them.
    pub settings: &'static [(&'static str, &'static str)],
    /// What those of them say that only this type reads, and that argocd-vault-plugin does not know. The others are
    /// described in `settings::variables`.
    pub own: &'static [Own],
    /// Whether `<NAME:PATH#KEY>` may use the type's own name without a configured instance.
    pub built_in: bool,
    /// Checks the settings and makes the backend. Offline: no request, no login, no file but those that settings name.
    /// The snapshot of the environment is for a store that *is* the environment, and for the system's own variables
    /// (proxies); settings come by the options only.
    pub open: Open,
}

/// A variable that only one type of backend reads.
pub struct Own {
    /// Its name.
    pub name: &'static str,
    /// What it says, to people.
    pub says: &'static str,
    /// Whether its value may be shown to people.
    pub shown: bool,
}

impl Own {
    pub(super) const fn setting(name: &'static str, says: &'static str) -> Self {
        let shown = true;
        Self { name, says, shown }
    }

    /// A credential, or what may hold one.
    pub(super) const fn secret(name: &'static str, says: &'static str) -> Self {
        let shown = false;
        Self { name, says, shown }
    }
}

/// How a type is opened.
pub type Open = fn(&Options, &Environment) -> Result<Arc<dyn Backend>, SettingsError>;

impl crate::diagnostics::Explain for SettingsError {
    fn fault(&self) -> crate::diagnostics::Fault {
        crate::diagnostics::Fault::Settings
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// All backend types, sorted by name.
pub const TYPES: &[Type] = &[
    super::onepasswordconnect::TYPE,
    #[cfg(feature = "aws")]
    super::aws::secrets::TYPE,
    #[cfg(feature = "aws")]
    super::aws::parameters::TYPE,
    #[cfg(feature = "azure")]
    super::azurekeyvault::TYPE,
    super::delineasecretserver::TYPE,
    super::env::TYPE,
    super::file::TYPE,
    #[cfg(feature = "gcp")]
    super::gcpsecretmanager::TYPE,
    super::ibmsecretsmanager::TYPE,
    super::keepersecretsmanager::TYPE,
    #[cfg(feature = "kubernetes")]
    super::kubernetessecret::TYPE,
    super::passwords::gopass::TYPE,
    super::passwords::pass::TYPE,
    super::sops::TYPE,
    super::vault::TYPE,
    super::yandexcloudlockbox::TYPE,
];

/// The type whose backends have the keys of encrypted documents.
pub const ENCRYPTED: &str = super::sops::TYPE.name;

/// The type by its exact name.
pub fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|backend| backend.name == name)
}
