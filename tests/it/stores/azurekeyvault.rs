//! Key Vault as the fake has it, by its real name through a proxy, with the login of an application:
//! <https://learn.microsoft.com/en-us/rest/api/keyvault/secrets/get-secret/get-secret>.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{
    BODY, CREDENTIAL, Instead, NUMBERED, OLD, Store, UNICODE, VALUE, example, suite, values,
};
use crate::support::certificates::Certificates;
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};
use crate::vault::tunnel;

pub(super) const STORE: Store = Store {
    current: "azurekeyvault:shop#db",
    old: Some("azurekeyvault:shop#db#0a1b2c"),
    unicode: "azurekeyvault:shop#unicode",
    // Key Vault takes 25 kB, and texts only.
    large: None,
    bytes: None,
    absent_path: (
        "azurekeyvault:shop#none",
        "Could not find secret none in the vault shop",
    ),
    absent_key: None,
    numbered: |number| format!("azurekeyvault:shop#n{number}"),
    batch: 1,
    tls: true,
    settings,
    answer,
    reads: |request| request.target.starts_with("/secrets") && is_logged_in(request),
    denied: || {
        refusal(
            403,
            "Forbidden",
            "ForbiddenByRbac",
            "Caller is not authorized",
        )
    },
    throttled: || {
        refusal(429, "Throttled", "", "too many requests").with_header("Retry-After", "0")
    },
};

suite!(STORE);

const TOKEN: &str = "cnry-token-t5k1";

/// The settings of an application whose way leads through a proxy, so that the names are those of Azure.
fn settings(program: Program, url: &str) -> Program {
    let (proxy, _) = tunnel::proxy(&url.replace("https://", ""), tunnel::connect);
    program
        .env("AZURE_TENANT_ID", "t")
        .env("AZURE_CLIENT_ID", "c")
        .env("AZURE_CLIENT_SECRET", CREDENTIAL)
        .env("HTTPS_PROXY", format!("http://{proxy}"))
}

fn refusal(status: u16, code: &str, inner: &str, message: &str) -> Reply {
    let error = json!({"code": code, "message": message, "innererror": {"code": inner}});
    Reply::json(status, json!({"error": error}).to_string())
}

fn is_logged_in(request: &Request) -> bool {
    request.header("authorization") == Some(&format!("Bearer {TOKEN}"))
}

fn answer(request: &Request) -> Reply {
    if request.header("host") == Some("login.microsoftonline.com") {
        return token(request, "https%3A%2F%2Fvault.azure.net%2F.default");
    }
    let host = request.header("host").unwrap_or_default();
    vault(
        request,
        host.strip_suffix(".vault.azure.net").unwrap_or_default(),
        "https://vault.azure.net",
    )
}

/// A token for the audience, for who has the secret.
fn token(request: &Request, audience: &str) -> Reply {
    let body = String::from_utf8_lossy(&request.body);
    let parts = [
        format!("scope={audience}"),
        "client_id=c".into(),
        format!("client_secret={CREDENTIAL}"),
    ];
    let is_right = parts
        .iter()
        .all(|part| body.split('&').any(|field| field == part));
    if request.line() != "POST /t/oauth2/v2.0/token" || !is_right {
        let body = json!({"error": "invalid_client", "error_codes": [7_000_215], "error_description": "AADSTS7000215"});
        return Reply::json(401, body.to_string());
    }
    let token = json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"});
    Reply::json(200, token.to_string())
}

fn vault(request: &Request, name: &str, audience: &str) -> Reply {
    if !is_logged_in(request) {
        let challenge = format!(
            "Bearer authorization=\"https://login.microsoftonline.com/t\", resource=\"{audience}\""
        );
        return refusal(
            401,
            "Unauthorized",
            "",
            "AKV10000: Request is missing a Bearer token.",
        )
        .with_header("WWW-Authenticate", &challenge);
    }
    let target = request.target.replace("%24", "$");
    let (path, query) = target.split_once('?').unwrap_or_default();
    let query: BTreeMap<&str, &str> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    if request.method != "GET" || query.get("api-version") != Some(&"2025-07-01") {
        return refusal(400, "BadParameter", "", "the api-version is not supported");
    }
    match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["secrets"] => page(name, query.get("$skiptoken").copied()),
        ["secrets", secret] => get(name, secret, ""),
        ["secrets", secret, version] => get(name, secret, version),
        _ => refusal(404, "NotFound", "", path),
    }
}

/// A vault of three secrets, on two pages.
fn page(vault: &str, token: Option<&str>) -> Reply {
    let item = |name: &str, enabled: bool| {
        let id = format!("https://{vault}.vault.azure.net/secrets/{name}");
        json!({"id": id, "attributes": {"enabled": enabled}})
    };
    let body = match token {
        None => json!({
            "value": [item("db", true), item("off", false)],
            "nextLink": format!("https://{vault}.vault.azure.net/secrets?api-version=2025-07-01&$skiptoken=2"),
        }),
        Some(_) => json!({"value": [item("unicode", true)], "nextLink": null}),
    };
    Reply::json(200, body.to_string())
}

fn get(vault: &str, name: &str, version: &str) -> Reply {
    let held = |value: &str| secret(vault, name, &json!({"enabled": true}), value);
    match (name, version) {
        ("db", "" | "0d4e5f") => held(VALUE),
        ("db", "0a1b2c") => held(OLD),
        ("unicode", "") => held(UNICODE),
        ("off", _) => refusal(
            403,
            "Forbidden",
            "SecretDisabled",
            "Operation get is not allowed on a disabled secret.",
        ),
        ("old", "") => secret(
            vault,
            name,
            &json!({"enabled": true, "exp": 1_500_000_000}),
            VALUE,
        ),
        ("young", "") => secret(
            vault,
            name,
            &json!({"enabled": true, "nbf": 32_500_000_000_u64}),
            VALUE,
        ),
        ("bare", "") => Reply::json(
            200,
            "{\"id\": \"https://shop.vault.azure.net/secrets/bare/1\"}",
        ),
        _ => match name.strip_prefix('n').map(str::parse::<usize>) {
            Some(Ok(number)) if version.is_empty() => held(&format!("{NUMBERED}{number}")),
            _ => refusal(
                404,
                "SecretNotFound",
                "",
                &format!(
                    "A secret with (name/id) {name}/{version} was not found in this key vault."
                ),
            ),
        },
    }
}

fn secret(vault: &str, name: &str, attributes: &Json, value: &str) -> Reply {
    let id = format!("https://{vault}.vault.azure.net/secrets/{name}/0d4e5f");
    let body = json!({"id": id, "attributes": attributes, "value": value});
    Reply::json(200, body.to_string())
}

/// A document whose generic placeholders are of a vault as a whole.
fn whole(annotations: &str, placeholders: &[&str]) -> String {
    let data: Vec<String> = placeholders
        .iter()
        .map(|key| format!("  {}: <{key}>\n", key.replace([':', '#'], ".")))
        .collect();
    format!(
        "kind: ConfigMap\nmetadata:\n  name: x\n  annotations:\n    avp.kubernetes.io/path: shop\n{annotations}data:\n{}",
        data.concat()
    )
}

/// A run of that document, and what was read.
fn run_of_whole(manifest: String, answer: fn(&Request) -> Reply) -> (Run, Vec<String>) {
    let certificates = Certificates::new(&super::HOSTS);
    let server = Server::start_tls(certificates.server(), answer);
    let program = Program::manifuse(["generate", "-"])
        .stdin(manifest)
        .file("ca.pem", &certificates.ca_pem)
        .env("SSL_CERT_FILE", "ca.pem")
        .env("AVP_TYPE", "azurekeyvault");
    let run = settings(program, &server.url()).run();
    let reads = server.requests().into_iter().filter(STORE.reads);
    let mut lines: Vec<String> = reads.map(|request| request.line()).collect();
    lines[1..].sort();
    (run, lines)
}

/// As AVP does it: a list of two pages, then each secret that is not disabled.
#[test]
fn a_whole_vault_is_listed_and_read() {
    let (run, lines) = run_of_whole(whole("", &["db", "unicode"]), answer);
    assert_eq!(values(&run), [VALUE, UNICODE]);
    let get = |rest: &str| format!("GET /secrets{rest}api-version=2025-07-01");
    let second = get("?%24skiptoken=2&");
    assert_eq!(lines, [get("?"), get("/db/?"), get("/unicode/?"), second]);
    let (run, _) = run_of_whole(whole("", &["off"]), answer);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("has no key"), "{}", run.stderr);
}

/// A secret that one placeholder names is an error where it is absent, also where others may be.
#[test]
fn an_absent_secret_is_no_missing_key() {
    let removing = "    avp.kubernetes.io/remove-missing: \"true\"\n";
    let (run, _) = run_of_whole(whole(removing, &["db", "none"]), answer);
    assert_eq!(values(&run), [VALUE]);
    let manifest =
        whole(removing, &["path:store#none"]).replace("    avp.kubernetes.io/path: shop\n", "");
    let (run, lines) = run_of_whole(manifest, answer);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("Could not find secret none in the vault store"),
        "{}",
        run.stderr
    );
    assert_eq!(lines, ["GET /secrets/none/?api-version=2025-07-01"]);
}

/// A vault that cannot be reached is perhaps none: its name is a part of its host.
#[test]
fn a_vault_that_is_not_there_is_told_by_its_address() {
    let run = super::program(&[STORE.current.to_owned()], "20s")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .run();
    assert_eq!(run.code, Some(3));
    let says = "is there a vault shop? It is asked at https://shop.vault.azure.net/";
    assert!(run.stderr.contains(says), "{}", run.stderr);
}

/// Of a whole vault in one version those that have it.
#[test]
fn of_a_version_those_are_read_that_have_it() {
    let version = "    avp.kubernetes.io/secret-version: 0a1b2c\n    avp.kubernetes.io/remove-missing: \"true\"\n";
    let (run, lines) = run_of_whole(whole(version, &["db", "unicode"]), answer);
    assert_eq!(values(&run), [OLD]);
    assert_eq!(lines.len(), 4, "{lines:?}");
}

/// Each key is a call, and one that fails takes no other along.
#[test]
fn keys_fail_one_by_one() {
    let references = [
        "azurekeyvault:shop#db",
        "azurekeyvault:shop#none | default nothing",
        "azurekeyvault:shop#off | default nothing",
    ]
    .map(str::to_owned);
    let outcome = STORE.render(&references, Instead::Never);
    assert_eq!(values(&outcome.run), [VALUE, "nothing", "nothing"]);
    // Besides one to learn how to ask, and one to log in.
    assert_eq!(outcome.requests.len(), 3 + 2);
    for (reference, code, words) in [
        (
            "shop#off",
            1,
            &[
                "Could not find secret off in the vault shop",
                "Azure Key Vault answered 403",
                "Operation get is not allowed on a disabled secret.",
            ][..],
        ),
        (
            "shop#none",
            1,
            &["Azure Key Vault answered 404", "SecretNotFound"],
        ),
        (
            "shop#bare",
            1,
            &["what Azure Key Vault answered for the secret bare in the vault shop is not one"],
        ),
        (
            "shop#a_b",
            1,
            &["a_b in the vault shop is not the name of a secret"],
        ),
        (
            "shop#db#../x",
            1,
            &["secrets of the vault shop have no such version"],
        ),
    ] {
        STORE.fails(
            &format!("azurekeyvault:{reference}"),
            Instead::Never,
            code,
            words,
        );
    }
}

/// What a vault answers, the exit code, and what is told.
type Told = (fn() -> Reply, i32, &'static str);

/// What a vault says is shown, but for what it was sent and what makes no sense.
#[test]
fn the_words_of_a_vault_are_shown_without_secrets() {
    let answers: [Told; 4] = [
        (
            || {
                refusal(
                    403,
                    "Forbidden",
                    "ForbiddenByRbac",
                    &format!("not for {TOKEN}"),
                )
            },
            3,
            "not for [redacted]",
        ),
        (
            || refusal(401, "Unauthorized", "", "AKV10046: the token has expired"),
            3,
            "has the login expired, and is this machine's clock right?",
        ),
        (
            || Reply::json(200, json!({"value": [BODY]}).to_string()),
            1,
            "is not one",
        ),
        (
            || Reply::json(200, json!([BODY]).to_string()),
            1,
            "is not one",
        ),
    ];
    for (answer, code, words) in answers {
        STORE.fails(STORE.current, Instead::Always(answer), code, &[words]);
    }
    let (run, _) = run_of_whole(whole("", &["db"]), |request| {
        if (STORE.reads)(request) {
            return Reply::json(200, json!({"value": BODY}).to_string());
        }
        answer(request)
    });
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .contains("what Azure Key Vault answered cannot be used"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains(BODY), "{}", run.stderr);
}

#[test]
fn dates_count_where_the_operator_wants_it() {
    for (name, says) in [
        ("old", "it expired at 2017-07-14T02:40:00Z"),
        ("young", "it is not valid before 2999-11-"),
    ] {
        let reference = format!("azurekeyvault:shop#{name}");
        let outcome = STORE.render(std::slice::from_ref(&reference), Instead::Never);
        assert_eq!(values(&outcome.run), [VALUE]);
        let checking = Store {
            settings: |program, url| {
                settings(program, url).env("MANIFUSE_AZURE_CHECK_VALIDITY", "true")
            },
            ..STORE
        };
        checking.fails(
            &reference,
            Instead::Never,
            1,
            &["is not to be used now", says],
        );
    }
}

#[test]
fn a_vault_of_another_domain_is_refused() {
    let outcome = STORE.render(
        &["azurekeyvault:https://shop.vault.azure.net/#db".to_owned()],
        Instead::Never,
    );
    assert_eq!(values(&outcome.run), [VALUE]);
    for path in [
        "https://shop.vault.evil.test",
        "https://shop.vault.azure.net.evil.test",
        "shop.vault.azure.net",
        "https://evil.test/.vault.azure.net",
        "evil.test/",
        "https://me@shop.vault.azure.net",
    ] {
        let words = format!("{path} is not the address of a vault in vault.azure.net");
        STORE.fails(
            &format!("azurekeyvault:{path}#db"),
            Instead::Never,
            1,
            &[&words],
        );
    }
    STORE.fails(
        "azurekeyvault:a/b#db",
        Instead::Never,
        1,
        &["a/b is not the name of a vault"],
    );
}

/// What a vault of Azure's asks a token for must be of its domain, or whoever answers there gets one for another service.
#[test]
fn a_vault_asks_for_tokens_of_its_own_domain() {
    let certificates = Certificates::new(&super::HOSTS);
    let server = Server::start_tls(certificates.server(), |request| {
        assert_eq!(request.header("authorization"), None);
        vault(request, "shop", "https://management.azure.com")
    });
    let program = super::program(&[STORE.current.to_owned()], "20s")
        .file("ca.pem", &certificates.ca_pem)
        .env("SSL_CERT_FILE", "ca.pem");
    let run = settings(program, &server.url()).run();
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("doesn't match the requested domain"),
        "{}",
        run.stderr
    );
    assert_eq!(server.requests().len(), 1);
}

/// A cloud of its own, and a private domain whose vaults ask for tokens of Azure's.
#[test]
fn the_operator_says_where_vaults_are_and_where_to_log_in() {
    for (domain, audience) in [
        ("vault.azure.cn", "https://vault.azure.cn"),
        ("vault.corp.example", "https://vault.azure.net"),
    ] {
        let hosts = ["login.example", &format!("shop.{domain}")];
        let certificates = Certificates::new(&hosts);
        let server = Server::start_tls(certificates.server(), move |request| {
            match request.header("host") {
                Some("login.example") => {
                    let audience = audience.replace(':', "%3A").replace('/', "%2F");
                    token(request, &format!("{audience}%2F.default"))
                }
                _ => vault(request, "shop", audience),
            }
        });
        let (proxy, wishes) = tunnel::proxy(&server.url().replace("https://", ""), tunnel::connect);
        let program = super::program(&[STORE.current.to_owned()], "20s")
            .file("ca.pem", &certificates.ca_pem)
            .env("SSL_CERT_FILE", "ca.pem");
        let run = settings(program, &server.url())
            .env("HTTPS_PROXY", format!("http://{proxy}"))
            .env("MANIFUSE_AZURE_VAULT_DOMAIN", domain)
            .env("AZURE_AUTHORITY_HOST", "https://login.example")
            .run();
        assert_eq!(values(&run), [VALUE]);
        let wishes = wishes.lock().unwrap();
        assert_eq!(wishes[0], format!("CONNECT shop.{domain}:443 HTTP/1.1"));
    }
}

#[test]
fn a_login_that_fails_is_made_once() {
    let certificates = Certificates::new(&super::HOSTS);
    let server = Server::start_tls(certificates.server(), |request| {
        match request.method.as_str() {
            "POST" => Reply::json(
                401,
                format!(
                    r#"{{"error":"invalid_client","error_codes":[7000222],"error_description":"{BODY}"}}"#
                ),
            ),
            _ => answer(request),
        }
    });
    let references: Vec<String> = (0..5).map(STORE.numbered).collect();
    let program = super::program(&references, "20s")
        .file("ca.pem", &certificates.ca_pem)
        .env("SSL_CERT_FILE", "ca.pem");
    let run = settings(program, &server.url()).run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(
        run.stderr.contains("no login to Azure worked"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("AZURE_CLIENT_SECRET (answered 401: AADSTS7000222)"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains(BODY));
    let logins = server
        .requests()
        .into_iter()
        .filter(|request| request.method == "POST");
    assert_eq!(logins.count(), 1);
}

/// Without any credentials each way that was tried is named.
#[test]
fn each_login_that_was_tried_is_named() {
    let certificates = Certificates::new(&super::HOSTS);
    let server = Server::start_tls(certificates.server(), answer);
    let (proxy, _) = tunnel::proxy(&server.url().replace("https://", ""), tunnel::connect);
    let run = super::program(&[STORE.current.to_owned()], "30s")
        .file("ca.pem", &certificates.ca_pem)
        .env("SSL_CERT_FILE", "ca.pem")
        .env("HTTPS_PROXY", format!("http://{proxy}"))
        .env("PATH", "/nowhere")
        .run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    for words in [
        "no login to Azure worked",
        "AZURE_CLIENT_SECRET and the like (not set",
        "managed identity (",
        "az (",
        "azd (",
        "give the workload an identity",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn the_example_of_the_page_renders() {
    let certificates = Certificates::new(&super::HOSTS);
    let server = Server::start_tls(certificates.server(), answer);
    let page = include_str!("../../../docs/backends/azurekeyvault.md");
    let program = example(page)
        .file("ca.pem", &certificates.ca_pem)
        .env("SSL_CERT_FILE", "ca.pem")
        .env("AVP_TYPE", "azurekeyvault");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted = format!("  password: {VALUE}\n  previous: {OLD}\n");
    assert!(text.ends_with(&wanted), "{text}");
}
