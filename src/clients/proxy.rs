//! Which proxy leads to a server: the one that a setting names, or the system's by the rules of Go's client
//! (`golang.org/x/net/http/httpproxy`). The variables come out of our snapshot, never from the process.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::address::{Address, authority};
use crate::env::Environment;

/// A proxy: `http://`, `https://` or `socks5://`, with a user and a password or without.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
}

/// Why a text is no proxy. Never shows the text: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is no URL of a host.
    #[error("it is not the URL of a proxy")]
    NotAUrl,
    /// It is a URL of another kind.
    #[error("it must start with http://, https:// or socks5://")]
    Scheme,
}

impl Proxy {
    /// Reads a proxy's address; one without a scheme is meant as `http://`.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        // Names are for the proxy to resolve, as Go's client leaves it to do.
        let by_name = match with_scheme.strip_prefix("socks5://") {
            Some(rest) => format!("socks5h://{rest}"),
            None => with_scheme,
        };
        let url = Url::parse(&by_name).map_err(|_| ProxyError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https" | "socks5h") {
            return Err(ProxyError::Scheme);
        }
        if url.host_str().unwrap_or_default().is_empty() {
            return Err(ProxyError::NotAUrl);
        }
        Ok(Self { url })
    }

    /// Whether the way to the proxy itself is TLS.
    pub(crate) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The whole address, with user name and password.
    #[cfg(any(feature = "aws", feature = "kubernetes"))]
    pub(crate) fn expose(&self) -> &str {
        self.url.as_str()
    }

    /// For the library.
    pub(crate) fn for_all(&self) -> reqwest::Result<reqwest::Proxy> {
        reqwest::Proxy::all(self.url.clone())
    }
}

/// Without user name and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.url.scheme() {
            "socks5h" => "socks5",
            scheme => scheme,
        };
        write!(f, "{scheme}://{}", authority(&self.url))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which proxy leads where. The default is none.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    plain: Option<Proxy>,
    tls: Option<Proxy>,
    /// What the system reaches directly; the proxy of a setting is meant for every server.
    exceptions: Option<String>,
}

impl Proxies {
    /// That of a setting.
    pub fn of_setting(proxy: Proxy) -> Self {
        Self {
            plain: Some(proxy.clone()),
            tls: Some(proxy),
            exceptions: None,
        }
    }

    /// Those of the system, or which variable is wrong and why. One that does not lead to this server, nor to where it
    /// may redirect to, may be wrong.
    pub fn of_environment(
        environment: &Environment,
        server: &Address,
    ) -> Result<Self, (&'static str, ProxyError)> {
        let set = |name| environment.get(name).filter(|text| !text.is_empty());
        let variable =
            |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, set(name)?)));
        let exceptions = variable(["NO_PROXY", "no_proxy"]).map_or("", |(_, text)| text);
        let is_direct = is_direct(&server.join("/", &[]), exceptions);
        let proxy = |names| match variable(names).map(|(name, text)| (name, Proxy::parse(text))) {
            Some((name, Err(error))) if !is_direct => Err((name, error)),
            found => Ok(found.and_then(|(_, parsed)| parsed.ok())),
        };
        // In a CGI script a client's header `Proxy:` would become this variable.
        let is_cgi = set("REQUEST_METHOD").is_some();
        Ok(Self {
            plain: if server.is_tls() || is_cgi {
                None
            } else {
                proxy(["HTTP_PROXY", "http_proxy"])?
            },
            tls: proxy(["HTTPS_PROXY", "https_proxy"])?,
            exceptions: Some(exceptions.to_owned()),
        })
    }

    /// For the library, where one client goes to many servers.
    #[cfg(feature = "azure")]
    pub(crate) fn into_rule(self) -> reqwest::Proxy {
        reqwest::Proxy::custom(move |url| self.toward(url).map(|proxy| proxy.url.clone()))
    }

    /// What leads to a URL: its own scheme counts, also after a redirect.
    pub(crate) fn toward(&self, url: &Url) -> Option<&Proxy> {
        let proxy = match url.scheme() {
            "https" => &self.tls,
            _ => &self.plain,
        };
        let exceptions = self.exceptions.as_deref();
        let is_excepted = exceptions.is_some_and(|exceptions| is_direct(url, exceptions));
        proxy.as_ref().filter(|_| !is_excepted)
    }
}

/// Whether a host is reached without a proxy: this machine itself, or what `NO_PROXY` excepts.
fn is_direct(url: &Url, exceptions: &str) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.to_ascii_lowercase();
    let ip: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    let mut exceptions = exceptions
        .split(',')
        .map(|exception| exception.trim().to_ascii_lowercase());
    let port = url.port_or_known_default().unwrap_or_default().to_string();
    exceptions.any(|exception| {
        exception == "*"
            || ip.is_some_and(|ip| excepts_ip(&exception, ip, &port))
            || excepts_name(&exception, &host, &port)
    })
}

/// `10.0.0.0/8`, `10.1.2.3`, `[::1]:8200`.
fn excepts_ip(exception: &str, ip: IpAddr, port: &str) -> bool {
    if let Some((network, bits)) = exception.split_once('/') {
        return match (network.parse(), bits.parse()) {
            (Ok(network), Ok(bits)) => is_within(ip, network, bits),
            _ => false,
        };
    }
    let (host, only) = host_and_port(exception);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse() == Ok(ip) && only.is_none_or(|only| only == port)
}

/// `example.com` excepts itself and what is below it, `.example.com` and `*.example.com` only what is below. Go takes an
/// address for a name as well, so that `2.3` excepts 10.1.2.3.
fn excepts_name(exception: &str, host: &str, port: &str) -> bool {
    let (name, only) = host_and_port(exception);
    let name = name
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(name);
    let is_meant = match name.strip_prefix('.') {
        _ if name.is_empty() => false,
        Some(_) => host.ends_with(name),
        None => {
            host == name
                || host
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('.'))
        }
    };
    is_meant && only.is_none_or(|only| only == port)
}

/// An IPv6 address without brackets has no port behind it.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    let same = |a: u128, b: u128, size: u32| {
        bits <= size && (a ^ b).checked_shr(size - bits).unwrap_or(0) == 0
    };
    match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(server: &str, variables: &[(&str, &str)]) -> Option<String> {
        let environment: Environment = variables.iter().copied().collect();
        let server = Address::parse(server).unwrap();
        let proxies = Proxies::of_environment(&environment, &server).unwrap();
        let found = proxies.toward(&server.join("/", &[]));
        found.map(ToString::to_string)
    }

    #[test]
    fn the_variable_of_the_scheme_counts_and_capitals_first() {
        let all = [
            ("HTTP_PROXY", "http://a:1"),
            ("http_proxy", "http://b:2"),
            ("HTTPS_PROXY", ""),
            ("https_proxy", "c:3"),
            ("ALL_PROXY", "http://d:4"),
        ];
        assert_eq!(proxy("http://v.test", &all).as_deref(), Some("http://a:1"));
        assert_eq!(proxy("https://v.test", &all).as_deref(), Some("http://c:3"));
        assert_eq!(proxy("https://v.test", &all[..2]), None);
        let cgi = [("HTTP_PROXY", "http://a:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(proxy("http://v.test", &cgi), None);
        let no_cgi = [("HTTP_PROXY", "http://a:1"), ("REQUEST_METHOD", "")];
        assert!(proxy("http://v.test", &no_cgi).is_some());
    }

    /// Each line was asked of Go's own package.
    #[test]
    fn this_machine_and_the_exceptions_need_no_proxy() {
        let is_direct = |server: &str, exceptions: &str| {
            let all = [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", exceptions)];
            proxy(server, &all).is_none()
        };
        for server in [
            "https://localhost",
            "https://127.8.0.1:1",
            "https://[::1]:8200",
        ] {
            assert!(is_direct(server, ""), "{server}");
        }
        for (server, exceptions) in [
            ("https://v.example.com", "x, Example.COM"),
            ("https://v.example.com", ".example.com"),
            ("https://v.example.com", "*.example.com"),
            ("https://v.example.com:8200", "v.example.com:8200"),
            ("https://v.example.com", "example.com:443"),
            ("https://10.1.2.3", "10.0.0.0/8"),
            ("https://10.1.2.3", "10.1.2.3"),
            ("https://[fd00::7]:8200", "fd00::/8"),
            ("https://[fd00::7]:8200", "fd00::7"),
            ("https://[fd00::7]:8200", "[fd00::7]:8200"),
            ("https://anything.test", "*"),
            ("https://10.1.2.3", "0.0.0.0/0"),
            ("https://10.1.2.3", "10.1.2.3:443"),
            ("https://10.1.2.3", "2.3"),
        ] {
            assert!(is_direct(server, exceptions), "{server} {exceptions}");
        }
        for (server, exceptions) in [
            ("https://v.example.com", ""),
            ("https://notexample.com", "example.com"),
            ("https://example.com", ".example.com"),
            ("https://v.example.com", "v.example.com:8200"),
            ("https://10.1.2.3", "10.2.0.0/16"),
            ("https://10.1.2.3", "10.0.0.0/33"),
            ("https://10.1.2.3", "fd00::/8"),
            ("https://10.1.2.3", "10.1.2.3:80"),
            ("https://example.com.", "example.com"),
            ("https://example.com", "*.example.com"),
            ("https://v.example.com", "*example.com"),
            ("https://v.example.com", ":443"),
        ] {
            assert!(!is_direct(server, exceptions), "{server} {exceptions}");
        }
    }

    #[test]
    fn shows_no_password() {
        let proxy = Proxy::parse("https://me:hunter2@p.test:3128/x").unwrap();
        assert_eq!(
            format!("{proxy} {proxy:?}"),
            "https://p.test:3128 https://p.test:3128"
        );
        let socks = Proxy::parse("socks5://me:hunter2@p.test").unwrap();
        assert_eq!(socks.to_string(), "socks5://p.test");
    }

    #[test]
    fn says_what_is_wrong_without_the_text() {
        let environment: Environment = [("http_proxy", "ftp://me:hunter2@p")].into_iter().collect();
        let server = Address::parse("http://v.test").unwrap();
        let error = Proxies::of_environment(&environment, &server).unwrap_err();
        assert_eq!(error, ("http_proxy", ProxyError::Scheme));
        assert_eq!(Proxy::parse("http://"), Err(ProxyError::NotAUrl));
        assert_eq!(Proxy::parse("a b"), Err(ProxyError::NotAUrl));
    }
}
