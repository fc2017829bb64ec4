//! What a scalar means to go-yaml v3: the dialect by which SOPS reads files, and so hashes what it left unencrypted.
//! The other dialect, of Kubernetes, is [`super::resolve`].

use super::event::Style;
use super::resolve::{Resolved, kubernetes};
use super::timestamp::Timestamp;

/// How YAML's own tags begin.
const CORE: &str = "tag:yaml.org,2002:";

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Null.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits 64 bits, signed or unsigned.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// A point in time.
    Time(Timestamp),
    /// A string: the scalar's text.
    String,
    /// A string that its tag says to be base64 of some bytes.
    Binary,
}

/// The scalar's text does not fit its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value that does not fit its tag")]
pub struct TagMismatch;

/// The meaning of a scalar with its style and tag. Tags that YAML does not know make it a string.
pub fn resolve(text: &str, style: Style, tag: Option<&str>) -> Result<Scalar, TagMismatch> {
    match tag.map(|tag| tag.strip_prefix(CORE).unwrap_or(tag)) {
        None | Some("" | "!") if matches!(style, Style::Plain) => Ok(plain(text, true)),
        Some("binary") => Ok(Scalar::Binary),
        Some(tag @ ("null" | "bool" | "int" | "float" | "timestamp")) => {
            match (tag, plain(text, tag == "timestamp")) {
                ("float", Scalar::Integer(integer)) => i64::try_from(integer)
                    .map(to_float)
                    .map_err(|_| TagMismatch),
                ("null", found @ Scalar::Null)
                | ("bool", found @ Scalar::Bool(_))
                | ("int", found @ Scalar::Integer(_))
                | ("float", found @ Scalar::Float(_))
                | ("timestamp", found @ Scalar::Time(_)) => Ok(found),
                _ => Err(TagMismatch),
            }
        }
        _ => Ok(Scalar::String),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "go-yaml converts the same way, and rounds"
)]
fn to_float(integer: i64) -> Scalar {
    Scalar::Float(integer as f64)
}

fn plain(text: &str, times: bool) -> Scalar {
    match text.as_bytes().first() {
        Some(b'.') => dotted(text),
        Some(b'0'..=b'9' | b'+' | b'-') => number(text, times),
        _ => match text {
            "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
            "true" | "True" | "TRUE" => Scalar::Bool(true),
            "false" | "False" | "FALSE" => Scalar::Bool(false),
            _ => Scalar::String,
        },
    }
}

fn dotted(text: &str) -> Scalar {
    match kubernetes(text) {
        Resolved::Float(special) if !special.is_finite() => Scalar::Float(special),
        _ => parse_float(text).map_or(Scalar::String, Scalar::Float),
    }
}

fn number(text: &str, times: bool) -> Scalar {
    if let Some(time) = times.then(|| Timestamp::from_yaml(text)).flatten() {
        return Scalar::Time(time);
    }
    match kubernetes(text) {
        Resolved::Integer(integer) => Scalar::Integer(integer),
        Resolved::Float(float) => Scalar::Float(float),
        _ => odd_integer(&text.replace('_', "")).map_or(Scalar::String, Scalar::Integer),
    }
}

/// Binary and octal numbers with a second sign behind the prefix, which go-yaml lets through.
fn odd_integer(text: &str) -> Option<i128> {
    let (radix, digits) = if let Some(digits) = text.strip_prefix("0b") {
        (2, digits)
    } else {
        (8, text.strip_prefix("0o")?)
    };
    i64::from_str_radix(digits, radix).ok().map(i128::from)
}

/// A number as Go's `ParseFloat` takes it: exponents, `inf`, `Infinity` and `NaN` in any letter case, underscores
/// between digits. Hexadecimal floats, which nobody writes, are left out.
pub fn parse_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let underscores_separate = bytes.iter().enumerate().all(|(at, byte)| {
        let is_digit =
            |at: Option<usize>| at.is_some_and(|at| bytes.get(at).is_some_and(u8::is_ascii_digit));
        *byte != b'_' || (is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
    });
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_nan = unsigned.eq_ignore_ascii_case("nan");
    let special = is_nan || unsigned.to_ascii_lowercase().starts_with("inf");
    if !underscores_separate || (is_nan && unsigned.len() != text.len()) {
        return None;
    }
    // Rust's own grammar is Go's decimal one.
    let float: f64 = text.replace('_', "").parse().ok()?;
    (special || float.is_finite()).then_some(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_plain(text: &str) -> Scalar {
        resolve(text, Style::Plain, None).unwrap()
    }

    #[test]
    fn the_table_of_plain_scalars() {
        for (texts, expected) in [
            ("true True TRUE", Scalar::Bool(true)),
            ("False", Scalar::Bool(false)),
            (
                "yes no on off y n Yes tRue = << 0xZZ 0o9 1e400 190:20:30 1:30 +.nan 0b2 - + . ._5 2020-01-01T10:00:00",
                Scalar::String,
            ),
            ("~ null Null NULL", Scalar::Null),
            ("-5", Scalar::Integer(-5)),
            ("+5", Scalar::Integer(5)),
            ("0x1F 31 0b11111 3_1 3__1 31_ 037 0o37", Scalar::Integer(31)),
            (
                "-0x10 -020 -0b10000 -16 0b-10000 0o-20",
                Scalar::Integer(-16),
            ),
            ("-0 0 00", Scalar::Integer(0)),
            (
                "9223372036854775808 0x8000000000000000",
                Scalar::Integer(1 << 63),
            ),
            ("08 8. 8.0 8e0", Scalar::Float(8.0)),
            (
                "18446744073709551616",
                Scalar::Float(18_446_744_073_709_551_616.0),
            ),
            (
                "-9223372036854775809",
                Scalar::Float(-9_223_372_036_854_775_808.0),
            ),
            ("1_000.5 1000.5 1.0005e3", Scalar::Float(1000.5)),
            (".5 .5_0", Scalar::Float(0.5)),
            (".inf +.inf .Inf", Scalar::Float(f64::INFINITY)),
            ("-.inf -.INF", Scalar::Float(f64::NEG_INFINITY)),
        ] {
            for text in texts.split(' ') {
                assert_eq!(of_plain(text), expected, "{text}");
            }
        }
        assert_eq!(of_plain(""), Scalar::Null);
        assert!(matches!(of_plain(".nan"), Scalar::Float(float) if float.is_nan()));
        assert!(matches!(of_plain("2024-01-01"), Scalar::Time(_)));
        assert!(matches!(of_plain("-0.0"), Scalar::Float(zero) if zero.is_sign_negative()));
    }

    #[test]
    fn tags_and_quotes() {
        let tagged = |text, tag: &str| resolve(text, Style::Plain, Some(&format!("{CORE}{tag}")));
        assert_eq!(tagged("123", "str"), Ok(Scalar::String));
        assert_eq!(tagged("3", "float"), Ok(Scalar::Float(3.0)));
        assert_eq!(tagged("3.5", "int"), Err(TagMismatch));
        assert_eq!(tagged("yes", "bool"), Err(TagMismatch));
        assert_eq!(tagged("2024-01-01", "int"), Err(TagMismatch));
        assert!(matches!(
            tagged("2024-01-01", "timestamp"),
            Ok(Scalar::Time(_))
        ));
        assert_eq!(tagged("/w==", "binary"), Ok(Scalar::Binary));
        let quoted = Style::DoubleQuoted;
        assert_eq!(resolve("true", quoted, None), Ok(Scalar::String));
        assert_eq!(
            resolve("5", Style::Plain, Some("!mine")),
            Ok(Scalar::String)
        );
        assert_eq!(
            resolve("5", Style::Plain, Some("!")),
            Ok(Scalar::Integer(5))
        );
    }

    #[test]
    fn floats_as_go_parses_them() {
        for (text, expected) in [
            ("1e3", Some(1000.0)),
            ("-1.5", Some(-1.5)),
            ("1_0.5", Some(10.5)),
            ("Infinity", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("_1", None),
            ("1_", None),
            ("1e400", None),
            ("-nan", None),
            ("infinit", None),
            ("0x10", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(parse_float(text), expected, "{text}");
        }
        assert!(parse_float("NaN").is_some_and(f64::is_nan));
    }
}
