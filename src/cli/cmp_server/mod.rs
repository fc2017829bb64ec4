//! `cmp-server`: Argo CD's plugin protocol by itself, in place of `argocd-cmp-server` and a process for each render.

mod check;
mod engine;
mod failed;
mod flags;
mod log;
mod metrics;
mod parameters;
mod plugin_file;
mod renderer;
mod request;
mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::engine::{Engine, Operator, Options, Server as Plugin};
use self::log::{Log, Severity};
use self::metrics::Metrics;
use self::plugin_file::PluginFile;
use super::flags::{ErrorFormat, Generate};
use super::report::{Failure, Reporter};
use super::{Name, Process, Runtime, TIMEOUT};
use crate::argocd::archive::{self, Keep};
use crate::argocd::server::Server;
use crate::argocd::service::{Limits, Service};
use crate::argocd::variables::Variables;
use crate::backends::shared::Sharing;
use crate::diagnostics::{Diagnostic, Fault, Levels, io_reason};
use crate::{files, inject};

pub(super) use self::flags::{CmpServer, EXAMPLES};

const CONFIG_FOLDER: &str = "/home/argocd/cmp-server/config";
const SOCKET_FOLDER: &str = "/home/argocd/cmp-server/plugins";
/// A render needs a core most of the time, or waits for stores.
const RENDERS: usize = 16;
/// What Argo CD gives its own tools.
const PATIENCE: Duration = Duration::from_secs(90);
/// Below the time that Kubernetes gives a pod to end.
const GRACE: Duration = Duration::from_secs(25);
const UPLOAD: u64 = 512 << 20;
/// An application that has more is no application, and many are rendered at once.
const INPUT: u64 = 256 << 20;
/// The limit of both ends for a message, in MiB, unless Argo CD's variable says otherwise.
const MESSAGE: usize = 100;

/// Runs until it is told to end.
pub(super) fn run(mut flags: CmpServer, process: &mut Process<'_>) -> u8 {
    let reporter = Reporter::new(&Generate::default(), Name::Manifuse, process);
    let ended = flags
        .fill_from(&process.environment)
        .map_err(Failure::new)
        .and_then(|()| start(flags, process));
    match ended {
        Ok(()) => 0,
        Err(failure) => reporter.fail(process.stderr, failure, &[]),
    }
}

fn start(flags: CmpServer, process: &mut Process<'_>) -> Result<(), Failure> {
    let plugin = plugin_file(&flags)?;
    let socket = socket(&flags, &plugin)?;
    let runtime = Runtime::with_threads()?;
    if flags.check {
        return Ok(runtime.wait(check::check(&socket))?);
    }
    let log = Log {
        format: flags.log_format.unwrap_or(ErrorFormat::Text).into(),
    };
    let limits = limits(&flags, process)?;
    let discovers = flags.discover == Some(true) || plugin.files.is_some();
    let grace = flags.grace.unwrap_or(GRACE);
    let metrics_address = flags.metrics_address;
    let cache = flags.secret_cache;
    let engine = engine(flags, plugin, log, (&runtime, process))?;
    runtime.wait(async {
        let metrics = match metrics_address {
            Some(address) => Some(TcpListener::bind(address).await.map_err(|error| {
                cannot(
                    &format!("the address {address} for metrics could not be bound"),
                    &error,
                )
            })?),
            None => None,
        };
        let mut signals = Signals::new()?;
        let server = Server::bind(&socket).map_err(|error| {
            cannot(
                &format!("the socket {} could not be bound", socket.display()),
                &error,
            )
        })?;
        if let Some(listener) = metrics {
            tokio::spawn(metrics::serve(listener, Arc::clone(&engine.metrics)));
        }
        if let Some(life) = cache {
            tokio::spawn(sweep(Arc::clone(&engine.sharing), life));
        }
        let fields = [
            ("socket", json!(socket.display().to_string())),
            ("version", json!(env!("CARGO_PKG_VERSION"))),
        ];
        log.tell(Severity::Info, "serving", &fields);
        let plugin = Arc::new(Plugin(Arc::clone(&engine)));
        let service = Arc::new(Service::new(plugin, limits, discovers));
        let stop = signals.stop(log, &engine.sharing);
        server.serve(service, stop, grace).await;
        log.tell(Severity::Info, "ended", &[]);
        Ok(())
    })
}

/// The operator's plugin file, which a sidecar of Argo CD's has, and which need not be there.
fn plugin_file(flags: &CmpServer) -> Result<PluginFile, Box<Diagnostic>> {
    let folder = flags
        .config_dir_path
        .as_deref()
        .unwrap_or(Path::new(CONFIG_FOLDER));
    let path = folder.join(plugin_file::NAME);
    match fs::read_to_string(&path) {
        Ok(text) => PluginFile::parse(&text).map_err(|reason| {
            let message = format!("{} cannot be used", path.display());
            Box::new(Diagnostic::error(Fault::Settings, message).with_cause(reason))
        }),
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound && flags.config_dir_path.is_none() =>
        {
            Ok(PluginFile::default())
        }
        Err(error) => Err(cannot(
            &format!("{} cannot be read", path.display()),
            &error,
        )),
    }
}

fn socket(flags: &CmpServer, plugin: &PluginFile) -> Result<PathBuf, Box<Diagnostic>> {
    let of_file = match plugin.version.as_str() {
        "" => plugin.name.clone(),
        version => format!("{}-{version}", plugin.name),
    };
    let name = flags.name.clone().unwrap_or(of_file);
    let error = |message: String| Diagnostic::error(Fault::Settings, message);
    if name.is_empty() {
        let hint = "say --name, or lay a plugin.yaml into the folder of --config-dir-path";
        return Err(Box::new(
            error("the plugin has no name".to_owned()).with_hint(hint),
        ));
    }
    if name.contains(['/', '\0']) || name.starts_with('.') {
        return Err(Box::new(error(format!(
            "{name:?} cannot be the name of a plugin"
        ))));
    }
    let folder = flags.socket_folder.as_deref().unwrap_or(SOCKET_FOLDER);
    Ok(Path::new(folder).join(format!("{name}.sock")))
}

fn limits(flags: &CmpServer, process: &Process<'_>) -> Result<Limits, Box<Diagnostic>> {
    let megabytes = match process.environment.get("ARGOCD_GRPC_MAX_SIZE_MB") {
        None | Some("") => MESSAGE,
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| (1..=2047).contains(number))
            .ok_or_else(|| {
                let message =
                    "ARGOCD_GRPC_MAX_SIZE_MB is wrong: it is a whole number of MiB from 1 to 2047";
                Diagnostic::error(Fault::Settings, message)
            })?,
    };
    Ok(Limits {
        message: megabytes << 20,
        upload: usize::try_from(flags.upload_limit.unwrap_or(UPLOAD)).unwrap_or(usize::MAX),
        renders: flags.renders.unwrap_or(RENDERS),
        patience: flags.render_timeout.unwrap_or(PATIENCE),
    })
}

/// Checks the operator's settings, so that wrong ones are told before anybody renders.
fn engine(
    flags: CmpServer,
    plugin: PluginFile,
    log: Log,
    (runtime, process): (&Runtime, &Process<'_>),
) -> Result<Arc<Engine>, Failure> {
    let sharing = Sharing::new(flags.secret_cache);
    let defaults = archive::Limits::default();
    let secret = (flags.secret_name.as_deref(), flags.timeout);
    let secret = super::generate::in_secret(secret, runtime, process)?;
    let engine = Engine {
        operator: Operator {
            environment: process.environment.clone(),
            folder: process.folder.clone(),
            config: flags.config_path,
            secret,
        },
        options: Options {
            uploads: flags.uploads.unwrap_or_default(),
            hydrator: flags.hydrator.unwrap_or_default(),
            renderer: flags.renderer.unwrap_or_default(),
            helm: flags.helm.unwrap_or_else(|| "helm".to_owned()),
            kustomize: flags.kustomize.unwrap_or_else(|| "kustomize".to_owned()),
            keep: if flags.repository_files == Some(true) {
                Keep::Everything
            } else {
                Keep::Application
            },
            archive: archive::Limits {
                unpacked: flags.unpacked_limit.unwrap_or(defaults.unpacked),
                ..defaults
            },
            allow_empty: flags.allow_empty == Some(true),
            levels: Levels::new(&flags.warn),
            timeout: flags.timeout.unwrap_or(TIMEOUT),
            concurrency: flags.concurrency,
            input_limit: flags.input_limit.unwrap_or(INPUT),
            document_limit: flags
                .document_limit
                .unwrap_or(inject::DEFAULT_DOCUMENT_LIMIT),
            file_limit: flags.file_limit.unwrap_or(files::DEFAULT_LIMIT),
            files: plugin.files,
            announced: plugin.parameters,
        },
        log,
        metrics: Arc::new(Metrics::new(Arc::clone(&sharing))),
        sharing,
        kept: std::sync::Mutex::default(),
        requests: AtomicU64::new(0),
    };
    let nobody = Variables::default();
    let settings = engine.settings(&nobody).map_err(Failure::new)?;
    engine.instances(&settings, &nobody).map_err(Failure::new)?;
    settings
        .path_validation()
        .map_err(|error| Diagnostic::from_error(&error))?;
    for warning in &settings.warnings {
        log.tell(Severity::Warning, &warning.message, &[]);
    }
    Ok(Arc::new(engine))
}

/// What the process is told by signals.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, Box<Diagnostic>> {
        let on = |kind| signal(kind).map_err(|error| cannot("signals could not be taken", &error));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Until the process is to end. A hang-up clears the cache of secrets.
    async fn stop(&mut self, log: Log, sharing: &Sharing) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hang_up.recv() => {
                    sharing.clear();
                    log.tell(Severity::Info, "forgot all secrets", &[]);
                }
            }
        }
        log.tell(Severity::Info, "ending when the last render has ended", &[]);
    }
}

/// Secrets that nobody asks for again do not stay in memory.
async fn sweep(sharing: Arc<Sharing>, life: Duration) {
    loop {
        tokio::time::sleep(life).await;
        sharing.sweep();
    }
}

fn cannot(message: &str, error: &std::io::Error) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(Fault::Settings, message).with_cause(io_reason(error)))
}
