//! How a run ends on stderr: diagnostics in the chosen form, and AVP's first line where the program has AVP's name.

use std::io::{self, Write};
use std::sync::Arc;

use super::flags::{ErrorFormat, Generate};
use super::{Name, Process};
use crate::diagnostics::{self, Diagnostic, Fault, Format, Levels, Rendering, Source, io_reason};

/// Argo CD's UI shows the beginning of our stderr; what stands there must say everything.
const ARGOCD_READS: usize = 4096;

/// A failed run.
#[derive(Debug)]
pub(super) struct Failure {
    /// AVP's line above such failures, if it has one.
    pub(super) lead: Option<&'static str>,
    /// Errors, and warnings that were found on the way.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Failure {
    pub(super) fn new(diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            lead: None,
            diagnostics,
        }
    }

    pub(super) fn led(lead: &'static str, diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            lead: Some(lead),
            diagnostics,
        }
    }
}

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Self::from(*diagnostic)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new(vec![diagnostic])
    }
}

/// Prints diagnostics for one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reporter {
    name: Name,
    rendering: Rendering,
    levels: Levels,
    verbose: bool,
}

impl Reporter {
    pub(super) fn new(flags: &Generate, name: Name, process: &Process<'_>) -> Self {
        let is_set = |name: &str| {
            process
                .environment
                .get(name)
                .is_some_and(|value| !value.is_empty())
        };
        let argocd = process.environment.get("ARGOCD_APP_NAME").is_some();
        let rendering = Rendering {
            format: flags.error_format.unwrap_or(ErrorFormat::Text).into(),
            colours: process.terminal && !is_set("NO_COLOR"),
            excerpts: !argocd,
            limit: argocd.then_some(ARGOCD_READS),
        };
        Self {
            name,
            rendering,
            levels: Levels::new(&flags.warn),
            verbose: flags.is_verbose(),
        }
    }

    /// One line of what `-v` tells.
    pub(super) fn note(self, stderr: &mut dyn Write, text: &str) {
        if self.verbose && self.rendering.format == Format::Text {
            let _ = writeln!(stderr, "note: {text}");
        }
    }

    /// Leaves the warnings that the user wants; fails where one of them is to fail the run.
    pub(super) fn judge(self, warnings: &mut Vec<Diagnostic>) -> Result<(), Failure> {
        self.levels.apply(warnings);
        match diagnostics::exit_code(&*warnings) {
            0 => Ok(()),
            _ => Err(Failure::new(Vec::new())),
        }
    }

    /// The judged warnings of a run that went well.
    pub(super) fn warn(
        self,
        stderr: &mut dyn Write,
        mut warnings: Vec<Diagnostic>,
        inputs: &[Arc<Source>],
    ) {
        if !warnings.is_empty() {
            diagnostics::sort(&mut warnings, inputs);
            let _ = stderr.write_all(diagnostics::render(&warnings, self.rendering).as_bytes());
        }
    }

    /// Everything about a failed run; gives the exit code.
    pub(super) fn fail(
        self,
        stderr: &mut dyn Write,
        failure: Failure,
        inputs: &[Arc<Source>],
    ) -> u8 {
        let mut told = failure.diagnostics;
        self.levels.apply(&mut told);
        diagnostics::sort(&mut told, inputs);
        if self.name == Name::Avp {
            told.iter_mut().for_each(lead_with_avps_phrase);
        }
        let text = self.text(&told, failure.lead);
        let _ = stderr.write_all(text.as_bytes());
        match self.name {
            Name::Avp => 1,
            Name::Manifuse | Name::Sops => diagnostics::exit_code(&told),
        }
    }

    /// By AVP's name the text begins with `Error: ` and, where it has one, AVP's line: log matchers look for these.
    fn text(self, told: &[Diagnostic], lead: Option<&str>) -> String {
        if self.name == Name::Manifuse || self.rendering.format == Format::Json {
            return diagnostics::render(told, self.rendering);
        }
        let Some(lead) = lead else {
            let plain = Rendering {
                colours: false,
                ..self.rendering
            };
            let text = diagnostics::render(told, plain);
            let rest = text.strip_prefix("error: ").unwrap_or(&text);
            return format!("Error: {rest}");
        };
        let mut rendering = self.rendering;
        let lead = format!("Error: {lead}\n");
        rendering.limit = rendering.limit.map(|limit| limit - lead.len());
        lead + &diagnostics::render(told, rendering)
    }
}

/// AVP's phrase becomes the message, and ours the first cause: log matchers look for AVP's (D08).
fn lead_with_avps_phrase(diagnostic: &mut Diagnostic) {
    if let Some(phrase) = diagnostic.avp.take() {
        let ours = std::mem::replace(&mut diagnostic.message, phrase);
        diagnostic.causes.insert(0, ours);
    }
}

/// Says that stdout could not be written. A reader that went away needs no message.
pub(super) fn cannot_write(stderr: &mut dyn Write, error: &io::Error) -> u8 {
    if error.kind() != io::ErrorKind::BrokenPipe {
        let _ = writeln!(
            stderr,
            "error: could not write the output: {}",
            io_reason(error)
        );
    }
    Fault::Input.exit_code()
}
