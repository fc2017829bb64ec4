//! A text and the answers into what takes its place: values looked up, modifiers applied, layers written into each
//! other. Pure; knows no document.

use std::ops::Range;

use super::text::{Content, Layer, Text};
use super::{Answers, Plan};
use crate::backends::{self, ErrorKind, Outcome};
use crate::diagnostics::{self, Diagnostic, Explain, Fault};
use crate::modifier;
use crate::secret::{Reference, Value};

/// Why a reference has no value.
pub(super) enum Failure {
    /// The secret has no such key, or there is no secret to look in; perhaps a near key.
    Missing(Option<String>),
    /// It may not be asked for.
    Refused(Box<Diagnostic>),
    /// The backend failed.
    Backend(backends::Error),
    /// A modifier failed.
    Modifier(modifier::Error),
    /// Bytes where text is needed (D19).
    NotUtf8,
}

/// A failure of one reference, and where in the outermost text it stands.
pub(super) struct Failed<'p> {
    pub failure: Failure,
    pub reference: &'p Reference,
    pub range: Range<usize>,
    /// Whether it lies in a decoded text, of which nothing may be quoted.
    pub nested: bool,
}

/// What a text becomes.
pub(super) enum Evaluated {
    /// Ranges of the text, and what goes there.
    Pieces(Vec<(Range<usize>, Vec<u8>)>),
    /// A value that is no string takes the place of the whole text (`avp-compat.md` 7.3).
    Whole(Value),
}

/// Evaluates the texts of a run.
pub(super) struct Evaluator<'r> {
    pub plan: &'r Plan,
    pub answers: &'r Answers,
    /// What modifiers warned of.
    pub warnings: Vec<Diagnostic>,
}

/// The layer that is being evaluated.
#[derive(Clone, Copy)]
struct Around<'a> {
    /// The range in the outermost text that holds this layer; `None` for the outermost itself.
    outer: Option<&'a Range<usize>>,
    /// Whether a value that is no string may take the layer's whole place.
    typed: bool,
}

impl Evaluator<'_> {
    /// What a string becomes, or everything that failed in it. The pieces of a string are UTF-8.
    pub(super) fn evaluate<'p>(
        &mut self,
        text: &'p Text<'_>,
    ) -> Result<Evaluated, Vec<Failed<'p>>> {
        let mut failed = Vec::new();
        let evaluated = self.layer(
            text,
            Around {
                outer: None,
                typed: true,
            },
            &mut failed,
        );
        if let Evaluated::Pieces(pieces) = &evaluated {
            refuse_bytes(text, pieces, &mut failed);
        }
        if failed.is_empty() {
            Ok(evaluated)
        } else {
            Err(failed)
        }
    }

    fn layer<'p>(
        &mut self,
        text: &'p Text<'_>,
        around: Around<'_>,
        failed: &mut Vec<Failed<'p>>,
    ) -> Evaluated {
        let mut pieces = Vec::new();
        let mut whole = None;
        for part in &text.parts {
            let range = around.outer.unwrap_or(&part.range);
            match &part.content {
                Content::Reference(reference) => match self.resolve(reference) {
                    Ok(Value::String(value)) => {
                        pieces.push((part.range.clone(), value.expose().to_vec()));
                    }
                    Ok(value) if around.typed && reference.typed => whole = Some(value),
                    Ok(value) => pieces.push((
                        part.range.clone(),
                        modifier::stringify(&value).expose().to_vec(),
                    )),
                    Err(failure) => {
                        let nested = around.outer.is_some();
                        failed.push(Failed {
                            failure,
                            reference,
                            range: range.clone(),
                            nested,
                        });
                    }
                },
                Content::Nested(layer, inner) => {
                    let inside = Around {
                        outer: Some(range),
                        typed: *layer == Layer::Base64,
                    };
                    let bytes = self.layer(inner, inside, failed).into_bytes(inner);
                    match layer.encode(&bytes) {
                        Some(encoded) => pieces.push((part.range.clone(), encoded.into_bytes())),
                        None => failed.extend(inner.references().first().map(|reference| Failed {
                            failure: Failure::NotUtf8,
                            reference,
                            range: range.clone(),
                            nested: true,
                        })),
                    }
                }
            }
        }
        whole.map_or(Evaluated::Pieces(pieces), Evaluated::Whole)
    }

    fn resolve(&mut self, reference: &Reference) -> Result<Value, Failure> {
        let value = self.look_up(reference)?;
        let applied = modifier::apply(&reference.transforms, value).map_err(Failure::Modifier)?;
        for warning in applied.warnings {
            self.warnings.push(Diagnostic::warning(format!(
                "{warning} for placeholder {}",
                reference.head
            )));
        }
        match applied.value {
            Value::Null => Err(Failure::Missing(None)),
            value => Ok(value),
        }
    }

    fn look_up(&self, reference: &Reference) -> Result<Value, Failure> {
        let Some(secret) = &reference.secret else {
            return Err(Failure::Missing(None));
        };
        if let Some(refused) = self.plan.refused.get(secret) {
            return Err(Failure::Refused(Box::new(refused.clone())));
        }
        let answer = match self.answers.get(secret) {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => return Err(Failure::Backend(error.clone())),
            None => return Err(Failure::Missing(None)),
        };
        let Some(key) = reference.key.as_deref() else {
            return Ok(Value::Map(answer.values.clone()));
        };
        match answer.outcome(key) {
            Outcome::Present(value) => Ok(value.clone()),
            Outcome::Absent => {
                let names = answer.values.iter().map(|(name, _)| name.as_str());
                Err(Failure::Missing(
                    diagnostics::nearest(key, names).map(str::to_owned),
                ))
            }
            Outcome::Denied(reason) => {
                let error = backends::Error::new(
                    ErrorKind::Denied,
                    format!("the key {key} may not be read"),
                );
                Err(Failure::Backend(error.with_cause(reason)))
            }
        }
    }
}

impl Evaluated {
    /// The bytes of a layer that is written into another one.
    fn into_bytes(self, text: &Text<'_>) -> Vec<u8> {
        match self {
            Self::Whole(value) => modifier::stringify(&value).expose().to_vec(),
            Self::Pieces(pieces) => {
                let mut bytes = Vec::with_capacity(text.bytes.len());
                let mut position = 0;
                for (range, piece) in pieces {
                    bytes.extend_from_slice(&text.bytes[position..range.start]);
                    bytes.extend_from_slice(&piece);
                    position = range.end;
                }
                bytes.extend_from_slice(&text.bytes[position..]);
                bytes
            }
        }
    }
}

/// Pieces of the outermost text must be UTF-8.
fn refuse_bytes<'p>(
    text: &'p Text<'_>,
    pieces: &[(Range<usize>, Vec<u8>)],
    failed: &mut Vec<Failed<'p>>,
) {
    for (range, _) in pieces
        .iter()
        .filter(|(_, bytes)| std::str::from_utf8(bytes).is_err())
    {
        let part = text.parts.iter().find(|part| part.range == *range);
        if let Some(Content::Reference(reference)) = part.map(|part| &part.content) {
            failed.push(Failed {
                failure: Failure::NotUtf8,
                reference,
                range: range.clone(),
                nested: false,
            });
        }
    }
}

impl Failure {
    /// The diagnostic of this failure of a reference, without a place.
    pub(super) fn explain(self, reference: &Reference) -> Diagnostic {
        let head = &reference.head;
        match self {
            Self::Missing(near) => missing(reference, near),
            Self::Refused(diagnostic) => *diagnostic,
            Self::Backend(error) => of_backend(&error),
            Self::Modifier(error) => {
                let mut diagnostic = Diagnostic::from_error(&error);
                diagnostic.message = format!("{} for placeholder {head}", diagnostic.message);
                diagnostic.hint = error.hint();
                diagnostic
            }
            Self::NotUtf8 => Diagnostic::error(
                Fault::Input,
                format!("the value of placeholder {head} is not UTF-8 text"),
            )
            .with_hint("add `| base64encode`, or put it into the `data` of a Secret as base64"),
        }
    }
}

/// The diagnostic of a backend's failure, without a place.
pub(super) fn of_backend(error: &backends::Error) -> Diagnostic {
    Diagnostic::from_error(error).with_causes(&error.causes)
}

fn missing(reference: &Reference, near: Option<String>) -> Diagnostic {
    let head = &reference.head;
    let reason = match (&reference.secret, &reference.key) {
        (None, _) => ": the path annotation is empty".to_owned(),
        (Some(secret), Some(key)) => format!(": {} has no key {key}", secret.path),
        (Some(_), None) => String::new(),
    };
    let mut diagnostic = Diagnostic::error(
        Fault::Input,
        format!("missing value for placeholder {head}{reason}"),
    );
    diagnostic.avp = Some(format!(
        "replaceString: missing Vault value for placeholder {head}"
    ));
    diagnostic.hint = near.map(|near| format!("there is a key {near}"));
    diagnostic
}
