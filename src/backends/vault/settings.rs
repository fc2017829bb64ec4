//! Vault's settings: from the options to typed values, checked without a request. AVP's texts where it has one
//! (`avp-compat.md` 9.5); they name settings and origins, never values.

use std::path::{Path, PathBuf};

use super::auth::{self, Method};
use crate::backends::registry::SettingsError;
use crate::clients::http::Config;
use crate::clients::vault::{self, first_set, header_text, parse_bool, wrong};
use crate::clients::{Address, AddressError};
use crate::env::{Environment, Options, Origin};

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
    ("MANIFUSE_VAULT_AWS_REGION", "auth.awsRegion"),
    ("MANIFUSE_VAULT_AWS_SERVER_ID", "auth.awsServerId"),
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
    /// Reads and checks all settings. The environment says which proxy the system has, and who one is at AWS.
    pub(super) fn parse(
        options: &Options,
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let method = auth::parse(options, environment)?;
        let (key, address) = address(options)?;
        let http = vault::config(options, environment, address)?;
        Ok(Self {
            http,
            address_from: options.described(key),
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

/// AVP looks at it only after a read.
fn kv_version(options: &Options) -> Result<String, SettingsError> {
    let key = "AVP_KV_VERSION";
    let version = options.text(key).unwrap_or("2");
    if matches!(version, "1" | "2") {
        return Ok(version.to_owned());
    }
    let set = options.described(key);
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

/// What a user calls a setting: in a named instance by its dotted name, unless a plain variable sets it.
pub(super) fn called(options: &Options, key: &'static str) -> &'static str {
    let is_plain = matches!(options.get(key), Some(setting) if matches!(setting.origin, Origin::Environment(_)));
    let dotted = KEYS.iter().find(|(known, _)| *known == key);
    match dotted {
        Some((_, dotted)) if options.is_named() && !is_plain => dotted,
        _ => key,
    }
}
