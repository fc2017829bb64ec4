//! A session with an editor: decrypted text in a file that only this user can read, in a folder that goes with all that
//! the editor leaves in it, whatever ends the session.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::child::{private_file, private_folders, with_environment};
use super::failure::{Code, Failure};
use crate::cli::Process;
use crate::diagnostics::{Diagnostic, Fault, io_reason};

/// What is looked for where no variable names an editor.
const USUAL: [&str; 3] = ["vim", "nano", "vi"];
/// How often the editor and signals are looked after.
const PULSE: Duration = Duration::from_millis(20);
/// How long an editor may take to end when it is told to.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// A text in a file of its own. Dropping it removes the folder.
pub(super) struct Session {
    // Goes before signals count again.
    _folder: TempDir,
    signals: Signals,
    path: PathBuf,
    original: Zeroizing<Vec<u8>>,
}

/// Signals that would end the program are taken note of, until the folder is gone.
struct Signals {
    caught: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let signals = Self {
            caught: Arc::default(),
            done: Arc::default(),
        };
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&signals.done))?;
            flag::register(signal, Arc::clone(&signals.caught))?;
        }
        Ok(signals)
    }

    fn caught(&self) -> bool {
        self.caught.load(Ordering::Relaxed)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

impl Session {
    /// Writes a text into a file that is called like another one.
    pub(super) fn start(file: &Path, text: &[u8], process: &Process<'_>) -> Result<Self, Failure> {
        let name = file.file_name().unwrap_or(file.as_os_str());
        let start = || {
            let signals = Signals::catch()?;
            let folder = private_folder(process)?;
            let path = folder.path().join(name);
            private_file(&path, text)?;
            Ok(Self {
                _folder: folder,
                signals,
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
                Ok(()) if self.signals.caught() => return Err(cancelled()),
                Ok(()) => return Ok(text),
                Err(failure) if !process.terminal => return Err(failure),
                Err(failure) => failure.show(process),
            }
            let _ = write!(
                process.stderr,
                "Press enter to return to the editor, or Ctrl+C to exit."
            );
            let answer = process.stdin.read(&mut [0]);
            if self.signals.caught() || matches!(answer, Ok(0)) {
                return Err(cancelled());
            }
        }
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
        let status = child.and_then(|child| self.wait(child));
        let status = status.map_err(|error| no_editor(&io_reason(&error)))?;
        match status {
            None => Err(cancelled()),
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(no_editor(&status.to_string())),
        }
    }

    /// Waits for the editor; `None` where a signal came first.
    fn wait(&self, mut child: Child) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status).filter(|_| !self.signals.caught()));
            }
            if self.signals.caught() {
                return end(child).map(|()| None);
            }
            thread::sleep(PULSE);
        }
    }
}

/// Tells a program to end, and ends it if it does not.
fn end(mut child: Child) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > LAST_MOMENTS {
            child.kill()?;
        }
        thread::sleep(PULSE);
    }
    Ok(())
}

/// A folder for this user alone, in memory where there is such a place.
fn private_folder(process: &Process<'_>) -> io::Result<TempDir> {
    let runtime = process.environment.get("XDG_RUNTIME_DIR").map(Path::new);
    let runtime = runtime.filter(|path| path.is_absolute());
    let in_memory = runtime.into_iter().chain([Path::new("/dev/shm")]);
    let made = in_memory
        .filter(|path| path.is_dir())
        .find_map(|path| private_folders().tempdir_in(path).ok());
    made.map_or_else(|| private_folders().tempdir(), Ok)
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
