//! What a cluster and its client answer, as errors that show no credential.

use std::time::Duration;

use kube::client::AuthError;
use kube::config::KubeconfigError;
use serde_json::Value as Json;

use super::{Failed, NAME, ObjectName};
use crate::clients::cloud::{Error, ErrorKind, NOT_TAKEN, chain, words};
use crate::secret::Text;

/// Why an answer is no success. Of its `Status` the message is told where no credential can stand in it.
pub(super) fn refused(
    status: u16,
    body: &[u8],
    secret: &ObjectName<'_>,
    shown: Option<&[Text]>,
) -> Error {
    let said = if status == 404 {
        format!("secrets \"{}\" not found", secret.name)
    } else {
        let body: Json = serde_json::from_slice(body).unwrap_or_default();
        let said = body["message"].as_str().unwrap_or_default();
        shown.map_or_else(String::new, |shown| words(said, shown))
    };
    let message = format!("{NAME} answered {status}");
    let error = Error::new(ErrorKind::of_status(status), message).with_cause(said);
    match status {
        401 => error.with_hint(NOT_TAKEN),
        403 => error.with_hint(
            "a Role that allows get on this Secret, and a RoleBinding for who asks, let it be read",
        ),
        _ => error,
    }
}

/// Why there is no client. The library's words name a proxy with its password.
pub(super) fn unconnected(error: &kube::Error) -> Error {
    match error {
        kube::Error::Auth(error) => not_logged_in(error),
        kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::ProxyProtocolDisabled { .. } => {
            wrong("the proxy to the API server cannot be used")
                .with_cause("it must start with http:// or https://")
        }
        error => wrong("the way to the API server cannot be used").with_cause(innermost(error)),
    }
}

pub(super) fn unsent(error: kube::Error, address: &str) -> Failed {
    match error {
        kube::Error::Auth(error) => Failed::of(not_logged_in(&error)),
        error => {
            let message = format!("{NAME} could not be reached");
            let error = Error::new(ErrorKind::Unreachable, message).with_cause(innermost(&error));
            Failed {
                error: error.with_hint(format!("is it there? It is asked at {address}")),
                again: Some(Duration::ZERO),
            }
        }
    }
}

pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Settings, message)
}

/// What a program of the kubeconfig printed may be a token: it is not told.
fn not_logged_in(error: &AuthError) -> Error {
    let cause = match error {
        AuthError::AuthExecStart(error) => {
            format!("its program could not be run: {}", error.kind())
        }
        // Its command begins with the variables that it is given: one may be a credential.
        AuthError::AuthExecRun { out, .. } => format!("its program ended with {}", out.status),
        AuthError::ReadTokenFile(error, file) => {
            format!("{} could not be read: {}", file.display(), error.kind())
        }
        AuthError::MissingCommand => "it names no program to run".to_owned(),
        AuthError::ExecPluginFailed | AuthError::AuthExecParse(_) => {
            "what its program printed is no credential".to_owned()
        }
        _ => "its credentials cannot be used".to_owned(),
    };
    Error::new(ErrorKind::Denied, "the login to the cluster failed").with_cause(cause)
}

/// A kubeconfig holds credentials: of its text nothing is told.
pub(super) fn unusable(error: &KubeconfigError) -> Error {
    let cause = match error {
        KubeconfigError::ReadConfig(error, file) => {
            format!("{} could not be read: {}", file.display(), error.kind())
        }
        KubeconfigError::Parse(_) => "it is not the YAML of a kubeconfig".to_owned(),
        KubeconfigError::CurrentContextNotSet => "it has no current-context".to_owned(),
        KubeconfigError::LoadContext(name) => format!("it has no context {name}"),
        KubeconfigError::LoadClusterOfContext(name) => format!("it has no cluster {name}"),
        KubeconfigError::MissingClusterUrl | KubeconfigError::ParseClusterUrl(_) => {
            "its cluster has no address".to_owned()
        }
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => {
            "its certificate authority cannot be read".to_owned()
        }
        KubeconfigError::LoadClientCertificate(_) | KubeconfigError::LoadClientKey(_) => {
            "its client certificate cannot be read".to_owned()
        }
        _ => "something in it cannot be used".to_owned(),
    };
    wrong("the kubeconfig cannot be used")
        .with_cause(cause)
        .with_hint("kubectl config view shows what it says")
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let last = chain(error).last();
    last.map(|error| words(&error.to_string(), &[]))
        .unwrap_or_default()
}
