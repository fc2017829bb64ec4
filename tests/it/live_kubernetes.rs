//! Secrets of a stand-in for the API server that other programs (kubectl, `OpenBao`) take for one: `tests/live/run`.

use std::process::Command;

use serde_json::json;

use crate::support::live;
use crate::support::program::{Program, Run};

/// Makes a Secret, by another client than ours.
fn create(namespace: &str, name: &str, entries: &[(&str, &str)]) {
    let data: serde_json::Map<_, _> = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    let body = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace}, "data": data});
    let url = format!(
        "{}/api/v1/namespaces/{namespace}/secrets",
        live::variable("K8S_URL")
    );
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--cacert",
            &live::variable("LIVE_CA_FILE"),
        ])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", live::variable("K8S_TOKEN")),
        ])
        .args([
            "--header",
            "Content-Type: application/json",
            "--data",
            &body.to_string(),
            &url,
        ])
        .output()
        .expect("there is a curl");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

fn generate(manifest: &str, flags: &[&str]) -> Run {
    let args = [&["generate", "-"], flags].concat();
    Program::manifuse(args)
        .stdin(manifest)
        .env("KUBECONFIG", live::variable("KUBECONFIG"))
        .run()
}

fn text(run: &Run) -> String {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    String::from_utf8(run.stdout.clone()).expect("UTF-8")
}

#[test]
#[ignore = "needs the stand-in of tests/live/run"]
fn secrets_are_read_by_a_kubeconfig() {
    // "open-sesame" and "x".
    create(
        "shop",
        "database",
        &[("password", "b3Blbi1zZXNhbWU="), ("empty", "")],
    );
    let manifest = "kind: X\na: <kubernetessecret:shop:database#password>\nb: '<kubernetessecret:shop:database#empty>'\n";
    assert_eq!(
        text(&generate(manifest, &[])),
        "kind: X\na: open-sesame\nb: ''\n"
    );
    for (reference, code, told) in [
        ("shop:none#x", 1, "secrets \"none\" not found"),
        ("forbidden:database#x", 3, "a RoleBinding for who asks"),
    ] {
        let run = generate(
            &format!("kind: X\na: <kubernetessecret:{reference}>\n"),
            &[],
        );
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
}

#[test]
#[ignore = "needs the stand-in of tests/live/run"]
fn a_pods_account_reads_secrets() {
    // "word".
    create("argocd", "mine", &[("password", "d29yZA==")]);
    let url = live::variable("K8S_URL");
    let (host, port) = url.trim_start_matches("https://").rsplit_once(':').unwrap();
    let authority = std::fs::read(live::variable("LIVE_CA_FILE")).unwrap();
    let run = Program::manifuse(["generate", "-"])
        .stdin("kind: X\na: <kubernetessecret:mine#password>\n")
        .file("account/token", live::variable("K8S_TOKEN"))
        .file("account/ca.crt", authority)
        .env("MANIFUSE_KUBERNETES_ACCOUNT", "account")
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port)
        .run();
    assert_eq!(text(&run), "kind: X\na: word\n");
}

/// AVP's `-s`.
#[test]
#[ignore = "needs the stand-in of tests/live/run"]
fn settings_are_read_from_a_secret() {
    // "kubernetessecret\n", and "word".
    create("argocd", "avp", &[("AVP_TYPE", "a3ViZXJuZXRlc3NlY3JldAo=")]);
    create("team", "one", &[("password", "d29yZA==")]);
    let manifest = "kind: X\na: <path:team:one#password>\n";
    for name in ["avp", "argocd:avp"] {
        assert_eq!(
            text(&generate(manifest, &["-s", name])),
            "kind: X\na: word\n"
        );
    }
    let run = generate(manifest, &["-s", "nobody"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("secrets \"nobody\" not found"),
        "{}",
        run.stderr
    );
}
