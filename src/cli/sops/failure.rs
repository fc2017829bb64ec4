//! How a `sops` command fails: the message, and the exit code by either name.

use std::sync::Arc;

use crate::cli::{Name, Process};
use crate::diagnostics::{self, Diagnostic, Fault, Place, Rendering, Source, Span};
use crate::sops::Error;

/// sops's exit codes (`sops.md` section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Generic = 1,
    CannotRead = 2,
    CannotWrite = 3,
    CannotEmit = 4,
    BadContext = 6,
    BadSet = 7,
    Conflict = 8,
    CannotDecrypt = 25,
    KeysOfNoFile = 49,
    Mac = 51,
    BadPath = 91,
    Empty = 92,
    NoFile = 100,
    DuplicateOrder = 112,
    NoDataKey = 128,
    Unmodified = 200,
    NoEditor = 201,
    Encrypted = 203,
}

/// A failed command.
pub(super) struct Failure {
    diagnostic: Box<Diagnostic>,
    code: Code,
}

impl Failure {
    pub(super) fn new(code: Code, diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic: Box::new(diagnostic),
            code,
        }
    }

    /// Something wrong with an input.
    pub(super) fn input(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Diagnostic::error(Fault::Input, message.into()))
    }

    /// An encrypted file that cannot be opened.
    pub(super) fn of_file(error: &Error, source: &Arc<Source>) -> Self {
        let code = match error {
            Error::NoKey(_) => Code::NoDataKey,
            Error::Value { .. } => Code::CannotDecrypt,
            Error::BrokenMac(_) | Error::NoMac | Error::MacMismatch => Code::Mac,
            Error::Syntax(_)
            | Error::Structure { .. }
            | Error::NoMetadata
            | Error::Metadata(_)
            | Error::NoRule
            | Error::Recipe(_)
            | Error::Config(_)
            | Error::Wrap { .. } => Code::Generic,
            Error::Encrypted => Code::Encrypted,
            Error::Empty => Code::Empty,
        };
        let mut diagnostic = Diagnostic::from_error(error);
        diagnostic.causes = error.causes();
        let at = Span::at(error.position().unwrap_or_default());
        Self::new(code, diagnostic.at(Place::new(Arc::clone(source), at)))
    }

    /// The same with what to try.
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        let diagnostic = self.diagnostic.with_hint(hint);
        Self::new(self.code, diagnostic)
    }

    /// A file that cannot be encrypted. sops has a code for one that cannot be read only here.
    pub(super) fn of_plain(error: &Error, source: &Arc<Source>) -> Self {
        let failure = Self::of_file(error, source);
        match error {
            Error::Syntax(_) | Error::Structure { .. } | Error::Metadata(_) => Self {
                code: Code::CannotRead,
                ..failure
            },
            _ => failure,
        }
    }

    /// What the flags or the configuration say about keys and rules cannot be done; the file is not to blame.
    pub(super) fn of_keys(error: &Error) -> Self {
        Self::new(Code::Generic, Diagnostic::from_error(error))
    }

    /// Prints the message; gives the exit code.
    pub(super) fn tell(self, name: Name, process: &mut Process<'_>) -> u8 {
        let code = match name {
            Name::Sops => self.code as u8,
            Name::Manifuse | Name::Avp => {
                diagnostics::exit_code(std::slice::from_ref(&*self.diagnostic))
            }
        };
        self.show(process);
        code
    }

    /// Prints the message.
    pub(super) fn show(self, process: &mut Process<'_>) {
        let no_colour = process.environment.get("NO_COLOR");
        let rendering = Rendering {
            colours: process.terminal && no_colour.is_none_or(str::is_empty),
            // What stands in such a file may be what it should have hidden.
            excerpts: false,
            ..Rendering::PLAIN
        };
        let told = [*self.diagnostic];
        let _ = process
            .stderr
            .write_all(diagnostics::render(&told, rendering).as_bytes());
    }
}
