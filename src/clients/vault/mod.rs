//! A client of Vault (and its fork `OpenBao`) as the variables of its own tools set it up: connection, TLS, proxies,
//! limits, and what every request carries. What is asked, and with which token, is the caller's business.

mod path;
mod tls;
mod value;
mod words;

use std::time::Duration;

use super::Address;
use super::http::{Call, Client, Config, Headers};
use super::proxy::{Proxies, Proxy};
use super::rate::Rate;
use super::retry::Policy;
use super::srv::Srv;
use crate::env::{Environment, Options, SettingsError};
use crate::secret::Text;

pub use self::path::{LeavesApi, clean, encode, encode_segment};
use self::tls::tls;
pub use self::tls::{client_key, read_file, shown};
use self::value::{duration, flag, number};
pub use self::value::{first_set, header_text, parse_bool, setup, wrong};
pub use self::words::{errors, one_line, strike};

const WITHOUT_A_PROXY: &str = "leave out the name, or the proxy: by VAULT_PROXY_ADDR, VAULT_HTTP_PROXY, or HTTPS_PROXY (NO_PROXY names hosts to reach without it)";

/// How to reach the server at an address. The environment says only which proxy the system has.
pub fn config(
    options: &Options,
    environment: &Environment,
    address: Address,
) -> Result<Config, SettingsError> {
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
    Ok(http)
}

/// A client that has not connected yet.
pub fn client(config: Config) -> Result<Client, SettingsError> {
    Client::new(config).map_err(|error| SettingsError {
        hint: error.causes().first().cloned(),
        ..setup(&error.to_string())
    })
}

/// Adds what every request carries.
pub fn sign(call: &mut Call, token: Option<&Text>, namespace: Option<&str>) {
    call.headers.push(("X-Vault-Request", "true".into()));
    if let Some(token) = token {
        call.headers.push(("X-Vault-Token", token.clone()));
    }
    if let Some(namespace) = namespace {
        call.headers.push(("X-Vault-Namespace", namespace.into()));
    }
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
        let key = options.described(key);
        setup(&format!("{key} was provided but incorrectly formatted"))
            .hint("give requests per second, and how many may come at once: 10 or 10:20")
    })
}
