//! The program `gpg`, called as SOPS calls it: it has the keys behind a passphrase and those on smart cards.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::diagnostics::io_reason;
use crate::env::Options;
use crate::sops::keys::child::{self, Broken};
use crate::sops::keys::opener::{Failure, Share};

/// An armored message for one key has less than a page.
const MAX_MESSAGE: usize = 1 << 20;
/// How much of a complaint is shown.
const MAX_SHOWN: usize = 200;

pub(super) struct Gpg {
    program: String,
    home: Option<PathBuf>,
}

impl Gpg {
    /// Which program is run, only the operator says, never the author of an Application.
    pub(super) fn new(options: &Options) -> Self {
        let program = options
            .text("SOPS_GPG_EXEC")
            .filter(|_| !options.is_set_by_application("SOPS_GPG_EXEC"));
        Self {
            program: program.unwrap_or("gpg").to_owned(),
            home: options.path("GNUPGHOME"),
        }
    }

    /// What a message holds. gpg itself finds the key.
    pub(super) fn open(
        &self,
        message: &[u8],
        max: usize,
        deadline: Instant,
    ) -> Result<Share, Failure> {
        self.run(&["-d"], message, max, deadline)
    }

    /// An armored message for a key, which gpg trusts because we name it by its fingerprint.
    pub(super) fn wrap(
        &self,
        fingerprint: &str,
        share: &[u8],
        deadline: Instant,
    ) -> Result<String, Failure> {
        let args = [
            "--no-default-recipient",
            "--yes",
            "--encrypt",
            "-a",
            "-r",
            fingerprint,
            "--trusted-key",
            long_id(fingerprint),
            "--no-encrypt-to",
        ];
        let message = self.run(&args, share, MAX_MESSAGE, deadline)?;
        let message = str::from_utf8(&message).map_err(|_| self.failed("it printed no text"))?;
        Ok(message.trim().to_owned())
    }

    fn run(
        &self,
        args: &[&str],
        input: &[u8],
        max_output: usize,
        deadline: Instant,
    ) -> Result<Share, Failure> {
        let mut command = Command::new(&self.program);
        command.args(args).process_group(0);
        if let Some(home) = &self.home {
            command.env("GNUPGHOME", home);
        }
        let output = child::run(&mut command, input, max_output, deadline)
            .map_err(|broken| self.broken(&broken))?;
        if !output.status.success() {
            let complaint = complaint(&output.stderr);
            return Err(self.failed(complaint.as_deref().unwrap_or("it does not say why")));
        }
        if output.stdout.is_empty() {
            // Some versions do so for ciphers they do not know.
            return Err(self.failed("it printed nothing"));
        }
        Ok(output.stdout)
    }

    fn broken(&self, broken: &Broken) -> Failure {
        match broken {
            Broken::NotRun(error) if error.kind() == io::ErrorKind::NotFound => {
                Failure::new(format!("there is no program {}", self.program))
            }
            Broken::NotRun(error) => self.failed(&io_reason(error)),
            broken => self.failed(&broken.to_string()),
        }
    }

    fn failed(&self, reason: &str) -> Failure {
        Failure::new(format!("{} failed: {reason}", self.program))
    }
}

/// The last 16 digits, with a final `!`: older versions do not know longer ones here.
fn long_id(fingerprint: &str) -> &str {
    let digits = fingerprint.trim_end_matches('!').len();
    let start = fingerprint.floor_char_boundary(digits.saturating_sub(16));
    &fingerprint[start..]
}

/// The last line that gpg itself has written, which names the reason. What other programs write is not shown.
fn complaint(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("gpg: "))?;
    let shown = line.chars().filter(|c| !c.is_control()).take(MAX_SHOWN);
    Some(shown.collect())
}
