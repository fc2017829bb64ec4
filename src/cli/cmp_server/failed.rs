//! A render that failed, and what Argo CD is told of it.

use std::sync::Arc;

use tonic::Code;

use crate::argocd::archive;
use crate::argocd::service::{Failure, LONGEST_TEXT};
use crate::diagnostics::{self, Diagnostic, Fault, Format, Rendering, Source};

/// A render that failed.
pub(super) struct Failed {
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What was read: diagnostics are told in its order.
    pub(super) sources: Vec<Arc<Source>>,
}

impl From<Vec<Diagnostic>> for Failed {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            diagnostics,
            sources: Vec::new(),
        }
    }
}

impl From<Diagnostic> for Failed {
    fn from(diagnostic: Diagnostic) -> Self {
        vec![diagnostic].into()
    }
}

impl From<Box<Diagnostic>> for Failed {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        (*diagnostic).into()
    }
}

impl From<archive::Error> for Failed {
    fn from(error: archive::Error) -> Self {
        let mut told = Diagnostic::error(Fault::Input, error.to_string());
        if let archive::Error::Broken(cause) = &error {
            told = told.with_cause(diagnostics::io_reason(cause));
        }
        told.into()
    }
}

impl Failed {
    /// What Argo CD is told, and the worst kind of fault. No excerpts: people read it who may not read the repository.
    pub(super) fn told(mut self) -> (Failure, Fault) {
        diagnostics::sort(&mut self.diagnostics, &self.sources);
        let rendering = Rendering {
            format: Format::Text,
            colours: false,
            excerpts: false,
            limit: Some(LONGEST_TEXT),
        };
        let text = diagnostics::render(&self.diagnostics, rendering);
        let code = diagnostics::exit_code(&self.diagnostics);
        let faults = [Fault::Settings, Fault::Policy, Fault::Backend, Fault::Input];
        let fault = faults
            .into_iter()
            .find(|fault| fault.exit_code() == code)
            .unwrap_or(Fault::Bug);
        let code = match fault {
            Fault::Input => Code::InvalidArgument,
            Fault::Settings => Code::FailedPrecondition,
            Fault::Backend => Code::Unavailable,
            Fault::Policy => Code::PermissionDenied,
            Fault::Bug => Code::Internal,
        };
        (Failure::new(code, text.trim_end()), fault)
    }
}
