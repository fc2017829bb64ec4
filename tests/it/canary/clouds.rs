//! Keys and secrets that clouds hold: services that refuse, repeat what they were sent, or talk nonsense, and credentials that are none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::server::{Reply, Request};
use crate::support::sops_bundle::cases;

use super::{BODY, CREDENTIAL, Case, SETTING, TOKEN, URL, VALUE, case, check};

#[test]
fn secrets_that_clouds_do_not_give() {
    let all: Vec<Case> = secret_manager()
        .into_iter()
        .chain(aws_stores())
        .chain(key_vault())
        .collect();
    check(&all);
}

/// What a vault that answers says is in the tests of the store: it speaks https.
fn key_vault() -> Vec<Case> {
    let with_login = |what, code, says| {
        case(what, code, says)
            .value("<azurekeyvault:shop#db>")
            .env("AZURE_TENANT_ID", "t")
            .env("AZURE_CLIENT_ID", "c")
            .env("AZURE_CLIENT_SECRET", CREDENTIAL)
    };
    vec![
        with_login(
            "a domain that is none",
            2,
            "MANIFUSE_AZURE_VAULT_DOMAIN is no domain",
        )
        .env("MANIFUSE_AZURE_VAULT_DOMAIN", format!("{SETTING}/x")),
        with_login("validity that is no boolean", 2, "must be true or false")
            .env("MANIFUSE_AZURE_CHECK_VALIDITY", SETTING),
        with_login(
            "a vault of another domain",
            1,
            "is not the address of a vault",
        )
        .value("<azurekeyvault:https://shop.example.com#db>"),
        with_login(
            "a proxy that refuses",
            3,
            "no connection to Azure Key Vault",
        )
        .env("HTTPS_PROXY", URL)
        .answers(|_| Reply::new(403, BODY)),
    ]
}

fn secret_manager() -> Vec<Case> {
    let with_login = |what, code, says| {
        let user = format!(
            r#"{{"type":"authorized_user","client_id":"c","client_secret":"{CREDENTIAL}","refresh_token":"{VALUE}","token_uri":"{URL}/token"}}"#
        );
        case(what, code, says)
            .value("<gcpsecretmanager:projects/p/secrets/db#db>")
            .env("MANIFUSE_GCP_SECRET_MANAGER_ENDPOINT", URL)
            .env("GOOGLE_APPLICATION_CREDENTIALS", "user.json")
            .file("user.json", user)
    };
    vec![
        with_login("Secret Manager refuses", 3, "Secret Manager answered 403").answers(|request| {
            logged_in(request).unwrap_or_else(|sent| {
                let body = serde_json::json!({"error": {"status": "PERMISSION_DENIED", "message": sent}});
                Reply::json(403, body.to_string())
            })
        }),
        with_login("a version is disabled", 1, "Could not find secret").answers(|request| {
            logged_in(request).unwrap_or_else(|sent| {
                let body = serde_json::json!({"error": {"status": "FAILED_PRECONDITION", "message": sent}});
                Reply::json(400, body.to_string())
            })
        }),
        with_login("Secret Manager talks nonsense", 1, "is not what it answers").answers(|request| {
            logged_in(request)
                .unwrap_or_else(|_| Reply::json(200, format!(r#"{{"payload":{{"data":"{BODY}!"}}}}"#)))
        }),
        with_login("a payload is damaged", 1, "its checksum is wrong").answers(|request| {
            let data = STANDARD.encode(VALUE);
            let body = format!(r#"{{"payload":{{"data":"{data}","dataCrc32c":"1"}}}}"#);
            logged_in(request).unwrap_or_else(|_| Reply::json(200, body))
        }),
        with_login("a payload is no JSON", 1, "has no key")
            .value("<gcpsecretmanager:projects/p/secrets/db#password>")
            .answers(|request| {
                let body = format!(r#"{{"payload":{{"data":"{}"}}}}"#, STANDARD.encode(VALUE));
                logged_in(request).unwrap_or_else(|_| Reply::json(200, body))
            }),
        with_login("an endpoint that is none", 2, "MANIFUSE_GCP_SECRET_MANAGER_ENDPOINT cannot be used")
            .env("MANIFUSE_GCP_SECRET_MANAGER_ENDPOINT", format!("ftp://{SETTING}")),
        with_login("a login to Google that is refused", 3, "the login to Google Cloud failed")
            .answers(|request| Reply::json(400, [BODY.as_bytes(), &request.body].concat())),
    ]
}

/// A token for who asks for one; else the token that was sent.
fn logged_in(request: &Request) -> Result<Reply, String> {
    if request.target == "/token" {
        let body =
            format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#);
        return Ok(Reply::json(200, body));
    }
    Err(request
        .header("authorization")
        .unwrap_or_default()
        .to_owned())
}

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

fn aws_stores() -> Vec<Case> {
    let store = |what, code, says, placeholder: &str| {
        case(what, code, says)
            .value(placeholder)
            .env("AWS_ENDPOINT_URL", URL)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
            .env("AWS_SESSION_TOKEN", TOKEN)
            .env("AWS_MAX_ATTEMPTS", "1")
    };
    let secret = |what, code, says| store(what, code, says, "<awssecretsmanager:shop#password>");
    let parameter = |what, code, says| store(what, code, says, "<awsssm:/shop#password>");
    let refuses = |case: Case| {
        case.answers(|request| {
            let sent = request.header("x-amz-security-token").unwrap_or_default();
            let message = format!("not for {sent}\n{sent}");
            let body = serde_json::json!({"__type": "AccessDeniedException", "message": message});
            Reply::json(400, body.to_string())
        })
    };
    let holds = |case: Case, answer: fn(&Request) -> Reply| case.answers(answer);
    vec![
        refuses(secret("Secrets Manager refuses", 3, "AccessDeniedException")),
        refuses(parameter("the Parameter Store refuses", 3, "AccessDeniedException")),
        refuses(store(
            "Secrets Manager refuses a batch",
            3,
            "AccessDeniedException",
            "<awssecretsmanager:a#k> <awssecretsmanager:b#k>",
        )),
        holds(secret("a secret that is a text", 1, "is not JSON"), |_| {
            held(VALUE)
        }),
        holds(secret("a secret that is a list", 1, "is no JSON object"), |_| {
            held(&format!("[\"{VALUE}\"]"))
        }),
        holds(secret("a secret without the key", 1, "has no key"), |_| {
            held(&format!("{{\"user\": \"{VALUE}\"}}"))
        }),
        secret("Secrets Manager talks nonsense", 1, "something unreadable")
            .answers(|_| Reply::json(200, format!("{{\"SecretString\":{BODY}"))),
        parameter("the Parameter Store talks nonsense", 1, "something unreadable")
            .answers(|_| Reply::json(200, format!("{{\"Parameters\":{BODY}"))),
        secret("Secrets Manager answers a page", 3, "with 502").answers(|_| Reply::new(502, BODY)),
        secret("roots of the store that are none", 2, "there is no certificate in it")
            .env("AWS_CA_BUNDLE", "roots.pem")
            .file("roots.pem", CREDENTIAL),
        secret("a role that is refused", 3, "the login to AWS failed")
            .env("MANIFUSE_AWS_ROLE", "arn:aws:iam::1:role/x")
            .answers(|request| {
                let sent = request.header("x-amz-security-token").unwrap_or_default();
                Reply::new(403, format!("<ErrorResponse><Error><Code>AccessDenied</Code><Message>{sent}</Message></Error></ErrorResponse>"))
            }),
        secret("a text that is no region", 2, "is no name of a region")
            .value("<path:shop#password>")
            .env("AVP_TYPE", "awssecretsmanager")
            .env("AWS_REGION", format!("{SETTING}/")),
    ]
}

/// A secret that is this text.
fn held(text: &str) -> Reply {
    Reply::json(200, serde_json::json!({"SecretString": text}).to_string())
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
