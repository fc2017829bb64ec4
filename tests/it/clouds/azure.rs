//! Azure Key Vault: every way to a token, challenges, which vaults may be asked, refusals.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, PublicKeyData as _};
use serde_json::{Value as Json, json};

use super::{Told, decryption, fails, recorded, works};
use crate::support::certificates::Certificates;
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};

const TOKEN: &str = "CANARYtoken";
const VAULT: &str = "https://acme-web.vault.azure.net";

fn token() -> Reply {
    Reply::json(
        200,
        json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}).to_string(),
    )
}

/// The vault: a challenge first, then the recorded answer to the recorded request.
fn vault(request: &Request) -> Reply {
    let exchange = &recorded("azure-kv").exchanges[2];
    let (path, query) = request.target.split_once('?').unwrap();
    assert!(query.starts_with("api-version="), "{query}");
    assert_eq!(exchange["request"]["path"], path);
    match request.header("authorization") {
        None => {
            assert!(
                request.body.is_empty(),
                "nothing is sent before the challenge"
            );
            let challenge = "Bearer authorization=\"https://login.example/t\", resource=\"https://vault.example\"";
            Reply::json(401, "{}").with_header("WWW-Authenticate", challenge)
        }
        Some("Bearer CANARYtoken") => {
            let body: Json = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(body, exchange["request"]["body"]);
            Reply::json(200, exchange["response"]["body"].to_string())
        }
        Some(_) => refusal(401, "Unauthorized", "another token"),
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        json!({"error": {"code": code, "message": message}}).to_string(),
    )
}

/// A server that is the vault and where one logs in.
struct Azure {
    server: Server,
    ca: String,
}

impl Azure {
    fn new(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let certificates = Certificates::new(&["localhost"]);
        Self {
            server: Server::start_tls(certificates.server(), answer),
            ca: certificates.ca_pem,
        }
    }

    /// Logs in with what `is_right` says, and asks the vault.
    fn logging_in(is_right: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::new(move |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            match request.line().as_str() {
                "POST /t/oauth2/v2.0/token" if is_right(&body) => {
                    assert!(body.contains("scope=https%3A%2F%2Fvault.example%2F.default"), "{body}");
                    token()
                }
                "POST /t/oauth2/v2.0/token" => Reply::json(401, json!({"error": "invalid_client", "error_description": format!("AADSTS7000215: wrong {body}"), "error_codes": [7_000_215]}).to_string()),
                _ => vault(request),
            }
        })
    }

    fn url(&self) -> String {
        self.server.url().replace("127.0.0.1", "localhost")
    }

    fn program(&self, variables: &[(&str, &str)]) -> Program {
        let text = recorded("azure-kv").encrypted.replace(VAULT, &self.url());
        let program = decryption(&text, variables).file("ca.pem", &self.ca);
        let ca = program.folder().join("ca.pem");
        program
            .env("SSL_CERT_FILE", ca.to_str().unwrap())
            .env("MANIFUSE_SOPS_AZURE_VAULTS", self.url())
            .env("AZURE_AUTHORITY_HOST", self.url())
    }

    fn run(&self, variables: &[(&str, &str)], files: &[(&str, &str)]) -> Run {
        let mut program = self.program(variables);
        for (path, text) in files {
            program = program.file(path, text);
        }
        program.run()
    }
}

const ACCOUNT: [(&str, &str); 2] = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];

#[test]
fn a_secret_of_an_application_is_a_login() {
    let azure = Azure::logging_in(|body| body.contains("client_id=c&client_secret=CANARYsecret"));
    let secret = |secret| [&ACCOUNT[..], &[("AZURE_CLIENT_SECRET", secret)]].concat();
    works(&azure.run(&secret("CANARYsecret"), &[]));
    assert_eq!(azure.server.requests().len(), 3);
    let run = azure.run(&secret("CANARYwrong"), &[]);
    fails(
        &run,
        "no login to Azure worked: AZURE_CLIENT_SECRET (answered 401: AADSTS7000215)",
        &["CANARY"],
    );
}

#[test]
fn a_certificate_is_a_login_by_a_signed_statement() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::new(Vec::new())
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let pem = key.serialize_pem() + &certificate.pem();
    let public = key.der_bytes().to_vec();
    let azure = Azure::logging_in(move |body| {
        let assertion = body
            .split('&')
            .find_map(|field| field.strip_prefix("client_assertion="))
            .unwrap();
        let parts: Vec<&str> = assertion.split('.').collect();
        let decoded = |part: usize| BASE64_URL_SAFE_NO_PAD.decode(parts[part]).unwrap();
        let signed = format!("{}.{}", parts[0], parts[1]);
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &public)
            .verify(signed.as_bytes(), &decoded(2))
            .unwrap();
        let header: Json = serde_json::from_slice(&decoded(0)).unwrap();
        assert_eq!(
            (&header["alg"], header["x5c"].is_array()),
            (&json!("PS256"), true)
        );
        let claims: Json = serde_json::from_slice(&decoded(1)).unwrap();
        assert!(
            claims["aud"]
                .as_str()
                .unwrap()
                .ends_with("/t/oauth2/v2.0/token")
        );
        claims["iss"] == "c"
            && claims["sub"] == "c"
            && claims["exp"].as_u64() > claims["nbf"].as_u64()
    });
    let more = [
        ("AZURE_CLIENT_CERTIFICATE_PATH", "{dir}/me.pem"),
        ("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "true"),
    ];
    let variables = [&ACCOUNT[..], &more].concat();
    works(&azure.run(&variables, &[("me.pem", &pem)]));
    for (text, says) in [
        ("CANARY", "there is no certificate in PEM form in it"),
        (
            &*certificate.pem(),
            "there is no private key in it without a password",
        ),
    ] {
        fails(
            &azure.run(&variables, &[("me.pem", text)]),
            says,
            &["CANARY"],
        );
    }
    fails(
        &azure.run(&variables, &[]),
        "me.pem: no such file or directory)",
        &[],
    );
}

#[test]
fn a_workloads_token_is_a_login() {
    let azure = Azure::logging_in(|body| body.contains("client_assertion=CANARYjwt"));
    let variables = [
        &ACCOUNT[..],
        &[("AZURE_FEDERATED_TOKEN_FILE", "{dir}/token")],
    ]
    .concat();
    works(&azure.run(&variables, &[("token", "CANARYjwt")]));
    let run = azure.run(&variables, &[("token", "CANARYold")]);
    fails(
        &run,
        "AZURE_FEDERATED_TOKEN_FILE (answered 401: AADSTS7000215)",
        &["CANARY"],
    );
}

#[test]
fn a_managed_identity_is_a_login() {
    let azure = Azure::new(vault);
    let identity = Server::start(|request| {
        assert_eq!(request.header("x-identity-header"), Some("CANARYheader"));
        assert!(
            request
                .target
                .contains("resource=https%3A%2F%2Fvault.example"),
            "{}",
            request.target
        );
        let body = json!({"access_token": TOKEN, "expires_on": "4000000000", "token_type": "Bearer", "resource": "r"});
        Reply::json(200, body.to_string())
    });
    let url = identity.url();
    works(&azure.run(
        &[
            ("IDENTITY_ENDPOINT", &url),
            ("IDENTITY_HEADER", "CANARYheader"),
        ],
        &[],
    ));
    let refused = Server::start(|_| Reply::json(403, "{\"CANARY\":1}"));
    let run = azure.run(
        &[
            ("IDENTITY_ENDPOINT", &refused.url()),
            ("IDENTITY_HEADER", "CANARYheader"),
        ],
        &[],
    );
    fails(&run, "managed identity (answered 403)", &["CANARY"]);
}

/// Tools are tried last; what they print is not shown. When nothing works, each way is named.
#[test]
fn developers_tools_come_last_and_each_way_is_named() {
    let azure = Azure::new(vault);
    let run = |script: &str| {
        let program = azure.program(&[]);
        let tools = program.folder().join("tools");
        let program = program.file("tools/az", script);
        fs::set_permissions(tools.join("az"), fs::Permissions::from_mode(0o755)).unwrap();
        program
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .run()
    };
    works(&run(
        "#!/bin/sh\necho '{\"accessToken\":\"CANARYtoken\",\"expires_on\":4000000000,\"tokenType\":\"Bearer\"}'\n",
    ));
    let failed = run("#!/bin/sh\necho CANARY >&2\nexit 1\n");
    fails(&failed, "no login to Azure worked", &["CANARY"]);
    for part in [
        "AZURE_CLIENT_SECRET and the like (not set, or not with AZURE_TENANT_ID and AZURE_CLIENT_ID)",
        "managed identity (",
        "az (no token: az login may help)",
        "azd (",
    ] {
        assert!(failed.stderr.contains(part), "{}", failed.stderr);
    }
}

/// The address stands in the file: nobody but Azure, and whom the operator names, gets a token or is asked at all.
#[test]
fn only_vaults_that_are_trusted_are_asked() {
    let azure = Azure::new(vault);
    let evil = azure.url();
    for allowed in ["https://vault.example", "https://localhost", "", "nonsense"] {
        let program = azure
            .program(&[])
            .env("MANIFUSE_SOPS_AZURE_VAULTS", allowed);
        fails(&program.run(), "may not be asked", &[]);
    }
    let program = azure
        .program(&[])
        .env("MANIFUSE_SOPS_AZURE_VAULTS", "https://vault.example");
    let program = program.env("ARGOCD_ENV_MANIFUSE_SOPS_AZURE_VAULTS", &evil);
    assert_ne!(program.run().code, Some(0));
    for odd in [
        "http://acme-web.vault.azure.net",
        "https://acme.vault.azure.net.evil.test",
        "https://x@evil.test",
        "evil",
    ] {
        let text = recorded("azure-kv").encrypted.replace(VAULT, odd);
        assert_ne!(decryption(&text, &ACCOUNT).run().code, Some(0), "{odd}");
    }
    let text = recorded("azure-kv")
        .encrypted
        .replace("name: sops", "name: ../sops");
    fails(
        &decryption(&text, &[]).run(),
        "its name or version is not that of a key",
        &[],
    );
    assert!(azure.server.requests().is_empty());
}

#[test]
fn a_busy_vault_is_asked_again_and_refusals_are_told() {
    let secret = [&ACCOUNT[..], &[("AZURE_CLIENT_SECRET", "CANARYsecret")]].concat();
    let count = AtomicUsize::new(0);
    let azure = Azure::new(move |request| match request.line().as_str() {
        "POST /t/oauth2/v2.0/token" => token(),
        _ if request.header("authorization").is_some()
            && count.fetch_add(1, Ordering::SeqCst) == 0 =>
        {
            refusal(429, "Throttled", "later").with_header("Retry-After", "0")
        }
        _ => vault(request),
    });
    works(&azure.run(&secret, &[]));
    let answers: [Told; 4] = [
        (
            |_| {
                refusal(
                    403,
                    "Forbidden",
                    "Caller is not authorized for CANARYsecret",
                )
            },
            "Azure Key Vault answered 403: Forbidden: Caller is not authorized for [redacted]",
        ),
        (
            |_| {
                refusal(
                    404,
                    "KeyNotFound",
                    "A key with (name/id) sops was not found",
                )
            },
            "Azure Key Vault answered 404: KeyNotFound",
        ),
        (
            |_| Reply::json(200, "{\"value\": CANARY"),
            "what Azure Key Vault answered cannot be used",
        ),
        (
            |_| Reply::json(200, "{}"),
            "Azure Key Vault answered without a result",
        ),
    ];
    for (answer, says) in answers {
        let azure = Azure::new(move |request| match request.line().as_str() {
            "POST /t/oauth2/v2.0/token" => token(),
            _ if request.header("authorization").is_some() => answer(request),
            _ => vault(request),
        });
        fails(&azure.run(&secret, &[]), says, &["CANARY"]);
    }
}

/// Flux's Secret of keys, in its forms, also as PowerShell writes it.
#[test]
fn a_folder_of_keys_holds_an_account() {
    let azure = Azure::logging_in(|body| body.contains("client_id=c&client_secret=CANARYsecret"));
    let url = azure.url();
    let run = |text: &[u8]| {
        let program = azure.program(&[
            ("MANIFUSE_SOPS_KEYS", "{dir}/keys"),
            ("AZURE_AUTHORITY_HOST", "https://login.example"),
        ]);
        program
            .env("AZURE_AUTHORITY_HOST", "https://localhost:1")
            .file("keys/sops.azure-kv", text)
            .run()
    };
    let yaml =
        format!("tenantId: t\nclientId: c\nclientSecret: CANARYsecret\nauthorityHost: {url}\n");
    works(&run(yaml.as_bytes()));
    let json =
        json!({"tenant": "t", "appId": "c", "password": "CANARYsecret", "authorityHost": url})
            .to_string();
    works(&run(json.as_bytes()));
    let utf16: Vec<u8> = "\u{feff}"
        .chars()
        .chain(json.chars())
        .flat_map(|c| (c as u16).to_le_bytes())
        .collect();
    works(&run(&utf16));
    fails(
        &run(b"tenantId: t\nclientSecret: CANARY\n"),
        "sops.azure-kv says no clientId",
        &["CANARY"],
    );
    fails(
        &run(b"tenantId: t\nclientId: c\n"),
        "sops.azure-kv says no clientSecret or clientCertificate",
        &[],
    );
}

/// The version that is not said is looked up, used and written.
#[test]
fn a_data_key_is_wrapped_and_unwrapped() {
    let key = std::sync::Mutex::new(Json::Null);
    let azure = Azure::new(move |request| {
        let path = request.target.split('?').next().unwrap();
        let line = format!("{} {path}", request.method);
        if line == "POST /t/oauth2/v2.0/token" {
            return token();
        }
        if request.header("authorization").is_none() {
            let challenge =
                "Bearer authorization=\"https://l/t\", resource=\"https://vault.example\"";
            return Reply::json(401, "{}").with_header("WWW-Authenticate", challenge);
        }
        let kid = "https://localhost/keys/shop/0123abcd";
        let mut key = key.lock().unwrap();
        let sent: Json = serde_json::from_slice(&request.body).unwrap_or_default();
        match line.trim_end_matches('/') {
            "GET /keys/shop" => {
                Reply::json(200, json!({"key": {"kid": kid, "kty": "RSA"}}).to_string())
            }
            "POST /keys/shop/0123abcd/encrypt" => {
                assert_eq!(sent["alg"], "RSA-OAEP-256");
                *key = sent["value"].clone();
                Reply::json(
                    200,
                    json!({"kid": kid, "value": "d3JhcHBlZCE_"}).to_string(),
                )
            }
            "POST /keys/shop/0123abcd/decrypt" => {
                assert_eq!(
                    sent,
                    json!({"alg": "RSA-OAEP-256", "value": "d3JhcHBlZCE_"})
                );
                Reply::json(200, json!({"kid": kid, "value": *key}).to_string())
            }
            other => refusal(404, "NotFound", other),
        }
    });
    let ca = tempfile::NamedTempFile::new().unwrap();
    fs::write(ca.path(), &azure.ca).unwrap();
    let url = azure.url();
    let variables = [
        ("SSL_CERT_FILE", ca.path().to_str().unwrap()),
        ("MANIFUSE_SOPS_AZURE_VAULTS", &*url),
        ("AZURE_AUTHORITY_HOST", &*url),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "CANARYsecret"),
    ];
    let rule = format!("azure_keyvault: [{{vaultUrl: '{url}', key: shop}}]");
    let text = super::goes_round(&rule, &variables);
    assert!(text.contains("version: 0123abcd"), "{text}");
    assert!(text.contains("enc: d3JhcHBlZCE_"), "{text}");
}
