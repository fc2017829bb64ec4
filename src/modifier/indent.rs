//! `indent N`, as flat as AVP makes it: inner indentation and blank lines are lost, and manifests count on it.

use super::{Call, Cause};
use crate::secret::{Text, Value};

/// How long the result may get: a level of a million on a long text would fill the memory.
const MAX_RESULT: usize = 64 << 20;

pub(super) fn indent(call: Call<'_>) -> Result<Value, Cause> {
    let level = call.arguments.first().ok_or(Cause::Parameters)?;
    let level: i64 = level.parse().map_err(|_| Cause::Level)?;
    let text = call.string()?;
    let level = usize::try_from(level.max(0)).map_err(|_| Cause::Level)?;
    let lines = text.expose().split(|byte| *byte == b'\n').count();
    let length = level
        .saturating_mul(lines)
        .saturating_add(text.expose().len());
    if length > MAX_RESULT {
        return Err(Cause::Level);
    }
    Ok(Value::String(indented(text.expose(), level, lines)))
}

fn indented(text: &[u8], level: usize, lines: usize) -> Text {
    let mut result = Vec::with_capacity(level * lines + text.len());
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 && line.is_empty() {
            continue;
        }
        if number > 0 {
            result.resize(result.len() + level, b' ');
        }
        result.extend_from_slice(trim(line));
        if number + 1 < lines {
            result.push(b'\n');
        }
    }
    Text::from(result)
}

/// Without the white space at both ends, which is Unicode's in UTF-8 text and ASCII's elsewhere.
fn trim(line: &[u8]) -> &[u8] {
    if let Ok(text) = std::str::from_utf8(line) {
        return text.trim().as_bytes();
    }
    let blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
    let start = line.iter().position(|byte| !blank(byte));
    let end = line.iter().rposition(|byte| !blank(byte));
    match (start, end) {
        (Some(start), Some(end)) => &line[start..=end],
        _ => &[],
    }
}
