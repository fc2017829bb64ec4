//! Values as compact JSON, for `jsonPath` (as Go's encoder writes it) and for [`super::stringify()`] (as people read it).

use std::collections::{BTreeMap, HashMap};

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;

use super::number;
use crate::secret::{Map, Number, Value};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Keys in the order of their source, numbers as their literals, characters as they are.
    Plain,
    /// Keys sorted, `<`, `>` and `&` escaped; other numbers than integers as floats, unless they are literals.
    Go {
        /// Whether numbers are literals of the store that go out as they are.
        literals: bool,
    },
}

/// Appends a value. Of two equal keys the last counts; bytes become a base64 string.
pub(super) fn write(value: &Value, form: Form, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(literal(number, form).as_bytes()),
        Value::String(text) => string(&String::from_utf8_lossy(text.expose()), form, out),
        Value::Bytes(bytes) => string(&STANDARD.encode(bytes.expose()), form, out),
        Value::List(items) => list(items, form, out),
        Value::Map(map) => object(map, form, out),
    }
}

fn literal(number: &Number, form: Form) -> String {
    let literal = number.expose();
    let float = match form {
        Form::Go { literals: false } if !number::is_integer(literal) => literal.parse().ok(),
        _ => None,
    };
    float.map_or_else(|| literal.to_owned(), number::in_json)
}

fn list(items: &[Value], form: Form, out: &mut Vec<u8>) {
    out.push(b'[');
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write(item, form, out);
    }
    out.push(b']');
}

fn object(map: &Map, form: Form, out: &mut Vec<u8>) {
    out.push(b'{');
    for (number, (key, value)) in entries(map, form).into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        string(key, form, out);
        out.push(b':');
        write(value, form, out);
    }
    out.push(b'}');
}

/// The entries that count, in the order that `form` wants.
fn entries(map: &Map, form: Form) -> Vec<(&str, &Value)> {
    if let Form::Go { .. } = form {
        return sorted(map);
    }
    let last: HashMap<&str, usize> = map
        .iter()
        .enumerate()
        .map(|(at, (key, _))| (key.as_str(), at))
        .collect();
    map.iter()
        .enumerate()
        .filter(|(at, (key, _))| last.get(key.as_str()) == Some(at))
        .map(|(_, (key, value))| (key.as_str(), value))
        .collect()
}

/// The entries that count, sorted by key.
pub(super) fn sorted(map: &Map) -> Vec<(&str, &Value)> {
    let entries: BTreeMap<&str, &Value> = map
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    entries.into_iter().collect()
}

fn string(text: &str, form: Form, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..' ' => escape(c, out),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if form != Form::Plain => escape(c, out),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

fn escape(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
}
