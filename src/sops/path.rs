//! Paths into a document, as SOPS spells them: `["servers"][0]["host"]`; in references also `servers[0].host`.

use super::tree::{Branch, Element, Item, Kind, Node};
use crate::secret::{Map, Value};

/// A path. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreePath(pub(super) Vec<Step>);

/// A step from a collection to something in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    /// That what comes before has no such things in it.
    pub(super) fn does_not_fit(&self) -> NotFound {
        NotFound::Kind(match self {
            Self::Key(key) => key.clone(),
            Self::Index(index) => index.to_string(),
        })
    }
}

/// A text that is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path is written like [\"servers\"][0][\"host\"]")]
pub struct InvalidPath;

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// A mapping without that key.
    #[error("there is no key {0}")]
    Key(String),
    /// A list that is shorter.
    #[error("there is no element {0}")]
    Index(usize),
    /// A key or an index of something that has none.
    #[error("what stands before {0} is no mapping or list that has it")]
    Kind(String),
}

impl TreePath {
    /// Reads a path. Keys stand in quotes of either kind and know no escapes.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        let inside = text.trim().strip_prefix('[').ok_or(InvalidPath)?;
        let step = |piece: &str| {
            let piece = piece.trim_end().strip_suffix(']').ok_or(InvalidPath)?;
            let quoted = |quote| piece.strip_prefix(quote)?.strip_suffix(quote);
            match quoted('"').or_else(|| quoted('\'')) {
                Some(key) => Ok(Step::Key(key.to_owned())),
                None => piece.parse().map(Step::Index).map_err(|_| InvalidPath),
            }
        };
        inside
            .split('[')
            .map(step)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Reads a path in a reference: each step is a key behind a dot, or stands in brackets. The first key has no dot.
    pub fn parse_short(text: &str) -> Result<Self, InvalidPath> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if rest.starts_with('[') {
                let quote = rest[1..].chars().next().filter(|c| matches!(c, '"' | '\''));
                let close = quote.map_or("]".to_owned(), |quote| format!("{quote}]"));
                let start = close.len();
                let inside = rest.get(start..).ok_or(InvalidPath)?;
                let end = start + inside.find(&close).ok_or(InvalidPath)? + close.len();
                steps.append(&mut Self::parse(&rest[..end])?.0);
                rest = &rest[end..];
            } else {
                let key = match (steps.is_empty(), rest.strip_prefix('.')) {
                    (true, _) => rest,
                    (false, key) => key.ok_or(InvalidPath)?,
                };
                let end = key.find(['.', '[']).unwrap_or(key.len());
                if end == 0 {
                    return Err(InvalidPath);
                }
                steps.push(Step::Key(key[..end].to_owned()));
                rest = &key[end..];
            }
        }
        if steps.is_empty() {
            return Err(InvalidPath);
        }
        Ok(Self(steps))
    }

    /// What the path leads to in a map of values.
    pub fn find_in<'v>(&self, values: &'v Map) -> Option<&'v Value> {
        let of_map = |map: &'v Map, key: &str| {
            let mut entries = map.iter().rev();
            entries
                .find(|(name, _)| name == key)
                .map(|(_, value)| value)
        };
        let (first, rest) = self.0.split_first()?;
        let Step::Key(key) = first else { return None };
        rest.iter()
            .try_fold(of_map(values, key)?, |value, step| match (step, value) {
                (Step::Key(key), Value::Map(map)) => of_map(map, key),
                (Step::Index(index), Value::List(items)) => items.get(*index),
                _ => None,
            })
    }

    /// What the path leads to in a document.
    pub(super) fn find<'t>(&self, document: &'t Branch) -> Result<&'t Node, NotFound> {
        let (first, rest) = self.0.split_first().expect("a path has a step");
        let mut node = match first {
            Step::Key(key) => in_branch(document, key)?,
            step @ Step::Index(_) => return Err(step.does_not_fit()),
        };
        for step in rest {
            node = match (step, &node.kind) {
                (Step::Key(key), Kind::Map(branch)) => in_branch(branch, key)?,
                (Step::Index(index), Kind::List(elements)) => in_list(elements, *index)?,
                (step, _) => return Err(step.does_not_fit()),
            };
        }
        Ok(node)
    }
}

fn in_branch<'t>(branch: &'t Branch, key: &str) -> Result<&'t Node, NotFound> {
    let mut entries = branch.iter().filter_map(|item| match item {
        Item::Entry(name, node) => Some((name, node)),
        Item::Comment(_) => None,
    });
    let found = entries.find(|(name, _)| *name == key);
    found
        .map(|(_, node)| node)
        .ok_or_else(|| NotFound::Key(key.to_owned()))
}

fn in_list(elements: &[Element], index: usize) -> Result<&Node, NotFound> {
    let mut values = elements.iter().filter_map(|element| match element {
        Element::Value(node) => Some(node),
        Element::Comment(_) => None,
    });
    values.nth(index).ok_or(NotFound::Index(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_indexes() {
        let path = TreePath::parse("[\"a b\"][10]['c']").unwrap();
        let key = |key: &str| Step::Key(key.to_owned());
        assert_eq!(path.0, [key("a b"), Step::Index(10), key("c")]);
        for text in [
            "",
            "a",
            "[a]",
            "[\"a\"",
            "[-1]",
            "[\"a\"][",
            "[1e9]",
            "[99999999999999999999]",
        ] {
            assert_eq!(TreePath::parse(text), Err(InvalidPath), "{text}");
        }
    }

    #[test]
    fn paths_in_references() {
        for (text, same) in [
            ("a.b", "[\"a\"][\"b\"]"),
            ("a[0].b[12]", "[\"a\"][0][\"b\"][12]"),
            ("[\"a\"].b['c.d']", "[\"a\"][\"b\"][\"c.d\"]"),
            ("[\"a'b]\"][0]", "[\"a'b]\"][0]"),
        ] {
            assert_eq!(TreePath::parse_short(text), TreePath::parse(same), "{text}");
        }
        for text in [
            "",
            ".a",
            "a.",
            "a..b",
            "a[0]b",
            "a[",
            "a[x]",
            "a[-1]",
            "a[\"b]",
            "a[99999999999999999999]",
        ] {
            assert_eq!(TreePath::parse_short(text), Err(InvalidPath), "{text}");
        }
    }
}
