//! The program as its users run it: as a filter behind a pipe, under Argo CD, and failing with all it has to say.

use serde::Deserialize;

use crate::support::fake_vault::{self, Table};
use crate::support::program::{Program, Run};
use crate::support::server::Server;

/// A Vault with one secret that may be read, and one that may not.
fn vault() -> Server {
    let mut table = Table::default();
    table.push("secret/data/db");
    table.last().body =
        br#"{"data":{"data":{"user":"CANARY-user","password":"CANARY-password"}}}"#.to_vec();
    table.push("secret/data/closed");
    table.last().status = 403;
    table.last().body = br#"{"errors":["permission denied"]}"#.to_vec();
    table.push("POST auth/userpass/login/shop");
    table.last().body = br#"{"auth":{"client_token":"CANARY-token"}}"#.to_vec();
    fake_vault::start(table)
}

fn with_vault(program: Program, server: &Server) -> Program {
    program
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "CANARY-token")
        .env("VAULT_ADDR", server.url())
}

fn text(run: &Run) -> &str {
    std::str::from_utf8(&run.stdout).unwrap()
}

const BROKEN: &str = "\
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  url: postgres://<path:secret/data/db#user>:<path:secret/data/db#pasword>@db # neighbour
---
kind: Secret
metadata: {name: keys}
stringData:
  closed: <path:secret/data/closed#k>
  gone: <path:secret/data/gone#k>
  good: <path:secret/data/db#user | base64encode>
  odd: <path:secret/data/db#user | shout>
";

#[test]
fn a_failed_run_prints_nothing_on_stdout_and_every_failure_in_file_order() {
    let server = vault();
    let run = with_vault(Program::manifuse(["generate", "k8s"]), &server)
        .file("k8s/deploy.yaml", BROKEN)
        .run();
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert_eq!(text(&run), "");
    let heads: Vec<_> = run
        .stderr
        .lines()
        .filter(|line| line.contains("-->") || line.contains(" | <"))
        .collect();
    assert_eq!(
        heads,
        [
            " --> k8s/deploy.yaml:4:46",
            "4 | <path:secret/data/db#pasword>",
            " --> k8s/deploy.yaml:9:11",
            "9 | <path:secret/data/closed#k>",
            "  --> k8s/deploy.yaml:10:9",
            "10 | <path:secret/data/gone#k>",
            "  --> k8s/deploy.yaml:12:8",
            "12 | <path:secret/data/db#user | …>",
        ],
        "{}",
        run.stderr
    );
    for hidden in ["CANARY", "neighbour", "postgres"] {
        assert!(!run.stderr.contains(hidden), "{}", run.stderr);
    }
}

#[test]
fn the_same_failure_has_the_same_text_and_under_argo_cd_quotes_nothing() {
    let server = vault();
    let program = with_vault(Program::avp(["generate", "k8s"]), &server)
        .file("k8s/deploy.yaml", BROKEN)
        .env("ARGOCD_APP_NAME", "shop");
    let first = program.run();
    assert_eq!(first.code, Some(1));
    assert!(
        first.stderr.starts_with(
            "Error: Replace: could not replace all placeholders in Template:\nerror: "
        ),
        "{}",
        first.stderr
    );
    assert!(first.stderr.len() <= 4096, "{}", first.stderr);
    for hidden in ["CANARY", "<path:", "neighbour"] {
        assert!(!first.stderr.contains(hidden), "{}", first.stderr);
    }
    for _ in 0..5 {
        assert_eq!(program.run().stderr, first.stderr);
    }
}

#[test]
fn several_backends_in_one_run_by_the_names_of_the_settings_file() {
    let server = vault();
    let settings = format!(
        "defaultBackend: prod\n\
         backends:\n  \
           prod: {{type: vault, address: \"{0}\", auth: {{type: token, token: CANARY-token}}}}\n  \
           other: {{type: vault, address: \"{0}\", auth: {{type: token}}}}\n",
        server.url()
    );
    let program = Program::manifuse(["generate", "-"])
        .file("manifuse.yaml", settings)
        .env("VAULT_TOKEN", "from-the-environment")
        .env("ARGOCD_ENV_VAULT_ADDR", "http://127.0.0.1:1")
        .stdin("kind: X\na: <path:secret/data/db#user>\nb: <other:secret/data/db#user>\n");
    let run = program.run();
    assert_eq!(run.stderr, "");
    assert_eq!(text(&run), "kind: X\na: CANARY-user\nb: CANARY-user\n");
    assert_eq!(server.lines().len(), 2, "one request for each instance");
}

#[test]
fn a_disabled_token_cache_leaves_no_file() {
    let server = vault();
    for (flag, kept) in [
        ("--disable-token-cache=false", true),
        ("--disable-token-cache", false),
    ] {
        let program = with_vault(Program::avp(["generate", "-", flag]), &server)
            .env("AVP_AUTH_TYPE", "userpass")
            .env("AVP_USERNAME", "shop")
            .env("AVP_PASSWORD", "CANARY-login")
            .stdin("kind: X\na: <path:secret/data/db#user>\n");
        let run = program.run();
        assert_eq!(run.stderr, "");
        assert_eq!(text(&run), "kind: X\na: CANARY-user\n");
        let cache = program.folder().join("../home/.avp");
        assert_eq!(cache.exists(), kept, "{flag}");
    }
}

/// The part of `plugin.yaml` that Argo CD runs.
#[derive(Deserialize)]
struct Plugin {
    kind: String,
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    generate: Generate,
}

#[derive(Deserialize)]
struct Generate {
    command: Vec<String>,
}

#[test]
fn the_plugin_file_runs_what_it_says() {
    let file = include_str!("../../plugin.yaml");
    let plugin: Plugin = serde_saphyr::from_str(file).unwrap();
    assert_eq!(plugin.kind, "ConfigManagementPlugin");
    let (program, arguments) = plugin.spec.generate.command.split_first().unwrap();
    assert_eq!(program, "manifuse");
    let server = vault();
    let run = with_vault(Program::manifuse(arguments.to_vec()), &server)
        .file("app.yaml", "kind: X\na: <path:secret/data/db#user>\n")
        .env("ARGOCD_APP_NAME", "shop")
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(text(&run), "kind: X\na: CANARY-user\n");
}

#[test]
fn the_settings_page_shows_files_that_are_right() {
    let page = include_str!("../../docs/settings.md");
    let blocks: Vec<_> = page.split("```yaml\n").skip(1).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let settings = block.split("```").next().unwrap();
        let run = Program::manifuse(["generate", "-", "-c", "c.yaml"])
            .file("c.yaml", settings)
            .env("AVP_SECRET_ID", "x")
            .stdin("kind: X\n")
            .run();
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{settings}");
    }
}

#[test]
fn the_command_line_page_shows_every_variable_of_the_help() {
    let page = include_str!("../../docs/command-line.md");
    let run = Program::manifuse(["generate", "--help"]).run();
    let help: Vec<_> = text(&run).split_whitespace().collect();
    let variables: Vec<_> = help
        .iter()
        .filter(|word| word.starts_with("MANIFUSE_"))
        .map(|word| word.trim_end_matches(']'))
        .collect();
    assert_eq!(variables.len(), 12);
    for variable in variables {
        assert!(page.contains(&format!("| `{variable}` |")), "{variable}");
    }
    let exit_codes = text(&run)
        .lines()
        .filter_map(|line| line.strip_prefix("  "));
    for line in exit_codes {
        if let Some((code, meaning)) = line.split_once("  ").filter(|(code, _)| code.len() == 1) {
            assert!(page.contains(&format!("| {code} | {meaning} |")), "{line}");
        }
    }
}
