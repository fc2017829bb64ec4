//! Decrypted files for other programs: in a folder that only this user may look into, and that goes with all it holds,
//! whatever ends the program.

use std::ffi::OsStr;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{SigId, flag, low_level};
use tempfile::TempDir;

use crate::cli::Process;

/// A folder of this user alone. While it lives, signals that would end the program are only taken note of.
pub(super) struct PrivateFolder {
    // Goes before signals count again.
    folder: TempDir,
    signals: Signals,
}

impl PrivateFolder {
    /// A new one, in memory where there is such a place.
    pub(super) fn new(process: &Process<'_>) -> io::Result<Self> {
        let signals = Signals::catch()?;
        let variable = |name| process.environment.get(name).map(Path::new);
        let runtime = variable("XDG_RUNTIME_DIR").filter(|path| path.is_absolute());
        let in_memory = runtime.into_iter().chain([Path::new("/dev/shm")]);
        let made = in_memory
            .filter(|path| path.is_dir())
            .find_map(|path| folder_in(path).ok());
        let on_disk = variable("TMPDIR").filter(|path| path.is_absolute());
        let folder = match made {
            Some(folder) => folder,
            None => folder_in(on_disk.unwrap_or(Path::new("/tmp")))?,
        };
        Ok(Self { folder, signals })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file for this user alone, and gives its path.
    pub(super) fn write(&self, name: &OsStr, text: &[u8]) -> io::Result<PathBuf> {
        let path = self.path().join(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(text)?;
        Ok(path)
    }

    /// Whether a signal came that would have ended the program.
    pub(super) fn is_signalled(&self) -> bool {
        self.signals.caught.load(Ordering::Relaxed)
    }

    /// Waits for a program that was started after this folder was made. On a signal it is told to end, and ended when it
    /// has not done so in its `last_moments`.
    pub(super) fn wait(
        &self,
        mut child: Child,
        last_moments: Option<Duration>,
    ) -> io::Result<ExitStatus> {
        let mut told = None;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.is_signalled() && told.is_none() {
                told = Some(Instant::now());
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
            }
            let left = told
                .zip(last_moments)
                .map(|(told, moments)| moments.saturating_sub(told.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                child.kill()?;
                return child.wait();
            }
            self.signals.wait(left)?;
        }
    }

    /// Waits until there is something to read, or a signal came.
    pub(super) fn wait_for_input(&self) -> io::Result<()> {
        let stdin = io::stdin();
        while !self.is_signalled() {
            let mut both = [
                PollFd::new(&self.signals.news, PollFlags::IN),
                PollFd::new(&stdin, PollFlags::IN),
            ];
            match poll(&mut both, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) if !both[1].revents().is_empty() => break,
                Ok(_) => self.signals.wait(None)?,
            }
        }
        Ok(())
    }
}

fn folder_in(path: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(".sops")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(path)
}

/// Signals that are taken note of as long as it lives.
struct Signals {
    caught: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    /// A byte for each signal, also for those that tell of a program's end.
    news: UnixStream,
    bells: Vec<SigId>,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let (news, bell) = UnixStream::pair()?;
        let mut signals = Self {
            caught: Arc::default(),
            done: Arc::default(),
            news,
            bells: Vec::new(),
        };
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&signals.done))?;
            flag::register(signal, Arc::clone(&signals.caught))?;
        }
        // Behind the flag, so that who hears the bell finds it set.
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD] {
            let bell = low_level::pipe::register(signal, bell.try_clone()?)?;
            signals.bells.push(bell);
        }
        Ok(signals)
    }

    /// Waits for the next signal, or until the time is up.
    fn wait(&self, time: Option<Duration>) -> io::Result<()> {
        self.news.set_read_timeout(time)?;
        match (&self.news).read(&mut [0; 64]) {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

impl Drop for Signals {
    fn drop(&mut self) {
        for bell in self.bells.drain(..) {
            low_level::unregister(bell);
        }
        self.done.store(true, Ordering::Relaxed);
    }
}
