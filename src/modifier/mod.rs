//! Modifiers: value-to-value functions behind a table of names (`avp-compat.md` section 8).
//!
//! A new modifier is one function and one line in `table.rs`. None knows where its value came from, and no text that
//! leaves this room holds a part of a value: errors and warnings name the modifier, a type, or a position.

mod base64;
mod digest;
mod error;
mod indent;
mod json;
mod jsonpath;
mod number;
mod parse;
mod stringify;
mod table;
#[cfg(test)]
mod tests;

pub use error::{Cause, Error};
pub use jsonpath::Error as TemplateError;
pub use stringify::stringify;
pub use table::{Arguments, MODIFIERS, Modifier};

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

/// Applies modifier statements (a name and its arguments) to a value, from left to right.
pub fn apply(statements: &[String], value: Value) -> Result<Applied, Error> {
    let mut applied = Applied {
        value,
        warnings: Vec::new(),
    };
    for statement in statements {
        applied = apply_one(statement, applied)?;
    }
    Ok(applied)
}

fn apply_one(statement: &str, applied: Applied) -> Result<Applied, Error> {
    let mut words = statement.split_whitespace();
    let name = words.next().ok_or(Error::Empty)?;
    let modifier = find(name).ok_or_else(|| Error::Unknown {
        name: name.to_owned(),
        near: suggestion(name),
    })?;
    let failed = |cause| Error::Failed { modifier, cause };
    let arguments: Vec<&str> = words.collect();
    if !modifier.arguments.accept(arguments.len()) {
        return Err(failed(Cause::Parameters));
    }
    let mut warnings = applied.warnings;
    let call = Call {
        name: modifier.name,
        value: applied.value,
        arguments,
        warnings: &mut warnings,
    };
    let value = (modifier.run)(call).map_err(failed)?;
    Ok(Applied { value, warnings })
}

/// The modifier of that exact name.
fn find(name: &str) -> Option<&'static Modifier> {
    MODIFIERS.iter().find(|modifier| modifier.name == name)
}

/// The modifier that a wrong name may mean. Text that is no name at all is not looked at: the search takes memory.
fn suggestion(name: &str) -> Option<&'static str> {
    const LONGEST: usize = 64;
    let names = MODIFIERS.iter().map(|modifier| modifier.name);
    (name.len() <= LONGEST).then(|| nearest(name, names))?
}

/// What a modifier works with.
struct Call<'a> {
    name: &'static str,
    value: Value,
    /// As many as the table's line accepts.
    arguments: Vec<&'a str>,
    warnings: &'a mut Vec<String>,
}

impl Call<'_> {
    /// The string that most modifiers want; a number is not one, even where the store wrote it as a literal.
    fn string(self) -> Result<Text, Cause> {
        match self.value {
            Value::String(text) => Ok(text),
            other => Err(Cause::datatype(&other)),
        }
    }
}
