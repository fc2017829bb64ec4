//! The HTTP client of all AWS clients: the roots of `AWS_CA_BUNDLE`, which the SDK alone ignores, and the proxy for TLS
//! out of our snapshot. Plain HTTP (the metadata of an instance or a container) goes no way round.

use std::collections::HashMap;
use std::fs;

use aws_sdk_kms::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};

use crate::clients::cloud::{Error, ErrorKind};
use crate::clients::proxy::Proxy;
use crate::clients::tls::Tls;
use crate::diagnostics::io_reason;

const BUNDLE: &str = "AWS_CA_BUNDLE";

/// What this machine reaches without a proxy, as in Go's client.
const LOCAL: &str = "localhost,127.0.0.1,::1";

/// Connections to AWS, shared by all services and logins.
pub(super) struct Transport {
    client: SharedHttpClient,
}

impl Transport {
    /// Out of the variables. What they name must be right.
    pub(super) fn new(variables: &HashMap<String, String>) -> Result<Self, Error> {
        let set = |name: &str| variables.get(name).filter(|text| !text.is_empty());
        let tls = TlsContext::builder().with_trust_store(roots(set(BUNDLE))?);
        let tls = tls
            .build()
            .map_err(|_| Error::new(ErrorKind::Settings, "TLS for AWS cannot be set up"))?;
        let either = |upper: &str, lower: &str| set(upper).or_else(|| set(lower));
        let exceptions = either("NO_PROXY", "no_proxy").map_or("", String::as_str);
        let proxy = match either("HTTPS_PROXY", "https_proxy") {
            Some(text) => Some(proxy(text)?.no_proxy(format!("{exceptions},{LOCAL}"))),
            None => None,
        };
        let connect = move |settings: Option<&_>, components: Option<&RuntimeComponents>| {
            let provider = Provider::Rustls(CryptoMode::AwsLc);
            let mut connector = Connector::builder()
                .tls_provider(provider)
                .tls_context(tls.clone());
            connector.set_proxy_config(proxy.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector.build()
        };
        Ok(Self {
            client: Builder::new().build_with_connector_fn(connect),
        })
    }

    pub(super) fn client(&self) -> SharedHttpClient {
        self.client.clone()
    }
}

/// The system's roots, or those of a file instead.
fn roots(bundle: Option<&String>) -> Result<TrustStore, Error> {
    let Some(path) = bundle else {
        return Ok(TrustStore::default());
    };
    let wrong = |reason: String| {
        Error::new(
            ErrorKind::Settings,
            format!("{BUNDLE} ({path}) cannot be used: {reason}"),
        )
    };
    let pem = fs::read(path).map_err(|error| wrong(io_reason(&error)))?;
    // The SDK panics on what is no certificate.
    let checked = Tls::default().trust_only(&[&pem]);
    checked.map_err(|error| wrong(error.to_string()))?;
    Ok(TrustStore::empty().with_pem_certificate(pem))
}

fn proxy(text: &str) -> Result<ProxyConfig, Error> {
    let wrong = || {
        Error::new(
            ErrorKind::Settings,
            "HTTPS_PROXY is not the URL of a proxy that AWS clients can use",
        )
    };
    let proxy = Proxy::parse(text).map_err(|_| wrong())?;
    ProxyConfig::https(proxy.expose()).map_err(|_| wrong())
}
