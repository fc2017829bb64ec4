//! OpenPGP master keys: opened by keys at hand, in this process. What these do not open is left to the program `gpg`, as in
//! SOPS: it has the keys behind a passphrase and those on smart cards.

mod gpg;
#[cfg_attr(not(feature = "pgp"), path = "without.rs")]
mod native;
#[cfg(feature = "pgp")]
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use tokio::time::Instant;

use self::gpg::Gpg;
use self::native::Native;
use super::master::MasterKey;
use super::opener::{Failure, Local, Share};
use crate::env::Options;

/// A data key has 32 bytes, a share one more.
const SHARE_SIZES: RangeInclusive<usize> = 1..=64;

/// The OpenPGP keys at hand, and `gpg`.
pub(super) struct Pgp {
    native: Native,
    gpg: Gpg,
}

impl Pgp {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            native: Native::new(options),
            gpg: Gpg::new(options),
        }
    }

    /// What a message holds, armored or not, if it has one of these sizes.
    pub(super) fn open(
        &self,
        message: &[u8],
        sizes: &RangeInclusive<usize>,
        deadline: Instant,
    ) -> Result<Share, Failure> {
        self.native.open(message, sizes).or_else(|native| {
            let gpg = self.gpg.open(message, *sizes.end(), deadline.into_std());
            gpg.map_err(|gpg| both(&native, &gpg))
        })
    }
}

impl Local for Pgp {
    fn unwrap(&self, _: &MasterKey, enc: &str, deadline: Instant) -> Result<Share, Failure> {
        self.open(enc.as_bytes(), &SHARE_SIZES, deadline)
    }

    fn wrap(&self, key: &MasterKey, share: &[u8], deadline: Instant) -> Result<String, Failure> {
        let fingerprint = key.known_by();
        self.native.wrap(fingerprint, share).or_else(|native| {
            let gpg = self.gpg.wrap(fingerprint, share, deadline.into_std());
            gpg.map_err(|gpg| both(&native, &gpg))
        })
    }

    fn places(&self) -> Vec<String> {
        self.native.places()
    }
}

/// The reasons of both.
fn both(native: &Failure, gpg: &Failure) -> Failure {
    let hint = native.hint().unwrap_or(
        "name a file with its keys in MANIFUSE_PGP_KEY_FILE or pgpKeyFile, or let gpg have them",
    );
    Failure::new(format!("{native}; {gpg}")).with_hint(hint)
}
