//! References without a value: why, and what messages may say of them.

use std::ops::Range;

use crate::backends::{self, ErrorKind};
use crate::diagnostics::{Diagnostic, Explain, Fault};
use crate::modifier;
use crate::secret::Reference;

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

impl Failure {
    /// Whether there is nothing there, which a modifier may make good. What may not be read, or cannot be, is no
    /// absence.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Missing(_) => true,
            Self::Backend(error) => error.kind == ErrorKind::AbsentPath,
            _ => false,
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
        .with_hint("decode or decrypt the text by hand to see which secret it names")
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
