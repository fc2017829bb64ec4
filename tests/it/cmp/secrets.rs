//! Stores behind the server: one login for all renders, the cache, and stores that go and come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;

use super::*;
use crate::support::server::{Reply, Server as Http};

/// A Vault with logins: of each token that it gives, only the last is good.
#[derive(Default)]
struct Vault {
    logins: AtomicUsize,
    away: AtomicBool,
    value: AtomicUsize,
}

impl Vault {
    fn start(self: &Arc<Self>) -> Http {
        let vault = Arc::clone(self);
        Http::start(move |request| {
            if vault.away.load(Ordering::SeqCst) {
                return Reply::json(503, r#"{"errors":["sealed"]}"#);
            }
            let token = |number| format!("cnry-token-{number}");
            if request.target.ends_with("/login") {
                let number = vault.logins.fetch_add(1, Ordering::SeqCst) + 1;
                let body = format!(
                    r#"{{"auth":{{"client_token":"{}","lease_duration":3600}}}}"#,
                    token(number)
                );
                return Reply::json(200, body);
            }
            let good = token(vault.logins.load(Ordering::SeqCst));
            if request.header("x-vault-token") != Some(&good) {
                return Reply::json(403, r#"{"errors":["permission denied"]}"#);
            }
            let value = vault.value.load(Ordering::SeqCst);
            let body = format!(
                r#"{{"data":{{"data":{{"password":"v{value}","user":"u"}},"metadata":{{"version":1}}}}}}"#
            );
            Reply::json(200, body)
        })
    }

    fn logs_out(&self) {
        self.logins.fetch_add(1, Ordering::SeqCst);
    }
}

fn settings(http: &Http) -> String {
    let url = http.url();
    format!(
        "defaultBackend: v\nbackends:\n  v: {{type: vault, address: '{url}', auth: {{type: approle, roleId: r, secretId: s}}}}\npolicy: {{tenantVariables: deny}}\n"
    )
}

const REFERENCE: &str = "<path:secret/data/x#password>";

#[test]
fn many_renders_log_in_once_and_again_when_the_token_is_refused() {
    let vault = Arc::new(Vault::default());
    let http = vault.start();
    let server = Server::start(&settings(&http), &[]);
    for _ in 0..5 {
        assert_eq!(
            server.render(&app(&secret(REFERENCE))).manifests(),
            [object("v0")]
        );
    }
    assert_eq!(
        (vault.logins.load(Ordering::SeqCst), http.requests().len()),
        (1, 6)
    );
    vault.logs_out();
    assert_eq!(
        server.render(&app(&secret(REFERENCE))).manifests(),
        [object("v0")]
    );
    assert_eq!(
        http.lines()
            .iter()
            .filter(|line| line.ends_with("/login"))
            .count(),
        2
    );
    assert!(!server.background.stderr().contains("cnry"));
}

#[test]
fn a_store_may_go_away_and_come_back() {
    let vault = Arc::new(Vault::default());
    let http = vault.start();
    let server = Server::start(&settings(&http), &["--timeout", "1s"]);
    assert_eq!(server.render(&app(&secret(REFERENCE))).status, Some(0));
    vault.away.store(true, Ordering::SeqCst);
    let answer = server.render(&app(&secret(REFERENCE)));
    assert_eq!(answer.status, Some(14), "{}", answer.text);
    failed(&answer, "a.yaml:5:6");
    vault.away.store(false, Ordering::SeqCst);
    assert_eq!(server.render(&app(&secret(REFERENCE))).status, Some(0));
    // The same with nobody at the address.
    let url = http.url();
    drop(http);
    failed(&server.render(&app(&secret(REFERENCE))), "a.yaml:5:6");
    drop(url);
}

#[test]
fn a_burst_asks_once_for_each_secret_where_the_operator_lets_it() {
    let vault = Arc::new(Vault::default());
    let http = vault.start();
    let server = Server::start(&settings(&http), &["--secret-cache", "1m"]);
    let renders: Vec<_> = (0..20)
        .map(|n| {
            let socket = server.socket();
            let manifest = secret(if n % 2 == 0 {
                REFERENCE
            } else {
                "<path:secret/data/x#user>"
            });
            thread::spawn(move || Client::connect(&socket).render(&app(&manifest)).status)
        })
        .collect();
    assert!(
        renders
            .into_iter()
            .all(|render| render.join().unwrap() == Some(0))
    );
    assert_eq!(http.requests().len(), 2, "{:?}", http.lines());
    // A fresh value is seen after the cache was cleared.
    vault.value.store(1, Ordering::SeqCst);
    assert_eq!(
        server.render(&app(&secret(REFERENCE))).manifests(),
        [object("v0")]
    );
    server.background.signal(Signal::HUP);
    let mut server = server;
    server.background.wait_for("forgot all secrets");
    assert_eq!(
        server.render(&app(&secret(REFERENCE))).manifests(),
        [object("v1")]
    );
}

/// What an application sets itself makes another identity, also in another project: its answers are nobody else's.
#[test]
fn the_cache_is_of_one_identity() {
    let http = Http::start(|request| {
        let of = request.header("x-vault-namespace").unwrap_or("none");
        let body =
            format!(r#"{{"data":{{"data":{{"password":"of-{of}"}},"metadata":{{"version":1}}}}}}"#);
        Reply::json(200, body)
    });
    let settings = "policy: {tenantVariables: [VAULT_NAMESPACE]}\n";
    let program = program(settings, &["--secret-cache", "1m"])
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_ADDR", http.url())
        .env("VAULT_TOKEN", "t");
    let server = Server::of(program);
    let render = |namespace: &str, project: &str| {
        let upload = app(&secret(REFERENCE)).variable("ARGOCD_APP_PROJECT_NAME", project);
        server.render(&match namespace {
            "none" => upload,
            namespace => upload.variable("ARGOCD_ENV_VAULT_NAMESPACE", namespace),
        })
    };
    for (namespace, project, reads) in [
        ("none", "a", 1),
        ("none", "b", 1),
        ("n", "a", 2),
        ("n", "a", 2),
        ("n", "b", 3),
        ("m", "b", 4),
        ("none", "b", 4),
    ] {
        let answer = render(namespace, project);
        assert_eq!(answer.manifests(), [object(&format!("of-{namespace}"))]);
        assert_eq!(http.requests().len(), reads, "{namespace} {project}");
    }
}

#[test]
fn settings_that_change_are_taken_up_without_a_restart() {
    let vault = Arc::new(Vault::default());
    let http = vault.start();
    let server = Server::start(&settings(&http), &[]);
    assert_eq!(server.render(&app(&secret(REFERENCE))).status, Some(0));
    let stricter = settings(&http).replace("policy: {", "policy: {paths: [], ");
    std::fs::write(server.program.folder().join("manifuse.yaml"), stricter).unwrap();
    failed(&server.render(&app(&secret(REFERENCE))), "policy.paths");
    std::fs::write(server.program.folder().join("manifuse.yaml"), "backends: [").unwrap();
    failed(&server.render(&app(&secret(REFERENCE))), "manifuse.yaml");
    std::fs::write(
        server.program.folder().join("manifuse.yaml"),
        settings(&http),
    )
    .unwrap();
    assert_eq!(server.render(&app(&secret(REFERENCE))).status, Some(0));
}
