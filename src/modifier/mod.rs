//! Modifiers: value-to-value functions behind a table of names (`avp-compat.md` section 8).
//!
//! A new modifier is one function and one line in `table.rs`. None knows where its value came from, and no text that
//! leaves this room holds a part of a value: errors and warnings name the modifier, a type, or a position.

mod arguments;
mod base64;
mod convert;
mod digest;
mod error;
mod indent;
mod json;
mod jsonpath;
mod missing;
mod number;
mod parse;
mod password;
mod stringify;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod url;
mod yaml;

use std::borrow::Cow;

pub use arguments::Arguments;
pub use error::{Cause, Error};
pub use jsonpath::Error as TemplateError;
pub use stringify::stringify;
pub use table::{MODIFIERS, Modifier};

use crate::diagnostics::nearest;
use crate::secret::{Text, Value};

/// What the modifiers of a reference made of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The value. A null counts as a missing key, as one from the backend does.
    pub value: Value,
    /// What the user should know although nothing failed, each in one line.
    pub warnings: Vec<String>,
}

/// How long a string may get: short statements can make huge ones out of long values.
const MAX_RESULT: usize = 64 << 20;

/// Applies modifier statements (a name and its arguments) to a value, from left to right. `None` is a missing value: it
/// passes all statements by, as in AVP, until one catches it. `secret` tells the value's secret and key from others, so
/// that equal values need not look equal when they are hashed.
pub fn apply(statements: &[String], value: Option<Value>, secret: &str) -> Result<Applied, Error> {
    let first = match value {
        Some(_) => 0,
        None => catcher(statements).unwrap_or(statements.len()),
    };
    let mut applied = Applied {
        value: value.unwrap_or(Value::Null),
        warnings: Vec::new(),
    };
    for statement in &statements[first..] {
        applied = apply_one(statement, applied, secret)?;
    }
    Ok(applied)
}

/// Whether a missing value is not just missing for these statements.
pub fn catch_missing(statements: &[String]) -> bool {
    catcher(statements).is_some()
}

fn catcher(statements: &[String]) -> Option<usize> {
    let catches = |name| find(name).is_some_and(|modifier| modifier.catches_missing);
    let mut names = statements.iter().map(|statement| name(statement));
    names.position(catches)
}

fn name(statement: &str) -> &str {
    statement.split_whitespace().next().unwrap_or_default()
}

fn apply_one(statement: &str, applied: Applied, secret: &str) -> Result<Applied, Error> {
    let statement = statement.trim();
    let name = name(statement);
    if name.is_empty() {
        return Err(Error::Empty);
    }
    let modifier = find(name).ok_or_else(|| Error::Unknown {
        name: name.to_owned(),
        near: suggestions(name),
    })?;
    let failed = |cause| Error::Failed { modifier, cause };
    let arguments = modifier.arguments.read(statement, name.len());
    let mut call = Call {
        name: modifier.name,
        value: applied.value,
        arguments: arguments.map_err(failed)?,
        secret,
        warnings: applied.warnings,
    };
    let value = (modifier.run)(&mut call).and_then(bounded);
    Ok(Applied {
        value: value.map_err(failed)?,
        warnings: call.warnings,
    })
}

fn bounded(value: Value) -> Result<Value, Cause> {
    match &value {
        Value::String(text) if text.expose().len() > MAX_RESULT => Err(Cause::TooLong),
        _ => Ok(value),
    }
}

/// The modifier of that exact name.
fn find(name: &str) -> Option<&'static Modifier> {
    MODIFIERS.iter().find(|modifier| modifier.name == name)
}

/// The modifiers that a wrong name may mean: those that it begins, else a near one. Text that is no name at all is not
/// looked at: the search takes memory.
fn suggestions(name: &str) -> Vec<&'static str> {
    const LONGEST: usize = 64;
    const SHORTEST: usize = 3;
    let names = MODIFIERS.iter().map(|modifier| modifier.name);
    if !(SHORTEST..=LONGEST).contains(&name.len()) {
        return Vec::new();
    }
    let begins = |known: &&str| known.starts_with(name);
    let mut near: Vec<_> = names.clone().filter(begins).collect();
    if near.is_empty() {
        near.extend(nearest(name, names));
    }
    near
}

/// What a modifier works with.
struct Call<'a> {
    name: &'static str,
    value: Value,
    /// As many as the table's line accepts.
    arguments: Vec<Cow<'a, str>>,
    secret: &'a str,
    warnings: Vec<String>,
}

impl Call<'_> {
    /// The string that AVP's modifiers want; a number is not one, even where the store wrote it as a literal.
    fn string(&self) -> Result<&Text, Cause> {
        match &self.value {
            Value::String(text) => Ok(text),
            other => Err(Cause::datatype(other)),
        }
    }

    /// The value, to be given back or on.
    fn take(&mut self) -> Value {
        std::mem::replace(&mut self.value, Value::Null)
    }

    /// The text that ours want: a string, a number's digits, `true` or `false`, or bytes.
    fn text(&self) -> Result<Text, Cause> {
        match &self.value {
            Value::Null | Value::List(_) | Value::Map(_) => {
                Err(Cause::NotText(self.value.type_name()))
            }
            scalar => Ok(stringify(scalar)),
        }
    }

    /// What a function makes of that text, which must be UTF-8.
    fn map_text(&self, change: impl FnOnce(&str) -> String) -> Result<Value, Cause> {
        let text = self.text()?;
        let text = text.expose_str().ok_or(Cause::NotUtf8)?;
        Ok(Value::string(change(text)))
    }
}
