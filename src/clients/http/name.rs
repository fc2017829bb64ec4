//! A resolver that leads every name to one host: how a request goes to the address but asks TLS for another name.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The one host.
pub(super) struct OneHost {
    host: String,
}

impl OneHost {
    /// A host name or an IP address, IPv6 in brackets or not.
    pub(super) fn new(host: &str) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Self {
            host: host.to_owned(),
        }
    }
}

impl Resolve for OneHost {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.host.clone();
        Box::pin(async move {
            let look_up = move || (host.as_str(), 0).to_socket_addrs();
            let found: io::Result<Vec<SocketAddr>> = tokio::task::spawn_blocking(look_up)
                .await
                .map_err(io::Error::other)?
                .map(Iterator::collect);
            let addresses: Addrs = Box::new(found?.into_iter());
            Ok(addresses)
        })
    }
}
