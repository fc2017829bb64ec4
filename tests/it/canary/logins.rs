//! Logins that fail, each with its own credential.

#[cfg(feature = "aws")]
use base64::Engine as _;
#[cfg(feature = "aws")]
use base64::engine::general_purpose::STANDARD;

#[cfg(feature = "aws")]
use super::SETTING;
use super::{BODY, CREDENTIAL, Case, Reply, Request, TOKEN, case, check, vault};

#[test]
fn logins_that_fail() {
    check(&refused());
}

#[test]
fn failures_behind_a_login() {
    check(&behind());
}

fn approle(case: Case) -> Case {
    case.env("AVP_AUTH_TYPE", "approle")
        .env("AVP_ROLE_ID", format!("role-{CREDENTIAL}"))
        .env("AVP_SECRET_ID", format!("secret-{CREDENTIAL}"))
}

fn userpass(case: Case) -> Case {
    case.env("AVP_AUTH_TYPE", "userpass")
        .env("AVP_USERNAME", "shop")
        .env("AVP_PASSWORD", format!("password-{CREDENTIAL}"))
}

fn github(case: Case) -> Case {
    case.env("AVP_AUTH_TYPE", "github")
        .env("AVP_GITHUB_TOKEN", CREDENTIAL)
}

fn ldap(case: Case) -> Case {
    userpass(case).env("AVP_AUTH_TYPE", "ldap")
}

fn jwt(case: Case) -> Case {
    case.env("AVP_AUTH_TYPE", "jwt")
        .env("AVP_ROLE", "argocd")
        .env("AVP_JWT", format!("eyJ.{CREDENTIAL}"))
}

fn wrapped(case: Case) -> Case {
    case.env("AVP_AUTH_TYPE", "approle")
        .env("AVP_ROLE_ID", format!("role-{CREDENTIAL}"))
        .env("AVP_SECRET_ID_WRAPPED", format!("wrap-{CREDENTIAL}"))
}

#[cfg(feature = "aws")]
fn aws(case: Case) -> Case {
    case.env("AVP_AUTH_TYPE", "aws")
        .env("AVP_ROLE", "shop")
        .env("AWS_ACCESS_KEY_ID", "AKIA")
        .env("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
        .env("AWS_SESSION_TOKEN", TOKEN)
}

#[cfg(feature = "aws")]
#[test]
fn logins_by_aws_that_fail() {
    check(&[
        aws(case("an AWS login with an echo", 3, "answered 400")).answers(echo),
        aws(case("STS shows what was signed", 3, "answered 400")).answers(|request| {
            let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let headers = STANDARD.decode(sent["iam_request_headers"].as_str().unwrap());
            let errors = [String::from_utf8(headers.unwrap()).unwrap()];
            Reply::json(400, serde_json::json!({"errors": errors}).to_string())
        }),
        aws(case(
            "a region of STS that is none",
            2,
            "no name of a region",
        ))
        .env("MANIFUSE_VAULT_AWS_REGION", format!("{SETTING}/")),
    ]);
}

/// Says that a wrapping token is right, and gives back what was sent where it should log in.
fn unwraps(request: &Request) -> Reply {
    let data = match request.target.rsplit('/').next() {
        Some("lookup") => r#"{"creation_path":"auth/approle/role/app/secret-id"}"#.to_owned(),
        Some("unwrap") => format!(r#"{{"secret_id":"unwrapped-{CREDENTIAL}"}}"#),
        _ => return echo(request),
    };
    Reply::json(200, format!(r#"{{"data":{data}}}"#))
}

fn kubernetes(case: Case) -> Case {
    case.env("AVP_AUTH_TYPE", "k8s")
        .env("AVP_K8S_ROLE", "argocd")
        .env("AVP_K8S_TOKEN_PATH", "jwt")
        .file("jwt", format!("eyJ.{CREDENTIAL}\n"))
}

/// Sends back what it was sent, as servers in debugging do.
fn echo(request: &Request) -> Reply {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let fields = body.as_object().unwrap().values();
    let words: Vec<_> = fields.map(|field| field.as_str().unwrap()).collect();
    let user = request.target.rsplit('/').next().unwrap();
    let errors = [format!("no login for {} as {user}", words.join(" and "))];
    Reply::json(400, serde_json::json!({"errors": errors}).to_string())
}

#[expect(clippy::too_many_lines, reason = "a flat table")]
fn refused() -> Vec<Case> {
    let refused = "answered 400";
    vec![
        approle(case("an AppRole with an echo", 3, refused)).answers(echo),
        userpass(case("a password with an echo", 3, refused)).answers(echo),
        github(case("a GitHub token with an echo", 3, refused)).answers(echo),
        kubernetes(case("a service account with an echo", 3, refused)).answers(echo),
        ldap(case("an LDAP password with an echo", 3, refused)).answers(echo),
        jwt(case("a JWT with an echo", 3, refused)).answers(echo),
        wrapped(case("an unwrapped secret id with an echo", 3, refused)).answers(unwraps),
        wrapped(case(
            "a wrapping token with an echo",
            3,
            "lookup answered 400",
        ))
        .answers(echo),
        wrapped(case("a used wrapping token", 3, "already")).answers(|_| {
            let gone = r#"{"errors":["wrapping token is not valid or does not exist"]}"#;
            Reply::json(400, gone)
        }),
        wrapped(case(
            "a wrapping token made elsewhere",
            3,
            "does not hold a secret id",
        ))
        .answers(|request| {
            let sent = String::from_utf8_lossy(&request.body).replace(['"', '{', '}'], "");
            Reply::json(200, format!(r#"{{"data":{{"creation_path":"{sent}"}}}}"#))
        }),
        wrapped(case(
            "a wrapping token that holds something else",
            1,
            "holds no secret id",
        ))
        .answers(|request| match request.target.rsplit('/').next() {
            Some("unwrap") => Reply::json(200, format!(r#"{{"data":{{"x":"{BODY}"}}}}"#)),
            _ => unwraps(request),
        }),
        wrapped(case(
            "a page for a wrapping token",
            1,
            "the answer is not the JSON that Vault gives",
        ))
        .answers(|_| Reply::new(200, format!("<html>{BODY}</html>"))),
        wrapped(case(
            "an unwrapping led elsewhere",
            3,
            "redirects to another host",
        ))
        .answers(|request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let location = format!("http://{}.test/", body["token"].as_str().unwrap());
            Reply::new(307, BODY).with_header("Location", &location)
        }),
        jwt(case("a JWT that is not there", 2, "could not read the JWT"))
            .env("AVP_JWT", "")
            .env("AVP_JWT_PATH", "nothing"),
        jwt(case(
            "a JWT instead of its file",
            2,
            "could not read the JWT",
        ))
        .env("AVP_JWT", "")
        .env(
            "AVP_JWT_PATH",
            format!("{CREDENTIAL}.{}", "eyJ".repeat(100)),
        ),
        approle(case(
            "a page for a login",
            1,
            "the answer is not the JSON that Vault gives",
        ))
        .answers(|_| Reply::new(200, format!("<html>{BODY}</html>"))),
        userpass(case(
            "a page as the refusal of a login",
            3,
            "that are not JSON",
        ))
        .answers(|_| Reply::new(500, format!("<html>{BODY}</html>"))),
        github(case(
            "a login without a token",
            1,
            "the login answer holds no token",
        ))
        .answers(|_| Reply::json(200, format!(r#"{{"auth":null,"data":"{BODY}"}}"#))),
        github(case(
            "a login with half a token",
            1,
            "the answer is not the JSON that Vault gives",
        ))
        .answers(|_| Reply::json(200, format!(r#"{{"auth":{{"client_token":"{TOKEN}"#))),
        github(case(
            "a token that is a list",
            1,
            "the login answer holds no token",
        ))
        .answers(|_| Reply::json(200, format!(r#"{{"auth":{{"client_token":["{TOKEN}"]}}}}"#))),
        approle(case(
            "a login that is led elsewhere",
            3,
            "redirects to another host",
        ))
        .answers(|_| {
            Reply::new(307, BODY).with_header("Location", &format!("http://other.test/{TOKEN}"))
        }),
        approle(case(
            "a login led to a host of its credential",
            3,
            "redirects to another host",
        ))
        .answers(|request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let location = format!("http://{}.test/", body["secret_id"].as_str().unwrap());
            Reply::new(307, BODY).with_header("Location", &location)
        }),
        userpass(case("a login without an answer", 3, "no answer in time"))
            .env("VAULT_CLIENT_TIMEOUT", "50ms")
            .answers(|_| Reply::Silence),
        kubernetes(case(
            "no file with a service account",
            2,
            "could not read the service account's token",
        ))
        .env("AVP_K8S_TOKEN_PATH", "nothing"),
        kubernetes(case(
            "a token instead of its file",
            2,
            "could not read the service account's token",
        ))
        .env(
            "AVP_K8S_TOKEN_PATH",
            format!("{CREDENTIAL}.{}", "eyJ".repeat(100)),
        ),
        kubernetes(case(
            "an account that is not UTF-8",
            2,
            "service account's token",
        ))
        .file("jwt", [CREDENTIAL.as_bytes(), b"\xff"].concat()),
        approle(case(
            "a token that no header takes",
            2,
            "the header X-Vault-Token",
        ))
        .answers(|_| {
            let body = serde_json::json!({"auth": {"client_token": format!("{TOKEN}\n")}});
            Reply::json(200, body.to_string())
        }),
    ]
}

fn behind() -> Vec<Case> {
    let denied = |request: &Request| {
        if request.method == "PUT" {
            return vault(request);
        }
        let token = request.header("x-vault-token").unwrap();
        let errors = [format!("{token} may not")];
        Reply::json(403, serde_json::json!({"errors": errors}).to_string())
    };
    vec![
        approle(case("a denial behind an AppRole", 3, "[redacted] may not")).answers(denied),
        userpass(case("a denial behind a password", 3, "[redacted] may not")).answers(denied),
        github(case(
            "a missing key behind a GitHub token",
            1,
            "has no key no",
        ))
        .value("<path:secret/data/db#no>"),
        kubernetes(case(
            "a missing path behind a service account",
            1,
            "secret/data/gone",
        ))
        .value("<path:secret/data/gone#no>"),
        approle(case("a good run behind an AppRole", 0, "")),
        approle(case(
            "the secret id among the errors of a read",
            3,
            "answered 400",
        ))
        .answers(|request| match request.method.as_str() {
            "PUT" => vault(request),
            _ => Reply::json(400, format!(r#"{{"errors":["by secret-{CREDENTIAL}"]}}"#)),
        }),
    ]
}
