//! Stands in for the keys of this process where the program is built without the feature `pgp`: all is left to gpg.

#![expect(
    clippy::unused_self,
    reason = "the methods it stands in for use their keys"
)]

use std::ops::RangeInclusive;

use crate::env::Options;
use crate::sops::keys::opener::{Failure, Share};

pub(super) struct Native;

impl Native {
    pub(super) fn new(_: &Options) -> Self {
        Self
    }

    pub(super) fn open(&self, _: &[u8], _: &RangeInclusive<usize>) -> Result<Share, Failure> {
        Err(Failure::NoMatch)
    }

    pub(super) fn wrap(&self, _: &str, _: &[u8]) -> Result<String, Failure> {
        Err(Failure::NoMatch)
    }

    pub(super) fn places(&self) -> Vec<String> {
        vec!["gpg (this build has no OpenPGP of its own)".to_owned()]
    }
}
