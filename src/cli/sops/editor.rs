//! A session with an editor: decrypted text in a private file, which goes with all that the editor leaves beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::child::with_environment;
use super::failure::{Code, Failure};
use super::private::PrivateFolder;
use crate::cli::Process;
use crate::diagnostics::{Diagnostic, Fault, io_reason};

/// What is looked for where no variable names an editor.
const USUAL: [&str; 3] = ["vim", "nano", "vi"];
/// How long an editor may take to end when it is told to.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// A text in a file of its own. Dropping it removes the file.
pub(super) struct Session {
    folder: PrivateFolder,
    path: PathBuf,
    original: Zeroizing<Vec<u8>>,
}

impl Session {
    /// Writes a text into a file that is called like another one.
    pub(super) fn start(file: &Path, text: &[u8], process: &Process<'_>) -> Result<Self, Failure> {
        let name = file.file_name().unwrap_or(file.as_os_str());
        let start = || {
            let folder = PrivateFolder::new(process)?;
            let path = folder.write(name, text)?;
            Ok(Self {
                folder,
                path,
                original: Zeroizing::new(text.to_vec()),
            })
        };
        start().map_err(|error: io::Error| {
            let diagnostic =
                Diagnostic::error(Fault::Input, "could not make a file for the editor");
            Failure::new(Code::CannotWrite, diagnostic.with_cause(io_reason(&error)))
        })
    }

    /// Runs the editor until its text is accepted; gives that text. Where nobody can be asked, the first answer counts.
    pub(super) fn edit(
        &self,
        process: &mut Process<'_>,
        mut accept: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        loop {
            self.run_editor(process)?;
            let text = fs::read(&self.path).map(Zeroizing::new).map_err(|error| {
                let diagnostic = Diagnostic::error(Fault::Input, "the editor left no file");
                Failure::new(Code::CannotRead, diagnostic.with_cause(io_reason(&error)))
            })?;
            if text == self.original {
                let diagnostic = Diagnostic::error(
                    Fault::Input,
                    "the file has not changed, so nothing is written",
                );
                return Err(Failure::new(Code::Unmodified, diagnostic));
            }
            match accept(&text) {
                Ok(()) if self.folder.is_signalled() => return Err(cancelled()),
                Ok(()) => return Ok(text),
                Err(failure) if !process.terminal => return Err(failure),
                Err(failure) => failure.show(process),
            }
            let _ = write!(
                process.stderr,
                "Press enter to return to the editor, or Ctrl+C to exit."
            );
            if !self.is_answered(process) {
                return Err(cancelled());
            }
        }
    }

    /// Waits for a line; a signal and the end of the input are none.
    fn is_answered(&self, process: &mut Process<'_>) -> bool {
        let mut byte = [0];
        while self.folder.wait_for_input().is_ok() && !self.folder.is_signalled() {
            match process.stdin.read(&mut byte) {
                Ok(1..) if byte == *b"\n" => return true,
                Ok(1..) => {}
                _ => return false,
            }
        }
        false
    }

    fn run_editor(&self, process: &Process<'_>) -> Result<(), Failure> {
        let child = editors(process)?.into_iter().find_map(|words| {
            let (program, arguments) = words.split_first()?;
            let mut command = with_environment(program.as_ref(), process);
            match command.args(arguments).arg(&self.path).spawn() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                other => Some(other),
            }
        });
        let child = child.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
        let status = child.and_then(|child| self.folder.wait(child, Some(LAST_MOMENTS)));
        match status {
            _ if self.folder.is_signalled() => Err(cancelled()),
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::new(
                Code::NoEditor,
                Diagnostic::error(Fault::Input, "the editor failed, so nothing is written")
                    .with_cause(status.to_string()),
            )),
            Err(error) => Err(no_editor(&io_reason(&error))),
        }
    }
}

/// The words of the editor that is named, else those that are usual.
fn editors(process: &Process<'_>) -> Result<Vec<Vec<String>>, Failure> {
    let named = ["SOPS_EDITOR", "EDITOR"].into_iter().find_map(|name| {
        let line = process.environment.get(name)?;
        (!line.is_empty()).then_some((name, line))
    });
    let Some((name, line)) = named else {
        return Ok(USUAL.map(|editor| vec![editor.to_owned()]).into());
    };
    let words = shlex::split(line).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| no_editor(&format!("{name} is no command")))?;
    Ok(vec![words])
}

fn no_editor(reason: &str) -> Failure {
    let diagnostic =
        Diagnostic::error(Fault::Input, "could not run the editor").with_cause(reason.to_owned());
    let hint = "name one in SOPS_EDITOR or EDITOR, or install vim, nano or vi";
    Failure::new(Code::NoEditor, diagnostic.with_hint(hint))
}

fn cancelled() -> Failure {
    Failure::input(Code::Generic, "it was broken off, and nothing is written")
}
