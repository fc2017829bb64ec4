//! A document as Kubernetes knows it, whichever text it came from, and how two of them differ.

use std::collections::BTreeMap;
use std::fmt;

/// A value as Kubernetes reads it: keys are unique, their order means nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

/// A number: all digits of what fits 64 bits, else a float, as Go's Kubernetes clients hold them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// A float; one without a fraction that fits 64 bits counts as that integer, as its shortest digits say.
    pub(crate) fn float(float: f64) -> Self {
        let digits: Option<i128> = format!("{float}").parse().ok();
        match digits {
            Some(integer) if fits_64_bits(integer) => Self::Integer(integer),
            _ => Self::Float(float),
        }
    }
}

/// Whether a signed or an unsigned integer of 64 bits can hold it.
pub(crate) fn fits_64_bits(integer: i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer)
}

impl From<&serde_json::Value> for Tree {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::String(text) => Self::String(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(entries) => Self::Map(
                entries
                    .iter()
                    .map(|(key, item)| (key.clone(), Self::from(item)))
                    .collect(),
            ),
            Value::Number(number) => Self::Number(match number.as_i128() {
                Some(integer) => Number::Integer(integer),
                None => Number::float(number.as_f64().expect("serde_json numbers are floats")),
            }),
        }
    }
}

/// As JSON on one line.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Number(Number::Integer(integer)) => write!(f, "{integer}"),
            Self::Number(Number::Float(float)) => write!(f, "{float:?}"),
            Self::String(text) => write!(f, "{text:?}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("{")?;
                for (index, (key, item)) in entries.iter().enumerate() {
                    write!(f, "{}{key:?}: {item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Every place where two trees differ, one line each: the path, what was wanted, what came.
pub(crate) fn differences(wanted: &Tree, came: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", Some(wanted), Some(came), &mut lines);
    lines
}

fn compare(path: &str, wanted: Option<&Tree>, came: Option<&Tree>, lines: &mut Vec<String>) {
    match (wanted, came) {
        (Some(Tree::Map(wanted)), Some(Tree::Map(came))) => {
            for key in wanted
                .keys()
                .chain(came.keys().filter(|key| !wanted.contains_key(*key)))
            {
                compare(
                    &format!("{path}.{key}"),
                    wanted.get(key),
                    came.get(key),
                    lines,
                );
            }
        }
        (Some(Tree::List(wanted)), Some(Tree::List(came))) => {
            for index in 0..wanted.len().max(came.len()) {
                compare(
                    &format!("{path}[{index}]"),
                    wanted.get(index),
                    came.get(index),
                    lines,
                );
            }
        }
        (wanted, came) if wanted != came => {
            let show = |tree: Option<&Tree>| tree.map_or("nothing".to_owned(), Tree::to_string);
            lines.push(format!(
                "{path}: wanted {}, came {}",
                show(wanted),
                show(came)
            ));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: &str) -> Tree {
        Tree::from(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_float_without_fraction_is_that_integer() {
        assert_eq!(tree("[1e3, -0.0, 0.5]"), tree("[1000, 0, 5e-1]"));
        assert_eq!(tree("1.2345678901234567e19"), tree("12345678901234567000"));
        assert_ne!(tree("9007199254740993"), tree("9007199254740992.0"));
    }

    #[test]
    fn differences_name_the_places() {
        let lines = differences(
            &tree(r#"{"a": [1, {"b": "x"}], "gone": null}"#),
            &tree(r#"{"a": [1, {"b": "y"}, 2], "new": true}"#),
        );
        assert_eq!(
            lines,
            [
                ".a[1].b: wanted \"x\", came \"y\"",
                ".a[2]: wanted nothing, came 2",
                ".gone: wanted null, came nothing",
                ".new: wanted nothing, came true",
            ]
        );
    }
}
