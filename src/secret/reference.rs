//! What a placeholder points to, in a form that no syntax owns.

use std::fmt;
use std::sync::Arc;

/// One secret as its backend knows it: the unit of de-duplication. Two references with equal ids share one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId {
    /// The configured backend instance.
    pub backend: Arc<str>,
    /// The path as it stands in the manifest: not trimmed, not normalised.
    pub path: Arc<str>,
    /// The version asked for; `None` is the latest.
    pub version: Option<Arc<str>>,
    /// `avp.kubernetes.io/kv-version` of the document, which only Vault reads. `None` is the backend's setting.
    pub kv_version: Option<Arc<str>>,
}

/// What to do when the secret or key is absent. Denied or unreachable is never "missing".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMissing {
    /// The run fails.
    Fail,
    /// The map entry that holds the reference goes (`avp.kubernetes.io/remove-missing`).
    RemoveEntry,
}

/// One reference in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The secret; `None` where the document names no path (an empty `path` annotation), so that it is always missing.
    pub secret: Option<SecretId>,
    /// The key within the secret; `None` takes the whole secret as a map.
    pub key: Option<String>,
    /// Modifier statements (name and arguments as written), applied left to right.
    pub transforms: Vec<String>,
    /// What a missing key means.
    pub on_missing: OnMissing,
    /// Whether a value that is no string may replace the whole text (AVP's rule), or is always written as text.
    pub typed: bool,
    /// How messages call it: the text before the first modifier, without brackets.
    pub head: String,
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.backend, self.path)?;
        match &self.version {
            Some(version) => write!(f, "#{version}"),
            None => Ok(()),
        }
    }
}
