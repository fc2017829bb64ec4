//! `htpasswd` and `bcrypt`: a password as a hash that is the same in every render.

use ::bcrypt::{HashParts, Version, hash_with_salt};
use sha2::{Digest, Sha256};

use super::{Call, Cause};
use crate::secret::{Text, Value};

/// What Apache's `htpasswd` and Go's `bcrypt` take unless told otherwise is 5 and 10; less than 10 is too fast today.
const DEFAULT_COST: u32 = 10;

/// As Apache's and nginx's readers of such files want it.
pub(super) fn htpasswd(call: &mut Call<'_>) -> Result<Value, Cause> {
    let user = &*call.arguments[0];
    if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
        return Err(Cause::Argument(
            "the user is empty, or holds a colon or a control character",
        ));
    }
    let hash = hash(call, user, 1)?.format_for_version(Version::TwoY);
    Ok(Value::string(format!("{user}:{hash}")))
}

/// As Go programs write it, Argo CD among them.
pub(super) fn bcrypt(call: &mut Call<'_>) -> Result<Value, Cause> {
    let hash = hash(call, "", 0)?.format_for_version(Version::TwoA);
    Ok(Value::string(hash))
}

fn hash(call: &Call<'_>, user: &str, cost_at: usize) -> Result<HashParts, Cause> {
    let cost = match call.arguments.get(cost_at) {
        None => DEFAULT_COST,
        Some(cost) => cost
            .parse()
            .ok()
            .filter(|cost| (4..=14).contains(cost))
            .ok_or(Cause::Argument("the cost is not a number from 4 to 14"))?,
    };
    let password = call.text()?;
    check(&password)?;
    let hash = |salt| {
        hash_with_salt(password.expose(), cost, salt)
            .map_err(|_| Cause::Unfit("the value cannot be hashed"))
    };
    // The salt stands in the result, so a quick digest of the password would let guesses be tried without bcrypt's
    // cost. It depends on the password by bcrypt itself, and on the place by a digest.
    let slow = hash(salt(&[call.secret, user]))?.to_string();
    hash(salt(&[&slow]))
}

/// What bcrypt would cut off without a word.
fn check(password: &Text) -> Result<(), Cause> {
    match password.expose() {
        bytes if bytes.len() > 72 => Err(Cause::Unfit(
            "the value is longer than the 72 bytes that bcrypt reads",
        )),
        bytes if bytes.contains(&0) => {
            Err(Cause::Unfit("the value holds a NUL, where bcrypt ends"))
        }
        _ => Ok(()),
    }
}

/// Sixteen bytes that depend on each of the parts.
fn salt(parts: &[&str]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    let [salt @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] =
        <[u8; 32]>::from(digest.finalize());
    salt
}
