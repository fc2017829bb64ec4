//! The API server as the fake has it: Secrets by their namespace and name, refusals as a `Status`.

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use super::{
    CREDENTIAL, HOSTS, Instead, NUMBERED, Store, UNICODE, VALUE, example, large, suite, values,
};
use crate::support::certificates::Certificates;
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};
use crate::vault::tunnel;

pub(super) const STORE: Store = Store {
    current: "kubernetessecret:shop:database#password",
    old: None,
    unicode: "kubernetessecret:shop:database#unicode",
    large: Some("kubernetessecret:shop:large#large"),
    // As in AVP, bytes are a text.
    bytes: None,
    absent_path: (
        "kubernetessecret:shop:none#password",
        "secrets \"none\" not found",
    ),
    absent_key: Some("kubernetessecret:shop:database#none"),
    numbered: |number| format!("kubernetessecret:shop:n{number}#password"),
    batch: 1,
    tls: true,
    settings,
    answer,
    reads: |_| true,
    denied: || status(403, "Forbidden", "secrets \"database\" is forbidden"),
    throttled: || status(429, "TooManyRequests", "too many").with_header("Retry-After", "0"),
};

suite!(STORE);

/// A kubeconfig beside the certificates.
fn settings(program: Program, url: &str) -> Program {
    program
        .file(
            "kubeconfig",
            kubeconfig(url, &format!("token: {CREDENTIAL}")),
        )
        .env("MANIFUSE_KUBECONFIG", "kubeconfig")
}

fn kubeconfig(url: &str, user: &str) -> String {
    let authority = if url.starts_with("https") {
        "certificate-authority: ca.pem, "
    } else {
        ""
    };
    format!(
        "apiVersion: v1
kind: Config
current-context: here
clusters: [{{name: c, cluster: {{{authority}server: \"{url}\"}}}}]
contexts: [{{name: here, context: {{cluster: c, user: u}}}}, {{name: lost, context: {{cluster: none, user: u}}}}]
users: [{{name: u, user: {{{user}}}}}]
"
    )
}

fn status(code: u16, reason: &str, message: &str) -> Reply {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": message});
    Reply::json(code, body.to_string())
}

fn answer(request: &Request) -> Reply {
    if request.header("authorization") != Some(&format!("Bearer {CREDENTIAL}")) {
        return status(401, "Unauthorized", "Unauthorized");
    }
    read(request)
}

/// The answer to one who is known.
fn read(request: &Request) -> Reply {
    if request.header("accept") != Some("application/json") {
        return status(406, "NotAcceptable", "only application/json is given");
    }
    let parts: Vec<&str> = request.target.split('/').skip(1).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["api", "v1", "namespaces", "shop", "secrets", name]) => secret(name),
        ("GET", ["api", "v1", "namespaces", "argocd", "secrets", "mine"]) => {
            held("mine", &[("key", b"in argocd")])
        }
        ("GET", ["api", "v1", "namespaces", ..]) => status(
            403,
            "Forbidden",
            "secrets \"x\" is forbidden: User \"system:serviceaccount:argocd:repo\" cannot get resource \"secrets\"",
        ),
        _ => status(
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
    }
}

fn secret(name: &str) -> Reply {
    match name {
        "database" => held(
            name,
            &[
                ("user", b"shop"),
                ("password", VALUE.as_bytes()),
                ("unicode", UNICODE.as_bytes()),
            ],
        ),
        "large" => held(name, &[("large", large().as_bytes())]),
        "empty" => Reply::json(
            200,
            json!({"kind": "Secret", "apiVersion": "v1"}).to_string(),
        ),
        "no-base64" => {
            let body = json!({"kind": "Secret", "apiVersion": "v1", "data": {"password": "cnry-body-b6y3!"}});
            Reply::json(200, body.to_string())
        }
        _ => match name.strip_prefix('n').map(str::parse::<usize>) {
            Some(Ok(number)) => held(
                name,
                &[("password", format!("{NUMBERED}{number}").as_bytes())],
            ),
            _ => status(404, "NotFound", &format!("secrets \"{name}\" not found")),
        },
    }
}

fn held(name: &str, data: &[(&str, &[u8])]) -> Reply {
    let data = data.iter();
    let data: Map<String, Json> = data
        .map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into()))
        .collect();
    let body = json!({"kind": "Secret", "apiVersion": "v1", "type": "Opaque",
        "metadata": {"name": name, "namespace": "shop"}, "data": data});
    Reply::json(200, body.to_string())
}

/// A run against a server by https, with these changes.
fn run(reference: &str, change: impl FnOnce(Program, &str) -> Program) -> Run {
    let certificates = Certificates::new(&HOSTS);
    let server = Server::start_tls(certificates.server(), answer);
    let program =
        super::program(&[reference.to_owned()], "3s").file("ca.pem", &certificates.ca_pem);
    change(program, &server.url()).run()
}

/// A run by the kubeconfig with this login.
fn run_as(login: &str, answer: fn(&Request) -> Reply) -> Run {
    let certificates = Certificates::new(&HOSTS);
    let server = Server::start_tls(certificates.server(), answer);
    super::program(&[STORE.current.to_owned()], "3s")
        .file("ca.pem", &certificates.ca_pem)
        .file("kubeconfig", kubeconfig(&server.url(), login))
        .env("MANIFUSE_KUBECONFIG", "kubeconfig")
        .run()
}

/// A login by a shell's script.
fn by_program(script: &str, mode: &str) -> String {
    let script = Json::from(script);
    format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: {mode}, command: sh, args: [-c, {script}], env: [{{name: A, value: cnry-token-t5k1}}]}}"
    )
}

/// What a program prints as its credential.
fn credential() -> String {
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": CREDENTIAL}});
    credential.to_string()
}

fn repeats(request: &Request) -> Reply {
    let sent = request.header("authorization").unwrap_or_default();
    status(403, "Forbidden", &format!("no secrets for {sent}"))
}

#[test]
fn names_lead_to_secrets() {
    let mine = STORE.render(&["kubernetessecret:mine#key".to_owned()], Instead::Never);
    assert_eq!(values(&mine.run), ["in argocd"]);
    for (path, words) in [
        ("shop/x:database", "is not the name of a Secret"),
        ("shop:..", "is not the name of a Secret"),
        ("shop:", "is not the name of a Secret"),
        ("shop:empty", "has no key"),
        (
            "shop:no-base64",
            "what the API server answered is not a Secret",
        ),
    ] {
        let reference = format!("kubernetessecret:{path}#password");
        STORE.fails(&reference, Instead::Never, 1, &[words]);
    }
    let words = [
        "cannot get resource",
        "a RoleBinding for who asks",
        "could not read the Secret other/x",
    ];
    STORE.fails("kubernetessecret:other:x#k", Instead::Never, 3, &words);
}

#[test]
fn a_pods_account_is_taken() {
    let run = run(STORE.current, |program, url| {
        let (_, port) = url.rsplit_once(':').unwrap();
        let authority = fs::read(program.folder().join("ca.pem")).unwrap();
        program
            .file("account/token", CREDENTIAL)
            .file("account/ca.crt", authority)
            .env("MANIFUSE_KUBERNETES_ACCOUNT", "account")
            .env("KUBERNETES_SERVICE_HOST", "localhost")
            .env("KUBERNETES_SERVICE_PORT", port)
    });
    assert_eq!(values(&run), [VALUE]);
}

#[test]
fn kubeconfigs_are_found_where_kubectl_finds_them() {
    let token = format!("token: {CREDENTIAL}");
    let of_variable = run(STORE.current, |program, url| {
        // The first file says something; the rest comes from the second.
        program
            .file(
                "first",
                "apiVersion: v1\nkind: Config\ncurrent-context: here\n",
            )
            .file("second", kubeconfig(url, &token))
            .env("KUBECONFIG", "first:second")
    });
    assert_eq!(values(&of_variable), [VALUE]);
    let of_home = run(STORE.current, |program, url| {
        let home = program.folder();
        program
            .file(
                ".kube/config",
                kubeconfig(url, &token).replace("ca.pem", "../ca.pem"),
            )
            .env("HOME", home.to_str().unwrap())
    });
    assert_eq!(values(&of_home), [VALUE]);
}

/// A program gives the token. What else it prints is not told, whether or not the kubeconfig lets it talk to a user, as
/// those of the clouds' own tools do; nor is its command, which holds variables.
#[test]
fn programs_of_a_kubeconfig_give_tokens() {
    for mode in ["Never", "IfAvailable", "Always"] {
        let script = format!("echo cnry-token-t5k1 >&2; echo '{}'", credential());
        assert_eq!(values(&run_as(&by_program(&script, mode), answer)), [VALUE]);
        for (script, words) in [
            (
                "echo cnry-token-t5k1; echo cnry-token-t5k1 >&2; exit 3",
                "its program ended with exit status: 3",
            ),
            ("echo cnry-token-t5k1", "is no credential"),
        ] {
            let run = run_as(&by_program(script, mode), answer);
            assert_eq!(run.code, Some(3), "{}", run.stderr);
            let login = "the login to the cluster failed";
            for words in [login, words] {
                assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
            }
            assert!(!run.stderr.contains("cnry"), "{mode}: {}", run.stderr);
        }
    }
}

#[test]
fn a_program_that_hangs_is_not_waited_for() {
    let start = Instant::now();
    let run = run_as(&by_program("exec sleep 20", "IfAvailable"), answer);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

/// A token from the kubeconfig is struck out; of one that a program made nobody knows what to strike out.
#[test]
fn a_server_that_repeats_the_token_is_not_quoted() {
    let known = run_as(&format!("token: {CREDENTIAL}"), repeats);
    let words = "no secrets for Bearer [redacted]";
    assert!(known.stderr.contains(words), "{}", known.stderr);
    let script = format!("echo '{}'", credential());
    let unknown = run_as(&by_program(&script, "Never"), repeats);
    let words = "the API server answered 403";
    assert!(unknown.stderr.contains(words), "{}", unknown.stderr);
    for run in [known, unknown] {
        assert_eq!(run.code, Some(3), "{}", run.stderr);
        assert!(!run.stderr.contains(CREDENTIAL), "{}", run.stderr);
    }
}

/// The library's own tries do not come on top of ours.
#[test]
fn a_broken_server_is_asked_five_times() {
    let broken: fn() -> Reply = || status(503, "ServiceUnavailable", "etcd is away");
    let current = [STORE.current.to_owned()];
    let outcome = STORE.render(&current, Instead::Always(broken));
    assert_eq!(outcome.run.code, Some(3), "{}", outcome.run.stderr);
    assert_eq!(outcome.requests.len(), 5);
}

#[test]
fn a_client_certificate_is_a_login() {
    let certificates = Certificates::new(&HOSTS);
    let server = Server::start_tls(certificates.server_for_known_clients(), read);
    let login = "client-certificate: client.pem, client-key: client.key";
    let run = super::program(&[STORE.current.to_owned()], "3s")
        .file("ca.pem", &certificates.ca_pem)
        .file("client.pem", &certificates.client_pem)
        .file("client.key", &certificates.client_key_pem)
        .file("kubeconfig", kubeconfig(&server.url(), login))
        .env("MANIFUSE_KUBECONFIG", "kubeconfig")
        .run();
    assert_eq!(values(&run), [VALUE]);
}

/// A pod and a kubeconfig go by the system's proxy, unless `NO_PROXY` names the cluster.
#[test]
fn the_systems_proxy_is_taken() {
    let certificates = Certificates::new(&["cluster.invalid"]);
    let server = Server::start_tls(certificates.server(), answer);
    let (proxy, wishes) = tunnel::proxy(&server.url().replace("https://", ""), tunnel::connect);
    let there = kubeconfig(
        "https://cluster.invalid:6443",
        &format!("token: {CREDENTIAL}"),
    );
    let program = || {
        super::program(&[STORE.current.to_owned()], "3s")
            .file("ca.pem", &certificates.ca_pem)
            .file("account/ca.crt", &certificates.ca_pem)
            .file("account/token", CREDENTIAL)
            .file("kubeconfig", &there)
            .env("HTTPS_PROXY", format!("http://{proxy}"))
    };
    let by_kubeconfig = program().env("MANIFUSE_KUBECONFIG", "kubeconfig");
    let in_pod = program()
        .env("MANIFUSE_KUBERNETES_ACCOUNT", "account")
        .env("KUBERNETES_SERVICE_HOST", "cluster.invalid")
        .env("KUBERNETES_SERVICE_PORT", "6443");
    for program in [by_kubeconfig, in_pod] {
        assert_eq!(values(&program.run()), [VALUE]);
        let wishes: Vec<String> = wishes.lock().unwrap().drain(..).collect();
        assert_eq!(wishes, ["CONNECT cluster.invalid:6443 HTTP/1.1"]);
        let run = program.env("NO_PROXY", "cluster.invalid").run();
        assert_eq!(run.code, Some(3), "{}", run.stderr);
    }
    assert!(wishes.lock().unwrap().is_empty());
}

#[test]
fn settings_that_are_missing_or_wrong() {
    let token = format!("token: {CREDENTIAL}");
    for (config, context, words) in [
        (None, "", "KUBERNETES_SERVICE_PORT must be defined"),
        (
            Some("cnry-body-b6y3: [".to_owned()),
            "",
            "it is not the YAML of a kubeconfig",
        ),
        (
            Some(kubeconfig("https://127.0.0.1:1", &token)),
            "nobody",
            "it has no context nobody",
        ),
        (
            Some(kubeconfig("https://127.0.0.1:1", &token)),
            "lost",
            "it has no cluster",
        ),
        (
            Some(kubeconfig("https://127.0.0.1:1", &token).replace(
                "server:",
                "proxy-url: \"socks5://me:cnry-credential-c8r6@p.invalid\", server:",
            )),
            "",
            "the proxy to the API server cannot be used",
        ),
    ] {
        let run = run(STORE.current, |program, _| {
            let program = program.env("MANIFUSE_KUBE_CONTEXT", context);
            match &config {
                Some(config) => program
                    .file("kubeconfig", config)
                    .env("MANIFUSE_KUBECONFIG", "kubeconfig"),
                None => program,
            }
        });
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        assert!(!run.stderr.contains("cnry"), "{}", run.stderr);
    }
    let run = run(STORE.current, |program, url| {
        program
            .file("kubeconfig", kubeconfig(url, &token))
            .env("ARGOCD_ENV_MANIFUSE_KUBECONFIG", "kubeconfig")
    });
    assert_eq!(
        run.code,
        Some(2),
        "an application has set it: {}",
        run.stderr
    );
}

/// AVP's `-s`: a Secret names the store and its token.
#[test]
fn settings_come_from_a_secret() {
    let token = format!("token: {CREDENTIAL}");
    let with = |name: &str, more: &[&str]| {
        let certificates = Certificates::new(&HOSTS);
        let server = Server::start_tls(certificates.server(), |request| {
            if request.target.ends_with("/argocd/secrets/avp") {
                let type_line: &[u8] = b"kubernetessecret\n";
                return held("avp", &[("AVP_TYPE", type_line), ("OTHER", b"x")]);
            }
            answer(request)
        });
        let args = [&["generate", "-", "-s", name], more].concat();
        Program::manifuse(args)
            .stdin("kind: ConfigMap\ndata:\n  a: <path:shop:database#password>\n")
            .file("ca.pem", &certificates.ca_pem)
            .file("kubeconfig", kubeconfig(&server.url(), &token))
            .file("other.yaml", "AVP_TYPE: nosuch\n")
            .env("MANIFUSE_KUBECONFIG", "kubeconfig")
            .run()
    };
    for name in ["avp", "argocd:avp"] {
        assert_eq!(values(&with(name, &[])), [VALUE], "{name}");
    }
    for (name, code, words) in [
        (
            "none",
            2,
            "could not read the Secret argocd/none with settings",
        ),
        ("a/b", 2, "a/b is not the name of a Secret"),
        ("other:avp", 2, "cannot get resource"),
    ] {
        let run = with(name, &[]);
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    // A file in its place.
    let run = with("avp", &["-c", "other.yaml"]);
    assert!(run.stderr.contains("nosuch"), "{}", run.stderr);
}

#[test]
fn the_example_of_the_page_renders() {
    let page = include_str!("../../../docs/backends/kubernetessecret.md");
    let server = Server::start(answer);
    let program = example(page).env("AVP_TYPE", "kubernetessecret");
    let run = settings(program, &server.url()).run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(
        text.contains(&format!("  user: shop\n  password: {VALUE}\n")),
        "{text}"
    );
}
