//! KV version 2 as the fake has it: <https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>.

use serde_json::json;

use super::{CREDENTIAL, NUMBERED, OLD, Store, UNICODE, VALUE, large, suite};
use crate::support::program::Program;
use crate::support::server::{Reply, Request};

pub(super) const STORE: Store = Store {
    current: "vault:kv/data/shop#password",
    old: Some("vault:kv/data/shop#password#1"),
    unicode: "vault:kv/data/shop#unicode",
    large: Some("vault:kv/data/shop#large"),
    // Vault has texts only.
    bytes: None,
    absent_path: ("vault:kv/data/none#password", "kv/data/none"),
    absent_key: Some("vault:kv/data/shop#none"),
    numbered: |number| format!("vault:kv/data/n{number}#password"),
    batch: 1,
    tls: false,
    settings,
    answer,
    reads: |request| request.target.starts_with("/v1/kv/data/"),
    denied: || {
        Reply::json(
            403,
            r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#,
        )
    },
    throttled: || {
        Reply::json(
            429,
            r#"{"errors":["request path rate limit quota exceeded"]}"#,
        )
    },
};

suite!(STORE);

fn settings(program: Program, url: &str) -> Program {
    program
        .env("AVP_AUTH_TYPE", "userpass")
        .env("AVP_USERNAME", "ci")
        .env("AVP_PASSWORD", CREDENTIAL)
        .env("MANIFUSE_TOKEN_CACHE", "off")
        .env("MANIFUSE_VAULT_RETRY_WAIT", "1ms")
        .env("VAULT_ADDR", url)
}

fn answer(request: &Request) -> Reply {
    let refused = || Reply::json(403, r#"{"errors":["permission denied"]}"#);
    if request.target == "/v1/auth/userpass/login/ci" {
        let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        return match sent["password"].as_str() {
            Some(CREDENTIAL) => Reply::json(200, r#"{"auth":{"client_token":"cnry-token-t5k1"}}"#),
            _ => refused(),
        };
    }
    if request.header("x-vault-token") != Some("cnry-token-t5k1") || request.method != "GET" {
        return refused();
    }
    let data = match request.target.strip_prefix("/v1/kv/data/") {
        Some("shop") => json!({"password": VALUE, "unicode": UNICODE, "large": large()}),
        Some("shop?version=1") => json!({"password": OLD}),
        Some(name) => match name.strip_prefix('n').map(str::parse::<usize>) {
            Some(Ok(number)) => json!({"password": format!("{NUMBERED}{number}")}),
            _ => return Reply::json(404, r#"{"errors":[]}"#),
        },
        None => return Reply::json(404, r#"{"errors":["no handler for route"]}"#),
    };
    let body = json!({"data": {"data": data, "metadata": {"version": 2}}});
    Reply::json(200, body.to_string())
}
