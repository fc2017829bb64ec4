//! Files as the `sops` commands take them: where they are, which format they have, and their keys.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use super::failure::{Code, Failure};
use super::flags::{Common, Reading};
use crate::cli::Process;
use crate::diagnostics::{Diagnostic, Fault, Source, io_reason};
use crate::env::{Options, Origin, Setting};
use crate::input::DEFAULT_LIMIT;
use crate::sops::{Decrypted, Encrypted, Format, Identities, Layout, MacCheck, Sources, layout_of};

/// The variables by which keys are found.
const KEY_VARIABLES: [&str; 7] = [
    "HOME",
    "SOPS_AGE_KEY",
    "SOPS_AGE_KEY_CMD",
    "SOPS_AGE_KEY_FILE",
    "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
    "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
    "XDG_CONFIG_HOME",
];

/// A file's text and format.
pub(super) struct Input {
    pub(super) source: Arc<Source>,
    pub(super) format: Format,
}

impl Input {
    /// Reads a file, or standard input. `named` is the name by which the format is chosen, if not the file's own.
    pub(super) fn read(
        file: Option<&OsStr>,
        input_type: Option<&str>,
        named: Option<&str>,
        process: &mut Process<'_>,
    ) -> Result<Self, Failure> {
        let shown = file.map(|file| file.to_string_lossy().into_owned());
        let bytes = if let Some(file) = file {
            read_file(&process.folder.join(file), &file.to_string_lossy())?
        } else {
            let mut bytes = Vec::new();
            let read = process.stdin.take(DEFAULT_LIMIT).read_to_end(&mut bytes);
            read.map_err(|error| unreadable("standard input", Code::CannotRead, &error))?;
            bytes
        };
        let name = shown.as_deref().unwrap_or("<stdin>");
        let by_name = || Format::of_path(named.or(shown.as_deref()).unwrap_or_default());
        let format = chosen(input_type).unwrap_or_else(by_name);
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::input(
                Code::CannotRead,
                format!("{name} is no encrypted file: it is not UTF-8"),
            )
        })?;
        let source = Arc::new(Source::new(name, text));
        Ok(Self { source, format })
    }

    /// Decrypts the file with the keys at hand.
    pub(super) fn decrypt(
        &self,
        check: MacCheck,
        process: &Process<'_>,
    ) -> Result<Decrypted, Failure> {
        let wrong = |error| Failure::of_file(&error, &self.source);
        let encrypted = Encrypted::parse(self.source.text(), self.format).map_err(wrong)?;
        let key = encrypted.data_key(&identities(process)).map_err(wrong)?;
        encrypted.decrypt(&key, check).map_err(wrong)
    }
}

/// A format by its name. As in sops, any other word means nothing.
pub(super) fn chosen(name: Option<&str>) -> Option<Format> {
    name.and_then(Format::of_name)
}

/// The file of a command and the format of what it prints.
pub(super) fn open(
    reading: &Reading,
    named: Option<&str>,
    process: &mut Process<'_>,
) -> Result<(Input, Format), Failure> {
    check_order(reading.decryption_order.as_deref())?;
    let file = reading.file.as_deref();
    let input = Input::read(file, reading.input_type.as_deref(), named, process)?;
    let output = chosen(reading.output_type.as_deref()).unwrap_or(input.format);
    Ok((input, output))
}

/// A kind of key can be tried at one place of the order only.
fn check_order(order: Option<&str>) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    for kind in order.iter().flat_map(|order| order.split(',')) {
        if !seen.insert(kind) {
            let message = format!("--decryption-order names {kind} twice");
            let diagnostic = Diagnostic::error(Fault::Settings, message);
            return Err(Failure::new(Code::DuplicateOrder, diagnostic));
        }
    }
    Ok(())
}

fn read_file(path: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    if !path.exists() {
        let error = Diagnostic::error(Fault::Input, format!("there is no file {name}"));
        return Err(Failure::new(Code::NoFile, error));
    }
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(DEFAULT_LIMIT).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(name, Code::CannotRead, &error))?;
    Ok(bytes)
}

pub(super) fn unreadable(name: &str, code: Code, error: &std::io::Error) -> Failure {
    let diagnostic = Diagnostic::error(Fault::Input, format!("could not read {name}"));
    Failure::new(code, diagnostic.with_cause(io_reason(error)))
}

fn identities(process: &Process<'_>) -> Identities {
    let mut options = Options::default();
    for name in KEY_VARIABLES {
        if let Some(value) = process.environment.get(name) {
            let origin = Origin::Environment(name.to_owned());
            let value = value.into();
            options.set(name, Setting { value, origin });
        }
    }
    let file = options.path("SOPS_AGE_KEY_FILE");
    Identities::load(&Sources::new(
        &options,
        file.map(|file| process.folder.join(file)),
    ))
}

/// How files are to be laid out: by a flag, else by the nearest `.sops.yaml`. One that is broken decides nothing here,
/// since nothing that is decrypted depends on it.
pub(super) fn layout(common: &Common, process: &Process<'_>) -> Layout {
    let variable = process.environment.get("SOPS_CONFIG").map(Path::new);
    let config = common.config.as_deref().or(variable);
    let text = match config {
        Some(path) => std::fs::read_to_string(process.folder.join(path)).ok(),
        None => nearest_config(&process.folder),
    };
    let mut layout = text.as_deref().map(layout_of).unwrap_or_default();
    layout.yaml_indent = common.indent.unwrap_or(layout.yaml_indent);
    layout
}

fn nearest_config(folder: &Path) -> Option<String> {
    const LEVELS: usize = 100;
    let folders = folder.ancestors().take(LEVELS);
    folders
        .map(|folder| folder.join(".sops.yaml"))
        .find_map(|path| std::fs::read_to_string(path).ok())
}
