//! Values of settings as Go's client reads them, and the texts for those that it cannot read: they name the setting and
//! where it came from, never its value.

use std::time::Duration;

use crate::env::{Options, SettingsError};

/// Which of several settings for one thing counts: the first that is set. What a named instance says itself counts before
/// what merely lies in the environment.
pub fn first_set<'k>(options: &Options, keys: &[&'k str]) -> Option<&'k str> {
    let set = || {
        keys.iter()
            .copied()
            .filter(|key| options.text(key).is_some())
    };
    let own = set().find(|key| options.is_structured(key));
    own.or_else(|| set().next())
}

/// A text that is sent in a header or names a host: printable, or the request would fail later and less clearly.
pub fn header_text(options: &Options, key: &'static str) -> Result<Option<String>, SettingsError> {
    let line = options.line(key).map(|text| text.map(ToOwned::to_owned));
    line.map_err(|error| SettingsError {
        message: format!("{SETUP}: {}", error.message),
        ..error
    })
}

pub(super) fn flag(options: &Options, key: &'static str) -> Result<bool, SettingsError> {
    let parse = |text| parse_bool(text).ok_or_else(|| unparseable(options, key, "true or false"));
    options.text(key).map_or(Ok(false), parse)
}

pub(super) fn number(options: &Options, key: &'static str) -> Result<Option<u32>, SettingsError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| unparseable(options, key, "a number"))
    };
    options.text(key).map(parse).transpose()
}

pub(super) fn duration(
    options: &Options,
    key: &'static str,
) -> Result<Option<Duration>, SettingsError> {
    let expected = "seconds, or a duration like 1m30s or 500ms";
    let parse = |text| parse_duration(text).ok_or_else(|| unparseable(options, key, expected));
    options.text(key).map(parse).transpose()
}

/// A truth value as Go spells it.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Whole seconds, or a duration as Go spells it (`1m30s`, `1.5h`); no negative ones.
fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, tail) = tail.split_at(letters.unwrap_or(tail.len()));
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(amount.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total).filter(|_| !text.is_empty())
}

const SETUP: &str = "error encountered setting up default configuration";

pub fn setup(text: &str) -> SettingsError {
    SettingsError::new(format!("{SETUP}: {text}"))
}

/// AVP's words for a value that cannot be read; what would be right is the hint.
pub(super) fn unparseable(options: &Options, key: &'static str, expected: &str) -> SettingsError {
    let error = setup(&format!("could not parse {}", options.described(key)));
    error.about(key).hint(format!("give {expected}"))
}

pub fn wrong(
    options: &Options,
    key: &'static str,
    problem: impl std::fmt::Display,
) -> SettingsError {
    setup(&format!("{}: {problem}", options.described(key))).about(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_what_go_takes() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        for (text, expected) in [
            ("0", 0),
            ("90", 90_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("2d", 172_800_000),
            ("0s", 0),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "-1",
            "1x",
            "s",
            "1m30",
            "1e3s",
            ".s",
            "99999999999999999999h",
            "1 s",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn truth_values_are_those_of_go() {
        assert_eq!(parse_bool("T"), Some(true));
        assert_eq!(parse_bool("0"), Some(false));
        for text in ["", "yes", "on", "TrUe", "2"] {
            assert_eq!(parse_bool(text), None, "{text}");
        }
    }
}
