//! Settings in a Secret of the cluster (`-s`).

use std::path::PathBuf;

use tokio::time::Instant;

use super::{Process, Runtime};
use crate::clients::kubernetes::{ACCOUNT, Cluster, ObjectName};
use crate::diagnostics::{Diagnostic, Fault};
use crate::settings::InSecret;

/// What a Secret holds, whose name is `NAME` or `NAMESPACE:NAME`.
pub(super) fn settings(
    name: &str,
    deadline: Instant,
    (runtime, process): (&Runtime, &Process<'_>),
) -> Result<InSecret, Box<Diagnostic>> {
    let wrong = |message: String| Box::new(Diagnostic::error(Fault::Settings, message));
    let object = ObjectName::parse(name).ok_or_else(|| {
        let error = wrong(format!("{name} is not the name of a Secret"));
        Box::new(error.with_hint("-s takes NAME, in the namespace argocd, or NAMESPACE:NAME"))
    })?;
    let variable = |name| {
        process
            .environment
            .get(name)
            .filter(|text| !text.is_empty())
    };
    let path = |name| variable(name).map(|path| process.folder.join(path));
    let cluster = Cluster::find(
        &process.environment,
        path("MANIFUSE_KUBECONFIG"),
        variable("MANIFUSE_KUBE_CONTEXT").map(str::to_owned),
        &path("MANIFUSE_KUBERNETES_ACCOUNT").unwrap_or(PathBuf::from(ACCOUNT)),
    );
    let cluster = cluster.ok_or_else(|| {
        let error = wrong("could not connect to local Kubernetes cluster to read Secret: unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined".to_owned());
        Box::new(error.with_hint("run it in a pod, or name a kubeconfig in MANIFUSE_KUBECONFIG or KUBECONFIG"))
    })?;
    let entries = runtime.wait(cluster.secret(&object, deadline));
    let entries = entries.map_err(|error| {
        let mut told = wrong(format!("could not read the Secret {object} with settings"));
        told.causes = [error.to_string()]
            .into_iter()
            .chain(error.causes().iter().cloned())
            .collect();
        told.hint = error.hint().map(str::to_owned);
        told
    })?;
    Ok(InSecret {
        name: format!("Secret {object}"),
        entries,
    })
}
