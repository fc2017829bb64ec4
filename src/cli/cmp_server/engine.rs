//! What becomes of an upload: the same line as in `generate`, with the settings of the operator, the variables that the
//! application may set, and files in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use regex::Regex;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tonic::Code;

use super::super::discover;
use super::super::instances::{self, Instances};
use super::super::{CONCURRENCY, Name};
use super::flags::{RendererKind, Treatment};
use super::log::{Log, Severity};
use super::metrics::{Metrics, Outcome};
use super::parameters::{self, Parameters};
use super::renderer::{Renderer, Tool};
use crate::argocd::archive::{self, Keep, Tree, unpack};
use crate::argocd::messages::ParameterAnnouncement;
use crate::argocd::objects::objects;
use crate::argocd::service::{Failure, LONGEST_TEXT, Plugin};
use crate::argocd::tree_files::TreeFiles;
use crate::argocd::upload::Upload;
use crate::argocd::variables::{Caller, Variables};
use crate::backends::pool::Pool;
use crate::backends::registry;
use crate::backends::shared::Sharing;
use crate::diagnostics::{self, Diagnostic, Fault, Format, Levels, Rendering, Source};
use crate::env::Environment;
use crate::files::Files;
use crate::inject::{self, CollectOptions, Decryption, PathRule, RenderContext, Rendered};
use crate::input;
use crate::settings::{self, InSecret, Settings};
use crate::sops::MacCheck;

/// What does not change while the server runs.
pub(super) struct Engine {
    pub(super) operator: Operator,
    pub(super) options: Options,
    pub(super) log: Log,
    pub(super) metrics: Arc<Metrics>,
    pub(super) sharing: Arc<Sharing>,
    pub(super) kept: Mutex<Vec<(Identity, Arc<Instances>)>>,
    pub(super) requests: AtomicU64,
}

/// Where the operator's settings come from.
pub(super) struct Operator {
    pub(super) environment: Environment,
    pub(super) folder: std::path::PathBuf,
    pub(super) config: Option<String>,
    pub(super) secret: Option<InSecret>,
}

/// The flags, with what stands for those that were not given.
pub(super) struct Options {
    pub(super) uploads: Treatment,
    pub(super) hydrator: Treatment,
    pub(super) renderer: RendererKind,
    pub(super) helm: String,
    pub(super) kustomize: String,
    pub(super) keep: Keep,
    pub(super) archive: archive::Limits,
    pub(super) allow_empty: bool,
    pub(super) levels: Levels,
    pub(super) timeout: Duration,
    pub(super) concurrency: Option<usize>,
    pub(super) input_limit: u64,
    pub(super) document_limit: u64,
    pub(super) file_limit: u64,
    /// Which files make an application ours, besides references, where the operator says it in `plugin.yaml`.
    pub(super) files: Option<Regex>,
    /// The parameters of `plugin.yaml`.
    pub(super) announced: Vec<ParameterAnnouncement>,
}

/// To whom instances of backends belong: what they log in with, and the file they come from. An application that sets
/// something of its own shares them with none of another project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    file: Option<[u8; 32]>,
    own: Vec<(String, String)>,
    project: Option<String>,
}

/// Identities that are kept at once; the longest unused one goes. Each has its logins and connections.
const IDENTITIES: usize = 64;

/// A render that failed.
struct Failed {
    diagnostics: Vec<Diagnostic>,
    sources: Vec<Arc<Source>>,
}

impl From<Vec<Diagnostic>> for Failed {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self {
            diagnostics,
            sources: Vec::new(),
        }
    }
}

impl From<Diagnostic> for Failed {
    fn from(diagnostic: Diagnostic) -> Self {
        vec![diagnostic].into()
    }
}

impl From<Box<Diagnostic>> for Failed {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        (*diagnostic).into()
    }
}

impl From<archive::Error> for Failed {
    fn from(error: archive::Error) -> Self {
        let mut told = Diagnostic::error(Fault::Input, error.to_string());
        if let archive::Error::Broken(cause) = &error {
            told = told.with_cause(diagnostics::io_reason(cause));
        }
        told.into()
    }
}

/// The plugin that the service asks.
pub(super) struct Server(pub(super) Arc<Engine>);

impl Plugin for Server {
    fn render(
        &self,
        upload: Upload,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Vec<String>, Failure>> {
        let engine = Arc::clone(&self.0);
        Box::pin(async move {
            let request = Request::begin(engine, &upload.variables);
            let engine = Arc::clone(&request.engine);
            let number = request.number;
            let work = async move || engine.render(&upload, deadline, number).await;
            let rendered = in_thread(work).await;
            request.end(rendered)
        })
    }

    fn discover(&self, upload: Upload) -> BoxFuture<'static, Result<bool, Failure>> {
        let engine = Arc::clone(&self.0);
        Box::pin(async move {
            let found = in_thread(async move || engine.discover(&upload)).await;
            found.map_err(|failed| engine_failure(failed).0)
        })
    }

    fn parameters(&self) -> Vec<ParameterAnnouncement> {
        let mut all = self.0.options.announced.clone();
        let is_new = |own: &ParameterAnnouncement| all.iter().all(|known| known.name != own.name);
        let own: Vec<_> = parameters::announcements()
            .into_iter()
            .filter(is_new)
            .collect();
        all.extend(own);
        all
    }
}

/// Runs what keeps a core busy in a thread of its own, and takes it for a bug where it panics. It ends, where it waits,
/// as soon as nobody waits for it.
async fn in_thread<R, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<R, Failed>
where
    R: Send + 'static,
    F: Future<Output = Result<R, Failed>>,
{
    let (_alive, gone) = oneshot::channel::<()>();
    let work = spawn_blocking(move || {
        Handle::current().block_on(async {
            tokio::select! {
                biased;
                _ = gone => Err(Diagnostic::error(Fault::Input, "nobody waits for it any more").into()),
                done = work() => done,
            }
        })
    });
    work.await.unwrap_or_else(|_| {
        let told = "this is a bug in manifuse, whose place its log tells";
        Err(Diagnostic::error(Fault::Bug, told).into())
    })
}

/// A render for log and metrics. One that is dropped was cancelled.
struct Request {
    engine: Arc<Engine>,
    number: u64,
    application: String,
    project: String,
    revision: String,
    start: Instant,
    ended: bool,
}

impl Request {
    fn begin(engine: Arc<Engine>, variables: &Variables) -> Self {
        let get = |name| variables.get(name).unwrap_or_default().to_owned();
        engine.metrics.begin();
        Self {
            number: engine.requests.fetch_add(1, Ordering::Relaxed) + 1,
            engine,
            application: get("ARGOCD_APP_NAME"),
            project: get("ARGOCD_APP_PROJECT_NAME"),
            revision: get("ARGOCD_APP_REVISION"),
            start: Instant::now(),
            ended: false,
        }
    }

    fn end(mut self, rendered: Result<Vec<String>, Failed>) -> Result<Vec<String>, Failure> {
        self.ended = true;
        let took = self.start.elapsed();
        match rendered {
            Ok(objects) => {
                let bytes = objects.iter().map(String::len).sum();
                self.engine.metrics.end(Outcome::Rendered, took, bytes);
                let told = [("objects", json!(objects.len())), ("bytes", json!(bytes))];
                self.tell(Severity::Info, "rendered", &told);
                Ok(objects)
            }
            Err(failed) => {
                let (failure, fault) = engine_failure(failed);
                self.engine.metrics.end(Outcome::Failed(fault), took, 0);
                self.tell(
                    Severity::Error,
                    "not rendered",
                    &[("error", json!(failure.text))],
                );
                Err(failure)
            }
        }
    }

    fn tell(&self, severity: Severity, message: &str, more: &[(&str, serde_json::Value)]) {
        let milliseconds = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut fields = vec![
            ("request", json!(self.number)),
            ("application", json!(self.application)),
            ("project", json!(self.project)),
            ("revision", json!(self.revision)),
            ("milliseconds", json!(milliseconds)),
        ];
        fields.extend(more.iter().cloned());
        self.engine.log.tell(severity, message, &fields);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.ended {
            self.engine
                .metrics
                .end(Outcome::Cancelled, self.start.elapsed(), 0);
            self.tell(
                Severity::Warning,
                "given up: nobody waits for it any more",
                &[],
            );
        }
    }
}

/// What Argo CD is told. No excerpts: people read it who may not read the repository.
fn engine_failure(mut failed: Failed) -> (Failure, Fault) {
    diagnostics::sort(&mut failed.diagnostics, &failed.sources);
    let rendering = Rendering {
        format: Format::Text,
        colours: false,
        excerpts: false,
        limit: Some(LONGEST_TEXT),
    };
    let text = diagnostics::render(&failed.diagnostics, rendering);
    let code = diagnostics::exit_code(&failed.diagnostics);
    let faults = [Fault::Settings, Fault::Policy, Fault::Backend, Fault::Input];
    let fault = faults
        .into_iter()
        .find(|fault| fault.exit_code() == code)
        .unwrap_or(Fault::Bug);
    let code = match fault {
        Fault::Input => Code::InvalidArgument,
        Fault::Settings => Code::FailedPrecondition,
        Fault::Backend => Code::Unavailable,
        Fault::Policy => Code::PermissionDenied,
        Fault::Bug => Code::Internal,
    };
    (Failure::new(code, text.trim_end()), fault)
}

impl Engine {
    async fn render(
        &self,
        upload: &Upload,
        deadline: Instant,
        request: u64,
    ) -> Result<Vec<String>, Failed> {
        let treatment = self.treatment(&upload.variables)?;
        let parameters = Parameters::read(&upload.variables, &self.options.announced)?;
        let tree = Arc::new(self.unpack(upload, self.options.keep)?);
        let sources = match self.tool(&tree) {
            None => {
                let inputs = input::take(tree.files(), self.options.input_limit);
                inputs.map_err(|failure| failure.diagnostics)?.sources
            }
            // What charts and kustomizations are made of may lie anywhere in the repository.
            Some(tool) => {
                let tree = self.unpack(upload, Keep::Everything)?;
                let printed = self
                    .renderer(tool, deadline)
                    .run(&tree, &upload.variables, &parameters)
                    .await?;
                vec![Arc::new(Source::new(format!("<{}>", tool.name()), printed))]
            }
        };
        let objects = if treatment == Treatment::Leave {
            let texts = sources
                .iter()
                .map(|source| (source.name(), source.text().to_owned()));
            all_objects(texts)?
        } else {
            let settings = self.settings(&upload.variables)?;
            let instances = self.instances(&settings, &upload.variables)?;
            let run = Run {
                engine: self,
                settings: &settings,
                instances: &instances,
                deadline,
                request,
            };
            run.inject(&sources, tree, parameters.backend.as_deref())
                .await?
        };
        if objects.is_empty() && !self.options.allow_empty {
            let told = Diagnostic::error(Fault::Input, "the application holds no documents");
            let hint = "Argo CD deletes what an empty render leaves out; the server's --allow-empty lets it";
            return Err(told.with_hint(hint).into());
        }
        Ok(objects)
    }

    /// What is to be done for this caller, or why nothing is.
    fn treatment(&self, variables: &Variables) -> Result<Treatment, Failed> {
        let (treatment, message, hint) = match variables.caller() {
            Caller::Ordinary => return Ok(Treatment::Render),
            Caller::Upload => (
                self.options.uploads,
                "uploaded files are not rendered with secrets: whoever may look at an application could read any of them",
                "leave out --local; the server's --uploads decides",
            ),
            Caller::Hydrator => (
                self.options.hydrator,
                "nothing is rendered for the source hydrator, which would commit secrets to git",
                "render in the sync source instead; the server's --hydrator decides",
            ),
        };
        match treatment {
            Treatment::Refuse => Err(Diagnostic::error(Fault::Policy, message)
                .with_hint(hint)
                .into()),
            treatment => Ok(treatment),
        }
    }

    fn unpack(&self, upload: &Upload, keep: Keep) -> Result<Tree, Failed> {
        let limits = &self.options.archive;
        Ok(unpack(
            || upload.archive.as_slice(),
            &upload.folder,
            keep,
            limits,
        )?)
    }

    fn renderer(&self, tool: Tool, deadline: Instant) -> Renderer<'_> {
        Renderer {
            tool,
            program: match tool {
                Tool::Helm => &self.options.helm,
                Tool::Kustomize => &self.options.kustomize,
            },
            environment: &self.operator.environment,
            limit: self.options.input_limit,
            deadline,
        }
    }

    fn tool(&self, tree: &Tree) -> Option<Tool> {
        let holds = |name: &str| {
            let folder = tree.application();
            tree.file(&format!("{folder}/{name}")).is_some()
        };
        let kustomizes = || {
            ["kustomization.yaml", "kustomization.yml", "Kustomization"]
                .into_iter()
                .any(holds)
        };
        match self.options.renderer {
            RendererKind::Helm => Some(Tool::Helm),
            RendererKind::Kustomize => Some(Tool::Kustomize),
            RendererKind::Auto if holds("Chart.yaml") => Some(Tool::Helm),
            RendererKind::Auto if kustomizes() => Some(Tool::Kustomize),
            RendererKind::Auto | RendererKind::Directory => None,
        }
    }

    /// The operator's settings for an application, with its rules.
    pub(super) fn settings(&self, variables: &Variables) -> Result<Settings, Vec<Diagnostic>> {
        let is_seen =
            |name: &str| name.starts_with("ARGOCD_APP_") || name.starts_with("ARGOCD_ENV_");
        let own = variables.iter().filter(|(name, _)| is_seen(name));
        let operators = self
            .operator
            .environment
            .iter()
            .filter(|(name, _)| !is_seen(name));
        // By this name it is known that no file of the application may hold settings.
        let argocd = [("ARGOCD_APP_NAME", "")];
        let environment = operators.chain(argocd).chain(own).collect();
        settings::load(&settings::Request {
            environment: &environment,
            folder: &self.operator.folder,
            rendered: &self.operator.folder,
            system_folder: std::path::Path::new(settings::SYSTEM_FOLDER),
            config: self.operator.config.as_deref(),
            secret: self.operator.secret.as_ref(),
            is_shared: true,
        })
    }

    /// The instances of backends for an application: the same for all that set nothing of their own.
    pub(super) fn instances(
        &self,
        settings: &Settings,
        variables: &Variables,
    ) -> Result<Arc<Instances>, Vec<Diagnostic>> {
        let mut own: Vec<_> = variables
            .iter()
            .filter(|(name, _)| settings::is_tenants(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        own.sort();
        let project = variables.get("ARGOCD_APP_PROJECT_NAME").unwrap_or_default();
        let identity = Identity {
            file: settings.file_digest,
            project: (!own.is_empty()).then(|| project.to_owned()),
            own,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = kept.iter().position(|(known, _)| *known == identity) {
            let found = kept.remove(index);
            let instances = Arc::clone(&found.1);
            kept.push(found);
            return Ok(instances);
        }
        let own = identity
            .own
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let environment = self.operator.environment.iter().chain(own).collect();
        let made = instances::make(
            settings,
            &environment,
            registry::TYPES,
            Name::Manifuse,
            // Tokens are kept in memory as long as they are good.
            false,
            Pool::sharing(Arc::clone(&self.sharing)),
        )?;
        let made = Arc::new(made);
        if kept.len() >= IDENTITIES {
            kept.remove(0);
        }
        kept.push((identity, Arc::clone(&made)));
        Ok(made)
    }

    fn discover(&self, upload: &Upload) -> Result<bool, Failed> {
        let tree = self.unpack(upload, self.options.keep)?;
        let files = tree.files();
        if let Some(pattern) = &self.options.files {
            return Ok(files.iter().any(|(name, _)| pattern.is_match(name)));
        }
        let nothing = Variables::default();
        let settings = self.settings(&nothing)?;
        let instances = self.instances(&settings, &nothing)?;
        let options = self.collect_options(&instances, None)?;
        Ok(files
            .iter()
            .any(|(name, bytes)| discover::is_telling(name, bytes, &options)))
    }

    fn collect_options(
        &self,
        instances: &Instances,
        backend: Option<&str>,
    ) -> Result<CollectOptions, Failed> {
        let mut default_backend = &instances.default;
        if let Some(name) = backend {
            let mut names = instances.names.iter();
            default_backend = names.find(|known| ***known == *name).ok_or_else(|| {
                let message = format!(
                    "the parameter backend names {name}, which the operator has not set up"
                );
                Diagnostic::error(Fault::Settings, message)
            })?;
        }
        Ok(CollectOptions {
            default_backend: Arc::clone(default_backend),
            backends: Arc::clone(&instances.names),
            validate: false,
            document_limit: self.options.document_limit,
        })
    }
}

/// One render with all that it needs.
struct Run<'e> {
    engine: &'e Engine,
    settings: &'e Settings,
    instances: &'e Instances,
    deadline: Instant,
    request: u64,
}

impl Run<'_> {
    async fn inject(
        &self,
        sources: &[Arc<Source>],
        tree: Arc<Tree>,
        backend: Option<&str>,
    ) -> Result<Vec<String>, Failed> {
        let fail = |diagnostics| Failed {
            diagnostics,
            sources: sources.to_vec(),
        };
        let keyring = || self.instances.keyring(self.settings);
        let decryption = self.decryption(&keyring);
        let decrypted = inject::decrypt(sources, &decryption);
        let sources = decrypted.await.map_err(fail)?;
        let options = self.engine.collect_options(self.instances, backend)?;
        let stream = inject::collect(&sources, &options).map_err(fail)?;
        let context = self.context(tree)?;
        let rendered = inject::render(stream, &context).await.map_err(fail)?;
        self.warn(&rendered)?;
        all_objects(rendered.texts())
    }

    fn decryption<'d>(
        &self,
        keyring: &'d dyn Fn() -> Result<Arc<crate::sops::Keyring>, registry::SettingsError>,
    ) -> Decryption<'d> {
        Decryption {
            keyring,
            mac: if self.settings.verifies_stream_mac {
                MacCheck::Required
            } else {
                MacCheck::Skipped
            },
            document_limit: self.engine.options.document_limit,
            timeout: self.fetch_timeout(),
        }
    }

    fn context(&self, tree: Arc<Tree>) -> Result<RenderContext, Failed> {
        let options = &self.engine.options;
        let rule = self.settings.path_validation();
        let rule = rule.map_err(|error| Failed::from(Diagnostic::from_error(&error)))?;
        let files: Arc<dyn Files> = Arc::new(TreeFiles {
            tree,
            keep: options.keep,
            limit: options.file_limit,
        });
        Ok(RenderContext {
            pool: Arc::clone(&self.instances.pool),
            files,
            path_rules: rule.map(PathRule::new).into_iter().collect(),
            policy: self.settings.policy.clone(),
            fetch_timeout: self.fetch_timeout(),
            concurrency: options.concurrency.unwrap_or(CONCURRENCY),
        })
    }

    /// Time is left to say which secret there was no answer for.
    fn fetch_timeout(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.engine
            .options
            .timeout
            .min(left.saturating_sub(Duration::from_millis(100)))
    }

    /// Warnings go to the log; one that the operator wants to fail a render does.
    fn warn(&self, rendered: &Rendered<'_>) -> Result<(), Failed> {
        let mut warnings = rendered.warnings.clone();
        self.engine.options.levels.apply(&mut warnings);
        if diagnostics::exit_code(&warnings) != 0 {
            return Err(Failed {
                diagnostics: warnings,
                sources: rendered.sources.to_vec(),
            });
        }
        let rendering = Rendering {
            excerpts: false,
            ..Rendering::PLAIN
        };
        for warning in warnings {
            let text = diagnostics::render(&[warning], rendering);
            let fields = [
                ("request", json!(self.request)),
                ("warning", json!(text.trim_end())),
            ];
            self.engine.log.tell(Severity::Warning, "warned", &fields);
        }
        Ok(())
    }
}

fn all_objects<'s>(texts: impl Iterator<Item = (&'s str, String)>) -> Result<Vec<String>, Failed> {
    let mut all = Vec::new();
    let mut told = Vec::new();
    for (name, text) in texts {
        match objects(name, &text) {
            Ok(own) => all.extend(own),
            Err(errors) => told.extend(
                errors
                    .iter()
                    .map(|error| Diagnostic::error(Fault::Input, error.to_string())),
            ),
        }
    }
    if told.is_empty() {
        Ok(all)
    } else {
        Err(told.into())
    }
}
