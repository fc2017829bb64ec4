//! As a plugin under Argo CD's own server: `exec`, `discover`, and the plugins in `examples/argocd`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::support::program::{Program, Run};

const SETTINGS: &str = "backends:\n  ci: {type: env, prefix: APP_}\n";
const MANIFEST: &str = "kind: X\na: <ci:APP_#USER>\n";

/// A run of `exec` with a shell as the command; the script is what a renderer would be.
fn exec(flags: &[&str], script: &str) -> Program {
    let args = ["exec", "-c", "manifuse.yaml"].into_iter();
    let args = args.chain(flags.iter().copied());
    let args = args.chain(["--", "/bin/sh", "-c", script]);
    Program::manifuse(args)
        .file("manifuse.yaml", SETTINGS)
        .file("app.yaml", MANIFEST)
        .env("APP_USER", "cnry-value")
}

fn failed(run: &Run, code: i32, stderr: &str) {
    assert_eq!((run.code, run.stderr.as_str()), (Some(code), stderr));
    assert!(run.stdout.is_empty());
}

#[test]
fn what_a_command_prints_is_rendered() {
    let run = exec(&[], "cat app.yaml; echo note >&2").run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), "note\n"));
    assert_eq!(run.stdout, b"kind: X\na: cnry-value\n");
}

#[test]
fn a_command_that_fails_gives_its_own_code_and_nothing_is_printed() {
    let told = |how: &str| format!("error: sh failed with {how}\n");
    failed(
        &exec(&[], "cat app.yaml; exit 7").run(),
        7,
        &told("exit code 7"),
    );
    failed(
        &exec(&[], "cat app.yaml; kill -9 $$").run(),
        137,
        &told("signal 9"),
    );
    // Also if something that it started keeps its output open.
    failed(
        &exec(&[], "sleep 5 2>/dev/null & exit 7").run(),
        7,
        &told("exit code 7"),
    );
}

#[test]
fn messages_name_the_program_and_not_its_arguments() {
    let run = Program::manifuse(["exec", "--", "/no/such/helm", "cnry-argument"]).run();
    failed(
        &run,
        1,
        "error: helm could not be run\n  = cause: no such file or directory\n  \
         = help: the command is run without a shell: its first word is a program\n",
    );
    let run = exec(&[], "echo 'kind: X'; echo 'a: <ci:APP_#GONE>'").run();
    assert!(run.stderr.contains("--> <sh>:2:4"), "{}", run.stderr);
    failed(&run, 1, &run.stderr);
}

#[test]
fn a_command_that_hangs_is_ended_with_all_that_it_started() {
    let start = Instant::now();
    let program = exec(
        &["--command-timeout", "300ms"],
        "trap '' TERM; sh -c 'echo $$ >inner; sleep 100' & sleep 100",
    );
    failed(
        &program.run(),
        1,
        "error: sh did not end within 300ms\n  = help: --command-timeout gives it more time\n",
    );
    assert!(start.elapsed() < Duration::from_mins(1));
    let inner = fs::read_to_string(program.folder().join("inner")).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", inner.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[test]
fn an_open_output_does_not_hold_us_for_ever() {
    let told = "error: sh has ended, but something that it started keeps its output open\n";
    failed(
        &exec(&[], "cat app.yaml; sleep 5 2>/dev/null & exit 0").run(),
        1,
        told,
    );
}

#[test]
fn too_much_or_nothing_is_an_error() {
    let told = "error: sh prints more than 4096 bytes\n  = help: --input-limit raises the limit\n";
    failed(&exec(&["--input-limit", "4KiB"], "yes").run(), 1, told);
    let run = exec(&[], "true").run();
    assert_eq!((run.code, run.stdout.len()), (Some(1), 0), "{}", run.stderr);
    let run = exec(&["--allow-empty"], "true").run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn settings_and_credentials_are_not_passed_on() {
    let script = "echo kind: X; echo 'env: |'; env | sed 's/^/  /'";
    let ours = [
        "AVP_SECRET_ID",
        "VAULT_TOKEN",
        "ARGOCD_ENV_AVP_ROLE_ID",
        "ARGOCD_ENV_VAULT_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AZURE_CLIENT_SECRET",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "SOPS_AGE_KEY",
        "MANIFUSE_VERBOSE",
        "OP_CONNECT_TOKEN",
    ];
    let passed = [
        "ARGOCD_APP_NAME",
        "ARGOCD_ENV_COLOUR",
        "KUBE_VERSION",
        "PARAM_VALUES",
    ];
    let program = |flags: &[&str]| {
        let names = ours.iter().chain(&passed);
        names.fold(exec(flags, script), |program, name| program.env(name, "0"))
    };
    let seen = |run: Run| {
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let text = String::from_utf8(run.stdout).unwrap();
        let names = text.lines().filter_map(|line| line.trim().split_once('='));
        names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    let names = seen(program(&["--warn", "all=off"]).run());
    assert!(
        passed.iter().all(|name| names.iter().any(|n| n == name)),
        "{names:?}"
    );
    assert!(
        !ours.iter().any(|name| names.iter().any(|n| n == name)),
        "{names:?}"
    );
    let names = seen(
        program(&[
            "--warn",
            "all=off",
            "--pass-env",
            "VAULT_TOKEN,AVP_SECRET_ID",
        ])
        .run(),
    );
    let kept: Vec<_> = ours
        .iter()
        .filter(|name| names.iter().any(|n| n == *name))
        .collect();
    assert_eq!(kept, [&"AVP_SECRET_ID", &"VAULT_TOKEN"]);
}

#[test]
fn wrong_usage_is_told_before_anything_runs() {
    for (program, expected) in [
        (Program::manifuse(["exec", "true"]), "unexpected argument"),
        (Program::manifuse(["exec", "--"]), "required"),
        (
            Program::manifuse(["exec", "--", "touch", "ran"])
                .env("MANIFUSE_COMMAND_TIMEOUT", "soon"),
            "MANIFUSE_COMMAND_TIMEOUT is wrong: it is a time",
        ),
    ] {
        let run = program.run();
        assert_eq!((run.code, run.stdout.len()), (Some(2), 0), "{}", run.stderr);
        assert!(run.stderr.contains(expected), "{}", run.stderr);
        assert!(!program.folder().join("ran").exists());
    }
}

/// What `discover` prints for a folder with these files.
fn discover(files: &[(&str, &str)]) -> String {
    let program =
        Program::manifuse(["discover", "-c", "manifuse.yaml"]).file("manifuse.yaml", SETTINGS);
    let program = files
        .iter()
        .fold(program, |program, (path, text)| program.file(path, text));
    let run = program.run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn discovery_finds_each_kind_of_reference() {
    let template = "kind: X\nx: {{ .Values.x }}\n";
    for (path, text) in [
        ("a.yaml", "kind: X\na: <path:secret/data/db#user>\n"),
        ("a.yaml", "kind: X\na: <ci:APP_#USER>\n"),
        ("a.json", r#"{"kind":"X","a":"\u003cpath:b#c\u003e"}"#),
        ("a.yml", "kind: Secret\ndata:\n  x: PHBhdGg6YiNjPg==\n"),
        (
            "a.yaml",
            "kind: X\nmetadata:\n  annotations: {avp.kubernetes.io/path: a}\n",
        ),
        (
            "a.yaml",
            "kind: X\nmetadata:\n  annotations: {manifuse.io/expand: a}\n",
        ),
        ("a.yaml", "kind: X\na: ENC[AES256_GCM,data:x]\nsops: {}\n"),
        (
            "chart/templates/a.yaml",
            &format!("{template}y: <path:a#b>\n"),
        ),
        ("chart/templates/_helpers.tpl", "<path:a#b>"),
        ("chart/values.yaml", "password: <path:a#b>\n"),
    ] {
        let others = [
            ("zz.yaml", "kind: X\n"),
            ("broken.yaml", "a: [\n"),
            ("z/t.yaml", template),
        ];
        let files: Vec<_> = others.into_iter().chain([(path, text)]).collect();
        assert_eq!(discover(&files), format!("{path}\n"), "{text}");
    }
}

#[test]
fn discovery_finds_nothing_where_there_is_nothing() {
    for (path, text) in [
        ("a.yaml", "kind: X\na: <b>\n"),
        ("a.yaml", "kind: Secret\ndata:\n  x: YWJj\n"),
        ("README.md", "<path:a#b>\n"),
        (".git/a.yaml", "a: <path:a#b>\n"),
        ("secrets.enc.yaml", "a: ENC[AES256_GCM,data:x]\nsops: {}\n"),
        ("a.yaml", "\u{feff}"),
    ] {
        assert_eq!(discover(&[(path, text)]), "", "{path} {text}");
    }
    let program = Program::manifuse(["discover"]).file("b.yaml", b"\xff<path:a#b>");
    assert_eq!(program.run().stdout, b"");
}

#[test]
fn discovery_of_a_folder_that_is_not_there_fails() {
    let run = Program::manifuse(["discover", "nothing"]).run();
    assert_eq!((run.code, run.stdout.len()), (Some(1), 0));
    assert!(
        run.stderr.contains("nothing cannot be read"),
        "{}",
        run.stderr
    );
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plugin {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
struct Spec {
    generate: Command,
}

#[derive(Deserialize)]
struct Command {
    command: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
}

fn examples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/argocd")
}

fn plugin(file: &str) -> Plugin {
    serde_saphyr::from_str(&fs::read_to_string(examples().join(file)).unwrap()).unwrap()
}

/// Runs a plugin's command as Argo CD does, with a renderer that prints its arguments.
fn generate(file: &str, renderer: &str, env: &[(&str, &str)]) -> Run {
    let plugin = plugin(file);
    let line = plugin
        .spec
        .generate
        .command
        .iter()
        .chain(&plugin.spec.generate.args);
    // `exec` runs the command by the same rules as Argo CD's server: without a shell, in the folder.
    let args = ["exec", "--allow-empty", "--"]
        .into_iter()
        .map(ToOwned::to_owned);
    let program = Program::manifuse(args.chain(line.cloned()))
        .file("app.yaml", "kind: X\n")
        .file(
            "tools/renderer",
            "#!/bin/sh\necho kind: X\necho 'args: |'\nfor a; do echo \"  [$a]\"; done\n",
        );
    let tools = program.folder().join("tools");
    fs::set_permissions(tools.join("renderer"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(tools.join("renderer"), tools.join(renderer)).unwrap();
    let bin = program.folder().parent().unwrap().join("bin");
    let path = format!("{}:{}:/usr/bin:/bin", tools.display(), bin.display());
    let environment: BTreeMap<_, _> = [
        ("PATH", path.as_str()),
        ("ARGOCD_APP_NAME", "shop"),
        ("ARGOCD_APP_NAMESPACE", "team"),
        ("KUBE_VERSION", "1.34.0"),
    ]
    .into_iter()
    .chain(env.iter().copied())
    .collect();
    let set = |program: Program, (name, value): (&&str, &&str)| program.env(name, *value);
    environment.iter().fold(program, set).run()
}

#[test]
fn the_plugins_have_their_names_and_run() {
    for (file, name, renderer) in [
        ("directory.yaml", "manifuse", "none"),
        ("helm.yaml", "manifuse-helm", "helm"),
        ("kustomize.yaml", "manifuse-kustomize", "kustomize"),
        ("sops.yaml", "manifuse-sops", "none"),
    ] {
        let plugin = plugin(file);
        assert_eq!(plugin.api_version, "argoproj.io/v1alpha1");
        assert_eq!(plugin.kind, "ConfigManagementPlugin");
        assert_eq!(plugin.metadata.name, name);
        let run = generate(file, renderer, &[]);
        assert_eq!(run.code, Some(0), "{file} {}", run.stderr);
        assert!(run.stdout.starts_with(b"kind: X\n"), "{file}");
    }
}

#[test]
fn parameters_reach_helm_as_arguments_of_their_own() {
    let run = generate(
        "helm.yaml",
        "helm",
        &[
            ("PARAM_VALUES_FILES_0", "a b.yaml"),
            ("PARAM_VALUES_FILES_1", "$(touch hacked);x"),
            ("ARGOCD_APP_NAMESPACE", "team"),
        ],
    );
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    let args: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'))
        .collect();
    assert_eq!(
        args,
        [
            "template",
            "shop",
            ".",
            "--namespace",
            "team",
            "--kube-version",
            "1.34.0",
            "--include-crds",
            "--values",
            "a b.yaml",
            "--values",
            "$(touch hacked);x",
        ]
    );
    let inline = generate("helm.yaml", "helm", &[("PARAM_VALUES", "a: b")]);
    assert!(
        String::from_utf8_lossy(&inline.stdout).contains("[--values]\n  [/tmp/"),
        "{}",
        inline.stderr
    );
}

#[test]
fn values_files_of_others_are_refused() {
    for file in [
        "/etc/passwd",
        "../other/values.yaml",
        "a/../../b",
        "..",
        "a/..",
        "https://example.com/x",
    ] {
        let run = generate("helm.yaml", "helm", &[("PARAM_VALUES_FILES_0", file)]);
        assert_eq!((run.code, run.stdout.len()), (Some(1), 0), "{file}");
        assert!(
            run.stderr.contains("is not in the application's folder"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn the_sidecars_mount_the_plugins_that_there_are() {
    let deployment = fs::read_to_string(examples().join("repo-server.yaml")).unwrap();
    let component = fs::read_to_string(examples().join("kustomization.yaml")).unwrap();
    for file in ["directory.yaml", "helm.yaml", "kustomize.yaml"] {
        assert!(deployment.contains(&format!("subPath: {file}\n")), "{file}");
        assert!(component.contains(file), "{file}");
    }
    let settings = fs::read_to_string(examples().join("manifuse.yaml")).unwrap();
    let program = Program::manifuse(["config", "show", "-c", "manifuse.yaml"])
        .file("manifuse.yaml", settings);
    let run = program.env("ARGOCD_APP_PROJECT_NAME", "a").run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

/// The application of the page, as far as it is ours.
#[derive(Deserialize)]
struct Shown {
    spec: ShownSpec,
}

#[derive(Deserialize)]
struct ShownSpec {
    source: ShownSource,
}

#[derive(Deserialize)]
struct ShownSource {
    plugin: ShownPlugin,
}

#[derive(Deserialize)]
struct ShownPlugin {
    name: String,
    parameters: Vec<Metadata>,
}

#[test]
fn the_page_names_plugins_parameters_and_files_that_there_are() {
    let page = include_str!("../../docs/argocd.md");
    let blocks: Vec<_> = page.split("```yaml argocd\n").skip(1).collect();
    let block = |kind: &str| {
        let found = blocks.iter().find(|block| block.contains(kind)).unwrap();
        found.split("```").next().unwrap()
    };
    let shown: Shown = serde_saphyr::from_str(block("kind: Application\n")).unwrap();
    let Shown {
        spec: ShownSpec {
            source: ShownSource { plugin: used },
        },
    } = shown;
    let known = plugin("helm.yaml");
    assert_eq!(used.name, known.metadata.name);
    let file = fs::read_to_string(examples().join("helm.yaml")).unwrap();
    for parameter in used.parameters {
        let line = format!("- name: {}\n", parameter.name);
        assert!(file.contains(&line), "{line}");
    }
    let discover = block("discover:\n");
    assert!(
        discover.contains("command: [manifuse, discover, .]"),
        "{discover}"
    );
}
