//! `toYaml`: a value in block style that every YAML reader takes for the same. Strings that do not fit on one plain
//! line are double-quoted.

use super::{Call, Cause, MAX_RESULT};
use crate::secret::{Text, Value};
use crate::yaml::writer::{self, LONGEST_KEY, Reader};

pub(super) fn to_yaml(call: &mut Call<'_>) -> Result<Value, Cause> {
    let mut out = String::new();
    block(&call.value, 0, &mut out)?;
    Ok(Value::String(Text::from(out)))
}

/// Appends a value whose lines, but for the first, are indented so far.
fn block(value: &Value, indent: usize, out: &mut String) -> Result<(), Cause> {
    // Deep nesting and many lines make more blanks than memory holds.
    if out.len() > MAX_RESULT {
        return Err(Cause::TooLong);
    }
    match value {
        Value::List(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                start_line(number, indent, out);
                out.push_str("- ");
                block(item, indent + 2, out)?;
            }
        }
        Value::Map(map) if !map.is_empty() && map.iter().all(|(key, _)| fits(key)) => {
            for (number, (key, value)) in writer::last_of_equal(map).into_iter().enumerate() {
                start_line(number, indent, out);
                out.push_str(&scalar(key));
                out.push(':');
                if is_block(value) {
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', indent + 2));
                } else {
                    out.push(' ');
                }
                block(value, indent + 2, out)?;
            }
        }
        Value::String(text) => out.push_str(&scalar(text.expose_str().ok_or(Cause::NotUtf8)?)),
        other => out.push_str(&writer::flow(other, Reader::Yaml).map_err(|_| Cause::NotUtf8)?),
    }
    Ok(())
}

fn start_line(number: usize, indent: usize, out: &mut String) {
    if number > 0 {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        _ => false,
    }
}

/// Whether a key needs no `?`; a map with one that does is written in flow style.
fn fits(key: &str) -> bool {
    writer::double_quoted(key).len() <= LONGEST_KEY
}

fn scalar(text: &str) -> String {
    if writer::may_be_plain(text, false) {
        text.to_owned()
    } else {
        writer::double_quoted(text)
    }
}
