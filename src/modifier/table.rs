//! The table of modifiers: names, arguments, one line of help. A new one is a function and a line here.

use super::{Call, Cause, base64, digest, indent, jsonpath, parse};
use crate::secret::Value;

/// One modifier.
pub struct Modifier {
    /// As manifests write it.
    pub name: &'static str,
    /// What follows the name.
    pub arguments: Arguments,
    /// What it does, in one line.
    pub summary: &'static str,
    /// The function.
    pub(super) run: fn(Call<'_>) -> Result<Value, Cause>,
}

/// What follows a modifier's name: words between white space, as AVP splits them. There are no quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arguments {
    /// Nothing.
    None,
    /// One word, called so in messages.
    One(&'static str),
    /// One word or more.
    Many(&'static str),
}

impl Arguments {
    pub(super) fn accept(self, count: usize) -> bool {
        match self {
            Self::None => count == 0,
            Self::One(_) => count == 1,
            Self::Many(_) => count >= 1,
        }
    }
}

impl Modifier {
    /// How it is written.
    pub fn usage(&self) -> String {
        match self.arguments {
            Arguments::None => self.name.to_owned(),
            Arguments::One(word) | Arguments::Many(word) => format!("{} {word}", self.name),
        }
    }
}

/// All modifiers, sorted by name.
pub const MODIFIERS: &[Modifier] = &[
    Modifier {
        name: "base64decode",
        arguments: Arguments::None,
        summary: "the bytes that a base64 text stands for",
        run: base64::decode,
    },
    Modifier {
        name: "base64encode",
        arguments: Arguments::None,
        summary: "the string as base64, padded, on one line",
        run: base64::encode,
    },
    Modifier {
        name: "indent",
        arguments: Arguments::One("N"),
        summary: "every line but the first moved to column N; inner indentation and blank lines are lost",
        run: indent::indent,
    },
    Modifier {
        name: "jsonParse",
        arguments: Arguments::None,
        summary: "the value that a JSON text holds",
        run: parse::json,
    },
    Modifier {
        name: "jsonPath",
        arguments: Arguments::Many("TEMPLATE"),
        summary: "text made from a JSON text or value by a kubectl JSONPath template",
        run: jsonpath::modifier,
    },
    Modifier {
        name: "sha256sum",
        arguments: Arguments::None,
        summary: "the SHA-256 digest of the string, as lower-case hexadecimal digits",
        run: digest::sha256sum,
    },
    Modifier {
        name: "yamlParse",
        arguments: Arguments::None,
        summary: "the value that a YAML text holds, read as Kubernetes reads it",
        run: parse::yaml,
    },
];
