//! Standard input, files and folders into named source texts, in a stable order (`avp-compat.md` section 2).
//!
//! Reads only: what the texts hold is for `manifest` to say. All broken files are told at once.

mod passed_over;
mod read;
mod walk;

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Fault, Source};

/// How many bytes all inputs together may have, if nobody says otherwise.
pub const DEFAULT_LIMIT: u64 = 1 << 30;

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// What relative paths are relative to.
    pub folder: &'a Path,
    /// Files and folders as typed; `-` is standard input.
    pub paths: &'a [OsString],
    /// What messages call standard input.
    pub stdin_name: &'a str,
    /// How many bytes all inputs together may have.
    pub limit: u64,
    /// Whether standard input may be empty.
    pub allow_empty: bool,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Inputs {
    /// The texts, in the order of the paths and, within a folder, of its walk.
    pub sources: Vec<Arc<Source>>,
    /// What looks wrong and does not stop the run.
    pub warnings: Vec<Diagnostic>,
    /// Files in rendered folders that are no manifests but ours or encrypted data.
    pub passed_over: Vec<String>,
}

/// What could not be read.
#[derive(Debug)]
pub struct Failure {
    /// AVP's line above the files that could not be read, if it has one.
    pub lead: Option<&'static str>,
    /// All failures, in the order of the inputs.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads everything, or says everything that cannot be read.
pub fn read(selection: Selection<'_>, stdin: &mut dyn Read) -> Result<Inputs, Failure> {
    let mut reader = read::Reader::new(selection);
    for path in selection.paths {
        if path == "-" {
            reader.stdin(selection.stdin_name, stdin);
            continue;
        }
        if let Some(error) = missing(selection.folder, path) {
            reader.missing(path, error);
            continue;
        }
        let found = walk::walk(selection.folder, path);
        if found.files.is_empty() {
            reader.fail(nothing_found(path, found.is_link));
        }
        reader.warn(found.warnings);
        for file in &found.files {
            reader.file(file);
        }
    }
    reader.finish()
}

/// Takes those files of a folder in memory that are manifests: names and bytes, in the order of a walk.
pub fn take<'f>(
    files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    limit: u64,
) -> Result<Inputs, Failure> {
    let mut reader = read::Reader::new(Selection {
        folder: Path::new(""),
        paths: &[],
        stdin_name: "",
        limit,
        allow_empty: true,
    });
    for (name, bytes) in files {
        if walk::is_manifest_name(name.as_ref()) {
            reader.bytes(name, bytes);
        }
    }
    reader.finish()
}

/// The error of a path that does not exist at all. An empty one is surely not what an unset variable should render,
/// though joined it would be the folder itself.
pub fn missing(folder: &Path, path: &OsString) -> Option<Diagnostic> {
    let metadata = folder.join(path).symlink_metadata();
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let is_missing = path.is_empty() || (path != "-" && metadata.is_err_and(|e| is_gone(&e)));
    let message = format!("there is no file or folder {:?}", path.to_string_lossy());
    is_missing.then(|| Diagnostic::error(Fault::Input, message))
}

fn nothing_found(path: &OsString, is_link: bool) -> Diagnostic {
    let path = path.to_string_lossy();
    let error = Diagnostic::error(Fault::Input, nothing_in(&path));
    if is_link {
        error.with_hint(format!(
            "{path} is a link; {path}/ looks into the folder behind it"
        ))
    } else {
        error.with_hint("files are taken whose names end in .yaml, .yml or .json")
    }
}

/// AVP's words for a path that leads to no manifest.
fn nothing_in(path: &str) -> String {
    format!("no YAML or JSON files were found in {path}")
}

#[cfg(test)]
mod tests;
