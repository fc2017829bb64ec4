//! Single values of a document set and taken away, by the rules of `sops set` and `sops unset` (`sops.md` section 14.2).

use super::document::{self, Format};
use super::path::{NotFound, Step, TreePath};
use super::tree::{Branch, Element, Item, Kind, Leaf, Node};
use crate::diagnostics::Span;
use crate::secret::Value;
use crate::yaml::value::from_json;

/// Between these all integers are floats too.
const LEAST_EXACT: i64 = -MOST_EXACT;
const MOST_EXACT: i64 = 1 << f64::MANTISSA_DIGITS;

/// A value that is to be put into a document.
pub struct NewValue(Node);

/// A text that is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is not valid JSON")]
pub struct InvalidValue;

/// Why a value cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path does not fit what is there.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The file cannot hold the value.
    #[error(transparent)]
    Format(#[from] super::Error),
}

impl NewValue {
    /// Reads a value as JSON.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let node = match from_json(text).map_err(|_| InvalidValue)? {
            // A number by itself becomes a float, as in SOPS; but not where that would change it.
            Value::Number(number) => match number.expose().parse() {
                Ok(integer @ (..LEAST_EXACT | MOST_EXACT..)) => leaf(Leaf::Int(integer)),
                _ => float(number.expose())?,
            },
            value => node(value)?,
        };
        Ok(Self(node))
    }
}

fn leaf(leaf: Leaf) -> Node {
    Node::new(Kind::Leaf(leaf), Span::at(0))
}

fn float(literal: &str) -> Result<Node, InvalidValue> {
    let float = literal.parse().ok().filter(|float: &f64| float.is_finite());
    float
        .map(|float| leaf(Leaf::Float(float)))
        .ok_or(InvalidValue)
}

fn node(value: Value) -> Result<Node, InvalidValue> {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(truth) => return Ok(leaf(Leaf::Bool(truth))),
        Value::String(text) | Value::Bytes(text) => return Ok(leaf(Leaf::String(text))),
        Value::Number(number) => {
            return match number.expose().parse() {
                Ok(integer) => Ok(leaf(Leaf::Int(integer))),
                Err(_) => float(number.expose()),
            };
        }
        Value::List(values) => {
            let element = |value| node(value).map(Element::Value);
            Kind::List(values.into_iter().map(element).collect::<Result<_, _>>()?)
        }
        Value::Map(map) => {
            let item = |(key, value)| Ok(Item::Entry(key, node(value)?));
            Kind::Map(map.into_iter().map(item).collect::<Result<_, _>>()?)
        }
    };
    Ok(Node::new(kind, Span::at(0)))
}

/// Puts a value where a path leads in a document. Gives whether it is another one than before.
pub(super) fn set(
    document: &mut Branch,
    path: &TreePath,
    NewValue(value): NewValue,
    format: Format,
) -> Result<bool, Error> {
    let value = match format {
        Format::Dotenv | Format::Ini => as_texts(value)?,
        Format::Yaml | Format::Json | Format::Binary => value,
    };
    match path.0.split_first() {
        Some((Step::Key(key), rest)) => Ok(set_in_branch(document, key, rest, value)?),
        Some((step, _)) => Err(step.does_not_fit().into()),
        None => Err(NotFound::Key(String::new()).into()),
    }
}

/// A value as a format without types reads it again: else its MAC would be one of other values.
fn as_texts(value: Node) -> Result<Node, super::Error> {
    let kind = match value.kind {
        Kind::Map(branch) => {
            let item = |item| match item {
                Item::Entry(key, node) => as_texts(node).map(|node| Item::Entry(key, node)),
                comment @ Item::Comment(_) => Ok(comment),
            };
            Kind::Map(branch.into_iter().map(item).collect::<Result<_, _>>()?)
        }
        Kind::Null => {
            let reason = "a file of this format cannot hold null";
            return Err(super::Error::structure(value.span, reason));
        }
        kind => {
            let node = Node::new(kind, value.span);
            return Ok(document::flat_text(&node).map_or(node, Node::text));
        }
    };
    Ok(Node::new(kind, value.span))
}

fn set_in_branch(
    branch: &mut Branch,
    key: &str,
    rest: &[Step],
    value: Node,
) -> Result<bool, NotFound> {
    if let Some(node) = entry(branch, key) {
        return set_in_node(node, rest, value);
    }
    branch.push(Item::Entry(key.to_owned(), below(rest, value)));
    Ok(true)
}

fn set_in_node(node: &mut Node, path: &[Step], value: Node) -> Result<bool, NotFound> {
    let Some((step, rest)) = path.split_first() else {
        let changes = !node.is_same(&value);
        node.kind = value.kind;
        return Ok(changes);
    };
    match (step, &mut node.kind) {
        (Step::Key(key), Kind::Map(branch)) => set_in_branch(branch, key, rest, value),
        (Step::Index(index), Kind::List(elements)) => {
            if let Some(Element::Value(node)) = element(elements, *index) {
                return set_in_node(node, rest, value);
            }
            elements.push(Element::Value(below(rest, value)));
            Ok(true)
        }
        (_, kind @ (Kind::Null | Kind::Leaf(_))) => {
            *kind = below(path, value).kind;
            Ok(true)
        }
        (step, _) => Err(step.does_not_fit()),
    }
}

/// A value with the collections around it that a path names.
fn below(path: &[Step], value: Node) -> Node {
    path.iter().rev().fold(value, |inner, step| {
        let kind = match step {
            Step::Key(key) => Kind::Map(vec![Item::Entry(key.clone(), inner)]),
            Step::Index(_) => Kind::List(vec![Element::Value(inner)]),
        };
        Node::new(kind, Span::at(0))
    })
}

/// Takes away what a path leads to in a document.
pub(super) fn unset(document: &mut Branch, path: &TreePath) -> Result<(), NotFound> {
    match path.0.split_first() {
        Some((Step::Key(key), rest)) => unset_in_branch(document, key, rest),
        Some((step, _)) => Err(step.does_not_fit()),
        None => Err(NotFound::Key(String::new())),
    }
}

fn unset_in_branch(branch: &mut Branch, key: &str, rest: &[Step]) -> Result<(), NotFound> {
    let node = entry(branch, key).ok_or_else(|| NotFound::Key(key.to_owned()))?;
    if !rest.is_empty() {
        return unset_in_node(node, rest);
    }
    let is_entry = |item: &Item| matches!(item, Item::Entry(name, _) if name == key);
    let place = branch.iter().position(is_entry).unwrap_or_default();
    let inline = |item: &Item| matches!(item, Item::Comment(comment) if comment.inline);
    remove(branch, place, inline);
    Ok(())
}

/// Takes away what stands at a place, with the comments on its line.
fn remove<T>(all: &mut Vec<T>, place: usize, is_on_its_line: impl Fn(&T) -> bool) {
    let before = all[..place].iter().rev();
    let first = place - before.take_while(|other| is_on_its_line(other)).count();
    all.drain(first..=place);
}

fn unset_in_node(node: &mut Node, path: &[Step]) -> Result<(), NotFound> {
    match (path, &mut node.kind) {
        ([Step::Key(key), rest @ ..], Kind::Map(branch)) => unset_in_branch(branch, key, rest),
        ([Step::Index(index), rest @ ..], Kind::List(elements)) => {
            let missing = NotFound::Index(*index);
            match element(elements, *index) {
                Some(Element::Value(node)) if !rest.is_empty() => unset_in_node(node, rest),
                _ => {
                    let place = place(elements, *index).ok_or(missing)?;
                    let inline = |element: &Element| matches!(element, Element::Comment(comment) if comment.inline);
                    remove(elements, place, inline);
                    Ok(())
                }
            }
        }
        ([step, ..], _) => Err(step.does_not_fit()),
        ([], _) => Ok(()),
    }
}

fn entry<'t>(branch: &'t mut Branch, key: &str) -> Option<&'t mut Node> {
    branch.iter_mut().find_map(|item| match item {
        Item::Entry(name, node) if name == key => Some(node),
        _ => None,
    })
}

/// Where a value of a list stands among its comments.
fn place(elements: &[Element], index: usize) -> Option<usize> {
    let values = elements.iter().enumerate();
    let mut values = values.filter(|(_, element)| matches!(element, Element::Value(_)));
    values.nth(index).map(|(place, _)| place)
}

fn element(elements: &mut [Element], index: usize) -> Option<&mut Element> {
    place(elements, index).and_then(|place| elements.get_mut(place))
}
