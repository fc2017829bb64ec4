//! A text and the answers into what takes its place: values looked up, modifiers applied, layers written into each
//! other. Pure; knows no document.

use std::ops::Range;

use super::text::{Content, Layer, Text};
use super::{Answers, Plan};
use crate::backends::{self, ErrorKind, Outcome};
use crate::diagnostics::{self, Diagnostic, Explain, Fault, Warning};
use crate::modifier;
use crate::secret::{Reference, Value};

/// Why a reference has no value.
pub(super) enum Failure {
    /// There is no value.
    Missing(Absence),
    /// It may not be asked for.
    Refused(Box<Diagnostic>),
    /// The backend failed.
    Backend(backends::Error),
    /// A modifier failed.
    Modifier(modifier::Error),
    /// Bytes where text is needed (D19).
    NotUtf8,
}

/// Why there is no value.
pub(super) enum Absence {
    /// The secret has no such key, or there is no secret to look in; perhaps a near key.
    NoKey(Option<String>),
    /// The value is null, which counts as none.
    Null,
}

/// A failure of one reference.
pub(super) struct Failed<'p> {
    pub failure: Failure,
    pub mention: Mention<'p>,
}

/// A reference, where it stands in the outermost text, and what messages may say of it.
#[derive(Clone)]
pub(super) struct Mention<'p> {
    pub reference: &'p Reference,
    pub range: Range<usize>,
    /// Whether it lies in a decoded text, of which nothing may be quoted.
    pub nested: bool,
}

/// What was noticed in a text besides its value.
#[derive(Default)]
pub(super) struct Findings<'p> {
    pub failed: Vec<Failed<'p>>,
    /// What is to be warned of.
    pub warnings: Vec<(Mention<'p>, Warning, String)>,
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

impl Failure {
    /// Whether there is nothing there, which a modifier may make good. What may not be read, or cannot be, is no
    /// absence.
    fn is_absence(&self) -> bool {
        match self {
            Self::Missing(_) => true,
            Self::Backend(error) => error.kind == ErrorKind::AbsentPath,
            _ => false,
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

impl Mention<'_> {
    /// Whether the reference's head may stand in a message. In a decoded text only what is plainly a reference and
    /// nothing else may: a generic head there is a piece of somebody's secret.
    pub(super) fn may_be_named(&self) -> bool {
        let head = &self.reference.head;
        let backend = self
            .reference
            .secret
            .as_ref()
            .map_or("", |secret| &secret.backend);
        let names_a_path = ["path", backend].iter().any(|name| {
            head.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(':') && rest.contains('#'))
        });
        let fit = !self.nested || (names_a_path && !head.contains(char::is_whitespace));
        fit && !self.runs_on()
    }

    /// Whether it is likely to hold text that nobody meant as a part of it: a reference without its own `>` goes on up
    /// to the next one, and markup can be taken for a generic one (`<user name="x">`).
    fn runs_on(&self) -> bool {
        let odd = |c| matches!(c, '<' | '>' | '"' | '\'' | '\n' | '\r');
        let modifiers = &self.reference.transforms;
        self.reference.head.trim().contains(odd) || modifiers.iter().any(|text| text.contains('<'))
    }

    /// Whether a message quotes the path. Some refusals do not, because of what the path is.
    fn path_is_in(&self, message: &str) -> bool {
        let secret = self.reference.secret.as_ref();
        secret.is_none_or(|secret| message.contains(&*secret.path))
    }

    /// What messages call the reference.
    pub(super) fn name(&self) -> String {
        if self.may_be_named() {
            format!("placeholder {}", shown(&self.reference.head))
        } else if self.nested {
            "a placeholder in decoded text".to_owned()
        } else {
            "a placeholder that holds more than a reference".to_owned()
        }
    }
}

/// As much of a head, path or key as a message quotes: its first line, and no more than is fit to read. What goes on
/// over a line end is hardly a reference any more.
pub(super) fn shown(text: &str) -> String {
    const LENGTH: usize = 160;
    let line = text.split(char::is_control).next().unwrap_or_default();
    let cut: String = line.chars().take(LENGTH).collect();
    if cut.len() == text.len() {
        cut
    } else {
        cut + "…"
    }
}

impl Failed<'_> {
    /// The diagnostic of this failure, without a place.
    pub(super) fn explain(self) -> Diagnostic {
        let runs_on = self.mention.runs_on();
        let mut diagnostic = self.explain_failure();
        if runs_on {
            let hint = "is its closing > missing, or does a < stand before it that belongs to something else?";
            diagnostic.hint = Some(hint.to_owned());
        }
        diagnostic
    }

    fn explain_failure(self) -> Diagnostic {
        let name = self.mention.name();
        match self.failure {
            Failure::Missing(absence) => missing(&self.mention, absence),
            Failure::Modifier(modifier::Error::Failed {
                cause: modifier::Cause::Required(message),
                ..
            }) => required(&self.mention, &message),
            Failure::Refused(diagnostic) if self.mention.may_be_named() => *diagnostic,
            Failure::Refused(diagnostic) if !self.mention.path_is_in(&diagnostic.message) => {
                *diagnostic
            }
            Failure::Refused(diagnostic) => unnamed(diagnostic.fault, &name),
            Failure::Backend(error) if self.mention.may_be_named() => of_backend(&error),
            Failure::Backend(error) => unnamed(error.fault(), &name),
            Failure::Modifier(_) if self.mention.runs_on() => {
                Diagnostic::error(Fault::Input, format!("a modifier fails for {name}"))
            }
            Failure::Modifier(error) => {
                let mut diagnostic = Diagnostic::from_error(&error);
                diagnostic.message = format!("{} for {name}", diagnostic.message);
                diagnostic
            }
            Failure::NotUtf8 => Diagnostic::error(
                Fault::Input,
                format!("the value of {name} is not UTF-8 text"),
            )
            .with_hint("add `| base64encode`, or put it into the `data` of a Secret as base64"),
        }
    }
}

/// The diagnostic of a backend's failure, without a place.
pub(super) fn of_backend(error: &backends::Error) -> Diagnostic {
    Diagnostic::from_error(error).with_causes(&error.causes)
}

/// A failure whose own text may hold a piece of a decoded text.
fn unnamed(fault: Fault, name: &str) -> Diagnostic {
    Diagnostic::error(fault, format!("the secret of {name} could not be read"))
        .with_hint("decode the base64 text by hand to see which secret it names")
}

/// The manifest's author says what to do; not so in a decoded text, of which nothing is quoted.
fn required(mention: &Mention<'_>, message: &str) -> Diagnostic {
    let mut diagnostic = missing(mention, Absence::NoKey(None));
    if mention.may_be_named() {
        diagnostic.message = format!("{}: {}", mention.name(), shown(message));
    }
    diagnostic
}

fn missing(mention: &Mention<'_>, absence: Absence) -> Diagnostic {
    let reference = mention.reference;
    let reason = match (&reference.secret, &reference.key) {
        (None, _) => ": the path annotation is empty".to_owned(),
        (Some(secret), Some(key)) if mention.may_be_named() => {
            let (path, key) = (shown(&secret.path), shown(key));
            match absence {
                Absence::Null => format!(": the value of {key} in {path} is null"),
                Absence::NoKey(_) => format!(": {path} has no key {key}"),
            }
        }
        _ => String::new(),
    };
    let name = mention.name();
    let mut diagnostic =
        Diagnostic::error(Fault::Input, format!("missing value for {name}{reason}"));
    diagnostic.avp = Some(format!("replaceString: missing Vault value for {name}"));
    diagnostic.hint = match absence {
        Absence::NoKey(near) => near.map(|near| format!("there is a key {}", shown(&near))),
        Absence::Null => Some(r#"store a value, or add `| default "TEXT"`"#.to_owned()),
    };
    diagnostic
}
