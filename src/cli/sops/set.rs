//! `set` and `unset`: one value of a file changed, and nothing else in it.

use super::change_flags::{Changing, Set, Unset};
use super::failure::{Code, Failure};
use super::input::{self, Input};
use super::replace::replace;
use crate::cli::Process;
use crate::diagnostics::{Diagnostic, Fault};
use crate::secret::Text;
use crate::sops::{ChangeError, MacCheck, NewValue, NotFound, Revision, TreePath};

/// Puts a value into a file.
pub(super) fn set(flags: &Set, process: &mut Process<'_>) -> Result<u8, Failure> {
    let path = path(&flags.path)?;
    let text = value_text(flags, process)?;
    let value = text
        .expose_str()
        .and_then(|text| NewValue::parse(text).ok());
    let value = value.ok_or_else(|| {
        let message = "the value is not valid JSON";
        let hint = "a text stands in double quotes, e.g. '\"s3cr3t\"'";
        Failure::new(
            Code::BadSet,
            Diagnostic::error(Fault::Settings, message).with_hint(hint),
        )
    })?;
    change(&flags.changing, process, |revision| {
        let changed = revision.set(&path, value).map_err(|error| match error {
            ChangeError::NotFound(error) => wrong_path(&error),
            ChangeError::Format(error) => Failure::input(Code::CannotEmit, error.to_string()),
        })?;
        Ok(changed || !flags.idempotent)
    })
}

/// Takes a value out of a file.
pub(super) fn unset(flags: &Unset, process: &mut Process<'_>) -> Result<u8, Failure> {
    let path = path(&flags.path)?;
    change(&flags.changing, process, |revision| {
        match revision.unset(&path) {
            Ok(()) => Ok(true),
            Err(NotFound::Key(_) | NotFound::Index(_)) if flags.idempotent => Ok(false),
            Err(error) => Err(wrong_path(&error)),
        }
    })
}

fn path(text: &str) -> Result<TreePath, Failure> {
    TreePath::parse(text).map_err(|error| {
        let diagnostic = Diagnostic::error(Fault::Settings, error.to_string());
        Failure::new(Code::BadSet, diagnostic)
    })
}

fn wrong_path(error: &NotFound) -> Failure {
    Failure::input(Code::Generic, error.to_string())
}

/// The value as the flags give it. Arguments can be seen by others on the machine; files and standard input cannot.
fn value_text(flags: &Set, process: &mut Process<'_>) -> Result<Text, Failure> {
    let file = match (&flags.value[..], flags.value_file, flags.value_stdin) {
        ([value], false, false) => return Ok(Text::from(value.as_encoded_bytes().to_vec())),
        ([file], true, false) => Some(file.as_os_str()),
        ([], false, true) => None,
        _ => {
            let message = "set takes a file, a path and a value; the value may be a file by --value-file, or standard input by --value-stdin";
            let diagnostic = Diagnostic::error(Fault::Settings, message);
            return Err(Failure::new(Code::NoFile, diagnostic));
        }
    };
    input::read_bytes(file, process).map(Text::from)
}

/// Opens a file, lets it be changed, and puts it in its place if it is to be written.
fn change(
    flags: &Changing,
    process: &mut Process<'_>,
    change: impl FnOnce(&mut Revision<'_>) -> Result<bool, Failure>,
) -> Result<u8, Failure> {
    let keyring = input::keyring(flags.decryption_order.as_deref(), process)?;
    let input = Input::named(&flags.named, process)?;
    let check = MacCheck::unless(flags.ignore_mac);
    let mut revision = input.revise(check, &keyring)?;
    if !change(&mut revision)? {
        return Ok(0);
    }
    let layout = input::layout(&flags.named.common, process);
    let text = revision.write(layout);
    let text = text.map_err(|error| Failure::input(Code::CannotEmit, error.to_string()))?;
    replace(&process.folder.join(&flags.named.file), &text).map(|()| 0)
}
