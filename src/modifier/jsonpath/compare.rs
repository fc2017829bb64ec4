//! Comparisons in filters. Only like kinds compare: in particular an integer of the template with none of the value's
//! numbers, which count as floats.

use std::cmp::Ordering;

use super::error::Error;
use super::item::Item;
use crate::secret::Value;

/// What a comparison looks at.
enum Operand<'a> {
    Bool(bool),
    Integer(i64),
    /// A number of the value: a float, and where the store's literals count also their text.
    Number(f64, Option<&'a [u8]>),
    Text(&'a [u8]),
}

/// Whether `left OPERATOR right` holds.
pub(super) fn holds(
    left: Item<'_>,
    operator: &str,
    right: Item<'_>,
    literals: bool,
) -> Result<bool, Error> {
    let test: fn(Option<Ordering>) -> bool = match operator {
        "==" => |order| order == Some(Ordering::Equal),
        "!=" => |order| order != Some(Ordering::Equal),
        "<" => |order| order == Some(Ordering::Less),
        "<=" => |order| order.is_some_and(Ordering::is_le),
        ">" => |order| !order.is_some_and(Ordering::is_le),
        ">=" => |order| order != Some(Ordering::Less),
        _ => return Err(Error::Operator(operator.to_owned())),
    };
    let (left, right) = (operand(left, literals)?, operand(right, literals)?);
    let ordered = matches!(operator, "==" | "!=");
    order(&left, &right, ordered).map(test)
}

fn order(
    left: &Operand<'_>,
    right: &Operand<'_>,
    only_equality: bool,
) -> Result<Option<Ordering>, Error> {
    use Operand::{Bool, Integer, Number, Text};
    match (left, right) {
        (Bool(left), Bool(right)) if only_equality => Ok(Some(left.cmp(right))),
        (Bool(_), Bool(_)) => Err(Error::ComparisonType),
        (Integer(left), Integer(right)) => Ok(Some(left.cmp(right))),
        (Number(left, _), Number(right, _)) => Ok(left.partial_cmp(right)),
        (Text(left) | Number(_, Some(left)), Text(right) | Number(_, Some(right))) => {
            Ok(Some(left.cmp(right)))
        }
        _ => Err(Error::Comparison),
    }
}

fn operand(item: Item<'_>, literals: bool) -> Result<Operand<'_>, Error> {
    Ok(match item {
        Item::Bool(truth) | Item::Value(&Value::Bool(truth)) => Operand::Bool(truth),
        Item::Integer(integer) => Operand::Integer(integer),
        Item::Byte(byte) => Operand::Integer(byte.into()),
        Item::Float(float) => Operand::Number(float, None),
        Item::Text(text) => Operand::Text(text),
        Item::Value(Value::String(text)) => Operand::Text(text.expose()),
        Item::Value(Value::Number(number)) => {
            let literal = number.expose();
            let float = literal.parse().map_err(|_| Error::ComparisonType)?;
            Operand::Number(float, literals.then_some(literal.as_bytes()))
        }
        Item::Value(Value::Null | Value::Bytes(_) | Value::List(_) | Value::Map(_))
        | Item::Nothing => return Err(Error::ComparisonType),
    })
}
