//! Settings in TOML. Two equal keys are an error, as for AVP's reader.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use crate::diagnostics::{Diagnostic, Source, Span};
use crate::env::Environment;
use crate::secret::Text;
use crate::settings::document::{Entry, Node, failed};

/// Reads tables as maps. Numbers are texts: integers in decimal digits, other numbers as written.
pub(super) fn parse(source: &Arc<Source>, _: &Environment) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let text = source.text();
    match DeTable::parse(text) {
        Ok(table) => Ok(entries(table.get_ref())),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            let cause = if error.message().starts_with("duplicate key") {
                "this key is here twice"
            } else {
                "expected KEY = value, where texts stand in quotes"
            };
            Err(failed(source, offset, cause))
        }
    }
}

/// In the order of the file; the parser sorts.
fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| Entry {
        value_span: Span::from(value.span()),
        ..Entry::at(
            AsRef::<str>::as_ref(key.get_ref()),
            Span::from(key.span()),
            node(value.get_ref()),
        )
    };
    let mut entries: Vec<_> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.span.start);
    entries
}

fn node(value: &DeValue<'_>) -> Node {
    match value {
        DeValue::String(text) => Node::Scalar(Text::from(&**text)),
        DeValue::Integer(number) => Node::Scalar(Text::from(decimal(number))),
        DeValue::Float(number) => Node::Scalar(Text::from(number.as_str())),
        DeValue::Boolean(value) => Node::Scalar(Text::from(value.to_string())),
        DeValue::Datetime(time) => Node::Scalar(Text::from(time.to_string())),
        DeValue::Array(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                let span = Span::from(item.span());
                Entry::at(&index.to_string(), span, node(item.get_ref()))
            });
            Node::List(items.collect())
        }
        DeValue::Table(table) => Node::Map(entries(table)),
    }
}

fn decimal(number: &DeInteger<'_>) -> String {
    let digits = number.as_str();
    i128::from_str_radix(digits, number.radix())
        .map_or_else(|_| digits.to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Rendering, render};
    use crate::settings::document::show;

    fn read(text: &str) -> Result<Vec<Entry>, Box<Diagnostic>> {
        let source = Arc::new(Source::new("x.toml", text));
        parse(&source, &Environment::default())
    }

    #[test]
    fn tables_are_maps_and_scalars_are_texts() {
        for (text, shown) in [
            ("", ""),
            ("b = 'x'\na = \"\\u0041\\n\"\n", "b=\"x\" a=\"A\\n\""),
            ("a = \"\"\"\nx\ny\"\"\"", "a=\"x\\ny\""),
            (
                "a = 0x10\nb = 1_000\nc = 1.50\nd = true\ne = -3",
                "a=\"16\" b=\"1000\" c=\"1.50\" d=\"true\" e=\"-3\"",
            ),
            ("a = 2020-01-01", "a=\"2020-01-01\""),
            ("a = [1]\n[b.c]\nd = 'x'\n", "a=[0=\"1\"] b={c={d=\"x\"}}"),
            ("\u{feff}a = 'é' # c\r\n", "a=\"é\""),
        ] {
            assert_eq!(show(&read(text).unwrap()), shown, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        for text in [
            "a = ".to_owned() + &"[".repeat(200_000),
            "a = ".to_owned() + &"{a=".repeat(200_000),
            "a.".repeat(200_000) + "a = 1\n",
            "[".to_owned() + &"a.".repeat(200_000) + "a]\nb = 1\n",
        ] {
            assert!(read(&text).is_err(), "{}", &text[..9]);
        }
    }

    #[test]
    fn syntax_errors_name_the_place_and_quote_nothing() {
        let expected = "expected KEY = value, where texts stand in quotes";
        for (text, place, cause) in [
            ("a = SECRET\n", "1:5", expected),
            ("a = 'x'\nb = \"SECRET\n", "2:12", expected),
            ("SECRET\n", "1:7", expected),
            ("a = \"\\qSECRET\"\n", "1:7", expected),
            ("a = 1\na = 'SECRET'\n", "2:1", "this key is here twice"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(
                render(&[*error], Rendering::PLAIN),
                format!("error: While parsing config\n --> x.toml:{place}\n  = cause: {cause}\n"),
                "{text}"
            );
        }
    }
}
