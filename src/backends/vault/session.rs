//! The token of a backend: got at the first fetch, once, shared by all fetches, and renewed once when a token that was
//! not made in this run is refused.

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use super::Vault;
use super::auth::{Login, Method};
use super::cache::Cache;
use super::credential::Proof;
use super::reply::Asked;
use crate::backends::{Error, ErrorKind};
use crate::clients::http::{Call, Response};
use crate::clients::retry::is_worth_retrying;
use crate::clients::vault::strike;
use crate::secret::{Map, Text, Value, last};

/// A cached token that lives no longer than so many seconds is not used.
const SHORTEST_LIFE: f64 = 10.0;

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
        let outcome = vault.token(login, None, run).await;
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
        let outcome = vault.token(login, Some(&refused.text), run).await;
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
    /// A token out of the cache that still works and is not the refused one, or a new one.
    ///
    /// Of several processes one logs in, while the others wait for its token: they look into the cache again once they
    /// hold its lock.
    async fn token(&self, login: &Login, refused: Option<&Text>, run: Run) -> Result<Token, Error> {
        let credential = login.credential.load(run).await?;
        let Some(cache) = self.cache(login, &credential.text) else {
            return Ok(self.log_in(login, &credential, run).await?.token);
        };
        let mut refused = refused.cloned();
        let mut lock = None;
        loop {
            if let Some(text) = cache.load().filter(|text| refused.as_ref() != Some(text)) {
                if self.is_usable(&text, run).await? {
                    let made_in = None;
                    return Ok(Token { text, made_in });
                }
                refused = Some(text);
            }
            if lock.is_some() {
                break;
            }
            lock = Some(cache.lock(run).await);
        }
        let made = self.log_in(login, &credential, run).await;
        match (&made, &refused, lock.flatten()) {
            (Ok(made), ..) if made.is_worth_keeping => cache.store(&made.token.text),
            (_, Some(refused), Some(lock)) => cache.forget(refused, &lock),
            _ => {}
        }
        Ok(made?.token)
    }

    async fn log_in(&self, login: &Login, credential: &Proof, run: Run) -> Result<Made, Error> {
        let unwrapped;
        let mut asked = Asked {
            line: format!("PUT {}/v1/{}/login", self.client.address(), login.mount),
            secrets: login.secrets(&credential.text),
        };
        asked.secrets.extend(&credential.inside);
        let mut proof = &credential.text;
        if login.credential.is_wrapped {
            unwrapped = self.unwrapped(login, proof, run).await?;
            proof = &unwrapped;
            asked.secrets.push(proof);
        }
        let sent = self.send(login.call(proof), None, run).await;
        let response = sent.map_err(|mut error| {
            error.message = strike(&error.message, &asked.secrets);
            error
        })?;
        let auth = auth(&asked, &response)?;
        let text = client_token(&asked, &auth)?;
        Ok(Made {
            is_worth_keeping: is_sendable(&text) && !has_limited_uses(&auth),
            token: Token {
                text,
                made_in: Some(run),
            },
        })
    }

    /// Whether a cached token will do for this run. A refusal says no; a server that does not answer or is broken is an
    /// error, because the login would only wait for the same server again.
    async fn is_usable(&self, token: &Text, run: Run) -> Result<bool, Error> {
        let path = "/v1/auth/token/lookup-self";
        let response = self.send(Call::get(path), Some(token), run).await?;
        let asked = Asked {
            line: format!("GET {}{path}", self.client.address()),
            secrets: vec![token],
        };
        if is_worth_retrying(response.status) {
            return Err(asked.refusal(&response));
        }
        if !response.is_success() {
            return Ok(false);
        }
        let answer = asked.object(&response)?;
        Ok(match last(&answer, "data") {
            Some(Value::Map(data)) => !is_near_its_end(data),
            _ => true,
        })
    }

    fn cache(&self, login: &Login, credential: &Text) -> Option<Cache> {
        let address = self.client.address().to_string();
        let parts: [&[u8]; 6] = [
            b"manifuse 1",
            address.as_bytes(),
            self.namespace.as_deref().unwrap_or_default().as_bytes(),
            login.name().as_bytes(),
            login.mount.as_bytes(),
            login.identity.expose(),
        ];
        let folder = self.cache_folder.as_deref();
        let folder = folder.filter(|_| !login.credential.is_made())?;
        Some(Cache::new(folder, &parts, credential))
    }
}

/// What a login brought.
struct Made {
    token: Token,
    is_worth_keeping: bool,
}

/// The part of a login's answer that tells of the token.
fn auth(asked: &Asked<'_>, response: &Response) -> Result<Map, Error> {
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
    match last(&object, "auth") {
        Some(Value::Map(auth)) => Ok(auth.clone()),
        _ => Ok(Map::new()),
    }
}

fn client_token(asked: &Asked<'_>, auth: &Map) -> Result<Text, Error> {
    match last(auth, "client_token") {
        Some(Value::String(token)) if !token.expose().is_empty() => Ok(token.clone()),
        _ => {
            let message = format!("the login answer holds no token: {}", asked.line);
            Err(Error::new(ErrorKind::Malformed, message)
                .with_hint("does the login want a second factor, or does another server answer?"))
        }
    }
}

/// Whether a token may end before the run does: it has little time left, or somebody counts its uses.
fn is_near_its_end(data: &Map) -> bool {
    let never_expires = matches!(last(data, "expire_time"), None | Some(Value::Null));
    let seconds = number(data, "ttl").unwrap_or(f64::MAX);
    let has_no_time = seconds < SHORTEST_LIFE && (seconds > 0.0 || !never_expires);
    has_no_time || has_limited_uses(data)
}

/// Zero is no limit.
fn has_limited_uses(data: &Map) -> bool {
    number(data, "num_uses").is_some_and(|uses| uses != 0.0)
}

fn number(data: &Map, key: &str) -> Option<f64> {
    match last(data, key) {
        Some(Value::Number(number)) => number.expose().parse().ok(),
        _ => None,
    }
}

/// Whether a header can hold it: out of the cache such a token would fail every run to come.
fn is_sendable(token: &Text) -> bool {
    !token.expose().iter().any(u8::is_ascii_control)
}
