//! Files whose keys a service holds, as recorded between the real sops and fakes: the program asks the same and decrypts
//! the same.

use crate::support::certificates::Certificates;
use crate::support::key_server::Replay;
use crate::support::program::{Program, Run};
use crate::support::server::Server;
use crate::support::sops_bundle::{Case, cases};
use crate::vault::tunnel;

const CASES: &str = include_str!("../golden/sops/servers.txt");

/// Where the recorded clouds are.
const HOSTS: [&str; 2] = ["acme-web.vault.azure.net", "cloudkms.googleapis.com"];

fn case(name: &str) -> Case {
    cases(CASES)
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
}

/// Runs a case against its servers; what did not come as recorded, and how many requests came.
fn run(case: &Case) -> (Run, Vec<String>, usize) {
    let replay = Replay::new(case.exchanges.clone());
    let (plain, tls) = (replay.clone(), replay.clone());
    let server = Server::start(move |request| plain.answer(request));
    let certificates = Certificates::new(&HOSTS);
    let clouds = Server::start_tls(certificates.server(), move |request| tls.answer(request));
    let target = clouds.url().replace("https://", "");
    let (proxy, _) = tunnel::proxy(&target, tunnel::connect);
    let file = format!("f.{}", case.format.replace("dotenv", "env"));
    let text = case
        .encrypted
        .replace("http://127.0.0.1:18200", &server.url());
    let mut program = Program::manifuse(["sops", "decrypt", &file]).file(&file, text);
    program = program.file("ca.pem", &certificates.ca_pem);
    if !case.keys.is_empty() {
        let file = program.folder().join("keys.txt");
        program = program.file("keys.txt", case.keys.join("\n"));
        program = program.env("SOPS_AGE_KEY_FILE", file.to_str().unwrap());
    }
    for (name, value) in &case.env {
        let fake = match name.as_str() {
            "HTTPS_PROXY" => format!("http://{proxy}"),
            _ => server.url(),
        };
        let ca = program.folder().join("ca.pem");
        let value = value
            .replace("{fake}", &fake)
            .replace("{ca}", ca.to_str().unwrap());
        program = program.env(name, value);
    }
    let run = program.run();
    let count = server.requests().len() + clouds.requests().len();
    (run, replay.strange(), count)
}

fn decrypts(names: &[&str]) {
    for name in names {
        let case = case(name);
        let (run, strange, count) = run(&case);
        assert_eq!(strange, Vec::<String>::new(), "{name}: {}", run.stderr);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{name}");
        let printed = String::from_utf8_lossy(case.printed.as_ref().unwrap());
        assert_eq!(String::from_utf8_lossy(&run.stdout), printed, "{name}");
        assert_eq!(count, case.exchanges.len(), "{name}");
    }
}

fn fails(name: &str, says: &str) {
    let (run, strange, _) = run(&case(name));
    assert_eq!(strange, Vec::<String>::new(), "{name}");
    assert_ne!(run.code, Some(0), "{name}");
    assert!(run.stdout.is_empty(), "{name}");
    assert!(run.stderr.contains(says), "{name}: {}", run.stderr);
}

#[cfg(feature = "aws")]
#[test]
fn aws_kms() {
    decrypts(&[
        "aws-kms",
        "aws-kms-alias-partition",
        "aws-kms-context",
        "aws-kms-dotenv",
        "aws-kms-json",
        "aws-kms-role",
        "mixed-aws-and-age",
    ]);
    fails(
        "aws-kms-bad-arn",
        "its arn is not that of a key or alias of AWS KMS",
    );
    fails(
        "aws-kms-context-changed",
        "AWS KMS answered Decrypt with 400: InvalidCiphertextException",
    );
}

#[cfg(feature = "gcp")]
#[test]
fn gcp_kms() {
    decrypts(&["gcp-kms"]);
    fails(
        "gcp-kms-bad-token",
        "Cloud KMS answered 401: UNAUTHENTICATED: unauthenticated",
    );
}

#[cfg(feature = "azure")]
#[test]
fn azure_key_vault() {
    decrypts(&["azure-kv", "azure-kv-version-looked-up"]);
}

#[test]
fn vault_transit() {
    decrypts(&[
        "shamir-vault-and-age",
        "vault-transit",
        "vault-transit-address-ignored",
        "vault-transit-deep-path",
        "vault-transit-ini",
        "vault-transit-namespace",
    ]);
    #[cfg(feature = "aws")]
    decrypts(&["shamir-aws-and-vault"]);
    fails(
        "vault-transit-bad-token",
        "was answered 403: permission denied",
    );
}
