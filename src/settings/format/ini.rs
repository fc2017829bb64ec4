//! Settings in INI files. Each key lies in a section, `default` where none is named, and AVP looks at none of them: such
//! a file sets nothing there. We read it to say so, and for the sections of our own form.

use std::collections::BTreeMap;
use std::sync::Arc;

use configparser::ini::Ini;

use super::Lines;
use crate::diagnostics::{Diagnostic, Source, Span};
use crate::env::Environment;
use crate::secret::Text;
use crate::settings::document::{Entry, Node, failed};

/// Reads sections as maps.
pub(super) fn parse(source: &Arc<Source>, _: &Environment) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let text = source.text().trim_start_matches('\u{feff}');
    let wrong = |line| {
        let cause = "expected [section] or KEY=value";
        failed(source, Lines::of(source.text()).start(line), cause)
    };
    let sections = Ini::new_cs().read(text.to_owned()).map_err(|error| {
        // The parser tells lines in its text only, at its beginning.
        let digits = error.trim_start_matches("line ");
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        wrong(digits[..end].parse().unwrap_or(1))
    })?;
    let places = places(source.text());
    let place =
        |section: &str, key: Option<&str>| places.get(&(section, key)).copied().unwrap_or(0);
    let mut entries = Vec::new();
    for (section, keys) in sections {
        let span = Span::at(place(&section, None));
        let mut map = Vec::new();
        for (key, value) in keys {
            let at = place(&section, Some(&key));
            let Some(value) = value else {
                return Err(failed(source, at, "expected [section] or KEY=value"));
            };
            map.push(Entry::at(
                &key,
                Span::at(at),
                Node::Scalar(Text::from(value)),
            ));
        }
        map.sort_by_key(|entry| entry.span.start);
        entries.push(Entry::at(&section, span, Node::Map(map)));
    }
    // The parser keeps no order.
    entries.sort_by_key(|entry| entry.span.start);
    Ok(entries)
}

/// Where sections (by no key) and their keys stand; the parser keeps no places.
fn places(text: &str) -> BTreeMap<(&str, Option<&str>), usize> {
    let mut places = BTreeMap::new();
    let (mut section, mut start) = ("default", 0);
    for line in text.split_inclusive('\n') {
        let content = line.split([';', '#']).next().unwrap_or_default();
        let content = content.trim_start_matches('\u{feff}').trim();
        let name = content
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        if let Some(name) = name {
            section = name.trim();
            places.entry((section, None)).or_insert(start);
        } else {
            let key = content.split(['=', ':']).next().unwrap_or_default();
            places.insert((section, Some(key.trim())), start);
        }
        start += line.len();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Rendering, render};
    use crate::settings::document::show;

    fn read(text: &str) -> Result<Vec<Entry>, Box<Diagnostic>> {
        let source = Arc::new(Source::new("x.ini", text));
        parse(&source, &Environment::default())
    }

    #[test]
    fn sections_are_maps_and_keys_without_one_lie_in_default() {
        for (text, shown) in [
            ("", ""),
            ("A=1\n", "default={A=\"1\"}"),
            (
                "; c\n[vault]\nA = b ; c\nB: c\n[x y]\n",
                "vault={A=\"b\" B=\"c\"} x y={}",
            ),
            ("\u{feff}A=\r\n", "default={A=\"\"}"),
        ] {
            assert_eq!(show(&read(text).unwrap()), shown, "{text}");
        }
    }

    #[test]
    fn a_key_points_into_its_own_section() {
        let entries = read("AB=1\nA=2\n[x] ; c\nA : 3\n").unwrap();
        let show = |entry: &Entry| {
            let Node::Map(keys) = &entry.value else {
                panic!("{entry:?}");
            };
            let keys: Vec<_> = keys.iter().map(|key| key.span.start).collect();
            (entry.span.start, keys)
        };
        let places: Vec<_> = entries.iter().map(show).collect();
        assert_eq!(places, [(0, vec![0, 5]), (9, vec![17])]);
    }

    #[test]
    fn errors_name_the_line_and_quote_nothing() {
        for (text, line) in [
            ("A=1\n[SECRET\n", 2),
            ("A=1\n\nSECRET\n", 3),
            ("=SECRET\n", 1),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(
                render(&[*error], Rendering::PLAIN),
                format!(
                    "error: While parsing config\n --> x.ini:{line}:1\n  = cause: expected [section] or KEY=value\n"
                ),
                "{text}"
            );
        }
    }
}
