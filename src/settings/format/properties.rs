//! Settings as Java properties in UTF-8. Dots in a key are maps in maps, and `${name}` is another key of the file or a
//! variable of the environment, as AVP's reader has it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use java_properties::{LineContent, PropertiesIter};

use super::{DEPTH, EXPANSION, Lines, TOO_LARGE};
use crate::diagnostics::{Diagnostic, Source, Span};
use crate::env::Environment;
use crate::secret::Text;
use crate::settings::document::{Entry, Node, failed, merge};

/// Reads all keys. Of two equal ones the last counts.
pub(super) fn parse(
    source: &Arc<Source>,
    environment: &Environment,
) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let text = source.text().trim_start_matches('\u{feff}');
    let lines = Lines::of(source.text());
    let mut pairs = Vec::new();
    for line in PropertiesIter::new_with_encoding(text.as_bytes(), encoding_rs::UTF_8) {
        let line = line.map_err(|error| {
            let start = lines.start(error.line_number().unwrap_or(1));
            failed(source, start, "there is an escape that means nothing")
        })?;
        let start = lines.start(line.line_number());
        if let LineContent::KVPair(key, value) = line.consume_content() {
            pairs.push((key, value, start));
        }
    }
    let values = Values {
        keys: pairs
            .iter()
            .map(|(key, value, _)| (key.as_str(), value.as_str()))
            .collect(),
        environment,
        room: Cell::new(EXPANSION),
    };
    let mut entries = Vec::new();
    for (key, _, start) in &pairs {
        let value = values
            .expand(values.keys[key.as_str()], DEPTH)
            .map_err(|cause| failed(source, *start, cause))?;
        let mut path: Vec<&str> = key.split('.').take(DEPTH + 1).collect();
        if path.len() > DEPTH {
            return Err(failed(source, *start, "a key has more than 64 parts"));
        }
        let last = path.pop().unwrap_or_default();
        let entry = Entry::at(last, Span::at(*start), Node::Scalar(Text::from(value)));
        entries.push(entry.below(path.into_iter()));
    }
    Ok(merge(entries))
}

struct Values<'a> {
    keys: BTreeMap<&'a str, &'a str>,
    environment: &'a Environment,
    /// How much references may still bring in.
    room: Cell<usize>,
}

impl Values<'_> {
    /// What a name stands for goes in for `${name}`; nothing, where it stands for nothing.
    fn expand(&self, text: &str, depth: usize) -> Result<String, &'static str> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("${") {
            let (name, after) = reference.split_once('}').ok_or("a ${ has no }")?;
            out.push_str(before);
            let value = match self.keys.get(name) {
                Some(_) if depth == 0 => return Err("a ${...} means itself"),
                Some(value) => &self.expand(value, depth - 1)?,
                None => self.environment.get(name).unwrap_or_default(),
            };
            // One more for each: nothing, taken often enough, takes for ever.
            let room = self.room.get().checked_sub(value.len() + 1);
            self.room.set(room.ok_or(TOO_LARGE)?);
            out.push_str(value);
            rest = after;
        }
        Ok(out + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Rendering, render};
    use crate::settings::document::show;

    fn read(text: &str) -> Result<Vec<Entry>, Box<Diagnostic>> {
        let source = Arc::new(Source::new("x.properties", text));
        parse(&source, &[("HERE", "env")].into_iter().collect())
    }

    #[test]
    fn reads_the_forms_people_write() {
        for (text, shown) in [
            ("", ""),
            (
                "a=x\\\n  y\nb: c\nd e\n! c\n# c\n",
                "a=\"xy\" b=\"c\" d=\"e\"",
            ),
            ("a=\\u0041\\t|\n", "a=\"A\\t|\""),
            ("a=é b\r\nc=\n", "a=\"é b\" c=\"\""),
            ("\u{feff}a=b\n", "a=\"b\""),
            ("a=${b}-${HERE}-${nothing}\nb=1\n", "a=\"1-env-\" b=\"1\""),
            ("a.b=1\na.c=2\n", "a={b=\"1\" c=\"2\"}"),
            ("a=1\na=2\n", "a=\"2\" a=\"2\""),
        ] {
            assert_eq!(show(&read(text).unwrap()), shown, "{text}");
        }
    }

    #[test]
    fn what_has_no_end_is_an_error() {
        let double = |first: &str| {
            let line = |i: usize| format!("a{i}=${{a{0}}}${{a{0}}}\n", i - 1);
            format!("a0={first}\n") + &(1..50).map(line).collect::<String>()
        };
        for (text, cause) in [
            (double("SECRET"), TOO_LARGE),
            (double(""), TOO_LARGE),
            (
                "a.".repeat(500_000) + "a=SECRET\n",
                "a key has more than 64 parts",
            ),
        ] {
            let error = render(&[*read(&text).unwrap_err()], Rendering::PLAIN);
            assert!(error.ends_with(&format!("  = cause: {cause}\n")), "{error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
        assert!(read(&("a.".repeat(63) + "a=x\n")).is_ok());
    }

    #[test]
    fn each_key_of_a_long_file_points_to_its_line() {
        let lines = 200_000;
        let entries = read(&"a=1\n".repeat(lines)).unwrap();
        assert_eq!(entries.last().unwrap().span.start, (lines - 1) * 4);
    }

    #[test]
    fn errors_name_the_line_and_quote_nothing() {
        for (text, line, cause) in [
            (
                "x=1\na=\\uSECRET\n",
                2,
                "there is an escape that means nothing",
            ),
            ("a=${SECRET\n", 1, "a ${ has no }"),
            ("x=1\na=SECRET${a}\n", 2, "a ${...} means itself"),
            ("a=${b}\nb=SECRET${a}\n", 1, "a ${...} means itself"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(
                render(&[*error], Rendering::PLAIN),
                format!(
                    "error: While parsing config\n --> x.properties:{line}:1\n  = cause: {cause}\n"
                ),
                "{text}"
            );
        }
    }
}
