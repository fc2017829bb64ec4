//! `indent N`, as flat as AVP makes it: inner indentation and blank lines are lost, and manifests count on it. And
//! `indentLines N`, which loses nothing.

use super::{Call, Cause, MAX_RESULT};
use crate::secret::{Text, Value};

pub(super) fn indent(call: &mut Call<'_>) -> Result<Value, Cause> {
    let level: i64 = call.arguments[0].parse().map_err(|_| Cause::Level)?;
    let text = call.string()?;
    let level = usize::try_from(level.max(0)).map_err(|_| Cause::Level)?;
    let lines = checked_lines(text, level)?;
    Ok(Value::String(indented(text.expose(), level, lines)))
}

pub(super) fn indent_lines(call: &mut Call<'_>) -> Result<Value, Cause> {
    let level: usize = call.arguments[0].parse().map_err(|_| Cause::Level)?;
    let text = call.text()?;
    let lines = checked_lines(&text, level)?;
    let mut result = Vec::with_capacity(level * lines + text.expose().len());
    for (number, line) in text
        .expose()
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
    {
        if number > 0 && !matches!(line, b"\n" | b"\r\n") {
            result.resize(result.len() + level, b' ');
        }
        result.extend_from_slice(line);
    }
    Ok(Value::string(result))
}

/// How many lines the text has, if they are not too many to be moved so far.
fn checked_lines(text: &Text, level: usize) -> Result<usize, Cause> {
    let text = text.expose();
    let lines = text.split(|byte| *byte == b'\n').count();
    let length = level.saturating_mul(lines).saturating_add(text.len());
    if length > MAX_RESULT {
        return Err(Cause::Level);
    }
    Ok(lines)
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
