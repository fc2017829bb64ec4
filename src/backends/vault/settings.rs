//! Vault's settings: from the options to typed values, checked without a request. AVP's texts where it has one
//! (`avp-compat.md` 9.5); they name settings and origins, never values.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::auth::{self, Method};
use crate::backends::registry::SettingsError;
use crate::clients::http::Config;
use crate::clients::retry::Policy;
use crate::clients::tls::{Tls, TlsError};
use crate::clients::{Address, AddressError};
use crate::diagnostics::io_reason;
use crate::env::{Options, Origin};

/// All keys: AVP's name and the dotted name of the structured form.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("AVP_AUTH_TYPE", "auth.type"),
    ("AVP_GITHUB_TOKEN", "auth.githubToken"),
    ("AVP_K8S_MOUNT_PATH", "auth.kubernetesMount"),
    ("AVP_K8S_ROLE", "auth.role"),
    ("AVP_K8S_TOKEN_PATH", "auth.tokenPath"),
    ("AVP_KV_VERSION", "kvVersion"),
    ("AVP_MOUNT_PATH", "auth.mount"),
    ("AVP_PASSWORD", "auth.password"),
    ("AVP_ROLE_ID", "auth.roleId"),
    ("AVP_SECRET_ID", "auth.secretId"),
    ("AVP_USERNAME", "auth.username"),
    ("HOME", "home"),
    ("MANIFUSE_TOKEN_CACHE", "tokenCache"),
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
    ("VAULT_MAX_RETRIES", "maxRetries"),
    ("VAULT_NAMESPACE", "namespace"),
    ("VAULT_SKIP_VERIFY", "skipVerify"),
    ("VAULT_TLS_SERVER_NAME", "tlsServerName"),
    ("VAULT_TOKEN", "auth.token"),
    ("VAULT_WRAP_TTL", "wrapTtl"),
];

/// No certificate, key or token of a service account is larger.
const LARGEST_FILE: u64 = 1 << 20;

/// What a Vault backend runs on.
pub(super) struct Settings {
    pub(super) http: Config,
    /// Names the setting that holds the address, for hints.
    pub(super) address_from: String,
    pub(super) namespace: Option<String>,
    pub(super) method: Method,
    /// Only looked at after a read, as in AVP.
    pub(super) kv_version: String,
    /// Where tokens are kept between runs, if they are.
    pub(super) cache_folder: Option<PathBuf>,
}

impl Settings {
    /// Reads and checks all settings.
    pub(super) fn parse(options: &Options) -> Result<Self, SettingsError> {
        let method = auth::parse(options)?;
        let (key, address) = address(options)?;
        let timeout = duration(options, "VAULT_CLIENT_TIMEOUT")?.unwrap_or(Duration::from_mins(1));
        let http = Config {
            address,
            tls: tls(options)?,
            retry: Policy {
                retries: number(options, "VAULT_MAX_RETRIES")?.unwrap_or(2),
                first_wait: duration(options, "MANIFUSE_VAULT_RETRY_WAIT")?
                    .unwrap_or(Duration::from_millis(500)),
            },
            timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
            follow_redirect: !flag(options, "VAULT_DISABLE_REDIRECTS")?,
        };
        Ok(Self {
            http,
            address_from: described(options, key),
            namespace: header_text(options, "VAULT_NAMESPACE")?,
            method,
            kv_version: options.text("AVP_KV_VERSION").unwrap_or("2").to_owned(),
            cache_folder: cache_folder(options)?,
        })
    }
}

/// The address and the key it came from. An agent's address wins, but not one that merely lies in the environment
/// over an address that a named instance was given.
fn address(options: &Options) -> Result<(&'static str, Address), SettingsError> {
    let agent_wins =
        !is_structured(options, "VAULT_ADDR") || is_structured(options, "VAULT_AGENT_ADDR");
    let agent = options.text("VAULT_AGENT_ADDR").filter(|_| agent_wins);
    let (key, text) = match (agent, options.text("VAULT_ADDR")) {
        (Some(text), _) => ("VAULT_AGENT_ADDR", text),
        (None, Some(text)) => ("VAULT_ADDR", text),
        (None, None) => ("VAULT_ADDR", "https://127.0.0.1:8200"),
    };
    let address = Address::parse(text.trim()).map_err(|error: AddressError| {
        wrong(options, key, error).hint("for example https://vault.example.com:8200")
    })?;
    Ok((key, address))
}

/// Whether a key was set in the structured form of a named instance.
pub(super) fn is_structured(options: &Options, key: &str) -> bool {
    match options.get(key).map(|setting| &setting.origin) {
        Some(Origin::File { key: written, .. }) => !written.eq_ignore_ascii_case(key),
        _ => false,
    }
}

fn tls(options: &Options) -> Result<Tls, SettingsError> {
    let mut tls = Tls::default();
    tls.skip_verify = flag(options, "VAULT_SKIP_VERIFY")?;
    tls.server_name = server_name(options)?;
    let ca = if let Some(path) = options.path("VAULT_CACERT") {
        Some(("VAULT_CACERT", vec![file(options, "VAULT_CACERT", &path)?]))
    } else if let Some(pem) = options.text("VAULT_CACERT_BYTES") {
        Some(("VAULT_CACERT_BYTES", vec![pem.as_bytes().to_vec().into()]))
    } else if let Some(path) = options.path("VAULT_CAPATH") {
        Some(("VAULT_CAPATH", folder(options, "VAULT_CAPATH", &path)?))
    } else {
        None
    };
    if let Some((key, pems)) = ca {
        let trusted = tls.trust_only(&pems);
        trusted.map_err(|error: TlsError| wrong(options, key, error))?;
    }
    match (
        options.path("VAULT_CLIENT_CERT"),
        options.path("VAULT_CLIENT_KEY"),
    ) {
        (None, None) => {}
        (Some(certificate), Some(key)) => {
            let certificate = file(options, "VAULT_CLIENT_CERT", &certificate)?;
            let key = file(options, "VAULT_CLIENT_KEY", &key)?;
            tls.identify(&certificate, &key).map_err(|error| {
                let key = match error {
                    TlsError::BadKey => "VAULT_CLIENT_KEY",
                    _ => "VAULT_CLIENT_CERT",
                };
                wrong(options, key, error)
            })?;
        }
        _ => return Err(setup("both client cert and client key must be provided")),
    }
    Ok(tls)
}

fn file(options: &Options, key: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, SettingsError> {
    let unreadable = |error| {
        let reason = io_reason(&error);
        wrong(
            options,
            key,
            format_args!("the file cannot be read: {reason}"),
        )
    };
    read_file(path).map_err(unreadable)
}

/// A certificate, key or token. Its path may come from an application (`ARGOCD_ENV_…`), so that it could be a pipe, which
/// never ends, or a device, which never stops.
pub(super) fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(path)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    if read as u64 > LARGEST_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// All files of a folder, as OpenSSL's certificate folders are laid out.
fn folder(
    options: &Options,
    key: &str,
    path: &Path,
) -> Result<Vec<Zeroizing<Vec<u8>>>, SettingsError> {
    let unreadable = |error| {
        let reason = io_reason(&error);
        wrong(
            options,
            key,
            format_args!("the folder cannot be read: {reason}"),
        )
    };
    let mut paths: Vec<PathBuf> = fs::read_dir(path)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    paths.sort();
    let files = paths.iter().filter(|path| path.is_file());
    files
        .map(|path| read_file(path).map_err(unreadable))
        .collect()
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

/// A text that is sent in a header or names a host: printable, or the request would fail later and less clearly.
pub(super) fn header_text(options: &Options, key: &str) -> Result<Option<String>, SettingsError> {
    match options.text(key) {
        Some(text) if text.chars().any(char::is_control) => {
            Err(
                wrong(options, key, "it holds a line end or a control character")
                    .hint("a value out of a Secret often ends in a line end: store it without"),
            )
        }
        text => Ok(text.map(ToOwned::to_owned)),
    }
}

/// The name to ask TLS for.
fn server_name(options: &Options) -> Result<Option<String>, SettingsError> {
    let key = "VAULT_TLS_SERVER_NAME";
    let Some(name) = options.text(key) else {
        return Ok(None);
    };
    // An address would go out without SNI and is never looked up.
    let is_host_name = name.parse::<std::net::IpAddr>().is_err()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    if !is_host_name {
        return Err(wrong(options, key, "it is no host name"));
    }
    Ok(Some(name.to_owned()))
}

fn flag(options: &Options, key: &str) -> Result<bool, SettingsError> {
    let parse = |text| parse_bool(text).ok_or_else(|| unparseable(options, key, "true or false"));
    options.text(key).map_or(Ok(false), parse)
}

fn number(options: &Options, key: &str) -> Result<Option<u32>, SettingsError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|_| unparseable(options, key, "a number"))
    };
    options.text(key).map(parse).transpose()
}

fn duration(options: &Options, key: &str) -> Result<Option<Duration>, SettingsError> {
    let expected = "seconds, or a duration like 1m30s or 500ms";
    let parse = |text| parse_duration(text).ok_or_else(|| unparseable(options, key, expected));
    options.text(key).map(parse).transpose()
}

/// A truth value as Go spells it.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Whole seconds, or a duration as Go spells it (`1m30s`, `1.5h`); no negative ones.
fn parse_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, tail) = tail.split_at(letters.unwrap_or(tail.len()));
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(amount.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total).filter(|_| !text.is_empty())
}

/// What a setting is called in a message: its key, and where it came from if that is not plain from the key.
fn described(options: &Options, key: &str) -> String {
    match options.get(key).map(|setting| &setting.origin) {
        None => format!("{key} (not set)"),
        Some(Origin::Environment(name)) if name == key => key.to_owned(),
        Some(origin) => format!("{key} ({origin})"),
    }
}

const SETUP: &str = "error encountered setting up default configuration";

fn setup(text: &str) -> SettingsError {
    SettingsError {
        message: format!("{SETUP}: {text}"),
        hint: None,
    }
}

/// AVP's words for a value that cannot be read; what would be right is the hint.
fn unparseable(options: &Options, key: &str, expected: &str) -> SettingsError {
    setup(&format!("could not parse {}", described(options, key))).hint(&format!("give {expected}"))
}

fn wrong(options: &Options, key: &str, problem: impl std::fmt::Display) -> SettingsError {
    setup(&format!("{}: {problem}", described(options, key)))
}

impl SettingsError {
    fn hint(self, hint: &str) -> Self {
        Self {
            hint: Some(hint.to_owned()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_what_go_takes() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        for (text, expected) in [
            ("0", 0),
            ("90", 90_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("2d", 172_800_000),
            ("0s", 0),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "-1",
            "1x",
            "s",
            "1m30",
            "1e3s",
            ".s",
            "99999999999999999999h",
            "1 s",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn truth_values_are_those_of_go() {
        assert_eq!(parse_bool("T"), Some(true));
        assert_eq!(parse_bool("0"), Some(false));
        for text in ["", "yes", "on", "TrUe", "2"] {
            assert_eq!(parse_bool(text), None, "{text}");
        }
    }

    #[test]
    fn only_small_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "x").unwrap();
        assert_eq!(*read_file(&path).unwrap(), b"x");
        File::create(&path)
            .unwrap()
            .set_len(LARGEST_FILE + 1)
            .unwrap();
        let too_large = read_file(&path).unwrap_err();
        assert_eq!(too_large.kind(), io::ErrorKind::FileTooLarge);
        for odd in [Path::new("/dev/zero"), folder.path()] {
            assert_eq!(
                read_file(odd).unwrap_err().to_string(),
                "it is not a regular file"
            );
        }
    }
}
