//! Go's regular expressions in this program's dialect, so that a path validation means what it meant to AVP.
//!
//! Both are RE2 dialects without look-around. What differs: in Go `\d`, `\w`, `\s` and `\b` know ASCII only, brackets hold
//! neither sets nor set operations, `{` without a count is itself, `\Q…\E` quotes, and there are fewer flags and escapes.

/// What Go calls its classes of ASCII characters. Any other `[:name:]` is an error there.
const NAMED: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Why an expression is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl From<regex::Error> for Invalid {
    /// The compiler draws the translated expression with a caret above its one sentence.
    fn from(error: regex::Error) -> Self {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        Self(last.trim().trim_start_matches("error: ").to_owned())
    }
}

/// The same expression for `regex`. What only Go refuses is refused here, the rest when that compiles it.
pub fn translate(pattern: &str) -> Result<String, Invalid> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
    };
    translator.run()?;
    Ok(translator.out)
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        self.next_if(|_| true)
    }

    fn next_if(&mut self, is: impl Fn(char) -> bool) -> Option<char> {
        let c = self.rest.chars().next().filter(|c| is(*c))?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Steps over a text if it comes next, and says whether it did.
    fn skip(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Steps over a text if it comes next, and takes it along.
    fn copy(&mut self, text: &str) {
        if self.skip(text) {
            self.out.push_str(text);
        }
    }

    fn run(&mut self) -> Result<(), Invalid> {
        let mut repeats = false;
        while let Some(c) = self.next() {
            let is_repetition = match c {
                '*' | '+' | '?' => true,
                '{' => self.is_count(),
                _ => false,
            };
            if is_repetition {
                if repeats {
                    return Err(invalid("a repetition cannot be repeated"));
                }
                self.repetition(c);
            } else {
                self.piece(c)?;
            }
            repeats = is_repetition;
        }
        Ok(())
    }

    fn piece(&mut self, c: char) -> Result<(), Invalid> {
        match c {
            '\\' => return self.escape(),
            '[' => return self.class(),
            '(' => return self.group(),
            '{' => self.out.push_str("\\{"),
            c => self.out.push(c),
        }
        Ok(())
    }

    /// An operator, or a count up to its `}`, and the `?` that makes it lazy.
    fn repetition(&mut self, operator: char) {
        self.out.push(operator);
        if operator == '{' {
            while let Some(c) = self.next_if(|c| c != '}') {
                self.out.push(c);
            }
            self.copy("}");
        }
        self.copy("?");
    }

    /// `(`, and the flags that may follow. Names and look-around are for `regex` to read.
    fn group(&mut self) -> Result<(), Invalid> {
        self.out.push('(');
        if !self.skip("?") {
            return Ok(());
        }
        self.out.push('?');
        while let Some(c) = self.next_if(|c| c.is_ascii_alphabetic() || c == '-') {
            if matches!(c, 'x' | 'u' | 'R') {
                return Err(Invalid(format!("there is no flag {c}")));
            }
            self.out.push(c);
            if c == 'P' {
                break;
            }
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Invalid> {
        if self.skip("b") {
            self.out.push_str("(?-u:\\b)");
        } else if self.skip("B") {
            self.out.push_str("(?-u:\\B)");
        } else if self.skip("Q") {
            self.quoted();
        } else if let Some(end) = self.next_if(|c| matches!(c, 'A' | 'z')) {
            self.out.push('\\');
            self.out.push(end);
        } else if !self.escaped_class()? {
            let c = self.escaped_char()?;
            self.literal(c);
        }
        Ok(())
    }

    /// A class behind a backslash, in brackets or not; says whether it was one.
    fn escaped_class(&mut self) -> Result<bool, Invalid> {
        let Some(letter) = self.next_if(|c| "dDwWsSpP".contains(c)) else {
            return Ok(false);
        };
        self.out.push_str(match letter {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => "[\\t\\n\\f\\r ]",
            'S' => "[^\\t\\n\\f\\r ]",
            _ => return self.unicode_class(letter == 'P').map(|()| true),
        });
        Ok(true)
    }

    /// What follows the `p` of `pL`, `p{Greek}` or `p{^Greek}`.
    fn unicode_class(&mut self, negated: bool) -> Result<(), Invalid> {
        let name = match self.next() {
            None => return Err(trailing()),
            Some('{') => self.up_to_brace()?,
            Some(letter) => letter.to_string(),
        };
        let positive = name.strip_prefix('^');
        let letter = if negated == positive.is_some() {
            'p'
        } else {
            'P'
        };
        self.out.push('\\');
        self.out.push(letter);
        self.out.push('{');
        self.out.push_str(positive.unwrap_or(&name));
        self.out.push('}');
        Ok(())
    }

    fn up_to_brace(&mut self) -> Result<String, Invalid> {
        let closed = self.rest.split_once('}');
        let (text, rest) = closed.ok_or_else(|| invalid("unclosed brace"))?;
        self.rest = rest;
        Ok(text.to_owned())
    }

    /// The one character that a backslash and what follows mean.
    fn escaped_char(&mut self) -> Result<char, Invalid> {
        let c = self.next().ok_or_else(trailing)?;
        let unknown = || Invalid(format!("\\{c} is not an escape sequence"));
        Ok(match c {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => return self.hexadecimal().ok_or_else(unknown),
            '0' => self.octal(c).ok_or_else(unknown)?,
            '1'..='7' if self.rest.starts_with(|next: char| next.is_digit(8)) => {
                self.octal(c).ok_or_else(unknown)?
            }
            '1'..='9' => return Err(invalid("back-references are not supported")),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(unknown()),
        })
    }

    /// `2d` or `{2d}`.
    fn hexadecimal(&mut self) -> Option<char> {
        let digits = if self.skip("{") {
            self.up_to_brace().ok()?
        } else {
            [self.next()?, self.next()?].into_iter().collect()
        };
        let only_digits = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let code = u32::from_str_radix(&digits, 16).ok();
        code.filter(|_| only_digits).and_then(char::from_u32)
    }

    /// Up to three digits with the first.
    fn octal(&mut self, first: char) -> Option<char> {
        let mut digits = String::from(first);
        while digits.len() < 3 {
            match self.next_if(|c| c.is_digit(8)) {
                Some(digit) => digits.push(digit),
                None => break,
            }
        }
        u32::from_str_radix(&digits, 8)
            .ok()
            .and_then(char::from_u32)
    }

    fn literal(&mut self, c: char) {
        self.out
            .push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    /// Everything up to `\E`, or to the end.
    fn quoted(&mut self) {
        let (text, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
        self.rest = rest;
        self.out.push_str(&regex::escape(text));
    }

    /// A class in brackets. A `]` that comes first is itself. Every character is escaped: doubled, `-`, `&` and `~` are
    /// set operations here, and nothing special there.
    fn class(&mut self) -> Result<(), Invalid> {
        self.out.push('[');
        self.copy("^");
        let mut is_first = true;
        while is_first || !self.skip("]") {
            is_first = false;
            if !self.named_class()? && !self.class_in_brackets()? {
                self.range()?;
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// A class behind a backslash; says whether it was one.
    fn class_in_brackets(&mut self) -> Result<bool, Invalid> {
        let start = self.rest;
        let found = self.skip("\\") && self.escaped_class()?;
        if !found {
            self.rest = start;
        }
        Ok(found)
    }

    /// A character, or two with `-` between them. At the end of the class `-` is itself.
    fn range(&mut self) -> Result<(), Invalid> {
        let from = self.class_char()?;
        self.literal(from);
        if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
            self.skip("-");
            let to = self.class_char()?;
            self.out.push('-');
            self.literal(to);
        }
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, Invalid> {
        match self.next() {
            None => Err(invalid("unclosed character class")),
            Some('\\') => self.escaped_char(),
            Some(c) => Ok(c),
        }
    }

    /// `[:alpha:]` or `[:^alpha:]`; says whether it was one. `[:` without its end is itself.
    fn named_class(&mut self) -> Result<bool, Invalid> {
        let Some(text) = self.rest.strip_prefix("[:") else {
            return Ok(false);
        };
        let end = text.find(|c: char| !c.is_ascii_alphabetic() && c != '^');
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        let Some(rest) = rest.strip_prefix(":]") else {
            return Ok(false);
        };
        if !NAMED.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(Invalid(format!("there is no character class [:{name}:]")));
        }
        self.out.push_str("[:");
        self.out.push_str(name);
        self.out.push_str(":]");
        self.rest = rest;
        Ok(true)
    }

    /// Whether `{` is followed by `n}`, `n,}` or `n,m}`, without leading zeros.
    fn is_count(&self) -> bool {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != ',');
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let (from, to) = text.split_once(',').unwrap_or((text, ""));
        let is_number = |text: &str| text.len() < 2 || !text.starts_with('0');
        rest.starts_with('}')
            && !from.is_empty()
            && !to.contains(',')
            && is_number(from)
            && is_number(to)
    }
}

fn invalid(reason: &str) -> Invalid {
    Invalid(reason.to_owned())
}

fn trailing() -> Invalid {
    invalid("a backslash at the end")
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::translate;

    const LOOK_AROUND: &str = "look-around, including look-ahead and look-behind, is not supported";

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
            (r"^\p{L}+$", "é", true),
            (r"^\p{^L}$", "1", true),
            (r"^\P{L}$", "é", false),
            (r"^\P{^Greek}$", "α", true),
            (r"^[\p{L}\PL-]+$", "é-1", true),
            (r"^a\x{2d}\x2D$", "a--", true),
            (r"^[\x{61}-\x{63}]+$", "abc", true),
            (r"^\060\0600$", "000", true),
            (r"^[+--]$", "-", true),
            (r"^[+--]$", ",", true),
            (r"^[!-&&-~~~]+$", "!&~", true),
            (r"^[a-z--/]+$", "a./", true),
            (r"^[a-]$", "-", true),
            (r"^[a-c-e]+$", "a-e", true),
            (r"^[a-c-e]+$", "d", false),
            (r"^\<a\>$", "<a>", true),
            (r"^[\<\>]$", "<", true),
            (r"^a\Bb\B-\Bé$", "ab-é", false),
            (r"^a\Bb$", "ab", true),
            (r"\b{start}", "a{start}", true),
            (r"^[[:^digit:][:x]+$", "a:[x", true),
            (r"^a{01}$", "a{01}", true),
            (r"^a+?b??$", "aa", true),
            (r"^(?P<x>a)(?:b)$", "ab", true),
            (r"^(?P<Rux>a)$", "a", true),
            (r"^(?s-i:.)$", "\n", true),
            (r"^[\n\v\a\f\r\t]$", "\u{b}", true),
        ] {
            let regex = Regex::new(&translate(pattern).unwrap()).unwrap();
            assert_eq!(regex.is_match(text), matches, "{pattern} on {text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            ("(?!x)", LOOK_AROUND),
            ("(?=x)", LOOK_AROUND),
            ("(?<=x)", LOOK_AROUND),
            (r"(a)\1", "back-references are not supported"),
            (r"\8", "back-references are not supported"),
            ("[", "unclosed character class"),
            ("[]", "unclosed character class"),
            ("\\", "a backslash at the end"),
            ("*", "repetition operator missing expression"),
            ("a**", "a repetition cannot be repeated"),
            ("a{2}+", "a repetition cannot be repeated"),
            (
                "[b-a]",
                "invalid character class range, the start must be <= the end",
            ),
            (r"[+-\d]", r"\d is not an escape sequence"),
            (r"\Z", r"\Z is not an escape sequence"),
            (r"\x{}", r"\x is not an escape sequence"),
            (r"\x{+1}", r"\x is not an escape sequence"),
            (r"\x1", r"\x is not an escape sequence"),
            (r"\p{L", "unclosed brace"),
            (r"\p", "a backslash at the end"),
            (r"\p{Nosuch}", "Unicode property not found"),
            ("[[:foo:]]", "there is no character class [:foo:]"),
            ("(?x)a b", "there is no flag x"),
            ("(?i-x:a)", "there is no flag x"),
            ("(?u)a", "there is no flag u"),
            ("(?R)a", "there is no flag R"),
        ] {
            let compiled = translate(pattern).and_then(|text| Ok(Regex::new(&text)?));
            assert_eq!(compiled.unwrap_err().to_string(), reason, "{pattern}");
        }
    }
}
