//! `generate`: reads the inputs, then the settings, renders, and prints everything or nothing.

use std::ffi::OsString;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
#[cfg(feature = "kubernetes")]
use tokio::time::Instant;

use crate::backends::pool::Pool;
use crate::backends::registry;
use crate::diagnostics::{Diagnostic, Fault, Source, io_reason};
use crate::files::{self, FolderFiles};
use crate::inject::{self, CollectOptions, Decryption, PathRule, RenderContext, Rendered, Stream};
use crate::input::{self, Inputs, Selection};
use crate::output;
use crate::settings::{self, InSecret, InvalidExpression, Settings};
use crate::sops::MacCheck;

#[cfg(feature = "kubernetes")]
use super::cluster;
use super::config;
use super::flags::Generate;
use super::instances::{self, Instances};
use super::progress;
use super::report::{self, Failure, Reporter};
use super::{CONCURRENCY, Name, Process, Runtime, TIMEOUT};

/// AVP's line above files that it cannot decode.
const BAD_FILES: &str = "could not read YAML/JSON files:";
/// AVP's line above references that it cannot resolve.
const BAD_REFERENCES: &str = "Replace: could not replace all placeholders in Template:";

/// Runs the command and gives its exit code.
pub(super) fn run(mut flags: Generate, name: Name, process: &mut Process<'_>) -> u8 {
    let filled = flags.fill_from(&process.environment);
    let reporter = Reporter::new(&flags, name, process);
    let read = filled
        .map_err(Failure::new)
        .and_then(|()| read(&flags, process));
    let started = read.and_then(|inputs| Ok((inputs, Runtime::new()?)));
    let (mut inputs, runtime) = match started {
        Ok(started) => started,
        Err(failure) => return reporter.fail(process.stderr, failure, &[]),
    };
    for file in &inputs.passed_over {
        reporter.note(
            process.stderr,
            &format!("passed over {file}: it is no manifest"),
        );
    }
    let mut warnings = std::mem::take(&mut inputs.warnings);
    let secret = (flags.secret_name.as_deref(), flags.timeout);
    let secret = in_secret(secret, &runtime, process).map_err(|error| vec![*error]);
    let configured = secret.and_then(|secret| configure(&flags, name, secret.as_ref(), process));
    let decrypted = decrypt(
        &flags,
        configured.as_ref().ok(),
        (&runtime, &mut *process),
        &inputs.sources,
    );
    let (sources, decrypted) = match decrypted {
        Ok(sources) => (sources, Ok(())),
        Err(failure) => (inputs.sources, Err(failure)),
    };
    let sources = sources.as_slice();
    let rendered = decrypted.and_then(|()| {
        render(
            &flags,
            configured,
            reporter,
            (&runtime, &mut *process),
            sources,
            &mut warnings,
        )
    });
    let judged = rendered.and_then(|mut rendered| {
        warnings.append(&mut rendered.warnings);
        reporter.judge(&mut warnings).map(|()| rendered)
    });
    match judged {
        Err(mut failure) => {
            failure.diagnostics.append(&mut warnings);
            reporter.fail(process.stderr, failure, sources)
        }
        Ok(rendered) => {
            let mut out = BufWriter::with_capacity(1 << 16, &mut *process.stdout);
            if let Err(error) = output::print(&rendered.slices(), &mut out) {
                return report::cannot_write(process.stderr, &error);
            }
            reporter.warn(process.stderr, warnings, sources);
            0
        }
    }
}

fn read(flags: &Generate, process: &mut Process<'_>) -> Result<Inputs, Failure> {
    let selection = Selection {
        folder: &process.folder,
        paths: &flags.paths,
        stdin_name: flags.stdin_name.as_deref().unwrap_or("<stdin>"),
        limit: flags.input_limit.unwrap_or(input::DEFAULT_LIMIT),
        allow_empty: flags.allow_empty == Some(true),
    };
    input::read(selection, process.stdin).map_err(|failure| Failure {
        lead: failure.lead,
        diagnostics: failure.diagnostics,
    })
}

/// Broken inputs are told before wrong settings, as AVP does, although what is a reference depends on the settings. A
/// warning that is to fail the run does so before anything is fetched, if it is known by then.
fn render<'s>(
    flags: &Generate,
    mut configured: Result<Configured, Vec<Diagnostic>>,
    reporter: Reporter,
    (runtime, process): (&Runtime, &mut Process<'_>),
    sources: &'s [Arc<Source>],
    warnings: &mut Vec<Diagnostic>,
) -> Result<Rendered<'s>, Failure> {
    let mut stream = collect(flags, configured.as_ref().ok(), sources)?;
    warnings.append(&mut stream.warnings);
    if let Ok(configured) = &mut configured {
        warnings.append(&mut configured.settings.warnings);
    }
    reporter.judge(warnings)?;
    let configured = configured.map_err(Failure::new)?;
    let (settings, default) = (configured.settings, configured.instances.default);
    let path_rule = match configured.path_rule {
        // AVP does not look at the expression before there is a manifest.
        _ if stream.documents() == 0 => None,
        path_rule => path_rule.map_err(|error| Diagnostic::from_error(&error))?,
    };
    let context = RenderContext {
        pool: configured.instances.pool,
        files: Arc::new(configured.files),
        path_rules: path_rule.map(PathRule::new).into_iter().collect(),
        policy: settings.policy.clone(),
        fetch_timeout: flags.timeout.unwrap_or(TIMEOUT),
        concurrency: flags.concurrency.unwrap_or(CONCURRENCY),
    };
    let rendered = wait(runtime, process, inject::render(stream, &context));
    tell_origins(reporter, process, &settings, &context.pool);
    warnings.extend(instances::passed_over(&settings, &context.pool, &default));
    rendered.map_err(|failures| Failure::led(BAD_REFERENCES, failures))
}

/// Waits for what asks servers, and shows how far it is.
fn wait<R>(runtime: &Runtime, process: &mut Process<'_>, future: impl Future<Output = R>) -> R {
    let stderr: &mut dyn Write = process.stderr;
    let terminal = process.terminal.then_some(stderr);
    runtime.wait(progress::show(future, progress::INTERVAL, terminal))
}

/// What the settings of a run make.
pub(super) struct Configured {
    pub(super) settings: Settings,
    pub(super) instances: Instances,
    files: FolderFiles,
    /// The path validation, if one is set.
    pub(super) path_rule: Result<Option<Regex>, InvalidExpression>,
}

/// Checks everything that settings can get wrong without a network, and tells all of it; the path validation alone may
/// fail where all the rest is right.
pub(super) fn configure(
    flags: &Generate,
    name: Name,
    secret: Option<&InSecret>,
    process: &Process<'_>,
) -> Result<Configured, Vec<Diagnostic>> {
    let rendered = rendered_folder(&process.folder, &flags.paths);
    let request = settings::Request {
        secret,
        ..settings_request(flags, process, &rendered)
    };
    let mut settings = settings::load(&request)?;
    let token_cache = flags.disable_token_cache != Some(true);
    let instances = instances::make(
        &settings,
        &process.environment,
        registry::TYPES,
        name,
        token_cache,
        Pool::default(),
    );
    let files = open_files(flags, name, process);
    let path_rule = settings.path_validation();
    match (instances, files) {
        (Ok(mut instances), Ok(files)) => {
            settings.warnings.append(&mut instances.warnings);
            Ok(Configured {
                settings,
                instances,
                files,
                path_rule,
            })
        }
        (instances, files) => {
            let mut errors = instances.err().unwrap_or_default();
            errors.extend(files.err().map(|error| *error));
            errors.extend(path_rule.err().map(|error| Diagnostic::from_error(&error)));
            // A warning may well be the cause.
            errors.append(&mut settings.warnings);
            Err(errors)
        }
    }
}

/// The settings in a Secret, if a flag names one, and how long their reading may take.
pub(super) fn in_secret(
    (name, timeout): (Option<&str>, Option<Duration>),
    runtime: &Runtime,
    process: &Process<'_>,
) -> Result<Option<InSecret>, Box<Diagnostic>> {
    let Some(name) = name else {
        return Ok(None);
    };
    #[cfg(feature = "kubernetes")]
    {
        let deadline = Instant::now() + timeout.unwrap_or(TIMEOUT);
        cluster::settings(name, deadline, (runtime, process)).map(Some)
    }
    #[cfg(not(feature = "kubernetes"))]
    {
        let _ = (timeout, runtime, process);
        let message = format!("this build does not read the Secret {name} (-s)");
        let error = Diagnostic::error(Fault::Settings, message);
        Err(Box::new(
            error.with_hint("name a settings file by -c, or set variables"),
        ))
    }
}

/// Where this run's settings are to be looked for.
pub(super) fn settings_request<'a>(
    flags: &'a Generate,
    process: &'a Process<'_>,
    rendered: &'a Path,
) -> settings::Request<'a> {
    settings::Request {
        environment: &process.environment,
        folder: &process.folder,
        rendered,
        system_folder: Path::new(settings::SYSTEM_FOLDER),
        is_shared: false,
        config: flags.config_path.as_deref(),
        secret: None,
    }
}

/// The sources with encrypted documents decrypted. Where settings are wrong, that is told instead.
fn decrypt(
    flags: &Generate,
    configured: Option<&Configured>,
    (runtime, process): (&Runtime, &mut Process<'_>),
    sources: &[Arc<Source>],
) -> Result<Vec<Arc<Source>>, Failure> {
    let Some(Configured {
        settings,
        instances,
        ..
    }) = configured
    else {
        return Ok(sources.to_vec());
    };
    let mac = if settings.verifies_stream_mac {
        MacCheck::Required
    } else {
        MacCheck::Skipped
    };
    let how = Decryption {
        keyring: &|| instances.keyring(settings),
        mac,
        document_limit: document_limit(flags),
        timeout: flags.timeout.unwrap_or(TIMEOUT),
    };
    wait(runtime, process, inject::decrypt(sources, &how)).map_err(Failure::new)
}

fn document_limit(flags: &Generate) -> u64 {
    flags
        .document_limit
        .unwrap_or(inject::DEFAULT_DOCUMENT_LIMIT)
}

fn collect<'s>(
    flags: &Generate,
    configured: Option<&Configured>,
    sources: &'s [Arc<Source>],
) -> Result<Stream<'s>, Failure> {
    let (default_backend, backends) = match configured {
        Some(Configured { instances, .. }) => {
            (Arc::clone(&instances.default), Arc::clone(&instances.names))
        }
        None => (Arc::from(""), Arc::from([])),
    };
    let options = CollectOptions {
        default_backend,
        backends,
        validate: flags.validate == Some(true),
        document_limit: document_limit(flags),
    };
    let stream = inject::collect(sources, &options).map_err(|failures| Failure {
        lead: flags
            .paths
            .iter()
            .any(|path| path != "-")
            .then_some(BAD_FILES),
        diagnostics: failures,
    })?;
    if stream.documents() == 0 && flags.allow_empty != Some(true) {
        let error = Diagnostic::error(Fault::Input, "the input holds no documents");
        let hint = "Argo CD deletes what an empty render leaves out; if nothing is right, say --allow-empty";
        return Err(error.with_hint(hint).into());
    }
    Ok(stream)
}

/// Secret paths that are files are relative to what is rendered, so that a manifest means the same from wherever it is
/// rendered; under Argo CD and by AVP's name relative to the working folder, as AVP has it.
fn open_files(
    flags: &Generate,
    name: Name,
    process: &Process<'_>,
) -> Result<FolderFiles, Box<Diagnostic>> {
    let argocd = process.environment.get("ARGOCD_APP_NAME").is_some();
    let rendered = rendered_folder(&process.folder, &flags.paths);
    let folder = match name {
        Name::Manifuse if !argocd => &rendered,
        _ => &process.folder,
    };
    let root = match &flags.root {
        Some(root) => process.folder.join(root),
        None if argocd => process.folder.clone(),
        None => files::project_of(folder).unwrap_or_else(|| folder.clone()),
    };
    let limit = flags.file_limit.unwrap_or(files::DEFAULT_LIMIT);
    FolderFiles::open(folder, &root, limit).map_err(|error| {
        let message = format!("the folder {} cannot be the root", root.display());
        Box::new(Diagnostic::error(Fault::Settings, message).with_cause(io_reason(&error)))
    })
}

/// The folder that holds everything that is rendered; the working folder where that would be the whole disk.
pub(super) fn rendered_folder(folder: &Path, paths: &[OsString]) -> PathBuf {
    let folder_of = |path: &OsString| {
        let place = if path == "-" {
            folder.to_owned()
        } else {
            folder.join(path)
        };
        let place = fs::canonicalize(&place).unwrap_or(place);
        match place.parent() {
            Some(parent) if !place.is_dir() => parent.to_owned(),
            _ => place,
        }
    };
    let shared = |a: PathBuf, b: PathBuf| {
        let components = a.components().zip(b.components());
        components
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a)
            .collect()
    };
    let common = paths.iter().map(folder_of).reduce(shared);
    let within = |common: &PathBuf| common.parent().is_some() || paths.len() == 1;
    common.filter(within).unwrap_or_else(|| folder.to_owned())
}

/// Under `-v`: which source won for each setting of the backends that were asked for (D40). Never a value.
fn tell_origins(reporter: Reporter, process: &mut Process<'_>, settings: &Settings, pool: &Pool) {
    for (name, origin) in config::origins(settings, pool) {
        reporter.note(process.stderr, &format!("{name} is set by {origin}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rendered_folder_holds_all_paths() {
        let tree = tempfile::tempdir().unwrap();
        let base = tree.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("a/b")).unwrap();
        fs::create_dir_all(base.join("a/c")).unwrap();
        fs::write(base.join("a/b/x.yaml"), "").unwrap();
        let of = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(OsString::from).collect();
            rendered_folder(&base.join("a"), &paths)
        };
        assert_eq!(of(&["b/x.yaml"]), base.join("a/b"));
        assert_eq!(of(&["b"]), base.join("a/b"));
        assert_eq!(of(&["b/x.yaml", "c"]), base.join("a"));
        assert_eq!(of(&["-"]), base.join("a"));
        assert_eq!(of(&["-", "b"]), base.join("a"));
        assert_eq!(of(&["nothing.yaml"]), base.join("a"));
        assert_eq!(of(&["/"]), Path::new("/"));
        assert_eq!(of(&["/nothing/at/all/x", "b"]), base.join("a"));
    }
}
