//! Scalars and values as text that every YAML reader (1.1 and 1.2) and, where quoted, every JSON reader takes for the
//! same thing.

use std::fmt::Write;

use super::resolve;
use crate::secret::{Map, Value};

/// The longest key, as it is written, that needs no `?`: YAML readers give up looking for its colon at 1,024.
pub const LONGEST_KEY: usize = 1000;

/// A text in double quotes, on one line, with escapes that are valid in YAML 1.1, YAML 1.2 and JSON.
pub fn double_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    escape_into(&mut quoted, text);
    quoted.push('"');
    quoted
}

/// The inside of [`double_quoted`].
pub fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_printable(character) => out.push(character),
            _ => write!(out, "\\u{:04x}", u32::from(character)).expect("writing to a string"),
        }
    }
}

/// Whether every reader takes the raw character for itself, apart from tabs and line ends. All that do not are in the
/// basic plane, so `\u` can write them.
pub fn is_printable(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a text may stand as an untagged plain scalar on one line and is read as exactly this string by everyone.
/// Conservative: `false` for much that would work.
pub fn may_be_plain(text: &str, in_flow: bool) -> bool {
    const FIRST: &[char] = &[
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@',
        '`', ' ', '=',
    ];
    let first_is_fine = !text.starts_with(FIRST)
        || (text.starts_with('-')
            && text[1..].starts_with(|c: char| c.is_alphanumeric() || c == '/'));
    first_is_fine
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && text.chars().all(is_printable)
        && !(in_flow && (text.contains([',', '[', ']', '{', '}', ':', '?']) || text.contains(" -")))
        && resolve::is_string_for_all(text)
}

/// A text on one line, plain where everyone reads it so.
pub fn one_line(text: &str, in_flow: bool) -> String {
    if may_be_plain(text, in_flow) {
        text.to_owned()
    } else {
        double_quoted(text)
    }
}

/// What reads a text in flow style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// JSON readers, and only they.
    Json,
    /// YAML readers, which find the colon behind a long key only if a `?` announces it.
    Yaml,
}

/// A value in flow style on one line, strings and keys double-quoted.
///
/// Bytes are written as base64. A string must be UTF-8.
///
/// # Errors
/// The value holds a string that is not UTF-8.
pub fn flow(value: &Value, reader: Reader) -> Result<String, NotUtf8> {
    let mut out = String::new();
    flow_into(&mut out, value, reader)?;
    Ok(out)
}

/// A string that is not UTF-8 cannot stand in YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is not UTF-8 text")]
pub struct NotUtf8;

fn flow_into(out: &mut String, value: &Value, reader: Reader) -> Result<(), NotUtf8> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_literal(number.expose())),
        Value::String(text) => out.push_str(&double_quoted(text.expose_str().ok_or(NotUtf8)?)),
        Value::Bytes(bytes) => out.push_str(&double_quoted(&super::encode_base64(bytes.expose()))),
        Value::List(items) => {
            out.push('[');
            separated(out, items, |out, item| flow_into(out, item, reader))?;
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            separated(out, &last_of_equal(map), |out, (key, value)| {
                out.push_str(&flow_key(key, reader));
                flow_into(out, value, reader)
            })?;
            out.push('}');
        }
    }
    Ok(())
}

/// A quoted key with its colon and a blank.
fn flow_key(key: &str, reader: Reader) -> String {
    let quoted = double_quoted(key);
    if reader == Reader::Yaml && quoted.len() > LONGEST_KEY {
        format!("? {quoted} : ")
    } else {
        quoted + ": "
    }
}

fn separated<T>(
    out: &mut String,
    items: &[T],
    mut write: impl FnMut(&mut String, &T) -> Result<(), NotUtf8>,
) -> Result<(), NotUtf8> {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(out, item)?;
    }
    Ok(())
}

/// Of equal keys the last, in the place of the first: YAML readers refuse duplicates.
pub fn last_of_equal(map: &Map) -> Vec<(&str, &Value)> {
    let mut entries: Vec<(&str, &Value)> = Vec::with_capacity(map.len());
    let mut places = std::collections::HashMap::new();
    for (key, value) in map {
        let key = key.as_str();
        if let Some(&place) = places.get(key) {
            entries[place] = (key, value);
        } else {
            places.insert(key, entries.len());
            entries.push((key, value));
        }
    }
    entries
}

/// A JSON number so that YAML 1.1 readers take it for a number too: a float has a point, an exponent has a sign.
///
/// An integer beyond 64 bits stays as it is: each reader does with it what it does.
pub fn number_literal(literal: &str) -> String {
    let Some(exponent) = literal.find(['e', 'E']) else {
        return literal.to_owned();
    };
    let (digits, power) = (&literal[..exponent], &literal[exponent + 1..]);
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if power.starts_with(['+', '-']) {
        ""
    } else {
        "+"
    };
    format!("{digits}{point}e{sign}{power}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Number;

    #[test]
    fn one_writer_for_double_quotes() {
        let text = "a\"\\/\n\r\t\0\u{1b}\u{7f}\u{85}\u{2028}\u{feff}é😀";
        assert_eq!(
            double_quoted(text),
            r#""a\"\\/\n\r\t\u0000\u001b\u007f\u0085\u2028\ufeffé😀""#
        );
    }

    #[test]
    fn plain_where_nobody_misreads_it() {
        for text in [
            "alice",
            "p@ss/w0rd=",
            "a b",
            "http://x.example:80/p",
            "it's",
            "-x",
            "a#b",
            "10.0.0.1",
        ] {
            assert!(may_be_plain(text, false), "{text}");
        }
        for text in [
            "", " a", "a ", "a: b", "a #b", "- a", "-", "123", "yes", "a:", "*x", "12:30:45",
            "a\tb", "---", "...", "%x",
        ] {
            assert!(!may_be_plain(text, false), "{text}");
        }
        assert!(may_be_plain("a,b", false) && !may_be_plain("a,b", true));
    }

    #[test]
    fn values_in_flow_style() {
        let value = Value::Map(vec![
            ("a".to_owned(), Value::Number(Number::from_literal("1E5"))),
            (
                "<<".to_owned(),
                Value::List(vec![Value::Null, Value::Bool(true), Value::string("yes")]),
            ),
            ("a".to_owned(), Value::Bytes("bin".into())),
        ]);
        assert_eq!(
            flow(&value, Reader::Yaml).unwrap(),
            r#"{"a": "Ymlu", "<<": [null, true, "yes"]}"#
        );
        let long = "k".repeat(1100);
        let value = Value::Map(vec![(long.clone(), Value::Null)]);
        assert_eq!(
            flow(&value, Reader::Yaml).unwrap(),
            format!("{{? \"{long}\" : null}}")
        );
        assert_eq!(
            flow(&value, Reader::Json).unwrap(),
            format!("{{\"{long}\": null}}")
        );
        assert_eq!(number_literal("1E5"), "1.0e+5");
        assert_eq!(number_literal("1.5e-7"), "1.5e-7");
        assert_eq!(flow(&Value::string(vec![0xff]), Reader::Json), Err(NotUtf8));
    }
}
