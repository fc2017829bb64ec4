//! `encrypt`.

use std::path::Path;
use std::sync::Arc;

use super::failure::{Code, Failure};
use super::flags::Encrypt;
use super::input;
use super::replace::replace;
use crate::cli::{Process, print};
use crate::diagnostics::{Diagnostic, Fault, Source};
use crate::sops::{Config, Error, Format, Recipe};

/// Prints an encrypted file, or writes it where the flags say.
pub(super) fn encrypt(flags: &Encrypt, process: &mut Process<'_>) -> Result<u8, Failure> {
    let file = flags.file.as_deref();
    let shown = file.map(|file| file.to_string_lossy().into_owned());
    let Some(name) = flags.filename_override.clone().or(shown) else {
        let message = "standard input needs --filename-override, which says its format and rules";
        return Err(usage(message));
    };
    if flags.in_place && file.is_none() {
        return Err(usage("--in-place needs a file"));
    }
    let recipe = recipe(flags, &name, process)?;
    let bytes = input::read_bytes(file, process)?;
    let chosen = |given: Option<&str>| input::chosen(given);
    let format = chosen(flags.input_type.as_deref()).unwrap_or_else(|| Format::of_path(&name));
    let output = chosen(flags.output_type.as_deref()).unwrap_or(format);
    let layout = input::layout(&flags.common, process);
    let keyring = input::keyring(None, process)?;
    let deadline = input::deadline();
    let text = recipe.encrypt(&bytes, (format, output), layout, &keyring, deadline);
    let text = input::wait(text)?.map_err(|error| {
        if let Error::Metadata(_) | Error::Wrap { .. } = error {
            // What the flags or the configuration say, not the file.
            return Failure::new(Code::Generic, Diagnostic::from_error(&error));
        }
        let source = Source::new(name, String::from_utf8_lossy(&bytes).into_owned());
        Failure::of_file(&error, &Arc::new(source))
    })?;
    let in_place = flags.in_place.then_some(file).flatten().map(Path::new);
    match in_place.or(flags.output.as_deref()) {
        None => Ok(print(process, text)),
        Some(target) => replace(&process.folder.join(target), &text).map(|()| 0),
    }
}

/// For whom and by which rule: what the flags say, and what the configuration says besides.
fn recipe(flags: &Encrypt, name: &str, process: &Process<'_>) -> Result<Recipe, Failure> {
    let wrong = |error: Error| Failure::input(Code::Generic, error.to_string());
    let mut keys = Recipe::default();
    let variable = process.environment.get("SOPS_AGE_RECIPIENTS");
    if let Some(recipients) = flags.age.as_deref().or(variable) {
        keys.add_age(recipients).map_err(wrong)?;
    }
    let configured = match input::find_config(&flags.common, process)? {
        None => None,
        Some(found) => {
            let path = process.folder.join(name);
            let path = path.strip_prefix(&found.folder).unwrap_or(&path);
            let config = Config::parse(&found.text).map_err(wrong)?;
            config.recipe(&path.to_string_lossy()).map_err(wrong)?
        }
    };
    let mut recipe = configured.unwrap_or_default().with_keys_of(keys);
    for (rule, value) in flags.rules.given().filter(|(_, value)| !value.is_empty()) {
        recipe
            .set_rule(rule, value)
            .map_err(|error| Failure::input(Code::Conflict, error.to_string()))?;
    }
    if let Some(threshold) = flags.shamir_secret_sharing_threshold {
        recipe.set_threshold(threshold);
    }
    if flags.mac_only_encrypted {
        recipe.set_mac_only_encrypted();
    }
    if recipe.is_for_nobody() {
        let message = "config file not found, or has no creation rules, and no keys provided through command line options";
        let diagnostic = Diagnostic::error(Fault::Settings, message);
        let hint = "name recipients by --age, or write a creation rule into .sops.yaml";
        return Err(Failure::new(Code::Generic, diagnostic.with_hint(hint)));
    }
    Ok(recipe)
}

fn usage(message: &str) -> Failure {
    Failure::new(Code::Generic, Diagnostic::error(Fault::Settings, message))
}
