//! What becomes of an upload: the same line as in `generate`, with the settings of the operator, the variables that the
//! application may set, and files in memory.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use regex::Regex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::super::Name;
use super::super::discover;
use super::super::instances::{self, Instances};
use super::failed::Failed;
use super::flags::{RendererKind, Treatment};
use super::log::Log;
use super::metrics::Metrics;
use super::parameters::{self, Parameters};
use super::renderer::{Renderer, Tool};
use super::request::Request;
use super::run::{Run, all_objects};
use crate::argocd::archive::{self, Keep, Tree, unpack};
use crate::argocd::messages::ParameterAnnouncement;
use crate::argocd::service::{Failure, Plugin};
use crate::argocd::upload::Upload;
use crate::argocd::variables::{Caller, Variables};
use crate::backends::pool::Pool;
use crate::backends::registry;
use crate::backends::shared::Sharing;
use crate::diagnostics::{Diagnostic, Fault, Levels, Source};
use crate::env::Environment;
use crate::inject::CollectOptions;
use crate::input;
use crate::settings::{self, InSecret, Settings};

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
            found.map_err(|failed| failed.told().0)
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

    /// How references are looked for; `backend` is what the application wants `path:` to mean.
    pub(super) fn collect_options(
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
