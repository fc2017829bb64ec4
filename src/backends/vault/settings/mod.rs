//! Vault's settings: from the options to typed values, checked without a request. AVP's texts where it has one
//! (`avp-compat.md` 9.5); they name settings and origins, never values.

mod tls;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::tls::tls;
use self::value::{described, duration, flag, number, parse_bool, wrong};
use super::auth::{self, Method};
use crate::backends::registry::SettingsError;
use crate::clients::http::{Config, Headers};
use crate::clients::proxy::{Proxies, Proxy};
use crate::clients::rate::Rate;
use crate::clients::retry::Policy;
use crate::clients::srv::Srv;
use crate::clients::{Address, AddressError};
use crate::env::{Environment, Options};

pub(super) use self::tls::{client_key, read_file, shown};
pub(super) use self::value::{called, first_set, header_text, is_structured, setup};

/// All keys: AVP's name and the dotted name of the structured form.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("AVP_AUTH_TYPE", "auth.type"),
    ("AVP_GITHUB_TOKEN", "auth.githubToken"),
    ("AVP_JWT", "auth.jwt"),
    ("AVP_JWT_PATH", "auth.jwtPath"),
    ("AVP_K8S_MOUNT_PATH", "auth.kubernetesMount"),
    ("AVP_K8S_ROLE", "auth.kubernetesRole"),
    ("AVP_K8S_TOKEN_PATH", "auth.tokenPath"),
    ("AVP_KV_VERSION", "kvVersion"),
    ("AVP_MOUNT_PATH", "auth.mount"),
    ("AVP_PASSWORD", "auth.password"),
    ("AVP_ROLE", "auth.role"),
    ("AVP_ROLE_ID", "auth.roleId"),
    ("AVP_SECRET_ID", "auth.secretId"),
    ("AVP_SECRET_ID_WRAPPED", "auth.wrappedSecretId"),
    ("AVP_SECRET_ID_WRAPPED_PATH", "auth.wrappedSecretIdPath"),
    ("AVP_USERNAME", "auth.username"),
    ("HOME", "home"),
    ("MANIFUSE_TOKEN_CACHE", "tokenCache"),
    ("MANIFUSE_VAULT_DNS_SERVER", "dnsServer"),
    ("MANIFUSE_VAULT_RETRY_WAIT", "retryWait"),
    ("VAULT_ADDR", "address"),
    ("VAULT_AGENT_ADDR", "agentAddress"),
    ("VAULT_CACERT", "caCert"),
    ("VAULT_CACERT_BYTES", "caCertBytes"),
    ("VAULT_CAPATH", "caPath"),
    ("VAULT_CLIENT_CERT", "clientCert"),
    ("VAULT_CLIENT_KEY", "clientKey"),
    ("VAULT_CLIENT_TIMEOUT", "timeout"),
    ("VAULT_DISABLE_REDIRECTS", "disableRedirects"),
    ("VAULT_HEADERS", "headers"),
    ("VAULT_HTTP_PROXY", "httpProxy"),
    ("VAULT_MAX_RETRIES", "maxRetries"),
    ("VAULT_NAMESPACE", "namespace"),
    ("VAULT_PROXY_ADDR", "proxy"),
    ("VAULT_RATE_LIMIT", "rateLimit"),
    ("VAULT_SKIP_VERIFY", "skipVerify"),
    ("VAULT_SRV_LOOKUP", "srvLookup"),
    ("VAULT_TLS_SERVER_NAME", "tlsServerName"),
    ("VAULT_TOKEN", "auth.token"),
    ("VAULT_WRAP_TTL", "wrapTtl"),
];

const WITHOUT_A_PROXY: &str = "leave out the name, or the proxy: by VAULT_PROXY_ADDR, VAULT_HTTP_PROXY, or HTTPS_PROXY (NO_PROXY names hosts to reach without it)";

/// What a Vault backend runs on.
pub(super) struct Settings {
    pub(super) http: Config,
    /// Names the setting that holds the address, for hints.
    pub(super) address_from: String,
    pub(super) namespace: Option<String>,
    pub(super) method: Method,
    pub(super) kv_version: String,
    /// Where tokens are kept between runs, if they are.
    pub(super) cache_folder: Option<PathBuf>,
    /// What is hardly meant, for a warning each.
    pub(super) odd: Vec<SettingsError>,
}

impl Settings {
    /// Reads and checks all settings. The environment says only which proxy the system has.
    pub(super) fn parse(
        options: &Options,
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let method = auth::parse(options)?;
        let (key, address) = address(options)?;
        let timeout = duration(options, "VAULT_CLIENT_TIMEOUT")?.unwrap_or(Duration::from_mins(1));
        let http = Config {
            proxies: proxies(options, environment, &address)?,
            address,
            tls: tls(options)?,
            headers: headers(options)?,
            srv: srv(options)?,
            rate: rate(options)?,
            retry: Policy {
                retries: number(options, "VAULT_MAX_RETRIES")?.unwrap_or(2),
                first_wait: duration(options, "MANIFUSE_VAULT_RETRY_WAIT")?
                    .unwrap_or(Duration::from_millis(500)),
            },
            timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
            follow_redirect: !flag(options, "VAULT_DISABLE_REDIRECTS")?,
        };
        if http.tls.server_name.is_some() && http.is_tls_proxied() {
            let problem = "it does not work through a proxy";
            return Err(wrong(options, "VAULT_TLS_SERVER_NAME", problem).hint(WITHOUT_A_PROXY));
        }
        Ok(Self {
            http,
            address_from: described(options, key),
            namespace: header_text(options, "VAULT_NAMESPACE")?,
            odd: method.odd(options),
            method,
            kv_version: kv_version(options)?,
            cache_folder: cache_folder(options)?,
        })
    }
}

/// The address and the key it came from. An agent's address wins.
fn address(options: &Options) -> Result<(&'static str, Address), SettingsError> {
    let key = first_set(options, &["VAULT_AGENT_ADDR", "VAULT_ADDR"]).unwrap_or("VAULT_ADDR");
    let text = options.text(key).unwrap_or("https://127.0.0.1:8200");
    let address = Address::parse(text.trim()).map_err(|error: AddressError| {
        wrong(options, key, error).hint("for example https://vault.example.com:8200")
    })?;
    Ok((key, address))
}

/// The proxy of a setting, for all addresses; else that of the system, for those that it is for.
fn proxies(
    options: &Options,
    environment: &Environment,
    address: &Address,
) -> Result<Proxies, SettingsError> {
    let hint = "for example http://proxy.example.com:3128";
    if let Some(key) = first_set(options, &["VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY"]) {
        let text = options.text(key).unwrap_or_default();
        let proxy = Proxy::parse(text).map_err(|error| wrong(options, key, error).hint(hint))?;
        return Ok(Proxies::of_setting(proxy));
    }
    Proxies::of_environment(environment, address)
        .map_err(|(name, error)| setup(&format!("{name}: {error}")).hint(hint))
}

/// `VAULT_HEADERS` of newer clients: a JSON object of texts.
fn headers(options: &Options) -> Result<Headers, SettingsError> {
    let key = "VAULT_HEADERS";
    let Some(text) = options.text(key) else {
        return Ok(Headers::default());
    };
    let read: Result<std::collections::BTreeMap<String, String>, _> = serde_json::from_str(text);
    let read = read.map_err(|_| {
        wrong(options, key, "it is no JSON object of texts").hint(r#"for example {"X-Team": "a"}"#)
    })?;
    let mut headers = Headers::default();
    for (name, value) in read {
        if name.to_ascii_lowercase().starts_with("x-vault-") {
            return Err(wrong(
                options,
                key,
                "headers that begin with X-Vault- are for Vault's client itself",
            ));
        }
        headers
            .insert(&name, &value)
            .map_err(|error| wrong(options, key, error))?;
    }
    Ok(headers)
}

fn srv(options: &Options) -> Result<Option<Srv>, SettingsError> {
    let key = "MANIFUSE_VAULT_DNS_SERVER";
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| wrong(options, key, "it must be ADDRESS:PORT"))
    };
    let server = options.text(key).map(parse).transpose()?;
    let is_on = flag(options, "VAULT_SRV_LOOKUP")?;
    Ok(is_on.then_some(Srv { server }))
}

fn rate(options: &Options) -> Result<Option<Rate>, SettingsError> {
    let key = "VAULT_RATE_LIMIT";
    let Some(text) = options.text(key) else {
        return Ok(None);
    };
    Rate::parse(text).map_err(|_| {
        let key = described(options, key);
        setup(&format!("{key} was provided but incorrectly formatted"))
            .hint("give requests per second, and how many may come at once: 10 or 10:20")
    })
}

/// AVP looks at it only after a read.
fn kv_version(options: &Options) -> Result<String, SettingsError> {
    let key = "AVP_KV_VERSION";
    let version = options.text(key).unwrap_or("2");
    if matches!(version, "1" | "2") {
        return Ok(version.to_owned());
    }
    let set = described(options, key);
    let error = SettingsError::new(format!("Unsupported kvVersion specified: {set}"));
    Err(error.about(key).hint("it is 1 or 2"))
}

fn cache_folder(options: &Options) -> Result<Option<PathBuf>, SettingsError> {
    let key = "MANIFUSE_TOKEN_CACHE";
    let is_on = match options.text(key) {
        None | Some("on") => true,
        Some("off") => false,
        Some(text) => {
            parse_bool(text).ok_or_else(|| wrong(options, key, "it must be on or off"))?
        }
    };
    let home = options.text("HOME").map(Path::new);
    Ok(home
        .filter(|home| is_on && home.is_absolute())
        .map(|home| home.join(".avp")))
}
