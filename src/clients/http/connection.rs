//! Connections to one server: the library's clients, one for plain HTTP and one for TLS, each made at its first use, and
//! where the server is when its address only names a service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Url;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{Instant, timeout_at};

use super::{Config, name};
use crate::clients::address::Address;

/// A connection that does not come about in this time is given up, so that another try fits into the deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections of a client.
#[derive(Default)]
pub(super) struct Connections {
    /// Made at the first call: reading the system's roots takes longer than all the rest of a small run.
    tls: OnceLock<Result<reqwest::Client, Arc<reqwest::Error>>>,
    plain: OnceLock<Result<reqwest::Client, Arc<reqwest::Error>>>,
    target: OnceCell<Address>,
    first: Mutex<()>,
    is_open: AtomicBool,
}

impl Connections {
    /// Where requests go: the address, or what its SRV records say.
    pub(super) async fn target<'a>(&'a self, config: &'a Config, deadline: Instant) -> &'a Address {
        let address = &config.address;
        let Some(srv) = config
            .srv
            .filter(|_| !address.has_port() && address.socket().is_none())
        else {
            return address;
        };
        let look_up = || async {
            // Without an answer the address itself is tried, as in Vault's client.
            let found = timeout_at(deadline, srv.look_up(address.host())).await;
            let found = found.ok().flatten();
            let moved = found.and_then(|(host, port)| address.at(&host, port));
            moved.unwrap_or_else(|| address.clone())
        };
        self.target.get_or_init(look_up).await
    }

    /// The library's client for the scheme of a URL, with a URL that asks TLS for the name of the settings.
    pub(super) fn client(
        &self,
        config: &Config,
        mut url: Url,
    ) -> Result<(&reqwest::Client, Url), Arc<reqwest::Error>> {
        let is_tls = url.scheme() == "https";
        let cell = if is_tls { &self.tls } else { &self.plain };
        let client = cell.get_or_init(|| build(config, &url).map_err(Arc::new));
        let client = client.as_ref().map_err(Arc::clone)?;
        if let Some(name) = config.tls.server_name.as_ref().filter(|_| is_tls) {
            // A name that is no host was refused by the settings.
            let _ = url.set_host(Some(name));
        }
        Ok((client, url))
    }

    /// Lets the first exchange over TLS be alone until its answer begins: then it is known whether the server speaks HTTP/2,
    /// and all others share the connection. Started together, each would open its own, and a handshake costs both sides
    /// more than the round trip that is lost.
    pub(super) async fn in_turn<T>(&self, is_tls: bool, exchange: impl Future<Output = T>) -> T {
        if !is_tls || self.is_open.load(Ordering::Acquire) {
            return exchange.await;
        }
        let turn = self.first.lock().await;
        if self.is_open.load(Ordering::Acquire) {
            drop(turn);
            return exchange.await;
        }
        let outcome = exchange.await;
        // Also after a failure: the others need not fail one by one.
        self.is_open.store(true, Ordering::Release);
        outcome
    }

    /// Makes the client for the address at once where that is cheap, so that settings that do not fit together are told
    /// before anything is sent.
    pub(super) fn check(&self, config: &Config) -> Result<(), Arc<reqwest::Error>> {
        if config.address.is_tls() && config.tls.needs_system_roots() {
            return Ok(());
        }
        let url = config.address.join("/", &[]);
        if config.srv.is_some() {
            // Made again for where the server is found to be.
            return build(config, &url).map(drop).map_err(Arc::new);
        }
        self.client(config, url).map(drop)
    }
}

/// A client for what lies at this URL: redirects lead to one other place at most.
fn build(config: &Config, url: &Url) -> Result<reqwest::Client, reqwest::Error> {
    let is_tls = url.scheme() == "https";
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .default_headers(config.headers.map.clone())
        .user_agent(concat!("manifuse/", env!("CARGO_PKG_VERSION")));
    let mut needs_tls = is_tls;
    if let Some(socket) = config.address.socket() {
        builder = builder.unix_socket(socket);
    } else if let Some(proxy) = config.proxies.toward(url) {
        builder = builder.proxy(proxy.for_all()?);
        needs_tls |= proxy.is_tls();
    }
    if config.tls.server_name.is_some() && is_tls {
        builder = builder.dns_resolver(Arc::new(name::OneHost::new(
            url.host_str().unwrap_or_default(),
        )));
    }
    if config.tls.server_name.is_some() || config.srv.is_some() {
        // HTTP/2 would take the host from the URL, which holds the name for TLS, or where a service is.
        builder = builder.http1_only();
    }
    config.tls.apply(builder, needs_tls).build()
}
