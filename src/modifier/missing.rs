//! `default` and `required`: what a missing secret, key or value means. Neither sees a secret that may not be read.

use super::{Call, Cause};
use crate::secret::Value;

pub(super) fn default(call: Call<'_>) -> Result<Value, Cause> {
    Ok(match call.value {
        Value::Null => Value::string(&*call.arguments[0]),
        value => value,
    })
}

pub(super) fn required(call: Call<'_>) -> Result<Value, Cause> {
    match call.value {
        Value::Null => Err(Cause::Required(call.arguments[0].to_string())),
        value => Ok(value),
    }
}
