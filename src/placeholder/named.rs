//! `<NAME:PATH#KEY#VERSION | modifier>`: a reference to a backend by name, so that one run reads several.
//!
//! Stricter than AVP's inline form, because NAME alone tells it from ordinary text: PATH holds no white space, quotes,
//! brackets or bars, and KEY and VERSION stay on one line. It reads the same with and without a `path` annotation.

use std::sync::Arc;

use super::head::{Inner, find_byte, secret};
use super::{Placeholder, Scope, Syntax};
use crate::secret::Reference;

/// References that name their backend.
pub(super) const NAMED: Syntax = Syntax {
    needles: &["<"],
    find,
};

fn find(text: &[u8], scope: &Scope) -> Vec<Placeholder> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut close = 0;
    while let Some(start) = find_byte(text, b'<', from) {
        // One bracket closes all that open before it, so it is looked for once.
        if close <= start {
            match find_byte(text, b'>', start) {
                Some(at) => close = at,
                None => break,
            }
        }
        from = start + 1;
        if let Some(reference) = read(&text[start + 1..close], scope) {
            from = close + 1;
            let range = start..from;
            found.push(Placeholder { range, reference });
        }
    }
    found
}

/// The reference that `inner`, the text between two brackets, is. Looks no further than the next opening bracket
/// unless it is one, so that a text of many opening brackets takes no longer than another.
fn read(inner: &[u8], scope: &Scope) -> Option<Reference> {
    let stop = |byte: &u8| matches!(byte, b'|' | b'<');
    let length = inner.iter().position(stop).unwrap_or(inner.len());
    if inner.get(length) == Some(&b'<') {
        return None;
    }
    let head = std::str::from_utf8(&inner[..length]).ok()?;
    let (name, rest) = head.split_once(':')?;
    let backend = backend(name, scope)?;
    let mut parts = rest.split('#');
    let path = parts.next().filter(|path| is_plain(path))?;
    let key = one_line(parts.next()?)?;
    let version = match parts.next() {
        Some(version) => Some(Arc::from(one_line(version)?)),
        None => None,
    };
    if parts.next().is_some() {
        return None;
    }
    let id = secret(backend, Arc::from(path), version, scope);
    Some(Inner::parse(inner).into_reference(Some(id), key.to_owned(), scope))
}

/// The backend of that name. `path` is AVP's word, also where AVP does not take the text for a placeholder.
fn backend<'a>(name: &str, scope: &'a Scope) -> Option<&'a Arc<str>> {
    let mut names = scope.backends.iter();
    names.find(|known| &***known == name && name != "path")
}

fn is_plain(path: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
    !path.is_empty() && !path.contains(odd)
}

/// A key or version without the white space around it, if something is left that is one line.
fn one_line(part: &str) -> Option<&str> {
    let part = part.trim();
    let whole = !part.is_empty() && !part.contains(['\n', '\r']);
    whole.then_some(part)
}
