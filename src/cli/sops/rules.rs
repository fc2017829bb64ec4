//! For whom and by which rule a file is encrypted: what the flags say, and the nearest `.sops.yaml`.

use std::sync::Arc;

use super::failure::{Code, Failure};
use super::flags::{Common, Encrypting};
use super::input;
use crate::cli::Process;
use crate::diagnostics::{Diagnostic, Fault, Source};
use crate::sops::{Config, Error, Recipe};

/// What the flags say, and what the configuration says besides.
pub(super) fn recipe(
    flags: &Encrypting,
    common: &Common,
    name: &str,
    process: &Process<'_>,
) -> Result<Recipe, Failure> {
    let keys = flags.keys.recipe(&flags.aws, process)?;
    let configured = configured(common, name, process)?;
    let mut recipe = configured.unwrap_or_default().with_keys_of(keys);
    flags.aws.tell(&mut recipe)?;
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

/// What the configuration says about a file; `None` where there is none, or it has no rules.
pub(super) fn configured(
    common: &Common,
    name: &str,
    process: &Process<'_>,
) -> Result<Option<Recipe>, Failure> {
    let Some(found) = input::find_config(common, process)? else {
        return Ok(None);
    };
    let path = process.folder.join(name);
    let path = path.strip_prefix(&found.folder).unwrap_or(&path);
    let path = path.to_string_lossy();
    let source = Arc::new(Source::new(found.name, found.text));
    let recipe = Config::parse(source.text()).and_then(|config| config.recipe(&path));
    recipe.map_err(|error| {
        let failure = Failure::of_file(&error, &source);
        match error {
            Error::NoRule => failure.with_hint(format!(
                "add a rule whose path_regex matches {path}, or one without path_regex at the end"
            )),
            _ => failure,
        }
    })
}
