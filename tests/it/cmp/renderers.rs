//! Helm and Kustomize behind the server: what they are told, what they see, and how they fail. The programs here are
//! scripts; the real ones are in the live suite.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

const CHART: (&str, &str) = (
    "apps/shop/Chart.yaml",
    "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
);

/// A server whose helm and kustomize are a script.
fn server(script: &str, flags: &[&str]) -> Server {
    let program = unnamed(
        SETTINGS,
        &[
            &[
                "--name",
                "p",
                "--socket-folder",
                ".",
                "--helm",
                "./tool",
                "--kustomize",
                "./tool",
            ],
            flags,
        ]
        .concat(),
    );
    let tool = program.folder().join("tool");
    fs::write(&tool, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    // A relative name would be looked for in the application's folder.
    let tool = tool.to_str().unwrap().to_owned();
    let program = program.replace_args("./tool", &tool);
    Server::of(
        program
            .env("HELM_X", "y")
            .env("VAULT_TOKEN", "cnry-token")
            .env("MANIFUSE_WARN", "all=on"),
    )
}

fn chart(files: &[(&str, &str)]) -> Upload {
    Upload::new("apps/shop", &[&[CHART], files].concat())
}

/// What the script prints becomes a Secret that shows it.
fn shown(server: &Server, upload: &Upload) -> String {
    let manifests = server.render(upload).manifests();
    let object: serde_json::Value = serde_json::from_str(&manifests[0]).unwrap();
    object["stringData"]["x"].as_str().unwrap().to_owned()
}

const PRINT: &str = "printf 'apiVersion: v1\\nkind: Secret\\nmetadata: {name: s}\\nstringData:\\n  x: |\\n'; sed 's/^/    /'";

#[test]
fn helm_is_told_what_argo_cd_and_the_application_say() {
    let server = server(
        &format!("for word; do echo \"$word\"; done | ({PRINT})"),
        &[],
    );
    let parameters = r#"[{"name":"values-files","array":["values-a.yaml","../b.yaml"]},{"name":"values","string":"a: 1"},
        {"name":"set","map":{"k":"v,w"}},{"name":"helm-arguments","array":["--skip-tests"]}]"#;
    let upload = chart(&[("apps/shop/values-a.yaml", "a: 1"), ("apps/b.yaml", "b: 1")])
        .variable("ARGOCD_APP_NAME", "other_shop")
        .variable("ARGOCD_APP_PARAMETERS", parameters);
    let words = shown(&server, &upload);
    let words: Vec<&str> = words.lines().collect();
    let values = words
        .iter()
        .position(|word| word.ends_with("/values.yaml"))
        .unwrap();
    let mut expected = vec![
        "template",
        "shop",
        ".",
        "--include-crds",
        "--namespace",
        "shop",
        "--kube-version",
        "1.33.0",
        "--api-versions",
        "v1,apps/v1,apps/v1/Deployment",
        "--values",
        "values-a.yaml",
        "--values",
        "../b.yaml",
        "--values",
        words[values],
        "--set",
        "k=v\\,w",
        "--skip-tests",
    ];
    assert_eq!(words, expected);
    let many = "apps/v1,".repeat(30_000);
    expected = shown(&server, &chart(&[]).variable("KUBE_API_VERSIONS", &many))
        .leak()
        .lines()
        .collect();
    assert!(
        expected
            .iter()
            .filter(|word| **word == "--api-versions")
            .count()
            > 3
    );
    assert!(expected.iter().all(|word| word.len() <= 64 << 10));
}

#[test]
fn values_files_lie_in_the_repository() {
    let server = server("exit 1", &[]);
    for file in [
        "gone.yaml",
        "/etc/passwd",
        "../../../etc/passwd",
        "https://example.com/x",
        "templates",
        "",
    ] {
        let json = format!(r#"[{{"name":"values-files","array":["{file}"]}}]"#);
        let upload =
            chart(&[("apps/shop/templates/x.yaml", "")]).variable("ARGOCD_APP_PARAMETERS", json);
        failed(
            &server.render(&upload),
            &format!("the values file {file} is not in the repository"),
        );
    }
}

/// Its files, and nothing of the server's environment but what the operator sets for it.
#[test]
fn a_renderer_sees_the_repository_and_no_credential() {
    let server = server(
        &format!("(env; ls -a; cat ../../base/x; echo; pwd; stat -c %a ../../..) | ({PRINT})"),
        &[],
    );
    let text = shown(
        &server,
        &chart(&[
            ("apps/shop/templates/a.yaml", "{{"),
            ("base/x", "base-file"),
        ]),
    );
    for line in ["HELM_X=y", "templates", "Chart.yaml", "base-file", "700"] {
        assert!(text.lines().any(|own| own == line), "{line}: {text}");
    }
    for word in ["cnry", "VAULT", "MANIFUSE", "KUBE", "ARGOCD"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let place = text
        .lines()
        .find(|line| line.ends_with("apps/shop"))
        .unwrap();
    assert!(!Path::new(place).exists(), "the files go with the render");
}

#[test]
fn values_are_put_into_what_a_renderer_prints() {
    let server = server(
        "printf 'apiVersion: v1\\nkind: Secret\\nmetadata: {name: s}\\nstringData: {x: <path:a#password>}\\n'",
        &[],
    );
    assert_eq!(server.render(&chart(&[])).manifests(), [object(SECRET)]);
    let kustomization = Upload::new("apps/shop", &[("apps/shop/kustomization.yaml", "")]);
    assert_eq!(server.render(&kustomization).manifests(), [object(SECRET)]);
    assert_eq!(
        server.render(&app(&secret("plain"))).manifests(),
        [object("plain")],
        "no renderer for plain files"
    );
}

#[test]
fn a_renderer_that_fails_is_told_with_its_reason_and_the_same_text() {
    let server = server("echo \"no such template in $PWD\" >&2; exit 3", &[]);
    let first = server.render(&chart(&[]));
    failed(&first, "helm failed with exit code 3");
    failed(&first, "no such template in");
    assert_eq!(
        server.render(&chart(&[])).text,
        first.text,
        "no name of a folder of our own"
    );
}

#[test]
fn a_renderer_that_hangs_or_prints_too_much_or_forks_ends_with_all_it_started() {
    for (script, text) in [
        ("sleep 300 & wait", "helm did not end in time"),
        ("exec yes", "helm prints more than 1048576 bytes"),
        (
            "sleep 300 & exit 0",
            "something that it started keeps its output open",
        ),
        (
            "trap '' TERM; while :; do sleep 1; done",
            "helm did not end in time",
        ),
    ] {
        let server = server(script, &["--input-limit", "1MiB"]);
        let upload = chart(&[]);
        let mut client = server.client().timeout(Some("3S"));
        let start = Instant::now();
        failed(&client.render(&upload), text);
        assert!(start.elapsed() < Duration::from_secs(4), "{script}");
        no_child_is_left(&server);
    }
}

/// Also nothing that a child started: it would be in the group that was ended with it, so its end shows at the pipe.
fn no_child_is_left(server: &Server) {
    let children = || {
        let pid = server.background.pid().as_raw_nonzero();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let lists =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
        lists.collect::<String>().trim().to_owned()
    };
    let start = Instant::now();
    while !children().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10), "{}", children());
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_cancelled_render_ends_its_renderer() {
    let server = server("echo $$ >\"$HELM_X_FILE\"; exec sleep 300", &[]);
    let mut client = server.client();
    let stream = client.begin("GenerateManifest");
    for message in chart(&[]).messages() {
        client.send(stream, &message);
    }
    client.half_close(stream);
    thread::sleep(Duration::from_millis(300));
    client.cancel(stream);
    no_child_is_left(&server);
    assert_eq!(client.check().status, Some(0));
}

#[test]
fn programs_and_places_that_are_not_there_are_told() {
    let gone = Server::start(SETTINGS, &["--helm", "/no/such/helm"]);
    failed(&gone.render(&chart(&[])), "helm could not be run");
    let full = Server::of(program(SETTINGS, &[]).env("TMPDIR", "/no/such"));
    failed(
        &full.render(&chart(&[])),
        "the files for helm could not be written",
    );
    let directory = Server::start(SETTINGS, &["--renderer", "directory"]);
    failed(&directory.render(&chart(&[])), "Chart.yaml");
}
