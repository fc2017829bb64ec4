//! Modifiers that make one text of another.

use super::{Call, Cause, MAX_RESULT};
use crate::secret::Value;
use crate::yaml::writer;

pub(super) fn trim(call: &mut Call<'_>) -> Result<Value, Cause> {
    call.map_text(|text| text.trim().to_owned())
}

pub(super) fn trim_prefix(call: &mut Call<'_>) -> Result<Value, Cause> {
    call.map_text(|text| {
        text.strip_prefix(&*call.arguments[0])
            .unwrap_or(text)
            .to_owned()
    })
}

pub(super) fn trim_suffix(call: &mut Call<'_>) -> Result<Value, Cause> {
    call.map_text(|text| {
        text.strip_suffix(&*call.arguments[0])
            .unwrap_or(text)
            .to_owned()
    })
}

pub(super) fn upper(call: &mut Call<'_>) -> Result<Value, Cause> {
    call.map_text(str::to_uppercase)
}

pub(super) fn lower(call: &mut Call<'_>) -> Result<Value, Cause> {
    call.map_text(str::to_lowercase)
}

/// With the escapes that YAML 1.1, YAML 1.2 and JSON have in common.
pub(super) fn quote(call: &mut Call<'_>) -> Result<Value, Cause> {
    call.map_text(writer::double_quoted)
}

pub(super) fn replace(call: &mut Call<'_>) -> Result<Value, Cause> {
    let (old, new) = (&*call.arguments[0], &*call.arguments[1]);
    if old.is_empty() {
        return Err(Cause::Argument("the text to replace is empty"));
    }
    let text = call.text()?;
    let found = text
        .expose_str()
        .ok_or(Cause::NotUtf8)?
        .matches(old)
        .count();
    // Before it is made: a long NEW for each letter of a long value would fill the memory.
    if found.saturating_mul(new.len()) > MAX_RESULT {
        return Err(Cause::TooLong);
    }
    call.map_text(|text| text.replace(old, new))
}
