//! Vault (and its fork `OpenBao`): KV version 1 and 2, and any other path that answers to GET.
//!
//! API: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>, logins under
//! <https://developer.hashicorp.com/vault/api-docs/auth>. In a manifest: `<path:secret/data/shop/db#password>`.
//! A fetch logs in if needed (`session`), asks once (`path`), and reads the answer (`read`, `reply`).

mod auth;
#[cfg(feature = "aws")]
mod aws;
mod cache;
mod credential;
mod read;
mod reply;
mod session;
mod settings;
mod wrapping;

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;

use self::auth::Method;
use self::read::Read;
use self::reply::Asked;
use self::session::{Session, Token};
use self::settings::Settings;
use super::registry::{Own, SettingsError, Type};
use super::{Answer, Backend, Error, ErrorKind, FetchContext, Request};
use crate::clients::http::{self, Call, Client, Response};
use crate::clients::vault::{self, strike};
use crate::env::{Environment, Options};
use crate::secret::Text;

/// The registry's line.
pub(super) const TYPE: Type = Type {
    name: "vault",
    settings: settings::KEYS,
    own: &[
        Own::setting(
            "MANIFUSE_TOKEN_CACHE",
            "whether tokens are kept between runs: on or off",
        ),
        Own::setting("MANIFUSE_VAULT_RETRY_WAIT", "the wait before trying again"),
        Own::setting(
            "MANIFUSE_VAULT_AWS_REGION",
            "the region whose STS Vault asks; us-east-1 without it",
        ),
        Own::setting(
            "MANIFUSE_VAULT_AWS_SERVER_ID",
            "the Vault that the proof is for",
        ),
        Own::setting("MANIFUSE_VAULT_DNS_SERVER", "whom to ask for SRV records"),
    ],
    built_in: true,
    open,
};

/// A Vault server and a login.
struct Vault {
    client: Client,
    address_from: String,
    namespace: Option<String>,
    method: Method,
    kv_version: String,
    cache_folder: Option<PathBuf>,
    odd_settings: Vec<SettingsError>,
    session: Session,
}

fn open(options: &Options, environment: &Environment) -> Result<Arc<dyn Backend>, SettingsError> {
    let settings = Settings::parse(options, environment)?;
    let client = vault::client(settings.http)?;
    Ok(Arc::new(Vault {
        client,
        address_from: settings.address_from,
        namespace: settings.namespace,
        method: settings.method,
        kv_version: settings.kv_version,
        cache_folder: settings.cache_folder,
        odd_settings: settings.odd,
        session: Session::default(),
    }))
}

impl Backend for Vault {
    fn normalize(&self, path: &str) -> String {
        // A path that leaves the API is refused by `fetch`; here it keeps its dots, so that no rule allows it.
        vault::clean(path).unwrap_or_else(|_| path.to_owned())
    }

    fn odd_settings(&self) -> &[SettingsError] {
        &self.odd_settings
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(self.read(request, context.deadline))
    }
}

impl Vault {
    async fn read(&self, request: &Request, run: Instant) -> Result<Answer, Error> {
        let id = &request.id;
        let path = match vault::clean(&id.path) {
            Ok(path) if !path.is_empty() => path,
            _ => return Err(no_path(&id.path)),
        };
        let read = Read {
            path: &id.path,
            version: id.version.as_deref().unwrap_or_default(),
            kv_version: id.kv_version.as_deref().unwrap_or(&self.kv_version),
        };
        let token = self.session.token(self, run).await?;
        let (token, response) = self.ask(&read, &path, token, run).await?;
        let asked = Asked {
            line: format!("GET {}/v1/{path}", self.client.address()),
            secrets: self.secrets(&token.text),
        };
        read.answer(&asked, &response)
    }

    /// Asks, and once more with a new token where an old one was refused.
    async fn ask(
        &self,
        read: &Read<'_>,
        path: &str,
        token: Token,
        run: Instant,
    ) -> Result<(Token, Response), Error> {
        let call = || {
            let mut call = Call::get(format!("/v1/{}", vault::encode(path)));
            call.query = read.query();
            call
        };
        let response = self.send(call(), Some(&token.text), run).await?;
        if response.status == 403
            && let Some(token) = self.session.renew(self, &token, run).await?
        {
            let response = self.send(call(), Some(&token.text), run).await?;
            return Ok((token, response));
        }
        Ok((token, response))
    }

    async fn send(
        &self,
        mut call: Call,
        token: Option<&Text>,
        deadline: Instant,
    ) -> Result<Response, Error> {
        vault::sign(&mut call, token, self.namespace.as_deref());
        let answer = self.client.send(&call, deadline).await;
        answer.map_err(|error| {
            let mut error = self.unreachable(error);
            // It names where a redirect leads, which the server has chosen.
            let token: Vec<_> = token.into_iter().collect();
            error.message = strike(&error.message, &token);
            error
        })
    }

    /// What must not come back in the server's words.
    fn secrets<'a>(&'a self, token: &'a Text) -> Vec<&'a Text> {
        let mut secrets = vec![token];
        if let Method::Login(login) = &self.method {
            secrets.extend(login.given_secrets());
        }
        secrets
    }

    fn unreachable(&self, error: http::Error) -> Error {
        let error = Error::from(error);
        if error.hint.is_none() && error.kind == ErrorKind::Unreachable {
            let mut hint = format!(
                "is the server up, and is its address right? It is set by {}",
                self.address_from
            );
            if let Some(proxy) = self.client.proxy() {
                hint = format!("{hint}; the way leads through the proxy {proxy}");
            }
            return error.with_hint(hint);
        }
        error
    }
}

fn no_path(path: &str) -> Error {
    let message = if path.contains("..") {
        format!("the path {path} leads out of Vault's API")
    } else {
        format!("Could not find secrets at path {path}")
    };
    Error::new(ErrorKind::Reference, message)
        .with_hint("a path is MOUNT/data/NAME for kv-v2, MOUNT/NAME for kv-v1")
}
