//! What a scalar means in each format.

use super::Format;
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::sops::error::Error;
use crate::sops::tree::{Kind, Leaf};
use crate::yaml::go_scalar::{self, Scalar};
use crate::yaml::{Style, decode_base64};

/// The value of a scalar that is no key.
pub(super) fn value(
    text: &str,
    style: Style,
    tag: Option<&str>,
    span: Span,
    format: Format,
) -> Result<Kind, Error> {
    match format {
        Format::Yaml => yaml(text, style, tag, span),
        _ => json(text, style, span),
    }
}

/// The text of a key. Keys that YAML reads as something else than strings are refused, as SOPS refuses them.
pub(super) fn key(
    text: &str,
    style: Style,
    tag: Option<&str>,
    span: Span,
) -> Result<String, Error> {
    match go_scalar::resolve(text, style, tag) {
        Ok(Scalar::String) => Ok(text.to_owned()),
        _ => Err(Error::structure(
            span,
            "a key that is not a string: SOPS supports only string keys",
        )),
    }
}

fn yaml(text: &str, style: Style, tag: Option<&str>, span: Span) -> Result<Kind, Error> {
    let scalar = go_scalar::resolve(text, style, tag)
        .map_err(|mismatch| Error::structure(span, mismatch.to_string()))?;
    Ok(Kind::Leaf(match scalar {
        Scalar::Null => return Ok(Kind::Null),
        Scalar::Bool(truth) => Leaf::Bool(truth),
        Scalar::Integer(integer) => Leaf::Int(i64::try_from(integer).map_err(|_| too_large(span))?),
        Scalar::Float(float) => Leaf::Float(float),
        Scalar::Time(time) => Leaf::Time(time),
        Scalar::String => Leaf::String(Text::from(text)),
        Scalar::Binary => {
            let bytes = decode_base64(text)
                .ok_or_else(|| Error::structure(span, "a !!binary value that is not base64"))?;
            Leaf::String(Text::from(bytes))
        }
    }))
}

/// Integers that fit 64 bits are integers, as SOPS 3.13.2 reads them; all other numbers are floats.
fn json(text: &str, style: Style, span: Span) -> Result<Kind, Error> {
    if style != Style::Plain {
        return Ok(Kind::Leaf(Leaf::String(Text::from(text))));
    }
    Ok(Kind::Leaf(match text {
        "null" => return Ok(Kind::Null),
        "true" => Leaf::Bool(true),
        "false" => Leaf::Bool(false),
        number => match number.parse() {
            Ok(integer) => Leaf::Int(integer),
            Err(_) => match number.parse::<f64>() {
                Ok(float) if float.is_finite() => Leaf::Float(float),
                _ => return Err(too_large(span)),
            },
        },
    }))
}

fn too_large(span: Span) -> Error {
    Error::structure(span, "a number that is too large for SOPS")
}
