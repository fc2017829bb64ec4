//! Secret Server as the fake has it, below a base path, with the password grant of its OAuth: as the pages below
//! `documents/restapi` of each server say.

use serde_json::{Value as Json, json};

use super::{
    BYTES, CREDENTIAL, Instead, NUMBERED, Store, UNICODE, VALUE, example, large, suite, values,
};
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

pub(super) const STORE: Store = Store {
    current: "delineasecretserver:12#password",
    // Secret Server keeps old values, but does not give them by this way.
    old: None,
    unicode: "delineasecretserver:12#notes",
    large: Some("delineasecretserver:13#large"),
    bytes: Some("delineasecretserver:13#private-key"),
    absent_path: (
        "delineasecretserver:404#password",
        "could not access secret 404",
    ),
    absent_key: Some("delineasecretserver:12#none"),
    numbered: |number| format!("delineasecretserver:{}#password", 1000 + number),
    batch: 1,
    tls: true,
    settings,
    answer,
    reads: |request| request.target.starts_with("/SecretServer/api/"),
    denied: || refusal(403, "API_AccessDenied", "Access Denied"),
    throttled: || Reply::new(429, "").with_header("Retry-After", "0"),
};

suite!(STORE);

const TOKEN: &str = "cnry-token-t5k1";

fn settings(program: Program, url: &str) -> Program {
    program
        .env("AVP_DELINEA_URL", format!("{url}/SecretServer/"))
        .env("AVP_DELINEA_USER", "svc argocd")
        .env("AVP_DELINEA_PASSWORD", format!("{CREDENTIAL}&=+ %"))
        .env("AVP_DELINEA_DOMAIN", "corp")
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({"errorCode": code, "message": message});
    Reply::json(status, body.to_string())
}

fn answer(request: &Request) -> Reply {
    if request.line() == "POST /SecretServer/oauth2/token" {
        return token(request, "&domain=corp");
    }
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refusal(401, "API_AuthenticationFailed", "Authentication failed");
    }
    let path = request.target.strip_prefix("/SecretServer/api/v1/secrets/");
    match (request.method.as_str(), path) {
        ("GET", Some(path)) => read(path),
        _ => Reply::new(404, "<html>not found</html>"),
    }
}

/// A token for who sends the form of the password grant.
fn token(request: &Request, domain: &str) -> Reply {
    let form = format!(
        "username=svc+argocd&password={CREDENTIAL}%26%3D%2B+%25&grant_type=password{domain}"
    );
    let kind = request.header("content-type");
    if kind != Some("application/x-www-form-urlencoded") || request.body != form.as_bytes() {
        return Reply::json(400, r#"{"error":"Login failed."}"#);
    }
    let grant = json!({"access_token": TOKEN, "token_type": "bearer", "expires_in": 1199});
    Reply::json(200, grant.to_string())
}

/// A secret, or a file of one.
fn read(path: &str) -> Reply {
    let (number, file) = path.split_once('/').unwrap_or((path, ""));
    let items = match (number, file) {
        ("12", "") => vec![
            item("Username", "username", "shop"),
            item("Password", "password", VALUE),
            item("Notes", "notes", UNICODE),
        ],
        ("13", "") => vec![
            item("Large", "large", &large()),
            attached("Private Key", "private-key", &json!(77)),
            attached("Empty", "empty", &Json::Null),
        ],
        ("13", "fields/private-key") => return Reply::new(200, BYTES),
        ("16", "") => vec![
            item("Password", "password", VALUE),
            attached("Private Key", "private-key", &json!(78)),
        ],
        ("16", "fields/private-key") => return Reply::new(200, "a file"),
        // A name that is another field's slug.
        ("14", "") => vec![item("key", "first", "one"), item("Second", "key", "two")],
        ("15", "") => return refusal(400, "API_AccessDenied", "Access Denied"),
        (number, "") => match number
            .parse::<usize>()
            .map(|number| number.checked_sub(1000))
        {
            Ok(Some(number)) => vec![item("Password", "password", &format!("{NUMBERED}{number}"))],
            _ => return refusal(404, "API_NotFound", "The secret was not found."),
        },
        _ => return Reply::new(404, "<html>not found</html>"),
    };
    Reply::json(
        200,
        json!({"id": 12, "name": "db", "items": items}).to_string(),
    )
}

fn item(name: &str, slug: &str, value: &str) -> Json {
    json!({"fieldName": name, "slug": slug, "itemValue": value, "isFile": false, "fileAttachmentId": null})
}

fn attached(name: &str, slug: &str, attachment: &Json) -> Json {
    json!({"fieldName": name, "slug": slug, "itemValue": "*** Not Valid For Display ***",
        "isFile": true, "fileAttachmentId": attachment})
}

fn render(references: &[&str]) -> super::Outcome {
    let references: Vec<String> = references.iter().map(|path| (*path).to_owned()).collect();
    STORE.render(&references, Instead::Never)
}

#[test]
fn fields_go_by_name_and_slug_and_the_last_wins() {
    let outcome = render(&[
        "delineasecretserver:12#Password",
        "delineasecretserver:12#password",
        "delineasecretserver:+012#Username",
        "delineasecretserver:14#key",
        "delineasecretserver:14#first",
    ]);
    let texts = [VALUE, VALUE, "shop", "two", "one"];
    assert_eq!(values(&outcome.run), texts);
}

#[test]
fn a_file_is_read_where_it_is_wanted() {
    let files = |outcome: &super::Outcome| {
        let requests = outcome.requests.iter();
        requests
            .filter(|request| request.target.contains("/fields/"))
            .count()
    };
    let outcome = render(&["delineasecretserver:13#large | sha256sum"]);
    assert_eq!((outcome.run.code, files(&outcome)), (Some(0), 0));
    let outcome = render(&[
        "delineasecretserver:13#Private Key | base64encode",
        "delineasecretserver:13#private-key | base64encode",
        "delineasecretserver:13#empty",
    ]);
    assert_eq!(
        (outcome.run.code, files(&outcome)),
        (Some(0), 1),
        "{}",
        outcome.run.stderr
    );
}

/// By their slugs, which a Secret can have as keys.
#[test]
fn all_fields_of_a_secret() {
    let manifest = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n    manifuse.io/expand: \"16\"\n";
    let program = Program::manifuse(["generate", "-"])
        .env("AVP_TYPE", "delineasecretserver")
        .stdin(manifest);
    let outcome = STORE.outcome(program, &Server::start(answer));
    assert_eq!(
        (outcome.run.code, outcome.run.stderr.as_str()),
        (Some(0), "")
    );
    let text = String::from_utf8(outcome.run.stdout).unwrap();
    let wanted = format!("{manifest}stringData:\n  password: {VALUE}\n  private-key: a file\n");
    assert_eq!(text, wanted);
}

#[test]
fn a_path_is_a_number() {
    for path in [
        "x",
        "-1",
        "1.5",
        "12/fields/password",
        "12?autoCheckout=true",
        "99999999999999999999999",
    ] {
        let reference = format!("delineasecretserver:{path}#password");
        let words = format!("could not read path {path}");
        STORE.fails(
            &reference,
            Instead::Never,
            1,
            &[&words, "the number of a secret"],
        );
    }
}

#[test]
fn a_secret_that_is_not_given_is_told_by_the_servers_code() {
    let words = [
        "could not access secret 15",
        "Secret Server answered 400",
        "API_AccessDenied: Access Denied",
        "the user needs View on the secret",
    ];
    STORE.fails("delineasecretserver:15#password", Instead::Never, 3, &words);
    let expired: fn() -> Reply = || refusal(401, "x", "cnry-token-t5k1 has expired");
    let words = [
        "x: [redacted] has expired",
        "is this machine's clock right?",
    ];
    STORE.fails(STORE.current, Instead::Always(expired), 3, &words);
}

#[test]
fn a_login_that_fails_is_made_once() {
    let server = Server::start(|request| {
        let sent = String::from_utf8_lossy(&request.body);
        Reply::json(400, json!({"error": format!("no: {sent}")}).to_string())
    });
    let references: Vec<String> = (0..5).map(STORE.numbered).collect();
    let program = settings(super::program(&references, "20s"), &server.url());
    let run = program.run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    for words in [
        "the login to Secret Server failed",
        "password=[redacted]&grant_type=password",
        "check AVP_DELINEA_USER, AVP_DELINEA_PASSWORD and AVP_DELINEA_DOMAIN",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert!(!run.stderr.contains(CREDENTIAL), "{}", run.stderr);
    assert_eq!(server.lines(), ["POST /SecretServer/oauth2/token"]);
    for body in ["{}", "[]", "<html>"] {
        let server = Server::start(move |_| Reply::new(200, body));
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let run = settings(program, &server.url()).run();
        let words = "answered the login without a token";
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn the_settings_of_a_named_backend() {
    let server = Server::start(|request| match request.target.as_str() {
        "/oauth2/token" => token(request, ""),
        target => read(target.strip_prefix("/api/v1/secrets/").unwrap()),
    });
    let auth = format!("{{user: svc argocd, password: \"{CREDENTIAL}&=+ %\"}}");
    let url = server.url();
    let settings = format!(
        "backends:\n  old:\n    type: delineasecretserver\n    address: {url}\n    auth: {auth}\n"
    );
    let run = super::program(&["old:12#password".to_owned()], "20s")
        .file("manifuse.yaml", settings)
        .run();
    assert_eq!(values(&run), [VALUE]);
}

/// The password goes to the operator's server or nowhere.
#[test]
fn an_application_says_not_where_the_password_goes() {
    let server = Server::start(answer);
    let url = server.url();
    let required = "AVP_DELINEA_URL, AVP_DELINEA_USER and AVP_DELINEA_PASSWORD are required for Delinea Secret Server";
    let cases = [
        (
            vec![("ARGOCD_ENV_AVP_DELINEA_URL", url.as_str())],
            required,
            "an application cannot set it (ARGOCD_ENV_), only the operator",
        ),
        (
            vec![("AVP_DELINEA_URL", ""), ("AVP_DELINEA_PASSWORD", "")],
            required,
            "set AVP_DELINEA_URL and AVP_DELINEA_PASSWORD",
        ),
        (
            vec![("AVP_DELINEA_URL", "vault.example.com")],
            "AVP_DELINEA_URL cannot be used: it is not a URL",
            "for example https://vault.example.com/SecretServer",
        ),
    ];
    for (variables, message, hint) in cases {
        let program = super::program(&[STORE.current.to_owned()], "20s");
        let program = variables
            .iter()
            .fold(settings(program, &url), |program, (name, value)| {
                program.env(name, *value)
            });
        let run = program.run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        for words in [message, hint] {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
    }
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/delineasecretserver.md");
    let server = Server::start(answer);
    let program = example(page).env("AVP_TYPE", "delineasecretserver");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    let wanted = format!("  user: shop\n  password: {VALUE}\n");
    assert!(text.contains(&wanted), "{text}");
}
