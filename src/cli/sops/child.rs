//! `exec-env` and `exec-file`: a command that sees decrypted values, which lie nowhere when it has ended.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use zeroize::Zeroizing;

use super::failure::{Code, Failure};
use super::flags::{ExecEnv, ExecFile};
use super::input::{self, Input};
use super::private::PrivateFolder;
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
    command.status().map(code).map_err(|error| not_run(&error))
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
    let name = Path::new(&flags.filename);
    if name.file_name() != Some(name.as_os_str()) {
        let message = "--filename is a name, not a path";
        return Err(Failure::new(
            Code::Generic,
            Diagnostic::error(Fault::Settings, message),
        ));
    }
    let run = || {
        let folder = PrivateFolder::new(process)?;
        let path = if flags.no_fifo {
            folder.write(name.as_os_str(), &text)?
        } else {
            pipe(folder.path().join(name), text)?
        };
        let line = flags.command.replace("{}", &path.to_string_lossy());
        let child = shell(line.as_ref(), process).spawn()?;
        // It ends when it likes: only then nobody needs the file any more.
        folder.wait(child, None)
    };
    run().map(code).map_err(|error| not_run(&error))
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

fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(1)
}

fn not_run(error: &std::io::Error) -> Failure {
    let diagnostic = Diagnostic::error(Fault::Input, "the command could not be run");
    Failure::new(Code::Generic, diagnostic.with_cause(io_reason(error)))
}

/// A pipe with a name: what is written into it lies on no disk. The thread ends with the program if nobody reads.
fn pipe(path: PathBuf, text: Zeroizing<Vec<u8>>) -> std::io::Result<PathBuf> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let pipe = path.clone();
    std::thread::spawn(move || {
        let written = File::options().write(true).open(&pipe);
        // A reader that goes away early has read what it wanted.
        let _ = written.and_then(|mut pipe| pipe.write_all(&text));
        let _ = fs::remove_file(&pipe);
    });
    Ok(path)
}
