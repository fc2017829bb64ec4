//! Events of a stream of strict JSON values: RFC 8259, any number of values after one another, with byte spans.
//!
//! Our own because no kept library gives the place of each string; the YAML parser cannot serve, since it accepts what
//! Kubernetes' JSON reader refuses. Iterative, so deep nesting ends in an error and not in the stack.

use std::borrow::Cow;

use super::event::{Event, EventKind, EventReader, Layout, Properties, Style, SyntaxError};
use super::parser::MAX_DEPTH;
use crate::diagnostics::Span;

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between values: white space, a value, or the end.
    BetweenValues,
    /// A value was opened by its `DocumentStart`.
    Value,
    /// After `[`: an item or `]`.
    FirstItem,
    /// After `{`: a key or `}`.
    FirstKey,
    /// After a value: a comma, a closing bracket, or the end of the value.
    AfterValue,
}

/// Reads the events of a JSON stream. Each top-level value is one document.
pub struct JsonReader<'a> {
    text: &'a str,
    position: usize,
    state: State,
    /// The open collections: `true` for objects.
    open: Vec<bool>,
}

impl<'a> JsonReader<'a> {
    /// A reader of all values in `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            state: State::BetweenValues,
            open: Vec::new(),
        }
    }

    /// Where reading has come to, as a byte offset.
    pub fn position(&self) -> usize {
        self.position
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    fn error<T>(&self, message: &str) -> Result<T, SyntaxError> {
        let message = if self.peek().is_none() {
            "unexpected end of JSON input"
        } else {
            message
        };
        Err(SyntaxError {
            message: message.to_owned(),
            position: self.position,
        })
    }

    fn event(&self, kind: EventKind<'a>, start: usize) -> Event<'a> {
        Event {
            kind,
            span: Span::new(start, self.position),
            properties: Properties::default(),
        }
    }

    fn expect(&mut self, byte: u8, message: &str) -> Result<(), SyntaxError> {
        self.skip_blanks();
        if self.peek() != Some(byte) {
            return self.error(message);
        }
        self.position += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<Event<'a>, SyntaxError> {
        self.skip_blanks();
        let start = self.position;
        match self.peek() {
            Some(b'{') => self.open(true, State::FirstKey),
            Some(b'[') => self.open(false, State::FirstItem),
            Some(b'"') => self.string_value(),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.state = State::AfterValue;
                Ok(self.event(
                    EventKind::Scalar(self.text[start..self.position].into(), Style::Plain),
                    start,
                ))
            }
            _ => self.word(),
        }
    }

    fn string_value(&mut self) -> Result<Event<'a>, SyntaxError> {
        let start = self.position;
        let text = self.string()?;
        self.state = State::AfterValue;
        Ok(self.event(EventKind::Scalar(text, Style::Json), start))
    }

    fn word(&mut self) -> Result<Event<'a>, SyntaxError> {
        let start = self.position;
        let Some(word) = ["true", "false", "null"]
            .into_iter()
            .find(|word| self.text[start..].starts_with(word))
        else {
            return self.error("invalid character looking for the beginning of a value");
        };
        self.position += word.len();
        self.state = State::AfterValue;
        Ok(self.event(EventKind::Scalar(word.into(), Style::Plain), start))
    }

    fn open(&mut self, object: bool, state: State) -> Result<Event<'a>, SyntaxError> {
        if self.open.len() == MAX_DEPTH {
            return self.error("nested too deeply");
        }
        let start = self.position;
        self.position += 1;
        self.open.push(object);
        self.state = state;
        let kind = if object {
            EventKind::MappingStart(Layout::Flow)
        } else {
            EventKind::SequenceStart(Layout::Flow)
        };
        Ok(self.event(kind, start))
    }

    fn close(&mut self) -> Event<'a> {
        let start = self.position;
        self.position += 1;
        self.state = State::AfterValue;
        match self.open.pop() {
            Some(true) => self.event(EventKind::MappingEnd, start),
            _ => self.event(EventKind::SequenceEnd, start),
        }
    }

    fn key(&mut self) -> Result<Event<'a>, SyntaxError> {
        self.skip_blanks();
        if self.peek() != Some(b'"') {
            return self.error("invalid character looking for the beginning of an object key");
        }
        let start = self.position;
        let text = self.string()?;
        let key = self.event(EventKind::Scalar(text, Style::Json), start);
        self.expect(b':', "invalid character after an object key")?;
        self.state = State::Value;
        Ok(key)
    }

    fn after_value(&mut self) -> Result<Event<'a>, SyntaxError> {
        let Some(&object) = self.open.last() else {
            self.state = State::BetweenValues;
            return Ok(self.event(EventKind::DocumentEnd, self.position));
        };
        self.skip_blanks();
        match (self.peek(), object) {
            (Some(b','), true) => {
                self.position += 1;
                self.key()
            }
            (Some(b','), false) => {
                self.position += 1;
                self.value()
            }
            (Some(b'}'), true) | (Some(b']'), false) => Ok(self.close()),
            (_, true) => self.error("invalid character after an object's entry"),
            (_, false) => self.error("invalid character after a list's item"),
        }
    }

    /// Checks a number's grammar and steps behind it.
    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        if self.peek() == Some(b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        if self
            .peek()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
        {
            return self.error("invalid character in a number");
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.position;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        if start == self.position {
            self.error("invalid character in a number")
        } else {
            Ok(())
        }
    }

    /// The decoded text of the string that starts here; steps behind it. Borrowed when nothing is escaped.
    fn string(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        self.position += 1;
        let mut decoded = String::new();
        let mut run = self.position;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.text[run..self.position];
                    self.position += 1;
                    return Ok(if decoded.is_empty() {
                        rest.into()
                    } else {
                        (decoded + rest).into()
                    });
                }
                Some(b'\\') => {
                    decoded.push_str(&self.text[run..self.position]);
                    decoded.push(self.escape()?);
                    run = self.position;
                }
                Some(0x20..) => self.position += 1,
                _ => return self.error("invalid character in a string"),
            }
        }
    }

    /// The character of the escape that starts here. A lone surrogate is U+FFFD, as Go reads it.
    fn escape(&mut self) -> Result<char, SyntaxError> {
        self.position += 1;
        let simple = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return self.error("invalid escape in a string"),
        };
        self.position += 1;
        Ok(simple)
    }

    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let high = self.hex_digits()?;
        if !(0xD800..0xDC00).contains(&high) || !self.text[self.position..].starts_with("\\u") {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let second = self.position;
        self.position += 1;
        let low = self.hex_digits()?;
        if !(0xDC00..0xE000).contains(&low) {
            self.position = second;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        Ok(char::from_u32(code).expect("a surrogate pair is a character"))
    }

    /// The four digits behind the `u` that stands here.
    fn hex_digits(&mut self) -> Result<u32, SyntaxError> {
        self.position += 1;
        let digits = self.text.as_bytes().get(self.position..self.position + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits.and_then(|digits| std::str::from_utf8(digits).ok()) else {
            return self.error("invalid escape in a string");
        };
        self.position += 4;
        Ok(u32::from_str_radix(digits, 16).expect("four hex digits"))
    }
}

impl<'a> EventReader<'a> for JsonReader<'a> {
    fn next_event(&mut self) -> Result<Option<Event<'a>>, SyntaxError> {
        match self.state {
            State::BetweenValues => {
                self.skip_blanks();
                if self.peek().is_none() {
                    return Ok(None);
                }
                self.state = State::Value;
                Ok(Some(self.event(EventKind::DocumentStart, self.position)))
            }
            State::Value => self.value().map(Some),
            State::FirstItem | State::FirstKey => {
                self.skip_blanks();
                let object = self.state == State::FirstKey;
                match (self.peek(), object) {
                    (Some(b']'), false) | (Some(b'}'), true) => Ok(Some(self.close())),
                    (_, true) => self.key().map(Some),
                    (_, false) => self.value().map(Some),
                }
            }
            State::AfterValue => self.after_value().map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str) -> Result<Vec<Event<'_>>, SyntaxError> {
        let mut reader = JsonReader::new(text);
        let mut events = Vec::new();
        while let Some(event) = reader.next_event()? {
            events.push(event);
        }
        Ok(events)
    }

    fn scalars(text: &str) -> Vec<(String, String)> {
        let scalar = |event: Event<'_>| match event.kind {
            EventKind::Scalar(value, _) => {
                Some((value.into_owned(), text[event.span.range()].to_owned()))
            }
            _ => None,
        };
        events(text)
            .unwrap()
            .into_iter()
            .filter_map(scalar)
            .collect()
    }

    #[test]
    fn spans_cover_whole_tokens() {
        let found = scalars(r#" {"a": "x\u003cy", "b":[-1.5e3 ,true,null]} "second" "#);
        let expected = [
            ("a", "\"a\""),
            ("x<y", r#""x\u003cy""#),
            ("b", "\"b\""),
            ("-1.5e3", "-1.5e3"),
            ("true", "true"),
            ("null", "null"),
            ("second", "\"second\""),
        ];
        assert_eq!(
            found,
            expected.map(|(value, token)| (value.to_owned(), token.to_owned()))
        );
    }

    #[test]
    fn surrogates_are_read_as_go_reads_them() {
        assert_eq!(scalars(r#""\ud83d\ude00""#)[0].0, "😀");
        assert_eq!(scalars(r#""\ud83dx""#)[0].0, "\u{fffd}x");
        assert_eq!(scalars(r#""\ud83d\u0041""#)[0].0, "\u{fffd}A");
    }

    #[test]
    fn broken_texts_name_the_position() {
        for (text, position) in [
            ("{\"a\":1,}", 7),
            ("{\"a\":1", 6),
            ("{a: 1}", 1),
            ("[1 2]", 3),
            ("{\"a\" 1}", 5),
            ("\"\n\"", 1),
            ("\"\\x\"", 2),
            ("\"\\u12\"", 3),
            ("01", 1),
            ("1.", 2),
            ("-", 1),
            ("1.5.2", 3),
            ("{} ---", 4),
            ("nul", 0),
            ("]", 0),
        ] {
            assert_eq!(events(text).unwrap_err().position, position, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let text = "[".repeat(100_000);
        assert_eq!(events(&text).unwrap_err().message, "nested too deeply");
    }
}
