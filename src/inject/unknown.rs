//! References to a backend that there is not, by a name that looks misspelt or is that of a type: they are left as they
//! are, as any text of somebody else's, but not silently.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::backends::registry;
use crate::diagnostics::nearest;
use crate::placeholder::{self, Scope};

/// How many names are looked at in one text: so many typos nobody makes.
const NAMES: usize = 100;
/// The longest name that is looked at.
const LONGEST: usize = 64;

/// What to tell of the first text that would be a reference if its NAME were a backend's.
pub(super) fn warning(text: &str, scope: &Scope) -> Option<String> {
    // There it is a generic placeholder, whose failure is told; and where the settings are broken nobody knows the names.
    if scope.generic.is_some() || scope.backends.is_empty() {
        return None;
    }
    let mut looked_at = HashSet::new();
    let mut near = BTreeMap::new();
    for (start, _) in text.match_indices('<') {
        let Some(name) = name_at(&text[start + 1..]).filter(|name| looked_at.insert(*name)) else {
            continue;
        };
        let names = scope.backends.iter().map(AsRef::as_ref).chain(["path"]);
        // `<file://HOST/PAGE#PART>` is an address.
        let is_address = text[start + 1 + name.len()..].starts_with("://");
        if !is_address && names.clone().all(|known| known != name) {
            near.extend(meant(name, names).map(|meant| (name, meant)));
        }
        if looked_at.len() == NAMES {
            break;
        }
    }
    if near.is_empty() {
        return None;
    }
    let as_if_known = Scope {
        backends: near.keys().map(|name| Arc::from(*name)).collect(),
        ..scope.inline_only()
    };
    let placeholders = placeholder::parse(text.as_bytes(), &as_if_known);
    placeholders.iter().find_map(|found| {
        let (name, meant) = near.get_key_value(name_at(&text[found.range.start + 1..])?)?;
        Some(format!(
            "<{name}:…> is left as it is: there is no backend {name}, but there is {meant}"
        ))
    })
}

/// What a name that is nobody's is likely to mean: a near one of `names`, or a type without a backend.
fn meant<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let near = nearest(name, names).map(str::to_owned);
    near.or_else(|| {
        registry::find(name)
            .map(|_| "a type of that name, for which the settings name no backend".to_owned())
    })
}

/// The word in front of the first colon.
fn name_at(text: &str) -> Option<&str> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let length = text.bytes().take(LONGEST).take_while(is_word).count();
    text[length..].starts_with(':').then_some(&text[..length])
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
        let told = warning("<Path:a#b>", &scope);
        assert_eq!(
            told.as_deref(),
            Some("<Path:…> is left as it is: there is no backend Path, but there is path")
        );
        let told = warning("<env:-#HOME>", &scope);
        assert_eq!(
            told.as_deref(),
            Some(
                "<env:…> is left as it is: there is no backend env, but there is a type of that name, for which the settings name no backend"
            )
        );
        let unknown = Scope {
            backends: Arc::from([]),
            ..scope.clone()
        };
        assert_eq!(warning("<vault:a#b>", &unknown), None);
        for text in [
            "<files:a#b>",
            "<path:a#b>",
            "<html:a#b>",
            "<file:a>",
            "<file://a#b>",
            "<env:a>",
            "<file a#b>",
            "file:a#b",
            "<a href=\"file:x#y\">",
        ] {
            assert_eq!(warning(text, &scope), None, "{text}");
        }
    }
}
