//! Settings in the dotenv form: `export`, quotes, comments, and `$VAR` or `${VAR}` from the lines above or the
//! environment, as AVP's reader takes them.
//!
//! Our own reader: those of crates take `$VAR` from the process, whose environment is a value here.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use regex::{Captures, Regex};

use super::{EXPANSION, TOO_LARGE};
use crate::diagnostics::{Diagnostic, Source, Span};
use crate::env::Environment;
use crate::secret::Text;
use crate::settings::document::{Entry, Node, failed};

/// `KEY=value` or `KEY: value`: the key, then the value in single quotes, in double quotes, or up to a comment.
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    let key = r"^\s*(?:export\s+)?(?<key>[0-9A-Za-z_.]+)(?:\s*=\s*|:\s+?)";
    let value = r#"(?<value>'[^']*'|"[^"]*"|[^#\n]+)?\s*(?:\s*\#.*)?$"#;
    Regex::new(&format!("{key}{value}")).expect("a fixed expression")
});

/// A variable in a value. A backslash before it keeps it as it is.
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\\?\$\{?([A-Z0-9_]+)?\}?").expect("a fixed expression"));

/// Reads all lines. Of two equal keys the last counts.
pub(super) fn parse(
    source: &Arc<Source>,
    environment: &Environment,
) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let mut values = BTreeMap::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut room = Some(EXPANSION);
    let mut start = 0;
    for line in source.text().split_inclusive('\n') {
        let content = line.strip_prefix('\u{feff}').unwrap_or(line);
        let content_start = start + line.len() - content.len();
        start += line.len();
        let content = content.trim_end_matches(['\n', '\r']);
        if content.trim().is_empty() || content.trim_start().starts_with('#') {
            continue;
        }
        let Some(found) = LINE.captures(content) else {
            return Err(failed(source, content_start, "expected KEY=value"));
        };
        let key = found.name("key").expect("the expression has it");
        let raw = found.name("value").map_or("", |value| value.as_str());
        let mut odd = odd_form(content, raw);
        let value = expand(raw, &values, environment, &mut room, &mut odd);
        if room.is_none() {
            return Err(failed(source, content_start, TOO_LARGE));
        }
        values.insert(key.as_str().to_owned(), value.clone());
        let span = Span::from(key.range()).shifted(content_start);
        let value = Node::Scalar(Text::from(value));
        entries.push(Entry {
            odd,
            ..Entry::at(key.as_str(), span, value)
        });
    }
    Ok(entries)
}

/// Whether a value is surely not what was meant: a quote that is a part of it, or a `#` that was to be one.
fn odd_form(content: &str, raw: &str) -> Option<&'static str> {
    let text = raw.trim_matches(' ');
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    match quote {
        Some(quote) if is_quoted(text, quote) => None,
        Some(_) => Some("begins with a quote that does not end it, and is part of the value"),
        None => {
            let before = content
                .split('#')
                .next()
                .filter(|before| *before != content);
            let is_cut = before.is_some_and(|before| !before.ends_with(char::is_whitespace));
            is_cut.then_some("is cut off at a #, where a comment begins")
        }
    }
}

fn is_quoted(text: &str, quote: char) -> bool {
    text.len() > 1 && text.starts_with(quote) && text.ends_with(quote)
}

/// Fills in variables, and says whether one is not set. Of `room` is taken what they bring, and nothing is left of it
/// once they bring too much.
fn expand(
    raw: &str,
    above: &BTreeMap<String, String>,
    environment: &Environment,
    room: &mut Option<usize>,
    odd: &mut Option<&'static str>,
) -> String {
    let single = raw.starts_with('\'');
    let double = raw.starts_with('"');
    let raw = raw.trim_matches(' ');
    let text = if is_quoted(raw, '"') || is_quoted(raw, '\'') {
        &raw[1..raw.len() - 1]
    } else {
        raw
    };
    let text = if double {
        unescape(text)
    } else {
        text.to_owned()
    };
    let replace = |found: &Captures<'_>| {
        let whole = &found[0];
        if let Some(kept) = whole.strip_prefix('\\') {
            return kept.to_owned();
        }
        match found.get(1) {
            Some(name) if !single => {
                let value = above.get(name.as_str()).map(String::as_str);
                let value = value
                    .or_else(|| environment.get(name.as_str()))
                    .unwrap_or_else(|| {
                        *odd = Some("has a $ in front of what is no variable that is set, and both are left out");
                        ""
                    });
                *room = room.and_then(|room| room.checked_sub(value.len()));
                room.map_or_else(String::new, |_| value.to_owned())
            }
            _ => whole.to_owned(),
        }
    };
    VARIABLE.replace_all(&text, replace).into_owned()
}

/// In double quotes `\n` and `\r` are line ends, and a backslash goes from before all but `$`.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('$') => out.push_str("\\$"),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Rendering, render};

    fn parse_text(text: &str) -> Result<Vec<Entry>, Box<Diagnostic>> {
        let environment = [("HOME_X", "from-env"), ("A", "env-a")]
            .into_iter()
            .collect();
        parse(&Arc::new(Source::new("x.env", text)), &environment)
    }

    fn value(text: &str, key: &str) -> String {
        let entries = parse_text(text).unwrap();
        let entry = entries.iter().rfind(|entry| entry.key == key).unwrap();
        let Node::Scalar(value) = &entry.value else {
            panic!("{entry:?}");
        };
        value.expose_str().unwrap().to_owned()
    }

    #[test]
    fn lines_that_double_each_other_are_an_error() {
        let line = |i: usize| format!("A{i}=$A{0}$A{0}\n", i - 1);
        let text = "A0=SECRET\n".to_owned() + &(1..50).map(line).collect::<String>();
        let error = render(&[*parse_text(&text).unwrap_err()], Rendering::PLAIN);
        assert!(
            error.ends_with(&format!("  = cause: {TOO_LARGE}\n")),
            "{error}"
        );
        assert!(!error.contains("SECRET"), "{error}");
    }

    #[test]
    fn reads_the_forms_people_write() {
        for (line, expected) in [
            ("K=v", "v"),
            ("export K=v", "v"),
            ("  K = v  ", "v"),
            ("K: v", "v"),
            ("K=v # comment", "v"),
            ("K='a # b'  # c", "a # b"),
            ("K=\"a # b\"", "a # b"),
            ("K=", ""),
            ("K=''", ""),
            ("K=a=b", "a=b"),
            ("K=\"a\\nb\\\"", "a\nb\\"),
            ("K='a\\nb'", "a\\nb"),
            ("K=${HOME_X}/y", "from-env/y"),
            ("K=$HOME_X", "from-env"),
            ("K='$HOME_X'", "$HOME_X"),
            ("K=\"$HOME_X\"", "from-env"),
            ("K=\"\\$HOME_X\"", "$HOME_X"),
            ("K=\\$HOME_X", "$HOME_X"),
            ("K=a$b", "a$b"),
            ("K=$NOT_SET-x", "-x"),
            ("A=above\nK=$A", "above"),
            ("K=$A", "env-a"),
            ("K=1\nK=2", "2"),
            ("\u{feff}K=v\r\n", "v"),
            ("# c\n\nK=é", "é"),
        ] {
            assert_eq!(value(line, "K"), expected, "{line}");
        }
    }

    #[test]
    fn what_damages_a_value_is_odd() {
        let odd = |line: &str| parse_text(line).unwrap().pop().unwrap().odd;
        let says = |line| odd(line).and_then(|odd| odd.split(' ').next());
        for line in ["K=\"abc", "K='abc", "K='a b' c", "K=\"", "K='a#b"] {
            assert_eq!(says(line), Some("begins"), "{line}");
        }
        for line in ["K=a#b", "K=a b#c # d", "K=#a", "export K: a#b"] {
            assert_eq!(says(line), Some("is"), "{line}");
        }
        for line in ["K=a$5b", "K=\"a${NOT_SET}b\"", "K=$NOT_SET"] {
            assert_eq!(says(line), Some("has"), "{line}");
        }
        for line in [
            "K=a # b",
            "K= # b",
            "K=",
            "K='a#b$NOT_SET'",
            "K=\"a#b\"#c",
            "K=$HOME_X",
            "K=a$b",
            "K=\\$NOT_SET",
            "K=it's",
        ] {
            assert_eq!(odd(line), None, "{line}");
        }
    }

    #[test]
    fn a_broken_line_is_named_and_not_quoted() {
        let error = parse_text("K=v\nexport SECRET\n").unwrap_err();
        assert_eq!(
            render(&[*error], Rendering::PLAIN),
            "error: While parsing config\n --> x.env:2:1\n  = cause: expected KEY=value\n"
        );
    }

    #[test]
    fn keys_know_their_place() {
        let source = Arc::new(Source::new("x.env", "\u{feff}export K=v\n Z=1\n"));
        let entries = parse(&source, &Environment::default()).unwrap();
        let keys: Vec<_> = entries
            .iter()
            .map(|entry| source.slice(entry.span))
            .collect();
        assert_eq!(keys, ["K", "Z"]);
    }
}
