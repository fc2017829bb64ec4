//! `jsonParse` and `yamlParse`.

use super::{Call, Cause};
use crate::secret::{Text, Value};
use crate::yaml::SyntaxError;
use crate::yaml::value::{from_json, from_yaml};

/// Numbers keep their literals, where AVP reads them as 64-bit floats and loses digits; those that no such float can
/// hold are errors, as for AVP.
pub(super) fn json(call: &mut Call<'_>) -> Result<Value, Cause> {
    json_text(call.string()?)
}

pub(super) fn yaml(call: &mut Call<'_>) -> Result<Value, Cause> {
    parse(call.string()?, from_yaml, Cause::Yaml)
}

pub(super) fn json_text(text: &Text) -> Result<Value, Cause> {
    parse(text, from_json, Cause::Json)
}

fn parse(
    text: &Text,
    reader: fn(&str) -> Result<Value, SyntaxError>,
    cause: fn(SyntaxError) -> Cause,
) -> Result<Value, Cause> {
    let text = text.expose_str().ok_or(Cause::NotUtf8)?;
    let value = reader(text).map_err(cause)?;
    if in_range(&value) {
        Ok(value)
    } else {
        Err(Cause::Range)
    }
}

fn in_range(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.expose().parse().is_ok_and(f64::is_finite),
        Value::List(items) => items.iter().all(in_range),
        Value::Map(map) => map.iter().all(|(_, value)| in_range(value)),
        _ => true,
    }
}
