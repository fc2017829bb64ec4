//! Reads the chosen files and standard input within one limit, and collects what goes wrong.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::walk::{self, FoundFile};
use super::{Failure, Inputs, Selection, passed_over};
use crate::diagnostics::{Diagnostic, Fault, Place, Source, Span, io_reason};

/// AVP's line above its list of broken files.
const LEAD: &str = "could not read YAML/JSON files:";

/// Collects sources and failures.
pub(super) struct Reader {
    inputs: Inputs,
    failures: Vec<Diagnostic>,
    lead: Option<&'static str>,
    limit: u64,
    left: u64,
    allow_empty: bool,
}

impl Reader {
    pub(super) fn new(selection: Selection<'_>) -> Self {
        Self {
            inputs: Inputs::default(),
            failures: Vec::new(),
            lead: None,
            limit: selection.limit,
            left: selection.limit,
            allow_empty: selection.allow_empty,
        }
    }

    pub(super) fn fail(&mut self, failure: Diagnostic) {
        self.failures.push(failure);
    }

    pub(super) fn warn(&mut self, warnings: Vec<Diagnostic>) {
        self.inputs.warnings.extend(warnings);
    }

    pub(super) fn stdin(&mut self, name: &str, stdin: &mut dyn Read) {
        let name = name.to_owned();
        match self.read_all(stdin, 0) {
            Err(error) => {
                let error = Diagnostic::error(Fault::Input, "could not read standard input")
                    .with_cause(io_reason(&error));
                self.fail(error);
            }
            Ok(None) => self.fail_too_large(&name),
            Ok(Some(bytes)) => match decode(name, bytes) {
                Err(error) => self.fail(*error),
                Ok(source) if source.text().trim().is_empty() && !self.allow_empty => {
                    self.fail(empty_stdin());
                }
                Ok(source) => self.inputs.sources.push(Arc::new(source)),
            },
        }
    }

    pub(super) fn file(&mut self, found: &FoundFile) {
        let bytes = open(&found.path).and_then(|(mut file, size)| self.read_all(&mut file, size));
        match bytes {
            Err(error) => self.fail_file(&found.name, &io_reason(&error)),
            Ok(None) => self.fail_too_large(&found.name),
            Ok(Some(bytes)) => self.text(&found.name, bytes, found.in_folder),
        }
    }

    /// A file of a folder that lies in memory.
    pub(super) fn bytes(&mut self, name: &str, mut bytes: &[u8]) {
        let size = bytes.len() as u64;
        match self.read_all(&mut bytes, size) {
            Err(error) => self.fail_file(name, &io_reason(&error)),
            Ok(None) => self.fail_too_large(name),
            Ok(Some(bytes)) => self.text(name, bytes, true),
        }
    }

    fn text(&mut self, name: &str, bytes: Vec<u8>, in_folder: bool) {
        match decode(name.to_owned(), bytes) {
            Err(error) => {
                self.lead = Some(LEAD);
                self.fail(*error);
            }
            Ok(source) if in_folder && passed_over::is_no_manifest(&source) => {
                self.inputs.passed_over.push(name.to_owned());
            }
            Ok(source) => self.inputs.sources.push(Arc::new(source)),
        }
    }

    pub(super) fn finish(self) -> Result<Inputs, Failure> {
        if self.failures.is_empty() {
            return Ok(self.inputs);
        }
        Err(Failure {
            lead: self.lead,
            diagnostics: self.failures,
        })
    }

    /// Everything, or `None` when it is more than is left of the limit. Inputs may be large: the expected size saves
    /// room that growing would take.
    fn read_all(&mut self, from: &mut dyn Read, size: u64) -> io::Result<Option<Vec<u8>>> {
        let limit = self.left.saturating_add(1);
        let expected = usize::try_from(size.min(limit)).unwrap_or_default();
        // One byte more shows the end without growing.
        let mut bytes = Vec::with_capacity(expected.saturating_add(1));
        from.take(limit).read_to_end(&mut bytes)?;
        bytes.shrink_to_fit();
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                Ok(Some(bytes))
            }
            None => Ok(None),
        }
    }

    /// A path that does not exist. AVP takes it for a file if it is named like one.
    pub(super) fn missing(&mut self, path: &OsStr, error: Diagnostic) {
        let name = path.to_string_lossy();
        let avp = if walk::is_manifest_name(path) {
            self.lead = Some(LEAD);
            unreadable(&name)
        } else {
            super::nothing_in(&name)
        };
        let avp = Some(avp);
        self.fail(Diagnostic { avp, ..error });
    }

    fn fail_file(&mut self, name: &str, cause: &str) {
        self.lead = Some(LEAD);
        self.fail(Diagnostic::error(Fault::Input, unreadable(name)).with_cause(cause));
    }

    /// Told once: after it nothing more is read.
    fn fail_too_large(&mut self, name: &str) {
        let limit = self.limit;
        let first = self.left > 0 || limit == 0;
        self.left = 0;
        if first {
            let message = format!("all inputs up to {name} have more than {limit} bytes");
            let hint = "--input-limit sets how many bytes are read, e.g. --input-limit 4GiB";
            self.fail(Diagnostic::error(Fault::Input, message).with_hint(hint));
        }
    }
}

/// AVP's words for a file that it cannot read.
fn unreadable(name: &str) -> String {
    format!("could not read file: {name} from disk")
}

/// Opens a regular file, and says its size. A pipe is refused before it is opened, because that would wait for its writer.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = path.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((File::open(path)?, metadata.len()))
}

/// The bytes as text, or where they stop being UTF-8. The text up to there is enough to count lines.
fn decode(name: String, bytes: Vec<u8>) -> Result<Source, Box<Diagnostic>> {
    String::from_utf8(bytes)
        .map(|text| Source::new(name.clone(), text))
        .map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let hint = utf16_hint(&bytes).unwrap_or("save the file as UTF-8");
            let source = Source::new(name, String::from_utf8_lossy(&bytes[..valid]));
            let place = Place::new(Arc::new(source), Span::at(valid));
            Box::new(
                Diagnostic::error(Fault::Input, "this is not UTF-8 text")
                    .with_hint(hint)
                    .at(place),
            )
        })
}

fn utf16_hint(bytes: &[u8]) -> Option<&'static str> {
    let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    marked.then_some("it looks like UTF-16; save the file as UTF-8")
}

fn empty_stdin() -> Diagnostic {
    Diagnostic::error(Fault::Input, "standard input is empty").with_hint(
        "the command before the pipe may have failed; if nothing is right, say --allow-empty",
    )
}
