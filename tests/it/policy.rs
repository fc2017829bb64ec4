//! `policy` of the settings: an application of one project gets at nothing of another, whatever it writes or sets.

use crate::support::program::{Program, Run};

/// Secrets of the projects `a` and `b` as files, and rules for them.
const SETTINGS: &str = "\
defaultBackend: files
backends:
  files: {type: file, root: secrets}
  other: {type: file, root: secrets}
  ssm: {type: awsssm, region: eu-west-1}
  ci: {type: env, prefix: CI_}
policy:
  paths:
    - {backend: files, allow: \"${ARGOCD_APP_PROJECT_NAME}/**\"}
    - {backend: ssm, allow: \"/${ARGOCD_APP_PROJECT_NAME}/**\"}
    - {backend: ci, allow: [\"CI_${ARGOCD_APP_PROJECT_NAME}_*\"]}
  secretsOnlyIn: [Secret]
  tenantVariables: [AVP_KV_VERSION]
";

fn program(settings: &str, manifest: &str) -> Program {
    Program::manifuse(["generate", "-c", "manifuse.yaml", "app.yaml"])
        .file("manifuse.yaml", settings)
        .file("app.yaml", manifest)
        .file("secrets/a/password", "of-a")
        .file("secrets/b/password", "of-b")
        .env("ARGOCD_APP_NAME", "shop")
        .env("ARGOCD_APP_PROJECT_NAME", "a")
        .env("CI_a_TOKEN", "of-a")
        .env("CI_b_TOKEN", "of-b")
}

fn secret(value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  x: {value}\n")
}

fn refused(run: &Run, expected: &str) {
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(run.stdout.is_empty());
    assert!(run.stderr.contains(expected), "{expected}\n{}", run.stderr);
    assert!(run.stderr.contains("app.yaml:"), "{}", run.stderr);
    assert!(!run.stderr.contains("of-b"), "{}", run.stderr);
}

#[test]
fn an_application_reads_what_is_its_project_s() {
    for reference in ["<path:a#password>", "<ci:CI_a_#TOKEN>", "<ci:-#CI_a_TOKEN>"] {
        let run = program(SETTINGS, &secret(reference)).run();
        assert_eq!(run.code, Some(0), "{reference} {}", run.stderr);
        let expected = secret("of-a");
        assert_eq!(String::from_utf8_lossy(&run.stdout), expected);
    }
}

#[test]
fn no_spelling_of_a_path_leads_to_another_project() {
    let outside = "policy.paths does not let this application read";
    let trick = "which policy.paths never allows";
    for (reference, expected) in [
        ("<path:b#password>", outside),
        ("<path:a/../b#password>", trick),
        ("<path:a/./../b#password>", trick),
        ("<path:a/#password>", trick),
        ("<path:a/%2e%2e/b#password>", trick),
        ("<path:a%2f..%2fb#password>", trick),
        ("<path:A#password>", outside),
        ("<path:/b#password>", outside),
        ("<other:a#password>", "no rule names other"),
        ("<sops:secrets/b.yaml#x>", "no rule names sops"),
        ("<ssm:/b#password>", outside),
        ("<ssm:-#/b/password>", outside),
        ("<ssm:/a#../b/password>", trick),
        ("<ci:CI_b_#TOKEN>", outside),
        ("<ci:-#CI_b_TOKEN>", outside),
        ("<ci:CI_#b_TOKEN>", outside),
    ] {
        refused(&program(SETTINGS, &secret(reference)).run(), expected);
    }
}

#[test]
fn neither_annotations_nor_whole_secrets_lead_there() {
    let annotated = |annotations: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n{annotations}stringData:\n  x: {value}\n"
        )
    };
    for (annotations, value) in [
        ("    avp.kubernetes.io/path: b\n", "<password>"),
        ("    avp.kubernetes.io/path: b\n", "y"),
        ("    manifuse.io/expand: b\n", "y"),
        ("    manifuse.io/backend: other\n", "<path:a#password>"),
    ] {
        refused(
            &program(SETTINGS, &annotated(annotations, value)).run(),
            "policy.paths does not let this application read",
        );
    }
    // base64 within a Secret
    let data = secret("PHBhdGg6YiNwYXNzd29yZD4=").replace("stringData", "data");
    let run = program(SETTINGS, &data).run();
    assert_eq!((run.code, run.stdout.len()), (Some(4), 0), "{}", run.stderr);
}

#[test]
fn the_project_is_what_argo_cd_says() {
    let own = secret("<path:a#password>");
    for project in ["", "..", "*", "**", "a/b", "b/../a"] {
        let run = program(SETTINGS, &own)
            .env("ARGOCD_APP_PROJECT_NAME", project)
            .run();
        refused(&run, "policy.paths does not let this application read");
    }
    let run = program(SETTINGS, &secret("<path:b#password>"))
        .env("ARGOCD_ENV_ARGOCD_APP_PROJECT_NAME", "b")
        .env("PARAM_PROJECT", "b")
        .run();
    refused(&run, "policy.paths does not let this application read");
}

#[test]
fn variables_of_an_application_change_nothing() {
    for name in [
        "AVP_TYPE",
        "VAULT_ADDR",
        "AVP_PATH_VALIDATION",
        "AWS_REGION",
        "avp_role_id",
    ] {
        let run = program(SETTINGS, &secret("x"))
            .env(&format!("ARGOCD_ENV_{name}"), "CANARY")
            .run();
        assert_eq!(
            (run.code, run.stdout.len()),
            (Some(4), 0),
            "{name} {}",
            run.stderr
        );
        let expected =
            format!("policy.tenantVariables does not let an application set ARGOCD_ENV_{name}");
        assert!(run.stderr.contains(&expected), "{}", run.stderr);
        assert!(!run.stderr.contains("CANARY"), "{}", run.stderr);
    }
    let run = program(SETTINGS, &secret("<path:a#password>"))
        .env("ARGOCD_ENV_AVP_KV_VERSION", "1")
        .env("ARGOCD_ENV_COLOUR", "red")
        .run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn values_land_only_in_the_data_of_secrets() {
    let expected = "policy.secretsOnlyIn lets no value land in";
    for manifest in [
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: <path:a#password>\n".to_owned(),
        "apiVersion: v2\nkind: Secret\ndata:\n  x: <path:a#password>\n".to_owned(),
        secret("y").replace("name: s", "name: s\n  labels: {x: <path:a#password>}"),
        // By an alias, of the text and of the map that holds it.
        secret("&x <path:a#password>") + "type: *x\n",
        secret("y").replace("stringData:", "stringData: &m") .replace("x: y", "x: <path:a#password>") + "immutable: *m\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  annotations:\n    manifuse.io/expand: a\ndata: {}\n".to_owned(),
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  stringData: {x: <path:a#password>}\n".to_owned(),
    ] {
        refused(&program(SETTINGS, &manifest).run(), expected);
    }
    for manifest in [
        // The second document of a file, and JSON.
        secret("<path:a#password>") + "---\napiVersion: v1\nkind: ConfigMap\ndata:\n  x: <path:a#password>\n",
        r#"{"apiVersion": "v1", "stringData": {"y": "z"}, "kind": "Secret", "type": "<path:a#password>"}"#.to_owned(),
    ] {
        refused(&program(SETTINGS, &manifest).run(), expected);
    }
    let within = secret("&x <path:a#password>") + "  y: *x\n";
    let run = program(SETTINGS, &within).run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

/// Looking for each value among all nodes would take minutes.
#[test]
fn many_values_are_judged_at_once() {
    let entry = |i| format!("  k{i}: <path:a#password>\n");
    let entries = (0..20_000).map(entry).collect::<Vec<_>>().concat();
    let run = program(SETTINGS, &(secret("y") + &entries)).run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let elsewhere = (secret("y") + &entries).replace("stringData", "values");
    let run = program(SETTINGS, &elsewhere).run();
    refused(
        &run,
        "policy.secretsOnlyIn lets no value land in values of a Secret",
    );
}

#[test]
fn reporting_lets_pass_and_tells() {
    let settings = SETTINGS.replace("policy:\n", "policy:\n  mode: report\n");
    let manifest = "apiVersion: v1\nkind: ConfigMap\ndata:\n  x: <path:b#password>\n";
    let run = program(&settings, manifest)
        .env("ARGOCD_ENV_AVP_TYPE", "vault")
        .run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let rendered = manifest.replace("<path:b#password>", "of-b");
    assert_eq!(String::from_utf8_lossy(&run.stdout), rendered);
    let told: Vec<_> = run.stderr.lines().collect();
    for (told, rule) in told
        .iter()
        .zip(["tenantVariables", "paths", "secretsOnlyIn"])
    {
        assert!(told.starts_with("warning[policy]: "), "{told}");
        assert!(told.contains(&format!("policy.{rule} ")), "{told}");
    }
    assert_eq!(told.len(), 3, "{}", run.stderr);
}

#[test]
fn rules_that_are_none_are_errors_with_their_place() {
    for (rules, expected) in [
        ("{paths: x}", "policy.paths must be a list"),
        ("{paths: [{backend: files}]}", "needs allow"),
        ("{paths: [{backend: , allow: x}]}", "must name a backend"),
        ("{paths: [{allow: a/b**}]}", "** must be a whole step"),
        (
            "{paths: [{allow: \"${HOME}/x\"}]}",
            "${HOME} is none of ARGOCD_APP_NAME",
        ),
        ("{paths: [{allow: x, deny: y}]}", "unknown setting deny"),
        (
            "{secretsOnlyIn: secret}",
            "policy.secretsOnlyIn holds kinds",
        ),
        ("{tenantVariables: no}", "must be deny, allow, or a list"),
        (
            "{tenantVariables: [COLOUR]}",
            "an application cannot set COLOUR anyway",
        ),
        ("{mode: off}", "policy.mode must be enforce or report"),
        ("{pathes: []}", "did you mean policy.paths?"),
    ] {
        let settings =
            format!("backends:\n  files: {{type: file, root: secrets}}\npolicy: {rules}\n");
        let run = program(&settings, &secret("x")).run();
        assert_eq!(
            (run.code, run.stdout.len()),
            (Some(2), 0),
            "{rules} {}",
            run.stderr
        );
        assert!(run.stderr.contains(expected), "{rules} {}", run.stderr);
        assert!(
            run.stderr.contains("manifuse.yaml:3:"),
            "{rules} {}",
            run.stderr
        );
    }
}

#[test]
fn empty_rules_allow_nothing() {
    for rules in [
        "{paths: []}",
        "{paths: }",
        "{secretsOnlyIn: []}",
        "{secretsOnlyIn: }",
    ] {
        let settings = format!(
            "defaultBackend: files\nbackends:\n  files: {{type: file, root: secrets}}\npolicy: {rules}\n"
        );
        let run = program(&settings, &secret("<path:a#password>")).run();
        assert_eq!(
            (run.code, run.stdout.len()),
            (Some(4), 0),
            "{rules} {}",
            run.stderr
        );
    }
}
