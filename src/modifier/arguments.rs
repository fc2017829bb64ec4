//! What stands behind a modifier's name (`docs/grammar.md`, "Arguments"): AVP's words between white space, or ours,
//! which may be quoted.

use std::borrow::Cow;

use super::Cause;

/// What a modifier takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// Nothing.
    None,
    /// One word, called so in messages, as AVP splits them: without quotes.
    One(&'static str),
    /// One such word or more.
    Many(&'static str),
    /// Words or quoted texts, in the form that messages show. What stands in brackets may be left out.
    Quoted(&'static str),
}

impl Arguments {
    /// The arguments in a statement, from the end of its name on, if they are as many as are taken.
    pub(super) fn read(self, statement: &str, from: usize) -> Result<Vec<Cow<'_, str>>, Cause> {
        let arguments = match self {
            Self::Quoted(_) => split(statement, from)?,
            _ => statement[from..]
                .split_whitespace()
                .map(Cow::Borrowed)
                .collect(),
        };
        if self.accept(arguments.len()) {
            Ok(arguments)
        } else {
            Err(Cause::Parameters)
        }
    }

    fn accept(self, count: usize) -> bool {
        match self {
            Self::None => count == 0,
            Self::One(_) => count == 1,
            Self::Many(_) => count >= 1,
            Self::Quoted(form) => {
                let most = form.split(' ').count();
                let optional = form.split(' ').filter(|name| name.starts_with('['));
                (most - optional.count()..=most).contains(&count)
            }
        }
    }
}

/// Words between white space; one that opens with a quote is a JSON string, and nothing may touch it.
fn split(statement: &str, mut at: usize) -> Result<Vec<Cow<'_, str>>, Cause> {
    let mut arguments = Vec::new();
    loop {
        let rest = statement[at..].trim_start();
        at = statement.len() - rest.len();
        if rest.is_empty() {
            return Ok(arguments);
        }
        let quoted = rest.starts_with('"');
        let length = if quoted {
            quoted_length(rest).ok_or(Cause::OpenQuote(at))?
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (word, behind) = rest.split_at(length);
        let glued = behind.starts_with(|next: char| !next.is_whitespace());
        if glued || !quoted && word.contains('"') {
            return Err(Cause::TouchedQuote(at));
        }
        if word.starts_with('\'') {
            return Err(Cause::SingleQuote(at));
        }
        arguments.push(if quoted {
            serde_json::from_str(word).map_err(|_| Cause::Escape(at))?
        } else {
            Cow::Borrowed(word)
        });
        at += length;
    }
}

/// How long the quoted text is that a text opens with, quotes included.
fn quoted_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    let closing = text.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map(|at| at + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a manifest writes arguments that hold anything.
    fn print(arguments: &[String]) -> String {
        let quoted = arguments.iter().map(|argument| {
            let text = serde_json::to_string(argument).unwrap();
            text.replace('|', r"\u007c")
                .replace('<', r"\u003c")
                .replace('>', r"\u003e")
        });
        quoted.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_and_quoted_texts() {
        for (text, expected) in [
            ("", &[][..]),
            (" \n\t ", &[]),
            ("a", &["a"]),
            ("a\u{a0}b", &["a", "b"]),
            (r#""" "a b""#, &["", "a b"]),
            (r#""say \"hi\"\\" x"#, &[r#"say "hi"\"#, "x"]),
            (r#""\u007c\u003e\u003c\u0023""#, &["|><#"]),
            (r#""\n\t\r\b\f\/""#, &["\n\t\r\u{8}\u{c}/"]),
            (r#""\ud83d\ude00é""#, &["😀é"]),
            (r"C:\x it's", &[r"C:\x", "it's"]),
        ] {
            assert_eq!(split(text, 0).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn broken_quotes_are_told_by_position() {
        for (statement, cause) in [
            (r#"m "a"#, Cause::OpenQuote(2)),
            (r#"m "a" ""#, Cause::OpenQuote(6)),
            (r#"m "a\""#, Cause::OpenQuote(2)),
            (r#"m "a" "\x""#, Cause::Escape(6)),
            (r#"m "\u12""#, Cause::Escape(2)),
            (r#"m "\ud83d""#, Cause::Escape(2)),
            (r#"m "\ude00\ud83d""#, Cause::Escape(2)),
            ("m \"a\nb\"", Cause::Escape(2)),
            (r#"m  "a"b"#, Cause::TouchedQuote(3)),
            (r#"m "a""b""#, Cause::TouchedQuote(2)),
            ("m a 'b'", Cause::SingleQuote(4)),
            (r#"m é a"b""#, Cause::TouchedQuote(5)),
        ] {
            assert_eq!(split(statement, 1), Err(cause), "{statement}");
        }
    }

    #[test]
    fn as_many_as_the_form_says() {
        let form = Arguments::Quoted(r#""USER" [COST]"#);
        assert_eq!(form.read("m", 1), Err(Cause::Parameters));
        assert_eq!(form.read("m a", 1).unwrap().len(), 1);
        assert_eq!(form.read(r#"m "a" 5"#, 1).unwrap().len(), 2);
        assert_eq!(form.read("m a b c", 1), Err(Cause::Parameters));
        assert_eq!(
            Arguments::Many("T").read(r#"m "a b"#, 1).unwrap(),
            ["\"a", "b"]
        );
    }

    #[test]
    fn a_long_statement_takes_no_longer_for_its_words() {
        for word in [r#""\"" "#, "a "] {
            let arguments = split(&word.repeat(500_000), 0).unwrap().len();
            assert_eq!(arguments, 500_000);
        }
        assert_eq!(split(&"\"\\".repeat(1 << 20), 0), Err(Cause::OpenQuote(0)));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed(arguments: Vec<String>) {
            let text = print(&arguments);
            prop_assert!(!text.contains(['|', '<', '>']));
            prop_assert_eq!(split(&text, 0).unwrap(), arguments);
        }

        #[test]
        fn anything_is_read_or_refused(text: String) {
            if let Ok(arguments) = split(&text, 0) {
                let arguments: Vec<String> = arguments.into_iter().map(Cow::into_owned).collect();
                let again = print(&arguments);
                prop_assert_eq!(split(&again, 0).unwrap(), arguments);
            }
        }
    }
}
