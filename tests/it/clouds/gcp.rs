//! Google Cloud KMS: where the token comes from, addresses, checksums, refusals.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData as _};
use serde_json::{Value as Json, json};

use super::{Told, decryption, fails, recorded, works};
use crate::support::certificates::Certificates;
use crate::support::program::Run;
use crate::support::server::{Reply, Request, Server};
use crate::vault::tunnel;

const TOKEN: &str = "CANARYtoken";

/// What the service answers to the recorded request.
fn answer() -> Json {
    recorded("gcp-kms").exchanges[0]["response"]["body"].clone()
}

/// The service, for whoever has the token; and who gives the token to whom.
fn kms(request: &Request) -> Reply {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    match request.line().as_str() {
        "POST /token" if body.contains("CANARYrefresh") && body.contains("CANARYsecret") => {
            Reply::json(
                200,
                json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
                    .to_string(),
            )
        }
        "POST /token" => Reply::json(
            400,
            format!(r#"{{"error":"invalid_grant","sent":{body:?}}}"#),
        ),
        line if line
            .starts_with("GET /computeMetadata/v1/instance/service-accounts/default/token") =>
        {
            assert_eq!(request.header("metadata-flavor"), Some("Google"));
            let body = json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"});
            Reply::json(200, body.to_string()).with_header("Metadata-Flavor", "Google")
        }
        line if line.starts_with("GET ") => Reply::new(404, ""),
        _ if request.header("authorization") == Some("Bearer CANARYtoken") => {
            asked(request, &answer())
        }
        _ => refusal(401, "UNAUTHENTICATED", "no token"),
    }
}

/// An answer, if what was asked is what was recorded.
fn asked(request: &Request, answer: &Json) -> Reply {
    let wanted = &recorded("gcp-kms").exchanges[0]["request"];
    let path = wanted["path"].as_str().unwrap();
    assert_eq!(request.line(), format!("POST {path}"));
    let body: Json = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["ciphertext"], wanted["body"]["ciphertext"]);
    Reply::json(200, answer.to_string())
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"error": {"code": status, "message": message, "status": code}});
    Reply::json(status, body.to_string())
}

fn user(url: &str, refresh: &str) -> String {
    json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "CANARYsecret",
        "refresh_token": refresh, "token_uri": format!("{url}/token"),
    })
    .to_string()
}

fn run(url: &str, variables: &[(&str, &str)], files: &[(&str, &str)]) -> Run {
    let mut program = decryption(&recorded("gcp-kms").encrypted, variables);
    program = program.env("SOPS_GCP_KMS_ENDPOINT", url);
    for (path, text) in files {
        program = program.file(path, text);
    }
    program.run()
}

#[test]
fn credentials_are_looked_for_in_the_order_of_sops() {
    let server = Server::start(kms);
    let url = server.url();
    let good = user(&url, "CANARYrefresh");
    let host = url.replace("http://", "");
    let files = [
        ("good.json", &*good),
        ("gcloud/application_default_credentials.json", &*good),
    ];
    let bad = ("GOOGLE_OAUTH_ACCESS_TOKEN", "CANARYbad");
    for variables in [
        &[("GOOGLE_CREDENTIALS", &*good), bad][..],
        &[("GOOGLE_CREDENTIALS", "{dir}/good.json"), bad],
        &[
            ("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN),
            ("GOOGLE_APPLICATION_CREDENTIALS", "{dir}/absent"),
        ],
        &[
            ("GOOGLE_APPLICATION_CREDENTIALS", "{dir}/good.json"),
            ("GCE_METADATA_HOST", "127.0.0.1:1"),
        ],
        &[
            ("CLOUDSDK_CONFIG", "{dir}/gcloud"),
            ("GCE_METADATA_HOST", "127.0.0.1:1"),
        ],
        &[("GCE_METADATA_HOST", &*host)],
    ] {
        works(&run(&url, variables, &files));
    }
    let folder = ("MANIFUSE_SOPS_KEYS", "{dir}/keys");
    works(&run(&url, &[folder, bad], &[("keys/sops.gcp-kms", &*good)]));
    let program = decryption(
        &recorded("gcp-kms").encrypted,
        &[("GOOGLE_APPLICATION_CREDENTIALS", "{dir}/absent")],
    );
    fails(
        &program.run(),
        "absent cannot be read: no such file or directory",
        &[],
    );
}

#[test]
fn a_service_account_signs_its_own_token() {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let public = key.der_bytes().to_vec();
    let server = Server::start(move |request| {
        let token = request
            .header("authorization")
            .unwrap()
            .replace("Bearer ", "");
        let parts: Vec<&str> = token.split('.').collect();
        let decoded = |part: usize| BASE64_URL_SAFE_NO_PAD.decode(parts[part]).unwrap();
        let signed = format!("{}.{}", parts[0], parts[1]);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public);
        public.verify(signed.as_bytes(), &decoded(2)).unwrap();
        let claims: Json = serde_json::from_slice(&decoded(1)).unwrap();
        assert_eq!(claims["iss"], "me@example.iam");
        assert_eq!(
            claims["scope"],
            "https://www.googleapis.com/auth/cloud-platform"
        );
        asked(request, &answer())
    });
    let account = json!({
        "type": "service_account", "client_email": "me@example.iam", "private_key_id": "1",
        "private_key": key.serialize_pem(), "project_id": "p",
    });
    works(&run(
        &server.url(),
        &[("GOOGLE_CREDENTIALS", &account.to_string())],
        &[],
    ));
}

/// Where it is asked is the operator's to say, as a host, an address, or a universe.
#[test]
fn addresses_follow_the_settings() {
    let certificates = Certificates::new(&["cloudkms.s3nsapis.example", "kms.example"]);
    let server = Server::start_tls(certificates.server(), kms);
    let (proxy, wishes) = tunnel::proxy(&server.url().replace("https://", ""), tunnel::connect);
    for (name, value, host) in [
        (
            "SOPS_GCP_KMS_UNIVERSE_DOMAIN",
            "s3nsapis.example",
            "cloudkms.s3nsapis.example:443",
        ),
        (
            "SOPS_GCP_KMS_ENDPOINT",
            "kms.example:8443",
            "kms.example:8443",
        ),
        (
            "SOPS_GCP_KMS_ENDPOINT",
            "https://kms.example",
            "kms.example:443",
        ),
    ] {
        let variables = [
            (name, value),
            ("HTTPS_PROXY", &*format!("http://{proxy}")),
            ("SSL_CERT_FILE", "{dir}/ca.pem"),
            ("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN),
        ];
        let program = decryption(&recorded("gcp-kms").encrypted, &variables);
        works(&program.file("ca.pem", &certificates.ca_pem).run());
        let wish = wishes.lock().unwrap().pop().unwrap();
        assert_eq!(wish, format!("CONNECT {host} HTTP/1.1"));
    }
    let program = decryption(
        &recorded("gcp-kms").encrypted,
        &[("SOPS_GCP_KMS_ENDPOINT", "ftp://CANARY")],
    );
    fails(
        &program.run(),
        "SOPS_GCP_KMS_ENDPOINT cannot be used: it must start with",
        &["CANARY"],
    );
}

#[test]
fn checksums_are_checked_where_they_are_given() {
    // Of the recorded data key, by `crc32c` of Python's google-crc32c.
    for (sum, is_right) in [(checksum(), true), (checksum() ^ 1, false)] {
        let server = Server::start(move |request| {
            let mut body = answer();
            body["plaintextCrc32c"] = json!(sum.to_string());
            asked(request, &body)
        });
        let run = run(&server.url(), &[("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)], &[]);
        if is_right {
            works(&run);
        } else {
            fails(&run, "its checksum is wrong", &["CANARY"]);
        }
    }
}

/// A table-driven CRC-32C, unlike the program's.
fn checksum() -> u32 {
    let text = answer()["plaintext"].as_str().unwrap().to_owned();
    let bytes = base64::prelude::BASE64_STANDARD.decode(text).unwrap();
    let table: Vec<u32> = (0..256)
        .map(|byte| {
            let mut value: u32 = byte;
            for _ in 0..8 {
                value = if value & 1 == 1 {
                    (value >> 1) ^ 0x82F6_3B78
                } else {
                    value >> 1
                };
            }
            value
        })
        .collect();
    let mut sum = u32::MAX;
    for byte in bytes {
        sum = table[((sum ^ u32::from(byte)) & 0xff) as usize] ^ (sum >> 8);
    }
    !sum
}

#[test]
fn a_busy_service_is_asked_again() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => refusal(429, "RESOURCE_EXHAUSTED", "later").with_header("Retry-After", "0"),
        1 => refusal(503, "UNAVAILABLE", "later"),
        _ => kms(request),
    });
    works(&run(
        &server.url(),
        &[("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)],
        &[],
    ));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn refusals_and_nonsense_are_told_without_secrets() {
    let answers: [Told; 5] = [
        (
            |_| {
                refusal(
                    403,
                    "PERMISSION_DENIED",
                    "Permission denied for CANARYtoken",
                )
            },
            "Cloud KMS answered 403: PERMISSION_DENIED: Permission denied for [redacted]",
        ),
        (
            |_| refusal(404, "NOT_FOUND", "no key"),
            "Cloud KMS answered 404: NOT_FOUND: no key",
        ),
        (
            |_| Reply::json(200, "{\"plaintext\": CANARY"),
            "what Cloud KMS answered is not what it answers",
        ),
        (
            |_| Reply::json(200, "{\"plaintext\": \"CANARY!\"}"),
            "what Cloud KMS answered is not what it answers",
        ),
        (
            |_| Reply::json(200, "{}"),
            "what Cloud KMS answered is not what it answers",
        ),
    ];
    for (answer, says) in answers {
        let server = Server::start(answer);
        fails(
            &run(&server.url(), &[("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)], &[]),
            says,
            &["CANARY"],
        );
    }
    let server = Server::start(kms);
    let url = server.url();
    for (credentials, says) in [
        (user(&url, "CANARYrevoked"), "the login to Google Cloud failed"),
        ("{\"type\": \"CANARY\"}".to_owned(), "the credentials in GOOGLE_CREDENTIALS are of a type that is not known"),
        ("{\"type\": CANARY".to_owned(), "the credentials in GOOGLE_CREDENTIALS are not JSON"),
        ("{\"type\":\"service_account\",\"private_key\":\"CANARY\"}".to_owned(), "the credentials in GOOGLE_CREDENTIALS cannot be used: a field is missing or wrong"),
        ("{\"type\":\"service_account\",\"client_email\":\"e\",\"private_key_id\":\"i\",\"project_id\":\"p\",\"private_key\":\"CANARY\"}".to_owned(), "Google"),
    ] {
        fails(&run(&url, &[("GOOGLE_CREDENTIALS", &credentials)], &[]), says, &["CANARY"]);
    }
}

#[test]
fn what_is_no_key_is_never_asked_for() {
    let server = Server::start(kms);
    for odd in ["../../v1/x", "k?alt=media", "k/cryptoKeyVersions/1"] {
        let text = recorded("gcp-kms")
            .encrypted
            .replace("cryptoKeys/web", &format!("cryptoKeys/{odd}"));
        let run = decryption(
            &text,
            &[
                ("SOPS_GCP_KMS_ENDPOINT", &server.url()),
                ("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN),
            ],
        )
        .run();
        fails(&run, "its resource_id is not of the form", &["CANARY"]);
    }
    // An application's author may not say which credentials are sent where.
    for (name, value) in [
        ("SOPS_GCP_KMS_ENDPOINT", &*server.url()),
        ("GCE_METADATA_HOST", "127.0.0.1:1"),
    ] {
        let program = decryption(
            &recorded("gcp-kms").encrypted,
            &[
                ("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN),
                ("HTTPS_PROXY", "http://127.0.0.1:1"),
            ],
        );
        let run = program.env(&format!("ARGOCD_ENV_{name}"), value).run();
        fails(&run, "no connection", &["CANARY"]);
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_data_key_is_wrapped_and_unwrapped() {
    let key = std::sync::Mutex::new(Json::Null);
    let server = Server::start(move |request| {
        let sent: Json = serde_json::from_slice(&request.body).unwrap();
        let mut key = key.lock().unwrap();
        match request.line().rsplit_once(':').unwrap().1 {
            "encrypt" => {
                *key = sent["plaintext"].clone();
                let sum = "ciphertextCrc32c";
                // Of `wrapped`.
                Reply::json(
                    200,
                    json!({"ciphertext": "d3JhcHBlZA==", sum: "1098444173"}).to_string(),
                )
            }
            verb => {
                assert_eq!(
                    (verb, &sent),
                    ("decrypt", &json!({"ciphertext": "d3JhcHBlZA=="}))
                );
                Reply::json(200, json!({"plaintext": *key}).to_string())
            }
        }
    });
    let variables = [
        ("SOPS_GCP_KMS_ENDPOINT", &*server.url()),
        ("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN),
    ];
    let rule = "gcp_kms: [{resource_id: projects/p/locations/l/keyRings/r/cryptoKeys/k}]";
    let text = super::goes_round(rule, &variables);
    assert!(text.contains("enc: d3JhcHBlZA=="), "{text}");
}
