//! AWS on a server that speaks its protocol (`tests/live/run`): keys of KMS with the real sops on the other side, and the
//! stores.

mod stores;

use std::process::Command;

use serde_json::Value as Json;

use crate::support::live;
use crate::support::program::Program;

const PLAIN: &str = "db:\n    password: open-sesame\n    port: 5432\n";

/// The variables that lead to the server.
fn variables() -> Vec<(&'static str, String)> {
    let fixed = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("SOPS_DISABLE_VERSION_CHECK", "1"),
    ];
    let mut all: Vec<_> = fixed.map(|(name, value)| (name, value.to_owned())).into();
    all.push(("AWS_ENDPOINT_URL", live::variable("LIVE_AWS")));
    all
}

/// A call of a service in a region, as its own tools make it but for the signature, which nobody checks.
fn call(service: &str, region: &str, target: &str, sent: &Json) -> Json {
    let scope = format!("test/20260101/{region}/{service}/aws4_request");
    let authorization = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    );
    let output = Command::new("curl")
        .args(["--silent", "--fail", "--data", &sent.to_string()])
        .args(["--header", "Content-Type: application/x-amz-json-1.1"])
        .args(["--header", &format!("X-Amz-Target: {target}")])
        .args(["--header", &authorization])
        .arg(live::variable("LIVE_AWS"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{target}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A new key's name.
fn key() -> String {
    let answer = call(
        "kms",
        "eu-west-1",
        "TrentService.CreateKey",
        &serde_json::json!({}),
    );
    answer["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn ours(args: &[&str], files: &[(&str, &str)]) -> String {
    run(&[&["sops"], args].concat(), files)
}

fn run(args: &[&str], files: &[(&str, &str)]) -> String {
    let mut program = Program::manifuse(args.iter().copied());
    for (path, text) in files {
        program = program.file(path, text);
    }
    for (name, value) in variables() {
        program = program.env(name, value);
    }
    let run = program.run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{args:?}");
    String::from_utf8(run.stdout).unwrap()
}

fn theirs(args: &[&str], text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("f.yaml"), text).unwrap();
    let output = Command::new(live::variable("LIVE_SOPS"))
        .args(args)
        .envs(variables())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs the live AWS of tests/live/run"]
fn what_sops_encrypts_with_context_and_role_is_decrypted() {
    let key = key();
    let role = format!("{key}+arn:aws:iam::123456789012:role/sops-reader");
    for (kms, more) in [
        (&key, &[][..]),
        (&key, &["--encryption-context", "app:shop,stage:prod"]),
        (&role, &["--encryption-context", "app:shop"]),
    ] {
        let args = [&["encrypt", "--kms", kms], more, &["f.yaml"]].concat();
        let text = theirs(&args, PLAIN);
        assert_eq!(ours(&["decrypt", "f.yaml"], &[("f.yaml", &text)]), PLAIN);
    }
}

/// Encrypted manifests of the real sops among plain ones, in place.
#[test]
#[ignore = "needs the live AWS of tests/live/run"]
fn a_stream_is_decrypted() {
    let secret = "kind: Secret\nstringData:\n    password: open-sesame # stays\n";
    let plain = "kind: ConfigMap\ndata: {a:  b} # stays\n";
    let selector = ["--encrypted-regex", "^stringData$", "f.yaml"];
    let encrypted = theirs(
        &[&["encrypt", "--kms", &key()], &selector[..]].concat(),
        secret,
    );
    assert!(!encrypted.contains("open-sesame"), "{encrypted}");
    let stream = format!("{plain}---\n{encrypted}---\n{plain}");
    let rendered = run(&["generate", "all.yaml"], &[("all.yaml", &stream)]);
    let (before, rest) = rendered.split_once("---\n").unwrap();
    let (decrypted, behind) = rest.split_once("---\n").unwrap();
    assert_eq!((before, behind), (plain, plain));
    assert!(decrypted.contains("password: open-sesame"), "{decrypted}");
    assert!(!decrypted.contains("sops"), "{decrypted}");
}

#[test]
#[ignore = "needs the live AWS of tests/live/run"]
fn sops_decrypts_what_is_encrypted_here() {
    let key = key();
    for more in [
        "",
        ", context: {app: shop, stage: prod}",
        ", role: 'arn:aws:iam::123456789012:role/sops-reader'",
    ] {
        let rule =
            format!("creation_rules:\n  - key_groups:\n      - kms: [{{arn: '{key}'{more}}}]\n");
        let text = ours(
            &["encrypt", "f.yaml"],
            &[("f.yaml", PLAIN), (".sops.yaml", &rule)],
        );
        assert_eq!(theirs(&["decrypt", "f.yaml"], &text), PLAIN);
    }
}
