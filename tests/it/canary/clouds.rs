//! Keys that clouds hold: services that refuse, repeat what they were sent, or talk nonsense, and credentials that are none.

use crate::support::server::Reply;
use crate::support::sops_bundle::cases;

use super::{BODY, CREDENTIAL, Case, TOKEN, URL, case, check};

#[test]
fn keys_that_clouds_do_not_open() {
    let all: Vec<Case> = aws().into_iter().chain(gcp()).chain(azure()).collect();
    check(&all);
}

/// A file that the real sops wrapped, read by a placeholder.
fn file(recorded: &str, what: &'static str) -> Case {
    let cases = cases(include_str!("../../golden/sops/servers.txt"));
    let text = &cases
        .iter()
        .find(|case| case.name == recorded)
        .unwrap()
        .encrypted;
    // By our own name paths are relative to what is rendered, by AVP's to the working folder.
    case(what, 3, "no key at hand opens this file")
        .value("<sops:secrets.enc#db.password>")
        .file("k8s/secrets.enc", text.clone())
        .file("secrets.enc", text.clone())
        .env("MANIFUSE_ROOT", ".")
}

fn aws() -> Vec<Case> {
    let with_keys = |what| {
        file("aws-kms", what)
            .env("AWS_ENDPOINT_URL", URL)
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
            .env("AWS_SESSION_TOKEN", TOKEN)
            .env("AWS_MAX_ATTEMPTS", "1")
    };
    vec![
        with_keys("KMS refuses").answers(|request| {
            let sent = request.header("x-amz-security-token").unwrap_or_default();
            let message = format!("not for {sent}\n{sent}");
            let body = serde_json::json!({"__type": "AccessDeniedException", "message": message});
            Reply::json(400, body.to_string())
        }),
        with_keys("KMS talks nonsense").answers(|_| Reply::json(200, format!("{{\"Plaintext\":{BODY}"))),
        with_keys("KMS answers a page").answers(|_| Reply::new(502, BODY)),
        with_keys("roots that are none")
            .env("AWS_CA_BUNDLE", "roots.pem")
            .file("roots.pem", CREDENTIAL),
        file("aws-kms", "a command of a profile fails")
            .env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "config")
            .file(
                "config",
                format!("[default]\ncredential_process = sh -c 'echo {CREDENTIAL}; echo {CREDENTIAL} >&2; exit 1'\n"),
            ),
        file("aws-kms", "profiles that cannot be read")
            .env("AWS_ACCESS_KEY_ID", "")
            .env("AWS_SECRET_ACCESS_KEY", "")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_SHARED_CREDENTIALS_FILE", "credentials")
            .file("credentials", format!("[default]\n{CREDENTIAL}\n")),
    ]
}

fn gcp() -> Vec<Case> {
    let with_token = |what| {
        file("gcp-kms", what)
            .env("SOPS_GCP_KMS_ENDPOINT", URL)
            .env("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    };
    vec![
        with_token("Cloud KMS refuses").answers(|request| {
            let sent = request.header("authorization").unwrap_or_default();
            let body = serde_json::json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": sent}});
            Reply::json(403, body.to_string())
        }),
        with_token("Cloud KMS talks nonsense").answers(|_| Reply::json(200, format!("{{\"plaintext\":{BODY}"))),
        with_token("Cloud KMS answers a page").answers(|_| Reply::new(403, BODY)),
        with_token("credentials that are none").env("GOOGLE_CREDENTIALS", CREDENTIAL),
        with_token("a login that is refused")
            .env("GOOGLE_CREDENTIALS", "user.json")
            .file("user.json", format!(r#"{{"type":"authorized_user","client_id":"c","client_secret":"{CREDENTIAL}","refresh_token":"{TOKEN}","token_uri":"{URL}/token"}}"#))
            .answers(|request| Reply::json(400, [BODY.as_bytes(), &request.body].concat())),
    ]
}

fn azure() -> Vec<Case> {
    let with_secret = |what| {
        file("azure-kv", what)
            .env("AZURE_TENANT_ID", "t")
            .env("AZURE_CLIENT_ID", "c")
            .env("AZURE_CLIENT_SECRET", CREDENTIAL)
    };
    vec![
        with_secret("a vault that may not be asked")
            .env("MANIFUSE_SOPS_AZURE_VAULTS", "https://127.0.0.1"),
        with_secret("an account that is none")
            .env("MANIFUSE_SOPS_KEYS", "keys")
            .file("keys/sops.azure-kv", CREDENTIAL),
    ]
}
