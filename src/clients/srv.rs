//! Where a service is, by its SRV records in DNS: `_http._tcp.HOST`, as Vault's client looks it up.

use std::net::SocketAddr;
use std::str::FromStr;

use domain::base::name::{Name, RelativeName, ToName};
use domain::resolv::StubResolver;
use domain::resolv::lookup::lookup_srv;
use domain::resolv::resolver::SearchNames;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};

/// A wish for the look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Srv {
    /// The DNS server to ask instead of the system's.
    pub server: Option<SocketAddr>,
}

/// Nobody listens on it: tells an answer from the library's fallback to the bare host.
const NO_PORT: u16 = 0;

impl Srv {
    /// Host and port of the record that comes first by priority and weight. `None` when there is none, or no answer: then
    /// the host itself is tried.
    pub(crate) async fn look_up(self, host: &str) -> Option<(String, u16)> {
        let resolver = self.resolver();
        let host: Name<Vec<u8>> = Name::from_str(host).ok()?;
        let mut names = vec![host.clone()];
        let relative = host.into_relative();
        let below = |suffix| {
            relative
                .clone()
                .chain(suffix)
                .ok()
                .map(|name| name.to_vec())
        };
        names.extend(resolver.search_iter().filter_map(below));
        for name in names {
            let service: RelativeName<Vec<u8>> = RelativeName::from_str("_http._tcp").ok()?;
            let found = lookup_srv(&resolver, service, name, NO_PORT).await;
            let first = found.ok().flatten().and_then(|all| all.into_srvs().next());
            if let Some(first) = first.filter(|first| first.port() != NO_PORT) {
                return Some((first.target().to_string(), first.port()));
            }
        }
        None
    }

    fn resolver(self) -> StubResolver {
        let Some(server) = self.server else {
            return StubResolver::new();
        };
        let mut conf = ResolvConf::new();
        conf.servers
            .push(ServerConf::new(server, Transport::UdpTcp));
        conf.finalize();
        StubResolver::from_conf(conf)
    }
}
