//! Secrets of a cluster: a path is `NAME` or `NAMESPACE:NAME`, a key is an entry of its data.
//!
//! In a manifest: `<kubernetessecret:shop:database#password>`. The cluster is the one in which the program runs, or that of a
//! kubeconfig.

use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::registry::{SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Request};
use crate::clients::kubernetes::{self, Cluster, ObjectName};
use crate::env::{Environment, Options};
use crate::secret::Value;

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "kubernetessecret",
    settings: &[
        (ACCOUNT, "serviceAccount"),
        (CONFIG, "kubeconfig"),
        (CONTEXT, "context"),
    ],
    own: &[],
    built_in: true,
    open,
};

const ACCOUNT: &str = "MANIFUSE_KUBERNETES_ACCOUNT";
const CONFIG: &str = "MANIFUSE_KUBECONFIG";
const CONTEXT: &str = "MANIFUSE_KUBE_CONTEXT";

struct Secrets(Cluster);

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    // A kubeconfig names programs to run and a server that gets a token.
    let own = |key| (!options.is_set_by_application(key)).then_some(key);
    let account = own(ACCOUNT).and_then(|key| options.path(key));
    let account = account.as_deref().unwrap_or(Path::new(kubernetes::ACCOUNT));
    let context = own(CONTEXT).and_then(|key| options.text(key));
    let cluster = Cluster::find(
        environment,
        own(CONFIG).and_then(|key| options.path(key)),
        context.map(str::to_owned),
        account,
    );
    let cluster = cluster.ok_or_else(|| {
        SettingsError::new("Failed to perform login for kubernetes secret backend: could not connect to local Kubernetes cluster to read Secret: unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined")
            .hint(format!("run it in a pod, or name a kubeconfig in {CONFIG} or KUBECONFIG"))
    });
    Ok(Arc::new(Secrets(cluster?)))
}

impl Backend for Secrets {
    /// With the namespace that counts, so that rules see it.
    fn reads(&self, request: &Request) -> Vec<String> {
        let path = &*request.id.path;
        let name = ObjectName::parse(path);
        vec![name.map_or_else(|| path.to_owned(), |name| name.to_string())]
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(&request.id.path, context.deadline))
    }
}

impl Secrets {
    async fn read(&self, path: &str, deadline: Instant) -> Result<Answer, Error> {
        let name = ObjectName::parse(path).ok_or_else(|| {
            let message = format!("{path} is not the name of a Secret");
            Error::new(ErrorKind::Reference, message)
                .with_hint("a path is NAME, in the namespace argocd, or NAMESPACE:NAME")
        })?;
        let data = self.0.secret(&name, deadline).await;
        let data = data.map_err(|error| {
            Error::from(error).below(format!("could not read the Secret {name}"))
        })?;
        // AVP takes them for strings, whatever the bytes are.
        let values = data
            .into_iter()
            .map(|(key, text)| (key, Value::String(text)));
        Ok(Answer::whole(values.collect(), None))
    }
}
