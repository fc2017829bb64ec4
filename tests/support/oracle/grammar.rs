//! The placeholder grammar: against argocd-vault-plugin's patterns as regular expressions, and print(parse(x)) = x.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use manifuse::placeholder::{self, Generic, Placeholder, Scope};
use manifuse::secret::{OnMissing, Reference};
use regex::bytes::Regex;

static INLINE: LazyLock<Regex> =
    LazyLock::new(|| pattern("<path:[^#]+#[^#][^#>]*(?:#[^#][^#>]*)?>"));
static GENERIC: LazyLock<Regex> = LazyLock::new(|| pattern("<[^>\n]*>"));
static PARTS: LazyLock<Regex> = LazyLock::new(|| pattern("path:([^#]+)#([^#]+)(?:#([^\n]+))?"));
/// Our own form, for one backend: the head is cut out first, so that the parts are as simple.
static NAMED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"<store:[^\s"'`<>|#]+#[^<>|#]+(?:#[^<>|#]+)?(?:\|[^>]*)?>"#));

/// Bytes, not characters: what decodes from base64 need not be UTF-8.
fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?-u){text}")).expect("the pattern is right")
}

pub(super) fn check(text: &[u8]) {
    let inline = scope(None, &[]);
    let generic = scope(Some("annotated"), &[]);
    against(&INLINE, text, &inline);
    against(&GENERIC, text, &generic);
    assert_eq!(placeholder::may_hold_generic(text), GENERIC.is_match(text));
    for scope in [
        &inline,
        &generic,
        &scope(None, &["store"]),
        &scope(Some("annotated"), &["store"]),
    ] {
        let found = placeholder::parse(text, scope);
        in_order(text, &found);
        for placeholder in &found {
            prints(&placeholder.reference, scope);
        }
    }
    named(text);
}

fn scope(path: Option<&str>, backends: &[&str]) -> Scope {
    Scope {
        generic: path.map(|path| Generic {
            path: Some(path.into()),
            version: None,
        }),
        default_backend: "default".into(),
        backends: backends.iter().map(|name| Arc::from(*name)).collect(),
        kv_version: None,
        on_missing: OnMissing::Fail,
    }
}

/// Ranges within the text, from left to right, not touching each other's bytes: with the text between them they are
/// the text.
fn in_order(text: &[u8], found: &[Placeholder]) {
    let mut end = 0;
    for Placeholder { range, .. } in found {
        assert!(
            end <= range.start && range.start < range.end,
            "{range:?} behind {end}"
        );
        assert_eq!((text[range.start], text[range.end - 1]), (b'<', b'>'));
        end = range.end;
    }
    assert!(end <= text.len());
}

/// The same places, and the same references, as the pattern gives.
fn against(pattern: &Regex, text: &[u8], scope: &Scope) {
    let found = placeholder::parse(text, scope);
    let ranges: Vec<Range<usize>> = found.iter().map(|found| found.range.clone()).collect();
    let wanted: Vec<_> = pattern.find_iter(text).map(|found| found.range()).collect();
    assert_eq!(ranges, wanted, "{}", text.escape_ascii());
    for Placeholder { range, reference } in &found {
        let wanted = Wanted::of(&text[range.clone()], scope);
        assert_eq!(Wanted::from(reference), wanted, "{}", text.escape_ascii());
    }
}

/// What a reference says, in plain texts.
#[derive(Debug, PartialEq)]
struct Wanted {
    path: Option<String>,
    version: Option<String>,
    key: Option<String>,
    transforms: Vec<String>,
}

impl Wanted {
    /// As `docs/grammar.md` says it, step by step.
    fn of(matched: &[u8], scope: &Scope) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let brackets = |byte: &u8| matches!(byte, b'<' | b'>');
        let start = matched.iter().position(|byte| !brackets(byte));
        let end = matched.iter().rposition(|byte| !brackets(byte));
        let inner = start
            .zip(end)
            .map_or(&[][..], |(start, end)| &matched[start..=end]);
        let mut pieces = inner.split(|byte| *byte == b'|');
        let head = pieces.next().unwrap_or_default();
        let head = text(head).trim_matches(' ').as_bytes().to_vec();
        let transforms = pieces.map(|piece| text(piece).trim().to_owned()).collect();
        match PARTS.captures(&head) {
            Some(parts) => Self {
                path: Some(text(&parts[1])),
                version: parts.get(3).map(|version| text(version.as_bytes())),
                key: Some(text(&parts[2]).trim().to_owned()),
                transforms,
            },
            None => Self {
                path: scope
                    .generic
                    .as_ref()
                    .and_then(|generic| generic.path.as_deref())
                    .map(str::to_owned),
                version: None,
                key: Some(text(&head)),
                transforms,
            },
        }
    }
}

impl From<&Reference> for Wanted {
    fn from(reference: &Reference) -> Self {
        let secret = reference.secret.as_ref();
        Self {
            path: secret.map(|secret| secret.path.to_string()),
            version: secret
                .and_then(|secret| secret.version.as_deref())
                .map(str::to_owned),
            key: reference.key.clone(),
            transforms: reference.transforms.clone(),
        }
    }
}

/// A reference, printed, reads as itself.
fn prints(reference: &Reference, scope: &Scope) {
    let Some(printed) = print(reference, scope) else {
        return;
    };
    let again = placeholder::parse(printed.as_bytes(), scope);
    let [
        Placeholder {
            range,
            reference: same,
        },
    ] = &again[..]
    else {
        panic!("{printed:?} holds {} references", again.len());
    };
    assert_eq!(*range, 0..printed.len(), "{printed:?}");
    assert_eq!(Wanted::from(same), Wanted::from(reference), "{printed:?}");
    assert_eq!(print(same, scope), Some(printed));
}

/// How a reference is written; `None` for one whose parts could not be written apart from each other.
fn print(reference: &Reference, scope: &Scope) -> Option<String> {
    let id = reference.secret.as_ref()?;
    let key = reference.key.as_deref()?;
    let version = id.version.as_deref().unwrap_or_default();
    let parts = [&*id.path, key, version];
    let odd = |text: &&str| {
        text.contains(['<', '>', '|', '#', '\n', '\r', '\u{fffd}']) || text.trim() != *text
    };
    if parts.iter().any(odd) || id.path.is_empty() || key.is_empty() || id.path.contains("path:") {
        return None;
    }
    let mut out = match (&*id.path, &*id.backend) {
        ("annotated", _) => format!("<{key}"),
        (path, "default") => format!("<path:{path}#{key}"),
        (path, backend) => format!("<{backend}:{path}#{key}"),
    };
    if !version.is_empty() {
        out = format!("{out}#{version}");
    }
    for statement in &reference.transforms {
        let odd = statement.is_empty() || statement.contains(['#', '>', '<', '\n', '\u{fffd}']);
        if odd {
            return None;
        }
        out = format!("{out} | {statement}");
    }
    // A key that is itself a path, and a bare key without an annotation, cannot be written so.
    let bare = scope.generic.is_none() && &*id.path == "annotated";
    (!bare && !key.contains("path:") && !key.contains("store:")).then(|| out + ">")
}

/// Where nothing reads as argocd-vault-plugin's forms, ours are where the pattern says.
fn named(text: &[u8]) {
    if text.windows(5).any(|window| window == b"path:") || std::str::from_utf8(text).is_err() {
        return;
    }
    let found = placeholder::parse(text, &scope(None, &["store"]));
    let starts: Vec<usize> = found.iter().map(|found| found.range.start).collect();
    let mut wanted = Vec::new();
    let mut from = 0;
    while let Some(found) = NAMED.find_at(text, from) {
        let is_one = one_line_parts(found.as_bytes());
        wanted.extend(is_one.then_some(found.start()));
        from = if is_one {
            found.end()
        } else {
            found.start() + 1
        };
    }
    assert_eq!(starts, wanted, "{}", text.escape_ascii());
}

/// The path holds no white space; key and version are one line each, and more than white space.
fn one_line_parts(matched: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&matched[1..matched.len() - 1]);
    let mut parts = text.split('|').next().unwrap_or_default().split('#');
    let path = parts.next().unwrap_or_default();
    let is_one_line = |part: &str| !part.is_empty() && !part.contains(['\n', '\r']);
    !path.contains(char::is_whitespace) && parts.all(|part| is_one_line(part.trim()))
}
