//! The two forms of argocd-vault-plugin, `<path:PATH#KEY#VERSION | modifier>` and `<key>`, exactly as it reads them
//! (`docs/grammar.md`).
//!
//! AVP finds placeholders with one of two patterns and looks into them with a third. All three are scanned by hand:
//! in each, what follows a `#` decides alone whether anything before it matches, so that no byte is looked at often.

use std::ops::Range;
use std::sync::Arc;

use super::head::{Inner, find_byte, lossy, secret};
use super::{Placeholder, Scope, Syntax};
use crate::secret::{Reference, SecretId};

/// How an inline reference opens.
const PREFIX: &[u8] = b"path:";

/// References that name their path.
pub(super) const INLINE: Syntax = Syntax {
    needles: &["<"],
    find: find_inline,
};

/// References that name a key of the document's annotated secret.
pub(super) const GENERIC: Syntax = Syntax {
    needles: &["<"],
    find: find_generic,
};

/// Whether AVP finds a generic placeholder here. It asks this of decoded base64, with or without a `path` annotation,
/// before it reads the decoded text at all.
pub fn may_hold_generic(bytes: &[u8]) -> bool {
    next_generic(bytes, 0).is_some()
}

fn find_inline(text: &[u8], scope: &Scope) -> Vec<Placeholder> {
    let references = matches(text, scope).into_iter();
    references
        .filter(|(_, form)| *form == Form::Inline)
        .map(|(placeholder, _)| placeholder)
        .collect()
}

fn find_generic(text: &[u8], scope: &Scope) -> Vec<Placeholder> {
    if scope.generic.is_none() {
        return Vec::new();
    }
    let references = matches(text, scope).into_iter();
    references
        .filter(|(_, form)| *form == Form::Generic)
        .map(|(placeholder, _)| placeholder)
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Inline,
    Generic,
}

/// All that AVP would replace. Without the annotation everything it finds counts as inline, also what turns out to
/// name no path (`<path:q|z#k>`): AVP then looks a key up in no secret at all, and fails.
fn matches(text: &[u8], scope: &Scope) -> Vec<(Placeholder, Form)> {
    let next = match scope.generic {
        Some(_) => next_generic,
        None => next_inline,
    };
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(range) = next(text, from) {
        from = range.end;
        let (reference, parts) = read(&text[range.clone()], scope);
        let form = match (parts, &scope.generic) {
            (false, Some(_)) => Form::Generic,
            _ => Form::Inline,
        };
        found.push((Placeholder { range, reference }, form));
    }
    found
}

/// The reference of one match, and whether it names its own path.
fn read(matched: &[u8], scope: &Scope) -> (Reference, bool) {
    let inner = Inner::parse(strip_brackets(matched));
    let Some(parts) = Parts::find(inner.head) else {
        let key = lossy(inner.head);
        return (inner.into_reference(annotated(scope), key, scope), false);
    };
    let id = parts.secret(scope);
    let key = lossy(parts.key).trim().to_owned();
    (inner.into_reference(Some(id), key, scope), true)
}

/// The secret that generic placeholders mean, if the document names one.
fn annotated(scope: &Scope) -> Option<SecretId> {
    let generic = scope.generic.as_ref()?;
    let path = generic.path.clone()?;
    Some(secret(
        &scope.default_backend,
        path,
        generic.version.clone(),
        scope,
    ))
}

/// AVP strips every bracket at the ends, not only the pair that it matched.
fn strip_brackets(mut text: &[u8]) -> &[u8] {
    while let [b'<' | b'>', rest @ ..] | [rest @ .., b'<' | b'>'] = text {
        text = rest;
    }
    text
}

/// The next match of `<[^>\n]*>`.
fn next_generic(text: &[u8], mut from: usize) -> Option<Range<usize>> {
    loop {
        let start = find_byte(text, b'<', from)?;
        let stop = start
            + text[start..]
                .iter()
                .position(|byte| matches!(byte, b'>' | b'\n'))?;
        if text[stop] == b'>' {
            return Some(start..stop + 1);
        }
        from = stop + 1;
    }
}

/// The next match of `<path:[^#]+#[^#][^#>]*(?:#[^#][^#>]*)?>`.
fn next_inline(text: &[u8], mut from: usize) -> Option<Range<usize>> {
    loop {
        let start = from + find(&text[from..], b"<path:")?;
        let path = start + 1 + PREFIX.len();
        let hash = find_byte(text, b'#', path)?;
        if hash > path
            && let Some(end) = inline_end(text, hash)
        {
            return Some(start..end);
        }
        // Whatever opens before this `#` has the same rest, which does not match.
        from = hash + 1;
    }
}

/// Where the match ends whose path ends at `hash`.
fn inline_end(text: &[u8], hash: usize) -> Option<usize> {
    let key = part_end(text, hash)?;
    let end = match text[key] {
        b'>' => key,
        _ => part_end(text, key).filter(|at| text[*at] == b'>')?,
    };
    Some(end + 1)
}

/// The `#` or `>` that ends the key or version behind `hash`. Its first byte may be a `>`, and no `#`.
fn part_end(text: &[u8], hash: usize) -> Option<usize> {
    let first = hash + 1;
    if *text.get(first)? == b'#' {
        return None;
    }
    let rest = text.get(first + 1..)?;
    let length = rest.iter().position(|byte| matches!(byte, b'#' | b'>'))?;
    Some(first + 1 + length)
}

/// The parts of an inline head: `path:(PATH=[^#]+)#(KEY=[^#]+)(?:#(VERSION=[^\n]+))?`, found anywhere in it.
struct Parts<'a> {
    path: &'a [u8],
    key: &'a [u8],
    version: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn find(head: &'a [u8]) -> Option<Self> {
        let mut from = 0;
        loop {
            let path = from + find(&head[from..], PREFIX)? + PREFIX.len();
            let hash = find_byte(head, b'#', path)?;
            if hash > path
                && let Some(parts) = Self::split(&head[path..hash], &head[hash + 1..])
            {
                return Some(parts);
            }
            from = hash + 1;
        }
    }

    fn split(path: &'a [u8], rest: &'a [u8]) -> Option<Self> {
        let end = find_byte(rest, b'#', 0).unwrap_or(rest.len());
        let (key, rest) = rest.split_at(end);
        if key.is_empty() {
            return None;
        }
        let version = rest
            .get(1..)
            .and_then(|version| version.split(|byte| *byte == b'\n').next())
            .filter(|version| !version.is_empty());
        Some(Self { path, key, version })
    }

    fn secret(&self, scope: &Scope) -> SecretId {
        let version = self.version.map(|version| Arc::from(lossy(version)));
        secret(
            &scope.default_backend,
            Arc::from(lossy(self.path)),
            version,
            scope,
        )
    }
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = find_byte(text, needle[0], from)?;
        if text[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}
