//! `exec-env` and `exec-file`: a command that sees decrypted values, which lie nowhere when it has ended.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::Command;

use zeroize::Zeroizing;

use super::failure::{Code, Failure};
use super::flags::{ExecEnv, ExecFile};
use super::input::{self, Input};
use crate::cli::Process;
use crate::diagnostics::{Diagnostic, Fault, io_reason};
use crate::sops::MacCheck;

/// Runs a command with the first document's values in its environment. Gives the command's exit code.
pub(super) fn exec_env(flags: &ExecEnv, process: &mut Process<'_>) -> Result<u8, Failure> {
    let input = Input::named(&flags.named, process)?;
    let decrypted = input.decrypt(MacCheck::Required, &input::keyring(None, process)?)?;
    let values = decrypted
        .variables()
        .map_err(|error| Failure::input(Code::Generic, error.to_string()))?;
    let mut command = shell(&flags.command, process);
    if flags.pristine {
        command.env_clear();
    }
    for (name, value) in &values {
        command.env(name, OsStr::from_bytes(value.expose()));
    }
    if flags.same_process {
        return Err(not_run(&command.exec()));
    }
    run(command)
}

/// Runs a command on a decrypted file in a folder of its own. Gives the command's exit code.
pub(super) fn exec_file(flags: &ExecFile, process: &mut Process<'_>) -> Result<u8, Failure> {
    let input = Input::named(&flags.named, process)?;
    let format = input::chosen(flags.output_type.as_deref()).unwrap_or(input.format);
    let decrypted = input.decrypt(MacCheck::Required, &input::keyring(None, process)?)?;
    let layout = input::layout(&flags.named.common, process);
    let text = decrypted
        .write(format, layout)
        .map_err(|error| Failure::input(Code::CannotEmit, error.to_string()))?;
    let folder = private_folders().tempdir();
    let folder = folder.map_err(|error| not_run(&error))?;
    let path = folder.path().join(&flags.filename);
    if path.parent() != Some(folder.path()) {
        let message = "--filename is a name, not a path";
        return Err(Failure::new(
            Code::Generic,
            Diagnostic::error(Fault::Settings, message),
        ));
    }
    let made = if flags.no_fifo {
        private_file(&path, &text)
    } else {
        pipe(&path, text)
    };
    made.map_err(|error| not_run(&error))?;
    let line = flags.command.replace("{}", &path.to_string_lossy());
    let code = run(shell(line.as_ref(), process));
    drop(folder);
    code
}

fn shell(line: &OsStr, process: &Process<'_>) -> Command {
    let mut command = with_environment("/bin/sh".as_ref(), process);
    command.arg("-c").arg(line);
    command
}

/// A program in this process's folder and environment.
pub(super) fn with_environment(program: &OsStr, process: &Process<'_>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&process.folder);
    command.env_clear().envs(process.environment.iter());
    command
}

fn run(mut command: Command) -> Result<u8, Failure> {
    let status = command.status().map_err(|error| not_run(&error))?;
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(u8::try_from(code).unwrap_or(1))
}

fn not_run(error: &std::io::Error) -> Failure {
    let diagnostic = Diagnostic::error(Fault::Input, "the command could not be run");
    Failure::new(Code::Generic, diagnostic.with_cause(io_reason(error)))
}

/// Folders that only this user may look into, and that go with all that they hold.
pub(super) fn private_folders() -> tempfile::Builder<'static, 'static> {
    let mut folders = tempfile::Builder::new();
    folders
        .prefix(".sops")
        .permissions(Permissions::from_mode(0o700));
    folders
}

pub(super) fn private_file(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)
}

/// A pipe with a name: what is written into it lies on no disk. The thread ends with the program if nobody reads.
fn pipe(path: &Path, text: Zeroizing<Vec<u8>>) -> std::io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let path = path.to_owned();
    std::thread::spawn(move || {
        let written = File::options().write(true).open(&path);
        // A reader that goes away early has read what it wanted.
        let _ = written.and_then(|mut pipe| pipe.write_all(&text));
        let _ = fs::remove_file(&path);
    });
    Ok(())
}
