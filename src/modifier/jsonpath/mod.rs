//! `jsonPath`: a kubectl-style template over a JSON text or a value.
//!
//! An evaluator of our own, because no crate speaks this dialect: `jsonpath-rust` implements RFC 9535, which has
//! neither text around braces, nor `{range}`, nor steps chained by spaces, calls a missing field an empty result
//! instead of an error, and reads numbers as floats, which loses digits of long integers. The dialect is described at
//! <https://kubernetes.io/docs/reference/kubectl/jsonpath/>; where that page is silent we do what kubectl's own
//! evaluator does, its oddities included, because templates in the field were tried against it.

mod compare;
mod error;
mod evaluate;
mod item;
mod parse;
mod print;
mod quote;
mod template;
#[cfg(test)]
mod tests;

pub use error::Error;

use super::json::Form;
use super::parse::json_text;
use super::{Call, Cause};
use crate::secret::{Text, Value};

pub(super) fn modifier(call: &mut Call<'_>) -> Result<Value, Cause> {
    // AVP splits at white space and joins with one space, also within quotes.
    let template = call.arguments.join(" ");
    let (value, literals) = match call.take() {
        Value::String(text) => (json_text(&text)?, false),
        other => (other, true),
    };
    let text = render(&template, &value, literals).map_err(Cause::Path)?;
    Ok(Value::String(text))
}

/// The text that a template makes of a value. With `literals` numbers print as the store spelled them, else floats as
/// AVP prints them; integers keep their digits either way.
fn render(template: &str, value: &Value, literals: bool) -> Result<Text, Error> {
    let nodes = parse::template(template)?;
    let form = Form::Go { literals };
    let results = evaluate::evaluate(&nodes, value, form)?;
    print::print(&results, form)
}
