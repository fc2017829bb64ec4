//! What a plain scalar means: the table by which Kubernetes reads YAML (`avp-compat.md` 3.3), and the wider question
//! whether any reader at all might take a text for something else than a string.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// The meaning of an untagged plain scalar.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// Null.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits 64 bits, signed or unsigned.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// A string.
    String,
}

/// How Kubernetes (YAML 1.1 as go-yaml v2 reads it) takes an untagged plain scalar.
pub fn kubernetes(text: &str) -> Resolved {
    // Nearly all texts are ruled out by their first letter, or are longer than any word that means something.
    match text.as_bytes() {
        [] | [b'0'..=b'9' | b'+' | b'-' | b'.' | b'~', ..] => {}
        [
            b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O',
            rest @ ..,
        ] if rest.len() < "false".len() => {}
        _ => return Resolved::String,
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            return Resolved::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Resolved::String;
    }
    let digits: Cow<'_, str> = if text.contains('_') {
        text.replace('_', "").into()
    } else {
        text.into()
    };
    integer(&digits)
        .map(Resolved::Integer)
        .or_else(|| float(&digits).map(Resolved::Float))
        .unwrap_or(Resolved::String)
}

/// Go's base-0 syntax: decimal, `0x`, `0o`, `0b` in any letter case, and a leading zero for octal.
fn integer(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let signed = unsigned.len() != text.len();
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    let fits = i64::try_from(value).is_ok() || (!signed && u64::try_from(value).is_ok());
    fits.then_some(value)
}

fn float(text: &str) -> Option<f64> {
    static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")
            .expect("a valid pattern")
    });
    FLOAT
        .is_match(text)
        .then(|| text.parse::<f64>().ok())
        .flatten()
        .filter(|value| value.is_finite())
}

/// Whether every YAML reader (1.1 of any make, 1.2) takes this untagged plain text for a string. Says nothing about
/// whether the text may stand plain at all: see [`super::writer`].
pub fn is_string_for_all(text: &str) -> bool {
    /// Number and time spellings of YAML 1.1's and 1.2's schemas and of common readers, wider rather than narrower.
    static LOOK_ALIKE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?x)^(?:
              [-+]?[0-9][0-9_,]*(?::[0-9]+)*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9_]*)?   # integers, floats, base 60
            | [-+]?\.[0-9_]+(?:[eE][-+]?[0-9_]*)?
            | [-+]?0[xX][0-9a-fA-F_]* | [-+]?0[oO][0-7_]* | [-+]?0[bB][01_]*
            | [-+]?\.(?:inf|Inf|INF|nan|NaN|NAN) | (?i:[-+]?(?:inf|infinity|nan))
            | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\ \t].*)?                       # dates and times
            | (?i:y|n|yes|no|on|off|true|false|null|none|nil) | ~ | = | <<
            )$",
        )
        .expect("a valid pattern")
    });
    !text.is_empty() && !LOOK_ALIKE.is_match(text) && kubernetes(text) == Resolved::String
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_kubernetes() {
        for (text, expected) in [
            ("", Resolved::Null),
            ("~", Resolved::Null),
            ("on", Resolved::Bool(true)),
            ("N", Resolved::Bool(false)),
            ("tRue", Resolved::String),
            ("012", Resolved::Integer(10)),
            ("0o17", Resolved::Integer(15)),
            ("0x1F", Resolved::Integer(31)),
            ("0B101", Resolved::Integer(5)),
            ("1_000", Resolved::Integer(1000)),
            ("+5", Resolved::Integer(5)),
            (
                "-9223372036854775808",
                Resolved::Integer(i128::from(i64::MIN)),
            ),
            (
                "18446744073709551615",
                Resolved::Integer(i128::from(u64::MAX)),
            ),
            (
                "+18446744073709551615",
                Resolved::Float(18_446_744_073_709_551_615.0),
            ),
            ("08", Resolved::Float(8.0)),
            ("1e3", Resolved::Float(1000.0)),
            ("81111e1", Resolved::Float(811_110.0)),
            (".5", Resolved::Float(0.5)),
            ("1e400", Resolved::String),
            ("1:30", Resolved::String),
            ("0x", Resolved::String),
            ("0b2", Resolved::String),
            ("1.2.3", Resolved::String),
            ("2020-01-01", Resolved::String),
            ("=", Resolved::String),
            (".", Resolved::String),
            ("-", Resolved::String),
        ] {
            assert_eq!(kubernetes(text), expected, "{text}");
        }
    }

    #[test]
    fn words_that_some_reader_takes_for_something_else() {
        for text in [
            "",
            "yes",
            "tRue",
            "1:30",
            "12:30:45",
            "2020-01-01",
            "2001-12-14t21:59:43.10-05:00",
            "0o7",
            "1_000",
            "1e3",
            ".inf",
            "=",
            "<<",
            "~",
            "0x1F",
            "+1",
            "-0",
            "1e400",
            "1,000",
            "190:20:30.15",
            "NaN",
            "none",
        ] {
            assert!(!is_string_for_all(text), "{text}");
        }
        for text in [
            "alice",
            "1.2.3",
            "10.0.0.1",
            "a1",
            "v1",
            "12ab",
            "-",
            "0xzz",
            "12:30:45x",
            "on-call",
            "1 2",
        ] {
            assert!(is_string_for_all(text), "{text}");
        }
    }
}
