//! Go's regular expressions in this program's dialect, so that a path validation means what it meant to AVP.
//!
//! Both are RE2 dialects without look-around. What differs: in Go `\d`, `\w`, `\s` and `\b` know ASCII only, `[` within
//! brackets and `{` without a count are themselves, and `\Q…\E` quotes.

use std::iter::Peekable;
use std::str::Chars;

/// The same expression for `regex`. Whether it is valid is found out when that compiles it.
pub fn translate(pattern: &str) -> String {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 16),
    };
    translator.run();
    translator.out
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
}

impl Translator<'_> {
    fn run(&mut self) {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => self.escape(false),
                '[' => self.class(),
                '{' if !self.is_count() => self.out.push_str("\\{"),
                c => self.out.push(c),
            }
        }
    }

    fn escape(&mut self, in_class: bool) {
        let Some(c) = self.rest.next() else {
            self.out.push('\\');
            return;
        };
        match c {
            'd' => self.out.push_str("[0-9]"),
            'D' => self.out.push_str("[^0-9]"),
            'w' => self.out.push_str("[0-9A-Za-z_]"),
            'W' => self.out.push_str("[^0-9A-Za-z_]"),
            's' => self.out.push_str("[\\t\\n\\f\\r ]"),
            'S' => self.out.push_str("[^\\t\\n\\f\\r ]"),
            'b' if !in_class => self.out.push_str("(?-u:\\b)"),
            'Q' if !in_class => self.quoted(),
            c => {
                self.out.push('\\');
                self.out.push(c);
            }
        }
    }

    /// Everything up to `\E`, or to the end.
    fn quoted(&mut self) {
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                break;
            }
            text.push(c);
        }
        self.out.push_str(&regex::escape(&text));
    }

    /// A class in brackets. A `]` that comes first is itself.
    fn class(&mut self) {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        if self.rest.next_if_eq(&']').is_some() {
            self.out.push_str("\\]");
        }
        while let Some(c) = self.rest.next() {
            match c {
                ']' => {
                    self.out.push(']');
                    return;
                }
                '\\' => self.escape(true),
                '[' if self.rest.peek() == Some(&':') => self.named_class(),
                // Doubled they are set operations here, and nothing special there.
                '[' | '&' | '~' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                c => self.out.push(c),
            }
        }
    }

    /// `[:alpha:]`, up to its end.
    fn named_class(&mut self) {
        self.out.push('[');
        while let Some(c) = self.rest.next_if(|c| *c != ']') {
            self.out.push(c);
        }
    }

    /// Whether `{` is followed by `n}`, `n,}` or `n,m}`.
    fn is_count(&self) -> bool {
        let text: String = self.rest.clone().take_while(|c| *c != '}').collect();
        let closed = self.rest.clone().any(|c| c == '}');
        let (from, to) = text.split_once(',').unwrap_or((&text, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        closed && !from.is_empty() && digits(from) && digits(to)
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::translate;

    #[test]
    fn means_what_go_means() {
        for (pattern, text, matches) in [
            (r"^secret/data/team-\d$", "secret/data/team-1", true),
            (r"^secret/data/team-\d$", "secret/data/team-١", false),
            (r"^\w+$", "abc_1", true),
            (r"^\w+$", "é", false),
            (r"^[\w-]+$", "a-b", true),
            (r"^[^\d/]+$", "a1", false),
            (r"^\S+$", "a\u{a0}b", true),
            (r"\bteam\b", "x/team/y", true),
            (r"\bteam\b", "éteam", true),
            (r"a{b}", "a{b}", true),
            (r"{x", "{x", true),
            (r"^a{2}$", "aa", true),
            (r"^a{2,}$", "aaa", true),
            (r"^a{2,3}$", "aaaa", false),
            (r"^a{,3}$", "a{,3}", true),
            (r"^[[]$", "[", true),
            (r"^[]a]$", "]", true),
            (r"^[a&&b]$", "&", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"^[[:alpha:]]+$", "a1", false),
            (r"^\Qa.b\E.$", "a.bc", true),
            (r"^\Qa.b\E.$", "axbc", false),
            (r"^\Qa.b", "a.b", true),
            (r"^kv/(dev|test)/", "kv/test/x", true),
            (r"(?i)^KV$", "kv", true),
            (r"^\{\\\.$", "{\\.", true),
            (r"^.$", "é", true),
            (r"^\pL+$", "é", true),
        ] {
            let regex = Regex::new(&translate(pattern)).unwrap();
            assert_eq!(regex.is_match(text), matches, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "(", "(?!x)", "(?=x)", "(?<=x)", r"(a)\1", "[", "\\", "*", "[b-a]", r"\Z",
        ] {
            assert!(Regex::new(&translate(pattern)).is_err(), "{pattern}");
        }
    }
}
