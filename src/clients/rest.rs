//! A service that is asked over HTTP: by the system's roots and proxies, with further tries, and with a refusal as an
//! error in the service's own words. Which token a call carries is the caller's business.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value as Json;
use tokio::time::Instant;

use super::Address;
use super::cloud::{Error, ErrorKind, NOT_TAKEN, words};
use super::http::{Call, Client, Config, Headers, Response};
use super::proxy::Proxies;
use super::retry::Policy;
use super::tls::Tls;
use crate::env::Environment;
use crate::secret::Text;

const RETRY: Policy = Policy {
    retries: 4,
    first_wait: Duration::from_millis(250),
};

/// A service at an address.
pub struct Service {
    name: &'static str,
    client: Client,
    words: &'static [&'static str],
}

impl Service {
    /// One that messages call by this name, and whose refusals hold their reasons there (JSON pointers).
    pub fn new(
        name: &'static str,
        address: Address,
        words: &'static [&'static str],
        tls: Tls,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let proxies = Proxies::of_environment(environment, &address);
        let proxies = proxies.map_err(|(variable, error)| {
            Error::new(
                ErrorKind::Settings,
                format!("{variable} cannot be used: {error}"),
            )
        })?;
        let client = Client::new(Config {
            address,
            tls,
            proxies,
            srv: None,
            headers: Headers::default(),
            rate: None,
            retry: RETRY,
            timeout: None,
            follow_redirect: false,
        })?;
        Ok(Self {
            name,
            client,
            words,
        })
    }

    /// Makes a call: the answer, whatever it is.
    pub async fn send(&self, call: &Call, deadline: Instant) -> Result<Response, Error> {
        let answer = self.client.send(call, deadline).await;
        answer.map_err(|error| {
            let error = Error::from(error);
            if error.kind == ErrorKind::Unreachable && error.hint().is_none() {
                let address = self.client.address();
                let hint = format!("is {} there? It is asked at {address}", self.name);
                return error.with_hint(hint);
            }
            error
        })
    }

    /// Makes a call: the answer, if it is a success. `secrets` are struck out of what else is said.
    pub async fn ask(
        &self,
        call: &Call,
        secrets: &[Text],
        deadline: Instant,
    ) -> Result<Response, Error> {
        let response = self.send(call, deadline).await?;
        if response.is_success() {
            return Ok(response);
        }
        Err(self.refusal(&response, secrets))
    }

    /// Why an answer is no success.
    pub fn refusal(&self, response: &Response, secrets: &[Text]) -> Error {
        let status = response.status;
        let body: Json = serde_json::from_slice(response.body.expose()).unwrap_or_default();
        let said = self.words.iter().filter_map(|place| {
            let text = body.pointer(place)?.as_str()?;
            Some(words(text, secrets)).filter(|words| !words.is_empty())
        });
        let cause = said.collect::<Vec<_>>().join(": ");
        let message = format!("{} answered {status}", self.name);
        let error = Error::new(ErrorKind::of_status(status), message).with_cause(cause);
        match status {
            401 => error.with_hint(NOT_TAKEN),
            429 => {
                error.with_hint("it limits requests: try again later, or ask for a higher limit")
            }
            _ => error,
        }
    }
}

/// The header of a token.
pub fn bearer(token: &Text) -> (&'static str, Text) {
    let value = [b"Bearer ", token.expose()].concat();
    ("Authorization", value.into())
}

/// A call that posts JSON.
pub fn post(path: impl Into<String>, body: Text) -> Call {
    Call {
        method: Method::POST,
        ..Call::put(path, body)
    }
}
