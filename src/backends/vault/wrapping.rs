//! Response wrapping: a token that stands for a secret id and opens once, so that a stolen one is noticed
//! (<https://developer.hashicorp.com/vault/docs/concepts/response-wrapping>).

use tokio::time::Instant;

use super::Vault;
use super::auth::{Login, json};
use super::reply::Asked;
use crate::backends::{Error, ErrorKind};
use crate::clients::http::Call;
use crate::clients::vault::strike;
use crate::secret::{Map, Text, Value, last};

/// Vault's words for a token that is not there any more. It gives the status 400 for other faults too, and the words
/// decide only how the refusal is told.
const GONE: &str = "wrapping token is not valid or does not exist";

const MAY_BE_SPENT: &str = "are the address, its base path and the namespace right? If they are, somebody may have opened the wrapping token: find out, and wrap a new secret id";

impl Vault {
    /// The secret id behind a wrapping token; asked for once as long as the token stays the same.
    pub(super) async fn unwrapped(
        &self,
        login: &Login,
        token: &Text,
        run: Instant,
    ) -> Result<Text, Error> {
        let mut last = login.unwrapped.lock().await;
        if let Some((_, secret_id)) = last.as_ref().filter(|(opened, _)| opened == token) {
            return Ok(secret_id.clone());
        }
        let secret_id = self.unwrap(login, token, run).await?;
        *last = Some((token.clone(), secret_id.clone()));
        Ok(secret_id)
    }

    /// Looks first where the token was made: a thief who has opened it could have put another one in its place.
    async fn unwrap(&self, login: &Login, token: &Text, run: Instant) -> Result<Text, Error> {
        let text = token.expose_str().unwrap_or_default();
        let body = json(&[("token", text)]);
        let found = self.wrapping(login, "lookup", body, token, run).await?;
        match found.get("creation_path") {
            Some(path) if self.makes_secret_ids(login, path) => {}
            path => return Err(swapped(login, path, token)),
        }
        let opened = self
            .wrapping(login, "unwrap", json(&[]), token, run)
            .await?;
        match opened.get("secret_id") {
            Some(secret_id) if !secret_id.is_empty() => Ok(secret_id.into()),
            _ => {
                let message = format!(
                    "the wrapping token of {} holds no secret id",
                    login.credential.key
                );
                Err(Error::new(ErrorKind::Malformed, message))
            }
        }
    }

    /// One of the two calls: the strings of its answer's data.
    async fn wrapping(
        &self,
        login: &Login,
        what: &str,
        body: Text,
        token: &Text,
        run: Instant,
    ) -> Result<Strings, Error> {
        let path = format!("/v1/sys/wrapping/{what}");
        let asked = Asked {
            line: format!("PUT {}{path}", self.client.address()),
            secrets: vec![token],
        };
        // A lookup names the token in its body, and needs no other.
        let header = (what == "unwrap").then_some(token);
        let sent = self.send(Call::put(path, body), header, run).await;
        let response = sent.map_err(|mut error| {
            error.message = strike(&error.message, &asked.secrets);
            error
        })?;
        if !response.is_success() {
            let refusal = asked.refusal(&response);
            return Err(match response.status {
                400 if refusal.causes.iter().any(|cause| cause == GONE) => spent(login, refusal),
                400 | 403 | 404 => refusal.with_hint(MAY_BE_SPENT),
                _ => refusal,
            });
        }
        match last(&asked.object(&response)?, "data") {
            Some(Value::Map(data)) => Ok(Strings(data.clone())),
            _ => Ok(Strings(Map::new())),
        }
    }

    /// Whether a path is where this login's secret ids are made. Some servers put the namespace before it, some do not.
    fn makes_secret_ids(&self, login: &Login, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        let namespace = self.namespace.as_deref().unwrap_or_default();
        let within = path
            .strip_prefix(namespace.trim_matches('/'))
            .and_then(|rest| rest.strip_prefix('/'));
        let mut readings = std::iter::once(path).chain(within);
        readings.any(|path| is_secret_id_of(&login.mount, path))
    }
}

/// `MOUNT/role/NAME/secret-id`.
fn is_secret_id_of(mount: &str, path: &str) -> bool {
    let name = path
        .strip_prefix(mount)
        .and_then(|rest| rest.strip_prefix("/role/"))
        .and_then(|rest| rest.strip_suffix("/secret-id"));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

struct Strings(Map);

impl Strings {
    fn get(&self, key: &str) -> Option<&str> {
        match last(&self.0, key) {
            Some(Value::String(text)) => text.expose_str(),
            _ => None,
        }
    }
}

/// The refusal below what it means.
fn spent(login: &Login, refusal: Error) -> Error {
    let message = format!(
        "the wrapping token of {} has been unwrapped already, or it has expired",
        login.credential.key
    );
    let mut error = Error::new(refusal.kind, message).with_hint(
        "unless it has expired or an earlier run opened it, find out who did, and destroy that secret id; then wrap a new one",
    );
    error.causes.push(refusal.message);
    error.causes.extend(refusal.causes);
    error
}

fn swapped(login: &Login, path: Option<&str>, token: &Text) -> Error {
    let key = login.credential.key;
    let message = format!(
        "the wrapping token of {key} does not hold a secret id of {}",
        login.mount
    );
    let error = Error::new(ErrorKind::Denied, message).with_hint(
        "somebody may have put another token in its place: it was not opened. Wrap a new secret id",
    );
    match path {
        Some(path) => {
            let path: String = path.chars().filter(|c| !c.is_control()).take(120).collect();
            error.with_cause(format_args!("it was made at {}", strike(&path, &[token])))
        }
        None => error.with_cause("the server does not say where it was made"),
    }
}
