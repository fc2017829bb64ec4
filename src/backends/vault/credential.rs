//! What proves who logs in: a setting, a file that is read at each login, the client certificate of the connection, or what
//! is made for each login.

use std::fmt;
use std::path::{Path, PathBuf};
use std::slice;

use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::backends::registry::SettingsError;
use crate::backends::{Error, ErrorKind};
use crate::clients::vault::{client_key, first_set, read_file, shown};
use crate::diagnostics::io_reason;
use crate::env::{Environment, Options};
use crate::secret::Text;

/// Where a kind of login may find its proof.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// The value of this setting.
    Text(&'static str),
    /// The file that this setting names, or one that is there by custom.
    File(&'static str, Option<&'static str>),
    /// The value of this setting is a wrapping token, and the proof is what it holds.
    WrappedText(&'static str),
    /// The same in a file.
    WrappedFile(&'static str),
    /// The key of the client certificate: TLS sends the proof.
    ClientCertificate,
    /// Made at each login, by these settings.
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only AWS has such"))]
    Made(&'static [&'static str], Opener),
}

/// Checks the settings of what makes proofs.
pub(super) type Opener = fn(&Options, &Environment) -> Result<Box<dyn Maker>, SettingsError>;

/// Makes proofs.
pub(super) trait Maker: Send + Sync {
    /// The fields of the login besides the proof.
    fn fields(&self) -> Vec<(&'static str, String)>;

    /// A new proof.
    fn make(&self, deadline: Instant) -> BoxFuture<'_, Result<Proof, Error>>;
}

/// What proves who logs in.
pub(super) struct Proof {
    /// As it is sent.
    pub(super) text: Text,
    /// What it holds in other letters, and no message may hold.
    pub(super) inside: Vec<Text>,
}

/// A proof, or where to read it.
pub(super) struct Credential {
    /// The setting that it came from.
    pub(super) key: &'static str,
    /// Whether it is only a token for the proof, to be exchanged at the server.
    pub(super) is_wrapped: bool,
    held: Held,
}

enum Held {
    Given(Text),
    /// Read at each login: Kubernetes replaces the file every hour.
    File(PathBuf),
    /// The file that is there by custom.
    CustomaryFile(PathBuf),
    Made(Box<dyn Maker>),
}

impl Source {
    /// The setting that says it.
    fn key(&self) -> &'static str {
        self.keys().first().expect("each source has a setting")
    }

    /// All settings that are about it.
    pub(super) fn keys(&self) -> &[&'static str] {
        match self {
            Self::Text(key)
            | Self::File(key, _)
            | Self::WrappedText(key)
            | Self::WrappedFile(key) => slice::from_ref(key),
            Self::ClientCertificate => &["VAULT_CLIENT_KEY"],
            Self::Made(keys, _) => keys,
        }
    }

    fn held(
        self,
        options: &Options,
        environment: &Environment,
    ) -> Result<Option<Held>, SettingsError> {
        Ok(match self {
            Self::Text(key) | Self::WrappedText(key) => {
                options.text(key).map(|text| Held::Given(text.into()))
            }
            Self::File(key, custom) => options
                .path(key)
                .map(Held::File)
                .or_else(|| custom.map(|path| Held::CustomaryFile(path.into()))),
            Self::WrappedFile(key) => options.path(key).map(Held::File),
            Self::ClientCertificate => client_key(options)?.map(Held::Given),
            Self::Made(_, open) => Some(Held::Made(open(options, environment)?)),
        })
    }
}

impl Credential {
    /// From the nearest of these sources; `None` when none is set.
    pub(super) fn parse(
        sources: &'static [Source],
        options: &Options,
        environment: &Environment,
    ) -> Result<Option<Self>, SettingsError> {
        let keys: Vec<_> = sources.iter().map(Source::key).collect();
        let set = first_set(options, &keys);
        let source = sources.iter().find(|source| Some(source.key()) == set);
        let source = source.unwrap_or(&sources[0]);
        let held = source.held(options, environment)?;
        Ok(held.map(|held| Self {
            key: source.key(),
            is_wrapped: matches!(source, Source::WrappedText(_) | Source::WrappedFile(_)),
            held,
        }))
    }

    /// The proof, or the token for it. What is a setting cannot fail.
    pub(super) async fn load(&self, deadline: Instant) -> Result<Proof, Error> {
        let text = match &self.held {
            Held::Given(text) => text.clone(),
            Held::File(path) | Held::CustomaryFile(path) => {
                read(path).map_err(|cause| self.unreadable(path, &cause))?
            }
            Held::Made(maker) => return maker.make(deadline).await,
        };
        let inside = Vec::new();
        Ok(Proof { text, inside })
    }

    /// Whether each login has another proof, so that none tells by its hash whose token was kept.
    pub(super) fn is_made(&self) -> bool {
        matches!(self.held, Held::Made(_))
    }

    /// The fields of the login besides the proof and who logs in.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        match &self.held {
            Held::Made(maker) => maker.fields(),
            _ => Vec::new(),
        }
    }

    /// The proof, as far as it is a setting.
    pub(super) fn given(&self) -> Option<&Text> {
        match &self.held {
            Held::Given(text) => Some(text),
            Held::File(_) | Held::CustomaryFile(_) | Held::Made(_) => None,
        }
    }

    fn unreadable(&self, path: &Path, cause: &dyn fmt::Display) -> Error {
        let key = self.key;
        let what = match key {
            "AVP_K8S_TOKEN_PATH" => "the service account's token",
            "AVP_JWT_PATH" => "the JWT",
            _ => "the wrapping token",
        };
        let shown = shown(path).unwrap_or_else(|| format!("{key} is no path"));
        let hint = match self.held {
            Held::CustomaryFile(_) => {
                format!("outside a pod set {key}, or use another AVP_AUTH_TYPE")
            }
            _ => format!("the file is named by {key}"),
        };
        Error::new(
            ErrorKind::Settings,
            format!("could not read {what}: {shown}"),
        )
        .with_cause(cause)
        .with_hint(hint)
    }
}

/// The text of a file, without the white space around it.
fn read(path: &Path) -> Result<Text, String> {
    let bytes = read_file(path).map_err(|error| io_reason(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string())?;
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text.trim().into())
}
