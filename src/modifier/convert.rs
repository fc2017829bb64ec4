//! Modifiers between types: text of any value, and numbers and truth values of text. Stores that hold only strings
//! need the latter, since a port in a manifest is a number.

use super::json::{self, Form};
use super::number::is_integer;
use super::parse::json_text;
use super::{Call, Cause, stringify};
use crate::secret::Value;

/// A map or list becomes compact JSON, as where such a value stands in a `ConfigMap`.
pub(super) fn to_string(call: &mut Call<'_>) -> Result<Value, Cause> {
    match &call.value {
        Value::Null => Err(Cause::NotText("null")),
        value => Ok(Value::String(stringify(value))),
    }
}

/// Keys in the order of their source, numbers by their literals.
pub(super) fn to_json(call: &mut Call<'_>) -> Result<Value, Cause> {
    if !is_utf8(&call.value) {
        return Err(Cause::NotUtf8);
    }
    let mut text = Vec::new();
    json::write(&call.value, Form::Plain, &mut text);
    Ok(Value::string(text))
}

fn is_utf8(value: &Value) -> bool {
    match value {
        Value::String(text) => text.expose_str().is_some(),
        Value::List(items) => items.iter().all(is_utf8),
        Value::Map(map) => map.iter().all(|(_, value)| is_utf8(value)),
        _ => true,
    }
}

/// By JSON's grammar, white space around it tolerated: YAML readers disagree about `010` and `1_000`.
pub(super) fn to_number(call: &mut Call<'_>) -> Result<Value, Cause> {
    number(call, |_| true, "the value is not a number")
}

pub(super) fn to_int(call: &mut Call<'_>) -> Result<Value, Cause> {
    number(call, is_integer, "the value is not an integer")
}

fn number(call: &Call<'_>, fits: fn(&str) -> bool, unfit: &'static str) -> Result<Value, Cause> {
    match json_text(&call.text()?) {
        Ok(Value::Number(number)) if fits(number.expose()) => Ok(Value::Number(number)),
        Err(Cause::Range) => Err(Cause::Range),
        _ => Err(Cause::Unfit(unfit)),
    }
}

pub(super) fn to_bool(call: &mut Call<'_>) -> Result<Value, Cause> {
    let text = call.text()?;
    match text.expose().trim_ascii() {
        word if word.eq_ignore_ascii_case(b"true") => Ok(Value::Bool(true)),
        word if word.eq_ignore_ascii_case(b"false") => Ok(Value::Bool(false)),
        _ => Err(Cause::Unfit("the value is neither true nor false")),
    }
}
