//! The token of a backend: got at the first fetch, once, shared by all fetches, and renewed once when a token that was
//! not made in this run is refused.

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use super::Vault;
use super::auth::{Login, Method};
use super::cache::Cache;
use super::reply::{Asked, last, strike};
use crate::backends::{Error, ErrorKind};
use crate::clients::http::{Call, Response};
use crate::clients::retry::is_worth_retrying;
use crate::secret::{Text, Value};

/// The state of a backend's login.
#[derive(Default)]
pub(super) struct Session {
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    /// Not logged in yet.
    #[default]
    Out,
    /// With a token.
    In(Token),
    /// The login failed; it is not tried again in the same run.
    Failed(Error, Run),
}

/// A run is known by its deadline: a backend that outlives it gets another one with the next.
type Run = Instant;

/// A token and what is known about its age.
#[derive(Clone)]
pub(super) struct Token {
    /// The token itself.
    pub(super) text: Text,
    /// The run that logged in for it; `None` for one out of the cache.
    made_in: Option<Run>,
}

impl Session {
    /// The token, after a login if there is none yet.
    pub(super) async fn token(&self, vault: &Vault, run: Run) -> Result<Token, Error> {
        let login = match &vault.method {
            Method::Token(text) => {
                return Ok(Token {
                    text: text.clone(),
                    made_in: Some(run),
                });
            }
            Method::Login(login) => login,
        };
        let mut state = self.lock(run).await?;
        match &*state {
            State::In(token) => return Ok(token.clone()),
            State::Failed(error, failed_in) if *failed_in == run => return Err(error.clone()),
            State::Failed(..) | State::Out => {}
        }
        let outcome = vault.first_token(login, run).await;
        keep(&mut state, outcome, run)
    }

    /// Another token after this one was refused; `None` when the refusal stands: a token that was made in this run, or
    /// that is a setting, will not get better.
    pub(super) async fn renew(
        &self,
        vault: &Vault,
        refused: &Token,
        run: Run,
    ) -> Result<Option<Token>, Error> {
        let login = match &vault.method {
            Method::Login(login) if refused.made_in != Some(run) => login,
            _ => return Ok(None),
        };
        let mut state = self.lock(run).await?;
        match &*state {
            // Another fetch was faster.
            State::In(token) if token.text != refused.text => return Ok(Some(token.clone())),
            State::Failed(error, failed_in) if *failed_in == run => return Err(error.clone()),
            _ => {}
        }
        let outcome = vault.log_in_again(login, run).await;
        keep(&mut state, outcome, run).map(Some)
    }

    async fn lock(&self, deadline: Instant) -> Result<MutexGuard<'_, State>, Error> {
        let waited = timeout_at(deadline, self.state.lock()).await;
        waited.map_err(|_| Error::new(ErrorKind::Unreachable, "the login to Vault took too long"))
    }
}

fn keep(state: &mut State, outcome: Result<Token, Error>, run: Run) -> Result<Token, Error> {
    *state = match &outcome {
        Ok(token) => State::In(token.clone()),
        Err(error) => State::Failed(error.clone(), run),
    };
    outcome
}

impl Vault {
    /// A token out of the cache that still works, or a new one.
    async fn first_token(&self, login: &Login, run: Run) -> Result<Token, Error> {
        let credential = login.credential()?;
        let cache = self.cache(login, &credential);
        if let Some(text) = cache.as_ref().and_then(Cache::load)
            && self.is_valid(&text, run).await?
        {
            return Ok(Token {
                text,
                made_in: None,
            });
        }
        self.log_in(login, &credential, cache, run).await
    }

    async fn log_in_again(&self, login: &Login, run: Run) -> Result<Token, Error> {
        let credential = login.credential()?;
        let cache = self.cache(login, &credential);
        if let Some(cache) = &cache {
            cache.clear();
        }
        self.log_in(login, &credential, cache, run).await
    }

    async fn log_in(
        &self,
        login: &Login,
        credential: &Text,
        cache: Option<Cache>,
        run: Run,
    ) -> Result<Token, Error> {
        let call = login.call(credential);
        let asked = Asked {
            line: format!("PUT {}/v1/{}/login", self.client.address(), login.mount),
            secrets: login.secrets(credential),
        };
        let sent = self.send(call, None, run).await;
        let response = sent.map_err(|mut error| {
            error.message = strike(&error.message, &asked.secrets);
            error
        })?;
        let text = client_token(&asked, &response)?;
        if let Some(cache) = cache.filter(|_| is_sendable(&text)) {
            cache.store(&text);
        }
        Ok(Token {
            text,
            made_in: Some(run),
        })
    }

    /// Whether the server knows a cached token. A refusal says no; a server that does not answer or is broken is an
    /// error, because the login would only wait for the same server again.
    async fn is_valid(&self, token: &Text, run: Run) -> Result<bool, Error> {
        let path = "/v1/auth/token/lookup-self";
        let response = self.send(Call::get(path), Some(token), run).await?;
        if is_worth_retrying(response.status) {
            let asked = Asked {
                line: format!("GET {}{path}", self.client.address()),
                secrets: vec![token],
            };
            return Err(asked.refusal(&response));
        }
        Ok(response.is_success())
    }

    fn cache(&self, login: &Login, credential: &Text) -> Option<Cache> {
        let address = self.client.address().to_string();
        let parts: [&[u8]; 6] = [
            b"manifuse 1",
            address.as_bytes(),
            self.namespace.as_deref().unwrap_or_default().as_bytes(),
            login.name.as_bytes(),
            login.mount.as_bytes(),
            login.identity.expose(),
        ];
        let folder = self.cache_folder.as_deref()?;
        Some(Cache::new(folder, &parts, credential))
    }
}

fn client_token(asked: &Asked<'_>, response: &Response) -> Result<Text, Error> {
    if !response.is_success() {
        let refusal = asked.refusal(response);
        if refusal.kind == ErrorKind::Denied {
            return Err(refusal.with_hint(
                "Vault refused the login: check the credential, the role and the login's mount (AVP_MOUNT_PATH)",
            ));
        }
        return Err(refusal);
    }
    let object = asked.object(response)?;
    let token = match last(&object, "auth") {
        Some(Value::Map(auth)) => last(auth, "client_token"),
        _ => None,
    };
    match token {
        Some(Value::String(token)) if !token.expose().is_empty() => Ok(token.clone()),
        _ => {
            let message = format!("the login answer holds no token: {}", asked.line);
            Err(Error::new(ErrorKind::Malformed, message)
                .with_hint("does the login want a second factor, or does another server answer?"))
        }
    }
}

/// Whether a header can hold it: out of the cache such a token would fail every run to come.
fn is_sendable(token: &Text) -> bool {
    !token.expose().iter().any(u8::is_ascii_control)
}
