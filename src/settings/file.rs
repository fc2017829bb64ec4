//! Finds the settings file and reads it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::sync::Arc;

use super::document::{self, Entry, Node};
use super::{InSecret, Request, format, structured};
use crate::diagnostics::{Diagnostic, Fault, Source, Span, io_reason};
use crate::env::Environment;
use crate::secret::Text;

/// How our settings file is called.
pub const FILE_NAME: &str = "manifuse.yaml";
/// More than any settings file has.
const LIMIT: u64 = 16 << 20;

/// A settings file that was read.
#[derive(Debug)]
pub(super) struct SettingsFile {
    /// The text, by its path as given.
    pub(super) source: Arc<Source>,
    /// Its keys at the top.
    pub(super) entries: Vec<Entry>,
    /// Whether it is ours, so that unknown keys are errors, or AVP's, which may hold anything.
    pub(super) ours: bool,
}

/// Reads the settings file: the named one, or ours where it may lie.
pub(super) fn load(request: &Request<'_>) -> Result<Option<SettingsFile>, Box<Diagnostic>> {
    if let Some(name) = request.config {
        return read(name, &request.folder.join(name), request.environment).map(Some);
    }
    if let Some(secret) = request.secret {
        return Ok(Some(in_secret(secret)));
    }
    for path in places(request) {
        if is_there(&path) {
            let name = path.strip_prefix(request.folder).unwrap_or(&path);
            return read(&name.to_string_lossy(), &path, request.environment).map(Some);
        }
    }
    Ok(None)
}

/// As AVP, which reads them as YAML: what stands around a value does not belong to it.
fn in_secret(secret: &InSecret) -> SettingsFile {
    let entry = |(key, value): &(String, Text)| {
        let trimmed = value.expose_str().map(|value| Text::from(value.trim()));
        let value = Node::Scalar(trimmed.unwrap_or_else(|| value.clone()));
        Entry::at(key, Span::at(0), value)
    };
    SettingsFile {
        source: Arc::new(Source::new(secret.name.as_str(), String::new())),
        entries: secret.entries.iter().map(entry).collect(),
        ours: false,
    }
}

/// Whether there is a file, or what cannot be looked at: passing that over would drop an operator's settings unsaid.
/// Below a file that is rendered there is nothing.
fn is_there(path: &Path) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    !path
        .symlink_metadata()
        .is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// Where our file may lie unnamed: the first that is there counts.
///
/// Under Argo CD the working directory is a tenant's, who must not set anything. Elsewhere a folder that is rendered may
/// bring its own file, but only within the working directory: settings say where tokens go, and rendering somebody
/// else's folder must not send ours there.
pub(super) fn places(request: &Request<'_>) -> Vec<PathBuf> {
    let mut places = vec![request.system_folder.join(FILE_NAME)];
    if request.environment.get("ARGOCD_APP_NAME").is_some() {
        return places;
    }
    let mut folder = request.folder.to_owned();
    places.push(folder.join(FILE_NAME));
    let real = request.folder.canonicalize();
    let real = real.as_deref().unwrap_or(request.folder);
    for part in request.rendered.strip_prefix(real).into_iter().flatten() {
        folder.push(part);
        places.push(folder.join(FILE_NAME));
    }
    places
}

/// Our file beside what is rendered, where no place above leads there.
pub(super) fn passed_over(request: &Request<'_>) -> Option<String> {
    let file = request.rendered.join(FILE_NAME);
    let real = |path: &Path| path.canonicalize().ok();
    let counts = places(request)
        .iter()
        .any(|place| real(place) == real(&file));
    let is_argocds = request.environment.get("ARGOCD_APP_NAME").is_some();
    (file.exists() && !counts && !is_argocds && request.config.is_none())
        .then(|| file.display().to_string())
}

fn read(
    name: &str,
    path: &Path,
    environment: &Environment,
) -> Result<SettingsFile, Box<Diagnostic>> {
    let base_name = name.rsplit('/').next().unwrap_or_default();
    let parse = format_of(base_name)?;
    let source = Arc::new(read_source(name, path)?);
    let entries = parse(&source, environment)?;
    let ours = base_name == FILE_NAME || entries.iter().any(|entry| structured::is_key(&entry.key));
    Ok(SettingsFile {
        source,
        entries,
        ours,
    })
}

fn format_of(base_name: &str) -> Result<format::Parse, Box<Diagnostic>> {
    let extension = base_name
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    format::find(extension).ok_or_else(|| {
        let hint = format!(
            "the name of a settings file ends in one of {}",
            format::endings()
        );
        let message = format!("Unsupported Config Type \"{extension}\"");
        Box::new(Diagnostic::error(Fault::Settings, message).with_hint(hint))
    })
}

fn read_source(name: &str, path: &Path) -> Result<Source, Box<Diagnostic>> {
    let failed = |verb: &str, error: &io::Error| {
        let reason = io_reason(error);
        wrong(format!("{verb} {name}: {reason}"))
    };
    // Asked before it is opened: opening a pipe waits for a writer.
    let metadata = path.metadata().map_err(|error| {
        let error = failed("open", &error);
        if is_there(path) {
            return error;
        }
        Box::new(error.with_hint("-c or MANIFUSE_CONFIG names it, from the working directory"))
    })?;
    if metadata.is_dir() {
        return Err(wrong(format!("read {name}: is a directory")));
    }
    if !metadata.is_file() {
        return Err(wrong(format!("read {name}: is not a regular file")));
    }
    let file = File::open(path).map_err(|error| failed("open", &error))?;
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed("read", &error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(wrong(format!("{name} has more than {LIMIT} bytes")));
    }
    String::from_utf8(bytes)
        .map(|text| Source::new(name, text))
        .map_err(|error| not_utf8(name, &error))
}

/// Where the file stops being text. What stands before is enough to count lines.
fn not_utf8(name: &str, error: &FromUtf8Error) -> Box<Diagnostic> {
    let end = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(&error.as_bytes()[..end]);
    let source = Arc::new(Source::new(name, text));
    let message = format!("{}: this is not UTF-8 text", document::LEAD);
    let error = document::error_at(&source, Span::at(end), message);
    Box::new(error.with_hint("save the file as UTF-8"))
}

fn wrong(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(Fault::Settings, message))
}
