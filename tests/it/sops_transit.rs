//! Data keys in a Vault's transit engine: what is asked of the server, whom a token goes to, and what its failures look
//! like.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};

const TOKEN: &str = "hvs.CANARY-of-the-token";
const SECRET: &str = "kind: Secret\nmetadata: {name: a}\nstringData:\n  k: open sesame\n";

/// An engine at `team/transit`.
fn engine(request: &Request) -> Reply {
    if request.header("x-vault-token") != Some(TOKEN) {
        let words =
            format!(r#"{{"errors":["1 error occurred:\n\t* permission denied for {TOKEN}\n\n"]}}"#);
        return Reply::json(403, words);
    }
    transit("team/transit", request)
}

/// An engine with the key `web`, whose ciphers are reversed base64.
pub(crate) fn transit(mount: &str, request: &Request) -> Reply {
    assert_eq!(request.header("x-vault-request"), Some("true"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let line = request.line().replace(mount, "transit");
    let data = match line.as_str() {
        "PUT /v1/transit/encrypt/web" => {
            let plain = body["plaintext"].as_str().unwrap();
            assert_eq!(STANDARD.decode(plain).unwrap().len(), 32);
            json!({"ciphertext": format!("vault:v1:{}", plain.chars().rev().collect::<String>())})
        }
        "PUT /v1/transit/decrypt/web" => {
            let cipher = body["ciphertext"].as_str().unwrap();
            let plain = cipher.strip_prefix("vault:v1:").unwrap();
            json!({"plaintext": plain.chars().rev().collect::<String>()})
        }
        line => return Reply::json(404, format!(r#"{{"errors":["no handler for {line}"]}}"#)),
    };
    Reply::json(200, json!({ "data": data }).to_string())
}

/// A file that the engine's key opens.
fn encrypted(server: &Server) -> String {
    let url = server.url();
    let config = format!(
        "creation_rules:\n  - encrypted_regex: ^stringData$\n    hc_vault_transit_uri: {url}/v1/team/transit/keys/web\n"
    );
    let run = Program::sops(["encrypt", "a.yaml"])
        .file("a.yaml", SECRET)
        .file(".sops.yaml", config)
        .env("VAULT_TOKEN", TOKEN)
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    String::from_utf8(run.stdout).unwrap()
}

fn decrypt(file: &str, change: impl Fn(Program) -> Program) -> Run {
    change(Program::sops(["decrypt", "a.yaml"]).file("a.yaml", file)).run()
}

/// A render of manifests, with the token at hand.
fn render(manifests: &str, change: impl Fn(Program) -> Program) -> Run {
    let program = Program::manifuse(["generate", "-"]).stdin(manifests);
    change(program.env("VAULT_TOKEN", TOKEN)).run()
}

#[test]
fn the_engine_wraps_and_unwraps() {
    let server = Server::start(engine);
    let file = encrypted(&server);
    assert!(file.contains("engine_path: team/transit"), "{file}");
    let run = decrypt(&file, |program| program.env("VAULT_TOKEN", TOKEN));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        String::from_utf8(run.stdout)
            .unwrap()
            .contains("k: open sesame")
    );
    // Flux keeps the token in a folder of keys, which wins.
    let run = decrypt(&file, |program| {
        let program = program.file("keys/sops.vault-token", format!("{TOKEN}\n"));
        program
            .env("VAULT_TOKEN", "old")
            .env("MANIFUSE_SOPS_KEYS", "keys")
    });
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    // The token may lie where Vault's own client keeps it.
    let run = decrypt(&file, |program| {
        let home = program.folder().join("home");
        let program = program.file("home/.vault-token", format!("{TOKEN}\n"));
        program.env("HOME", home.to_str().unwrap())
    });
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_silent_server_leaves_time_for_the_other_keys() {
    let (silent, server) = (Server::start(|_| Reply::Silence), Server::start(engine));
    let file = encrypted(&server);
    let start = file.find("        - ").unwrap();
    let end = file.find("    lastmodified").unwrap();
    let entry = &file[start..end];
    let other = entry.replace(&server.url(), &silent.url());
    let file = file.replace(entry, &format!("{other}{entry}"));
    let run = render(&file, |program| {
        let allowed = format!("{},{}", silent.url(), server.url());
        program
            .env("MANIFUSE_TIMEOUT", "4s")
            .env("SOPS_HC_VAULT_ALLOWLIST", allowed)
    });
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(silent.lines().len(), 1);
}

#[test]
fn a_namespace_goes_with_each_request() {
    let server = Server::start(|request| {
        assert_eq!(request.header("x-vault-namespace"), Some("team/a"));
        engine(request)
    });
    let url = server.url();
    let file = encrypted(&Server::start(engine));
    let old = file.split("vault_address: ").nth(1).unwrap();
    let old = old.lines().next().unwrap();
    let file = file.replace(old, &url);
    let run = decrypt(&file, |program| {
        let program = program.env("VAULT_TOKEN", TOKEN);
        program.env("VAULT_NAMESPACE", "team/a")
    });
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn equal_wrapped_keys_are_asked_for_once() {
    let server = Server::start(engine);
    let file = encrypted(&server);
    let asked = server.lines().len();
    let stream = [file.as_str(), "kind: X\nplain: y\n", &file, &file].join("---\n");
    let run = render(&stream, |program| program.env("VAULT_ADDR", server.url()));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let stdout = String::from_utf8(run.stdout).unwrap();
    assert_eq!(stdout.matches("k: open sesame").count(), 3, "{stdout}");
    assert_eq!(server.lines().len(), asked + 1);
}

/// The address comes out of the file: in a stream nobody has chosen it.
#[test]
fn a_token_goes_only_where_the_operator_allows_it() {
    let server = Server::start(engine);
    let (file, url) = (encrypted(&server), server.url());
    let asked = server.lines().len();
    let longer = format!("{url}0");
    for variables in [
        vec![],
        vec![("VAULT_ADDR", "https://vault.example:8200")],
        vec![("VAULT_ADDR", longer.as_str())],
        vec![("SOPS_HC_VAULT_ALLOWLIST", "none"), ("VAULT_ADDR", &url)],
        vec![("SOPS_HC_VAULT_ALLOWLIST", "https://a,https://b")],
        vec![("SOPS_HC_VAULT_ALLOWLIST", "http://127.0.0.1")],
        vec![("SOPS_HC_VAULT_ALLOWLIST", "all,")],
        vec![("ARGOCD_ENV_SOPS_HC_VAULT_ALLOWLIST", "all")],
        vec![("ARGOCD_ENV_VAULT_ADDR", &url)],
    ] {
        let set = |program: Program| {
            let variables = variables.iter();
            variables.fold(program, |program, (name, value)| program.env(name, *value))
        };
        let run = render(&file, set);
        assert!(run.stdout.is_empty());
        assert!(
            run.stderr.contains("SOPS_HC_VAULT_ALLOWLIST"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(server.lines().len(), asked, "a token was sent");
    for (name, value) in [
        ("VAULT_ADDR", format!("{url}/")),
        ("SOPS_HC_VAULT_ALLOWLIST", "all".to_owned()),
        ("SOPS_HC_VAULT_ALLOWLIST", format!("https://a, {url}")),
    ] {
        let run = render(&file, |program| program.env(name, value.clone()));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    }
    let run = decrypt(&file, |program| {
        let program = program.env("VAULT_TOKEN", TOKEN);
        program.env("SOPS_HC_VAULT_ALLOWLIST", "none")
    });
    assert_eq!(run.code, Some(128));
}

/// What the server answers, and what is told of it.
type Failing<'a> = (fn(&Request) -> Reply, &'a [&'a str]);

#[test]
fn failures_say_what_to_do_and_show_no_token() {
    let good = Server::start(engine);
    let file = encrypted(&good);
    let failures: [Failing<'_>; 8] = [
        (
            |_| engine_for("another token"),
            &[
                "was answered 403: permission denied for",
                "policy with update",
            ],
        ),
        (
            |_| Reply::json(404, "{}"),
            &["was answered 404", "is the transit engine mounted"],
        ),
        (
            |_| Reply::new(200, "<html>CANARY</html>"),
            &["was answered without plaintext"],
        ),
        (
            |_| Reply::json(200, r#"{"data":{}}"#),
            &["was answered without plaintext"],
        ),
        (
            |_| Reply::json(200, r#"{"data":{"plaintext":"CANARY!"}}"#),
            &["the answer is not in base64"],
        ),
        (
            |_| Reply::json(200, r#"{"data":{"plaintext":"Q0FOQVJZ"}}"#),
            &["its data key has 6 bytes, not 32"],
        ),
        (|_| Reply::Close, &["is the server up"]),
        (|_| Reply::Silence, &["is the server up"]),
    ];
    for (answer, expected) in failures {
        let server = Server::start(answer);
        let run = decrypt(&file.replace(&good.url(), &server.url()), |program| {
            let program = program
                .env("VAULT_TOKEN", TOKEN)
                .env("VAULT_CLIENT_TIMEOUT", "1");
            program.env("VAULT_MAX_RETRIES", "0")
        });
        assert!(run.stdout.is_empty() && run.code != Some(0));
        for words in expected {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
        assert!(!run.stderr.contains("CANARY"), "{}", run.stderr);
    }
}

fn engine_for(token: &str) -> Reply {
    engine(&Request {
        method: "PUT".to_owned(),
        target: String::new(),
        headers: vec![("x-vault-token".to_owned(), token.to_owned())],
        body: Vec::new(),
    })
}

#[test]
fn what_is_missing_is_told() {
    let server = Server::start(engine);
    let file = encrypted(&server);
    let asked = server.lines().len();
    let told = |change: &dyn Fn(Program) -> Program| decrypt(&file, change).stderr;
    let text = told(&|program| program);
    assert!(
        text.contains("there is no token for Vault: VAULT_TOKEN is not set"),
        "{text}"
    );
    assert!(text.contains("set VAULT_TOKEN, or log in"), "{text}");
    let text = told(&|program| program.env("VAULT_TOKEN", "a\nb"));
    assert!(text.contains("VAULT_TOKEN"), "{text}");
    let text = told(&|program| {
        let program = program.env("VAULT_TOKEN", TOKEN);
        program.env("VAULT_CACERT", "nowhere.pem")
    });
    assert!(text.contains("VAULT_CACERT"), "{text}");
    for (from, to) in [
        ("engine_path: team/transit", "engine_path: ../sys"),
        ("engine_path: team/transit", "engine_path: \"\""),
        ("key_name: web", "key_name: \"\""),
        ("vault_address: http", "vault_address: ftp"),
    ] {
        let run = decrypt(&file.replace(from, to), |program| {
            program.env("VAULT_TOKEN", TOKEN)
        });
        assert_eq!(run.code, Some(128), "{to}: {}", run.stderr);
    }
    assert_eq!(server.lines().len(), asked);
}

/// A busy server is asked again.
#[test]
fn a_busy_server_is_asked_again() {
    let good = Server::start(engine);
    let file = encrypted(&good);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request| {
        if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            return Reply::json(503, r#"{"errors":["busy"]}"#);
        }
        engine(request).after(Duration::from_millis(1))
    });
    let run = decrypt(&file.replace(&good.url(), &server.url()), |program| {
        program.env("VAULT_TOKEN", TOKEN)
    });
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(server.lines().len(), 2);
}

/// What the file says of the server goes into a path, not around it.
#[test]
fn odd_names_stay_in_their_place() {
    let good = Server::start(engine);
    let file = encrypted(&good);
    let server = Server::start(|_| Reply::json(404, "{}"));
    let file = file
        .replace(&good.url(), &server.url())
        .replace("key_name: web", "key_name: \"a/../b?c#d\"");
    decrypt(&file, |program| program.env("VAULT_TOKEN", TOKEN));
    assert_eq!(
        server.lines(),
        ["PUT /v1/team/transit/decrypt/a%2F..%2Fb%3Fc%23d"]
    );
}
