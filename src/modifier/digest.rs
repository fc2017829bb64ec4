//! `sha256sum`.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::error::go_type;
use super::{Call, Cause};
use crate::secret::Value;

/// A number is hashed as its literal, where AVP crashes.
pub(super) fn sha256sum(call: Call<'_>) -> Result<Value, Cause> {
    let digest = match call.value {
        Value::String(text) => Sha256::digest(text.expose()),
        Value::Number(number) => Sha256::digest(number.expose()),
        other => {
            return Err(Cause::NotString {
                go: go_type(&other),
                found: other.type_name(),
            });
        }
    };
    let mut digits = String::with_capacity(64);
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(Value::string(digits))
}
