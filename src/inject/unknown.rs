//! References to a backend that there is not, by a name that looks misspelt: they are left as they are, as any text of
//! somebody else's, but not silently.

use std::sync::Arc;

use crate::diagnostics::nearest;
use crate::placeholder::{self, Scope};

/// What to tell of the first text that would be a reference if its NAME were a backend's.
pub(super) fn warning(text: &str, scope: &Scope) -> Option<String> {
    if scope.generic.is_some() {
        // There it is a generic placeholder, whose failure is told.
        return None;
    }
    let names = || scope.backends.iter().map(AsRef::as_ref);
    text.match_indices('<').find_map(|(start, _)| {
        let name = text[start + 1..].split(':').next()?;
        let is_word = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_word || name == "path" || names().any(|known| known == name) {
            return None;
        }
        let near = nearest(name, names())?;
        let as_if_known = Scope {
            backends: Arc::from([Arc::from(name)]),
            ..scope.inline_only()
        };
        let placeholders = placeholder::parse(text.as_bytes(), &as_if_known);
        let would_be = placeholders
            .iter()
            .any(|placeholder| placeholder.range.start == start);
        would_be.then(|| {
            format!("<{name}:…> is left as it is: there is no backend {name}, but there is {near}")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::OnMissing;

    #[test]
    fn only_references_with_a_near_name_are_told() {
        let scope = Scope {
            generic: None,
            default_backend: "files".into(),
            backends: Arc::from([Arc::from("files"), Arc::from("vault")]),
            kv_version: None,
            on_missing: OnMissing::Fail,
        };
        let told = warning("port <file:a#b>", &scope);
        assert_eq!(
            told.as_deref(),
            Some("<file:…> is left as it is: there is no backend file, but there is files")
        );
        for text in [
            "<files:a#b>",
            "<path:a#b>",
            "<html:a#b>",
            "<file:a>",
            "<file a#b>",
            "file:a#b",
            "<a href=\"file:x#y\">",
        ] {
            assert_eq!(warning(text, &scope), None, "{text}");
        }
    }
}
