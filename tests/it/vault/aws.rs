//! The login by AWS IAM: what is sent is a call of STS that Vault can make, signed by whoever logs in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::{TOKEN, auth, fetch, kv2, open, text};
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};
use crate::support::sigv4;

const ID: &str = "AKIACANARY";
const SECRET: &str = "CANARYsecret";
const SESSION: &str = "CANARYsession";

/// Vault, which asks STS itself: here the signature is looked at in its place. Who it is, is the token.
fn vault(request: &Request) -> Reply {
    if request.method == "GET" {
        return match request.header("x-vault-token") {
            Some(TOKEN) => Reply::json(200, kv2(r#"{"k":"v"}"#)),
            _ => Reply::json(403, r#"{"errors":["permission denied"]}"#),
        };
    }
    match signer(request) {
        Ok(_) => Reply::json(200, auth(TOKEN)),
        Err(reason) => {
            let body = serde_json::json!({"errors": [reason]});
            Reply::json(400, body.to_string())
        }
    }
}

/// The call of STS in a login, and whose it is.
fn signer(login: &Request) -> Result<(Request, sigv4::Signed), String> {
    let sent: Json = serde_json::from_slice(&login.body).map_err(|error| error.to_string())?;
    let part = |name: &str| {
        let part = sent[name].as_str().ok_or(format!("no {name}"))?;
        STANDARD.decode(part).map_err(|error| error.to_string())
    };
    if sent["iam_http_request_method"] != "POST" {
        return Err("no POST".to_owned());
    }
    let headers: Json =
        serde_json::from_slice(&part("iam_request_headers")?).map_err(|error| error.to_string())?;
    let headers = headers.as_object().unwrap().iter();
    let headers = headers.map(|(name, values)| {
        let value = values[0].as_str().unwrap().to_owned();
        (name.to_lowercase(), value)
    });
    let url = String::from_utf8(part("iam_request_url")?).unwrap();
    let call = Request {
        method: "POST".to_owned(),
        target: "/".to_owned(),
        headers: headers.collect(),
        body: part("iam_request_body")?,
    };
    if Some(url.as_str())
        != call
            .header("host")
            .map(|host| format!("https://{host}/"))
            .as_deref()
    {
        return Err(format!("{url} is not the host's"));
    }
    if call.body != b"Action=GetCallerIdentity&Version=2011-06-15" {
        return Err("another call".to_owned());
    }
    let signed = sigv4::check(&call, |id| (id == ID).then(|| SECRET.to_owned()))?;
    Ok((call, signed))
}

/// A login with these settings, and a read with its token.
fn login(more: &[(&str, &str)]) -> (Request, Request, sigv4::Signed) {
    let server = Server::start(vault);
    let url = server.url();
    let mut settings = vec![
        ("VAULT_ADDR", &*url),
        ("AVP_AUTH_TYPE", "aws"),
        ("AWS_ACCESS_KEY_ID", ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    settings.extend_from_slice(more);
    let backend = open(&settings).unwrap();
    let answer = fetch(backend.as_ref(), "kv/data/a").unwrap();
    assert_eq!(text(&answer, "k"), "v");
    let login = server.requests().remove(0);
    let (call, signed) = signer(&login).unwrap();
    (login, call, signed)
}

#[test]
fn the_call_is_signed_for_the_sts_that_vault_asks() {
    let (request, call, signed) = login(&[("AWS_REGION", "eu-west-1")]);
    assert_eq!(request.line(), "PUT /v1/auth/aws/login");
    assert_eq!(request.header("x-vault-token"), None);
    assert_eq!((&*signed.region, &*signed.service), ("us-east-1", "sts"));
    assert_eq!(call.header("host"), Some("sts.amazonaws.com"));
    let sent: Json = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(sent.as_object().unwrap().len(), 4, "no role, no server id");
    let (request, call, signed) = login(&[
        ("AVP_ROLE", "shop"),
        ("AVP_MOUNT_PATH", "auth/aws-prod"),
        ("AWS_SESSION_TOKEN", SESSION),
        ("MANIFUSE_VAULT_AWS_REGION", "eu-west-1"),
        ("MANIFUSE_VAULT_AWS_SERVER_ID", "vault.example.com"),
    ]);
    assert_eq!(request.line(), "PUT /v1/auth/aws-prod/login");
    assert_eq!(signed.region, "eu-west-1");
    assert_eq!(call.header("host"), Some("sts.eu-west-1.amazonaws.com"));
    assert_eq!(call.header("x-amz-security-token"), Some(SESSION));
    let sent: Json = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(sent["role"], "shop");
    let authorization = call.header("authorization").unwrap();
    assert!(authorization.contains("x-vault-aws-iam-server-id"));
    let id = call.header("x-vault-aws-iam-server-id");
    assert_eq!(id, Some("vault.example.com"));
}

fn run(server: &Server, variables: &[(&str, &str)]) -> Run {
    let program = Program::manifuse(["generate", "-"])
        .stdin("kind: X\nv: <path:kv/data/a#k>\n")
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "aws")
        .env("VAULT_ADDR", server.url())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let set = |program: Program, (name, value): &(&str, &str)| program.env(name, *value);
    variables.iter().fold(program, set).run()
}

fn fails(run: &Run, code: i32, words: &[&str]) {
    assert_eq!(
        (run.code, run.stdout.len()),
        (Some(code), 0),
        "{}",
        run.stderr
    );
    for words in words {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert!(!run.stderr.contains("CANARY"), "{}", run.stderr);
}

const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIA"),
    ("AWS_SECRET_ACCESS_KEY", SECRET),
    ("AWS_SESSION_TOKEN", SESSION),
];

/// No two proofs are equal, so that none finds the token of another: nothing is kept.
#[test]
fn its_token_is_not_kept() {
    let server = Server::start(vault);
    let keys = [("AWS_ACCESS_KEY_ID", ID), KEYS[1]];
    for _ in 0..2 {
        let run = run(&server, &keys);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    }
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn failures_say_who_has_to_do_something() {
    let none = run(&Server::start(vault), &[]);
    fails(
        &none,
        2,
        &["no credentials for AWS were found", "aws sso login"],
    );
    // STS, whose words Vault hands on, shows what was signed.
    let server = Server::start(|request| {
        let sent: Json = serde_json::from_slice(&request.body).unwrap();
        let call = sent["iam_request_headers"].as_str().unwrap();
        let body = serde_json::json!({"errors": [format!("403 from STS: x-amz-security-token:{SESSION} {call}")]});
        Reply::json(400, body.to_string())
    });
    let refused = run(&server, &KEYS);
    fails(&refused, 3, &["Vault refused the login", "403 from STS"]);
    let sent = server.requests().remove(0);
    let sent: Json = serde_json::from_slice(&sent.body).unwrap();
    let headers = sent["iam_request_headers"].as_str().unwrap();
    assert!(!refused.stderr.contains(headers), "{}", refused.stderr);
    let region = [
        &KEYS[..],
        &[("MANIFUSE_VAULT_AWS_REGION", "evil.example/#")],
    ]
    .concat();
    let wrong = run(&server, &region);
    fails(
        &wrong,
        2,
        &["MANIFUSE_VAULT_AWS_REGION: it is no name of a region"],
    );
}
