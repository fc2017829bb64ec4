//! What can go wrong in a modifier, in AVP's words where it has some, and never with a part of the value.

use std::fmt;

use super::jsonpath;
use super::table::{MODIFIERS, Modifier};
use crate::diagnostics::{Explain, Fault};
use crate::secret::Value;
use crate::yaml::SyntaxError;

/// A statement that could not be applied.
#[derive(Clone, thiserror::Error)]
pub enum Error {
    /// Nothing stands between two bars, or behind the last one.
    #[error("invalid modifier: the statement behind a bar is empty")]
    Empty,
    /// There is no such modifier.
    #[error("invalid modifier: {name}")]
    Unknown {
        /// As the manifest writes it.
        name: String,
        /// Known names that look like it.
        near: Vec<&'static str>,
    },
    /// The modifier cannot do what is asked with this value.
    #[error("{}: {cause}", .modifier.name)]
    Failed {
        /// Which one.
        modifier: &'static Modifier,
        /// Why.
        cause: Cause,
    },
}

/// Why a modifier failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Too many arguments, or too few.
    #[error("invalid parameters")]
    Parameters,
    /// Not a value that this modifier works on.
    #[error("invalid datatype {go}")]
    Datatype {
        /// The type as AVP's language calls it, for those who search logs.
        go: &'static str,
        /// The type as we call it.
        found: &'static str,
    },
    /// The same, as `sha256sum` words it.
    #[error("invalid datatype {go}, expected string")]
    NotString {
        /// As above.
        go: &'static str,
        /// As above.
        found: &'static str,
    },
    /// A list, a map or nothing for one of our modifiers, called as we call its type.
    #[error("wants text, and the value is of type {0}")]
    NotText(&'static str),
    /// A quote that nothing closes, at this byte of the statement.
    #[error("the quote at byte {0} is not closed")]
    OpenQuote(usize),
    /// A quoted text that is not a JSON string.
    #[error("the text in quotes at byte {0} has a bad escape or a control character")]
    Escape(usize),
    /// A quoted text without white space around it.
    #[error("the argument at byte {0} has a quote that touches other text")]
    TouchedQuote(usize),
    /// A word in the quotes of another language, which would be a part of it.
    #[error("the argument at byte {0} begins with a single quote")]
    SingleQuote(usize),
    /// A value that the modifier cannot use, in its own words.
    #[error("{0}")]
    Unfit(&'static str),
    /// An argument that it cannot use.
    #[error("{0}")]
    Argument(&'static str),
    /// A value is missing that the manifest's author calls required, in the author's words.
    #[error("{0}")]
    Required(String),
    /// A result that is longer than anybody means.
    #[error("the result is longer than 64 MiB")]
    TooLong,
    /// `indent` by something that is no number, or too large a one.
    #[error("invalid indentation level")]
    Level,
    /// A text for a parser that is not UTF-8.
    #[error("the value is not UTF-8 text")]
    NotUtf8,
    /// A text that is not JSON.
    #[error("the value is not JSON: {}", at(.0))]
    Json(SyntaxError),
    /// A text that is not YAML.
    #[error("error converting YAML to JSON: {}", at(.0))]
    Yaml(SyntaxError),
    /// A number that a 64-bit float cannot hold.
    #[error("the value holds a number that is out of range")]
    Range,
    /// A template that is wrong, or that asks for what is not there.
    #[error("{0}")]
    Path(jsonpath::Error),
}

fn at(error: &SyntaxError) -> String {
    format!("{} at byte {}", error.message, error.position)
}

impl Cause {
    fn hint(&self, modifier: &Modifier) -> Option<String> {
        let hint = match self {
            Self::Parameters | Self::TouchedQuote(_) | Self::Argument(_) => {
                format!("write `{}`", modifier.usage())
            }
            Self::Level => format!("write `{}`, with a number of spaces", modifier.usage()),
            Self::Datatype { found, .. } | Self::NotString { found, .. } => format!(
                "{} works on a string, and the value is of type {found}: {}",
                modifier.name,
                make_text(found)
            ),
            Self::NotText(found) => make_text(found).to_owned(),
            Self::OpenQuote(_) => {
                r"inside quotes write | as \u007c, > as \u003e and < as \u003c".to_owned()
            }
            Self::SingleQuote(_) => r#"arguments stand in double quotes: "…""#.to_owned(),
            Self::Escape(_) => {
                r#"the escapes are \", \\, \n, \t and \uXXXX (two of these beyond FFFF)"#.to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }

    /// A value of the wrong type.
    pub(super) fn datatype(value: &Value) -> Self {
        Self::Datatype {
            go: go_type(value),
            found: value.type_name(),
        }
    }
}

/// What to do about a value that is no text.
fn make_text(type_name: &str) -> &'static str {
    match type_name {
        "null" => r#"put `default "TEXT"` in front of it"#,
        "list" | "map" => "put `toJson` in front of it",
        _ => "put `toString` in front of it",
    }
}

/// What AVP's messages call the type. Its numbers have more than one; this is that of numbers from Vault.
pub(super) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Bytes(_) => "[]uint8",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    }
}

impl Explain for Error {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Empty => Some("remove the bar, or write a modifier behind it".to_owned()),
            Self::Unknown { near, .. } if near.is_empty() => {
                let names: Vec<&str> = MODIFIERS.iter().map(|modifier| modifier.name).collect();
                Some(format!("the modifiers are {}", names.join(", ")))
            }
            Self::Unknown { near, .. } => Some(format!("did you mean `{}`?", near.join("` or `"))),
            Self::Failed { modifier, cause } => cause.hint(modifier),
        }
    }
}

/// The table's entries hold functions, so they are shown by name.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}
