//! References that cannot be resolved, and manifests that cannot be read.

use super::{Case, DECODED, NEIGHBOUR, STANDARD, TOKEN, case, check};
use base64::Engine as _;

#[test]
fn references_without_a_value() {
    check(&references());
}

#[test]
fn references_whose_bracket_is_missing() {
    check(&runaways());
}

#[test]
fn references_in_decoded_text() {
    check(&layers());
}

#[test]
fn documents_that_say_something_wrong() {
    check(&documents());
}

#[test]
fn syntax_errors_beside_a_literal() {
    check(&syntax());
}

#[test]
fn expanding() {
    check(&expansions());
}

#[test]
fn warnings_of_good_runs() {
    check(&warnings());
}

fn references() -> Vec<Case> {
    let annotated = |annotation: &str, value: &str| {
        format!(
            "kind: X\nmetadata: {{annotations: {{{annotation}}}}}\na: {NEIGHBOUR} {value} {NEIGHBOUR}\n"
        )
    };
    vec![
        case("a missing key", 1, "has no key pasword").value("<path:secret/data/db#pasword>"),
        case("a key with a typo", 1, "there is a key user").value("<path:secret/data/db#usre>"),
        case("a null", 1, "the value of null in secret/data/db is null")
            .value("<path:secret/data/db#null>"),
        case(
            "a missing path",
            1,
            "Could not find secrets at path secret/data/gone",
        )
        .value("<path:secret/data/gone#k>"),
        case(
            "a missing version",
            1,
            "Could not find secrets at path secret/data/db",
        )
        .value("<path:secret/data/db#user#7>"),
        case("a denied path", 3, "permission denied").value("<path:secret/data/closed#k>"),
        case("a deleted version", 1, "secret/data/deleted").value("<path:secret/data/deleted#k>"),
        case("a path out of the API", 1, "leads out of").value("<path:secret/../../sys#k>"),
        case(
            "a secret of another engine",
            1,
            "check that kv-v2 is the correct engine",
        )
        .value("<path:secret/data/flat#user>"),
        case("a generic key that is missing", 1, "has no key nokey").manifest(annotated(
            "avp.kubernetes.io/path: secret/data/db",
            "<nokey>",
        )),
        case(
            "an empty path annotation",
            1,
            "the path annotation is empty",
        )
        .manifest(annotated("avp.kubernetes.io/path: \"\"", "<nokey>")),
        case("an annotated path that is missing", 1, "secret/data/gone").manifest(annotated(
            "avp.kubernetes.io/path: secret/data/gone",
            "<nokey>",
        )),
        case("a version of KV that is none", 1, "kv").manifest(annotated(
            "avp.kubernetes.io/path: secret/data/db, avp.kubernetes.io/kv-version: \"9\"",
            "<user>",
        )),
        case(
            "a path that validation forbids",
            4,
            "is disallowed by AVP_PATH_VALIDATION",
        )
        .env("AVP_PATH_VALIDATION", "^other/"),
        case("a path that only looks allowed", 4, "it is read as")
            .value("<path:secret/data/x/../db#user>")
            .env("AVP_PATH_VALIDATION", "^secret/data/x/"),
    ]
}

/// A forgotten `>` makes a reference of all that follows up to the next one.
fn runaways() -> Vec<Case> {
    let says = "is its closing > missing";
    let block = |text: &str| format!("kind: X\na: |\n  {text}\n");
    vec![
        case("a key runs into the next reference", 1, says)
            .value(&format!("<path:secret/data/db#user:{NEIGHBOUR}@<path:secret/data/db#user>")),
        case("a key runs into the next line", 1, says).manifest(block(&format!(
            "user = <path:secret/data/db#user\n  password = {NEIGHBOUR}\n  <path:secret/data/db#user>"
        ))),
        case("a key ends at an arrow in the next line", 1, says).manifest(block(&format!(
            "user = <path:secret/data/db#user\n  password = {NEIGHBOUR} -> x"
        ))),
        case("a path runs into the next reference", 1, says)
            .value(&format!("<path:secret/data/db {NEIGHBOUR} <path:secret/data/db#user>")),
        case("a path runs over its bracket", 1, says)
            .value(&format!("<path:secret/data/db> {NEIGHBOUR}#1 of <all>")),
        case("a path runs on and is denied", 3, says)
            .value(&format!("<path:secret/data/db {NEIGHBOUR} <path:secret/data/db#user>"))
            .answers(|request| {
                let body = serde_json::json!({"errors": [format!("no route {}", request.target)]});
                super::Reply::json(403, body.to_string())
            }),
        case("a path runs on and is forbidden", 4, says)
            .value(&format!("<path:secret/data/db {NEIGHBOUR} <path:secret/data/db#user>"))
            .env("AVP_PATH_VALIDATION", "^other/"),
        case("a modifier runs on", 1, says).value(&format!(
            "<path:secret/data/db#user | base64encode:{NEIGHBOUR}@<path:secret/data/db#user>"
        )),
        case("a generic key runs on", 1, says).manifest(format!(
            "kind: X\nmetadata: {{annotations: {{avp.kubernetes.io/path: secret/data/db}}}}\n\
             a: <user:{NEIGHBOUR}@<user>\n"
        )),
    ]
}

fn layers() -> Vec<Case> {
    let missing = format!("{DECODED} <path:secret/data/db#pasword> {DECODED}");
    let docker = serde_json::json!({"auths": {"r": {
        "password": DECODED,
        "auth": STANDARD.encode(format!("{DECODED}:<path:secret/data/db#pasword>")),
    }}});
    let xml = format!("<configuration><user name=\"{DECODED}\">{DECODED}</user></configuration>");
    vec![
        case("a reference in base64", 1, "has no key pasword").decoded(&missing),
        case("a reference in base64 in base64", 1, "has no key pasword")
            .decoded(&STANDARD.encode(&missing)),
        case(
            "a reference in base64 in JSON in base64",
            1,
            "has no key pasword",
        )
        .decoded(&docker.to_string()),
        case("a denied reference in base64", 3, "permission denied")
            .decoded(&format!("{DECODED} <path:secret/data/closed#k> {DECODED}")),
        case("a modifier in base64", 1, "invalid modifier: shout").decoded(&format!(
            "{DECODED} <path:secret/data/db#user | shout> {DECODED}"
        )),
        case("a runaway in base64", 1, "is its closing > missing").decoded(&format!(
            "<path:secret/data/db#user:{DECODED}@<path:secret/data/db#user>"
        )),
        case("a reference in !!binary", 1, "has no key pasword").manifest(format!(
            "kind: X\na: !!binary {}\n",
            STANDARD.encode(&missing)
        )),
        case("XML in base64 under an annotation", 1, "missing value for").manifest(format!(
            "kind: Secret\nmetadata: {{annotations: {{avp.kubernetes.io/path: secret/data/db}}}}\n\
                 data: {{a: {}}}\n",
            STANDARD.encode(xml)
        )),
        case("a value that is not UTF-8 in JSON", 1, "is not UTF-8 text").decoded(&format!(
            r#"{{"a":"\u003cpath:secret/data/db#bytes | base64decode\u003e","b":"{DECODED}"}}"#
        )),
    ]
}

fn documents() -> Vec<Case> {
    let removing = |kind: &str, rest: &str| {
        format!(
            "kind: {kind}\nmetadata: {{annotations: {{avp.kubernetes.io/remove-missing: \"true\"}}}}\n{rest}"
        )
    };
    vec![
        case("remove-missing elsewhere", 1, "can only be used on Secret or ConfigMap").manifest(
            removing("Deployment", &format!("a: {NEIGHBOUR} <path:secret/data/db#no>\n")),
        ),
        case("remove-missing of an anchor in use", 1, "cannot be removed").manifest(removing(
            "ConfigMap",
            &format!(
                "data:\n  a: &x {{b: \"<path:secret/data/db#no> {NEIGHBOUR}\", c: &y {NEIGHBOUR}}}\n  \
                 <path:secret/data/db#no>: &z <path:secret/data/db#no>\n  d: [[*z]]\n"
            ),
        )),
        case("remove-missing and a denial", 3, "permission denied").manifest(removing(
            "Secret",
            &format!("stringData: {{a: \"{NEIGHBOUR} <path:secret/data/closed#k>\"}}\n"),
        )),
        case("remove-missing and an absent path", 1, "secret/data/gone").manifest(removing(
            "Secret",
            &format!("stringData: {{a: \"{NEIGHBOUR} <path:secret/data/gone#k>\"}}\n"),
        )),
        case("an annotation that is a list", 1, "is a list or a map, not text").manifest(format!(
            "kind: X\nmetadata: {{annotations: {{avp.kubernetes.io/path: [{NEIGHBOUR}]}}}}\na: <x>\n"
        )),
        case("an alias where nothing is replaced", 1, "an alias in a list within a list").manifest(
            format!("kind: X\na: &m {{b: \"{NEIGHBOUR} <path:secret/data/db#user>\"}}\nc: [[*m]]\n"),
        ),
        case("a failure in each of two equal keys", 1, "has no key no2").manifest(format!(
            "kind: X\na: {NEIGHBOUR} <path:secret/data/db#no1>\na: {NEIGHBOUR} <path:secret/data/db#no2>\n"
        )),
        case("a document without a kind", 1, "the document has no kind")
            .manifest(format!("password: {NEIGHBOUR}\na: <x>\n")),
        case("a kind that is no string", 1, "kind is not a string")
            .manifest(format!("kind: [{NEIGHBOUR}]\na: <x>\n")),
        case("a list", 1, "a document is a list").manifest(format!("- {NEIGHBOUR} <x>\n")),
        case("a scalar", 1, "a document is a scalar").manifest(format!("{NEIGHBOUR} <x>\n")),
        case("a key that is a list", 1, "a key that is a list or a map")
            .manifest(format!("kind: X\n? [{NEIGHBOUR}]\n: <x>\n")),
        case("text behind a separator", 1, "behind the --- of a separator line")
            .manifest(format!("kind: X\n--- {NEIGHBOUR}\na: <x>\n")),
        case("no document at all", 1, "holds no documents").manifest(format!("# {NEIGHBOUR}\n")),
    ]
}

fn expansions() -> Vec<Case> {
    let expand = |kind: &str, path: &str, rest: &str| {
        format!(
            "kind: {kind}\nmetadata: {{annotations: {{manifuse.io/expand: secret/data/{path}}}}}\n{rest}"
        )
    };
    let beside = format!("stringData: {{a: {NEIGHBOUR}}}\n");
    vec![
        case(
            "expand elsewhere",
            1,
            "can only be used on Secret or ConfigMap",
        )
        .manifest(expand("X", "db", &format!("a: {NEIGHBOUR}\n"))),
        case("expand of a denied secret", 3, "permission denied")
            .manifest(expand("Secret", "closed", &beside)),
        case("expand of an absent secret", 1, "secret/data/gone")
            .manifest(expand("Secret", "gone", &beside)),
        case(
            "expand of a key that Kubernetes refuses",
            1,
            "which Kubernetes refuses",
        )
        .manifest(expand("Secret", "odd", &beside)),
        case("expand of an alias", 1, "it is an alias").manifest(expand(
            "Secret",
            "db",
            &format!("x: &x {{a: {NEIGHBOUR}}}\nstringData: *x\n"),
        )),
        case("expand of no map", 1, "it is no map").manifest(expand(
            "Secret",
            "db",
            &format!("stringData: [{NEIGHBOUR}]\n"),
        )),
        case("expand beside a failure", 1, "has no key no").manifest(expand(
            "Secret",
            "db",
            &format!("stringData: {{a: {NEIGHBOUR} <path:secret/data/db#no>}}\n"),
        )),
        case("expand into blanks at the end", 1, "ends in blanks without a line end").manifest(
            expand("Secret", "db", &format!("a: |+\n  {NEIGHBOUR}\n\n  ")),
        ),
        case("expand of a reference", 1, "without #KEY").manifest(expand(
            "Secret",
            "db#user",
            &beside,
        )),
        case("expand of a path with a line end", 1, "holds a line end").manifest(format!(
            "kind: Secret\nmetadata:\n  annotations:\n    manifuse.io/expand: |\n      a\n      {NEIGHBOUR}\n"
        )),
        case("expand that is a list", 1, "is a list or a map, not text").manifest(format!(
            "kind: Secret\nmetadata: {{annotations: {{manifuse.io/expand: [{NEIGHBOUR}]}}}}\n"
        )),
    ]
}

fn syntax() -> Vec<Case> {
    let beside = |what, says, text: &str| {
        let manifest = format!("kind: Secret\nurl: <path:secret/data/db#user>\n{text}\n");
        case(what, 1, says).manifest(manifest.replace("N!", NEIGHBOUR))
    };
    let json = |what, says, text: &str| case(what, 1, says).manifest(text.replace("N!", NEIGHBOUR));
    let yaml = "this is not YAML";
    vec![
        beside("an unclosed quote", yaml, "password: \"N!"),
        beside("an unclosed single quote", yaml, "password: 'N!"),
        beside("a wrong escape", yaml, "password: \"\\qN!\""),
        beside("text behind a quote", yaml, "password: \"N!\" N!"),
        beside("a colon in plain text", yaml, "password: N!: N!"),
        beside("an anchor that is not there", yaml, "password: *N!"),
        beside("a tag without its directive", yaml, "password: !N!!x N!"),
        beside("a tag that is not closed", yaml, "password: !<N! N!"),
        beside("a tab", yaml, "N!:\n\tN!: N!"),
        beside("an open bracket", yaml, "password: [N!"),
        beside("a reserved character", yaml, "password: @N!"),
        beside("a percent sign", yaml, "password: %N!"),
        beside("a wrong block header", yaml, "password: |N!\n  N!"),
        beside("a lost indentation", yaml, "a:\n    b: N!\n  N!: N!"),
        beside("a key without its colon", yaml, "N!\nb: N!"),
        beside(
            "a number beyond JSON",
            "a number that JSON cannot hold",
            "password: .inf # N!",
        ),
        json("a directive", "a directive", "%N!\n---\nkind: X\na: <x>\n"),
        json(
            "JSON cut off",
            "this is not JSON",
            "{\"kind\":\"X\",\"a\":\"N!",
        ),
        json(
            "JSON without a comma",
            "this is not JSON",
            "{\"kind\":\"X\",\"a\":\"N!\" \"N!\":1}",
        ),
        json(
            "JSON with a wrong escape",
            "this is not JSON",
            "{\"kind\":\"X\",\"a\":\"N!\\q\"}",
        ),
        json(
            "JSON with a bare word",
            "this is not JSON",
            "{\"kind\":\"X\",\"a\":N!}",
        ),
        json(
            "JSON with a huge number",
            "a number too large",
            "{\"kind\":\"X\",\"N!\":1e999}",
        ),
        case("a manifest that is not UTF-8", 1, "this is not UTF-8 text")
            .manifest([NEIGHBOUR.as_bytes(), b": \xff <x> ", TOKEN.as_bytes()].concat()),
    ]
}

fn warnings() -> Vec<Case> {
    vec![
        case("a placeholder in a key", 0, "in a key or in a list within a list is not replaced")
            .manifest(format!("kind: X\n{NEIGHBOUR}<path:secret/data/db#user>: {NEIGHBOUR}\n")),
        case("equal keys", 0, "the same key twice").manifest(format!(
            "kind: X\n{NEIGHBOUR}: 1\n{NEIGHBOUR}: <path:secret/data/db#user>\n"
        )),
        case("a failure in a shadowed key", 0, "has no key no").manifest(format!(
            "kind: X\na: {NEIGHBOUR} <path:secret/data/db#no>\na: {NEIGHBOUR}\n"
        )),
        case("text behind the end", 0, "text behind the end of the document")
            .manifest(format!("kind: X\na: <path:secret/data/db#user>\n...\n{NEIGHBOUR}: x\n")),
        case("base64 with a fault", 0, "is not valid base64")
            .value("<path:secret/data/db#cut | base64decode>"),
        case("base64 with a fault in base64", 0, "is not valid base64")
            .decoded(&format!("{DECODED} <path:secret/data/db#cut | base64decode>")),
        case("text that a number replaces", 0, "takes the place of the whole text")
            .value("<path:secret/data/db#number>"),
        case("text in base64 that a list replaces", 0, "takes the place of the whole text")
            .decoded(&format!("{DECODED} <path:secret/data/db#list>")),
        case("an annotation in a List", 0, "has no effect").manifest(format!(
            "kind: List\na: <path:secret/data/db#user>\nitems:\n- metadata: {{annotations: {{avp.kubernetes.io/path: {NEIGHBOUR}}}}}\n"
        )),
        case("base64 in a List", 0, "in an item of a List is not replaced").manifest(format!(
            "kind: List\nitems:\n- {{kind: Secret, data: {{a: {}}}}}\nb: <x>\n",
            STANDARD.encode(format!("{DECODED} <path:secret/data/db#user>"))
        )),
        case("a reference cut by a comment", 0, "is cut off by its #").manifest(format!(
            "kind: X\na: {NEIGHBOUR} <path:secret/data/db #user> {NEIGHBOUR}\n"
        )),
        case("a secret in a label", 0, "is put into an annotation or a label")
            .env("MANIFUSE_WARN", "all=on")
            .manifest(format!(
                "kind: X\nmetadata: {{labels: {{a: {NEIGHBOUR} <path:secret/data/db#user>}}}}\n"
            )),
        case("a warning that fails the run", 1, "the same key twice")
            .env("MANIFUSE_WARN", "duplicate-key=error")
            .manifest(format!("kind: X\n{NEIGHBOUR}: 1\n{NEIGHBOUR}: <x>\n")),
        case("an entry that is removed", 0, "").manifest(format!(
            "kind: Secret\nmetadata: {{annotations: {{avp.kubernetes.io/remove-missing: \"true\"}}}}\n\
             stringData:\n  a: {NEIGHBOUR} <path:secret/data/db#no>\n  b: <path:secret/data/db#user>\n"
        )),
    ]
}
