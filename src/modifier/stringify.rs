//! A value as text, where only text may stand: in a `ConfigMap`, and in base64 of a Secret.

use super::json::{self, Form};
use crate::secret::{Text, Value};

/// The text of a value: strings and bytes as they are, numbers by their literal, words for `true`, `false` and `null`,
/// lists and maps as compact JSON. Not necessarily UTF-8.
pub fn stringify(value: &Value) -> Text {
    match value {
        Value::String(text) | Value::Bytes(text) => text.clone(),
        other => {
            let mut text = Vec::new();
            json::write(other, Form::Plain, &mut text);
            Text::from(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Number;

    fn number(literal: &str) -> Value {
        Value::Number(Number::from_literal(literal))
    }

    #[test]
    fn every_type_has_a_text() {
        let map = vec![
            ("z".to_owned(), Value::string("a\"\n\u{1}<é\u{1f600}")),
            ("k".to_owned(), number("1")),
            (
                "n".to_owned(),
                Value::List(vec![number("1.50"), Value::Null]),
            ),
            ("b".to_owned(), Value::Bytes(Text::from("bin"))),
            ("k".to_owned(), Value::Map(Vec::new())),
        ];
        let cases = [
            (Value::string("<b>"), "<b>"),
            (Value::Bytes(Text::from("bin")), "bin"),
            (Value::Bool(true), "true"),
            (Value::Bool(false), "false"),
            (Value::Null, "null"),
            (number("12345678901234567890"), "12345678901234567890"),
            (number("1.50"), "1.50"),
            (
                Value::Map(map),
                "{\"z\":\"a\\\"\\n\\u0001<é\u{1f600}\",\"n\":[1.50,null],\"b\":\"Ymlu\",\"k\":{}}",
            ),
        ];
        for (value, text) in cases {
            assert_eq!(stringify(&value).expose_str(), Some(text));
        }
    }

    #[test]
    fn bytes_stay_bytes() {
        let bytes = vec![0xff, 0, b'a'];
        let text = stringify(&Value::String(Text::from(bytes.clone())));
        assert_eq!(text.expose(), bytes);
    }
}
