//! `decrypt` and `filestatus`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use super::failure::{Code, Failure};
use super::flags::{Decrypt, Filestatus};
use super::input::{self, Input};
use crate::cli::{Process, print};
use crate::diagnostics::{Diagnostic, Fault, io_reason};
use crate::sops::{self, ExtractError, MacCheck, TreePath};

/// Prints a decrypted file, or writes it where the flags say.
pub(super) fn decrypt(flags: &Decrypt, process: &mut Process<'_>) -> Result<u8, Failure> {
    let in_place = flags.in_place.then(|| flags.reading.file.clone()).flatten();
    if flags.in_place && in_place.is_none() {
        let message = "--in-place needs a file";
        return Err(Failure::new(
            Code::Generic,
            Diagnostic::error(Fault::Settings, message),
        ));
    }
    let path = flags.extract.as_deref().map(TreePath::parse).transpose();
    let path =
        path.map_err(|error| Failure::input(Code::BadPath, format!("--extract: {error}")))?;
    let named = flags.filename_override.as_deref();
    let (input, format) = input::open(&flags.reading, named, process)?;
    let check = if flags.ignore_mac {
        MacCheck::Skipped
    } else {
        MacCheck::Required
    };
    let decrypted = input.decrypt(check, process)?;
    let layout = input::layout(&flags.reading.common, process);
    let text = match path {
        None => decrypted
            .write(format, layout)
            .map_err(ExtractError::Format),
        Some(path) => decrypted.extract(&path, format, layout),
    };
    let text = text.map_err(|error| match error {
        ExtractError::NotFound(_) => Failure::input(Code::Generic, format!("--extract: {error}")),
        ExtractError::Format(_) => Failure::input(Code::CannotEmit, error.to_string()),
    })?;
    let target = in_place
        .as_deref()
        .map(Path::new)
        .or(flags.output.as_deref());
    match target {
        None => Ok(print(process, &*text)),
        Some(target) => replace(&process.folder.join(target), &text).map(|()| 0),
    }
}

/// Prints whether a file is encrypted.
pub(super) fn filestatus(flags: &Filestatus, process: &mut Process<'_>) -> Result<u8, Failure> {
    let input = Input::read(
        Some(&flags.file),
        flags.input_type.as_deref(),
        None,
        process,
    )?;
    let encrypted = sops::is_encrypted(input.source.text(), input.format)
        .map_err(|error| Failure::of_file(&error, &input.source))?;
    Ok(print(process, format!("{{\"encrypted\":{encrypted}}}\n")))
}

/// Puts a file in the place of another at once, with that one's mode; a link stays, and what it leads to is replaced.
fn replace(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error: &std::io::Error| {
        let message = format!("could not write {}", path.display());
        let diagnostic = Diagnostic::error(Fault::Input, message).with_cause(io_reason(error));
        Failure::new(Code::CannotWrite, diagnostic)
    };
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        let Ok(old) = fs::metadata(&path) else {
            return File::create(&path)?.write_all(text);
        };
        let mut new = NamedTempFile::new_in(folder)?;
        new.write_all(text)?;
        new.as_file().set_permissions(old.permissions())?;
        new.as_file().sync_all()?;
        new.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| failed(&error))
}
