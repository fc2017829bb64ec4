//! Secret values: they print nothing, and clear themselves when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text: usually UTF-8, but `base64decode` can yield any bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Zeroizing<Vec<u8>>);

impl Text {
    /// The bytes, opened: each use can be found by this name.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The text, opened, if it is UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text.into_bytes()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.as_bytes().to_vec()))
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A number by its literal, so that no digit is lost. The literal is a JSON number.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(Text);

impl Number {
    /// A number from its JSON literal; the caller has checked the grammar.
    pub fn from_literal(literal: impl Into<String>) -> Self {
        Self(Text::from(literal.into()))
    }

    /// The literal, opened.
    pub fn expose(&self) -> &str {
        self.0.expose_str().expect("a number literal is ASCII")
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret number]")
    }
}

/// A value as a backend gives it, or as a modifier makes it.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// No value: a null counts as a missing key.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number, by its literal.
    Number(Number),
    /// A string. Not necessarily UTF-8.
    String(Text),
    /// Bytes from a store that says "binary": written as base64, or raw where text is wanted.
    Bytes(Text),
    /// A list.
    List(Vec<Value>),
    /// A map in the order of its source; of two equal keys the last counts.
    Map(Map),
}

/// Keys and values in the order of their source.
pub type Map = Vec<(String, Value)>;

/// The last value of a key: of two equal keys the last counts.
pub fn last<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    let found = map.iter().rev().find(|(name, _)| name == key);
    found.map(|(_, value)| value)
}

impl Value {
    /// A string value.
    pub fn string(text: impl Into<Text>) -> Self {
        Self::String(text.into())
    }

    /// What a map holds under a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(map) => last(map, key),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; none of what is no list.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// What messages call the type: never the value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[secret {}]", self.type_name())
    }
}
