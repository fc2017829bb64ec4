//! What every syntax does with the text between the brackets: the head, then statements behind bars.

use std::sync::Arc;

use super::Scope;
use crate::secret::{Reference, SecretId};

/// The text between the brackets, cut at the bars. There is no way to escape a bar.
pub(super) struct Inner<'a> {
    /// What stands before the first bar, without the spaces around it.
    pub(super) head: &'a [u8],
    /// The modifier statements, trimmed; an empty one stays, for the modifiers to complain about.
    pub(super) transforms: Vec<String>,
}

impl<'a> Inner<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Self {
        let mut pieces = text.split(|byte| *byte == b'|');
        let head = trim_spaces(pieces.next().unwrap_or_default());
        let transforms = pieces.map(|piece| lossy(piece).trim().to_owned()).collect();
        Self { head, transforms }
    }

    pub(super) fn into_reference(
        self,
        secret: Option<SecretId>,
        key: String,
        scope: &Scope,
    ) -> Reference {
        Reference {
            secret,
            key: Some(key),
            transforms: self.transforms,
            on_missing: scope.on_missing,
            typed: true,
            head: lossy(self.head),
        }
    }
}

/// A secret of this scope. An empty version asks for the latest, as AVP's backends read it.
pub(super) fn secret(
    backend: &Arc<str>,
    path: Arc<str>,
    version: Option<Arc<str>>,
    scope: &Scope,
) -> SecretId {
    SecretId {
        backend: Arc::clone(backend),
        path,
        version: version.filter(|version| !version.is_empty()),
        kv_version: scope.kv_version.clone(),
    }
}

/// Names of secrets are text: a byte that is not UTF-8 cannot be asked for, and must not stop the run either.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// AVP trims spaces here, and no other white space.
fn trim_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// Where `byte` stands in `text` at or after `from`.
pub(super) fn find_byte(text: &[u8], byte: u8, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.iter().position(|b| *b == byte).map(|at| from + at)
}
