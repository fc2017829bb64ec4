//! Reads: paths, versions, engines, and each row of the table of outcomes (`avp-compat.md` 11.1).

use manifuse::backends::{Answer, Error, ErrorKind, Keys, Outcome, Request};
use manifuse::secret::Value;

use super::{SECRET, TOKEN, failure, fetch, kv2, request, run, text, with_token};
use crate::support::server::{Reply, Server};

fn serve(status: u16, body: impl Into<String>) -> Server {
    let body = body.into();
    Server::start(move |_| Reply::json(status, body.clone()))
}

fn read(server: &Server, request: Request) -> Result<Answer, Error> {
    let backend = with_token(&server.url(), &[]);
    run(backend.as_ref(), &[request], super::PATIENCE).remove(0)
}

fn kv(path: &str, kv_version: &str, version: &str) -> Request {
    let mut request = request(path);
    request.id.kv_version = Some(kv_version.into());
    request.id.version = Some(version).filter(|v| !v.is_empty()).map(Into::into);
    request
}

#[test]
fn a_secret_comes_with_its_version_and_its_number_literals() {
    let server = serve(
        200,
        kv2(r#"{"k":"v","f":1.50,"big":12345678901234567890,"o":{"p":12345678},"nul":null}"#),
    );
    let answer = fetch(with_token(&server.url(), &[]).as_ref(), "kv/data/ok").unwrap();
    assert_eq!(text(&answer, "k"), "v");
    assert_eq!(answer.version.as_deref(), Some("4"));
    let literal = |key| match answer.outcome(key) {
        Outcome::Present(Value::Number(number)) => number.expose().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(literal("f"), "1.50");
    assert_eq!(literal("big"), "12345678901234567890");
    assert!(matches!(
        answer.outcome("o"),
        Outcome::Present(Value::Map(_))
    ));
    assert_eq!(answer.outcome("nul"), Outcome::Absent);
    assert_eq!(answer.outcome("none"), Outcome::Absent);

    let asked = &server.requests()[0];
    assert_eq!(asked.line(), "GET /v1/kv/data/ok");
    assert_eq!(asked.header("x-vault-token"), Some(TOKEN));
    assert_eq!(asked.header("x-vault-request"), Some("true"));
    assert_eq!(asked.header("x-vault-namespace"), None);
    assert_eq!(asked.header("x-vault-wrap-ttl"), None);
}

#[test]
fn paths_are_cleaned_and_encoded() {
    let server = serve(200, kv2(r#"{"k":"v"}"#));
    let backend = with_token(&server.url(), &[]);
    for (path, clean, target) in [
        ("/kv/data/ok/", "kv/data/ok", "GET /v1/kv/data/ok"),
        ("kv/../kv/data//ok", "kv/data/ok", "GET /v1/kv/data/ok"),
        (
            "kv/data/ok bar",
            "kv/data/ok bar",
            "GET /v1/kv/data/ok%20bar",
        ),
        ("ok?version=9", "ok?version=9", "GET /v1/ok%3Fversion=9"),
        (
            "kv/%2e%2e/ü#",
            "kv/%2e%2e/ü#",
            "GET /v1/kv/%252e%252e/%C3%BC%23",
        ),
    ] {
        assert_eq!(backend.normalize(path), clean);
        fetch(backend.as_ref(), path).unwrap();
        assert_eq!(server.lines().pop().unwrap(), target);
    }
}

#[test]
fn a_path_that_leaves_the_api_is_not_asked_for() {
    let server = serve(200, kv2("{}"));
    let backend = with_token(&server.url(), &[]);
    for path in ["../sys/health", "kv/../../v1/kv/x", "", "/"] {
        let error = failure(fetch(backend.as_ref(), path));
        assert_eq!(error.kind, ErrorKind::Reference, "{path}");
    }
    assert_eq!(backend.normalize("../sys/health"), "../sys/health");
    assert!(server.requests().is_empty());
}

#[test]
fn versions_are_asked_for_in_kv_version_2_only() {
    let server = serve(200, kv2(r#"{"k":"v"}"#));
    read(&server, kv("kv/data/ok", "2", "3")).unwrap();
    read(&server, kv("kv1/x", "1", "7")).unwrap();
    let expected = ["GET /v1/kv/data/ok?version=3", "GET /v1/kv1/x"];
    assert_eq!(server.lines(), expected);
}

#[test]
fn kv_version_1_takes_the_whole_data() {
    let server = serve(200, r#"{"data":{"data":"plain","username":"u"}}"#);
    let answer = read(&server, kv("database/creds/r", "1", "")).unwrap();
    assert_eq!(text(&answer, "data"), "plain");
    assert_eq!(text(&answer, "username"), "u");
    let nothing = serve(404, r#"{"data":null,"warnings":["w"]}"#);
    let answer = read(&nothing, kv("kv1/x", "1", "")).unwrap();
    assert_eq!(answer.outcome("k"), Outcome::Absent);
}

#[test]
fn the_setting_decides_where_the_document_does_not() {
    let server = serve(200, r#"{"data":{"k":"v"}}"#);
    let backend = with_token(&server.url(), &[("AVP_KV_VERSION", "1")]);
    assert_eq!(text(&fetch(backend.as_ref(), "kv1/x").unwrap(), "k"), "v");
}

const DELETED: &str = r#"{"data":{"data":null,"metadata":{"version":3}}}"#;
const WARNED: &str = r#"{"data":null,"warnings":["Invalid path"]}"#;
const OTHER_ENGINE: &str = r#"{"data":{"k":"CANARY"}}"#;

/// Status, body, kv version, version, and what it means.
const ABSENT: &[(u16, &str, &str, &str, ErrorKind, &str)] = {
    use ErrorKind::{AbsentPath, Malformed, Reference};
    &[
        (
            404,
            r#"{"errors":[]}"#,
            "2",
            "",
            AbsentPath,
            "Could not find secrets at path kv/x",
        ),
        (
            404,
            "",
            "2",
            "9",
            AbsentPath,
            "Could not find secrets at path kv/x with version 9",
        ),
        (
            404,
            r#"{"errors":[]}"#,
            "1",
            "9",
            AbsentPath,
            "Could not find secrets at path kv/x",
        ),
        (
            204,
            "",
            "2",
            "",
            AbsentPath,
            "Could not find secrets at path kv/x",
        ),
        (
            404,
            DELETED,
            "2",
            "3",
            AbsentPath,
            "The secret version 3 for Vault path kv/x is nil - is this version of the secret deleted?",
        ),
        (
            404,
            DELETED,
            "2",
            "",
            AbsentPath,
            "The secret version  for Vault path kv/x is nil - is this version of the secret deleted?",
        ),
        (
            404,
            WARNED,
            "2",
            "",
            Reference,
            "The Vault path: kv/x is empty - did you forget to include /data/ in the Vault path for kv-v2?",
        ),
        (
            200,
            OTHER_ENGINE,
            "2",
            "",
            Malformed,
            "Could not get data from Vault, check that kv-v2 is the correct engine",
        ),
        (
            200,
            OTHER_ENGINE,
            "3",
            "",
            Reference,
            "Unsupported kvVersion specified",
        ),
        (
            200,
            OTHER_ENGINE,
            "",
            "",
            Reference,
            "Unsupported kvVersion specified",
        ),
        (
            404,
            "",
            "3",
            "",
            AbsentPath,
            "Could not find secrets at path kv/x",
        ),
    ]
};

#[test]
fn each_way_of_being_absent_has_its_own_words() {
    for (status, body, kv_version, version, kind, expected) in ABSENT {
        let server = serve(*status, *body);
        let error = failure(read(&server, kv("kv/x", kv_version, version)));
        assert_eq!(error.message, *expected, "{status} {body}");
        assert_eq!(error.kind, *kind, "{expected}");
        assert!(error.hint.is_some(), "{expected}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn data_that_is_no_object_is_malformed() {
    for body in [
        format!(r#"{{"data":{{"data":"{SECRET}"}}}}"#),
        format!(r#"{{"data":"{SECRET}"}}"#),
        format!(r#"{{"data":["{SECRET}"]}}"#),
    ] {
        let error = failure(read(&serve(200, body), kv("kv/x", "2", "")));
        assert_eq!(error.kind, ErrorKind::Malformed);
        assert_eq!(error.message, "the answer for Vault path kv/x is malformed");
    }
}

#[test]
fn the_address_may_have_a_base_path_and_an_agent() {
    let server = serve(200, kv2(r#"{"k":"v"}"#));
    let agent = format!("{}/b/", server.url());
    let backend = with_token(
        "http://127.0.0.1:1",
        &[
            ("VAULT_AGENT_ADDR", agent.as_str()),
            ("VAULT_NAMESPACE", "team"),
        ],
    );
    fetch(backend.as_ref(), "kv/data/ok").unwrap();
    let asked = &server.requests()[0];
    assert_eq!(asked.line(), "GET /b/v1/kv/data/ok");
    assert_eq!(asked.header("x-vault-namespace"), Some("team"));
}

#[test]
fn the_keys_wanted_do_not_change_the_request() {
    let server = serve(200, kv2(r#"{"k":"v","l":"w"}"#));
    let mut request = request("kv/data/ok");
    request.keys = Keys::Some(["l".to_owned()].into());
    let answer = read(&server, request).unwrap();
    assert_eq!(text(&answer, "l"), "w");
}

#[test]
fn a_refusal_shows_the_words_of_the_server_but_not_the_token() {
    let body =
        format!(r#"{{"errors":["1 error occurred:\n\t* permission denied for {TOKEN}\n\n"]}}"#);
    let server = serve(403, body);
    let error = failure(read(&server, kv("kv/data/x", "2", "3")));
    assert_eq!(error.kind, ErrorKind::Denied);
    let expected = format!(
        "Error making API request: GET {}/v1/kv/data/x answered 403",
        server.url()
    );
    assert_eq!(error.message, expected);
    assert_eq!(error.causes, ["permission denied for [redacted]"]);
    assert_eq!(
        server.requests().len(),
        1,
        "a token that is a setting gets no better"
    );
}
