//! Files that take the place of others, all at once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use super::failure::{Code, Failure};
use crate::diagnostics::{Diagnostic, Fault, io_reason};

/// Puts a file in the place of another at once, with that one's mode; a link stays, and what it leads to is replaced.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), Failure> {
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
