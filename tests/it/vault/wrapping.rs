//! A wrapping token instead of the secret id: looked at, opened once, and what it means when it is not what it should be.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use manifuse::backends::ErrorKind;

use super::{TOKEN, auth, failure, fetch, kv2, open};
use crate::support::server::{Reply, Request, Server};

const WRAPPING: &str = "s.CANARYwrappingCANARY";
const SECRET_ID: &str = "CANARY-secret-id";
const LOOKUP: &str = "PUT /v1/sys/wrapping/lookup";
const UNWRAP: &str = "PUT /v1/sys/wrapping/unwrap";
const LOGIN: &str = "PUT /v1/auth/approle/login";
const READ: &str = "GET /v1/kv/data/a";

/// Checks each request as Vault does. The wrapping token was made at this path, and is already used or not.
fn vault(created_at: &'static str, is_used: bool) -> Server {
    Server::start(move |request: &Request| {
        let body = || serde_json::from_slice::<serde_json::Value>(&request.body).unwrap();
        let token = request.header("x-vault-token");
        match request.line().as_str() {
            LOOKUP | UNWRAP if is_used => Reply::json(
                400,
                r#"{"errors":["wrapping token is not valid or does not exist"]}"#,
            ),
            LOOKUP if token.is_none() && body() == serde_json::json!({"token": WRAPPING}) => {
                Reply::json(
                    200,
                    format!(r#"{{"data":{{"creation_path":"{created_at}"}}}}"#),
                )
            }
            UNWRAP if token == Some(WRAPPING) => {
                Reply::json(200, format!(r#"{{"data":{{"secret_id":"{SECRET_ID}"}}}}"#))
            }
            LOGIN if body() == serde_json::json!({"role_id": "r", "secret_id": SECRET_ID}) => {
                Reply::json(200, auth(TOKEN))
            }
            "GET /v1/auth/token/lookup-self" if token == Some(TOKEN) => {
                Reply::json(200, r#"{"data":{"ttl":600}}"#)
            }
            READ if token == Some(TOKEN) => Reply::json(200, kv2(r#"{"k":"v"}"#)),
            _ => Reply::json(400, r#"{"errors":["not as it should be"]}"#),
        }
    })
}

fn settings<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all = [
        ("VAULT_ADDR", url),
        ("AVP_AUTH_TYPE", "approle"),
        ("AVP_ROLE_ID", "r"),
    ];
    [&all[..], more].concat()
}

const GIVEN: (&str, &str) = ("AVP_SECRET_ID_WRAPPED", WRAPPING);

#[test]
fn it_is_looked_at_opened_and_used() {
    let server = vault("auth/approle/role/app/secret-id", false);
    let url = server.url();
    let backend = open(&settings(&url, &[GIVEN])).unwrap();
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    assert_eq!(server.lines(), [LOOKUP, UNWRAP, LOGIN, READ]);
}

#[test]
fn it_may_lie_in_a_file_and_under_another_mount_and_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrapped");
    std::fs::write(&path, format!("{WRAPPING}\n")).unwrap();
    let file = ("AVP_SECRET_ID_WRAPPED_PATH", path.to_str().unwrap());
    for (created_at, namespace) in [
        ("auth/approle/role/a-b_c/secret-id", ""),
        ("team/a/auth/approle/role/app/secret-id", "team/a/"),
        ("auth/approle/role/app/secret-id", "team/a"),
        // A namespace that the mount itself begins with.
        ("auth/approle/role/app/secret-id", "a"),
        ("auth/approle/role/app/secret-id", "auth"),
        ("auth/auth/approle/role/app/secret-id", "/auth/"),
    ] {
        let server = vault(created_at, false);
        let url = server.url();
        let more = [file, ("VAULT_NAMESPACE", namespace)];
        let backend = open(&settings(&url, &more)).unwrap();
        fetch(backend.as_ref(), "kv/data/a").unwrap();
    }
}

/// The token of the first login serves the next run, which could not open the wrapping token again.
#[test]
fn the_next_run_needs_it_no_more() {
    let home = tempfile::tempdir().unwrap();
    let server = vault("auth/approle/role/app/secret-id", false);
    let url = server.url();
    let all = settings(&url, &[GIVEN, ("HOME", home.path().to_str().unwrap())]);
    for _ in 0..2 {
        fetch(open(&all).unwrap().as_ref(), "kv/data/a").unwrap();
    }
    let lookup_self = "GET /v1/auth/token/lookup-self";
    assert_eq!(
        server.lines(),
        [LOOKUP, UNWRAP, LOGIN, READ, lookup_self, READ]
    );
}

/// A process that lives on logs in again when its token has ended, and finds another wrapping token in the file.
#[test]
fn it_is_opened_again_only_when_it_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrapped");
    let (count, spent) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    let server = Server::start(move |request: &Request| {
        let token = request.header("x-vault-token").unwrap_or_default();
        let data = match request.line().as_str() {
            LOOKUP => r#"{"creation_path":"auth/approle/role/app/secret-id"}"#.to_owned(),
            UNWRAP => format!(r#"{{"secret_id":"of-{token}"}}"#),
            LOGIN => {
                let number = count.fetch_add(1, Ordering::SeqCst);
                return Reply::json(200, auth(&format!("t.{number}")));
            }
            // A token is good for one read.
            _ if spent.lock().unwrap().insert(token.to_owned()) => {
                return Reply::json(200, kv2(r#"{"k":"v"}"#));
            }
            _ => return Reply::json(403, r#"{"errors":["permission denied"]}"#),
        };
        Reply::json(200, format!(r#"{{"data":{data}}}"#))
    });
    let url = server.url();
    let file = ("AVP_SECRET_ID_WRAPPED_PATH", path.to_str().unwrap());
    let backend = open(&settings(&url, &[file])).unwrap();
    for token in ["first", "first", "second"] {
        std::fs::write(&path, token).unwrap();
        fetch(backend.as_ref(), "kv/data/a").unwrap();
    }
    let first = [LOOKUP, UNWRAP, LOGIN, READ];
    let again = [READ, LOGIN, READ];
    let rotated = [READ, LOOKUP, UNWRAP, LOGIN, READ];
    assert_eq!(server.lines(), [&first[..], &again, &rotated].concat());
    let requests = server.requests();
    let logins = requests.iter().filter(|request| request.line() == LOGIN);
    let bodies: Vec<_> = logins
        .map(|login| String::from_utf8_lossy(&login.body).into_owned())
        .collect();
    let body = |token| format!(r#"{{"role_id":"r","secret_id":"of-{token}"}}"#);
    assert_eq!(bodies, ["first", "first", "second"].map(body));
}

#[test]
fn one_that_was_used_is_told() {
    let server = vault("auth/approle/role/app/secret-id", true);
    let url = server.url();
    let backend = open(&settings(&url, &[GIVEN])).unwrap();
    let error = failure(fetch(backend.as_ref(), "kv/data/a"));
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(
        error.message,
        "the wrapping token of AVP_SECRET_ID_WRAPPED has been unwrapped already, or it has expired"
    );
    assert_eq!(
        error.causes,
        [
            format!("Error making API request: {LOOKUP} answered 400")
                .replace("/v1", &format!("{url}/v1")),
            "wrapping token is not valid or does not exist".to_owned(),
        ]
    );
    assert!(error.hint.unwrap().contains("find out who did"));
    assert_eq!(server.lines(), [LOOKUP]);
}

/// A wrong address or namespace is no alarm.
#[test]
fn another_refusal_is_told_as_what_it_is() {
    for (status, body, cause) in [
        (400, r#"{"errors":["missing data"]}"#, "missing data"),
        (
            403,
            r#"{"errors":["permission denied"]}"#,
            "permission denied",
        ),
        (404, "{}", ""),
        (503, r#"{"errors":["Vault is sealed"]}"#, "Vault is sealed"),
    ] {
        let server = Server::start(move |_| Reply::json(status, body));
        let url = server.url();
        let backend = open(&settings(&url, &[GIVEN, ("VAULT_MAX_RETRIES", "0")])).unwrap();
        let error = failure(fetch(backend.as_ref(), "kv/data/a"));
        assert_eq!(
            error.message,
            format!("Error making API request: PUT {url}/v1/sys/wrapping/lookup answered {status}")
        );
        assert_eq!(error.causes.concat(), cause);
        let hint = error.hint.unwrap();
        let may_be_spent = "somebody may have opened the wrapping token";
        assert_eq!(hint.contains(may_be_spent), status != 503, "{status}");
        assert_eq!(server.lines(), [LOOKUP]);
    }
}

#[test]
fn one_that_was_swapped_is_not_opened() {
    for created_at in [
        "cubbyhole/evil",
        "sys/wrapping/wrap",
        "auth/approle/role/app/role-id",
        "auth/approle/role/a/b/secret-id",
        "auth/approle/role//secret-id",
        "auth/other/role/app/secret-id",
        "evil/auth/approle/role/app/secret-id",
    ] {
        let server = vault(created_at, false);
        let url = server.url();
        let backend = open(&settings(&url, &[GIVEN])).unwrap();
        let error = failure(fetch(backend.as_ref(), "kv/data/a"));
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(
            error.message,
            "the wrapping token of AVP_SECRET_ID_WRAPPED does not hold a secret id of auth/approle"
        );
        assert_eq!(error.causes, [format!("it was made at {created_at}")]);
        assert_eq!(server.lines(), [LOOKUP], "{created_at}");
    }
}

#[test]
fn one_that_holds_nothing_is_told() {
    let server = Server::start(|request: &Request| match request.line().as_str() {
        LOOKUP => Reply::json(
            200,
            r#"{"data":{"creation_path":"auth/approle/role/app/secret-id"}}"#,
        ),
        _ => Reply::json(200, r#"{"data":{"CANARY":"x"}}"#),
    });
    let url = server.url();
    let backend = open(&settings(&url, &[GIVEN])).unwrap();
    let error = failure(fetch(backend.as_ref(), "kv/data/a"));
    assert_eq!(error.kind, ErrorKind::Malformed);
    assert_eq!(
        error.message,
        "the wrapping token of AVP_SECRET_ID_WRAPPED holds no secret id"
    );
}

#[test]
fn a_secret_id_that_is_set_counts_first() {
    let server = vault("auth/approle/role/app/secret-id", true);
    let url = server.url();
    let backend = open(&settings(&url, &[GIVEN, ("AVP_SECRET_ID", SECRET_ID)])).unwrap();
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    assert_eq!(server.lines(), [LOGIN, READ]);
}
