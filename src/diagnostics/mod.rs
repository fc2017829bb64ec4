//! What went wrong, where, and what to try: source texts, spans, diagnostics and their renderers.
//!
//! Rooms above make a [`Diagnostic`] where the span is at hand and never print; [`render()`] is called once at the end.
//! Nothing here ever holds a secret value: a place carries the reference's head, not the line it stands in.

mod render;
mod source;
mod suggest;
mod warning;

use std::fmt;
use std::sync::Arc;

pub use render::{Format, Rendering, printable, render, sort};
pub use source::{LineColumn, Source, Span};
pub use suggest::{MANY, few, nearest};
pub use warning::{Level, LevelList, Levels, WARNINGS, Warning, warning_names};

/// What kind of failure a diagnostic is; decides the exit code (design section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A reference could not be resolved or an input is broken: exit code 1.
    Input,
    /// Wrong usage or settings: exit code 2.
    Settings,
    /// A backend is unreachable or denies: exit code 3.
    Backend,
    /// Forbidden by policy or path validation: exit code 4.
    Policy,
    /// A broken promise of this program: exit code 5.
    Bug,
}

impl Fault {
    /// The process exit code for this fault alone.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Input => 1,
            Self::Settings => 2,
            Self::Backend => 3,
            Self::Policy => 4,
            Self::Bug => 5,
        }
    }
}

/// The exit code where several faults apply: the first of 5, 2, 4, 3, 1 that occurs; 0 for none.
pub fn exit_code<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> u8 {
    const ORDER: [Fault; 5] = [
        Fault::Bug,
        Fault::Settings,
        Fault::Policy,
        Fault::Backend,
        Fault::Input,
    ];
    let faults: Vec<Fault> = diagnostics
        .into_iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| d.fault)
        .collect();
    ORDER
        .into_iter()
        .find(|fault| faults.contains(fault))
        .map_or(0, Fault::exit_code)
}

/// Whether a diagnostic stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Stops the run: nothing is printed on stdout.
    Error,
    /// Told on stderr, in one line; the run goes on.
    Warning,
}

/// Where in an input something is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The input text.
    pub source: Arc<Source>,
    /// The bytes meant, within `source`.
    pub span: Span,
    /// The Kubernetes object: kind and `namespace/name`, as far as known.
    pub resource: Option<String>,
    /// The path inside the object, e.g. `spec.template.spec.containers[0].env[1].value`.
    pub field: Option<String>,
    /// What may be quoted: the reference's head, or nothing inside decoded or decrypted text.
    pub excerpt: Option<String>,
}

impl Place {
    /// A place that knows only its position and quotes nothing.
    pub fn new(source: Arc<Source>, span: Span) -> Self {
        Self {
            source,
            span,
            resource: None,
            field: None,
            excerpt: None,
        }
    }

    /// Where in the texts that were read it begins.
    fn origin(&self) -> (&Arc<Source>, usize) {
        self.source.origin(self.span.start)
    }
}

/// One failure or warning. Holds no secret value.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What kind of failure it is.
    pub fault: Fault,
    /// Of a warning its name, also where it is to fail the run.
    pub warning: Option<Warning>,
    /// One lower-case sentence without a final stop.
    pub message: String,
    /// The chain of causes, outermost first; none repeats another.
    pub causes: Vec<String>,
    /// What to try.
    pub hint: Option<String>,
    /// Where, if it is about a place in an input.
    pub place: Option<Place>,
    /// AVP's leading phrase for the same failure, where log matchers may look for it: printed under its name.
    pub avp: Option<String>,
}

impl Diagnostic {
    /// An error of the given kind.
    pub fn error(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            fault,
            warning: None,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            place: None,
            avp: None,
        }
    }

    /// A warning; it has no part in the exit code.
    pub fn warning(name: Warning, message: impl Into<String>) -> Self {
        Self::error(Fault::Input, message).into_warning(name)
    }

    /// An error that does not matter, as a warning.
    #[must_use]
    pub fn into_warning(mut self, name: Warning) -> Self {
        self.severity = Severity::Warning;
        self.warning = Some(name);
        self
    }

    /// The diagnostic of a room's own error: its text, its chain of sources and its advice.
    pub fn from_error(error: &dyn Explain) -> Self {
        let mut diagnostic = Self::error(error.fault(), error.to_string());
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if diagnostic.message != text && diagnostic.causes.last() != Some(&text) {
                diagnostic.causes.push(text);
            }
            cause = error.source();
        }
        diagnostic.hint = error.hint();
        diagnostic
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a cause below the message.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The same with these causes below the message.
    #[must_use]
    pub fn with_causes(mut self, causes: &[String]) -> Self {
        self.causes.extend_from_slice(causes);
        self
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

/// An error of a room that can become a diagnostic. Its `Display` never holds a secret value.
pub trait Explain: std::error::Error {
    /// What kind of failure it is.
    fn fault(&self) -> Fault;

    /// What to try, if there is something to try.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// An I/O error as messages say it: without the number, in lower case, the same on every system.
pub fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => {
            let text = error.to_string();
            let end = text.find(" (os error").unwrap_or(text.len());
            text[..end].to_lowercase()
        }
    }
}
