//! The address of a server: what it takes to build URLs below it, and what of it may be shown.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;

/// A server's address: `http://`, `https://` (a base path is kept) or `unix://` with the path of a socket.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    socket: Option<PathBuf>,
}

/// Why a text is no address. Never shows the text: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL at all.
    #[error("it is not a URL")]
    NotAUrl,
    /// It is a URL of another kind.
    #[error("it must start with http://, https:// or unix://")]
    Scheme,
    /// It names no host or socket.
    #[error("it names no valid host or port")]
    NoHost,
}

impl Address {
    /// Reads an address. Query and fragment are dropped: requests bring their own.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix://") {
            if path.is_empty() {
                return Err(AddressError::NoHost);
            }
            let url = Url::parse("http://localhost").expect("a constant URL");
            let socket = Some(PathBuf::from(path));
            return Ok(Self { url, socket });
        }
        let broken = if text.contains("://") {
            AddressError::NoHost
        } else {
            AddressError::NotAUrl
        };
        let mut url = Url::parse(text).map_err(|_| broken)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme);
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self { url, socket: None })
    }

    /// The URL of a path below this address: the base path, then `path`, which starts with a slash and is
    /// percent-encoded already. The query is encoded here.
    pub(crate) fn join(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Whether requests go through TLS.
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The host as it stands in the URL.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether the address itself names a port.
    pub(crate) fn has_port(&self) -> bool {
        self.url.port().is_some()
    }

    /// The same below another host and port; `None` where that is no host.
    pub(crate) fn at(&self, host: &str, port: u16) -> Option<Self> {
        let mut moved = self.clone();
        moved.url.set_host(Some(host)).ok()?;
        moved.url.set_port(Some(port)).ok()?;
        Some(moved)
    }

    /// `HOST` or `HOST:PORT`, as the `Host` header has it.
    pub(crate) fn authority(&self) -> String {
        authority(&self.url)
    }

    /// The Unix socket, if it is one.
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Whether a URL leads to the same scheme, host and port, or to the same host by TLS where it was not before: that
    /// only gets safer.
    pub(crate) fn may_lead_to(&self, url: &Url) -> bool {
        let is_upgrade = !self.is_tls()
            && self.socket.is_none()
            && url.scheme() == "https"
            && self.url.host() == url.host();
        is_upgrade || self.url.origin() == url.origin()
    }
}

/// `HOST` or `HOST:PORT`.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Without user name and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(socket) = &self.socket {
            return write!(f, "unix://{}", socket.display());
        }
        let path = self.url.path().trim_end_matches('/');
        write!(f, "{}://{}{path}", self.url.scheme(), self.authority())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_base_path_and_shows_no_password() {
        let address = Address::parse("https://me:hunter2@vault.example.com:8200/b/?x=1#y").unwrap();
        assert_eq!(address.to_string(), "https://vault.example.com:8200/b");
        assert_eq!(format!("{address:?}"), "https://vault.example.com:8200/b");
        let url = address.join("/v1/kv/data/a%20b", &[("version", "3&4")]);
        assert_eq!(url.path(), "/b/v1/kv/data/a%20b");
        assert_eq!(url.query(), Some("version=3%264"));
        assert_eq!(url.password(), Some("hunter2"));
    }

    #[test]
    fn joins_without_a_base_path() {
        let address = Address::parse("http://127.0.0.1:8200").unwrap();
        assert_eq!(
            address.join("/v1/x", &[]).as_str(),
            "http://127.0.0.1:8200/v1/x"
        );
        assert_eq!(address.authority(), "127.0.0.1:8200");
        assert!(!address.is_tls());
    }

    #[test]
    fn keeps_all_but_the_host_elsewhere() {
        let address = Address::parse("https://v.example.com/b").unwrap();
        assert!(!address.has_port());
        let moved = address.at("node1.example.com.", 8200).unwrap();
        assert_eq!(moved.to_string(), "https://node1.example.com.:8200/b");
        assert_eq!(address.at("", 1), None);
    }

    #[test]
    fn takes_sockets() {
        let address = Address::parse("unix:///run/vault.sock").unwrap();
        assert_eq!(address.socket(), Some(Path::new("/run/vault.sock")));
        assert_eq!(address.to_string(), "unix:///run/vault.sock");
        assert_eq!(address.join("/v1/x", &[]).as_str(), "http://localhost/v1/x");
    }

    #[test]
    fn says_what_is_wrong_without_the_text() {
        let text = |address: &str| Address::parse(address).unwrap_err().to_string();
        assert_eq!(text("vault.example.com"), "it is not a URL");
        assert_eq!(text("127.0.0.1:8200"), "it is not a URL");
        assert_eq!(
            text("localhost:8200"),
            "it must start with http://, https:// or unix://"
        );
        assert_eq!(
            text("ftp://x"),
            "it must start with http://, https:// or unix://"
        );
        assert_eq!(text("http://h:99999"), "it names no valid host or port");
        assert_eq!(text("http://"), "it names no valid host or port");
        assert_eq!(text("unix://"), "it names no valid host or port");
    }

    #[test]
    fn leads_within_the_origin_or_up_to_tls() {
        let plain = Address::parse("http://v.example.com:8200").unwrap();
        let up = |url: &str| plain.may_lead_to(&Url::parse(url).unwrap());
        assert!(up("https://v.example.com:8200/x"));
        assert!(up("https://v.example.com/x"));
        assert!(!up("http://v.example.com/x"));
        assert!(!up("https://example.com/x"));
        let socket = Address::parse("unix:///run/vault.sock").unwrap();
        assert!(!socket.may_lead_to(&Url::parse("https://localhost/x").unwrap()));
        let address = Address::parse("https://v.example.com/b").unwrap();
        let same = |url: &str| address.may_lead_to(&Url::parse(url).unwrap());
        assert!(same("https://v.example.com:443/elsewhere"));
        assert!(!same("http://v.example.com/"));
        assert!(!same("https://v.example.com:8443/"));
        assert!(!same("https://v.example.com.evil.test/"));
    }
}
