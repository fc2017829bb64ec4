//! Files as the `sops` commands take them: where they are, which format they have, and their keys.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;

use super::failure::{Code, Failure};
use super::flags::{Common, Named, Reading};
use crate::cli::{Process, Runtime, TIMEOUT};
use crate::diagnostics::{Diagnostic, Fault, Source, io_reason};
use crate::env::{Options, Origin, Setting};
use crate::input::DEFAULT_LIMIT;
use crate::sops::{
    ALLOWLIST, Config, DataKey, Decrypted, Encrypted, Error, Format, Keyring, Layout, MacCheck,
    ORDER, Revision, SETTINGS,
};

/// A file's text and format.
pub(super) struct Input {
    pub(super) source: Arc<Source>,
    pub(super) format: Format,
    /// Whether nothing told the format.
    is_guess: bool,
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
        let bytes = read_bytes(file, process)?;
        let name = shown.as_deref().unwrap_or("<stdin>");
        let by_name = || Format::of_path(named.or(shown.as_deref()).unwrap_or_default());
        let format = chosen(input_type).unwrap_or_else(by_name);
        let text = String::from_utf8(bytes).map_err(|_| {
            Failure::input(
                Code::Generic,
                format!("{name} is no encrypted file: it is not UTF-8"),
            )
        })?;
        let source = Arc::new(Source::new(name, text));
        let is_guess = file.is_none() && named.is_none() && chosen(input_type).is_none();
        Ok(Self {
            source,
            format,
            is_guess,
        })
    }

    /// Reads the file that flags name.
    pub(super) fn named(named: &Named, process: &mut Process<'_>) -> Result<Self, Failure> {
        Self::read(
            Some(&named.file),
            named.input_type.as_deref(),
            None,
            process,
        )
    }

    /// Decrypts the file with the keys at hand.
    pub(super) fn decrypt(&self, check: MacCheck, keyring: &Keyring) -> Result<Decrypted, Failure> {
        let (encrypted, key) = self.open(keyring)?;
        encrypted
            .decrypt(&key, check)
            .map_err(|error| self.failure(&error))
    }

    /// Opens the file with the keys at hand so that it can be written again.
    pub(super) fn revise(
        &self,
        check: MacCheck,
        keyring: &Keyring,
    ) -> Result<Revision<'_>, Failure> {
        let (encrypted, key) = self.open(keyring)?;
        encrypted
            .revise(key, check)
            .map_err(|error| self.failure(&error))
    }

    /// Recovers the file's data key with the keys at hand.
    pub(super) fn open(&self, keyring: &Keyring) -> Result<(Encrypted<'_>, DataKey), Failure> {
        let encrypted = self.parse()?;
        let key = wait(encrypted.data_key(keyring, deadline()))?;
        let key = key.map_err(|error| self.failure(&error))?;
        Ok((encrypted, key))
    }

    /// Takes the file apart.
    pub(super) fn parse(&self) -> Result<Encrypted<'_>, Failure> {
        let encrypted = Encrypted::parse(self.source.text(), self.format);
        encrypted.map_err(|error| match error {
            Error::Syntax(_) if self.is_guess => self.failure(&error).with_hint(
                "standard input was read as binary, which is JSON: --input-type says otherwise",
            ),
            _ => self.failure(&error),
        })
    }

    /// What is wrong with the file.
    pub(super) fn failure(&self, error: &Error) -> Failure {
        Failure::of_file(error, &self.source)
    }
}

/// When servers that hold keys must have answered.
pub(super) fn deadline() -> Instant {
    Instant::now() + TIMEOUT
}

/// Runs what may ask servers.
pub(super) fn wait<R>(future: impl Future<Output = R>) -> Result<R, Failure> {
    let runtime = Runtime::new().map_err(|error| Failure::new(Code::Generic, *error))?;
    Ok(runtime.wait(future))
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
    let file = reading.file.as_deref();
    let input = Input::read(file, reading.input_type.as_deref(), named, process)?;
    let output = chosen(reading.output_type.as_deref()).unwrap_or(input.format);
    Ok((input, output))
}

/// The bytes of a file, or of standard input.
pub(super) fn read_bytes(
    file: Option<&OsStr>,
    process: &mut Process<'_>,
) -> Result<Vec<u8>, Failure> {
    if let Some(file) = file {
        return read_file(&process.folder.join(file), &file.to_string_lossy());
    }
    read_all(&mut *process.stdin, "standard input", DEFAULT_LIMIT)
}

fn read_file(path: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    if !path.exists() {
        let error = Diagnostic::error(Fault::Input, format!("there is no file {name}"));
        return Err(Failure::new(Code::NoFile, error));
    }
    match std::fs::File::open(path) {
        Ok(file) => read_all(file, name, DEFAULT_LIMIT),
        Err(error) => Err(unreadable(name, Code::CannotRead, &error)),
    }
}

fn read_all(from: impl Read, name: &str, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = from.take(limit + 1).read_to_end(&mut bytes);
    let size = read.map_err(|error| unreadable(name, Code::CannotRead, &error))?;
    if size as u64 > limit {
        let message = format!("{name} is larger than {limit} bytes");
        return Err(Failure::input(Code::CannotRead, message));
    }
    Ok(bytes)
}

pub(super) fn unreadable(name: &str, code: Code, error: &std::io::Error) -> Failure {
    let diagnostic = Diagnostic::error(Fault::Input, format!("could not read {name}"));
    Failure::new(code, diagnostic.with_cause(io_reason(error)))
}

/// The keys at hand; relative paths are seen from the process's folder. `order` takes the place of the variable's.
pub(super) fn keyring(order: Option<&str>, process: &Process<'_>) -> Result<Keyring, Failure> {
    let names = SETTINGS.iter().map(|(name, _)| *name);
    let mut options = Options::of_variables(&process.environment, names, &process.folder);
    if let Some(order) = order {
        let setting = Setting {
            value: order.into(),
            origin: Origin::Flag("--decryption-order"),
        };
        options.set(ORDER, setting);
    }
    // Who names a file here has chosen it, and with it the servers that it names.
    if options.text(ALLOWLIST).is_none() {
        let setting = Setting {
            value: "all".into(),
            origin: Origin::Default,
        };
        options.set(ALLOWLIST, setting);
    }
    Keyring::new(&options, &process.environment).map_err(|error| {
        let diagnostic = Diagnostic::error(Fault::Settings, error.to_string());
        Failure::new(Code::DuplicateOrder, diagnostic)
    })
}

/// The `.sops.yaml` that counts, and the folder from which it sees paths.
pub(super) struct FoundConfig {
    /// Its path as messages call it.
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) text: String,
}

/// The configuration that a flag or variable names, else the nearest one from the working folder upwards.
pub(super) fn find_config(
    common: &Common,
    process: &Process<'_>,
) -> Result<Option<FoundConfig>, Failure> {
    const LEVELS: usize = 100;
    let variable = process
        .environment
        .get("SOPS_CONFIG")
        .filter(|path| !path.is_empty());
    let named = common.config.as_deref().or(variable.map(Path::new));
    let path = named.map(|path| process.folder.join(path)).or_else(|| {
        let folders = process.folder.ancestors().take(LEVELS);
        let mut paths = folders.map(|folder| folder.join(".sops.yaml"));
        paths.find(|path| path.is_file())
    });
    let Some(path) = path else {
        return Ok(None);
    };
    let name = path.strip_prefix(&process.folder).unwrap_or(&path);
    let name = name.display().to_string();
    let text =
        std::fs::read_to_string(&path).map_err(|error| unreadable(&name, Code::Generic, &error))?;
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Some(FoundConfig { name, folder, text }))
}

/// How files are to be laid out: by a flag, else by the configuration. One that is broken decides nothing here, since
/// nothing that is decrypted depends on it.
pub(super) fn layout(common: &Common, process: &Process<'_>) -> Layout {
    let config = find_config(common, process).ok().flatten();
    let config = config.and_then(|found| Config::parse(&found.text).ok());
    let mut layout = config.map(|config| config.layout()).unwrap_or_default();
    layout.yaml_indent = common.indent.unwrap_or(layout.yaml_indent);
    layout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_refused_and_not_cut() {
        assert_eq!(read_all(&b"1234"[..], "f", 4).ok().unwrap(), b"1234");
        assert!(read_all(&b"12345"[..], "f", 4).is_err());
    }
}
