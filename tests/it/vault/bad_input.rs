//! A server that misbehaves: each way is a clear error, without a secret, in bounded memory and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use manifuse::backends::{Error, ErrorKind};
use tokio::time::Instant;

use super::{SECRET, failure, fetch, kv2, request, run, with_token};
use crate::support::server::{Reply, Request, Server};

fn read(server: &Server, more: &[(&str, &str)]) -> Error {
    failure(fetch(with_token(&server.url(), more).as_ref(), "kv/data/a"))
}

/// Gives the replies one after the other; the last one stays.
fn sequence(replies: Vec<Reply>) -> Server {
    let next = AtomicUsize::new(0);
    Server::start(move |_| {
        let number = next.fetch_add(1, Ordering::SeqCst);
        replies[number.min(replies.len() - 1)].clone()
    })
}

fn good() -> Reply {
    Reply::json(200, kv2(r#"{"k":"v"}"#))
}

fn page(status: u16) -> Reply {
    Reply::new(status, format!("<html>{SECRET}</html>")).with_header("Content-Type", "text/html")
}

#[test]
fn html_instead_of_json() {
    for status in [200, 404] {
        let server = Server::start(move |_| page(status));
        let error = read(&server, &[]);
        assert_eq!(error.kind, ErrorKind::Malformed);
        let url = server.url();
        let expected =
            format!("the answer is not the JSON that Vault gives: GET {url}/v1/kv/data/a");
        assert_eq!(error.message, expected);
        assert_eq!(
            error.causes,
            [format!("status {status}, text/html, 31 bytes")]
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn half_a_json() {
    let server =
        Server::start(|_| Reply::json(200, format!(r#"{{"data":{{"data":{{"k":"{SECRET}""#)));
    assert_eq!(read(&server, &[]).kind, ErrorKind::Malformed);
    let server = Server::start(|_| Reply::json(200, b"{\"data\":\"\xff\"}".to_vec()));
    assert_eq!(read(&server, &[]).kind, ErrorKind::Malformed);
}

#[test]
fn a_denial_and_an_absence_are_not_tried_again() {
    for (status, kind) in [
        (400, ErrorKind::Denied),
        (403, ErrorKind::Denied),
        (404, ErrorKind::AbsentPath),
        (501, ErrorKind::Unreachable),
    ] {
        let server = Server::start(move |_| Reply::json(status, r#"{"errors":[]}"#));
        assert_eq!(read(&server, &[]).kind, kind, "{status}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[test]
fn too_many_requests_waits_as_long_as_the_server_asks() {
    let busy = Reply::json(429, r#"{"errors":["slow down"]}"#).with_header("Retry-After", "1");
    let server = sequence(vec![busy, good()]);
    let start = Instant::now();
    fetch(with_token(&server.url(), &[]).as_ref(), "kv/data/a").unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_wait_beyond_the_deadline_is_not_begun() {
    for retry_after in [
        "3600",
        "1000000000",
        "18446744073709551615",
        "99999999999999999999",
        "Wed, 21 Oct 2099 07:28:00 GMT",
    ] {
        let busy = Reply::json(429, r#"{"errors":["slow down"]}"#);
        let server = sequence(vec![busy.with_header("Retry-After", retry_after)]);
        let start = Instant::now();
        let error = read(&server, &[]);
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert_eq!(error.causes[0], "slow down");
        assert!(
            error.causes[1].starts_with("the server asks to wait "),
            "{:?}",
            error.causes
        );
        assert!(start.elapsed() < Duration::from_secs(20));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn broken_twice_then_well() {
    for bad in [
        page(500),
        page(503),
        Reply::json(412, "{}"),
        Reply::Close,
        Reply::Reset,
        Reply::Truncated(b"{\"data\":".to_vec()),
    ] {
        let server = sequence(vec![bad.clone(), bad.clone(), good()]);
        let outcome = fetch(with_token(&server.url(), &[]).as_ref(), "kv/data/a");
        assert!(outcome.is_ok(), "{bad:?}: {outcome:?}");
        assert_eq!(server.requests().len(), 3, "{bad:?}");
    }
}

#[test]
fn broken_three_times_is_told_with_the_number_of_tries() {
    let server = sequence(vec![page(500), page(502), page(500), good()]);
    let error = read(&server, &[]);
    assert_eq!(error.kind, ErrorKind::Unreachable);
    let url = server.url();
    let expected =
        format!("Error making API request: GET {url}/v1/kv/data/a answered 500 (3 tries)");
    assert_eq!(error.message, expected);
    assert_eq!(
        error.causes,
        ["the answer holds 31 bytes that are not JSON"]
    );
}

#[test]
fn three_more_tries_get_past_three_failures() {
    let server = sequence(vec![page(500), page(500), page(500), good()]);
    let backend = with_token(&server.url(), &[("VAULT_MAX_RETRIES", "3")]);
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn no_retries_means_one_try() {
    let server = sequence(vec![page(500), good()]);
    let error = read(&server, &[("VAULT_MAX_RETRIES", "0")]);
    assert!(error.message.ends_with("answered 500"), "{}", error.message);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_reset_in_the_middle() {
    let server = Server::start(|_| Reply::Reset);
    let error = read(&server, &[]);
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(
        error.message,
        format!("no connection: GET {} (3 tries)", server.url())
    );
    assert_eq!(
        error.hint.as_deref(),
        Some("is the server up, and is its address right? It is set by VAULT_ADDR")
    );
}

/// The bound on a head is the library's.
#[test]
fn a_head_of_ten_thousand_headers_is_refused() {
    let head = format!("HTTP/1.1 200 OK\r\n{}", "X-A: CANARY\r\n".repeat(10_000));
    let server = Server::start(move |_| Reply::Raw(head.clone().into_bytes()));
    let error = read(&server, &[]);
    assert_eq!(
        error.message,
        format!("the answer is not HTTP: GET {}", server.url())
    );
    assert_eq!(server.requests().len(), 1);
}

/// The clock does not reach so far; the run's own limit is left.
#[test]
fn a_timeout_without_end_is_none() {
    let server = Server::start(|_| good());
    let endless = [("VAULT_CLIENT_TIMEOUT", "18446744073709551615")];
    fetch(with_token(&server.url(), &endless).as_ref(), "kv/data/a").unwrap();
}

#[test]
fn what_is_not_http() {
    let server = Server::start(|_| Reply::Raw(b"SSH-2.0-CANARY\r\n\r\n".to_vec()));
    let error = read(&server, &[]);
    assert_eq!(error.kind, ErrorKind::Malformed);
    assert_eq!(
        error.message,
        format!("the answer is not HTTP: GET {}", server.url())
    );
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn nobody_listens() {
    let error = failure(fetch(
        with_token("http://127.0.0.1:1", &[]).as_ref(),
        "kv/data/a",
    ));
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(
        error.message,
        "no connection: GET http://127.0.0.1:1 (3 tries)"
    );
    assert_eq!(error.causes, ["connection refused"]);
}

#[test]
fn a_redirect_within_the_server_is_followed_once() {
    let moved = Server::start(|request: &Request| match request.target.as_str() {
        "/v1/kv/data/a" => Reply::new(307, "").with_header("Location", "/v1/kv/data/b?version=2"),
        "/v1/kv/data/loop" => Reply::new(302, "").with_header("Location", "/v1/kv/data/loop"),
        "/v1/kv/data/nowhere" => Reply::new(301, ""),
        _ => good(),
    });
    let backend = with_token(&moved.url(), &[]);
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    assert_eq!(
        moved.lines(),
        ["GET /v1/kv/data/a", "GET /v1/kv/data/b?version=2"]
    );
    let url = moved.url();
    let error = failure(fetch(backend.as_ref(), "kv/data/loop"));
    assert_eq!(error.message, format!("GET {url} redirects more than once"));
    let error = failure(fetch(backend.as_ref(), "kv/data/nowhere"));
    assert_eq!(error.message, format!("GET {url} redirects to nowhere"));

    let strict = with_token(&moved.url(), &[("VAULT_DISABLE_REDIRECTS", "true")]);
    let error = failure(fetch(strict.as_ref(), "kv/data/a"));
    assert_eq!(
        error.message,
        format!("Error making API request: GET {url}/v1/kv/data/a answered 307")
    );
}

#[test]
fn the_token_does_not_follow_to_another_host() {
    let thief = Server::start(|_| good());
    let target = thief.url();
    for location in [
        target.clone(),
        target.replace("127.0.0.1", "localhost"),
        target.replace("http:", ""),
    ] {
        let to = format!("{location}/v1/kv/data/a");
        let server = Server::start(move |_| Reply::new(302, "").with_header("Location", &to));
        let error = read(&server, &[]);
        assert_eq!(error.kind, ErrorKind::Unreachable);
        let begin = format!("GET {} redirects to another host, http://", server.url());
        assert!(error.message.starts_with(&begin), "{}", error.message);
        assert_eq!(server.requests().len(), 1, "a redirect is not tried again");
    }
    assert!(thief.requests().is_empty(), "the thief saw a request");
}

#[test]
fn two_gigabytes_are_given_up_early() {
    const BYTES: u64 = 2 << 30;
    let server = Server::start(|_| Reply::Endless(BYTES));
    let error = read(&server, &[]);
    assert_eq!(error.kind, ErrorKind::Malformed);
    let expected = format!("the answer is larger than 16 MiB: GET {}", server.url());
    assert_eq!(error.message, expected);
    assert_eq!(server.requests().len(), 1);

    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n{{");
    let server = Server::start(move |_| Reply::Raw(head.clone().into_bytes()));
    assert_eq!(
        read(&server, &[]).message,
        format!("the answer is larger than 16 MiB: GET {}", server.url())
    );
}

#[test]
fn silence_ends_with_the_deadline_of_the_run() {
    let server = Server::start(|_| Reply::Silence);
    let backend = with_token(&server.url(), &[]);
    let limit = Duration::from_millis(200);
    let error = failure(run(backend.as_ref(), &[request("kv/data/a")], limit).remove(0));
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(
        error.message,
        format!("no answer in time: GET {}", server.url())
    );
}

#[test]
fn a_deadline_tells_what_went_wrong_before() {
    let server = sequence(vec![page(503), Reply::Silence]);
    let error = read(&server, &[("VAULT_CLIENT_TIMEOUT", "300ms")]);
    assert_eq!(
        error.message,
        format!("no answer in time: GET {} (2 tries)", server.url())
    );
    assert_eq!(error.causes, ["the try before was answered 503"]);
}

#[test]
fn silence_ends_with_the_timeout_of_the_settings() {
    let server = Server::start(|_| Reply::Silence);
    let error = read(&server, &[("VAULT_CLIENT_TIMEOUT", "200ms")]);
    assert_eq!(
        error.message,
        format!("no answer in time: GET {}", server.url())
    );
    let slow = Server::start(|_| good().after(Duration::from_millis(5)));
    let backend = with_token(&slow.url(), &[("VAULT_CLIENT_TIMEOUT", "0")]);
    fetch(backend.as_ref(), "kv/data/a").unwrap();
}

/// One that waits for the login of another must not wait longer than its own run.
#[test]
fn a_silent_login_ends_all_fetches_in_time() {
    let server = Server::start(|_| Reply::Silence);
    let url = server.url();
    let settings = [
        ("VAULT_ADDR", url.as_str()),
        ("AVP_AUTH_TYPE", "approle"),
        ("AVP_ROLE_ID", "r"),
        ("AVP_SECRET_ID", SECRET),
    ];
    let backend: Arc<_> = super::open(&settings).unwrap();
    let requests: Vec<_> = (0..5).map(|n| request(&format!("kv/data/{n}"))).collect();
    for outcome in run(backend.as_ref(), &requests, Duration::from_millis(200)) {
        assert_eq!(failure(outcome).kind, ErrorKind::Unreachable);
    }
    assert_eq!(server.requests().len(), 1);
}
