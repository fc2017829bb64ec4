//! The vault backend against a real server (`tests/live/run`, which sets the variables): logins, engines, denials,
//! namespaces, sealing, TLS, and how many requests a run makes.
//!
//! All tests are `#[ignore]`d and fail where the server's variables are missing: none is skipped and looks green.

mod bao;
mod sharing;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use manifuse::backends::{Backend, ErrorKind, Outcome};
use manifuse::secret::Value;

use self::bao::{Bao, counted};
use crate::vault::{fetch, open, request, run, text};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// The settings of each login that the server has.
fn logins(bao: &Bao, folder: &Path) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let named = |name: &'static str, settings: &[(&'static str, &str)]| {
        let settings = settings.iter().map(|(k, v)| (*k, (*v).to_owned()));
        let kind = ("AVP_AUTH_TYPE", name.to_owned());
        (name, settings.chain([kind]).collect())
    };
    vec![
        named("token", &[("VAULT_TOKEN", &bao.reader_token())]),
        named(
            "approle",
            &[
                ("AVP_ROLE_ID", &bao.role_id()),
                ("AVP_SECRET_ID", &bao.secret_id()),
            ],
        ),
        named(
            "userpass",
            &[("AVP_USERNAME", "reader"), ("AVP_PASSWORD", "pass word")],
        ),
        named(
            "k8s",
            &[
                ("AVP_K8S_ROLE", "app"),
                ("AVP_K8S_TOKEN_PATH", &Bao::service_account_token(folder)),
            ],
        ),
        named("jwt", &[("AVP_ROLE", "ci"), ("AVP_JWT", &bao.jwt())]),
    ]
}

fn backend(address: &str, settings: &[(&str, String)]) -> Arc<dyn Backend> {
    let mut all = vec![("VAULT_ADDR", address)];
    all.extend(settings.iter().map(|(key, value)| (*key, value.as_str())));
    open(&all).unwrap_or_else(|error| panic!("{error}"))
}

fn root(bao: &Bao, address: &str) -> Arc<dyn Backend> {
    let token = ("VAULT_TOKEN", bao.root_token.clone());
    backend(address, &[token, ("AVP_AUTH_TYPE", "token".into())])
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn each_login_reads_with_one_request_per_secret_and_one_for_itself() {
    let bao = Bao::shared();
    let folder = tempfile::tempdir().unwrap();
    for (name, settings) in logins(&bao, folder.path()) {
        let proxy = counted(&bao);
        let backend = backend(&proxy.url(), &settings);
        let requests: Vec<_> = (0..6)
            .map(|n| request(&format!("secret/data/app/{n}")))
            .collect();
        for (number, outcome) in run(backend.as_ref(), &requests, PATIENCE)
            .into_iter()
            .enumerate()
        {
            let answer =
                outcome.unwrap_or_else(|error| panic!("{name}: {error} {:?}", error.causes));
            assert_eq!(text(&answer, "user"), format!("u{number}"));
        }
        let login = usize::from(name != "token");
        assert_eq!(
            proxy.requests().len(),
            requests.len() + login,
            "{name}: {:?}",
            proxy.lines()
        );
    }
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_client_certificate_is_a_login() {
    let bao = Bao::shared();
    let settings = |role: &str| {
        [
            ("AVP_AUTH_TYPE", "cert".to_owned()),
            ("AVP_ROLE", role.to_owned()),
            ("VAULT_CACERT", bao.ca_file.clone()),
            ("VAULT_CLIENT_CERT", bao.client_certificate.clone()),
            ("VAULT_CLIENT_KEY", bao.client_key.clone()),
        ]
    };
    let read = |role| {
        fetch(
            backend(&bao.tls_address, &settings(role)).as_ref(),
            "secret/data/app/0",
        )
    };
    for role in ["", "machine"] {
        assert_eq!(text(&read(role).unwrap(), "user"), "u0");
    }
    assert_eq!(read("nobody").unwrap_err().kind, ErrorKind::Denied);
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_wrapped_secret_id_opens_once() {
    let bao = Bao::shared();
    let proxy = counted(&bao);
    let settings = |token: String| {
        [
            ("AVP_AUTH_TYPE", "approle".to_owned()),
            ("AVP_ROLE_ID", bao.role_id()),
            ("AVP_SECRET_ID_WRAPPED", token),
        ]
    };
    let read = |token: &str| {
        let settings = settings(token.to_owned());
        fetch(
            backend(&proxy.url(), &settings).as_ref(),
            "secret/data/app/0",
        )
    };
    let token = bao.wrapped("auth/approle/role/app/secret-id");
    assert_eq!(text(&read(&token).unwrap(), "user"), "u0");
    assert_eq!(
        proxy.lines(),
        [
            "PUT /v1/sys/wrapping/lookup",
            "PUT /v1/sys/wrapping/unwrap",
            "PUT /v1/auth/approle/login",
            "GET /v1/secret/data/app/0"
        ]
    );
    let error = read(&token).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(
        error.message.contains("has been unwrapped already"),
        "{error} {:?}",
        error.causes
    );
    // What somebody else wrapped is not opened.
    let other = bao.wrapped("sys/wrapping/wrap");
    let error = read(&other).unwrap_err();
    assert!(
        error.message.contains("does not hold a secret id"),
        "{error} {:?}",
        error.causes
    );
    assert_eq!(error.causes, ["it was made at sys/wrapping/wrap"]);
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_wrong_credential_is_denied() {
    let bao = Bao::shared();
    for settings in [
        vec![("AVP_AUTH_TYPE", "token"), ("VAULT_TOKEN", "s.CANARY")],
        vec![
            ("AVP_AUTH_TYPE", "approle"),
            ("AVP_ROLE_ID", "CANARY"),
            ("AVP_SECRET_ID", "CANARY"),
        ],
        vec![
            ("AVP_AUTH_TYPE", "userpass"),
            ("AVP_USERNAME", "reader"),
            ("AVP_PASSWORD", "CANARY"),
        ],
        vec![
            ("AVP_AUTH_TYPE", "jwt"),
            ("AVP_ROLE", "ci"),
            ("AVP_JWT", "CANARY"),
        ],
        // This server has no such logins: 404 or 403, never a token.
        vec![
            ("AVP_AUTH_TYPE", "ldap"),
            ("AVP_USERNAME", "reader"),
            ("AVP_PASSWORD", "CANARY"),
        ],
        vec![("AVP_AUTH_TYPE", "github"), ("AVP_GITHUB_TOKEN", "CANARY")],
    ] {
        let settings: Vec<_> = settings
            .iter()
            .map(|(k, v)| (*k, (*v).to_owned()))
            .collect();
        let outcome = fetch(
            backend(&bao.address, &settings).as_ref(),
            "secret/data/app/0",
        );
        let error = crate::vault::failure(outcome);
        assert_eq!(error.kind, ErrorKind::Denied, "{error} {:?}", error.causes);
    }
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn versions_numbers_and_engines() {
    let bao = Bao::shared();
    let root = root(&bao, &bao.address);
    let read = |path: &str, kv_version: Option<&str>, version: Option<&str>| {
        let mut request = request(path);
        request.id.kv_version = kv_version.map(Into::into);
        request.id.version = version.map(Into::into);
        run(root.as_ref(), &[request], PATIENCE).remove(0)
    };
    let latest = read("secret/data/versions", None, None).unwrap();
    assert_eq!(
        (text(&latest, "user").as_str(), latest.version.as_deref()),
        ("second", Some("2"))
    );
    let first = read("secret/data/versions", None, Some("1")).unwrap();
    assert_eq!(
        (text(&first, "user").as_str(), first.version.as_deref()),
        ("first", Some("1"))
    );
    for (key, literal) in [("big", "123456789012"), ("rate", "1.5")] {
        let Outcome::Present(Value::Number(number)) = latest.outcome(key) else {
            panic!("{latest:?}");
        };
        assert_eq!(number.expose(), literal);
    }

    let one = read("kv1/app", Some("1"), Some("7")).unwrap();
    assert_eq!(text(&one, "user"), "v1");
    let key = read("transit/keys/live", Some("1"), None).unwrap();
    assert_eq!(text(&key, "name"), "live");
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn each_way_of_being_absent_is_told() {
    let bao = Bao::shared();
    let root = root(&bao, &bao.address);
    let error = |path: &str, version: Option<&str>| {
        let mut request = request(path);
        request.id.version = version.map(Into::into);
        let error = run(root.as_ref(), &[request], PATIENCE)
            .remove(0)
            .unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::AbsentPath,
            "{error} {:?}",
            error.causes
        );
        error.message
    };
    assert_eq!(
        error("secret/data/none", None),
        "Could not find secrets at path secret/data/none"
    );
    assert_eq!(
        error("secret/data/versions", Some("9")),
        "Could not find secrets at path secret/data/versions with version 9"
    );
    assert_eq!(
        error("nomount/data/x", None),
        "Could not find secrets at path nomount/data/x"
    );
    assert!(error("secret/data/gone", None).starts_with("The secret version  for Vault path"));
    let wrong = fetch(root.as_ref(), "secret/app/0").unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Reference);
    assert!(
        wrong
            .message
            .starts_with("The Vault path: secret/app/0 is empty")
    );
    let other = fetch(root.as_ref(), "kv1/app").unwrap_err();
    assert_eq!(
        other.message,
        "Could not get data from Vault, check that kv-v2 is the correct engine"
    );
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_policy_denies() {
    let bao = Bao::shared();
    let settings = [
        ("AVP_AUTH_TYPE", "token".to_owned()),
        ("VAULT_TOKEN", bao.reader_token()),
    ];
    let error = fetch(backend(&bao.address, &settings).as_ref(), "kv1/app").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(error.causes, ["permission denied"]);
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_kept_token_is_used_until_it_is_revoked() {
    let bao = Bao::shared();
    let home = tempfile::tempdir().unwrap();
    let proxy = counted(&bao);
    let settings = [
        ("AVP_AUTH_TYPE", "approle".to_owned()),
        ("AVP_ROLE_ID", bao.role_id()),
        ("AVP_SECRET_ID", bao.secret_id()),
        ("HOME", home.path().to_str().unwrap().to_owned()),
    ];
    let read = || {
        fetch(
            backend(&proxy.url(), &settings).as_ref(),
            "secret/data/app/0",
        )
        .unwrap()
    };
    read();
    read();
    let files = std::fs::read_dir(home.path().join(".avp")).unwrap();
    let mut paths = files.map(|file| file.unwrap().path());
    let file = paths.find(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    let kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file.unwrap()).unwrap()).unwrap();
    bao.call_as(
        kept["vault_token"].as_str().unwrap(),
        "PUT",
        "auth/token/revoke-self",
        "",
    );
    read();
    let login = "PUT /v1/auth/approle/login";
    let lookup = "GET /v1/auth/token/lookup-self";
    let secret = "GET /v1/secret/data/app/0";
    assert_eq!(
        proxy.lines(),
        [login, secret, lookup, secret, lookup, login, secret]
    );
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_namespace_has_its_own_logins_and_secrets() {
    let bao = Bao::shared();
    let settings = [
        ("AVP_AUTH_TYPE", "userpass".to_owned()),
        ("AVP_USERNAME", "member".to_owned()),
        ("AVP_PASSWORD", "p".to_owned()),
        ("VAULT_NAMESPACE", "team-a".to_owned()),
    ];
    let answer = fetch(backend(&bao.address, &settings).as_ref(), "kv/data/app").unwrap();
    assert_eq!(text(&answer, "user"), "of team a");
    let elsewhere = fetch(
        backend(&bao.address, &settings[..3]).as_ref(),
        "kv/data/app",
    );
    assert_eq!(elsewhere.unwrap_err().kind, ErrorKind::Denied);
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_sealed_server_is_told_after_the_last_try() {
    let bao = Bao::alone();
    let proxy = counted(&bao);
    bao.seal();
    let outcome = fetch(root(&bao, &proxy.url()).as_ref(), "secret/data/app/0");
    bao.unseal();
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(error.causes, ["Vault is sealed"]);
    assert_eq!(proxy.requests().len(), 3);
    fetch(root(&bao, &bao.address).as_ref(), "secret/data/app/0").unwrap();
}

#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn https_needs_the_authority() {
    let bao = Bao::shared();
    let token = [
        ("AVP_AUTH_TYPE", "token".to_owned()),
        ("VAULT_TOKEN", bao.root_token.clone()),
    ];
    let mut trusting = token.to_vec();
    trusting.push(("VAULT_CACERT", bao.ca_file.clone()));
    fetch(
        backend(&bao.tls_address, &trusting).as_ref(),
        "secret/data/app/0",
    )
    .unwrap();
    // Only the authority of the settings counts, and this one signed another server's certificate.
    let other = crate::support::certificates::Certificates::new(&["127.0.0.1"]);
    let mut trusting = token.to_vec();
    trusting.push(("VAULT_CACERT_BYTES", other.ca_pem));
    let error = fetch(
        backend(&bao.tls_address, &trusting).as_ref(),
        "secret/data/app/0",
    )
    .unwrap_err();
    assert_eq!(
        error.message,
        format!("no secure connection: GET {}", bao.tls_address)
    );
}

/// The whole program: many placeholders on a few secrets.
#[test]
#[ignore = "needs the live OpenBao of tests/live/run"]
fn a_render_asks_once_for_each_secret() {
    let bao = Bao::shared();
    let proxy = counted(&bao);
    let stream = |value: fn(usize) -> String| -> String {
        let documents = (0..60).map(|n| ["---\nkind: X\na: ", &value(n % 6), " # kept\n"].concat());
        documents.collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("all.yaml");
    std::fs::write(
        &input,
        stream(|n| format!("<path:secret/data/app/{n}#user>")),
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_manifuse"))
        .arg("generate")
        .arg(&input)
        .env_clear()
        .current_dir(folder.path())
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "approle")
        .env("AVP_ROLE_ID", bao.role_id())
        .env("AVP_SECRET_ID", bao.secret_id())
        .env("VAULT_ADDR", proxy.url())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = stream(|n| format!("u{n}"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert_eq!(proxy.requests().len(), 7, "{:?}", proxy.lines());
}
