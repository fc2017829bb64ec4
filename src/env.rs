//! A snapshot of the process environment, taken once in `main`, and the settings that carry where they came from.
//!
//! Nobody else reads process variables (`clippy.toml`), and nothing sets them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::secret::Text;

/// The environment as a value.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The variables of this process. Names and values that are not UTF-8 are left out.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn of_process() -> Self {
        Self::from_os(std::env::vars_os())
    }

    fn from_os(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let utf8 = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: variables.filter_map(utf8).collect(),
        }
    }

    /// A variable, also when it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(iter: T) -> Self {
        Self {
            variables: iter
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// Names only: values may be credentials.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A command line flag, with its dashes.
    Flag(&'static str),
    /// An environment variable, by its full name (so `ARGOCD_ENV_…` shows as such).
    Environment(String),
    /// A settings file: its path and, for nested keys, the dotted key.
    File {
        /// The path as given.
        path: String,
        /// The key as it is written there.
        key: String,
    },
    /// Built in.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "the flag {flag}"),
            Self::Environment(name) => write!(f, "the environment variable {name}"),
            Self::File { path, key } => write!(f, "{key} in {path}"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A value and where it came from. The value may be a credential, so it does not print.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The value, not trimmed.
    pub value: Text,
    /// Where it came from.
    pub origin: Origin,
}

impl Setting {
    /// The value as the path of a file. In a named backend's settings it is seen from the file that says it; else, as
    /// AVP has it, from where the program runs. `None` when it is no text.
    pub fn path(&self) -> Option<PathBuf> {
        let text = self.value.expose_str()?;
        Some(match &self.origin {
            Origin::File { path, key } if key.contains('.') => {
                Path::new(path).parent().unwrap_or(Path::new("")).join(text)
            }
            _ => PathBuf::from(text),
        })
    }
}

/// The settings of one backend instance, by AVP's upper-case key names (`VAULT_ADDR`, `AVP_ROLE_ID`, …).
///
/// The settings room has already applied the order of precedence; a backend only looks up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    settings: BTreeMap<String, Setting>,
    is_named: bool,
    /// From where relative paths are seen.
    folder: PathBuf,
}

impl Options {
    /// Those of an instance that a settings file names, and whose own settings have dotted names.
    pub fn of_named() -> Self {
        Self {
            is_named: true,
            ..Self::default()
        }
    }

    /// Variables of these names. Relative paths in them are seen from a folder.
    pub fn of_variables<'n>(
        environment: &Environment,
        names: impl IntoIterator<Item = &'n str>,
        folder: &Path,
    ) -> Self {
        let mut options = Self {
            folder: folder.to_owned(),
            ..Self::default()
        };
        for name in names {
            if let Some(value) = environment.get(name) {
                let origin = Origin::Environment(name.to_owned());
                let value = value.into();
                options.set(name, Setting { value, origin });
            }
        }
        options
    }

    /// Whether they are of a named instance.
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    /// Sets a key, replacing what was there.
    pub fn set(&mut self, key: impl Into<String>, setting: Setting) {
        self.settings.insert(key.into(), setting);
    }

    /// A setting, also when its value is empty.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.get(key)
    }

    /// The value as text, opened; `None` when it is not set or empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)
            .and_then(|setting| setting.value.expose_str())
            .filter(|text| !text.is_empty())
    }

    /// The value as the path of a file; `None` when it is not set or empty.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let path = self.text(key).and(self.get(key)?.path())?;
        Some(self.folder.join(path))
    }

    /// A text that is sent to a server: one line.
    pub fn line(&self, key: &'static str) -> Result<Option<&str>, SettingsError> {
        match self.text(key) {
            Some(text) if text.contains(char::is_control) => {
                let name = self.described(key);
                let error = SettingsError::new(format!(
                    "{name}: it holds a line end or a control character"
                ));
                Err(error
                    .about(key)
                    .hint("a value out of a Secret often ends in a line end: store it without"))
            }
            text => Ok(text),
        }
    }

    /// Whether a key was set in the structured form of a named instance.
    pub fn is_structured(&self, key: &str) -> bool {
        match self.get(key).map(|setting| &setting.origin) {
            Some(Origin::File { key: written, .. }) => !written.eq_ignore_ascii_case(key),
            _ => false,
        }
    }

    /// What a setting is called in a message: its key, and where it came from if that is not plain from the key.
    pub fn described(&self, key: &str) -> String {
        match self.get(key).map(|setting| &setting.origin) {
            None => format!("{key} (not set)"),
            Some(Origin::Environment(name)) if name == key => key.to_owned(),
            Some(origin) => format!("{key} ({origin})"),
        }
    }

    /// Whether an application has set it, by Argo CD's prefix: whoever writes manifests may not say which programs run.
    pub fn is_set_by_application(&self, key: &str) -> bool {
        self.get(key).is_some_and(
            |setting| matches!(&setting.origin, Origin::Environment(name) if name != key),
        )
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }
}

/// Wrong settings of a backend. The text names the setting and its origin, never its value.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// AVP's text where it has one (`avp-compat.md` 9.5).
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
    /// The AVP key of the setting that is wrong, if it is one: its place is shown where it has one.
    pub setting: Option<&'static str>,
}

impl SettingsError {
    /// An error without more to say.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            setting: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same about a setting.
    #[must_use]
    pub fn about(self, setting: &'static str) -> Self {
        Self {
            setting: Some(setting),
            ..self
        }
    }
}
