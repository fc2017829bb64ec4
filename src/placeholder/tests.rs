//! AVP's own cases (C098-C141), the patterns as an oracle, and the named form.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use regex::bytes::Regex;

use super::{Generic, Placeholder, Scope, may_hold_generic, needles, parse};
use crate::secret::{OnMissing, Reference, SecretId};

fn plain() -> Scope {
    Scope {
        generic: None,
        default_backend: Arc::from("main"),
        backends: Arc::from(["vault", "aws-eu", "a", "path"].map(Arc::from)),
        kv_version: None,
        on_missing: OnMissing::Fail,
    }
}

fn annotated() -> Scope {
    Scope {
        generic: Some(Generic {
            path: Some(Arc::from("p/s")),
            version: Some(Arc::from("3")),
        }),
        ..plain()
    }
}

/// What a text refers to, in one line for each placeholder: `BACKEND PATH#KEY#VERSION |statement`, and the text that
/// it takes.
fn read(text: &str, scope: &Scope) -> Vec<(String, String)> {
    parse(text.as_bytes(), scope)
        .into_iter()
        .map(|p| (describe(&p.reference), text[p.range].to_owned()))
        .collect()
}

fn describe(reference: &Reference) -> String {
    let secret = match &reference.secret {
        Some(id) => format!("{} {}", id.backend, id.path),
        None => "nothing".to_owned(),
    };
    let key = reference.key.as_deref().unwrap_or("*");
    let version = reference.secret.as_ref().and_then(|id| id.version.clone());
    let version = version.map(|version| format!("#{version}"));
    let statements = reference.transforms.iter().map(|s| format!("|{s}"));
    let statements: String = statements.collect();
    format!("{secret}#{key}{}{statements}", version.unwrap_or_default())
}

#[track_caller]
fn finds(scope: &Scope, text: &str, expected: &[&str]) {
    let found: Vec<String> = read(text, scope)
        .into_iter()
        .map(|(line, _)| line)
        .collect();
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn generic_placeholders() {
    let scope = annotated();
    for (text, expected) in [
        ("<  user  >", &["main p/s#user#3"][..]),
        ("<\tuser\t>", &["main p/s#\tuser\t#3"]),
        ("a<user>b<pass>c", &["main p/s#user#3", "main p/s#pass#3"]),
        ("<>", &["main p/s##3"]),
        ("< >", &["main p/s##3"]),
        ("<a<user>", &["main p/s#a<user#3"]),
        ("<us\ner>", &[]),
        ("a\n<user>\nb", &["main p/s#user#3"]),
        ("<key with space>", &["main p/s#key with space#3"]),
        ("<a#b>", &["main p/s#a#b#3"]),
        ("<user", &[]),
        ("user>", &[]),
        ("a < b", &[]),
        ("cat < in > out", &["main p/s#in#3"]),
        ("<b>x</b>", &["main p/s#b#3", "main p/s#/b#3"]),
        ("<user> <path:q#k>", &["main p/s#user#3", "main q#k"]),
        ("<user|>", &["main p/s#user#3|"]),
        ("<user||base64encode>", &["main p/s#user#3||base64encode"]),
        (
            "<user  |  base64encode  >",
            &["main p/s#user#3|base64encode"],
        ),
        ("<path:q>", &["main p/s#path:q#3"]),
        ("<path:q##k>", &["main p/s#path:q##k#3"]),
        ("<PATH:q#k>", &["main p/s#PATH:q#k#3"]),
        ("<path:q|z#k>", &["main p/s#path:q#3|z#k"]),
        (
            "<path:arn:aws:sm:<R>:<A>:secret:x#k>",
            &["main p/s#path:arn:aws:sm:<R#3", "main p/s#A#3"],
        ),
        ("<other:q#k>", &["main p/s#other:q#k#3"]),
    ] {
        finds(&scope, text, expected);
    }
}

#[test]
fn brackets_at_the_ends_go_with_the_placeholder() {
    for (text, taken) in [
        ("<<user>>", "<<user>"),
        ("<<<user>>>", "<<<user>"),
        ("<user>>", "<user>"),
    ] {
        let found = read(text, &annotated());
        assert_eq!(found, [("main p/s#user#3".to_owned(), taken.to_owned())]);
    }
}

#[test]
fn an_empty_path_annotation_makes_generic_placeholders_missing() {
    let mut scope = annotated();
    scope.generic = Some(Generic {
        path: None,
        version: None,
    });
    finds(&scope, "<user> <path:q#k>", &["nothing#user", "main q#k"]);
}

#[test]
fn inline_placeholders() {
    let scope = plain();
    for (text, expected) in [
        ("<user> <path:q#k>", &["main q#k"][..]),
        ("<path:q#k#2>", &["main q#k#2"]),
        ("<path:q# k >", &["main q#k"]),
        ("<path:q#k# 2 >", &["main q#k# 2"]),
        ("<path: q #k>", &["main  q #k"]),
        ("<path:q#\nk>", &["main q#k"]),
        ("<path:q#k |\n base64encode>", &["main q#k|base64encode"]),
        ("<path:q>z#k>", &["main q>z#k"]),
        ("<path:a path:q#k>", &["main a path:q#k"]),
        ("<path:q|z#k>", &["nothing#path:q|z#k"]),
        ("<path:q#>>", &["nothing#path:q#"]),
        ("<path:q#\u{a0}k\u{2003}>", &["main q#k"]),
        (
            "<path:arn:aws:sm:<R>:<A>:secret:x#k>",
            &["main arn:aws:sm:<R>:<A>:secret:x#k"],
        ),
        ("<path:q#k | x a#b>", &["main q#k|x a#b"]),
        ("<path:q#k | x a#b#c>", &[]),
    ] {
        finds(&scope, text, expected);
    }
}

#[test]
fn text_that_is_no_inline_placeholder_is_left_alone() {
    for text in [
        "< path:q#k>",
        "<xpath:q#k>",
        "<PATH:q#k>",
        "<path:q>",
        "<path:q#>",
        "<path:#k>",
        "<path:q#k#>",
        "<path:q##k>",
        "<path:q#k#2#3>",
        "x <path:q",
        "<path:#k> #>",
    ] {
        finds(&plain(), text, &[]);
    }
}

#[test]
fn inline_placeholders_beside_a_path_annotation() {
    let scope = annotated();
    for (text, expected) in [
        ("< path:q#k>", &["main q#k"][..]),
        ("<xpath:q#k>", &["main q#k"]),
        ("<path:q#k#>", &["main q#k"]),
        ("<path:q#k#2#3>", &["main q#k#2#3"]),
        ("<path:q#\nk>", &[]),
        ("<path:q#k |\n base64encode>", &[]),
        ("<path:q#k | x a#b#c>", &["main q#k|x a#b#c"]),
    ] {
        finds(&scope, text, expected);
    }
}

#[test]
fn the_first_closing_bracket_ends_an_inline_placeholder() {
    let found = read("<path:q#k>z>", &plain());
    assert_eq!(found, [("main q#k".into(), "<path:q#k>".into())]);
}

#[test]
fn a_reference_carries_what_its_scope_says() {
    let scope = Scope {
        kv_version: Some(Arc::from("1")),
        on_missing: OnMissing::RemoveEntry,
        ..annotated()
    };
    let text = b"<path:q# k | indent 2>";
    let reference = Reference {
        secret: Some(SecretId {
            backend: Arc::from("main"),
            path: Arc::from("q"),
            version: None,
            kv_version: Some(Arc::from("1")),
        }),
        key: Some("k".to_owned()),
        transforms: vec!["indent 2".to_owned()],
        on_missing: OnMissing::RemoveEntry,
        typed: true,
        head: "path:q# k".to_owned(),
    };
    let range = 0..text.len();
    assert_eq!(parse(text, &scope), [Placeholder { range, reference }]);
}

#[test]
fn bytes_that_are_not_utf8_are_ordinary_characters() {
    let found = parse(b"\xff<path:q#k>\xfe<vault:q#k>\xfe", &plain());
    let ranges: Vec<_> = found.iter().map(|p| p.range.clone()).collect();
    assert_eq!(ranges, [1..11, 12..23]);
}

#[test]
fn a_named_backend() {
    let expected: &[(&str, &[&str])] = &[
        ("<vault:q/r#k>", &["vault q/r#k"]),
        ("<vault:q#k#2>", &["vault q#k#2"]),
        ("x<aws-eu:arn:aws:x#k>y", &["aws-eu arn:aws:x#k"]),
        (
            "<vault:q# key with space # 2 >",
            &["vault q#key with space#2"],
        ),
        (
            "<vault:q#k | indent 2|sha256sum>",
            &["vault q#k|indent 2|sha256sum"],
        ),
        ("<vault:q#k |\n x a#b#c>", &["vault q#k|x a#b#c"]),
        ("<vault:q#k | x @.a<2>", &["vault q#k|x @.a<2"]),
        ("<vault:q#k |>", &["vault q#k|"]),
        (
            "<vault:q#k> <path:q#k> <a:q#k>",
            &["vault q#k", "main q#k", "a q#k"],
        ),
        ("<path:x<vault:q#k>y#z>", &["main x<vault:q#k"]),
        ("<vault:q#k | <path:q#k>", &["main q#k"]),
    ];
    for (text, found) in expected {
        finds(&plain(), text, found);
    }
}

#[test]
fn text_whose_name_or_form_is_not_ours_is_left_alone() {
    for text in [
        "<other:q#k>",
        "<Vault:q#k>",
        "< vault:q#k>",
        "<vault :q#k>",
        "<vault:q>",
        "<vault:#k>",
        "<vault:q#>",
        "<vault:q# >",
        "<vault:q#k#>",
        "<vault:q#k#2#3>",
        "<vault:q r#k>",
        "<vault:q\u{a0}r#k>",
        "<vault:q\"r#k>",
        "<vault:q'r#k>",
        "<vault:q|r#k>",
        "<vault:q#a\nb>",
        "<vault:q#k",
        "<vault:q#k | upper",
        "<path:q#k#>",
    ] {
        finds(&plain(), text, &[]);
    }
}

/// AVP would look the odd key up in the annotated secret, and fail.
#[test]
fn a_named_backend_means_the_same_beside_a_path_annotation() {
    let scope = annotated();
    for (text, expected) in [
        ("<vault:q#k>", &["vault q#k"][..]),
        (
            "<user><vault:q#k><pass>",
            &["main p/s#user#3", "vault q#k", "main p/s#pass#3"],
        ),
        ("<vault:q#k |\n x>", &["vault q#k|x"]),
        ("<a:path:q#k>", &["main q#k"]),
        ("< vault:q#k>", &["main p/s#vault:q#k#3"]),
    ] {
        finds(&scope, text, expected);
    }
    let angled = "Bob <<vault:q#k>>";
    assert_eq!(read(angled, &scope), read(angled, &plain()));
    assert_eq!(read(angled, &scope)[0].1, "<vault:q#k>");
}

#[test]
fn deeper_layers_know_no_generic_placeholders() {
    finds(
        &annotated().inline_only(),
        "<user> <path:q#k>",
        &["main q#k"],
    );
}

/// A scanner that looks at a byte again for each bracket before it would take hours here.
#[test]
fn long_texts_take_linear_time() {
    for piece in [
        "<",
        "<path:",
        "<path:a#",
        "<path:a#b",
        "<path:a#b#",
        "<a:b#c|",
        "<a:",
        "<a:b#",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        for scope in [plain(), annotated()] {
            assert_eq!(parse(text.as_bytes(), &scope), [], "{piece}");
            let closed = format!("{text}>");
            assert!(parse(closed.as_bytes(), &scope).len() <= 1, "{piece}");
        }
    }
}

static GENERIC: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)<[^>\n]*>").unwrap());
static INLINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)<path:[^#]+#[^#][^#>]*(?:#[^#][^#>]*)?>").unwrap());
static PARTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)path:([^#]+)#([^#]+)(?:#([^\n]+))?").unwrap());

/// AVP's reading, step by step as the specification words it.
fn oracle(text: &[u8], scope: &Scope) -> Vec<(std::ops::Range<usize>, String)> {
    let pattern = match scope.generic {
        Some(_) => &GENERIC,
        None => &INLINE,
    };
    let whole = |found: regex::bytes::Match| {
        let matched = String::from_utf8_lossy(found.as_bytes()).into_owned();
        let stripped = matched.trim_matches(['<', '>']);
        let head = stripped.split('|').next().unwrap().trim_matches(' ');
        let line = match PARTS.captures(head.as_bytes()) {
            Some(parts) => {
                let part = |n| parts.get(n).map(|m| String::from_utf8_lossy(m.as_bytes()));
                let version = part(3).map(|version| format!("#{version}"));
                let (path, key) = (part(1).unwrap(), part(2).unwrap());
                format!("main {path}#{}{}", key.trim(), version.unwrap_or_default())
            }
            None if scope.generic.is_some() => format!("main p/s#{head}#3"),
            None => format!("nothing#{head}"),
        };
        let statements = stripped
            .split('|')
            .skip(1)
            .map(|s| format!("|{}", s.trim()));
        (found.range(), line + &statements.collect::<String>())
    };
    pattern.find_iter(text).map(whole).collect()
}

fn no_names(scope: Scope) -> Scope {
    Scope {
        backends: Arc::from([]),
        ..scope
    }
}

/// Texts in which something close to a placeholder is likely.
fn near_placeholders() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "<", ">", "<path:", "path:", ":", "#", "|", " ", "\n", "a", "path", "<vault:", "<a:", "'",
    ]);
    let odd = prop::sample::select(vec![
        &b"\xff"[..],
        b"\t",
        "é".as_bytes(),
        "\u{85}".as_bytes(),
    ]);
    let piece = prop_oneof![12 => piece.prop_map(str::as_bytes), 1 => odd];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// References as the named form can write them.
fn named() -> impl Strategy<Value = Reference> {
    let path = "[a-zA-Z0-9/._:@-]{1,12}";
    let key = "[a-z]([a-z .:=]{0,8}[a-z])?";
    let statements = prop::collection::vec("[a-z]([a-z<#:\" ]{0,8}[a-z])?", 0..3);
    let version = prop::option::of("[0-9a-z]([0-9a-z ]{0,4}[0-9a-z])?");
    (path, key, version, statements).prop_map(|(path, key, version, transforms)| {
        let id = SecretId {
            backend: Arc::from("vault"),
            path: Arc::from(path),
            version: version.map(Arc::from),
            kv_version: None,
        };
        let version = id.version.as_ref().map(|version| format!("#{version}"));
        let head = format!("vault:{}#{key}{}", id.path, version.unwrap_or_default());
        Reference {
            secret: Some(id),
            key: Some(key),
            transforms,
            on_missing: OnMissing::Fail,
            typed: true,
            head,
        }
    })
}

fn print(reference: &Reference) -> String {
    let statements = reference.transforms.iter().map(|s| format!(" | {s}"));
    format!("<{}{}>", reference.head, statements.collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn reads_what_the_patterns_of_avp_read(text in near_placeholders(), generic: bool) {
        let scope = no_names(if generic { annotated() } else { plain() });
        let found: Vec<_> = parse(&text, &scope)
            .into_iter()
            .map(|p| (p.range, describe(&p.reference)))
            .collect();
        prop_assert_eq!(found, oracle(&text, &scope));
        prop_assert_eq!(may_hold_generic(&text), GENERIC.is_match(&text));
    }

    #[test]
    fn names_take_nothing_from_avp(text in near_placeholders(), generic: bool) {
        let scope = if generic { annotated() } else { plain() };
        let all = parse(&text, &scope);
        prop_assert!(all.is_sorted_by(|a, b| a.range.end <= b.range.start));
        let inline = |p: &Placeholder| !generic || p.reference.head.contains("path:") && {
            p.reference.secret.as_ref().is_some_and(|id| &*id.path != "p/s")
        };
        for placeholder in parse(&text, &no_names(scope)) {
            let kept = all.contains(&placeholder);
            prop_assert!(kept || !inline(&placeholder), "{:?}", placeholder);
        }
    }

    #[test]
    fn a_printed_reference_parses_to_itself(reference in named(), generic: bool) {
        let scope = if generic { annotated() } else { plain() };
        let text = format!("a {} b", print(&reference));
        let range = 2..text.len() - 2;
        prop_assert_eq!(parse(text.as_bytes(), &scope), [Placeholder { range, reference }]);
    }

    #[test]
    fn no_text_without_a_needle_holds_a_reference(text in near_placeholders(), generic: bool) {
        let scope = if generic { annotated() } else { plain() };
        prop_assert!(parse(&without_needles(text), &scope).is_empty());
    }
}

fn without_needles(mut text: Vec<u8>) -> Vec<u8> {
    for needle in needles() {
        while let Some(at) = text.windows(needle.len()).position(|w| w == needle) {
            text.drain(at..at + needle.len());
        }
    }
    text
}
