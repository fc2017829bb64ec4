//! A text and the answers into what takes its place: values looked up, modifiers applied, layers written into each
//! other. Pure; knows no document.

use std::ops::Range;

use super::failure::{Absence, Failed, Failure, Mention};
use super::text::{Content, Layer, Text};
use super::{Answers, Plan};
use crate::backends::{self, ErrorKind, Outcome};
use crate::diagnostics::{self, Warning};
use crate::modifier;
use crate::secret::{Reference, Value};

/// What was noticed in a text besides its value.
#[derive(Default)]
pub(super) struct Findings<'p> {
    pub failed: Vec<Failed<'p>>,
    /// What is to be warned of.
    pub warnings: Vec<(Mention<'p>, Warning, String)>,
}

impl Findings<'_> {
    /// Makes nothing of the text fit to be quoted: it was decrypted.
    pub(super) fn hide(&mut self) {
        let failed = self.failed.iter_mut().map(|failed| &mut failed.mention);
        let warned = self.warnings.iter_mut().map(|(mention, ..)| mention);
        for mention in failed.chain(warned) {
            mention.nested = true;
        }
    }
}

/// What a text becomes.
pub(super) enum Evaluated {
    /// Ranges of the text, and what goes there.
    Pieces(Vec<(Range<usize>, Vec<u8>)>),
    /// A value that is no string takes the place of the whole text (`avp-compat.md` 7.3).
    Whole(Value),
}

/// Evaluates the texts of a run.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'r> {
    pub plan: &'r Plan,
    pub answers: &'r Answers,
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
    /// What a string becomes, to be used only if nothing failed. The pieces of a string are UTF-8 then.
    pub(super) fn evaluate<'p>(&self, text: &'p Text<'_>) -> (Evaluated, Findings<'p>) {
        let mut findings = Findings::default();
        let evaluated = self.layer(
            text,
            Around {
                outer: None,
                typed: true,
            },
            &mut findings,
        );
        if let Evaluated::Pieces(pieces) = &evaluated {
            refuse_bytes(text, pieces, &mut findings);
        }
        (evaluated, findings)
    }

    fn layer<'p>(
        &self,
        text: &'p Text<'_>,
        around: Around<'_>,
        findings: &mut Findings<'p>,
    ) -> Evaluated {
        let mut pieces = Vec::new();
        let mut whole = None;
        for part in &text.parts {
            let range = around.outer.unwrap_or(&part.range);
            let mention = |reference, nested: bool| Mention {
                reference,
                range: range.clone(),
                nested: nested || around.outer.is_some(),
            };
            match &part.content {
                Content::Reference(reference) => {
                    match self.resolve(&mention(reference, false), findings) {
                        Ok(Value::String(value)) => {
                            pieces.push((part.range.clone(), value.expose().to_vec()));
                        }
                        Ok(value) if around.typed && reference.typed => {
                            if !text.is_nothing_but(&part.range) {
                                let lost = format!(
                                    "a {} takes the place of the whole text",
                                    value.type_name()
                                );
                                findings.warnings.push((
                                    mention(reference, false),
                                    Warning::LostText,
                                    lost,
                                ));
                            }
                            whole = Some(value);
                        }
                        Ok(value) => pieces.push((
                            part.range.clone(),
                            modifier::stringify(&value).expose().to_vec(),
                        )),
                        Err(failure) => findings.failed.push(Failed {
                            failure,
                            mention: mention(reference, false),
                        }),
                    }
                }
                Content::Nested(layer, inner) => {
                    let inside = Around {
                        outer: Some(range),
                        typed: *layer == Layer::Base64,
                    };
                    let bytes = self.layer(inner, inside, findings).into_bytes(inner);
                    if let Some(encoded) = layer.encode(&bytes) {
                        pieces.push((part.range.clone(), encoded.into_bytes()));
                    } else if let Some(&first) = inner.references().first() {
                        findings.failed.push(Failed {
                            failure: Failure::NotUtf8,
                            mention: mention(first, true),
                        });
                    }
                }
            }
        }
        whole.map_or(Evaluated::Pieces(pieces), Evaluated::Whole)
    }

    fn resolve<'p>(
        &self,
        mention: &Mention<'p>,
        findings: &mut Findings<'p>,
    ) -> Result<Value, Failure> {
        let reference = mention.reference;
        let (value, absence) = match self.look_up(reference) {
            Ok(value) => (Some(value), Failure::Missing(Absence::Null)),
            Err(failure) if failure.is_absence() => (None, failure),
            Err(failure) => return Err(failure),
        };
        let applied = modifier::apply(&reference.transforms, value, &place_of(reference))
            .map_err(Failure::Modifier)?;
        let warnings = applied
            .warnings
            .into_iter()
            .map(|warning| (mention.clone(), Warning::BrokenBase64, warning));
        findings.warnings.extend(warnings);
        match applied.value {
            Value::Null => Err(absence),
            value => Ok(value),
        }
    }

    fn look_up(&self, reference: &Reference) -> Result<Value, Failure> {
        let Some(secret) = &reference.secret else {
            return Err(Failure::Missing(Absence::NoKey(None)));
        };
        if let Some(refused) = self.plan.refused.get(secret) {
            return Err(Failure::Refused(Box::new(refused.clone())));
        }
        let answer = match self.answers.get(secret) {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => return Err(Failure::Backend(error.clone())),
            None => return Err(Failure::Missing(Absence::NoKey(None))),
        };
        let Some(key) = reference.key.as_deref() else {
            return Ok(Value::Map(answer.values.clone()));
        };
        match answer.outcome(key) {
            Outcome::Present(value) => Ok(value.clone()),
            Outcome::Absent => {
                let names = answer.values.iter().map(|(name, _)| name.as_str());
                let absence = if names.clone().any(|name| name == key) {
                    Absence::Null
                } else {
                    Absence::NoKey(diagnostics::nearest(key, names).map(str::to_owned))
                };
                Err(Failure::Missing(absence))
            }
            Outcome::Failed(error) => Err(Failure::Backend(error.clone())),
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

/// What tells the value of a reference from others.
fn place_of(reference: &Reference) -> String {
    let path = reference.secret.as_ref().map(|secret| &*secret.path);
    let key = reference.key.as_deref();
    format!("{}#{}", path.unwrap_or_default(), key.unwrap_or_default())
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
    findings: &mut Findings<'p>,
) {
    for (range, _) in pieces
        .iter()
        .filter(|(_, bytes)| std::str::from_utf8(bytes).is_err())
    {
        let part = text.parts.iter().find(|part| part.range == *range);
        if let Some(Content::Reference(reference)) = part.map(|part| &part.content) {
            let mention = Mention {
                reference,
                range: range.clone(),
                nested: false,
            };
            findings.failed.push(Failed {
                failure: Failure::NotUtf8,
                mention,
            });
        }
    }
}
