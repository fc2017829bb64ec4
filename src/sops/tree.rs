//! What a SOPS file holds, whatever its format: documents of named values in order, with comments.
//!
//! The same shape serves before and after decryption. Which of the two a tree is, its owner says: [`super::Encrypted`]
//! or [`super::Decrypted`].

use std::borrow::Cow;

use crate::diagnostics::Span;
use crate::secret::{Map, Number, Text, Value};
use crate::yaml::timestamp::Timestamp;
use crate::yaml::value::float_literal;

/// A mapping: entries and comments in the order of the file. Keys may repeat.
pub(super) type Branch = Vec<Item>;

/// What stands in a mapping.
pub(super) enum Item {
    Entry(String, Node),
    Comment(Comment),
}

/// What stands in a list.
pub(super) enum Element {
    Value(Node),
    Comment(Comment),
}

/// A comment's text behind the `#`.
pub(super) struct Comment {
    pub(super) text: Text,
    /// Whether it stands on the line of the value that comes next in the tree.
    pub(super) inline: bool,
    /// Where it stands with its `#`, in the formats whose comments are found by that.
    pub(super) span: Option<Span>,
}

/// A value and where it stands.
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// Kinds of values.
pub(super) enum Kind {
    /// Never encrypted, never hashed.
    Null,
    Leaf(Leaf),
    List(Vec<Element>),
    Map(Branch),
}

/// A value that can be encrypted.
pub(super) enum Leaf {
    /// A text, not necessarily UTF-8.
    String(Text),
    Int(i64),
    Float(f64),
    Bool(bool),
    Time(Timestamp),
}

impl Leaf {
    /// What messages call the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Bool(_) => "bool",
            Self::Time(_) => "time",
        }
    }

    /// The canonical text: what is encrypted and what is hashed.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::String(text) => text.clone(),
            Self::Int(integer) => Text::from(integer.to_string()),
            Self::Float(float) => float_text(*float),
            Self::Bool(true) => Text::from("True"),
            Self::Bool(false) => Text::from("False"),
            Self::Time(time) => time.to_text(),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let is_number = |leaf: &Self| matches!(leaf, Self::Int(_) | Self::Float(_));
        let same_type = std::mem::discriminant(self) == std::mem::discriminant(other);
        (same_type || is_number(self) && is_number(other)) && self.text() == other.text()
    }

    fn into_value(self) -> Value {
        match self {
            Self::String(text) => Value::String(text),
            Self::Int(integer) => Value::Number(Number::from_literal(integer.to_string())),
            Self::Float(float) if float.is_finite() => {
                Value::Number(Number::from_literal(float_literal(float)))
            }
            // JSON has no number for these; as YAML spells them.
            Self::Float(float) if float.is_nan() => Value::string(".nan"),
            Self::Float(float) if float > 0.0 => Value::string(".inf"),
            Self::Float(_) => Value::string("-.inf"),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Time(time) => Value::String(time.to_text()),
        }
    }
}

/// The shortest digits that read back as the same number, never with an exponent.
pub(super) fn float_text(float: f64) -> Text {
    if float.is_nan() {
        Text::from("NaN")
    } else if float.is_infinite() {
        Text::from(if float > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        Text::from(float.to_string())
    }
}

impl Node {
    pub(super) fn new(kind: Kind, span: Span) -> Self {
        Self { kind, span }
    }

    /// A text that stands nowhere yet.
    pub(super) fn text(text: impl Into<Text>) -> Self {
        Self::new(Kind::Leaf(Leaf::String(text.into())), Span::at(0))
    }

    /// The value without its comments.
    fn into_value(self) -> Value {
        match self.kind {
            Kind::Null => Value::Null,
            Kind::Leaf(leaf) => leaf.into_value(),
            Kind::List(elements) => Value::List(
                elements
                    .into_iter()
                    .filter_map(|element| match element {
                        Element::Value(node) => Some(node.into_value()),
                        Element::Comment(_) => None,
                    })
                    .collect(),
            ),
            Kind::Map(branch) => Value::Map(into_map(branch)),
        }
    }
}

/// A mapping without its comments. A merge key stays a key, as in SOPS's own tree.
pub(super) fn into_map(branch: Branch) -> Map {
    branch
        .into_iter()
        .filter_map(|item| match item {
            Item::Entry(key, node) => Some((key, node.into_value())),
            Item::Comment(_) => None,
        })
        .collect()
}

/// A copy for an alias. Counts the nodes it makes down from `budget`; `None` when that is used up.
pub(super) fn copy(node: &Node, budget: &mut usize) -> Option<Node> {
    *budget = budget.checked_sub(1)?;
    let kind = match &node.kind {
        Kind::Null => Kind::Null,
        Kind::Leaf(leaf) => Kind::Leaf(match leaf {
            Leaf::String(text) => {
                // Long texts count as the many nodes whose memory they take.
                *budget = budget.checked_sub(text.expose().len() / 64)?;
                Leaf::String(text.clone())
            }
            Leaf::Int(integer) => Leaf::Int(*integer),
            Leaf::Float(float) => Leaf::Float(*float),
            Leaf::Bool(truth) => Leaf::Bool(*truth),
            Leaf::Time(time) => Leaf::Time(*time),
        }),
        Kind::List(elements) => Kind::List(
            elements
                .iter()
                .map(|element| match element {
                    Element::Value(node) => copy(node, budget).map(Element::Value),
                    Element::Comment(comment) => Some(Element::Comment(comment.copy())),
                })
                .collect::<Option<_>>()?,
        ),
        Kind::Map(branch) => Kind::Map(copy_branch(branch, budget)?),
    };
    Some(Node::new(kind, node.span))
}

/// The same for a mapping.
pub(super) fn copy_branch(branch: &[Item], budget: &mut usize) -> Option<Branch> {
    let copy_item = |item: &Item| match item {
        Item::Entry(key, node) => copy(node, budget).map(|node| Item::Entry(key.clone(), node)),
        Item::Comment(comment) => Some(Item::Comment(comment.copy())),
    };
    branch.iter().map(copy_item).collect()
}

/// A copy of what has no aliases left.
pub(super) fn copy_all(branch: &[Item]) -> Branch {
    let mut budget = usize::MAX;
    copy_branch(branch, &mut budget).unwrap_or_default()
}

/// Whether trees hold the same keys, values and comments in the same order. A float that is an integer is one.
pub(super) fn same(first: &[Item], second: &[Item]) -> bool {
    let same_item = |pair: (&Item, &Item)| match pair {
        (Item::Entry(key, node), Item::Entry(other_key, other)) => {
            key == other_key && node.is_same(other)
        }
        (Item::Comment(comment), Item::Comment(other)) => comment.text == other.text,
        _ => false,
    };
    first.len() == second.len() && first.iter().zip(second).all(same_item)
}

impl Node {
    /// Whether a value is the same as another, wherever the two stand.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_element = |pair: (&Element, &Element)| match pair {
            (Element::Value(node), Element::Value(other)) => node.is_same(other),
            (Element::Comment(comment), Element::Comment(other)) => comment.text == other.text,
            _ => false,
        };
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Leaf(leaf), Kind::Leaf(other)) => leaf.is_same(other),
            (Kind::Map(branch), Kind::Map(other)) => same(branch, other),
            (Kind::List(elements), Kind::List(others)) => {
                elements.len() == others.len() && elements.iter().zip(others).all(same_element)
            }
            _ => false,
        }
    }
}

impl Comment {
    /// A comment on a line of its own.
    pub(super) fn new(text: Text) -> Self {
        Self {
            text,
            inline: false,
            span: None,
        }
    }

    /// The same text as another comment, in that one's place.
    pub(super) fn with_text(&self, text: Text) -> Self {
        Self { text, ..*self }
    }

    /// The text as it is written; what is no UTF-8 in it is marked.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.text.expose())
    }

    fn copy(&self) -> Self {
        self.with_text(self.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_texts() {
        for (leaf, expected) in [
            (Leaf::Int(-7), "-7"),
            (Leaf::Float(1.0), "1"),
            (Leaf::Float(1.50), "1.5"),
            (Leaf::Float(-0.0), "-0"),
            (Leaf::Float(1e21), "1000000000000000000000"),
            (Leaf::Float(1.5e-7), "0.00000015"),
            (Leaf::Float(f64::INFINITY), "+Inf"),
            (Leaf::Float(f64::NEG_INFINITY), "-Inf"),
            (Leaf::Float(f64::NAN), "NaN"),
            (Leaf::Bool(true), "True"),
            (Leaf::Bool(false), "False"),
            (Leaf::String("".into()), ""),
        ] {
            assert_eq!(leaf.text().expose_str(), Some(expected));
        }
    }
}
