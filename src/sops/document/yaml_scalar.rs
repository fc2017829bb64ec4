//! How go-yaml v3 spells a scalar: plain where that reads back as the same text, else in quotes or as a literal block.

use std::fmt::Write as _;

use super::numbers::{self, Exponent};
use crate::sops::tree::Leaf;
use crate::yaml::go_scalar::{self, Scalar};
use crate::yaml::{Style, encode_base64};

/// A scalar as it is written.
pub(super) enum Token<'t> {
    /// What no secret text is in.
    Word(String),
    Plain(&'t str),
    SingleQuoted(&'t str),
    DoubleQuoted(&'t str),
    /// As a literal block.
    Block(&'t str),
}

impl<'t> Token<'t> {
    pub(super) fn of_leaf(leaf: &'t Leaf) -> Self {
        match leaf {
            Leaf::String(text) => match text.expose_str() {
                Some(text) => Self::of_text(text),
                None => Self::Word(word(leaf)),
            },
            _ => Self::Word(word(leaf)),
        }
    }

    pub(super) fn of_text(text: &'t str) -> Self {
        if text == "<<" {
            // Go-yaml takes it for a merge key wherever it stands.
            return Self::Plain("!!merge <<");
        }
        let form = Form::of(text);
        let is_string = matches!(
            go_scalar::resolve(text, Style::Plain, None),
            Ok(Scalar::String)
        );
        let needs_quotes = !is_string || is_base_60(text) || is_old_bool(text);
        match text.contains('\n') {
            true if form.block => Self::Block(text),
            true => Self::DoubleQuoted(text),
            false if needs_quotes || !form.single_quoted => Self::DoubleQuoted(text),
            false if form.plain => Self::Plain(text),
            false => Self::SingleQuoted(text),
        }
    }
}

/// A value that is no UTF-8 text.
pub(super) fn word(leaf: &Leaf) -> String {
    match leaf {
        Leaf::String(text) => format!("!!binary {}", encode_base64(text.expose())),
        Leaf::Int(integer) => integer.to_string(),
        Leaf::Float(float) => yaml_float(*float),
        Leaf::Bool(truth) => truth.to_string(),
        Leaf::Time(time) => String::from_utf8_lossy(time.to_text().expose()).into_owned(),
    }
}

fn yaml_float(float: f64) -> String {
    if float.is_nan() {
        ".nan".to_owned()
    } else if float.is_infinite() {
        if float > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        numbers::shortest(float, -4..6, Exponent::TwoDigits)
    }
}

/// Texts that old readers take for a truth value.
fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// Numbers like `1:30`, which YAML 1.1 reads to the base of 60.
fn is_base_60(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = digits.split(':');
    let first = parts.next().unwrap_or_default();
    let is_first = first.starts_with(|c: char| c.is_ascii_digit())
        && first
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut rest = parts.peekable();
    if !is_first || rest.peek().is_none() {
        return false;
    }
    while let Some(part) = rest.next() {
        let whole = if rest.peek().is_none() {
            let (whole, fraction) = part.split_once('.').unwrap_or((part, ""));
            if !fraction
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'_')
            {
                return false;
            }
            whole
        } else {
            part
        };
        let fits = match whole.as_bytes() {
            [one] => one.is_ascii_digit(),
            [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
            _ => false,
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Which forms hold a text.
struct Form {
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Form {
    fn of(text: &str) -> Self {
        let mut form = Self {
            plain: !text.starts_with("---") && !text.starts_with("..."),
            single_quoted: true,
            block: !text.is_empty() && !text.ends_with(' '),
        };
        if text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']) || text.contains('\n') {
            form.plain = false;
        }
        if text.contains("\n ") {
            (form.plain, form.single_quoted) = (false, false);
        }
        let space_at_line_end = text.contains(" \n");
        let special = text
            .chars()
            .any(|c| c != '\n' && c != '\t' && !is_printable(c));
        if space_at_line_end || special || text.contains('\t') {
            (form.plain, form.single_quoted) = (false, false);
        }
        if space_at_line_end || special {
            form.block = false;
        }
        form.plain &= !has_indicator(text);
        form
    }
}

/// Whether something in the text would be syntax.
fn has_indicator(text: &str) -> bool {
    let blank = |c: Option<char>| c.is_none_or(|c| matches!(c, ' ' | '\t' | '\n'));
    let mut characters = text.chars();
    let first = characters.next();
    let at_start = match first {
        Some(
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`',
        ) => true,
        Some('?' | ':' | '-') => blank(characters.next()),
        _ => false,
    };
    let mut before = first;
    let mut rest = text.chars().skip(1).peekable();
    let mut inside = false;
    while let Some(character) = rest.next() {
        inside |= match character {
            ':' => blank(rest.peek().copied()),
            '#' => blank(before),
            _ => false,
        };
        before = Some(character);
    }
    at_start || inside
}

/// What go-yaml prints as it is: nothing beyond the basic plane.
fn is_printable(character: char) -> bool {
    matches!(character,
        ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && !matches!(character, '\u{feff}' | '\u{2028}' | '\u{2029}')
}

/// The inside of a double-quoted scalar.
pub(super) fn escape_into(out: &mut String, text: &str) {
    for character in text.chars() {
        let code = u32::from(character);
        let _ = match character {
            '"' | '\\' => write!(out, "\\{character}"),
            '\0' => out.write_str("\\0"),
            '\u{7}' => out.write_str("\\a"),
            '\u{8}' => out.write_str("\\b"),
            '\t' => out.write_str("\\t"),
            '\n' => out.write_str("\\n"),
            '\u{b}' => out.write_str("\\v"),
            '\u{c}' => out.write_str("\\f"),
            '\r' => out.write_str("\\r"),
            '\u{1b}' => out.write_str("\\e"),
            '\u{85}' => out.write_str("\\N"),
            '\u{2028}' => out.write_str("\\L"),
            '\u{2029}' => out.write_str("\\P"),
            _ if is_printable(character) => out.write_char(character),
            '\0'..='\u{ff}' => write!(out, "\\x{code:02X}"),
            '\0'..='\u{ffff}' => write!(out, "\\u{code:04X}"),
            _ => write!(out, "\\U{code:08X}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> String {
        match Token::of_text(text) {
            Token::Word(word) => word,
            Token::Plain(text) => text.to_owned(),
            Token::SingleQuoted(text) => format!("'{}'", text.replace('\'', "''")),
            Token::DoubleQuoted(text) => {
                let mut inside = String::new();
                escape_into(&mut inside, text);
                format!("\"{inside}\"")
            }
            Token::Block(_) => "|".to_owned(),
        }
    }

    #[test]
    fn as_go_yaml_spells_them() {
        for (text, expected) in [
            ("a b", "a b"),
            ("", "\"\""),
            ("yes", "\"yes\""),
            ("1:30", "\"1:30\""),
            ("1:75", "1:75"),
            ("2024-01-01", "\"2024-01-01\""),
            ("5", "\"5\""),
            (" a", "' a'"),
            ("it's: ", "'it''s: '"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("-", "'-'"),
            ("-a", "-a"),
            ("---", "'---'"),
            ("a\tb", "\"a\\tb\""),
            ("\u{1f600}\u{1}", "\"\\U0001F600\\x01\""),
            ("a\nb", "|"),
            ("a \nb", "\"a \\nb\""),
        ] {
            assert_eq!(spelled(text), expected, "{text:?}");
        }
    }
}
