//! `config show` and `config variables`: what is set, by whom, what that won over, and what is not read. Never a
//! credential: its value shows as `set`, with no hint at its length.

mod report;
mod table;

use serde_json::Value;

use self::report::{Group, Line, Report};
use super::flags::{ConfigCommand, ConfigShow, Generate, Output};
use super::generate::{self, configure};
use super::instances::{self, Instances};
use super::report::{Failure, Reporter};
use super::{Name, Process, print};
use crate::backends::pool::Pool;
use crate::backends::registry::{self, Type};
use crate::diagnostics::Diagnostic;
use crate::env::{Options, Origin, Setting};
use crate::input;
use crate::settings::variables::{self, Fate, Variable};
use crate::settings::{self, Settings};

/// Runs one of the two and gives its exit code.
pub(super) fn run(command: ConfigCommand, process: &mut Process<'_>) -> u8 {
    match command {
        ConfigCommand::Show(flags) => show(flags, process),
        ConfigCommand::Variables { output } => {
            let text = match output {
                Output::Text => table::text(),
                Output::Json => pretty(&table::json()),
            };
            print(process, text)
        }
    }
}

fn show(show: ConfigShow, process: &mut Process<'_>) -> u8 {
    let mut flags = Generate {
        paths: vec![show.path.unwrap_or_else(|| "-".into())],
        config_path: show.config_path,
        ..Generate::default()
    };
    let filled = flags.fill_from(&process.environment);
    let reporter = Reporter::new(&flags, Name::Manifuse, process);
    let (settings, instances) = match check(&flags, filled, process) {
        Ok(checked) => checked,
        Err(errors) => return reporter.fail(process.stderr, Failure::new(errors), &[]),
    };
    let mut warnings = settings.warnings.clone();
    if let Err(mut failure) = reporter.judge(&mut warnings) {
        failure.diagnostics.append(&mut warnings);
        return reporter.fail(process.stderr, failure, &[]);
    }
    let report = Report {
        looked_at: looked_at(&flags, process),
        default: default_name(&instances),
        groups: groups(&settings, &instances.pool),
        without_effect: without_effect(&settings),
        file: settings.file,
    };
    let text = match show.output {
        Output::Text => report.text(),
        Output::Json => pretty(&report.json()),
    };
    let code = print(process, text);
    reporter.warn(process.stderr, warnings, &[]);
    code
}

/// What makes `generate` fail before it fetches, as far as it is not in the manifests: all of it.
fn check(
    flags: &Generate,
    filled: Result<(), Vec<Diagnostic>>,
    process: &Process<'_>,
) -> Result<(Settings, Instances), Vec<Diagnostic>> {
    let mut errors = filled.err().unwrap_or_default();
    let paths = flags.paths.iter();
    errors.extend(paths.filter_map(|path| input::missing(&process.folder, path)));
    match configure(flags, Name::Manifuse, None, process) {
        Ok(configured) => {
            let wrong = configured.path_rule.err();
            errors.extend(wrong.map(|error| Diagnostic::from_error(&error)));
            if errors.is_empty() {
                return Ok((configured.settings, configured.instances));
            }
            errors.extend(configured.settings.warnings);
        }
        Err(more) => errors.extend(more),
    }
    Err(errors)
}

/// Where a settings file was looked for, unless one is named.
fn looked_at(flags: &Generate, process: &Process<'_>) -> Vec<String> {
    if flags.config_path.is_some() {
        return Vec::new();
    }
    let folder = generate::rendered_folder(&process.folder, &flags.paths);
    let places = settings::places(&generate::settings_request(flags, process, &folder));
    let shown = places.iter().map(|place| place.display().to_string());
    shown.collect()
}

fn default_name(instances: &Instances) -> Option<String> {
    let is_one = |name: &&str| *name != instances::NO_DEFAULT;
    Some(&*instances.default)
        .filter(is_one)
        .map(ToOwned::to_owned)
}

/// Which source won for each setting of the backends in use.
pub(super) fn origins(settings: &Settings, pool: &Pool) -> Vec<(String, String)> {
    let mut origins = Vec::new();
    for group in groups(settings, pool) {
        for line in group.lines {
            let name = match &group.backend {
                Some((backend, _)) if instances::is_named(settings, backend) => {
                    format!("backends.{backend}.{}", line.name)
                }
                _ => line.variable.to_owned(),
            };
            origins.push((name, line.origin));
        }
    }
    origins
}

/// What is for the run as a whole, built-in backends that are used, and the named ones.
fn groups(settings: &Settings, pool: &Pool) -> Vec<Group> {
    let over = |key: &str| settings.overridden.get(key).cloned().unwrap_or_default();
    let secrets = credentials(settings);
    let for_all = variables::all().filter(|variable| matches!(variable.fate, Fate::Goes(_)));
    let for_all = for_all.filter_map(|Variable { name, .. }| {
        let setting = settings.flat.get(name)?;
        Some(line(name, name, setting, &over(name), &secrets))
    });
    let mut groups = vec![Group {
        backend: None,
        lines: for_all.collect(),
    }];
    let flat = registry::TYPES
        .iter()
        .filter(|kind| pool.is_used(kind.name) && !instances::is_named(settings, kind.name));
    groups.extend(flat.map(|kind| group(kind.name, kind, &settings.flat, over, &secrets)));
    for backend in &settings.backends {
        if let Some(kind) = registry::find(&backend.kind.text) {
            let (options, _) = instances::options(backend, kind, &settings.plain);
            let over = |key: &str| {
                let plain = settings
                    .plain
                    .get(key)
                    .map(|setting| setting.origin.clone());
                let winner = options.get(key).map(|setting| &setting.origin);
                plain
                    .into_iter()
                    .filter(|lost| Some(lost) != winner)
                    .collect()
            };
            groups.push(group(&backend.name, kind, &options, over, &secrets));
        }
    }
    groups
}

fn group(
    name: &str,
    kind: &'static Type,
    options: &Options,
    over: impl Fn(&str) -> Vec<Origin>,
    secrets: &[&str],
) -> Group {
    let lines = kind.settings.iter().filter_map(|(key, dotted)| {
        let name = if dotted.is_empty() { key } else { dotted };
        let over = over(key);
        Some(line(name, key, options.get(key)?, &over, secrets))
    });
    Group {
        backend: Some((name.to_owned(), kind.name)),
        lines: lines.collect(),
    }
}

/// All credentials that are set, by whomever: files may use one within another setting (`$VAULT_TOKEN`).
fn credentials(settings: &Settings) -> Vec<&str> {
    let is_credential = |key: &str| variables::find(key).is_some_and(|variable| !variable.shown);
    let flat = [&settings.flat, &settings.plain].into_iter();
    let flat = flat.flat_map(|options| {
        let keys = options.keys().filter(|key| is_credential(key));
        keys.filter_map(|key| options.text(key))
    });
    let named = settings.backends.iter().flat_map(|backend| {
        let keys = registry::find(&backend.kind.text).map_or(&[][..], |kind| kind.settings);
        let own = backend.settings.iter().filter(|own| {
            let mut names = keys.iter().filter(|(_, dotted)| *dotted == own.key);
            names.any(|(key, _)| is_credential(key))
        });
        own.filter_map(|own| own.setting.value.expose_str())
    });
    flat.chain(named).filter(|text| !text.is_empty()).collect()
}

fn line(
    name: &str,
    key: &'static str,
    setting: &Setting,
    over: &[Origin],
    secrets: &[&str],
) -> Line {
    let is_shown = variables::find(key).is_some_and(|variable| variable.shown);
    let text = setting.value.expose_str().filter(|_| is_shown);
    let text = text
        .map(without_userinfo)
        .filter(|text| !secrets.iter().any(|secret| text.contains(secret)));
    Line {
        name: name.to_owned(),
        variable: key,
        value: text,
        origin: setting.origin.to_string(),
        over: over.iter().map(ToString::to_string).collect(),
    }
}

/// An address without what may be a password in it: the user before an `@`, and the query.
fn without_userinfo(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let host = rest.rfind('@').map_or(0, |at| at + 1);
    let user = if host > 0 { "***@" } else { "" };
    match rest[host..].split_once(['?', '#']) {
        Some((address, _)) if start > 0 => format!("{scheme}{user}{address}?***"),
        _ => format!("{scheme}{user}{}", &rest[host..]),
    }
}

/// What the file or the application sets that this version does not read.
fn without_effect(settings: &Settings) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, origin) in settings.origins() {
        let Some(variable) = variables::find(key) else {
            continue;
        };
        if variable.is_unread() {
            found.push((variable.goes_to(), origin.to_string()));
        }
    }
    found
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::without_userinfo;

    #[test]
    fn an_address_shows_no_password() {
        for (address, shown) in [
            ("https://vault:8200/base", "https://vault:8200/base"),
            ("https://me:CANARY@vault:8200", "https://***@vault:8200"),
            ("https://me:CAN@ARY@vault", "https://***@vault"),
            ("https://vault/?token=CANARY", "https://vault/?***"),
            ("me:CANARY@vault", "***@vault"),
            ("unix:///run/vault.sock", "unix:///run/vault.sock"),
            ("auth/x?y", "auth/x?y"),
        ] {
            assert_eq!(without_userinfo(address), shown);
        }
    }
}
