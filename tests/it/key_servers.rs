//! Files whose keys a service holds, as recorded between the real sops and fakes: the program asks the same, decrypts the
//! same, and encrypts the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::sops_commands::odd_shape;
use crate::sops_transit::transit;
use crate::support::certificates::Certificates;
use crate::support::key_server::Replay;
use crate::support::kube_yaml;
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};
use crate::support::sigv4;
use crate::support::sops_bundle::{Case, cases};
use crate::support::sops_keys;
use crate::support::tree::{Tree, differences};
use crate::vault::tunnel;

const CASES: &str = include_str!("../golden/sops/servers.txt");

/// Where the recorded clouds are.
const HOSTS: [&str; 2] = ["acme-web.vault.azure.net", "cloudkms.googleapis.com"];
/// Where the recorded servers are.
const RECORDED: &str = "http://127.0.0.1:18200";

/// What is told where the answer is a failure.
const FAILURES: [(&str, &str); 4] = [
    (
        "aws-kms-bad-arn",
        "its arn is not that of a key or alias of AWS KMS",
    ),
    (
        "aws-kms-context-changed",
        "AWS KMS answered Decrypt with 400: InvalidCiphertextException",
    ),
    (
        "gcp-kms-bad-token",
        "Cloud KMS answered 401: UNAUTHENTICATED: unauthenticated",
    ),
    (
        "vault-transit-bad-token",
        "was answered 403: permission denied",
    ),
];

/// The cases whose services this build knows.
fn known() -> impl Iterator<Item = Case> {
    let services = [
        ("aws", cfg!(feature = "aws")),
        ("azure", cfg!(feature = "azure")),
        ("gcp", cfg!(feature = "gcp")),
    ];
    let is_known = move |case: &Case| {
        let mut services = services.iter();
        services.all(|(service, is_known)| *is_known || !case.name.contains(service))
    };
    cases(CASES).into_iter().filter(is_known)
}

/// What answers to a case: the same by HTTP, and as a cloud behind a proxy.
struct Services {
    server: Server,
    clouds: Server,
    proxy: String,
    certificates: Certificates,
    /// What machines in a cloud ask for their login, and the way out; here it leads nowhere.
    metadata: Server,
}

impl Services {
    fn start(answer: impl Fn(&Request) -> Reply + Clone + Send + Sync + 'static) -> Self {
        let certificates = Certificates::new(&HOSTS);
        let clouds = Server::start_tls(certificates.server(), answer.clone());
        let (proxy, _) = tunnel::proxy(&clouds.url().replace("https://", ""), tunnel::connect);
        Self {
            server: Server::start(answer),
            clouds,
            proxy: format!("http://{proxy}"),
            certificates,
            metadata: Server::start(|_| Reply::new(403, "")),
        }
    }

    /// The program with the files, keys and variables of a case.
    fn prepared(&self, case: &Case, program: Program) -> Program {
        let folder = program.folder();
        let (server, metadata) = (self.server.url(), self.metadata.url());
        let program = program
            .file(&case.file_name(), case.encrypted.replace(RECORDED, &server))
            .file("ca.pem", &self.certificates.ca_pem)
            .env("HTTPS_PROXY", &metadata)
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata)
            .env("GCE_METADATA_HOST", metadata.replace("http://", ""))
            .env("IDENTITY_ENDPOINT", &metadata)
            .env("IDENTITY_HEADER", "none");
        let files = case.files.iter();
        let program = files.fold(program, |program, (name, text)| program.file(name, text));
        let keys = sops_keys::files(&case.keys, &folder);
        let ca = folder.join("ca.pem");
        keys.iter()
            .chain(&case.env)
            .fold(program, |program, (name, value)| {
                let fake = match name.as_str() {
                    "HTTPS_PROXY" => &self.proxy,
                    _ => &server,
                };
                let value = value.replace("{fake}", fake);
                program.env(name, value.replace("{ca}", ca.to_str().unwrap()))
            })
    }
}

/// Runs a case against its servers; what did not come as recorded, and how many requests came.
fn decrypt(case: &Case, form: &str) -> (Run, Vec<String>, usize) {
    let replay = Replay::new(case.exchanges.clone());
    let answers = replay.clone();
    let services = Services::start(move |request| answers.answer(request));
    let file = case.file_name();
    let args = ["sops", "decrypt", "--output-type", form, &file];
    let run = services.prepared(case, Program::manifuse(args)).run();
    let count = services.server.requests().len() + services.clouds.requests().len();
    (run, replay.strange(), count)
}

#[test]
fn what_a_service_opens_comes_out() {
    for case in known().filter(|case| case.expect == "decrypt") {
        let name = &case.name;
        let as_json = case.json.iter().map(|json| ("json", json));
        let printed = (case.format.as_str(), case.printed.as_ref().unwrap());
        for (form, expected) in as_json.chain([printed]) {
            let (run, strange, count) = decrypt(&case, form);
            assert_eq!(strange, Vec::<String>::new(), "{name}: {}", run.stderr);
            assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{name}");
            let stdout = String::from_utf8_lossy(&run.stdout);
            assert_eq!(stdout, String::from_utf8_lossy(expected), "{name}");
            assert_eq!(count, case.exchanges.len(), "{name}");
        }
    }
}

/// A file of a case as a manifest: it gets a kind, with the same data key.
fn manifest(case: &Case) -> String {
    let replay = Replay::new(case.exchanges.clone());
    let services = Services::start(move |request| replay.answer(request));
    let file = case.file_name();
    let args = ["sops", "set", &file, "[\"kind\"]", "\"Secret\""];
    let program = services.prepared(case, Program::manifuse(args));
    let run = program.run();
    assert_eq!(run.code, Some(0), "{}: {}", case.name, run.stderr);
    let text = std::fs::read_to_string(program.folder().join(file)).unwrap();
    text.replace(&services.server.url(), RECORDED)
}

/// Encrypted manifests among plain ones, one of which wants a value of an encrypted file: the service is asked once for all.
#[test]
fn a_stream_is_decrypted_by_a_service() {
    let mut seen = Vec::new();
    let is_one = |case: &Case| case.format == "yaml" && !case.encrypted.contains("\n---\n");
    for case in known().filter(|case| case.expect == "decrypt" && is_one(case)) {
        let name = &case.name;
        let replay = Replay::new(case.exchanges.clone());
        let answers = replay.clone();
        let services = Services::start(move |request| answers.answer(request));
        let encrypted = manifest(&case).replace(RECORDED, &services.server.url());
        let plain = "kind: ConfigMap\ndata: {a:  b} # stays\n";
        let wanting = format!(
            "kind: ConfigMap\ndata:\n  a: <sops:{}#kind>\n",
            case.file_name()
        );
        let stream = format!("{plain}---\n{encrypted}---\n{wanting}");
        let program = services
            .prepared(&case, Program::manifuse(["generate", "stream.yaml"]))
            .file("stream.yaml", stream)
            .file(&case.file_name(), &encrypted)
            .env("SOPS_HC_VAULT_ALLOWLIST", "all");
        let run = program.run();
        assert_eq!(
            replay.strange(),
            Vec::<String>::new(),
            "{name}: {}",
            run.stderr
        );
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{name}");
        assert!(run.stdout.starts_with(plain.as_bytes()), "{name}");
        let documents = kube_yaml::documents(&run.stdout).unwrap();
        let mut expected: Json = serde_json::from_slice(case.json.as_ref().unwrap()).unwrap();
        expected["kind"] = "Secret".into();
        let lines = differences(&Tree::from(&expected), &documents[1]);
        assert!(lines.is_empty(), "{name}:\n{}", lines.join("\n"));
        let wanted = json!({"kind": "ConfigMap", "data": {"a": "Secret"}});
        assert_eq!(documents[2], Tree::from(&wanted), "{name}");
        let count = services.server.requests().len() + services.clouds.requests().len();
        assert_eq!(count, case.exchanges.len(), "{name}");
        seen.push(name.clone());
    }
    for (service, is_known) in [
        ("aws", cfg!(feature = "aws")),
        ("azure", cfg!(feature = "azure")),
        ("gcp", cfg!(feature = "gcp")),
        ("vault", true),
    ] {
        let has_case = seen.iter().any(|name| name.contains(service));
        assert_eq!(has_case, is_known, "{service}: {seen:?}");
    }
}

#[test]
fn what_no_service_opens_is_told() {
    for case in known().filter(|case| case.expect == "error") {
        let name = &case.name;
        let says = FAILURES.iter().find(|(failing, _)| failing == name);
        let (_, says) = says.unwrap();
        let (run, strange, _) = decrypt(&case, &case.format);
        assert_eq!(strange, Vec::<String>::new(), "{name}");
        assert_ne!(run.code, Some(0), "{name}");
        assert!(run.stdout.is_empty(), "{name}");
        assert!(run.stderr.contains(says), "{name}: {}", run.stderr);
    }
}

/// A service with a key of Vault's and one of AWS's, which opens what it wrapped.
fn wrapping(request: &Request) -> Reply {
    if request.header("x-vault-token") == Some("test-only-token") {
        return transit("transit", request);
    }
    let signed = sigv4::check(request, |_| Some("test-only".to_owned()));
    assert_eq!(signed.unwrap().service, "kms");
    let mut sent: Json = serde_json::from_slice(&request.body).unwrap();
    let answer = if request.header("x-amz-target") == Some("TrentService.Encrypt") {
        json!({"CiphertextBlob": STANDARD.encode(&request.body)})
    } else {
        let wrapped = sent["CiphertextBlob"].take();
        let wrapped = STANDARD.decode(wrapped.as_str().unwrap()).unwrap();
        let wrapped: Json = serde_json::from_slice(&wrapped).unwrap();
        for bound in ["KeyId", "EncryptionContext"] {
            assert_eq!(sent[bound], wrapped[bound]);
        }
        json!({"Plaintext": wrapped["Plaintext"]})
    };
    Reply::json(200, answer.to_string())
}

#[test]
fn what_is_wrapped_by_a_service_has_the_shape_of_sops() {
    for case in known().filter(|case| !case.args.is_empty()) {
        let name = &case.name;
        let services = Services::start(wrapping);
        let url = services.server.url();
        let args = case.args.iter().map(|arg| arg.replace(RECORDED, &url));
        let run = services.prepared(&case, Program::sops(args)).run();
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (Some(case.exit), ""),
            "{name}"
        );
        let text = String::from_utf8(run.stdout).unwrap();
        assert_eq!(odd_shape(&case, &text.replace(&url, RECORDED)), None);
        let file = format!("again.{}", case.masked[0].0);
        let program = Program::sops(["decrypt", &file]).file(&file, &text);
        let run = services.prepared(&case, program).run();
        let stdout = String::from_utf8_lossy(&run.stdout);
        assert_eq!(
            stdout,
            String::from_utf8_lossy(&case.plain),
            "{name}: {}",
            run.stderr
        );
        assert_eq!(services.server.requests().len(), 2, "{name}");
    }
}

#[test]
fn no_case_is_lost() {
    assert_eq!(cases(CASES).len(), 24);
}
