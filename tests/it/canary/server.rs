//! Servers whose answers are wrong, or that send back what they were sent.

use std::time::Duration;

use super::{BODY, Case, Reply, Request, TOKEN, VALUE, case, check};

#[test]
fn answers_that_are_none() {
    check(&answers());
}

#[test]
fn refusals() {
    check(&refused());
}

#[test]
fn redirects() {
    check(&redirected());
}

#[test]
fn servers_that_send_the_token_back() {
    check(&echoes());
}

fn page(status: u16) -> Reply {
    Reply::new(status, format!("<html>{BODY} {TOKEN}</html>"))
        .with_header("Content-Type", "text/html")
}

fn answers() -> Vec<Case> {
    let not_json = "the answer is not the JSON that Vault gives";
    vec![
        case("HTML", 1, not_json).answers(|_| page(200)),
        case("HTML as 404", 1, not_json).answers(|_| page(404)),
        case("a text", 1, not_json).answers(|_| Reply::json(200, format!("\"{BODY}\""))),
        case("a list", 1, not_json).answers(|_| Reply::json(200, format!("[\"{BODY}\"]"))),
        case("half a JSON", 1, not_json)
            .answers(|_| Reply::json(200, format!(r#"{{"data":{{"data":{{"user":"{VALUE}""#))),
        case("JSON with a fault", 1, not_json)
            .answers(|_| Reply::json(200, format!(r#"{{"data":{{"user":"{VALUE}" {VALUE}}}}}"#))),
        case("JSON and more", 1, not_json)
            .answers(|_| Reply::json(200, format!(r#"{{"data":{{}}}} {BODY}"#))),
        case("JSON that is not UTF-8", 1, not_json)
            .answers(|_| Reply::json(200, [BODY.as_bytes(), b"\xff"].concat())),
        case("data that is a text", 1, "data")
            .answers(|_| Reply::json(200, format!(r#"{{"data":"{VALUE}"}}"#))),
        case("inner data that is a text", 1, "data.data")
            .answers(|_| Reply::json(200, format!(r#"{{"data":{{"data":"{VALUE}"}}}}"#))),
        case("an answer that breaks off", 3, "no connection")
            .answers(|_| Reply::Truncated(format!("{{\"data\":\"{VALUE}").into_bytes())),
        case("a reset", 3, "no connection").answers(|_| Reply::Reset),
        case("no answer", 3, "no connection").answers(|_| Reply::Close),
        case("what is not HTTP", 1, "the answer is not HTTP")
            .answers(|_| Reply::Raw(format!("SSH-2.0-{BODY}\r\n\r\n").into_bytes())),
        case("a head that is not HTTP", 1, "the answer is not HTTP")
            .answers(|_| Reply::Raw(format!("HTTP/1.1 200 OK\r\n{BODY}\r\n\r\n").into_bytes())),
        case("silence", 3, "no answer in time")
            .env("VAULT_CLIENT_TIMEOUT", "50ms")
            .answers(|_| Reply::Silence),
        case("silence until the end of the run", 3, "in time")
            .env("MANIFUSE_TIMEOUT", "50ms")
            .answers(|_| Reply::Silence),
        case("half an answer, then too late", 3, "no answer in time")
            .env("VAULT_CLIENT_TIMEOUT", "50ms")
            .answers(|_| page(200).after(Duration::from_millis(400))),
        case(
            "an answer without end",
            1,
            "the answer is larger than 16 MiB",
        )
        .answers(|_| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{BODY}");
            Reply::Raw(head.into_bytes())
        }),
        case("TLS where there is none", 3, "no secure connection")
            .env("VAULT_ADDR", "https://@host@"),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        case("a page as 500", 3, "that are not JSON").answers(|_| page(500)),
        case("a page as 403", 3, "that are not JSON").answers(|_| page(403)),
        case("an object as 500", 3, "answered 500")
            .answers(|_| Reply::json(500, format!(r#"{{"message":"{BODY}"}}"#))),
        case("errors that are no texts", 3, "answered 500").answers(|_| {
            Reply::json(
                500,
                format!(r#"{{"errors":[{{"x":"{BODY}"}},["{BODY}"]]}}"#),
            )
        }),
        case("errors that are a text", 3, "answered 400")
            .answers(|_| Reply::json(400, format!(r#"{{"errors":"{BODY}"}}"#))),
        case("data beside errors", 3, "permission denied").answers(|_| {
            Reply::json(
                403,
                format!(r#"{{"errors":["permission denied"],"data":"{VALUE}"}}"#),
            )
        }),
        case("too many requests", 3, "answered 429")
            .answers(|_| Reply::json(429, r#"{"errors":[]}"#).with_header("Retry-After", BODY)),
        case("a sealed server", 3, "sealed").answers(|_| page(503)),
        case("a status of its own", 3, "answered 600")
            .answers(|_| Reply::Raw(format!("HTTP/1.1 600 {BODY}\r\n\r\n").into_bytes())),
    ]
}

fn redirected() -> Vec<Case> {
    vec![
        case(
            "a redirect to another host",
            3,
            "redirects to another host, http://other.test:81",
        )
        .answers(|_| {
            redirect(&format!(
                "http://me:{BODY}@other.test:81/{BODY}?token={TOKEN}#{BODY}"
            ))
        }),
        case("a redirect to a socket", 3, "redirects to another host")
            .answers(|_| redirect(&format!("unix:///{BODY}"))),
        case("a redirect to nowhere", 1, "redirects to nowhere")
            .answers(|_| redirect(&format!("http://[{BODY}"))),
        case("a redirect to itself", 1, "redirects more than once")
            .answers(|_| redirect(&format!("/v1/{BODY}?{TOKEN}"))),
        case("a redirect that is not followed", 1, "answered 307")
            .env("VAULT_DISABLE_REDIRECTS", "true")
            .answers(|_| redirect(&format!("/v1/{BODY}"))),
    ]
}

fn redirect(location: &str) -> Reply {
    Reply::new(307, BODY).with_header("Location", location)
}

fn token(request: &Request) -> &str {
    let token = request.header("x-vault-token").unwrap_or_default();
    assert_eq!(token, TOKEN);
    token
}

fn echoes() -> Vec<Case> {
    vec![
        case("the token among the errors", 3, "bad token [redacted]").answers(|request| {
            let errors = format!("bad token {}", token(request));
            Reply::json(400, serde_json::json!({"errors": [errors]}).to_string())
        }),
        case(
            "the token as the type of a page",
            1,
            "the answer is not the JSON that Vault gives",
        )
        .answers(|request| Reply::new(200, BODY).with_header("Content-Type", token(request))),
        case(
            "the token as a part of the type",
            1,
            "the answer is not the JSON that Vault gives",
        )
        .answers(|request| {
            let kind = format!("text/{}", token(request));
            Reply::new(200, BODY).with_header("Content-Type", &kind)
        }),
        case("the token as the reason", 3, "answered 500").answers(|request| {
            let head = format!(
                "HTTP/1.1 500 {}\r\nContent-Length: 0\r\n\r\n",
                token(request)
            );
            Reply::Raw(head.into_bytes())
        }),
        case("the token as the time to wait", 3, "answered 429").answers(|request| {
            Reply::json(429, r#"{"errors":[]}"#).with_header("Retry-After", token(request))
        }),
        case(
            "the token as the host of a redirect",
            3,
            "redirects to another host",
        )
        .answers(|request| redirect(&format!("http://{}.test/", token(request)))),
        case("the token as a header", 3, "answered 502").answers(|request| {
            Reply::json(502, r#"{"errors":[]}"#).with_header("X-Vault-Token", token(request))
        }),
    ]
}
