//! `default` and `required`: what a missing secret, key or value means. Neither sees a secret that may not be read.

use super::{Call, Cause};
use crate::secret::Value;

pub(super) fn default(call: &mut Call<'_>) -> Result<Value, Cause> {
    or(call, |text| Ok(Value::string(text)))
}

pub(super) fn required(call: &mut Call<'_>) -> Result<Value, Cause> {
    or(call, |message| Err(Cause::Required(message.to_owned())))
}

fn or(call: &mut Call<'_>, missing: fn(&str) -> Result<Value, Cause>) -> Result<Value, Cause> {
    match call.take() {
        Value::Null => missing(&call.arguments[0]),
        value => Ok(value),
    }
}
