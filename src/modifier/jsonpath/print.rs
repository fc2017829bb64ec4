//! Results as text: those of one action with a space between them, actions one behind the other.

use super::super::json::{self, Form};
use super::super::number;
use super::error::Error;
use super::item::Item;
use crate::secret::{Number, Text, Value};

/// How long the text may get: `{..}` repeats what is nested once for each level.
const MAX_LENGTH: usize = 16 << 20;

pub(super) fn print(results: &[Vec<Item<'_>>], form: Form) -> Result<Text, Error> {
    let mut out = Vec::new();
    for items in results {
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                out.push(b' ');
            }
            write(*item, form, &mut out);
            if out.len() > MAX_LENGTH {
                // What is written so far must clear itself too.
                drop(Text::from(out));
                return Err(Error::TooMuch);
            }
        }
    }
    Ok(Text::from(out))
}

fn write(item: Item<'_>, form: Form, out: &mut Vec<u8>) {
    match item {
        Item::Text(text) => out.extend_from_slice(text),
        Item::Value(Value::String(text)) => out.extend_from_slice(text.expose()),
        Item::Value(Value::Number(literal)) => {
            out.extend_from_slice(number_text(literal, form).as_bytes());
        }
        Item::Value(value) => json::write(value, form, out),
        Item::Integer(integer) => out.extend_from_slice(integer.to_string().as_bytes()),
        Item::Byte(byte) => out.extend_from_slice(byte.to_string().as_bytes()),
        Item::Float(float) => out.extend_from_slice(number::in_text(float).as_bytes()),
        Item::Bool(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
        Item::Nothing => out.extend_from_slice(b"<no value>"),
    }
}

fn number_text(number: &Number, form: Form) -> String {
    let literal = number.expose();
    let float = match form {
        Form::Go { literals: false } if !number::is_integer(literal) => literal.parse().ok(),
        _ => None,
    };
    float.map_or_else(|| literal.to_owned(), number::in_text)
}
