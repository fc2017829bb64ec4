//! Opens whole files that were encrypted for people by age or OpenPGP, not by SOPS: those of password stores. The keys are
//! the same ones, and looked for in the same places.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::age::Age;
use super::opener::{Failure, Opener as _, Threads};
use super::pgp::Pgp;
use crate::env::Options;
use crate::secret::Text;
use crate::sops::error::NoKey;

/// As large as an answer of a store may be.
const SIZES: RangeInclusive<usize> = 0..=16 << 20;

/// What a file is encrypted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// An age file, armored or not.
    Age,
    /// An OpenPGP message, armored or not.
    OpenPgp,
}

/// The age and OpenPGP keys at hand. Nothing is read before it is needed.
pub struct FileKeys {
    age: Threads<Age>,
    pgp: Threads<Pgp>,
}

impl FileKeys {
    /// The keys that settings lead to, and a further file of age identities with the passphrase that protects it. Without
    /// a passphrase it is asked for on the terminal.
    pub fn new(options: &Options, identities: Option<(PathBuf, Option<Text>)>) -> Self {
        let age = Age::new(options);
        let age = match identities {
            Some((path, passphrase)) => age.with_file(path, passphrase),
            None => age,
        };
        let queue = Arc::default();
        Self {
            age: Threads::new(age, &queue),
            pgp: Threads::new(Pgp::new(options), &queue),
        }
    }

    /// What a file holds.
    ///
    /// # Errors
    /// No key at hand opens it, it is damaged, or a program did not answer before the deadline.
    pub async fn open(
        &self,
        sealing: Sealing,
        file: Vec<u8>,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, NoKey> {
        let opened = match sealing {
            Sealing::Age => {
                // Which of its recipients a command should print the key of, the file does not say.
                let open = move |age: &Age| age.open(&file, "", *SIZES.end(), deadline);
                self.age.run(deadline, open).await
            }
            Sealing::OpenPgp => {
                let open = move |pgp: &Pgp| pgp.open(&file, &SIZES, deadline);
                self.pgp.run(deadline, open).await
            }
        };
        opened.map_err(|failure| self.no_key(sealing, &failure))
    }

    fn no_key(&self, sealing: Sealing, failure: &Failure) -> NoKey {
        let (places, hint) = match sealing {
            Sealing::Age => (
                self.age.places(),
                "name a file with one of its age keys in SOPS_AGE_KEY_FILE or ageKeyFile",
            ),
            Sealing::OpenPgp => (
                self.pgp.places(),
                "name a file with its keys in MANIFUSE_PGP_KEY_FILE or pgpKeyFile, or let gpg have them",
            ),
        };
        NoKey {
            failures: vec![failure.to_string()],
            places,
            hint: Some(failure.hint().unwrap_or(hint).to_owned()),
            ..NoKey::default()
        }
    }
}
