//! `decrypt` and `filestatus`.

use std::path::Path;

use super::failure::{Code, Failure};
use super::flags::{Decrypt, Filestatus};
use super::input::{self, Input};
use super::replace::replace;
use crate::cli::{Process, print};
use crate::diagnostics::{Diagnostic, Fault};
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
    let order = flags.reading.decryption_order.as_deref();
    let keyring = input::keyring(order, process)?;
    let (input, format) = input::open(&flags.reading, named, process)?;
    let decrypted = input.decrypt(MacCheck::unless(flags.ignore_mac), &keyring)?;
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
    let input = Input::named(&flags.named, process)?;
    let encrypted = sops::is_encrypted(input.source.text(), input.format)
        .map_err(|error| Failure::of_file(&error, &input.source))?;
    Ok(print(process, format!("{{\"encrypted\":{encrypted}}}\n")))
}
