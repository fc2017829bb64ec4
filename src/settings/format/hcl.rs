//! Settings in HCL. AVP reads version 1 of the language; its crates read version 2, in which a key at the top stands
//! without quotes and each on a line of its own. JSON is HCL too.

use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Array, Expression, Object, ObjectKey};
use hcl_edit::parser::parse_body;
use hcl_edit::structure::{Block, BlockLabel, Body, Structure};
use hcl_edit::template::{Element, Template};

use super::DEPTH;
use super::yaml::parse_json;
use crate::diagnostics::{Diagnostic, Source, Span};
use crate::env::Environment;
use crate::secret::Text;
use crate::settings::document::{Entry, Node, failed, merge};

/// Reads blocks and objects as maps; a block's labels are keys on the way to it.
pub(super) fn parse(
    source: &Arc<Source>,
    environment: &Environment,
) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let text = source.text();
    if text.trim_start().starts_with('{') {
        return parse_json(source, environment);
    }
    let body = parse_body(text).map_err(|error| {
        let cause = "expected KEY = value, where texts stand in quotes and keys do not";
        failed(source, error.location().offset(), cause)
    })?;
    Reader(source).body(&body).map(merge)
}

struct Reader<'a>(&'a Arc<Source>);

impl Reader<'_> {
    fn body(&self, body: &Body) -> Result<Vec<Entry>, Box<Diagnostic>> {
        let mut entries = Vec::new();
        for structure in body {
            entries.push(match structure {
                Structure::Attribute(attribute) => {
                    let span = span(attribute.key.span());
                    self.entry(attribute.key.as_str(), span, &attribute.value)?
                }
                Structure::Block(block) => self.block(block)?,
            });
        }
        Ok(entries)
    }

    fn block(&self, block: &Block) -> Result<Entry, Box<Diagnostic>> {
        let place = span(block.ident.span());
        if block.labels.len() > DEPTH {
            return Err(failed(
                self.0,
                place.start,
                "a block has more than 64 labels",
            ));
        }
        let mut keys: Vec<&str> = vec![block.ident.as_str()];
        keys.extend(block.labels.iter().map(|label| match label {
            BlockLabel::Ident(ident) => ident.as_str(),
            BlockLabel::String(text) => text.as_str(),
        }));
        let last = keys.pop().expect("a block has a name");
        let value = Node::Map(self.body(&block.body)?);
        let entry = Entry::at(last, place, value);
        Ok(entry.below(keys.into_iter()))
    }

    fn entry(
        &self,
        key: &str,
        key_span: Span,
        value: &Expression,
    ) -> Result<Entry, Box<Diagnostic>> {
        Ok(Entry {
            value_span: span(value.span()),
            ..Entry::at(key, key_span, self.node(value)?)
        })
    }

    fn node(&self, value: &Expression) -> Result<Node, Box<Diagnostic>> {
        let text = match value {
            Expression::Null(_) => return Ok(Node::Null),
            Expression::Array(items) => return self.list(items),
            Expression::Object(object) => return self.object(object),
            Expression::Bool(value) => value.to_string(),
            Expression::Number(_) => self.slice(value.span()),
            Expression::String(text) => text.to_string(),
            Expression::StringTemplate(text) => self.template(text),
            Expression::HeredocTemplate(text) => self.template(&text.template),
            _ => {
                let cause = "expected a text in quotes, a number, or true or false";
                return Err(failed(self.0, span(value.span()).start, cause));
            }
        };
        Ok(Node::Scalar(Text::from(text)))
    }

    fn list(&self, items: &Array) -> Result<Node, Box<Diagnostic>> {
        let items = items.iter().enumerate();
        let items =
            items.map(|(index, item)| self.entry(&index.to_string(), span(item.span()), item));
        Ok(Node::List(items.collect::<Result<_, _>>()?))
    }

    fn object(&self, object: &Object) -> Result<Node, Box<Diagnostic>> {
        let mut entries = Vec::new();
        for (key, value) in object {
            let name = match key {
                ObjectKey::Ident(ident) => ident.as_str(),
                ObjectKey::Expression(Expression::String(text)) => text.as_str(),
                ObjectKey::Expression(other) => {
                    let at = span(other.span()).start;
                    return Err(failed(self.0, at, "a key must be a text"));
                }
            };
            entries.push(self.entry(name, span(key.span()), value.expr())?);
        }
        Ok(Node::Map(entries))
    }

    /// Nothing is filled in, as in AVP: `${x}` is a text.
    fn template(&self, template: &Template) -> String {
        let piece = |element: &Element| match element {
            Element::Literal(text) => text.to_string(),
            other => self.slice(other.span()),
        };
        template.iter().map(piece).collect()
    }

    fn slice(&self, place: Option<std::ops::Range<usize>>) -> String {
        self.0.slice(span(place)).to_owned()
    }
}

/// All that was parsed has a place.
fn span(place: Option<std::ops::Range<usize>>) -> Span {
    place.map_or(Span::default(), Span::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Rendering, render};
    use crate::settings::document::show;

    fn read(text: &str) -> Result<Vec<Entry>, Box<Diagnostic>> {
        let source = Arc::new(Source::new("x.hcl", text));
        parse(&source, &Environment::default())
    }

    #[test]
    fn attributes_are_texts_and_blocks_are_maps() {
        for (text, shown) in [
            ("", ""),
            (
                "a = \"x\" # c\nb=\"\\n\\\"\" // c\n/* c */ c-d = \"é\"\n",
                "a=\"x\" b=\"\\n\\\"\" c-d=\"é\"",
            ),
            (
                "a = 5\nb = 1.50\nc = true\nd = null",
                "a=\"5\" b=\"1.50\" c=\"true\" d=~",
            ),
            ("a = \"${foo}-x\"", "a=\"${foo}-x\""),
            ("a = <<E\nx\n${y}\nE\n", "a=\"x\\n${y}\\n\""),
            (
                "a = [1]\nb = { c = \"d\", \"e\" = 1 }",
                "a=[0=\"1\"] b={c=\"d\" e=\"1\"}",
            ),
            (
                "a \"x\" { k = 1 }\na \"y\" { k = 2 }\n",
                "a={x={k=\"1\"} y={k=\"2\"}}",
            ),
            ("{\"a\": \"json\"}", "a=\"json\""),
        ] {
            assert_eq!(show(&read(text).unwrap()), shown, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        for piece in ["a {\n", "a = [", "a = {", "a = (", "a = -", "a = \"${"] {
            let nested = piece.trim_start_matches("a = ").repeat(200_000);
            let start = if piece.starts_with("a = ") {
                "a = "
            } else {
                ""
            };
            assert!(read(&(start.to_owned() + &nested)).is_err(), "{piece}");
        }
        let labels = "x = 1\na ".to_owned() + &"SECRET ".repeat(200_000) + "{\n}\n";
        assert_eq!(
            render(&[*read(&labels).unwrap_err()], Rendering::PLAIN),
            "error: While parsing config\n --> x.hcl:2:1\n  = cause: a block has more than 64 labels\n"
        );
    }

    #[test]
    fn syntax_errors_name_the_place_and_quote_nothing() {
        let syntax = "expected KEY = value, where texts stand in quotes and keys do not";
        let value = "expected a text in quotes, a number, or true or false";
        for (text, place, cause) in [
            ("a = SECRET\n", "1:5", value),
            ("a = -SECRET\n", "1:5", value),
            ("a = f(\"SECRET\")\n", "1:5", value),
            ("x = 1\na = \"SECRET\nb = 1\n", "2:1", syntax),
            ("x = 1\n\"a\" = \"SECRET\"\n", "2:1", syntax),
            ("a: SECRET\n", "1:2", syntax),
            ("a = \"SECRET\", b = 1\n", "1:13", syntax),
            ("a = {(SECRET) = 1}\n", "1:6", "a key must be a text"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(
                render(&[*error], Rendering::PLAIN),
                format!("error: While parsing config\n --> x.hcl:{place}\n  = cause: {cause}\n"),
                "{text}"
            );
        }
    }
}
