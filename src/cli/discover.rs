//! `discover`: whether a folder holds something for us, as Argo CD asks before it chooses a plugin. Offline, and forgiving:
//! broken manifests are for `generate` to tell, and charts are templates that no YAML parser reads.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::flags::{Discover, Generate};
use super::report::{Failure, Reporter};
use super::{Name, Process, generate, print};
use crate::diagnostics::{Diagnostic, Fault, Source, io_reason};
use crate::inject::{self, CollectOptions};
use crate::{input, settings};

/// What no other tool writes.
const TELLING: [&str; 4] = [
    "avp.kubernetes.io/",
    "manifuse.io/",
    "<path:",
    "\\u003cpath:",
];
/// What stands in every file that sops has encrypted.
const ENCRYPTED: &str = "ENC[AES256_GCM,";
/// Manifests, values and templates.
const ENDINGS: [&str; 5] = ["yaml", "yml", "json", "tpl", "gotmpl"];
/// A folder as deep as this is no application.
const DEPTH: usize = 32;

/// Prints the first file that holds something for us; nothing where there is none.
pub(super) fn run(discover: Discover, process: &mut Process<'_>) -> u8 {
    let path = discover.path.unwrap_or_else(|| ".".into());
    let mut flags = Generate {
        paths: vec![path.clone()],
        config_path: discover.config_path,
        ..Generate::default()
    };
    let filled = flags.fill_from(&process.environment);
    let reporter = Reporter::new(&flags, Name::Manifuse, process);
    let options = filled.and_then(|()| options(&flags, process));
    let folder = process.folder.join(&path);
    let found = options.and_then(|options| {
        let limit = flags.input_limit.unwrap_or(input::DEFAULT_LIMIT);
        first(&folder, &Look { options, limit }, 0)
            .map_err(|error| vec![unreadable(&folder, &error)])
    });
    match found {
        Err(errors) => reporter.fail(process.stderr, Failure::new(errors), &[]),
        Ok(None) => 0,
        Ok(Some(file)) => {
            let file = file.strip_prefix(&folder).unwrap_or(&file);
            print(process, format!("{}\n", file.display()))
        }
    }
}

fn unreadable(folder: &Path, error: &std::io::Error) -> Diagnostic {
    let message = format!("the folder {} cannot be read", folder.display());
    Diagnostic::error(Fault::Input, message).with_cause(io_reason(error))
}

/// The backends that references may name.
fn options(flags: &Generate, process: &Process<'_>) -> Result<CollectOptions, Vec<Diagnostic>> {
    let configured = generate::configure(flags, Name::Manifuse, None, process)?;
    Ok(CollectOptions {
        default_backend: Arc::clone(&configured.instances.default),
        backends: Arc::clone(&configured.instances.names),
        validate: false,
        document_limit: inject::DEFAULT_DOCUMENT_LIMIT,
    })
}

/// What is looked for, and how much of a file.
struct Look {
    options: CollectOptions,
    limit: u64,
}

/// The first telling file of a folder, files before folders, each by name. Links are not followed: what they lead to is
/// looked at where it lies, or is not this application's.
fn first(folder: &Path, look: &Look, depth: usize) -> std::io::Result<Option<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() && is_read(&entry.path()) {
            files.push(entry.path());
        } else if kind.is_dir() && entry.file_name() != ".git" {
            folders.push(entry.path());
        }
    }
    files.sort();
    folders.sort();
    if let Some(file) = files.into_iter().find(|file| holds_something(file, look)) {
        return Ok(Some(file));
    }
    for folder in folders.iter().filter(|_| depth < DEPTH) {
        // One that cannot be read holds nothing that could be rendered.
        if let Ok(Some(found)) = first(folder, look, depth + 1) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Our own settings are no manifest.
fn is_read(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
        && file
            .file_name()
            .is_none_or(|name| name != settings::FILE_NAME)
}

fn holds_something(file: &Path, look: &Look) -> bool {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(look.limit).read_to_end(&mut bytes));
    read.is_ok() && is_telling(&file.to_string_lossy(), &bytes, &look.options)
}

/// Whether a file that may be a manifest, values or a template holds something for us.
pub(super) fn is_telling(name: &str, bytes: &[u8], options: &CollectOptions) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    if !is_read(Path::new(name)) {
        return false;
    }
    let is_encrypted = || text.contains(ENCRYPTED) && text.contains("kind");
    TELLING.iter().any(|needle| text.contains(needle))
        || is_encrypted()
        || refers(name, text, options)
}

/// Whether a manifest refers to a secret by a backend's name, or in base64.
fn refers(name: &str, text: &str, options: &CollectOptions) -> bool {
    let sources = [Arc::new(Source::new(name, text))];
    inject::collect(&sources, options).is_ok_and(|stream| stream.has_work())
}
