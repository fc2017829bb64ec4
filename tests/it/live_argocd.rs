//! The real helm 3, helm 4 and kubectl kustomize, through `exec`, as post-renderers, and on the plugins of `examples/argocd`.

use std::fs;
use std::path::Path;

use crate::support::live;
use crate::support::program::{Program, Run};

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 1.0.0\n";
const TEMPLATE: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\nstringData:\n  user: {{ .Values.user | quote }}\n";

/// A run with a chart, whose tools are those of the suite.
fn with_chart(args: &[&str]) -> Program {
    let program = Program::manifuse(args.iter().copied());
    let bin = program.folder().parent().unwrap().join("bin");
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        bin.display(),
        live::variable("LIVE_BIN")
    );
    program
        .file(
            "manifuse.yaml",
            "backends:\n  ci: {type: env, prefix: APP_}\n",
        )
        .file("chart/Chart.yaml", CHART)
        .file("chart/values.yaml", "user: <ci:APP_#USER>\n")
        .file("chart/templates/secret.yaml", TEMPLATE)
        .env("PATH", path)
        .env("MANIFUSE_CONFIG", "manifuse.yaml")
        .env("APP_USER", "cnry-value")
}

fn rendered(run: &Run) -> String {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    assert!(text.contains("user: \"cnry-value\"\n"), "{text}");
    text
}

#[test]
#[ignore = "needs helm and kubectl, which tests/live/run installs"]
fn charts_are_rendered_by_both_helms() {
    for helm in ["helm3", "helm4"] {
        let run = with_chart(&["exec", "--", helm, "template", "shop", "chart"]).run();
        assert!(rendered(&run).contains("name: shop\n"));
        let run = with_chart(&["exec", "--", helm, "template", "shop", "nothing"]).run();
        assert_eq!((run.code, run.stdout.len()), (Some(1), 0), "{}", run.stderr);
        let told = format!("error: {helm} failed with exit code 1");
        assert!(run.stderr.contains(&told), "{}", run.stderr);
    }
}

#[test]
#[ignore = "needs helm and kubectl, which tests/live/run installs"]
fn a_kustomization_is_rendered() {
    let run = with_chart(&["exec", "--", "kubectl", "kustomize", "k"])
        .file(
            "k/kustomization.yaml",
            "resources: [secret.yaml]\nnamePrefix: big-\n",
        )
        .file(
            "k/secret.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: shop}\nstringData:\n  user: \"<ci:APP_#USER>\"\n",
        )
        .run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(
        text.contains("user: cnry-value\n") && text.contains("name: big-shop\n"),
        "{text}"
    );
}

/// `exec` runs helm, and helm runs us once more: the outer run finds nothing left to do.
#[test]
#[ignore = "needs helm and kubectl, which tests/live/run installs"]
fn both_helms_take_us_as_a_post_renderer() {
    let pass = ["exec", "--pass-env", "MANIFUSE_CONFIG", "--"];
    let helm3 = [
        "helm3",
        "template",
        "shop",
        "chart",
        "--post-renderer",
        "manifuse",
    ];
    let args = [
        "--post-renderer-args",
        "generate",
        "--post-renderer-args",
        "-",
    ];
    rendered(&with_chart(&[&pass[..], &helm3, &args].concat()).run());
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/helm");
    let helm4 = [
        "helm4",
        "template",
        "shop",
        "chart",
        "--post-renderer",
        "manifuse",
    ];
    let program = with_chart(&[&pass[..], &helm4].concat());
    rendered(&program.env("HELM_PLUGINS", plugins.to_str().unwrap()).run());
}

#[test]
#[ignore = "needs helm and kubectl, which tests/live/run installs"]
fn the_components_add_the_sidecars() {
    component_adds("examples/argocd", 3);
    component_adds("examples/argocd-server", 1);
}

fn component_adds(folder: &str, sidecars: usize) {
    let program = with_chart(&["exec", "--", "kubectl", "kustomize", "install"]).file(
        "install/kustomization.yaml",
        "resources: [repo-server.yaml]\ncomponents: [manifuse]\nimages: [{name: manifuse, newName: example.com/manifuse}]\n",
    );
    let program = program.file(
        "install/repo-server.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: argocd-repo-server}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: argocd-repo-server, image: argocd}\n",
    );
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let to = program.folder().join("install/manifuse");
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let run = program.run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(
        text.matches("image: example.com/manifuse").count(),
        sidecars,
        "{text}"
    );
    let confined = text.matches("readOnlyRootFilesystem: true").count();
    assert_eq!(confined, sidecars);
    assert!(
        text.contains("${ARGOCD_APP_PROJECT_NAME}/**"),
        "the settings are not rendered: {text}"
    );
}
