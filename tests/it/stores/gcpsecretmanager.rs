//! Secret Manager as the fake has it, with the login of a user and of Google's metadata:
//! <https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{
    BYTES, CREDENTIAL, Instead, NUMBERED, OLD, Store, UNICODE, VALUE, large, suite, values,
};
use crate::support::certificates::Certificates;
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};
use crate::vault::tunnel;

pub(super) const STORE: Store = Store {
    current: "gcpsecretmanager:projects/shop/secrets/db#db",
    old: Some("gcpsecretmanager:projects/shop/secrets/db#db#1"),
    unicode: "gcpsecretmanager:projects/shop/secrets/unicode#unicode",
    large: Some("gcpsecretmanager:projects/shop/secrets/large#large"),
    bytes: Some("gcpsecretmanager:projects/shop/secrets/bytes#bytes"),
    absent_path: (
        "gcpsecretmanager:projects/shop/secrets/none#none",
        "Could not find secret: projects/shop/secrets/none",
    ),
    absent_key: Some("gcpsecretmanager:projects/shop/secrets/db#none"),
    numbered: |number| format!("gcpsecretmanager:projects/shop/secrets/n{number}#n{number}"),
    batch: 1,
    tls: true,
    settings,
    answer,
    reads: |request| request.target.starts_with("/v1/"),
    denied: || {
        refusal(
            403,
            "PERMISSION_DENIED",
            "Permission 'secretmanager.versions.access' denied",
        )
    },
    throttled: || {
        refusal(429, "RESOURCE_EXHAUSTED", "Quota exceeded").with_header("Retry-After", "0")
    },
};

suite!(STORE);

fn settings(program: Program, url: &str) -> Program {
    let user = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": CREDENTIAL,
        "refresh_token": "cnry-token-refresh", "token_uri": format!("{url}/token"),
        "quota_project_id": "payer",
    });
    program
        .file("user.json", user.to_string())
        .env("GOOGLE_APPLICATION_CREDENTIALS", "user.json")
        .env("MANIFUSE_GCP_SECRET_MANAGER_ENDPOINT", url)
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"error": {"code": status, "message": message, "status": code}});
    Reply::json(status, body.to_string())
}

fn answer(request: &Request) -> Reply {
    if request.line() == "POST /token" {
        return token(request);
    }
    if request.header("authorization") != Some("Bearer cnry-token-t5k1") {
        return refusal(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        );
    }
    if request.header("x-goog-user-project") != Some("payer") || !request.body.is_empty() {
        return refusal(403, "PERMISSION_DENIED", "no quota project");
    }
    access(request)
}

fn token(request: &Request) -> Reply {
    let body = String::from_utf8_lossy(&request.body);
    let is_right = ["refresh_token", "cnry-token-refresh", CREDENTIAL]
        .iter()
        .all(|part| body.contains(part));
    if !is_right {
        return Reply::json(400, r#"{"error":"invalid_grant"}"#);
    }
    let token =
        json!({"access_token": "cnry-token-t5k1", "expires_in": 3600, "token_type": "Bearer"});
    Reply::json(200, token.to_string())
}

/// The version of a secret that a path names.
fn access(request: &Request) -> Reply {
    let name = request
        .target
        .strip_prefix("/v1/")
        .and_then(|name| name.strip_suffix(":access"));
    let (Some(name), "GET") = (name, request.method.as_str()) else {
        return Reply::new(404, "<html>not found</html>");
    };
    let (path, version) = name.rsplit_once("/versions/").unwrap_or((name, ""));
    let secret = path
        .strip_prefix("projects/shop/secrets/")
        .or_else(|| path.strip_prefix("projects/shop/locations/europe-west3/secrets/"));
    let payload = match (secret.unwrap_or_default(), version) {
        ("db" | "key", "latest" | "2" | "live") => VALUE.as_bytes().to_vec(),
        ("db", "1") => OLD.as_bytes().to_vec(),
        ("db", "3" | "4") => {
            let state = if version == "3" {
                "DISABLED"
            } else {
                "DESTROYED"
            };
            let message = format!("Secret Version [{name}] is in {state} state.");
            return refusal(400, "FAILED_PRECONDITION", &message);
        }
        ("db-login", "latest") => br#"{"user":"shop","password":"x"}"#.to_vec(),
        ("json", "latest") => {
            let text = format!(r#"{{"password":"{VALUE}","port":1.50,"json":"other"}}"#);
            text.into_bytes()
        }
        ("unicode", "latest") => UNICODE.as_bytes().to_vec(),
        ("large", "latest") => large().into_bytes(),
        ("bytes", "latest") => BYTES.to_vec(),
        (secret, "latest") => match secret.strip_prefix('n').map(str::parse::<usize>) {
            Some(Ok(number)) => format!("{NUMBERED}{number}").into_bytes(),
            _ => return absent(name),
        },
        _ => return absent(name),
    };
    held(&payload, checksum(&payload))
}

fn absent(name: &str) -> Reply {
    refusal(
        404,
        "NOT_FOUND",
        &format!("Secret [{name}] not found or has no versions."),
    )
}

fn held(payload: &[u8], sum: u32) -> Reply {
    let body = json!({
        "name": "projects/1234/secrets/db/versions/2",
        "payload": {"data": STANDARD.encode(payload), "dataCrc32c": sum.to_string()},
    });
    Reply::json(200, body.to_string())
}

/// CRC-32C by a polynomial division of the whole, unlike the program's.
fn checksum(bytes: &[u8]) -> u32 {
    let mut rest = u32::MAX;
    for byte in bytes {
        for bit in 0..8 {
            let top = (rest >> 31) ^ u32::from((byte >> bit) & 1);
            rest = (rest << 1) ^ if top == 1 { 0x1EDC_6F41 } else { 0 };
        }
    }
    (!rest).reverse_bits()
}

#[test]
fn the_checksum_of_the_fake_is_that_of_the_rfc() {
    assert_eq!(checksum(b"123456789"), 0xE306_9283);
}

/// Fields of a payload that is JSON, beside the payload under the secret's own name, as AVP has it.
#[test]
fn json_fields_stand_beside_the_payload() {
    let references = [
        "gcpsecretmanager:projects/shop/secrets/json#password",
        "gcpsecretmanager:projects/shop/secrets/json#port | toString",
        "gcpsecretmanager:projects/shop/secrets/json#json | jsonPath {.json}",
    ]
    .map(str::to_owned);
    let outcome = STORE.render(&references, Instead::Never);
    assert_eq!(values(&outcome.run), [VALUE, "1.50", "other"]);
    assert_eq!(outcome.requests.len(), 2);
    let text = "gcpsecretmanager:projects/shop/secrets/db#password";
    STORE.fails(text, Instead::Never, 1, &["has no key"]);
}

#[test]
fn versions_and_aliases_are_named_by_the_reference_or_the_path() {
    let references = [
        "gcpsecretmanager:projects/shop/secrets/db#db#live",
        "gcpsecretmanager:projects/shop/secrets/db/versions/1#db",
        "gcpsecretmanager:projects/shop/secrets/db/versions/1#db#1",
        "gcpsecretmanager:projects/shop/locations/europe-west3/secrets/db#db#2",
    ]
    .map(str::to_owned);
    let outcome = STORE.render(&references, Instead::Never);
    assert_eq!(values(&outcome.run), [VALUE, OLD, OLD, VALUE]);
    for (reference, words) in [
        ("db#db#3", "Could not find secret: projects/shop/secrets/db"),
        (
            "db#db#3",
            "FAILED_PRECONDITION: Secret Version [projects/shop/secrets/db/versions/3] is in DISABLED state.",
        ),
        ("db#db#4", "is in DESTROYED state"),
        ("db#db#5", "cause: Secret Manager answered 404"),
        (
            "shop/versions/1#db#2",
            "names the version 1, and version 2 is asked for",
        ),
        ("db#db#../x", "has no version of such a name"),
    ] {
        let reference = format!("gcpsecretmanager:projects/shop/secrets/{reference}");
        STORE.fails(&reference, Instead::Never, 1, &[words]);
    }
}

#[test]
fn a_path_leads_to_a_secret_and_nowhere_else() {
    for path in [
        "x/y",
        "projects/shop/secrets/",
        "projects/../secrets/db",
        "projects/shop/secrets/db?alt=media",
        "projects/shop/locations/evil.test%2f/secrets/db",
        "projects/shop/locations/evil.test:1/secrets/db",
        "projects/shop/secrets/db/versions/1/x",
    ] {
        let words = "Path is not in the correct format (projects/$PROJECT_ID/secrets/$SECRET_ID) for GCP Secrets Manager: ";
        STORE.fails(
            &format!("gcpsecretmanager:{path}#db"),
            Instead::Never,
            1,
            &[words],
        );
    }
}

#[test]
fn a_wrong_checksum_is_told() {
    let damaged: fn() -> Reply = || held(VALUE.as_bytes(), checksum(VALUE.as_bytes()) ^ 1);
    let words = "what Secret Manager answered for projects/shop/secrets/db was damaged on the way: its checksum is wrong";
    STORE.fails(STORE.current, Instead::Always(damaged), 1, &[words]);
    let without: fn() -> Reply = || {
        let body = json!({"name": "n", "payload": {"data": STANDARD.encode(VALUE)}});
        Reply::json(200, body.to_string())
    };
    let outcome = STORE.render(&[STORE.current.to_owned()], Instead::Always(without));
    assert_eq!(values(&outcome.run), [VALUE]);
}

#[test]
fn a_login_that_has_expired_is_told() {
    let expired: fn() -> Reply = || refusal(401, "UNAUTHENTICATED", "expired cnry-token-t5k1");
    let words = [
        "Secret Manager answered 401",
        "expired [redacted]",
        "has the login expired, and is this machine's clock right?",
    ];
    STORE.fails(STORE.current, Instead::Always(expired), 3, &words);
}

#[test]
fn a_login_that_fails_is_made_once() {
    let server = Server::start(|_| Reply::json(400, r#"{"error":"invalid_grant"}"#));
    let references: Vec<String> = (0..5).map(STORE.numbered).collect();
    let run = settings(super::program(&references, "20s"), &server.url()).run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("the login to Google Cloud failed"));
    assert_eq!(server.lines(), ["POST /token"]);
}

#[test]
fn a_metadata_host_that_is_none_is_told() {
    for host in ["metadata:x", "gar bage"] {
        let run = super::program(&[(STORE.numbered)(1)], "20s")
            .env("GCE_METADATA_HOST", host)
            .run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains("GCE_METADATA_HOST is no host"));
    }
}

/// A secret in no region at Google's own address, and one of a region at that region's.
#[test]
fn secrets_of_a_region_are_asked_for_there() {
    let hosts = [
        "secretmanager.googleapis.com",
        "secretmanager.europe-west3.rep.googleapis.com",
    ];
    let certificates = Certificates::new(&hosts);
    let server = Server::start_tls(certificates.server(), |request| {
        assert_eq!(request.header("x-goog-user-project"), None);
        access(request)
    });
    let metadata = Server::start(|request| {
        assert_eq!(request.header("metadata-flavor"), Some("Google"));
        token_of_metadata()
    });
    let (proxy, wishes) = tunnel::proxy(&server.url().replace("https://", ""), tunnel::connect);
    for (path, host) in [("", hosts[0]), ("locations/europe-west3/", hosts[1])] {
        let reference = format!("gcpsecretmanager:projects/shop/{path}secrets/db#db");
        let run = super::program(&[reference], "20s")
            .file("ca.pem", &certificates.ca_pem)
            .env("SSL_CERT_FILE", "ca.pem")
            .env("HTTPS_PROXY", format!("http://{proxy}"))
            .env("GCE_METADATA_HOST", metadata.url().replace("http://", ""))
            // An application's author does not say where a token goes, or whose.
            .env("ARGOCD_ENV_GOOGLE_APPLICATION_CREDENTIALS", "/etc/passwd")
            .run();
        assert_eq!(values(&run), [VALUE]);
        let wish = wishes.lock().unwrap().pop().unwrap();
        assert_eq!(wish, format!("CONNECT {host}:443 HTTP/1.1"));
    }
}

fn token_of_metadata() -> Reply {
    let token =
        json!({"access_token": "cnry-token-t5k1", "expires_in": 3600, "token_type": "Bearer"});
    Reply::json(200, token.to_string()).with_header("Metadata-Flavor", "Google")
}

#[test]
fn the_project_that_pays_is_the_settings_or_the_credentials() {
    for (set, wanted) in [("", "payer"), ("other", "other")] {
        let server = Server::start(move |request| {
            if request.target == "/token" {
                return token(request);
            }
            assert_eq!(request.header("x-goog-user-project"), Some(wanted));
            access(request)
        });
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let run = settings(program, &server.url())
            .env("GOOGLE_CLOUD_QUOTA_PROJECT", set)
            .run();
        assert_eq!(values(&run), [VALUE]);
    }
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/gcpsecretmanager.md");
    let server = Server::start(answer);
    let program = super::example(page).env("AVP_TYPE", "gcpsecretmanager");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted =
        format!("  password: {VALUE}\n  previous: {OLD}\n  user: shop\n  regional: {VALUE}\n");
    assert!(text.ends_with(&wanted), "{text}");
}
