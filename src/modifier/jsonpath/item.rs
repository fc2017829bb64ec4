//! What evaluation passes from step to step: parts of the value, and what the template says itself.

use super::super::error::go_type;
use super::super::json;
use crate::secret::Value;

/// One result of a step.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    /// A part of the value.
    Value(&'a Value),
    /// Text of the template.
    Text(&'a [u8]),
    /// A number of the template.
    Integer(i64),
    /// A number of the template.
    Float(f64),
    /// A truth value of the template.
    Bool(bool),
    /// A byte of a string: kubectl lets one step into strings.
    Byte(u8),
    /// What a range without elements works on, or one over nulls.
    Nothing,
}

impl<'a> Item<'a> {
    /// What a whole action works on. A null is nothing here, and only here.
    pub(super) fn root(value: &'a Value) -> Self {
        Self::Value(value).as_root()
    }

    /// The same as what an action works on.
    pub(super) fn as_root(self) -> Self {
        if self.is_null() { Self::Nothing } else { self }
    }

    pub(super) fn is_null(self) -> bool {
        matches!(self, Self::Value(Value::Null))
    }

    /// The value of that name, if this is a map that has it.
    pub(super) fn field(self, name: &str) -> Option<Self> {
        let Self::Value(Value::Map(map)) = self else {
            return None;
        };
        let entry = map.iter().rev().find(|(key, _)| key == name)?;
        Some(Self::Value(&entry.1))
    }

    /// The elements, if this has an order of them.
    pub(super) fn elements(self) -> Option<Vec<Self>> {
        match self {
            Self::Value(Value::List(items)) => Some(items.iter().map(Self::Value).collect()),
            Self::Value(Value::Bytes(bytes)) => Some(bytes_of(bytes.expose())),
            _ => None,
        }
    }

    /// Everything right inside: of a map sorted by key, so that results do not change from run to run.
    pub(super) fn children(self) -> Vec<Self> {
        match self {
            Self::Value(Value::Map(map)) => {
                let entries = json::sorted(map).into_iter();
                entries.map(|(_, value)| Self::Value(value)).collect()
            }
            Self::Value(Value::String(text)) => bytes_of(text.expose()),
            Self::Text(text) => bytes_of(text),
            _ => self.elements().unwrap_or_default(),
        }
    }

    /// The type as kubectl's messages call it.
    pub(super) fn type_name(self, literals: bool) -> &'static str {
        match self {
            Self::Value(Value::Number(_)) if !literals => "float64",
            Self::Value(value) => go_type(value),
            Self::Text(_) => "string",
            Self::Integer(_) => "int",
            Self::Float(_) => "float64",
            Self::Bool(_) => "bool",
            Self::Byte(_) => "uint8",
            Self::Nothing => "<nil>",
        }
    }
}

fn bytes_of(bytes: &[u8]) -> Vec<Item<'_>> {
    bytes.iter().map(|byte| Item::Byte(*byte)).collect()
}
