//! `sha256sum` and `sha512sum`.

use std::fmt::Write;

use sha2::{Digest, Sha256, Sha512};

use super::error::go_type;
use super::{Call, Cause};
use crate::secret::Value;

/// A number is hashed as its literal, where AVP crashes.
pub(super) fn sha256sum(call: &mut Call<'_>) -> Result<Value, Cause> {
    match &call.value {
        Value::String(text) => Ok(hexadecimal(&Sha256::digest(text.expose()))),
        Value::Number(number) => Ok(hexadecimal(&Sha256::digest(number.expose()))),
        other => Err(Cause::NotString {
            go: go_type(other),
            found: other.type_name(),
        }),
    }
}

pub(super) fn sha512sum(call: &mut Call<'_>) -> Result<Value, Cause> {
    Ok(hexadecimal(&Sha512::digest(call.text()?.expose())))
}

fn hexadecimal(bytes: &[u8]) -> Value {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Value::string(digits)
}
