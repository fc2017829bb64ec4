//! The ways to log in: which settings each needs, which request it makes, and what identifies it in the token cache.

use std::path::{Path, PathBuf};

use crate::backends::registry::SettingsError;
use crate::backends::{Error, ErrorKind};
use crate::clients::http::Call;
use crate::diagnostics::io_reason;
use crate::env::Options;
use crate::secret::Text;

use super::path;
use super::settings::{header_text, is_structured, read_file};

/// No system has longer names of files.
const LONGEST_NAME: usize = 255;

/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A way to get a token.
pub(super) enum Method {
    /// The token itself is a setting.
    Token(Text),
    /// A login with a credential.
    Login(Login),
}

/// A login: `PUT MOUNT/login` with a few fields.
pub(super) struct Login {
    /// AVP's name of the method.
    pub(super) name: &'static str,
    /// The mount below `/v1/`, cleaned.
    pub(super) mount: String,
    /// The role, role id or user name: who logs in.
    pub(super) identity: Text,
    /// What proves it.
    credential: Credential,
}

enum Credential {
    Given(Text),
    /// Read at each login: Kubernetes replaces the file every hour.
    File(PathBuf),
}

/// Chooses the method and checks that its settings are there, with AVP's texts.
pub(super) fn parse(options: &Options) -> Result<Method, SettingsError> {
    let kind = options.text("AVP_AUTH_TYPE").unwrap_or_default().trim();
    match kind {
        "token" => {
            let missing = "VAULT_TOKEN for token authentication cannot be empty";
            let token = header_text(options, "VAULT_TOKEN")?.ok_or_else(|| error(missing))?;
            Ok(Method::Token(token.into()))
        }
        "approle" => login(
            options,
            ("approle", "auth/approle"),
            Some("AVP_ROLE_ID"),
            "AVP_SECRET_ID",
            "AVP_ROLE_ID and AVP_SECRET_ID for approle authentication cannot be empty",
        ),
        "github" => login(
            options,
            ("github", "auth/github"),
            None,
            "AVP_GITHUB_TOKEN",
            "AVP_GITHUB_TOKEN for github authentication cannot be empty",
        ),
        "userpass" => login(
            options,
            ("userpass", "auth/userpass"),
            Some("AVP_USERNAME"),
            "AVP_PASSWORD",
            "AVP_USERNAME and AVP_PASSWORD for userpass authentication cannot be empty",
        ),
        "k8s" | "kubernetes" => kubernetes(options),
        other => Err(SettingsError {
            message: format!("Must provide a supported Authentication Type, received {other}"),
            hint: Some("set AVP_AUTH_TYPE to approle, github, k8s, token or userpass".to_owned()),
        }),
    }
}

fn login(
    options: &Options,
    (name, default_mount): (&'static str, &str),
    identity: Option<&str>,
    credential: &str,
    missing: &str,
) -> Result<Method, SettingsError> {
    let get = |key| options.text(key).ok_or_else(|| error(missing));
    let identity = identity.map_or(Ok(""), get)?;
    if name == "userpass" && matches!(identity, "." | "..") {
        // It would change the path of the login request.
        return Err(error("AVP_USERNAME is no user name"));
    }
    Ok(Method::Login(Login {
        name,
        mount: mount(options.text("AVP_MOUNT_PATH").unwrap_or(default_mount))?,
        identity: identity.into(),
        credential: Credential::Given(get(credential)?.into()),
    }))
}

fn kubernetes(options: &Options) -> Result<Method, SettingsError> {
    let missing = "AVP_K8S_ROLE cannot be empty when using Kubernetes Auth";
    let role = options.text("AVP_K8S_ROLE").ok_or_else(|| error(missing))?;
    let own_wins =
        !is_structured(options, "AVP_MOUNT_PATH") || is_structured(options, "AVP_K8S_MOUNT_PATH");
    let own = options.text("AVP_K8S_MOUNT_PATH").filter(|_| own_wins);
    let general = || options.text("AVP_MOUNT_PATH");
    let path = options.path("AVP_K8S_TOKEN_PATH");
    Ok(Method::Login(Login {
        name: "k8s",
        mount: mount(own.or_else(general).unwrap_or("auth/kubernetes"))?,
        identity: role.into(),
        credential: Credential::File(path.unwrap_or_else(|| SERVICE_ACCOUNT_TOKEN.into())),
    }))
}

fn mount(text: &str) -> Result<String, SettingsError> {
    match path::clean(text) {
        Ok(mount) if !mount.is_empty() => Ok(mount),
        _ => Err(error(
            "AVP_MOUNT_PATH or AVP_K8S_MOUNT_PATH is no path of a login method",
        )),
    }
}

fn error(message: &str) -> SettingsError {
    SettingsError {
        message: message.to_owned(),
        hint: None,
    }
}

impl Login {
    /// What proves the identity. Only a file can fail.
    pub(super) fn credential(&self) -> Result<Text, Error> {
        match &self.credential {
            Credential::Given(text) => Ok(text.clone()),
            Credential::File(path) => read_token(path),
        }
    }

    /// What must not come back in the server's words: the credential, and a role id, which is half of one.
    pub(super) fn secrets<'a>(&'a self, credential: &'a Text) -> Vec<&'a Text> {
        match self.name {
            "approle" => vec![credential, &self.identity],
            _ => vec![credential],
        }
    }

    /// The same, as far as they are settings.
    pub(super) fn given_secrets(&self) -> Vec<&Text> {
        match &self.credential {
            Credential::Given(text) => self.secrets(text),
            Credential::File(_) => Vec::new(),
        }
    }

    /// The login request. It carries no token: an old one has no business there.
    pub(super) fn call(&self, credential: &Text) -> Call {
        let mount = path::encode(&self.mount);
        let identity = expose(&self.identity);
        let credential = expose(credential);
        let (path, fields) = match self.name {
            "approle" => ("", vec![("role_id", identity), ("secret_id", credential)]),
            "github" => ("", vec![("token", credential)]),
            "k8s" => ("", vec![("role", identity), ("jwt", credential)]),
            _ => (identity, vec![("password", credential)]),
        };
        let mut target = format!("/v1/{mount}/login");
        if !path.is_empty() {
            target.push('/');
            target.push_str(&path::encode_segment(path));
        }
        Call::put(target, json(&fields))
    }
}

fn expose(text: &Text) -> &str {
    text.expose_str()
        .expect("settings and token files are checked to be UTF-8")
}

/// An object of strings. Written into a buffer that never has to grow, so that no copy of a credential stays behind.
fn json(fields: &[(&str, &str)]) -> Text {
    let longest = |(key, value): &(&str, &str)| key.len() + 6 * value.len() + 8;
    let mut text = Vec::with_capacity(2 + fields.iter().map(longest).sum::<usize>());
    let object: std::collections::BTreeMap<_, _> = fields.iter().copied().collect();
    serde_json::to_writer(&mut text, &object).expect("strings always serialise");
    text.into()
}

/// The token of a service account, without the white space around it.
fn read_token(path: &Path) -> Result<Text, Error> {
    let failed = |cause: &dyn std::fmt::Display| {
        let name = path.file_name().unwrap_or_default();
        let shown = if name.len() > LONGEST_NAME {
            // No file is called so: it is the token in the place of its path.
            "AVP_K8S_TOKEN_PATH is no path".to_owned()
        } else {
            path.display().to_string()
        };
        let message = format!("could not read the service account's token: {shown}");
        Error::new(ErrorKind::Settings, message)
            .with_cause(cause)
            .with_hint("outside a pod set AVP_K8S_TOKEN_PATH, or use another AVP_AUTH_TYPE")
    };
    let bytes = read_file(path).map_err(|error| failed(&io_reason(&error)))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| failed(&error))?;
    if text.trim().is_empty() {
        return Err(failed(&"it is empty"));
    }
    Ok(text.trim().into())
}
