//! `encrypt`.

use std::path::Path;
use std::sync::Arc;

use super::failure::{Code, Failure};
use super::flags::Encrypt;
use super::input;
use super::replace::replace;
use super::rules;
use crate::cli::{Process, print};
use crate::diagnostics::{Diagnostic, Fault, Source};
use crate::sops::{Error, Format};

/// Prints an encrypted file, or writes it where the flags say.
pub(super) fn encrypt(flags: &Encrypt, process: &mut Process<'_>) -> Result<u8, Failure> {
    let file = flags.file.as_deref();
    let shown = file.map(|file| file.to_string_lossy().into_owned());
    let Some(name) = flags.filename_override.clone().or(shown) else {
        let message = "standard input needs --filename-override, which says its format and rules";
        return Err(usage(message));
    };
    if flags.in_place && file.is_none() {
        return Err(usage("--in-place needs a file"));
    }
    let recipe = rules::recipe(&flags.encrypting, &flags.common, &name, process)?;
    let bytes = input::read_bytes(file, process)?;
    let chosen = |given: Option<&str>| input::chosen(given);
    let format = chosen(flags.input_type.as_deref()).unwrap_or_else(|| Format::of_path(&name));
    let output = chosen(flags.output_type.as_deref()).unwrap_or(format);
    let layout = input::layout(&flags.common, process);
    let keyring = input::keyring(None, process)?;
    let deadline = input::deadline();
    let text = recipe.encrypt(&bytes, (format, output), layout, &keyring, deadline);
    let text = input::wait(text)?.map_err(|error| {
        if let Error::Recipe(_) | Error::Wrap { .. } = error {
            return Failure::of_keys(&error);
        }
        let source = Source::new(name, String::from_utf8_lossy(&bytes).into_owned());
        Failure::of_plain(&error, &Arc::new(source))
    })?;
    let in_place = flags.in_place.then_some(file).flatten().map(Path::new);
    match in_place.or(flags.output.as_deref()) {
        None => Ok(print(process, text)),
        Some(target) => replace(&process.folder.join(target), &text).map(|()| 0),
    }
}

fn usage(message: &str) -> Failure {
    Failure::new(Code::Generic, Diagnostic::error(Fault::Settings, message))
}
