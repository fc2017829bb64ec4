//! TLS settings and the files that settings name.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::value::{first_set, flag, setup, wrong};
use crate::clients::tls::{Tls, TlsError};
use crate::diagnostics::io_reason;
use crate::env::{Options, SettingsError};
use crate::secret::Text;

/// No certificate, key or token of a service account is larger.
const LARGEST_FILE: u64 = 1 << 20;

/// Whom to trust and who we are.
pub(super) fn tls(options: &Options) -> Result<Tls, SettingsError> {
    let mut tls = Tls::default();
    tls.skip_verify = flag(options, "VAULT_SKIP_VERIFY")?;
    tls.server_name = server_name(options)?;
    if let Some(key) = first_set(
        options,
        &["VAULT_CACERT", "VAULT_CACERT_BYTES", "VAULT_CAPATH"],
    ) {
        let trusted = tls.trust_only(&authorities(options, key)?);
        trusted.map_err(|error: TlsError| wrong(options, key, error))?;
    }
    if let Some((certificate, key)) = client_pair(options)? {
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
    Ok(tls)
}

/// The authorities of the setting that counts, each text as PEM.
fn authorities(
    options: &Options,
    key: &'static str,
) -> Result<Vec<Zeroizing<Vec<u8>>>, SettingsError> {
    let path = options.path(key).unwrap_or_default();
    match key {
        "VAULT_CACERT_BYTES" => {
            let pem = options.text(key).unwrap_or_default();
            Ok(vec![pem.as_bytes().to_vec().into()])
        }
        "VAULT_CAPATH" => folder(options, key, &path),
        _ => Ok(vec![file(options, key, &path)?]),
    }
}

/// The files of the client certificate and its key: both or none.
fn client_pair(options: &Options) -> Result<Option<(PathBuf, PathBuf)>, SettingsError> {
    match (
        options.path("VAULT_CLIENT_CERT"),
        options.path("VAULT_CLIENT_KEY"),
    ) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        _ => Err(setup("both client cert and client key must be provided")),
    }
}

/// The private key of the client certificate, if there is one.
pub fn client_key(options: &Options) -> Result<Option<Text>, SettingsError> {
    let Some((_, path)) = client_pair(options)? else {
        return Ok(None);
    };
    let mut pem = file(options, "VAULT_CLIENT_KEY", &path)?;
    Ok(Some(Text::from(std::mem::take(&mut *pem))))
}

fn file(
    options: &Options,
    key: &'static str,
    path: &Path,
) -> Result<Zeroizing<Vec<u8>>, SettingsError> {
    read_file(path).map_err(|error| unreadable(options, key, "file", path, &error))
}

/// Names the path, unless it may be something else in its place: the key itself, or a word without a folder.
fn unreadable(
    options: &Options,
    key: &'static str,
    what: &str,
    path: &Path,
    error: &io::Error,
) -> SettingsError {
    let reason = io_reason(error);
    let shown = shown(path).filter(|path| path.contains('/') && key != "VAULT_CLIENT_KEY");
    let shown = shown.map_or(String::new(), |path| format!(" {path}"));
    wrong(
        options,
        key,
        format_args!("the {what}{shown} cannot be read: {reason}"),
    )
}

/// A path for people. What no system takes for one is rather the content in the place of its path.
pub fn shown(path: &Path) -> Option<String> {
    const LONGEST_NAME: usize = 255;
    let text = path.display().to_string();
    let is_path = path.iter().all(|name| name.len() <= LONGEST_NAME);
    (is_path && !text.contains(char::is_control)).then_some(text)
}

/// A certificate, key or token. Its path may come from an application (`ARGOCD_ENV_…`), so that it could be a pipe, which
/// never ends, or a device, which never stops.
pub fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
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
    key: &'static str,
    path: &Path,
) -> Result<Vec<Zeroizing<Vec<u8>>>, SettingsError> {
    let unreadable = |error| unreadable(options, key, "folder", path, &error);
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

#[cfg(test)]
mod tests {
    use super::*;

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
