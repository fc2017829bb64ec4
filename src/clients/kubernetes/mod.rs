//! A cluster of Kubernetes, by the official client: as a pod's service account, or by a kubeconfig. One connection serves
//! all reads of a run.

mod error;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt as _, Limited};
use hyper::header::{ACCEPT, HeaderValue};
use k8s_openapi::api::core::v1::Secret;
use kube::api::GetParams;
use kube::client::Body;
use kube::config::{AuthInfo, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::Request;
use kube::{Client, Config, Resource as _};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use self::error::{refused, unconnected, unsent, unusable, wrong};
use super::address::Address;
use super::cloud::{Error, ErrorKind, words};
use super::proxy::{Proxies, Proxy};
use super::retry::{Policy, is_worth_retrying, parse_retry_after};
use crate::env::Environment;
use crate::secret::Text;

/// Where a pod finds its account.
pub const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A Secret has a megabyte at most; in JSON and base64 it is a little more.
const MAX_ANSWER: usize = 4 << 20;

const RETRY: Policy = Policy {
    retries: 4,
    first_wait: Duration::from_millis(250),
};

/// AVP's.
const NAMESPACE: &str = "argocd";

/// What messages call it.
const NAME: &str = "the API server";

/// Which object of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct ObjectName<'n> {
    namespace: &'n str,
    name: &'n str,
}

impl<'n> ObjectName<'n> {
    /// Reads `NAME` or `NAMESPACE:NAME` as AVP does it: where there are more parts, only the first counts. `None` where no
    /// object can be called so.
    pub fn parse(text: &'n str) -> Option<Self> {
        let mut parts = text.split(':');
        let (namespace, name) = match (parts.next()?, parts.next(), parts.next()) {
            (namespace, Some(name), None) => (namespace, name),
            (name, ..) => (NAMESPACE, name),
        };
        let is_sound = [namespace, name].into_iter().all(is_name);
        is_sound.then_some(Self { namespace, name })
    }
}

impl fmt::Display for ObjectName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Whether a text can be the name of an object: it goes into a path.
fn is_name(text: &str) -> bool {
    let is_taken = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let is_begun = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    text.len() <= 253 && is_begun && text.chars().all(is_taken)
}

/// A way to a cluster.
#[derive(Clone, Debug)]
enum Access {
    /// The address of the API server, and the folder of the pod's account.
    Pod(String, PathBuf),
    /// Files that are one when they are put together, and a context of theirs.
    Kubeconfig(Vec<PathBuf>, Option<String>),
}

/// A cluster.
pub struct Cluster {
    access: Access,
    environment: Environment,
    session: OnceCell<Result<Session, Error>>,
}

/// A connection.
#[derive(Clone)]
struct Session {
    client: Client,
    /// Where the server is, for messages.
    address: String,
    /// The credentials that the server is shown: it may repeat them. `None` where only the library knows them.
    shown: Option<Vec<Text>>,
}

/// Why a try brought nothing.
struct Failed {
    error: Error,
    /// How long the server wants to be left alone, if another try is worth it.
    again: Option<Duration>,
}

impl Cluster {
    /// The cluster that a kubeconfig leads to, if one is named by a setting or by `KUBECONFIG`; else the one in which this
    /// program runs; else that of the user's own kubeconfig. `None` where there is none of them. Nothing is read yet.
    pub fn find(
        environment: &Environment,
        kubeconfig: Option<PathBuf>,
        context: Option<String>,
        account: &Path,
    ) -> Option<Self> {
        let variable = |name| environment.get(name).filter(|text| !text.is_empty());
        let listed = |list| std::env::split_paths(list).collect::<Vec<_>>();
        let named = kubeconfig.map(|file| vec![file]);
        let named = named.or_else(|| variable("KUBECONFIG").map(listed));
        let host = variable("KUBERNETES_SERVICE_HOST");
        let pod = host.zip(variable("KUBERNETES_SERVICE_PORT"));
        let access = match (named, pod) {
            (Some(files), _) => Access::Kubeconfig(files, context),
            (None, Some((host, port))) => Access::Pod(address(host, port), account.to_owned()),
            (None, None) => {
                let file = Path::new(variable("HOME")?).join(".kube/config");
                let is_there = file.is_file();
                is_there.then_some(Access::Kubeconfig(vec![file], context))?
            }
        };
        Some(Self {
            access,
            environment: environment.clone(),
            session: OnceCell::new(),
        })
    }

    /// The data of a Secret.
    pub async fn secret(
        &self,
        secret: &ObjectName<'_>,
        deadline: Instant,
    ) -> Result<Vec<(String, Text)>, Error> {
        let asked = timeout_at(deadline, self.ask(secret)).await;
        asked.unwrap_or_else(|_| {
            let message = format!("{NAME} did not answer in time");
            Err(Error::new(ErrorKind::Unreachable, message))
        })
    }

    async fn ask(&self, secret: &ObjectName<'_>) -> Result<Vec<(String, Text)>, Error> {
        let connect = || self.access.connect(&self.environment);
        let session = self.session.get_or_init(connect).await.clone()?;
        let mut tries = 1;
        loop {
            match once(&session, secret).await {
                Ok(answer) => return Ok(answer),
                Err(Failed {
                    again: Some(wait), ..
                }) if tries <= RETRY.retries => sleep(RETRY.wait(tries, Some(wait))).await,
                Err(failed) => return Err(failed.error),
            }
            tries += 1;
        }
    }
}

impl Access {
    async fn connect(&self, environment: &Environment) -> Result<Session, Error> {
        let (mut config, has_proxy) = match self {
            Self::Pod(address, account) => (of_pod(address, account)?, false),
            Self::Kubeconfig(files, context) => of_kubeconfig(files, context.clone())
                .await
                .map_err(|error| unusable(&error))?,
        };
        // The library reads the process's variables, and compares the proxy's own name with `NO_PROXY`.
        if !has_proxy {
            let proxy = system_proxy(environment, &config.cluster_url.to_string())?;
            let proxy = proxy.map(|proxy| proxy.expose().parse()).transpose();
            config.proxy_url = proxy.map_err(|_| wrong("the system's proxy cannot be used"))?;
        }
        // Each of our tries would be up to sixteen of the library's.
        config.default_retry = false;
        // Else a program reads our standard input, and writes what it likes to our standard error.
        if let Some(exec) = &mut config.auth_info.exec {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        let address = config.cluster_url.to_string();
        let shown = shown(&config.auth_info);
        // A program of the kubeconfig is run here and waited for.
        let client = spawn_blocking(move || Client::try_from(config)).await;
        let client = client.map_err(|_| wrong("the login to the cluster broke off"))?;
        let client = client.map_err(|error| unconnected(&error))?;
        Ok(Session {
            client,
            address,
            shown,
        })
    }
}

/// The system's proxy to a server, if one leads there.
fn system_proxy(environment: &Environment, server: &str) -> Result<Option<Proxy>, Error> {
    let Ok(server) = Address::parse(server) else {
        return Ok(None);
    };
    let proxies = Proxies::of_environment(environment, &server).map_err(|(name, error)| {
        wrong(format!("the proxy in {name} cannot be used")).with_cause(error)
    })?;
    Ok(proxies.toward(&server.join("/", &[])).cloned())
}

/// What a login shows to the server, if it stands in the settings: a token. A program's, or a name with a password, takes
/// forms that are not known here.
fn shown(login: &AuthInfo) -> Option<Vec<Text>> {
    if login.exec.is_some() || login.auth_provider.is_some() || login.username.is_some() {
        return None;
    }
    // The library gives a token only as a part of a kubeconfig.
    let written = serde_json::to_value(login).ok()?;
    let token = written["token"].as_str().map(Text::from);
    let in_file = login.token_file.as_ref().map(fs::read_to_string);
    let in_file = in_file.and_then(|read| Some(Text::from(read.ok()?.trim())));
    Some(token.into_iter().chain(in_file).collect())
}

fn address(host: &str, port: &str) -> String {
    if host.contains(':') {
        return format!("https://[{host}]:{port}");
    }
    format!("https://{host}:{port}")
}

fn of_pod(address: &str, account: &Path) -> Result<Config, Error> {
    let address = address.parse();
    let address = address
        .map_err(|_| wrong("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are no address"))?;
    let mut config = Config::new(address);
    config.root_cert_file = Some(account.join("ca.crt"));
    let token = account.join("token");
    config.auth_info = AuthInfo {
        token_file: Some(token.to_string_lossy().into_owned()),
        ..AuthInfo::default()
    };
    Ok(config)
}

/// The configuration, and whether it names a proxy itself.
async fn of_kubeconfig(
    files: &[PathBuf],
    context: Option<String>,
) -> Result<(Config, bool), KubeconfigError> {
    let mut all = Kubeconfig::default();
    // Of several, as kubectl does it, some need not be there.
    let are_there = files
        .iter()
        .filter(|file| files.len() == 1 || file.exists());
    for file in are_there {
        all = all.merge(Kubeconfig::read_from(file)?)?;
    }
    let has_proxy = has_proxy(&all, context.as_ref());
    let options = KubeConfigOptions {
        context,
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(all, &options).await?;
    Ok((config, has_proxy))
}

/// Whether the cluster of a context, or of the current one, is behind a proxy of its own.
fn has_proxy(all: &Kubeconfig, context: Option<&String>) -> bool {
    let chosen = context.or(all.current_context.as_ref());
    let context = all.contexts.iter().find(|one| Some(&one.name) == chosen);
    let cluster = context.and_then(|one| Some(&one.context.as_ref()?.cluster));
    let cluster = all.clusters.iter().find(|one| Some(&one.name) == cluster);
    let proxy = cluster.and_then(|one| one.cluster.as_ref()?.proxy_url.as_ref());
    proxy.is_some_and(|proxy| !proxy.is_empty())
}

async fn once(session: &Session, secret: &ObjectName<'_>) -> Result<Vec<(String, Text)>, Failed> {
    let path = Secret::url_path(&(), Some(secret.namespace));
    let request = Request::new(path).get(secret.name, &GetParams::default());
    let mut request = request.map_err(|_| Failed::of(wrong("the Secret's name is none")))?;
    // The library leaves it to the server.
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(ACCEPT, json);
    let answer = session.client.send(request.map(Body::from)).await;
    let answer = answer.map_err(|error| unsent(error, &session.address))?;
    let status = answer.status().as_u16();
    let wait = answer.headers().get("retry-after");
    let wait = wait.and_then(|wait| parse_retry_after(wait.to_str().ok()?, SystemTime::now()));
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| {
        let message = format!("the answer of {NAME} broke off or is too large");
        Failed::of(
            Error::new(ErrorKind::Malformed, message).with_cause(words(&error.to_string(), &[])),
        )
    })?;
    let body = body.to_bytes();
    if (200..300).contains(&status) {
        let secret: Secret = serde_json::from_slice(&body).map_err(|_| {
            let message = format!("what {NAME} answered is not a Secret");
            Failed::of(Error::new(ErrorKind::Malformed, message))
        })?;
        let data = secret.data.unwrap_or_default().into_iter();
        return Ok(data.map(|(key, value)| (key, value.0.into())).collect());
    }
    Err(Failed {
        error: refused(status, &body, secret, session.shown.as_deref()),
        again: is_worth_retrying(status).then(|| wait.unwrap_or_default()),
    })
}

impl Failed {
    fn of(error: Error) -> Self {
        Self { error, again: None }
    }
}
