//! One HTTP client per server: bounded answers, retries inside one deadline, redirects within the server at most.
//!
//! A client is bound to its [`Address`], so that a credential in a header cannot leave for another host. Nothing is
//! read from the environment here: no proxy variable, no automatic redirect.

mod connection;
mod error;
mod headers;
mod name;

use std::time::{Duration, SystemTime};

use reqwest::header::{
    CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Url};
use tokio::time::Instant;
use zeroize::Zeroizing;

use self::connection::Connections;
pub use self::error::{Error, ErrorKind, TlsFault};
pub use self::headers::{HeaderError, Headers};
use super::address::{Address, authority};
use super::proxy::{Proxies, Proxy};
use super::rate::{Limiter, Rate};
use super::retry::{self, Policy};
use super::srv::Srv;
use super::tls::Tls;
use crate::secret::Text;

/// An answer larger than this is refused (design section 7).
pub const LARGEST_ANSWER: usize = 16 << 20;

/// How to talk to one server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server.
    pub address: Address,
    /// Whom it must be, and who we are.
    pub tls: Tls,
    /// What leads there, if it is not reached directly.
    pub proxies: Proxies,
    /// Whether an address without a port names a service, to be looked up in DNS.
    pub srv: Option<Srv>,
    /// What every request carries besides.
    pub headers: Headers,
    /// How many calls a second are made; tries again of a call are not counted.
    pub rate: Option<Rate>,
    /// Further tries.
    pub retry: Policy,
    /// What one call may take, all its tries together; the caller's deadline counts as well.
    pub timeout: Option<Duration>,
    /// Whether one redirect within the server is followed.
    pub follow_redirect: bool,
}

impl Config {
    /// Whether TLS goes through a proxy, also after a redirect up to it: there it cannot ask for another name.
    pub fn is_tls_proxied(&self) -> bool {
        let mut url = self.address.join("/", &[]);
        let is_tls = url.set_scheme("https").is_ok();
        is_tls && self.address.socket().is_none() && self.proxies.toward(&url).is_some()
    }
}

/// A client for one server. Connections are kept and shared.
pub struct Client {
    config: Config,
    connections: Connections,
    limiter: Option<Limiter>,
}

/// One request.
#[derive(Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path below the address: starts with a slash, percent-encoded.
    pub path: String,
    /// Query parameters, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// Headers; the values may be credentials.
    pub headers: Vec<(&'static str, Text)>,
    /// The body, as JSON.
    pub body: Option<Text>,
}

impl Call {
    /// A request without a body.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// A request with a JSON body.
    pub fn put(path: impl Into<String>, body: Text) -> Self {
        Self {
            method: Method::PUT,
            body: Some(body),
            ..Self::get(path)
        }
    }
}

/// What a server answered, whatever the status.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// How long the server wants us to stay away.
    pub retry_after: Option<Duration>,
    /// The type of the body, as the server calls it.
    pub content_type: Option<String>,
    /// The body: may hold secrets.
    pub body: Text,
    /// How many tries it took.
    pub tries: u32,
}

impl Response {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    /// A client that has not connected yet. Fails where the TLS settings do not fit together.
    pub fn new(config: Config) -> Result<Self, Error> {
        let client = Self {
            limiter: config.rate.map(Limiter::new),
            config,
            connections: Connections::default(),
        };
        let checked = client.connections.check(&client.config);
        checked.map_err(|cause| client.setup(&Call::get("/"), &cause))?;
        Ok(client)
    }

    /// The server.
    pub fn address(&self) -> &Address {
        &self.config.address
    }

    /// What leads to it, if it is not reached directly.
    pub fn proxy(&self) -> Option<&Proxy> {
        let address = &self.config.address;
        self.config.proxies.toward(&address.join("/", &[]))
    }

    /// Makes the request until there is an answer that is worth no further try. The last answer counts, also when it
    /// is a failure by its status; no answer at all is an error.
    pub async fn send(&self, call: &Call, deadline: Instant) -> Result<Response, Error> {
        self.permit(call, deadline).await?;
        // One that lies beyond the clock's end is none.
        let own = self
            .config
            .timeout
            .and_then(|t| Instant::now().checked_add(t));
        let deadline = own.map_or(deadline, |own| own.min(deadline));
        let mut tries = 0;
        let mut before = None;
        loop {
            tries += 1;
            let outcome = self.attempt(call, deadline).await;
            let retry_after = match &outcome {
                Ok(attempt) if retry::is_worth_retrying(attempt.status) => attempt.retry_after,
                Err(error) if error.is_worth_retrying() => None,
                _ => return finish(outcome, tries, before),
            };
            let wait = self.config.retry.wait(tries, retry_after);
            let next = Instant::now().checked_add(wait);
            let in_time = next.is_some_and(|next| next < deadline);
            if tries > self.config.retry.retries || !in_time {
                return finish(outcome, tries, before);
            }
            before = Some(match outcome {
                Ok(attempt) => format!("the try before was answered {}", attempt.status),
                Err(error) => error.causes().first().cloned().unwrap_or_default(),
            });
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits until the rate limit lets the call go.
    async fn permit(&self, call: &Call, deadline: Instant) -> Result<(), Error> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        let now = Instant::now();
        let begin = now.checked_add(limiter.take(now));
        match begin.filter(|begin| *begin < deadline) {
            Some(begin) => tokio::time::sleep_until(begin).await,
            None => return Err(self.error(call, ErrorKind::RateLimit)),
        }
        Ok(())
    }

    /// One try, with the redirect that it may follow.
    async fn attempt(&self, call: &Call, deadline: Instant) -> Result<Attempt, Error> {
        let query: Vec<_> = call.query.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let target = self.connections.target(&self.config, deadline).await;
        let url = target.join(&call.path, &query);
        let exchange = async {
            let answer = self.exchange(call, url).await?;
            match self.redirect(call, target, &answer)? {
                None => self.read(call, answer).await,
                Some(url) => {
                    let second = self.exchange(call, url).await?;
                    if self.redirect(call, target, &second)?.is_some() {
                        return Err(self.error(call, ErrorKind::RedirectAgain));
                    }
                    self.read(call, second).await
                }
            }
        };
        tokio::time::timeout_at(deadline, exchange)
            .await
            .unwrap_or_else(|_| Err(self.error(call, ErrorKind::Timeout)))
    }

    /// Sends one request and waits for the head of its answer.
    async fn exchange(&self, call: &Call, url: Url) -> Result<reqwest::Response, Error> {
        let is_tls = url.scheme() == "https";
        let headers = self.headers(call, &url)?;
        let made = self.connections.client(&self.config, url);
        let (client, url) = made.map_err(|cause| self.setup(call, &cause))?;
        let mut request = client.request(call.method.clone(), url).headers(headers);
        if let Some(body) = &call.body {
            request = request.body(body.expose().to_vec());
        }
        let answer = self.connections.in_turn(is_tls, request.send()).await;
        answer.map_err(|error| self.broken(call, error))
    }

    fn headers(&self, call: &Call, url: &Url) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        // Where the URL that is asked for holds another name than the server is called by.
        let host = match self.config.srv {
            Some(_) => Some(self.config.address.authority()),
            None if self.config.tls.server_name.is_some() => Some(authority(url)),
            None => None,
        };
        if let Some(host) = host {
            let host = HeaderValue::try_from(host);
            headers.insert(HOST, host.expect("the host of a URL fits into a header"));
        }
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in &call.headers {
            let mut value = HeaderValue::from_bytes(value.expose())
                .map_err(|_| self.error(call, ErrorKind::Header(name)))?;
            value.set_sensitive(true);
            let lower = name.to_ascii_lowercase();
            let key = HeaderName::try_from(lower).expect("header names are constants of ours");
            headers.insert(key, value);
        }
        Ok(headers)
    }

    /// Where to go on, if the answer is a redirect that may be followed: within the server only, because the token
    /// goes along.
    fn redirect(
        &self,
        call: &Call,
        target: &Address,
        answer: &reqwest::Response,
    ) -> Result<Option<Url>, Error> {
        if !matches!(answer.status().as_u16(), 301 | 302 | 307 | 308)
            || !self.config.follow_redirect
        {
            return Ok(None);
        }
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok());
        let base = target.join(&call.path, &[]);
        let Some(url) = location.and_then(|location| base.join(location).ok()) else {
            return Err(self.error(call, ErrorKind::RedirectNowhere));
        };
        if !target.may_lead_to(&url) && !self.config.address.may_lead_to(&url) {
            let target = format!("{}://{}", url.scheme(), authority(&url));
            return Err(self.error(call, ErrorKind::RedirectElsewhere(target)));
        }
        Ok(Some(url))
    }

    /// Reads the body, up to the limit.
    async fn read(&self, call: &Call, mut answer: reqwest::Response) -> Result<Attempt, Error> {
        let header = |name| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let retry_after = header(RETRY_AFTER)
            .and_then(|value| retry::parse_retry_after(value, SystemTime::now()));
        let content_type = header(CONTENT_TYPE).map(ToOwned::to_owned);
        let too_large = || self.error(call, ErrorKind::TooLarge);
        let expected = usize::try_from(answer.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
        if expected > LARGEST_ANSWER {
            return Err(too_large());
        }
        let mut body = Zeroizing::new(Vec::with_capacity(expected));
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| self.broken(call, error))?
        {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(too_large());
            }
            append(&mut body, &chunk);
        }
        Ok(Attempt {
            status: answer.status().as_u16(),
            retry_after,
            content_type,
            body,
        })
    }

    fn setup(&self, call: &Call, cause: &reqwest::Error) -> Error {
        self.error(call, ErrorKind::Setup).with_cause(cause)
    }

    fn error(&self, call: &Call, kind: ErrorKind) -> Error {
        Error::new(call.method.as_str(), &self.config.address, kind)
    }

    fn broken(&self, call: &Call, cause: reqwest::Error) -> Error {
        let cause = cause.without_url();
        self.error(call, error::kind_of(&cause)).with_cause(&cause)
    }
}

/// What one try brought.
struct Attempt {
    status: u16,
    retry_after: Option<Duration>,
    content_type: Option<String>,
    body: Zeroizing<Vec<u8>>,
}

fn finish(
    outcome: Result<Attempt, Error>,
    tries: u32,
    before: Option<String>,
) -> Result<Response, Error> {
    let attempt = outcome.map_err(|error| error.after(tries, before))?;
    Ok(Response {
        status: attempt.status,
        retry_after: attempt.retry_after,
        content_type: attempt.content_type,
        body: Text::from(std::mem::take(&mut *{ attempt.body })),
        tries,
    })
}

/// Appends to a secret buffer; a buffer that is outgrown is wiped, which `Vec` itself would not do.
fn append(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = buffer.len() + bytes.len();
    if needed > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(buffer.capacity() * 2)));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}
