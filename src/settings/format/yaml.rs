//! Settings in YAML, read as YAML 1.2, and in JSON as a part of it.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, NonFiniteFloatPolicy, Spanned};

use crate::diagnostics::{Diagnostic, Source, Span};
use crate::env::Environment;
use crate::secret::Text;
use crate::settings::document::{Entry, Node, failed};
use crate::yaml::lines;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads YAML. Two equal keys are an error.
pub(super) fn parse(source: &Arc<Source>, _: &Environment) -> Result<Vec<Entry>, Box<Diagnostic>> {
    read(source, DuplicateKeyPolicy::Error)
}

/// Reads JSON. Of two equal keys the last counts.
pub(super) fn parse_json(
    source: &Arc<Source>,
    _: &Environment,
) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let text = source.text();
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let line = text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1));
        let offset = line.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
        let offset = offset + source.text().len() - text.len();
        let message = error.to_string();
        let end = message.rfind(" at line ").unwrap_or(message.len());
        return Err(failed(source, offset, &message[..end]));
    }
    read(source, DuplicateKeyPolicy::LastWins)
}

fn read(
    source: &Arc<Source>,
    duplicate_keys: DuplicateKeyPolicy,
) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let options = serde_saphyr::options! {
        duplicate_keys: duplicate_keys,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(source.text(), options)
        .map_err(|error| syntax_error(source, &error))?;
    match node(source, raw.value, raw.defined) {
        Node::Map(entries) => Ok(entries),
        Node::Null => Ok(Vec::new()),
        Node::Scalar(_) | Node::List(_) => Err(failed(source, 0, "expected keys and values")),
    }
}

fn syntax_error(source: &Arc<Source>, error: &Error) -> Box<Diagnostic> {
    let offset = error
        .location()
        .map_or(0, |location| offset(source.text(), location));
    if let Some(cause) = own_words(error.without_snippet()) {
        return failed(source, offset, cause);
    }
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    // What follows a comma or semicolon is advice for programmers.
    let cause = text[..end].split([';', ',']).next().unwrap_or_default();
    failed(source, offset, cause)
}

/// For what the parser explains by types of its own language.
fn own_words(error: &Error) -> Option<&'static str> {
    match error {
        Error::InvalidScalar { .. }
        | Error::InvalidBooleanStrict { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::UnsupportedTag { .. } => Some("the value is not what its tag says"),
        Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            Some("this tag has no place in settings")
        }
        Error::NullIntoString { .. }
        | Error::Unexpected {
            expected: "string scalar",
            ..
        } => Some("a key must be a text"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            Some("the alias stands within what it means")
        }
        _ => None,
    }
}

/// The byte at a line and column; the parser does not always know bytes.
fn offset(text: &str, location: Location) -> usize {
    let index = |number: u64| usize::try_from(number).map_or(0, |number| number.saturating_sub(1));
    let line = lines::of(text, 0, text.len()).nth(index(location.line()));
    let line_start = line.map_or(text.len(), |line| line.start);
    // To the parser, marks in front of a line are no characters.
    let behind = text[line_start..].trim_start_matches(BYTE_ORDER_MARK);
    let column = behind.char_indices().nth(index(location.column()));
    column.map_or(text.len(), |(at, _)| text.len() - behind.len() + at)
}

fn node(source: &Source, raw: Raw, location: Location) -> Node {
    match raw {
        Raw::Null => Node::Null,
        Raw::Text(text) => Node::Scalar(Text::from(text)),
        Raw::Bool(value) => Node::Scalar(Text::from(value.to_string())),
        Raw::Number => Node::Scalar(Text::from(source.slice(span(source, location)))),
        Raw::List(items) => {
            let items = items.into_iter().enumerate().map(|(index, item)| {
                let span = span(source, item.referenced);
                Entry::at(
                    &index.to_string(),
                    span,
                    node(source, item.value, item.defined),
                )
            });
            Node::List(items.collect())
        }
        Raw::Map(entries) => Node::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    value_span: span(source, value.referenced),
                    ..Entry::at(
                        &key.value,
                        span(source, key.referenced),
                        node(source, value.value, value.defined),
                    )
                })
                .collect(),
        ),
    }
}

fn span(source: &Source, location: Location) -> Span {
    let start = offset(source.text(), location);
    let length = location.span().byte_len().unwrap_or_default();
    let end = usize::try_from(length).map_or(start, |length| start + length);
    Span::new(start, source.text().floor_char_boundary(end).max(start))
}

/// What the parser hands over.
enum Raw {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Rendering, render};
    use crate::settings::document::show;

    const WRONG_TAG: &str = "the value is not what its tag says";

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source::new("s.yaml", text))
    }

    #[test]
    fn yaml_is_read_as_1_2_and_numbers_keep_their_spelling() {
        for (text, shown) in [
            ("", ""),
            ("# only a comment\n", ""),
            ("---\na: b\n", "a=\"b\""),
            (
                "a: yes\nb: on\nc: True\nd: false",
                "a=\"yes\" b=\"on\" c=\"true\" d=\"false\"",
            ),
            (
                "a: 1\nb: 0x10\nc: 1.50\nd: 0123",
                "a=\"1\" b=\"0x10\" c=\"1.50\" d=\"0123\"",
            ),
            ("é: &x 5\nb: *x\n", "é=\"5\" b=\"5\""),
            (
                "a: 123456789012345678901234567890",
                "a=\"123456789012345678901234567890\"",
            ),
            ("a:\nb: ~\nc: null\nd: ''", "a=~ b=~ c=~ d=\"\""),
            (
                "a: 2020-01-01\nb: \"x\\ty\\n\"",
                "a=\"2020-01-01\" b=\"x\\ty\\n\"",
            ),
            (
                "a: [1, {b: c}]\nd: {e: {f: g}}",
                "a=[0=\"1\" 1={b=\"c\"}] d={e={f=\"g\"}}",
            ),
            ("\u{feff}a: b\r\nc: d\r\n", "a=\"b\" c=\"d\""),
            ("1: x\n", "1=\"x\""),
            ("a: 1e999\nb: .nan\n", "a=\"1e999\" b=\".nan\""),
            ("a: !!int 5\nb: !!str 5\n", "a=\"5\" b=\"5\""),
        ] {
            let entries = parse(&source(text), &Environment::default()).unwrap();
            assert_eq!(show(&entries), shown, "{text}");
        }
    }

    #[test]
    fn json_takes_the_last_of_equal_keys() {
        let text = r#"{"a":"\ud83d\ude00\/","b":1e3,"c":null,"d":false,"a":"z"}"#;
        let entries = parse_json(&source(text), &Environment::default()).unwrap();
        let last: Vec<_> = entries.iter().filter(|entry| entry.key == "a").collect();
        let Some(Node::Scalar(text)) = last.last().map(|entry| &entry.value) else {
            panic!("{entries:?}");
        };
        assert_eq!(text.expose_str(), Some("z"));
        let text = r#"{"a":"\ud83d\ude00\/","b":1e3,"c":null,"d":false}"#;
        let entries = parse_json(&source(text), &Environment::default()).unwrap();
        assert_eq!(show(&entries), "a=\"😀/\" b=\"1e3\" c=~ d=\"false\"");
    }

    #[test]
    fn keys_and_values_know_their_places() {
        let source = source("é: x\nkey: &v some text\nother: *v\n");
        let entries = parse(&source, &Environment::default()).unwrap();
        let places: Vec<_> = entries
            .iter()
            .map(|e| (source.slice(e.span), source.slice(e.value_span)))
            .collect();
        assert_eq!(places, [("é", "x"), ("key", "some text"), ("other", "*v")]);
    }

    #[test]
    fn syntax_errors_name_the_place_and_quote_nothing() {
        for (text, cause, place) in [
            ("a: [\n", "unclosed bracket '['", "1:4"),
            ("x: y\na: \"SECRET\nb: c\n", "unclosed quote", "2:4"),
            ("a: 1\nb: 2\na: SECRET\n", "duplicate mapping key: a", "3:1"),
            (
                "a: SECRET: x\n",
                "mapping values are not allowed in this context",
                "1:10",
            ),
            ("- SECRET\n", "expected keys and values", "1:1"),
            ("SECRET", "expected keys and values", "1:1"),
            ("a: \"\\qSECRET\"\n", "while parsing a quoted scalar", "1:4"),
            ("a: *SECRET\n", "alias references unknown anchor", "1:4"),
            ("a: !!int SECRET\n", WRONG_TAG, "1:10"),
            ("a: !!float SECRET\n", WRONG_TAG, "1:12"),
            ("a: !!bool SECRET\n", WRONG_TAG, "1:11"),
            ("a: !!binary SECRET_\n", WRONG_TAG, "1:13"),
            ("a: !!binary gICA\n", WRONG_TAG, "1:13"),
            ("a: !!str {x: SECRET}\n", WRONG_TAG, "1:10"),
            (
                "a: !!timestamp SECRET\n",
                "this tag has no place in settings",
                "1:16",
            ),
            ("[SECRET]: x\n", "a key must be a text", "1:1"),
            ("~: SECRET\n", "a key must be a text", "1:1"),
            (
                "a: &b [*b]\n",
                "the alias stands within what it means",
                "1:8",
            ),
            (
                "a: b\n---\nc: SECRET\n",
                "multiple YAML documents detected",
                "3:1",
            ),
        ] {
            let error = parse(&source(text), &Environment::default()).unwrap_err();
            let expected =
                format!("error: While parsing config\n --> s.yaml:{place}\n  = cause: {cause}\n");
            assert_eq!(render(&[*error], Rendering::PLAIN), expected, "{text}");
        }
    }

    #[test]
    fn broken_json_names_the_place() {
        let error = parse_json(&source("{\"a\":\n  SECRET}"), &Environment::default()).unwrap_err();
        assert_eq!(
            render(&[*error], Rendering::PLAIN),
            "error: While parsing config\n --> s.yaml:2:3\n  = cause: expected value\n"
        );
    }
}
