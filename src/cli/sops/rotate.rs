//! `rotate`, `updatekeys` and `groups`: who can open a file.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::change_flags::{
    GroupChange, GroupsAdd, GroupsCommand, GroupsDelete, Rotate, UpdateKeys,
};
use super::failure::{Code, Failure};
use super::flags::Common;
use super::input::{self, Input};
use super::replace::replace;
use super::rules;
use crate::cli::{Name, Process, print};
use crate::diagnostics::{Diagnostic, Fault};
use crate::sops::{MacCheck, Recipe};

/// Encrypts all values of a file with a new data key, for its keys with some more or fewer.
pub(super) fn rotate(flags: &Rotate, process: &mut Process<'_>) -> Result<u8, Failure> {
    let changing = &flags.changing;
    if !process.folder.join(&changing.named.file).exists()
        && (flags.add.is_given() || flags.remove.is_given())
    {
        let message = "keys of a file that is not there cannot be changed";
        let hint = "encrypt a new file for --age, --pgp, --kms and the like";
        let diagnostic = Diagnostic::error(Fault::Input, message).with_hint(hint);
        return Err(Failure::new(Code::KeysOfNoFile, diagnostic));
    }
    let keyring = input::keyring(changing.decryption_order.as_deref(), process)?;
    let (add, remove) = (
        flags.add.recipe(&flags.aws, process)?,
        flags.remove.recipe(&flags.aws, process)?,
    );
    let input = Input::named(&changing.named, process)?;
    let mut revision = input.revise(MacCheck::unless(changing.ignore_mac), &keyring)?;
    let mut recipe = revision.recipe();
    recipe.add_to_first(&add);
    recipe.remove(&remove);
    let rotated = revision.rotate(&recipe, &keyring, input::deadline());
    input::wait(rotated)?.map_err(|error| Failure::of_keys(&error))?;
    let text = revision.write(input::layout(&changing.named.common, process));
    let text = text.map_err(|error| Failure::input(Code::CannotEmit, error.to_string()))?;
    let in_place = flags.in_place.then_some(Path::new(&changing.named.file));
    put(&text, in_place.or(flags.output.as_deref()), process)
}

/// Wraps the data keys of files for the keys that the configuration names for them.
pub(super) fn updatekeys(
    flags: &UpdateKeys,
    name: Name,
    process: &mut Process<'_>,
) -> Result<u8, Failure> {
    let [file] = &flags.files[..] else {
        let mut failed = 0;
        for file in &flags.files {
            if let Err(failure) = update(flags, file, process) {
                failure.tell(name, process);
                failed += 1;
            }
        }
        return match failed {
            0 => Ok(0),
            failed => Err(Failure::input(
                Code::Generic,
                format!("{failed} files were not updated"),
            )),
        };
    };
    update(flags, file, process)
}

fn update(flags: &UpdateKeys, file: &OsStr, process: &mut Process<'_>) -> Result<u8, Failure> {
    let name = file.to_string_lossy();
    let configured = rules::configured(&flags.common, &name, process)?;
    let mut recipe = configured.ok_or_else(|| {
        let message = "config file not found, or has no creation rules";
        let diagnostic = Diagnostic::error(Fault::Settings, message);
        Failure::new(
            Code::Generic,
            diagnostic.with_hint("write a rule for the file into .sops.yaml"),
        )
    })?;
    let input = Input::read(Some(file), flags.input_type.as_deref(), None, process)?;
    let old = input.parse()?.recipe();
    let threshold = [
        flags.shamir_secret_sharing_threshold.unwrap_or_default(),
        old.threshold(),
    ];
    if let Some(threshold) = threshold.into_iter().find(|threshold| *threshold > 0) {
        recipe.set_threshold(threshold.min(recipe.group_count()));
    }
    let Some(changes) = old.changes_to(&recipe) else {
        let _ = writeln!(process.stderr, "File {name} already up to date");
        return Ok(0);
    };
    print(
        process,
        format!("The following changes will be made to the file's groups:\n{changes}"),
    );
    if !flags.yes && !is_wanted(process)? {
        let _ = writeln!(process.stderr, "File {name} left unchanged");
        return Ok(0);
    }
    let text = rewrapped(&input, &recipe, &flags.common, process)?;
    replace(&process.folder.join(file), &text)?;
    let _ = writeln!(process.stderr, "File {name} synced with new keys");
    Ok(0)
}

fn is_wanted(process: &mut Process<'_>) -> Result<bool, Failure> {
    loop {
        print(process, "Is this okay? (y/n):");
        let mut answer = String::new();
        let read = BufReader::with_capacity(1, &mut *process.stdin).read_line(&mut answer);
        match (read, answer.trim()) {
            (Ok(1..), "y") => return Ok(true),
            (Ok(1..), "n") => return Ok(false),
            (Ok(1..), _) => {}
            _ => {
                let diagnostic = Diagnostic::error(Fault::Input, "there was no answer");
                return Err(Failure::new(
                    Code::Generic,
                    diagnostic.with_hint("--yes asks nothing"),
                ));
            }
        }
    }
}

/// Adds a key group to a file, or takes one away.
pub(super) fn groups(command: &GroupsCommand, process: &mut Process<'_>) -> Result<u8, Failure> {
    match command {
        GroupsCommand::Add(flags) => add(flags, process),
        GroupsCommand::Delete(flags) => delete(flags, process),
    }
}

fn add(flags: &GroupsAdd, process: &mut Process<'_>) -> Result<u8, Failure> {
    let group = flags.keys.recipe(&flags.aws, process)?;
    change(&flags.change, process, |recipe| {
        recipe.add_group(&group);
        Ok(())
    })
}

fn delete(flags: &GroupsDelete, process: &mut Process<'_>) -> Result<u8, Failure> {
    change(&flags.change, process, |recipe| {
        if !recipe.remove_group(flags.index) {
            let count = recipe.group_count();
            return Err(format!(
                "there is no key group {}: the file has {count}, counted from 0",
                flags.index
            ));
        }
        let threshold = flags
            .change
            .shamir_secret_sharing_threshold
            .unwrap_or(recipe.threshold());
        if recipe.group_count() < threshold.max(1) {
            return Err(format!(
                "removing this key group will make the Shamir threshold impossible to satisfy: Shamir threshold is {threshold}, but we only have {} key groups",
                recipe.group_count()
            ));
        }
        Ok(())
    })
}

fn change(
    flags: &GroupChange,
    process: &mut Process<'_>,
    change: impl FnOnce(&mut Recipe) -> Result<(), String>,
) -> Result<u8, Failure> {
    let input = Input::read(
        Some(&flags.file),
        flags.input_type.as_deref(),
        None,
        process,
    )?;
    let mut recipe = input.parse()?.recipe();
    change(&mut recipe).map_err(|message| Failure::input(Code::Generic, message))?;
    if let Some(threshold) = flags.shamir_secret_sharing_threshold {
        recipe.set_threshold(threshold);
    }
    let text = rewrapped(&input, &recipe, &flags.common, process)?;
    put(
        &text,
        flags.in_place.then_some(Path::new(&flags.file)),
        process,
    )
}

/// A file with its data key wrapped for the keys of a recipe.
fn rewrapped(
    input: &Input,
    recipe: &Recipe,
    common: &Common,
    process: &Process<'_>,
) -> Result<Vec<u8>, Failure> {
    let keyring = input::keyring(None, process)?;
    let (encrypted, key) = input.open(&keyring)?;
    let layout = input::layout(common, process);
    let text = encrypted.rewrap(&key, recipe, &keyring, input::deadline(), layout);
    input::wait(text)?.map_err(|error| Failure::of_keys(&error))
}

fn put(text: &[u8], target: Option<&Path>, process: &mut Process<'_>) -> Result<u8, Failure> {
    match target {
        None => Ok(print(process, text)),
        Some(target) => replace(&process.folder.join(target), text).map(|()| 0),
    }
}
