//! The type `pass`: one store, where `pass` has it or a setting says.

use std::sync::Arc;

use super::{Mount, Passwords, STORE, at_home, own_folder, settings};
use crate::backends::Backend;
use crate::backends::registry::{SettingsError, Type};
use crate::env::{Environment, Options};
use crate::sops::FileKeys;

/// The registry's line.
pub(in crate::backends) const TYPE: Type = Type {
    name: "pass",
    settings: settings!(),
    own: &[],
    built_in: true,
    open,
};

fn open(options: &Options, _: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let folder = own_folder(options).or_else(|| at_home(options, ".password-store"));
    let folder = folder.ok_or_else(|| {
        SettingsError::new("a pass backend needs the folder of its entries")
            .about(STORE)
            .hint("set PASSWORD_STORE_DIR, or store in manifuse.yaml")
    })?;
    Ok(Arc::new(Passwords {
        mounts: vec![Mount::open("", &folder)?],
        keys: FileKeys::new(options, None),
    }))
}
