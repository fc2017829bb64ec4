//! Whole texts to values: what backends answer, and what `jsonParse` and `yamlParse` read. Numbers keep their literals.

use std::borrow::Cow;

use super::event::{Style, SyntaxError};
use super::json::JsonReader;
use super::parser::YamlReader;
use super::resolve::Resolved;
use super::tree::{NodeId, NodeKind, ScalarType, Tree};
use crate::secret::{Map, Number, Text, Value};

/// The value of one strict JSON text. Of two equal keys both stay, in order; readers take the last.
pub fn from_json(text: &str) -> Result<Value, SyntaxError> {
    let mut reader = JsonReader::new(text);
    let end_of_input = || SyntaxError {
        message: "unexpected end of JSON input".to_owned(),
        position: text.len(),
    };
    let tree = Tree::read(&mut reader)?.ok_or_else(end_of_input)?;
    let rest = &text[reader.position()..];
    let trailing = rest.trim_start_matches([' ', '\t', '\r', '\n']);
    if !trailing.is_empty() {
        let position = text.len() - trailing.len();
        return Err(SyntaxError {
            message: "text behind the JSON value".to_owned(),
            position,
        });
    }
    Conversion {
        tree: &tree,
        dialect: Dialect::Json,
    }
    .value(Tree::ROOT)
}

/// The first YAML document of a text, read as Kubernetes reads it (`avp-compat.md` 3.3). Empty text is null.
pub fn from_yaml(text: &str) -> Result<Value, SyntaxError> {
    match Tree::read(&mut YamlReader::new(text))? {
        None => Ok(Value::Null),
        Some(tree) if tree.is_empty() => Ok(Value::Null),
        Some(tree) => from_tree(&tree, Tree::ROOT),
    }
}

/// The value of a node, read as Kubernetes reads it: aliases and merge keys expanded, keys turned into strings.
pub fn from_tree(tree: &Tree<'_>, id: NodeId) -> Result<Value, SyntaxError> {
    Conversion {
        tree,
        dialect: Dialect::Kubernetes,
    }
    .value(id)
}

/// How scalars are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// A number's literal is kept as it is spelled.
    Json,
    /// By [`Tree::scalar_type`]; numbers become JSON literals of the same value.
    Kubernetes,
}

/// A finite float as a JSON literal that reads back as the same number.
pub fn float_literal(float: f64) -> String {
    if float == 0.0 || (1e-5..1e21).contains(&float.abs()) {
        float.to_string()
    } else {
        format!("{float:e}")
    }
}

struct Conversion<'t, 'a> {
    tree: &'t Tree<'a>,
    dialect: Dialect,
}

impl Conversion<'_, '_> {
    fn value(&self, id: NodeId) -> Result<Value, SyntaxError> {
        let tree = self.tree;
        match &tree.node(tree.target(id)).kind {
            NodeKind::Scalar(text, _) => self.scalar(id, text),
            NodeKind::Sequence(..) => tree
                .items(id)
                .iter()
                .map(|item| self.value(*item))
                .collect::<Result<_, _>>()
                .map(Value::List),
            NodeKind::Mapping(..) => self.map(tree.entries(id)).map(Value::Map),
            NodeKind::Alias(_) => error(self.tree, id, "an alias to an alias"),
        }
    }

    fn scalar(&self, id: NodeId, text: &str) -> Result<Value, SyntaxError> {
        let literal = |literal: String| Ok(Value::Number(Number::from_literal(literal)));
        match self.tree.scalar_type(id) {
            Some(ScalarType::Binary) => match crate::yaml::decode_base64(text) {
                Some(bytes) => Ok(Value::String(Text::from(bytes))),
                None => error(self.tree, id, "!!binary that is not base64"),
            },
            Some(ScalarType::Other(Resolved::Null)) => Ok(Value::Null),
            Some(ScalarType::Other(Resolved::Bool(truth))) => Ok(Value::Bool(truth)),
            _ if self.is_json_number(id) => literal(text.to_owned()),
            Some(ScalarType::Other(Resolved::Integer(integer))) => literal(integer.to_string()),
            Some(ScalarType::Other(Resolved::Float(float))) if float.is_finite() => {
                literal(float_literal(float))
            }
            Some(ScalarType::Other(_)) => error(self.tree, id, "a number that JSON cannot hold"),
            _ => Ok(Value::string(text)),
        }
    }

    fn is_json_number(&self, id: NodeId) -> bool {
        let plain = matches!(self.tree.node(id).kind, NodeKind::Scalar(_, Style::Plain));
        self.dialect == Dialect::Json && plain
    }

    fn map(&self, entries: &[(NodeId, NodeId)]) -> Result<Map, SyntaxError> {
        let mut merged = Map::new();
        let mut own = Map::with_capacity(entries.len());
        for &(key, value) in entries {
            if self.tree.is_merge_key(key) {
                self.merge(value, &mut merged)?;
            } else {
                own.push((self::key(self.tree, key)?.into_owned(), self.value(value)?));
            }
        }
        merged.append(&mut own);
        Ok(merged)
    }

    /// Puts the entries of a merge key's map, or list of maps, in front: what comes earlier in the list wins, so it
    /// must come later in the map.
    fn merge(&self, id: NodeId, into: &mut Map) -> Result<(), SyntaxError> {
        let maps = match self.value(id)? {
            Value::Map(map) => vec![map],
            Value::List(maps) => maps.into_iter().rev().filter_map(as_map).collect(),
            _ => return error(self.tree, id, "a merge key that is not a map"),
        };
        into.extend(maps.into_iter().flatten());
        Ok(())
    }
}

/// A map's key as Kubernetes spells it in JSON, where every key is a string.
pub fn key<'t>(tree: &'t Tree<'_>, id: NodeId) -> Result<Cow<'t, str>, SyntaxError> {
    let spelled = |text: String| Ok(Cow::Owned(text));
    match (tree.scalar_type(id), tree.text(id)) {
        (Some(ScalarType::Other(Resolved::Null)), _) => error(tree, id, "a null key"),
        (Some(ScalarType::Other(Resolved::Bool(truth))), _) => spelled(truth.to_string()),
        (Some(ScalarType::Other(Resolved::Integer(integer))), _) => spelled(integer.to_string()),
        (Some(ScalarType::Other(Resolved::Float(float))), _) => spelled(float_key(float)),
        (Some(ScalarType::Binary), Some(text)) => match crate::yaml::decode_base64(text) {
            Some(bytes) => spelled(String::from_utf8_lossy(&bytes).into_owned()),
            None => error(tree, id, "!!binary that is not base64"),
        },
        (Some(_), Some(text)) => Ok(Cow::Borrowed(text)),
        _ => error(tree, id, "a key that is a list or a map"),
    }
}

fn error<T>(tree: &Tree<'_>, id: NodeId, message: &str) -> Result<T, SyntaxError> {
    Err(SyntaxError {
        message: message.to_owned(),
        position: tree.node(id).span.start,
    })
}

/// A float as the key of a map, which Go writes with the shortest digits of 32 bits, and `%g`'s exponent.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Kubernetes reads float keys with 32 bits"
)]
fn float_key(float: f64) -> String {
    let float = float as f32;
    if float.is_nan() {
        return ".nan".to_owned();
    } else if float.is_infinite() {
        return format!("{}.inf", if float < 0.0 { "-" } else { "" });
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("this format has an exponent");
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..6 => float.to_string(),
        exponent => format!("{digits}e{exponent:+03}"),
    }
}

fn as_map(value: Value) -> Option<Map> {
    match value {
        Value::Map(map) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn show(value: &Value) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) => number.expose().to_owned(),
            Value::String(text) | Value::Bytes(text) => format!("{:?}", text.expose_str().unwrap()),
            Value::List(items) => {
                format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(","))
            }
            Value::Map(map) => {
                let entries: Vec<_> = map
                    .iter()
                    .map(|(key, value)| format!("{key}:{}", show(value)))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    #[test]
    fn a_float_that_is_a_key_is_spelled_as_go_spells_it() {
        let keys = "{01234567890: 1, 1e7: 1, 1234567.5: 1, 1e-5: 1, 08: 1, 123456.5: 1, 0.0001: 1, -.inf: 1, .nan: 1}";
        assert_eq!(
            show(&from_yaml(keys).unwrap()),
            "{1.234568e+09:1,1e+07:1,1.2345675e+06:1,1e-05:1,8:1,123456.5:1,0.0001:1,-.inf:1,.nan:1}"
        );
    }

    #[test]
    fn a_binary_key_is_what_its_base64_says() {
        assert_eq!(show(&from_yaml("!!binary aGk=: 1").unwrap()), "{hi:1}");
        assert!(from_yaml("!!binary a: 1").is_err());
    }

    #[test]
    fn a_tag_of_somebody_else_makes_text() {
        let value = from_yaml("a: !S 12\nb: !!x 12\nc: ! yes\nd: !S\ne: !!str\nf: !!str ~\ng:\n");
        assert_eq!(
            show(&value.unwrap()),
            r#"{a:"12",b:"12",c:"yes",d:"",e:"",f:"~",g:null}"#
        );
    }

    #[test]
    fn json_keeps_number_literals() {
        let value =
            from_json(r#"{"a":1.50,"b":12345678901234567890123,"c":[1E400,-0],"a":"\u00e9"}"#)
                .unwrap();
        assert_eq!(
            show(&value),
            "{a:1.50,b:12345678901234567890123,c:[1E400,-0],a:\"é\"}"
        );
    }

    #[test]
    fn json_is_one_value() {
        assert_eq!(from_json("1 x").unwrap_err().position, 2);
        assert_eq!(
            from_json(" ").unwrap_err().message,
            "unexpected end of JSON input"
        );
    }

    #[test]
    fn yaml_is_read_as_kubernetes_reads_it() {
        let text = "x: yes\ny: 012\nz: 1.0\nb: !!binary aGk=\nbase: &b {k: 1, l: 2}\nd: {<<: *b, l: 3}\ne: *b\n1.50: f\n";
        let expected =
            "{x:true,true:10,z:1,b:\"hi\",base:{k:1,l:2},d:{k:1,l:2,l:3},e:{k:1,l:2},1.5:\"f\"}";
        assert_eq!(show(&from_yaml(text).unwrap()), expected);
        assert_eq!(show(&from_yaml("a: 1\n---\nb: 2\n").unwrap()), "{a:1}");
        assert_eq!(show(&from_yaml("").unwrap()), "null");
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(text, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        assert_eq!(
            from_yaml(&text).unwrap_err().message,
            "too many nodes by aliases"
        );
    }
}
