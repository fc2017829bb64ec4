//! Files that take the place of others, all at once.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use super::failure::{Code, Failure};
use crate::diagnostics::{Diagnostic, Fault, io_reason};

/// Puts a file in the place of another at once, with that one's mode and owner; a link stays, and what it leads to is
/// replaced.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error: &io::Error| {
        let message = format!("could not write {}", path.display());
        let diagnostic = Diagnostic::error(Fault::Input, message).with_cause(io_reason(error));
        Failure::new(Code::CannotWrite, diagnostic)
    };
    write(&path, text).map_err(|error| failed(&error))
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path).ok();
    // What is no file, like a pipe or a terminal, is written to.
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return File::options().write(true).open(path)?.write_all(text);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    if old.is_none() {
        // Less what the user never gives.
        builder.permissions(Permissions::from_mode(0o666));
    }
    let mut new = builder.tempfile_in(folder)?;
    new.write_all(text)?;
    if let Some(old) = old {
        // Only root gives files away. Anybody else owns the old file already, or owns the new one from now on.
        let _ = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
        new.as_file().set_permissions(old.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    Ok(())
}
