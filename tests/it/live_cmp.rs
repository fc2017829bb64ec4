//! The plugin server, called by the gRPC library of another language, with the real helm 3, helm 4 and kubectl behind it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::live;
use crate::support::program::{Background, Program};

const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {x: '<ci:APP_#USER>'}\n";

struct Server {
    program: Program,
    background: Background,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let first = [
            "cmp-server",
            "-c",
            "manifuse.yaml",
            "--name",
            "p",
            "--socket-folder",
            ".",
        ];
        let program = Program::manifuse(first.iter().chain(flags).copied())
            .file(
                "manifuse.yaml",
                "backends:\n  ci: {type: env, prefix: APP_}\n",
            )
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", live::variable("LIVE_BIN")),
            )
            .env("APP_USER", "cnry-value");
        let mut background = program.start_in_background();
        background.wait_for("serving");
        Self {
            program,
            background,
        }
    }

    /// The four answers for an application of these files, by a client that has a form of the authority.
    fn ask(&self, files: &[(&str, &str)], authority: &str, more: &[(&str, &str)]) -> Value {
        let mut variables = BTreeMap::from([
            ("ARGOCD_APP_NAME", "shop"),
            ("ARGOCD_APP_NAMESPACE", "shop"),
            ("KUBE_VERSION", "1.33.0"),
            ("KUBE_API_VERSIONS", "v1,apps/v1,example.com/v1/Thing"),
        ]);
        variables.extend(more.iter().copied());
        let files: BTreeMap<_, _> = files.iter().copied().collect();
        let application = json!({"folder": "apps/shop", "files": files, "variables": variables});
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/repo_server.py");
        let mut client = Command::new(live::variable("LIVE_GRPC_PYTHON"))
            .arg(script)
            .arg(self.program.folder().join("p.sock"))
            .arg(authority)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = client.stdin.take().unwrap();
        stdin.write_all(application.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn manifests(&self, files: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<Value> {
        let answers = self.ask(files, "localhost", more);
        let manifests = answers["GenerateManifest"].as_array();
        let manifests =
            manifests.unwrap_or_else(|| panic!("{answers} {}", self.background.stderr()));
        let parse = |text: &Value| serde_json::from_str(text.as_str().unwrap()).unwrap();
        manifests.iter().map(parse).collect()
    }
}

#[test]
#[ignore = "needs grpcio, which tests/live/run installs"]
fn the_library_of_another_language_makes_all_calls() {
    let server = Server::start(&["--discover"]);
    for authority in [
        "/home/argocd/cmp-server/plugins/p.sock",
        "%2Fhome%2Fargocd%2Fcmp-server%2Fplugins%2Fp.sock",
        "home%2Fargocd%2Fcmp-server%2Fplugins%2Fp.sock",
        "localhost",
    ] {
        let answers = server.ask(&[("apps/shop/a.yaml", SECRET)], authority, &[]);
        let object = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"x":"cnry-value"}}"#;
        let expected = json!({
            "CheckPluginConfiguration": [1],
            "MatchRepository": [1, 1],
            "GenerateManifest": [object],
            "GetParametersAnnouncement": ["backend", "values-files", "values", "set", "helm-arguments"],
        });
        assert_eq!(answers, expected, "{authority}");
    }
    let large = "x".repeat(1 << 20);
    let files = [
        ("apps/shop/a.yaml", "kind: X\na: <ci:APP_#NO>\n"),
        ("large", large.as_str()),
    ];
    let failed = &server.ask(&files, "localhost", &[])["GenerateManifest"];
    let text = failed["text"].as_str().unwrap();
    assert!(text.contains("a.yaml:2:4"), "{failed}");
}

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 1.0.0\n";
const TEMPLATE: &str = "{{ if .Capabilities.APIVersions.Has \"example.com/v1/Thing\" }}\napiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}\nstringData: {user: {{ .Values.user | quote }}, more: {{ .Values.more | quote }}, version: {{ .Capabilities.KubeVersion.Version }}}\n{{ end }}\n";

#[test]
#[ignore = "needs helm and grpcio, which tests/live/run installs"]
fn charts_are_rendered_by_both_helms() {
    for helm in ["helm3", "helm4"] {
        let server = Server::start(&["--helm", helm]);
        let parameters = json!([
            {"name": "values-files", "array": ["../values.yaml"]},
            {"name": "set", "map": {"more": "a,b"}},
            {"name": "helm-arguments", "array": ["--skip-tests"]},
        ]);
        let files = [
            ("apps/shop/Chart.yaml", CHART),
            ("apps/shop/templates/secret.yaml", TEMPLATE),
            ("apps/values.yaml", "user: <ci:APP_#USER>\n"),
        ];
        let more = [("ARGOCD_APP_PARAMETERS", &*parameters.to_string())];
        let manifests = server.manifests(&files, &more);
        let expected = json!({"user": "cnry-value", "more": "a,b", "version": "v1.33.0"});
        assert_eq!(manifests[0]["stringData"], expected, "{helm}");
        assert_eq!(
            manifests[0]["metadata"],
            json!({"name": "shop", "namespace": "shop"})
        );
        let broken = [
            ("apps/shop/Chart.yaml", CHART),
            ("apps/shop/templates/a.yaml", "{{ fail \"no such\" }}"),
        ];
        let failed = server.ask(&broken, "localhost", &[])["GenerateManifest"].clone();
        let text = failed["text"].as_str().unwrap();
        assert!(
            text.contains("helm failed with exit code 1") && text.contains("no such"),
            "{text}"
        );
        assert!(!text.contains("manifuse-"), "{text}");
    }
}

#[test]
#[ignore = "needs helm and grpcio, which tests/live/run installs"]
fn a_chart_of_the_repository_may_be_a_dependency() {
    for helm in ["helm3", "helm4"] {
        let server = Server::start(&["--helm", helm]);
        let chart = format!(
            "{CHART}dependencies:\n- {{name: lib, version: 1.0.0, repository: \"file://../../lib\"}}\n"
        );
        let files = [
            ("apps/shop/Chart.yaml", chart.as_str()),
            (
                "lib/Chart.yaml",
                "apiVersion: v2\nname: lib\nversion: 1.0.0\n",
            ),
            ("lib/templates/secret.yaml", SECRET),
        ];
        let manifests = server.manifests(&files, &[]);
        assert_eq!(manifests[0]["stringData"]["x"], "cnry-value", "{helm}");
    }
}

#[test]
#[ignore = "needs kubectl and grpcio, which tests/live/run installs"]
fn kustomizations_are_rendered() {
    let server = Server::start(&["--kustomize", "kubectl"]);
    let files = [
        (
            "apps/shop/kustomization.yaml",
            "resources: [../../base]\nnamePrefix: big-\n",
        ),
        ("base/kustomization.yaml", "resources: [a.yaml]\n"),
        ("base/a.yaml", SECRET),
    ];
    let manifests = server.manifests(&files, &[]);
    assert_eq!(manifests[0]["metadata"]["name"], "big-s");
    assert_eq!(manifests[0]["stringData"]["x"], "cnry-value");
}
