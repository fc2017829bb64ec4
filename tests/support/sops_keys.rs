//! Keys for SOPS files, as variables lead to them, and their use without a runtime at hand.

use std::fs;
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

/// Puts a case's keys into files of a folder; gives the variables that lead to them, and to no gpg.
pub(crate) fn files(keys: &[String], folder: &Path) -> Vec<(String, String)> {
    let mut variables = vec![("SOPS_GPG_EXEC".to_owned(), "/no/gpg".to_owned())];
    let kind = |begin: &str| {
        let keys = keys.iter().filter(|key| key.starts_with(begin));
        keys.map(String::as_str).collect::<Vec<_>>()
    };
    for (name, file, keys) in [
        ("MANIFUSE_PGP_KEY_FILE", "keys.asc", kind("-----BEGIN PGP")),
        (
            "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
            "id",
            kind("-----BEGIN OPENSSH"),
        ),
        ("SOPS_AGE_KEY_FILE", "keys.txt", kind("#")),
    ] {
        let path = folder.join(file);
        fs::write(&path, keys.join("\n")).unwrap();
        if !keys.is_empty() {
            variables.push((name.to_owned(), path.to_str().unwrap().to_owned()));
        }
    }
    variables
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
