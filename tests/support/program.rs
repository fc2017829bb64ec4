//! The built program, run the way a user runs it: a name, arguments, an environment of its own, a folder, standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{self, OpenptFlags};
use tempfile::TempDir;

/// No run of a test takes longer; one that does is ended, and the test fails.
const PATIENCE: Duration = Duration::from_mins(2);

/// One run to be made. The environment holds `PATH`, `HOME` (an empty folder) and what is set, nothing else.
pub(crate) struct Program {
    args: Vec<String>,
    env: BTreeMap<String, String>,
    stdin: Vec<u8>,
    stays_open: bool,
    folder: TempDir,
    name: &'static str,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Program {
    /// The program by its own name.
    pub(crate) fn manifuse<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::named("manifuse", args)
    }

    /// The program called `argocd-vault-plugin`, by a link of that name.
    pub(crate) fn avp<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::named("argocd-vault-plugin", args)
    }

    /// The program called `sops`, by a link of that name.
    pub(crate) fn sops<A: Into<String>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::named("sops", args)
    }

    fn named<A: Into<String>>(name: &'static str, args: impl IntoIterator<Item = A>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "home", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        symlink(
            env!("CARGO_BIN_EXE_manifuse"),
            folder.path().join("bin").join(name),
        )
        .unwrap();
        let home = folder.path().join("home").to_str().unwrap().to_owned();
        Self {
            args: args.into_iter().map(Into::into).collect(),
            env: [
                ("HOME".to_owned(), home),
                ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ]
            .into(),
            stdin: Vec::new(),
            stays_open: false,
            folder,
            name,
        }
    }

    /// The folder it runs in, empty at first.
    pub(crate) fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    /// The same with a file in that folder.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The same with a variable set.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    /// The same with that text on standard input.
    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// The same with a standard input that does not end.
    pub(crate) fn stdin_stays_open(mut self) -> Self {
        self.stays_open = true;
        self
    }

    /// Runs it in its folder; it may be run again, with the same home folder.
    pub(crate) fn run(&self) -> Run {
        self.run_in(&self.folder())
    }

    /// Runs it in another folder.
    pub(crate) fn run_in(&self, folder: &Path) -> Run {
        let mut child = self.start(folder, Stdio::piped());
        let stderr = drain(child.stderr.take().unwrap());
        self.end(child, stderr)
    }

    /// Runs it with a terminal for standard error.
    pub(crate) fn run_on_terminal(&self) -> Run {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = pty::openpt(flags).unwrap();
        pty::grantpt(&master).unwrap();
        pty::unlockpt(&master).unwrap();
        let name = pty::ptsname(&master, Vec::new()).unwrap();
        let terminal = File::options()
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        let child = self.start(&self.folder(), terminal.into());
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            // It ends with an error, when the last one who writes to it is gone.
            drop(File::from(master).read_to_end(&mut text));
            text
        });
        self.end(child, stderr)
    }

    /// The same with another word in the place of one of the arguments.
    pub(crate) fn replace_args(mut self, old: &str, new: &str) -> Self {
        for argument in self.args.iter_mut().filter(|argument| *argument == old) {
            new.clone_into(argument);
        }
        self
    }

    /// Starts it in its folder, with something else for standard error.
    pub(crate) fn start_with(&self, stderr: Stdio) -> Child {
        self.start(&self.folder(), stderr)
    }

    /// Starts it in its folder, and lets it run.
    pub(crate) fn start_in_background(&self) -> Background {
        let mut child = self.start(&self.folder(), Stdio::piped());
        let stderr: Arc<Mutex<String>> = Arc::default();
        let mut pipe = child.stderr.take().unwrap();
        let kept = Arc::clone(&stderr);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(size @ 1..) = pipe.read(&mut piece) {
                kept.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&piece[..size]));
            }
        });
        Background { child, stderr }
    }

    fn start(&self, folder: &Path, stderr: Stdio) -> Child {
        Command::new(self.folder.path().join("bin").join(self.name))
            .args(&self.args)
            .env_clear()
            .envs(&self.env)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap()
    }

    fn end(&self, mut child: Child, stderr: thread::JoinHandle<Vec<u8>>) -> Run {
        let mut stdin = child.stdin.take().unwrap();
        let stdout = drain(child.stdout.take().unwrap());
        let (text, stays_open) = (self.stdin.clone(), self.stays_open);
        let feed = thread::spawn(move || {
            // A program that fails early closes its end: then the rest is not wanted.
            drop(stdin.write_all(&text));
            stays_open.then_some(stdin)
        });
        let code = wait(&mut child);
        drop(feed.join().unwrap());
        Run {
            code,
            stdout: stdout.join().unwrap(),
            stderr: String::from_utf8_lossy(&stderr.join().unwrap()).into_owned(),
        }
    }
}

/// A program that runs until it is told to end; at the latest when this is dropped.
pub(crate) struct Background {
    child: Child,
    stderr: Arc<Mutex<String>>,
}

impl Background {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it says something.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let start = Instant::now();
        while !self.stderr().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && start.elapsed() < PATIENCE,
                "{}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its exit code, when it has ended.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        wait(&mut self.child)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut text = Vec::new();
        pipe.read_to_end(&mut text).unwrap();
        text
    })
}

fn wait(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program did not end within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}
