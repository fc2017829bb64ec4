//! `edit`: a file decrypted, changed in an editor, and encrypted again.

use std::path::Path;
use std::sync::Arc;

use super::change_flags::Edit;
use super::editor::Session;
use super::failure::{Code, Failure};
use super::input::{self, Input};
use super::replace::replace;
use super::rules;
use crate::cli::Process;
use crate::diagnostics::Source;
use crate::sops::{self, Error, Format, MacCheck};

/// What a file that is not there begins with.
const EXAMPLES: [(Format, &str); 5] = [
    (
        Format::Yaml,
        "# Change this as you like: it is encrypted when you leave the editor.\npassword: example\nhosts:\n    - a.example\n    - b.example\nport: 8080\ntls: true\n",
    ),
    (
        Format::Json,
        "{\n\t\"password\": \"example\",\n\t\"hosts\": [\n\t\t\"a.example\",\n\t\t\"b.example\"\n\t],\n\t\"port\": 8080,\n\t\"tls\": true\n}\n",
    ),
    (
        Format::Dotenv,
        "# Change this as you like: it is encrypted when you leave the editor.\nPASSWORD=example\n",
    ),
    (
        Format::Ini,
        "; Change this as you like: it is encrypted when you leave the editor.\n[server]\npassword = example\n",
    ),
    (
        Format::Binary,
        "Change this as you like: it is encrypted when you leave the editor.\n",
    ),
];

/// Lets the user edit a file, or an example where there is none yet.
pub(super) fn edit(flags: &Edit, process: &mut Process<'_>) -> Result<u8, Failure> {
    let named = &flags.changing.named;
    let path = process.folder.join(&named.file);
    let text = if path.exists() {
        changed(flags, process)
    } else {
        created(flags, process)
    }?;
    replace(&path, &text).map(|()| 0)
}

fn changed(flags: &Edit, process: &mut Process<'_>) -> Result<Vec<u8>, Failure> {
    let changing = &flags.changing;
    let keyring = input::keyring(changing.decryption_order.as_deref(), process)?;
    let input = Input::named(&changing.named, process)?;
    let mut revision = input.revise(MacCheck::unless(changing.ignore_mac), &keyring)?;
    let layout = input::layout(&changing.named.common, process);
    let shown = if flags.show_master_keys {
        revision.print_with_block(layout)
    } else {
        revision.print(layout)
    };
    let cannot_emit = |error: Error| Failure::input(Code::CannotEmit, error.to_string());
    let session = Session::start(
        Path::new(&changing.named.file),
        &shown.map_err(cannot_emit)?,
        process,
    )?;
    session.edit(process, |text| {
        let replaced = if flags.show_master_keys {
            revision.replace_with_block(text)
        } else {
            revision.replace(text)
        };
        replaced.map_err(|error| wrong_text(&error, &input.source, text))
    })?;
    drop(session);
    let completed = revision.complete_keys(&keyring, input::deadline());
    input::wait(completed)?.map_err(|error| Failure::of_keys(&error))?;
    revision.write(layout).map_err(cannot_emit)
}

fn created(flags: &Edit, process: &mut Process<'_>) -> Result<Vec<u8>, Failure> {
    let named = &flags.changing.named;
    let name = named.file.to_string_lossy().into_owned();
    let format =
        input::chosen(named.input_type.as_deref()).unwrap_or_else(|| Format::of_path(&name));
    let recipe = rules::recipe(&flags.encrypting, &named.common, &name, process)?;
    let keyring = input::keyring(None, process)?;
    let example = EXAMPLES.iter().find(|(known, _)| *known == format);
    let example = example.map_or("", |(_, text)| text);
    let source = Source::new(name, String::new());
    let source = Arc::new(source);
    let session = Session::start(Path::new(&named.file), example.as_bytes(), process)?;
    let text = session.edit(process, |text| {
        let checked = sops::check_plain(text, format);
        checked.map_err(|error| wrong_text(&error, &source, text))
    })?;
    drop(session);
    let layout = input::layout(&named.common, process);
    let encrypted = recipe.encrypt(&text, (format, format), layout, &keyring, input::deadline());
    input::wait(encrypted)?.map_err(|error| Failure::of_keys(&error))
}

/// What is wrong with an edited text, at the place in it.
fn wrong_text(error: &Error, file: &Source, text: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(text).into_owned();
    let name = format!("{} in the editor", file.name());
    Failure::of_plain(error, &Arc::new(Source::new(name, text)))
}
