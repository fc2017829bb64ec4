//! Keys for SOPS files, as variables lead to them, and their use without a runtime at hand.

use std::path::Path;
use std::time::Duration;

use manifuse::env::{Environment, Options};
use manifuse::sops::{DataKey, Encrypted, Error, Keyring, SETTINGS};
use tokio::time::Instant;

/// The keys that these variables alone lead to.
pub(crate) fn keyring<N: Into<String>, V: Into<String>>(
    variables: impl IntoIterator<Item = (N, V)>,
) -> Keyring {
    let environment: Environment = variables.into_iter().collect();
    let names = SETTINGS.iter().map(|(name, _)| *name);
    let options = Options::of_variables(&environment, names, Path::new(""));
    Keyring::new(&options, &environment).unwrap()
}

/// No key at all.
pub(crate) fn no_keys() -> Keyring {
    keyring::<String, String>([])
}

pub(crate) fn data_key(encrypted: &Encrypted<'_>, keyring: &Keyring) -> Result<DataKey, Error> {
    wait(encrypted.data_key(keyring, deadline()))
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

pub(crate) fn wait<R>(future: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}
