//! Several logins as one: the first that works is used from then on; when none does, each is named with its reason.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::error::reason;
use crate::clients::cloud::chain;
use crate::secret::Text;

/// What is tried on the chance that it is there gets no longer.
const CHANCE: Duration = Duration::from_secs(10);

/// What has failed is not tried again at once, by each of those that wait for it.
const FAILURE_LIFE: Duration = Duration::from_secs(10);

/// One way to a token.
pub(super) struct Login {
    name: String,
    credential: Result<Arc<dyn TokenCredential>, String>,
    /// Whether the next one is tried when it fails: nobody set it up.
    is_chance: bool,
    /// How to log in by a program of that name.
    tool: Option<&'static str>,
}

impl Login {
    /// One that is set up: if it fails, that is told and no other is tried.
    pub(super) fn new<C: TokenCredential + 'static>(
        name: &str,
        made: azure_core::Result<Arc<C>>,
    ) -> Self {
        let credential = made.map(|credential| credential as Arc<dyn TokenCredential>);
        Self {
            name: name.to_owned(),
            credential: credential.map_err(|error| reason(&error, &[])),
            is_chance: false,
            tool: None,
        }
    }

    /// One that is set up wrongly.
    pub(super) fn broken(name: &str, reason: &str) -> Self {
        Self {
            name: name.to_owned(),
            credential: Err(reason.to_owned()),
            is_chance: false,
            tool: None,
        }
    }

    /// One that is not set up.
    pub(super) fn absent(name: &str, reason: &str) -> Self {
        Self::broken(name, reason).or_next()
    }

    /// A developer's tool, whose output is not shown.
    pub(super) fn tool<C: TokenCredential + 'static>(
        name: &'static str,
        made: azure_core::Result<Arc<C>>,
    ) -> Self {
        Self {
            tool: Some(name),
            ..Self::new(name, made).or_next()
        }
    }

    /// The same, but the next one is tried when it fails.
    pub(super) fn or_next(self) -> Self {
        Self {
            is_chance: true,
            ..self
        }
    }

    async fn token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
        secrets: &[Text],
    ) -> Result<AccessToken, String> {
        let credential = self.credential.as_ref().map_err(Clone::clone)?;
        let token = credential.get_token(scopes, options);
        let token = if self.is_chance {
            timeout(CHANCE, token)
                .await
                .map_err(|_| "no answer".to_owned())?
        } else {
            token.await
        };
        token.map_err(|error| match self.tool {
            None => reason(&error, secrets),
            Some(tool) if is_absent(&error) => format!("there is no program {tool}"),
            Some("azd") => "no token: azd auth login may help".to_owned(),
            Some(tool) => format!("no token: {tool} login may help"),
        })
    }
}

fn is_absent(error: &Error) -> bool {
    let of = |error: &(dyn std::error::Error + 'static)| {
        let io = error.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound)
    };
    chain(error).any(of)
}

/// The logins, and which of them works.
pub(super) struct Chain {
    logins: Vec<Login>,
    secrets: Vec<Text>,
    state: Mutex<State>,
    /// The last token.
    token: std::sync::Mutex<Option<Text>>,
}

/// What is known of the logins.
#[derive(Default)]
struct State {
    works: Option<usize>,
    /// For what none has worked, until when that counts, and why.
    failed: Option<(String, Instant, String)>,
}

impl Chain {
    pub(super) fn new(logins: Vec<Login>, secrets: Vec<Text>) -> Self {
        Self {
            logins,
            secrets,
            state: Mutex::default(),
            token: std::sync::Mutex::default(),
        }
    }

    /// What no message may hold.
    pub(super) fn secrets(&self) -> Vec<Text> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        self.secrets.iter().chain(token.as_ref()).cloned().collect()
    }

    /// The token of the first login that works, or of the one that has worked before.
    async fn first(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
        works: Option<usize>,
    ) -> Result<(usize, AccessToken), String> {
        let mut failures = Vec::new();
        for (index, login) in self.logins.iter().enumerate() {
            if works.is_some_and(|works| works != index) {
                continue;
            }
            match login.token(scopes, options.clone(), &self.secrets).await {
                Ok(token) => return Ok((index, token)),
                Err(reason) => failures.push(format!("{} ({reason})", login.name)),
            }
            if !login.is_chance {
                break;
            }
        }
        Err(format!("no login to Azure worked: {}", failures.join(", ")))
    }
}

/// Names only.
impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.logins.iter().map(|login| &login.name);
        f.debug_list().entries(names).finish()
    }
}

#[async_trait]
impl TokenCredential for Chain {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut state = self.state.lock().await;
        let scope = scopes.join(" ");
        let failed = state.failed.as_ref();
        let failed = failed.filter(|(of, end, _)| *of == scope && Instant::now() < *end);
        if let Some((.., message)) = failed {
            return Err(Error::with_message(ErrorKind::Credential, message.clone()));
        }
        match self.first(scopes, options, state.works).await {
            Ok((index, token)) => {
                state.works = Some(index);
                let text = Some(token.token.secret().into());
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = text;
                Ok(token)
            }
            Err(message) => {
                let end = Instant::now() + FAILURE_LIFE;
                state.failed = Some((scope, end, message.clone()));
                Err(Error::with_message(ErrorKind::Credential, message))
            }
        }
    }
}
