//! Logins: each kind's request, one for all fetches, none where nothing is fetched, and the texts of wrong settings.

use manifuse::backends::ErrorKind;
use manifuse::env::{Environment, Origin, Setting};

use super::{SECRET, TOKEN, auth, failure, fetch, kv2, open, options, request, run, text};
use crate::support::certificates::Certificates;
use crate::support::program::Program;
use crate::support::server::{Reply, Request, Server};

/// Any login gives the token; reads want it.
fn vault() -> Server {
    Server::start(vault_answers)
}

fn vault_answers(request: &Request) -> Reply {
    match request.method.as_str() {
        "PUT" => Reply::json(200, auth(TOKEN)),
        _ if request.header("x-vault-token") == Some(TOKEN) => {
            Reply::json(200, kv2(r#"{"k":"v"}"#))
        }
        _ => Reply::json(403, r#"{"errors":["permission denied"]}"#),
    }
}

/// Logs in with these settings and reads once: the login's request.
fn login(settings: &[(&str, &str)]) -> Request {
    let server = vault();
    let url = server.url();
    let mut all = vec![("VAULT_ADDR", url.as_str())];
    all.extend_from_slice(settings);
    let backend = open(&all).unwrap();
    assert!(server.requests().is_empty(), "opening asks for nothing");
    assert_eq!(
        text(&fetch(backend.as_ref(), "kv/data/a").unwrap(), "k"),
        "v"
    );
    assert_eq!(server.lines()[1..], ["GET /v1/kv/data/a"]);
    server.requests().remove(0)
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

#[test]
fn approle() {
    let request = login(&[
        ("AVP_AUTH_TYPE", " approle\n"),
        ("AVP_ROLE_ID", "role\n"),
        ("AVP_SECRET_ID", "s\"id"),
        ("VAULT_TOKEN", "not for this"),
        ("VAULT_NAMESPACE", "team"),
    ]);
    assert_eq!(request.line(), "PUT /v1/auth/approle/login");
    assert_eq!(
        body(&request),
        r#"{"role_id":"role\n","secret_id":"s\"id"}"#
    );
    assert_eq!(request.header("x-vault-token"), None);
    assert_eq!(request.header("x-vault-namespace"), Some("team"));
    assert_eq!(request.header("content-type"), Some("application/json"));
}

#[test]
fn github() {
    let request = login(&[
        ("AVP_AUTH_TYPE", "github"),
        ("AVP_GITHUB_TOKEN", "ghp"),
        ("AVP_MOUNT_PATH", "gh"),
    ]);
    assert_eq!(request.line(), "PUT /v1/gh/login");
    assert_eq!(body(&request), r#"{"token":"ghp"}"#);
}

#[test]
fn userpass() {
    let request = login(&[
        ("AVP_AUTH_TYPE", "userpass"),
        ("AVP_USERNAME", "me/you"),
        ("AVP_PASSWORD", "p"),
    ]);
    assert_eq!(request.line(), "PUT /v1/auth/userpass/login/me%2Fyou");
    assert_eq!(body(&request), r#"{"password":"p"}"#);
}

#[test]
fn kubernetes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwt");
    std::fs::write(&path, " e.y.J \n").unwrap();
    let request = login(&[
        ("AVP_AUTH_TYPE", "k8s"),
        ("AVP_K8S_ROLE", "r"),
        ("AVP_K8S_TOKEN_PATH", path.to_str().unwrap()),
        ("AVP_MOUNT_PATH", "auth/m"),
        ("AVP_K8S_MOUNT_PATH", "/auth/k8s/"),
    ]);
    assert_eq!(request.line(), "PUT /v1/auth/k8s/login");
    assert_eq!(body(&request), r#"{"jwt":"e.y.J","role":"r"}"#);
}

#[test]
fn ldap() {
    let request = login(&[
        ("AVP_AUTH_TYPE", "ldap"),
        ("AVP_USERNAME", "me"),
        ("AVP_PASSWORD", "p"),
    ]);
    assert_eq!(request.line(), "PUT /v1/auth/ldap/login/me");
    assert_eq!(body(&request), r#"{"password":"p"}"#);
}

#[test]
fn jwt_as_text_without_a_role() {
    let request = login(&[("AVP_AUTH_TYPE", "jwt"), ("AVP_JWT", "e.y.J")]);
    assert_eq!(request.line(), "PUT /v1/auth/jwt/login");
    assert_eq!(body(&request), r#"{"jwt":"e.y.J"}"#);
}

#[test]
fn jwt_out_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwt");
    std::fs::write(&path, "e.y.J\n").unwrap();
    let request = login(&[
        ("AVP_AUTH_TYPE", "jwt"),
        ("AVP_ROLE", "r"),
        ("AVP_JWT_PATH", path.to_str().unwrap()),
        ("AVP_MOUNT_PATH", "auth/oidc"),
    ]);
    assert_eq!(request.line(), "PUT /v1/auth/oidc/login");
    assert_eq!(body(&request), r#"{"jwt":"e.y.J","role":"r"}"#);
}

#[test]
fn certificate() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let pair = [
        write("c.pem", &certificates.client_pem),
        write("k.pem", &certificates.client_key_pem),
    ];
    for (role, expected) in [("", "{}"), ("web", r#"{"name":"web"}"#)] {
        let tls = certificates.server_for_known_clients();
        let server = Server::start_tls(tls, vault_answers);
        let url = server.url();
        let backend = open(&[
            ("VAULT_ADDR", url.as_str()),
            ("VAULT_CACERT_BYTES", &certificates.ca_pem),
            ("VAULT_CLIENT_CERT", &pair[0]),
            ("VAULT_CLIENT_KEY", &pair[1]),
            ("AVP_AUTH_TYPE", "cert"),
            ("AVP_ROLE", role),
        ]);
        fetch(backend.unwrap().as_ref(), "kv/data/a").unwrap();
        let request = server.requests().remove(0);
        assert_eq!(request.line(), "PUT /v1/auth/cert/login");
        assert_eq!(body(&request), expected);
    }
}

/// A role for all methods does not take the place of Kubernetes' own, unless a named backend says it.
#[test]
fn kubernetes_takes_the_general_role_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwt");
    std::fs::write(&path, "e.y.J").unwrap();
    let path = path.to_str().unwrap();
    let kind = [
        ("AVP_AUTH_TYPE", "kubernetes"),
        ("AVP_K8S_TOKEN_PATH", path),
    ];
    let role = |more: &[(&'static str, &'static str)]| {
        body(&login(&[&kind[..], more].concat())).to_owned()
    };
    assert_eq!(role(&[("AVP_ROLE", "r")]), r#"{"jwt":"e.y.J","role":"r"}"#);
    let both = role(&[("AVP_ROLE", "r"), ("AVP_K8S_ROLE", "k")]);
    assert_eq!(both, r#"{"jwt":"e.y.J","role":"k"}"#);
}

#[test]
fn kubernetes_without_a_token_file() {
    let server = vault();
    let settings = [
        ("VAULT_ADDR", server.url()),
        ("AVP_AUTH_TYPE", "k8s".into()),
        ("AVP_K8S_ROLE", "r".into()),
        ("AVP_K8S_TOKEN_PATH", "/proc/none".into()),
    ];
    let settings: Vec<_> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let error = failure(fetch(open(&settings).unwrap().as_ref(), "kv/data/a"));
    assert_eq!(error.kind, ErrorKind::Settings);
    assert_eq!(
        error.message,
        "could not read the service account's token: /proc/none"
    );
    assert_eq!(error.causes, ["no such file or directory"]);
    assert!(server.requests().is_empty());
}

fn approle_at(url: &str) -> [(&str, &str); 4] {
    [
        ("VAULT_ADDR", url),
        ("AVP_AUTH_TYPE", "approle"),
        ("AVP_ROLE_ID", "r"),
        ("AVP_SECRET_ID", SECRET),
    ]
}

#[test]
fn many_fetches_at_once_share_one_login() {
    let server = vault();
    let backend = open(&approle_at(&server.url())).unwrap();
    let requests: Vec<_> = (0..20).map(|n| request(&format!("kv/data/{n}"))).collect();
    let answers = run(backend.as_ref(), &requests, super::PATIENCE);
    assert!(answers.iter().all(Result::is_ok));
    let logins = server
        .requests()
        .iter()
        .filter(|r| r.method == "PUT")
        .count();
    assert_eq!((logins, server.requests().len()), (1, 21));
}

#[test]
fn a_failed_login_is_not_repeated_within_a_run_and_shows_no_credential() {
    let server = Server::start(|_| {
        let body = format!(r#"{{"errors":["invalid role or secret ID {SECRET}","second"]}}"#);
        Reply::json(400, body)
    });
    let backend = open(&approle_at(&server.url())).unwrap();
    let requests = [request("kv/data/a"), request("kv/data/b")];
    for outcome in run(backend.as_ref(), &requests, super::PATIENCE) {
        let error = failure(outcome);
        assert_eq!(error.kind, ErrorKind::Denied);
        let url = server.url();
        let expected =
            format!("Error making API request: PUT {url}/v1/auth/approle/login answered 400");
        assert_eq!(error.message, expected);
        assert_eq!(
            error.causes,
            ["invalid role or secret ID [redacted]; second"]
        );
    }
    assert_eq!(server.requests().len(), 1);
    failure(fetch(backend.as_ref(), "kv/data/a"));
    assert_eq!(server.requests().len(), 2, "the next run tries again");
}

#[test]
fn a_login_answer_without_a_token_is_an_error() {
    for body in [
        "{}",
        r#"{"auth":null}"#,
        r#"{"auth":{"client_token":""}}"#,
        r#"{"auth":"CANARY"}"#,
    ] {
        let server = Server::start(move |_| Reply::json(200, body));
        let error = failure(fetch(
            open(&approle_at(&server.url())).unwrap().as_ref(),
            "kv/data/a",
        ));
        assert_eq!(error.kind, ErrorKind::Malformed, "{body}");
        assert!(
            error
                .message
                .starts_with("the login answer holds no token: PUT http://127")
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_told_by_its_header() {
    let server = Server::start(|_| Reply::json(200, auth("CANARY\\n")));
    let error = failure(fetch(
        open(&approle_at(&server.url())).unwrap().as_ref(),
        "kv/data/a",
    ));
    assert_eq!(error.kind, ErrorKind::Settings);
    let expected = "the value for the header X-Vault-Token holds a line end or a control character";
    assert_eq!(error.message, expected);
}

#[test]
fn a_denied_read_after_a_login_in_the_same_run_stands() {
    let server = Server::start(|request: &Request| match request.method.as_str() {
        "PUT" => Reply::json(200, auth(TOKEN)),
        _ => Reply::json(403, r#"{"errors":["permission denied"]}"#),
    });
    let backend = open(&approle_at(&server.url())).unwrap();
    let requests = [request("kv/data/a"), request("kv/data/b")];
    for outcome in run(backend.as_ref(), &requests, super::PATIENCE) {
        assert_eq!(failure(outcome).kind, ErrorKind::Denied);
    }
    assert_eq!(server.requests().len(), 3);
}

/// Settings without any more, and what is wrong with them.
const WRONG: &[(&[(&str, &str)], &str)] = &[
    (
        &[],
        "Must provide a supported Authentication Type, received ",
    ),
    (
        &[("AVP_AUTH_TYPE", "foo")],
        "Must provide a supported Authentication Type, received foo",
    ),
    (
        &[
            ("AVP_AUTH_TYPE", "approle"),
            ("AVP_ROLE_ID", "CANARY"),
            ("AVP_SECRET_ID", ""),
        ],
        "AVP_ROLE_ID and AVP_SECRET_ID for approle authentication cannot be empty",
    ),
    (
        &[("AVP_AUTH_TYPE", "github")],
        "AVP_GITHUB_TOKEN for github authentication cannot be empty",
    ),
    (
        &[("AVP_AUTH_TYPE", "jwt"), ("AVP_ROLE", "r")],
        "AVP_JWT or AVP_JWT_PATH for jwt authentication cannot be empty",
    ),
    (
        &[("AVP_AUTH_TYPE", "ldap"), ("AVP_USERNAME", "CANARY")],
        "AVP_USERNAME and AVP_PASSWORD for ldap authentication cannot be empty",
    ),
    (
        &[("AVP_AUTH_TYPE", "cert")],
        "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY for cert authentication cannot be empty",
    ),
    (
        &[("AVP_AUTH_TYPE", "k8s")],
        "AVP_K8S_ROLE cannot be empty when using Kubernetes Auth",
    ),
    (
        &[("AVP_AUTH_TYPE", "token")],
        "VAULT_TOKEN for token authentication cannot be empty",
    ),
    (
        &[("AVP_AUTH_TYPE", "userpass"), ("AVP_USERNAME", "CANARY")],
        "AVP_USERNAME and AVP_PASSWORD for userpass authentication cannot be empty",
    ),
    (
        &[
            ("AVP_AUTH_TYPE", "userpass"),
            ("AVP_USERNAME", ".."),
            ("AVP_PASSWORD", "CANARY"),
        ],
        "AVP_USERNAME is no user name",
    ),
    (
        &[
            ("AVP_AUTH_TYPE", "github"),
            ("AVP_GITHUB_TOKEN", "CANARY"),
            ("AVP_MOUNT_PATH", ".."),
        ],
        "AVP_MOUNT_PATH or AVP_K8S_MOUNT_PATH is no path of a login method",
    ),
];

/// Settings beside a token, and what AVP's or our words say behind "setting up default configuration".
const WRONG_SETUP: &[(&str, &str, &str)] = &[
    (
        "VAULT_SKIP_VERIFY",
        "CANARY",
        "could not parse VAULT_SKIP_VERIFY",
    ),
    (
        "VAULT_MAX_RETRIES",
        "-1",
        "could not parse VAULT_MAX_RETRIES",
    ),
    (
        "VAULT_CLIENT_TIMEOUT",
        "1x",
        "could not parse VAULT_CLIENT_TIMEOUT",
    ),
    (
        "VAULT_CLIENT_CERT",
        "CANARY.pem",
        "both client cert and client key must be provided",
    ),
    (
        "VAULT_CACERT",
        "CANARY.pem",
        "VAULT_CACERT: the file cannot be read: no such file or directory",
    ),
    (
        "VAULT_CACERT",
        "/nowhere/ca.pem",
        "VAULT_CACERT: the file /nowhere/ca.pem cannot be read: no such file or directory",
    ),
    (
        "VAULT_CAPATH",
        "/nowhere",
        "VAULT_CAPATH: the folder /nowhere cannot be read: no such file or directory",
    ),
    (
        "VAULT_CACERT_BYTES",
        "CANARY",
        "VAULT_CACERT_BYTES: there is no certificate in it",
    ),
    ("VAULT_ADDR", "CANARY", "VAULT_ADDR: it is not a URL"),
    (
        "VAULT_ADDR",
        "CANARY:1",
        "VAULT_ADDR: it must start with http://, https:// or unix://",
    ),
    (
        "VAULT_TOKEN",
        "CANARY\n",
        "VAULT_TOKEN: it holds a line end or a control character",
    ),
    (
        "VAULT_NAMESPACE",
        "a\n",
        "VAULT_NAMESPACE: it holds a line end or a control character",
    ),
    (
        "VAULT_TLS_SERVER_NAME",
        "a/b",
        "VAULT_TLS_SERVER_NAME: it is no host name",
    ),
    (
        "VAULT_RATE_LIMIT",
        "CANARY",
        "VAULT_RATE_LIMIT was provided but incorrectly formatted",
    ),
    (
        "VAULT_SRV_LOOKUP",
        "CANARY",
        "could not parse VAULT_SRV_LOOKUP",
    ),
    (
        "VAULT_DISABLE_REDIRECTS",
        "CANARY",
        "could not parse VAULT_DISABLE_REDIRECTS",
    ),
    (
        "MANIFUSE_VAULT_DNS_SERVER",
        "CANARY",
        "MANIFUSE_VAULT_DNS_SERVER: it must be ADDRESS:PORT",
    ),
    (
        "VAULT_PROXY_ADDR",
        "http://me:CANARY@",
        "VAULT_PROXY_ADDR: it is not the URL of a proxy",
    ),
    (
        "VAULT_HTTP_PROXY",
        "ftp://me:CANARY@p",
        "VAULT_HTTP_PROXY: it must start with http://, https:// or socks5://",
    ),
    (
        "VAULT_HEADERS",
        "CANARY",
        "VAULT_HEADERS: it is no JSON object of texts",
    ),
    (
        "VAULT_HEADERS",
        r#"{"A": {"CANARY": 1}}"#,
        "VAULT_HEADERS: it is no JSON object of texts",
    ),
    (
        "VAULT_HEADERS",
        r#"{"x-vault-token": "CANARY"}"#,
        "VAULT_HEADERS: headers that begin with X-Vault- are for Vault's client itself",
    ),
    (
        "VAULT_HEADERS",
        r#"{"A": "CANARY\n"}"#,
        "VAULT_HEADERS: the value of the header A holds a line end or a control character",
    ),
    (
        "MANIFUSE_TOKEN_CACHE",
        "CANARY",
        "MANIFUSE_TOKEN_CACHE: it must be on or off",
    ),
];

fn open_error(settings: &[(&str, &str)]) -> String {
    let error = open(settings)
        .err()
        .unwrap_or_else(|| panic!("{settings:?} works"));
    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    error.to_string()
}

#[test]
fn settings_are_checked_without_a_request() {
    for (settings, expected) in WRONG {
        assert_eq!(open_error(settings), *expected);
    }
    for (key, value, expected) in WRONG_SETUP {
        let settings = [
            ("AVP_AUTH_TYPE", "token"),
            ("VAULT_TOKEN", "CANARY"),
            (key, value),
        ];
        let expected = format!("error encountered setting up default configuration: {expected}");
        assert_eq!(open_error(&settings), expected);
    }
}

#[test]
fn a_missing_setting_says_what_to_set() {
    let hint = |settings: &[(&str, &str)]| open(settings).err().unwrap().hint.unwrap();
    let other = "or choose another way to log in by AVP_AUTH_TYPE (auth.type)";
    assert_eq!(
        hint(&[("AVP_AUTH_TYPE", "approle"), ("AVP_ROLE_ID", "CANARY")]),
        format!(
            "set AVP_SECRET_ID (auth.secretId) or AVP_SECRET_ID_WRAPPED (auth.wrappedSecretId) or \
             AVP_SECRET_ID_WRAPPED_PATH (auth.wrappedSecretIdPath), {other}"
        )
    );
    assert_eq!(
        hint(&[("AVP_AUTH_TYPE", "approle")]),
        format!(
            "set AVP_ROLE_ID (auth.roleId), and AVP_SECRET_ID (auth.secretId) or AVP_SECRET_ID_WRAPPED \
             (auth.wrappedSecretId) or AVP_SECRET_ID_WRAPPED_PATH (auth.wrappedSecretIdPath), {other}"
        )
    );
    assert_eq!(
        hint(&[("AVP_AUTH_TYPE", "aprole")]),
        "did you mean approle? AVP_AUTH_TYPE is one of approle, aws, cert, github, jwt, k8s, ldap, token, userpass"
    );
    assert_eq!(
        hint(&[("AVP_AUTH_TYPE", "k8s")]),
        format!("set AVP_K8S_ROLE (auth.kubernetesRole) or AVP_ROLE (auth.role), {other}")
    );
}

#[test]
fn a_named_backend_has_no_settings_of_another_login() {
    for (auth, says, hint) in [
        (
            "type: approle, roleId: CANARY, secretId: CANARY, jwt: CANARY",
            "auth.jwt is for jwt authentication, and auth.type is approle",
            "leave auth.jwt out, or change auth.type",
        ),
        (
            "type: kubernetes, role: r, username: CANARY",
            "auth.username is for ldap or userpass authentication, and auth.type is kubernetes",
            "leave auth.username out, or change auth.type",
        ),
        (
            "type: token, token: CANARY, password: CANARY",
            "auth.password is for ldap or userpass authentication, and auth.type is token",
            "leave auth.password out, or change auth.type",
        ),
        (
            "type: userpass, username: u, password: CANARY, token: CANARY",
            "auth.token is for token authentication, and auth.type is userpass",
            "leave auth.token out, or change auth.type",
        ),
    ] {
        let run = Program::manifuse(["generate", "-"])
            .stdin("kind: X\n")
            .file(
                "manifuse.yaml",
                format!("backends:\n  prod: {{type: vault, auth: {{{auth}}}}}\n"),
            )
            .env("AVP_GITHUB_TOKEN", "CANARY")
            .run();
        let key = says.split(' ').next().unwrap().rsplit('.').next().unwrap();
        let line = format!("  prod: {{type: vault, auth: {{{auth}}}}}");
        let column = line.rfind(&format!("{key}:")).unwrap() + 1;
        let place = format!("manifuse.yaml:2:{column}");
        let expected = format!("error: {says}\n --> {place}\n  = help: {hint}\n");
        assert_eq!((run.code, run.stderr), (Some(2), expected));
    }
}

#[test]
fn a_wrong_setting_says_where_it_came_from() {
    let mut options = options(&[("AVP_AUTH_TYPE", "token"), ("VAULT_TOKEN", "t")]);
    options.set(
        "VAULT_ADDR",
        Setting {
            value: "nonsense".into(),
            origin: Origin::File {
                path: "manifuse.yaml".into(),
                key: "backends.prod.address".into(),
            },
        },
    );
    let vault = manifuse::backends::registry::find("vault").unwrap();
    let error = (vault.open)(&options, &Environment::default())
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "error encountered setting up default configuration: \
         VAULT_ADDR (backends.prod.address in manifuse.yaml): it is not a URL"
    );
}

#[test]
fn an_agent_in_the_environment_does_not_take_over_a_named_backend() {
    let server = vault();
    let mut options = options(&[
        ("AVP_AUTH_TYPE", "token"),
        ("VAULT_TOKEN", TOKEN),
        ("VAULT_AGENT_ADDR", "http://127.0.0.1:1"),
    ]);
    options.set(
        "VAULT_ADDR",
        Setting {
            value: server.url().into(),
            origin: Origin::File {
                path: "manifuse.yaml".into(),
                key: "backends.prod.address".into(),
            },
        },
    );
    let vault = manifuse::backends::registry::find("vault").unwrap();
    let backend = (vault.open)(&options, &Environment::default()).unwrap();
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    assert_eq!(server.requests().len(), 1);
}
