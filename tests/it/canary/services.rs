//! Stores that are asked with a user's or a device's own credentials: servers that refuse, repeat what they were sent, or talk nonsense.

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::json;

use crate::support::server::{Reply, Request};

use super::{BODY, CREDENTIAL, Case, SETTING, TOKEN, URL, VALUE, case, check};

#[test]
fn secrets_of_secret_server() {
    check(&secret_server_logins());
    check(&secret_server());
}

fn with_password(what: &'static str, code: i32, says: &'static str) -> Case {
    case(what, code, says)
        .value("<delineasecretserver:12#password>")
        .env("AVP_DELINEA_URL", URL)
        .env("AVP_DELINEA_USER", "ci")
        .env("AVP_DELINEA_PASSWORD", CREDENTIAL)
}

fn secret_server_logins() -> Vec<Case> {
    vec![
        with_password(
            "a login to Secret Server is refused",
            3,
            "the login to Secret Server failed",
        )
        .answers(|request| {
            let sent = String::from_utf8_lossy(&request.body);
            Reply::json(400, json!({"error": sent}).to_string())
        }),
        with_password(
            "a login to Secret Server is nonsense",
            1,
            "answered the login without a token",
        )
        .answers(|_| Reply::json(200, format!("{{\"access_token\": [\"{TOKEN}\"]}}"))),
        with_password(
            "an address that is none",
            2,
            "AVP_DELINEA_URL cannot be used",
        )
        .env("AVP_DELINEA_URL", SETTING),
    ]
}

fn secret_server() -> Vec<Case> {
    vec![
        with_password(
            "Secret Server refuses",
            3,
            "API_AccessDenied: Bearer [redacted]",
        )
        .answers(|request| {
            granted(request).unwrap_or_else(|sent| {
                let body = json!({"errorCode": "API_AccessDenied", "message": sent});
                Reply::json(400, body.to_string())
            })
        }),
        with_password(
            "Secret Server talks nonsense",
            1,
            "answered for the secret 12 is not one",
        )
        .answers(|request| {
            let body = json!({"items": [{"itemValue": VALUE, "fieldName": BODY}]});
            granted(request).unwrap_or_else(|_| Reply::json(200, body.to_string()))
        }),
        with_password(
            "a secret of Secret Server has no such field",
            1,
            "has no key",
        )
        .answers(|request| granted(request).unwrap_or_else(|_| held())),
        with_password(
            "a file of Secret Server is not given",
            3,
            "could not access secret 12",
        )
        .value("<delineasecretserver:12#file>")
        .answers(|request| {
            granted(request).unwrap_or_else(|_| {
                if request.target.ends_with("/fields/file") {
                    Reply::new(403, BODY)
                } else {
                    held()
                }
            })
        }),
        with_password(
            "a secret's number that is none",
            1,
            "could not read path db",
        )
        .value("<delineasecretserver:db#password>"),
    ]
}

#[test]
fn secrets_of_lockbox() {
    check(&lockbox());
}

fn with_key(what: &'static str, code: i32, says: &'static str) -> Case {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    case(what, code, says)
        .value("<yandexcloudlockbox:e6q#password>")
        .env("AVP_YCL_KEY_ID", "ajekey")
        .env("AVP_YCL_SERVICE_ACCOUNT_ID", "aje")
        .env("AVP_YCL_PRIVATE_KEY", key.serialize_pem())
        .env("MANIFUSE_YANDEX_IAM_ENDPOINT", URL)
        .env("MANIFUSE_YANDEX_LOCKBOX_ENDPOINT", URL)
}

fn lockbox() -> Vec<Case> {
    vec![
        with_key(
            "a login to Yandex is refused",
            3,
            "the login to Yandex Cloud failed",
        )
        .answers(|_| Reply::new(401, BODY)),
        with_key(
            "a login to Yandex is nonsense",
            1,
            "answered the login without a token",
        )
        .answers(|_| Reply::json(200, json!({"iamToken": [TOKEN]}).to_string())),
        with_key("Lockbox refuses", 3, "Bearer [redacted]").answers(|request| {
            granted(request).unwrap_or_else(|sent| {
                Reply::json(403, json!({"code": 7, "message": sent}).to_string())
            })
        }),
        with_key(
            "Lockbox talks nonsense",
            1,
            "answered for the secret e6q is not one",
        )
        .answers(|request| {
            let entry = json!({"key": "password", "binaryValue": format!("{VALUE}!")});
            let body = json!({"entries": [entry]});
            granted(request).unwrap_or_else(|_| Reply::json(200, body.to_string()))
        }),
        with_key("a secret of Lockbox has no such entry", 1, "has no key").answers(|request| {
            let body = json!({"entries": [{"key": "user", "textValue": VALUE}]});
            granted(request).unwrap_or_else(|_| Reply::json(200, body.to_string()))
        }),
        with_key("a key that is none", 2, "private key parsing failed")
            .env("AVP_YCL_PRIVATE_KEY", CREDENTIAL),
        with_key(
            "an endpoint that is none",
            2,
            "MANIFUSE_YANDEX_IAM_ENDPOINT cannot be used",
        )
        .env("MANIFUSE_YANDEX_IAM_ENDPOINT", SETTING),
    ]
}

/// A token for who asks for one; else the header that was sent.
fn granted(request: &Request) -> Result<Reply, String> {
    if ["/oauth2/token", "/iam/v1/tokens"].contains(&request.target.as_str()) {
        let grant = json!({"access_token": TOKEN, "expires_in": 1199, "iamToken": TOKEN});
        return Ok(Reply::json(200, grant.to_string()));
    }
    let sent = request.header("authorization");
    Err(sent.unwrap_or_default().to_owned())
}

fn held() -> Reply {
    let field = |name: &str, file: bool| json!({"fieldName": name, "slug": name, "itemValue": VALUE, "isFile": file, "fileAttachmentId": 7});
    let body = json!({"items": [field("user", false), field("file", true)]});
    Reply::json(200, body.to_string())
}
