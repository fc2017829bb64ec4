//! IBM Cloud Secrets Manager as the fake has it, and IAM before it:
//! <https://cloud.ibm.com/apidocs/secrets-manager/secrets-manager-v2>.

use serde_json::{Value as Json, json};

use super::{
    CREDENTIAL, Instead, NUMBERED, OLD, Store, UNICODE, VALUE, example, large, suite, values,
};
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

pub(super) const STORE: Store = Store {
    current: "ibmsecretsmanager:ibmcloud/arbitrary/secrets/groups/default#shop",
    old: Some("ibmsecretsmanager:ibmcloud/arbitrary/secrets/groups/default#shop#previous"),
    unicode: "ibmsecretsmanager:ibmcloud/arbitrary/secrets/groups/default#unicode",
    large: Some("ibmsecretsmanager:ibmcloud/arbitrary/secrets/groups/default#large"),
    bytes: None,
    absent_path: (
        "ibmsecretsmanager:ibmcloud/arbitrary/secrets/groups/none#shop",
        "No such secret group none",
    ),
    absent_key: Some("ibmsecretsmanager:ibmcloud/arbitrary/secrets/groups/default#none"),
    numbered: |number| {
        format!(
            "ibmsecretsmanager:ibmcloud/username_password/secrets/groups/default/n{number}#password"
        )
    },
    batch: 1,
    tls: true,
    settings,
    answer,
    // The others log in and list.
    reads: |request| request.target.starts_with("/api/v2/secrets/"),
    denied: || refusal(403, "forbidden", "The user does not have permission"),
    throttled: || refusal(429, "too_many_requests", "slow down").with_header("Retry-After", "0"),
};

suite!(STORE);

const TOKEN: &str = "cnry-token-t5k1";
const TEAM: &str = "d898bb90-82f6-4d61-b5cc-b079b66cfa76";

fn settings(program: Program, url: &str) -> Program {
    program
        .env("AVP_IBM_INSTANCE_URL", url)
        .env("AVP_IBM_API_KEY", format!("{CREDENTIAL}&= +"))
        .env("MANIFUSE_IBM_IAM_ENDPOINT", url)
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"errors": [{"code": code, "message": message}], "status_code": status});
    Reply::json(status, body.to_string())
}

fn answer(request: &Request) -> Reply {
    if request.line() == "POST /identity/token" {
        return token(request);
    }
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refusal(401, "unauthorized", "The token is invalid");
    }
    if request.method != "GET" {
        return refusal(405, "method_not_allowed", "not allowed");
    }
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    match (path, query) {
        ("/api/v2/secret_groups", "") => Reply::json(
            200,
            json!({"secret_groups": [{"id": "default", "name": "default"}, {"id": TEAM, "name": "team"}], "total_count": 2})
                .to_string(),
        ),
        ("/api/v2/secrets", query) => list(query),
        (path, "") => match path.strip_prefix("/api/v2/secrets/") {
            Some(secret) => read(secret),
            None => refusal(404, "not_found", "no such path"),
        },
        _ => refusal(400, "bad_request", "an unknown query"),
    }
}

/// A token for who sends the form of an API key.
fn token(request: &Request) -> Reply {
    let form = format!(
        "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey={CREDENTIAL}%26%3D+%2B&response_type=cloud_iam"
    );
    let kind = request.header("content-type");
    if kind != Some("application/x-www-form-urlencoded") || request.body != form.as_bytes() {
        let body = json!({"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."});
        return Reply::json(400, body.to_string());
    }
    let grant = json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600});
    Reply::json(200, grant.to_string())
}

/// The secrets of a group by their names and types; an id is a name with `id-` before it.
fn secrets(group: &str) -> Vec<(String, &'static str)> {
    let named = |names: &[(&str, &'static str)]| -> Vec<(String, &'static str)> {
        let names = names.iter();
        names
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect()
    };
    match group {
        "default" => {
            let mut all = named(&[
                ("shop", "arbitrary"),
                ("unicode", "arbitrary"),
                ("large", "arbitrary"),
                ("destroyed", "arbitrary"),
                ("new", "a_type_of_tomorrow"),
                ("database", "username_password"),
            ]);
            all.extend((0..300).map(|number| (format!("n{number}"), "username_password")));
            all
        }
        TEAM => named(&[
            ("cert", "imported_cert"),
            ("own", "private_cert"),
            ("robot", "iam_credentials"),
            ("with/slash", "kv"),
            ("kv", "kv"),
        ]),
        _ => Vec::new(),
    }
}

fn list(query: &str) -> Reply {
    let query = format!("http://x/?{query}")
        .parse::<reqwest::Url>()
        .unwrap();
    let mut pairs = query.query_pairs();
    let (offset, groups) = (pairs.next().unwrap(), pairs.next().unwrap());
    assert_eq!((&*offset.0, &*groups.0), ("offset", "groups"));
    let offset: usize = offset.1.parse().unwrap();
    let all = secrets(&groups.1);
    let page = all.iter().skip(offset).take(200);
    let page = page
        .map(|(name, kind)| json!({"id": format!("id-{name}"), "name": name, "secret_type": kind}));
    let page: Vec<Json> = page.collect();
    let body = json!({"secrets": page, "total_count": all.len(), "limit": 200, "offset": offset});
    Reply::json(200, body.to_string())
}

fn read(secret: &str) -> Reply {
    let (id, version) = secret
        .split_once("/versions/")
        .unwrap_or((secret, "current"));
    let Some(name) = id.strip_prefix("id-") else {
        return refusal(404, "not_found", "no such secret");
    };
    let body = match (name, version) {
        ("shop", "current") => json!({"payload": VALUE}),
        ("shop", "previous") => json!({"payload": OLD, "payload_available": true}),
        ("unicode", "current") => json!({"payload": UNICODE}),
        ("large", "current") => json!({"payload": large()}),
        ("new", "current") => json!({"unknown": "x"}),
        ("destroyed", "current") => json!({"payload_available": false}),
        ("database", "current") => json!({"username": "shop", "password": VALUE}),
        ("database", "previous") => json!({"username": "shop", "password": OLD}),
        ("cert", "current") => json!({"certificate": "C", "private_key": "K"}),
        ("own", "current") => {
            json!({"certificate": "C", "issuing_ca": "I", "ca_chain": ["a", "b"]})
        }
        ("robot", _) => json!({"api_key": VALUE, "service_id": "x"}),
        ("kv", "current") => json!({"data": {"payload": "p", "number": 5}}),
        ("with%2Fslash", "current") => json!({"data": {"never": "so"}}),
        ("with/slash", "current") => json!({"data": {"key": "v"}}),
        (name, "current") => match name.strip_prefix('n').map(str::parse::<usize>) {
            Some(Ok(number)) => json!({"username": "n", "password": format!("{NUMBERED}{number}")}),
            _ => return refusal(404, "not_found", "no such secret"),
        },
        _ => return refusal(404, "not_found", "no such version"),
    };
    Reply::json(200, body.to_string())
}

fn render(references: &[&str]) -> super::Outcome {
    let references = references
        .iter()
        .map(|path| format!("ibmsecretsmanager:ibmcloud/{path}"));
    STORE.render(&references.collect::<Vec<_>>(), Instead::Never)
}

#[test]
fn every_type_has_its_fields() {
    let outcome = render(&[
        "username_password/secrets/groups/default/database#username",
        "username_password/secrets/groups/default#database | jsonPath {.password}",
        "imported_cert/secrets/groups/team/cert#private_key",
        "private_cert/secrets/groups/team/own#ca_chain | jsonPath {[1]}",
        "iam_credentials/secrets/groups/team/robot#api_key#previous",
        "kv/secrets/groups/team/kv#payload",
        "kv/secrets/groups/team/kv#number | toString",
    ]);
    let texts = ["shop", VALUE, "K", "b", VALUE, "p", "5"];
    assert_eq!(values(&outcome.run), texts);
}

/// One list of groups, one listing a group in pages of 200, one call a secret and version.
#[test]
fn groups_are_listed_once() {
    let outcome = render(&[
        "arbitrary/secrets/groups/default#shop",
        "arbitrary/secrets/groups/default#shop#previous",
        "username_password/secrets/groups/default/n299#password",
        "kv/secrets/groups/team/kv#payload",
        "imported_cert/secrets/groups/team/cert#certificate",
        &format!("iam_credentials/secrets/groups/{TEAM}/robot#api_key"),
    ]);
    assert_eq!(outcome.run.code, Some(0), "{}", outcome.run.stderr);
    let mut lines: Vec<String> = outcome.requests.iter().map(Request::line).collect();
    lines.sort();
    let expected = [
        "GET /api/v2/secret_groups".to_owned(),
        "GET /api/v2/secrets/id-cert".to_owned(),
        "GET /api/v2/secrets/id-kv".to_owned(),
        "GET /api/v2/secrets/id-n299".to_owned(),
        "GET /api/v2/secrets/id-robot".to_owned(),
        "GET /api/v2/secrets/id-shop".to_owned(),
        "GET /api/v2/secrets/id-shop/versions/previous".to_owned(),
        format!("GET /api/v2/secrets?offset=0&groups={TEAM}"),
        "GET /api/v2/secrets?offset=0&groups=default".to_owned(),
        "GET /api/v2/secrets?offset=200&groups=default".to_owned(),
        "POST /identity/token".to_owned(),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_is_not_there_is_told() {
    for (path, words) in [
        ("secret/data/x#y", "Path is not in the correct format"),
        (
            "ibmcloud/arbitrary/secrets/groups/default/shop#x",
            "path format is not supported for arbitrary secrets",
        ),
        (
            "ibmcloud/arbitrary/secrets/groups/nobody#x",
            "secret-groups shows names and ids",
        ),
        (
            "ibmcloud/arbitrary/secrets/groups/default#destroyed",
            "has no key",
        ),
        ("ibmcloud/kv/secrets/groups/default/none#x", "has no key"),
        (
            "ibmcloud/a_type_of_tomorrow/secrets/groups/default/new#x",
            "has no key",
        ),
        (
            "ibmcloud/arbitrary/secrets/groups/default#shop#9",
            "a version is current, previous, or an id",
        ),
    ] {
        let reference = format!("ibmsecretsmanager:{path}");
        STORE.fails(&reference, Instead::Never, 1, &[words]);
    }
}

#[test]
fn a_login_that_fails_is_made_once() {
    let server = Server::start(answer);
    let references: Vec<String> = (0..5).map(STORE.numbered).collect();
    let run = settings(super::program(&references, "20s"), &server.url())
        .env("AVP_IBM_API_KEY", "cnry-token-other")
        .run();
    for words in [
        "the login to IBM Cloud failed",
        "BXNIM0415E: Provided API key could not be found.",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert!(!run.stderr.contains("cnry-token"), "{}", run.stderr);
    assert_eq!(server.lines(), ["POST /identity/token"]);
}

/// The token goes to the operator's server or nowhere.
#[test]
fn an_application_says_not_where_the_token_goes() {
    for name in ["AVP_IBM_INSTANCE_URL", "VAULT_ADDR"] {
        let server = Server::start(answer);
        let run = super::program(&[STORE.current.to_owned()], "20s")
            .env(&format!("ARGOCD_ENV_{name}"), server.url())
            .env("AVP_IBM_API_KEY", CREDENTIAL)
            .run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(
            run.stderr.contains("an application cannot set it"),
            "{}",
            run.stderr
        );
        assert_eq!(server.lines(), Vec::<String>::new());
    }
}

#[test]
fn settings_that_are_missing_or_wrong() {
    for (name, value, message, hint) in [
        (
            "AVP_IBM_INSTANCE_URL",
            "",
            "AVP_IBM_INSTANCE_URL or VAULT_ADDR required for IBM Secrets Manager",
            "set AVP_IBM_INSTANCE_URL",
        ),
        (
            "AVP_IBM_API_KEY",
            "",
            "Exactly one of ApiKey or RefreshToken must be specified.",
            "set AVP_IBM_API_KEY",
        ),
        (
            "AVP_IBM_API_KEY",
            "{cnry-credential}",
            "AVP_IBM_API_KEY is in quotes or braces",
            "give the key itself",
        ),
        (
            "AVP_IBM_INSTANCE_URL",
            "instance",
            "AVP_IBM_INSTANCE_URL cannot be used: it is not a URL",
            "for example https://INSTANCE.us-south",
        ),
    ] {
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let run = settings(program, "https://127.0.0.1:1")
            .env(name, value)
            .run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        for words in [message, hint] {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("cnry"), "{}", run.stderr);
    }
}

#[test]
fn the_address_of_vault_counts_where_there_is_no_other() {
    let server = Server::start(answer);
    let program = super::program(&[STORE.current.to_owned()], "20s");
    let run = settings(program, &server.url())
        .env("AVP_IBM_INSTANCE_URL", "")
        .env("VAULT_ADDR", server.url())
        .run();
    assert_eq!(values(&run), [VALUE]);
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/ibmsecretsmanager.md");
    let server = Server::start(answer);
    let program = example(page).env("AVP_TYPE", "ibmsecretsmanager");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted = format!("  user: shop\n  password: {VALUE}\n  previous: {OLD}\n");
    assert!(text.contains(&wanted), "{text}");
}
