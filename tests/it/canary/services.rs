//! Stores that are asked with a user's or a device's own credentials: servers that refuse, repeat what they were sent, or talk nonsense.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::json;

use crate::stores::keepersecretsmanager;
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
fn items_of_connect() {
    check(&connect());
}

fn with_token(what: &'static str, code: i32, says: &'static str) -> Case {
    case(what, code, says)
        .value("<1passwordconnect:vaults/shop/items/database#password>")
        .env("OP_CONNECT_HOST", URL)
        .env("OP_CONNECT_TOKEN", CREDENTIAL)
}

fn connect() -> Vec<Case> {
    let repeated = |request: &Request| {
        let sent = request.header("authorization").unwrap_or_default();
        let body = json!({"status": 403, "message": sent});
        Reply::json(403, body.to_string())
    };
    vec![
        with_token("Connect refuses", 3, "Bearer [redacted]").answers(repeated),
        with_token(
            "Connect talks nonsense",
            1,
            "is not the list that was asked for",
        )
        .answers(|_| Reply::json(200, json!([{"id": BODY, "value": VALUE}]).to_string())),
        with_token(
            "an item is nonsense",
            1,
            "is not the item that was asked for",
        )
        .answers(|request| {
            let id = "a".repeat(26);
            if request.target.contains('?') {
                return Reply::json(200, json!([{"id": id}]).to_string());
            }
            Reply::json(200, json!({"fields": VALUE}).to_string())
        }),
        with_token(
            "an address of Connect that is none",
            2,
            "OP_CONNECT_HOST cannot be used",
        )
        .env("OP_CONNECT_HOST", SETTING),
    ]
}

#[test]
fn secrets_of_ibm() {
    check(&ibm());
}

fn with_api_key(what: &'static str, code: i32, says: &'static str) -> Case {
    case(what, code, says)
        .value("<ibmsecretsmanager:ibmcloud/kv/secrets/groups/default/shop#password>")
        .env("AVP_IBM_INSTANCE_URL", URL)
        .env("AVP_IBM_API_KEY", CREDENTIAL)
        .env("MANIFUSE_IBM_IAM_ENDPOINT", URL)
}

fn ibm() -> Vec<Case> {
    let refused = "a login to IBM is refused";
    vec![
        with_api_key(refused, 3, "the login to IBM Cloud failed").answers(|request| {
            let sent = String::from_utf8_lossy(&request.body);
            Reply::json(401, json!({"errorMessage": sent}).to_string())
        }),
        with_api_key(
            "a login to IBM is nonsense",
            1,
            "answered the login without a token",
        )
        .answers(|_| Reply::json(200, json!({"access_token": [TOKEN]}).to_string())),
        with_api_key("IBM lists no secrets", 3, "Bearer [redacted]").answers(|request| {
            granted(request).unwrap_or_else(|sent| {
                Reply::json(403, json!({"errors": [{"message": sent}]}).to_string())
            })
        }),
        with_api_key("IBM talks nonsense", 1, "is not what was asked for").answers(|request| {
            let body = json!({"secrets": BODY}).to_string();
            granted(request).unwrap_or_else(|_| Reply::json(200, body))
        }),
        with_api_key(
            "a secret of IBM is nonsense",
            1,
            "Could not retrieve secret i",
        )
        .answers(|request| {
            let body = if request.target.contains('?') {
                json!({"secrets": [{"id": "i", "name": "shop", "secret_type": "kv"}]})
            } else {
                json!([VALUE])
            };
            granted(request).unwrap_or_else(|_| Reply::json(200, body.to_string()))
        }),
        with_api_key(
            "an address of IBM that is none",
            2,
            "AVP_IBM_INSTANCE_URL cannot be used",
        )
        .env("AVP_IBM_INSTANCE_URL", SETTING),
    ]
}

#[test]
#[cfg(feature = "kubernetes")]
fn secrets_of_a_cluster() {
    check(&cluster());
}

/// A kubeconfig with this user, and with this beside the cluster's address.
#[cfg(feature = "kubernetes")]
fn with_kubeconfig(case: Case, user: &str, beside: &str) -> Case {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{{beside}server: \"{URL}\"}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\n"
    );
    case.value("<kubernetessecret:shop:database#password>")
        .file("kubeconfig", text)
        .env("MANIFUSE_KUBECONFIG", "kubeconfig")
}

#[cfg(feature = "kubernetes")]
fn with_program(what: &'static str, says: &'static str, command: &str) -> Case {
    let user = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, {command}, env: [{{name: A, value: {CREDENTIAL}}}]}}"
    );
    with_kubeconfig(case(what, 3, says), &user, "")
}

#[cfg(feature = "kubernetes")]
fn cluster() -> Vec<Case> {
    let with_token =
        |what, code, says| with_kubeconfig(case(what, code, says), &format!("token: {TOKEN}"), "");
    let socks = format!("proxy-url: \"socks5://me:{CREDENTIAL}@p.invalid\", ");
    let no_proxy = case(
        "a proxy of a cluster that is none",
        2,
        "the proxy to the API server cannot be used",
    );
    let prints = format!("command: sh, args: [-c, 'echo {TOKEN}; echo {TOKEN} >&2; exit 3']");
    let credential = json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {"token": TOKEN}});
    let script = json!(format!("echo {TOKEN} >&2; echo '{credential}'"));
    let granted = format!("command: sh, args: [-c, {script}]");
    let repeated = |request: &Request| {
        let sent = request.header("authorization").unwrap_or_default();
        let body = json!({"kind": "Status", "reason": sent, "message": sent});
        Reply::json(403, body.to_string())
    };
    vec![
        with_token("a cluster refuses", 3, "Bearer [redacted]").answers(repeated),
        with_token("a cluster talks nonsense", 1, "is not a Secret").answers(|_| {
            let body = json!({"data": {"password": BODY, "user": [VALUE]}});
            Reply::json(200, body.to_string())
        }),
        with_token("a Secret has no such entry", 1, "has no key").answers(|_| {
            let body = json!({"data": {"user": STANDARD.encode(VALUE)}});
            Reply::json(200, body.to_string())
        }),
        with_token(
            "a kubeconfig that is none",
            2,
            "is not the YAML of a kubeconfig",
        )
        .file("kubeconfig", format!("{SETTING}: [")),
        with_kubeconfig(no_proxy, "token: x", &socks),
        with_program(
            "a program of a kubeconfig fails",
            "its program ended with exit status: 3",
            &prints,
        ),
        with_program(
            "a program of a kubeconfig is not there",
            "its program could not be run",
            "command: ./nosuch",
        ),
        with_program(
            "a cluster refuses a program's token",
            "the API server answered 403",
            &granted,
        )
        .answers(repeated),
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

#[test]
fn secrets_of_keeper() {
    check(&keeper());
}

fn with_device(what: &'static str, code: i32, says: &'static str) -> Case {
    case(what, code, says)
        .value("<keepersecretsmanager:c2hvcC4uLi4uLi4uLi4uLg#password>")
        .env("AVP_KEEPER_CONFIG_PATH", "keeper.json")
        .file("keeper.json", device(URL))
}

/// A device's file whose keys are marked.
fn device(host: &str) -> String {
    let mut config = keepersecretsmanager::config(host);
    config["clientId"] = json!(CREDENTIAL);
    config["appKey"] = json!(STANDARD.encode(format!("{TOKEN:.<32}")));
    config.to_string()
}

fn keeper() -> Vec<Case> {
    vec![
        with_device("Keeper refuses", 3, "access_denied: no").answers(|_| {
            Reply::json(
                403,
                json!({"error": "access_denied", "message": "no"}).to_string(),
            )
        }),
        with_device(
            "Keeper talks nonsense",
            1,
            "is not sealed by the key of the call",
        )
        .answers(|_| Reply::json(200, BODY)),
        with_device("Keeper answers a page", 3, "Keeper answered 502")
            .answers(|_| Reply::new(502, BODY)),
        with_device(
            "Keeper wants another key",
            2,
            "the server wants another key",
        )
        .answers(|_| Reply::json(400, json!({"error": "key", "key_id": 99}).to_string())),
        with_device("a path that is no UID", 1, "is no UID of a record")
            .value("<keepersecretsmanager:db#password>"),
        with_device("a device's file that is none", 2, "it is no JSON object")
            .file("keeper.json", CREDENTIAL),
        with_device(
            "a device's file of a token",
            2,
            "a token that has not been used yet",
        )
        .file("keeper.json", json!({"clientKey": CREDENTIAL}).to_string()),
        with_device("a host that is none", 2, "KSM_HOSTNAME cannot be used")
            .env("KSM_HOSTNAME", format!("{SETTING} x")),
    ]
}

/// A token for who asks for one; else the header that was sent.
fn granted(request: &Request) -> Result<Reply, String> {
    if ["/oauth2/token", "/iam/v1/tokens", "/identity/token"].contains(&request.target.as_str()) {
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
