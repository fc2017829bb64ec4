//! `urlEncode`.

use std::fmt::Write;

use super::{Call, Cause};
use crate::secret::Value;

/// Everything but the unreserved characters of RFC 3986, a space as `%20` and not as `+`: so the result is right in any
/// part of a URL, also in the user and password of a connection string.
pub(super) fn encode(call: &mut Call<'_>) -> Result<Value, Cause> {
    let text = call.text()?;
    let mut encoded = String::with_capacity(text.expose().len());
    for &byte in text.expose() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Ok(Value::string(encoded))
}
