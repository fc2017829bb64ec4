//! An application of project A cannot read what is B's, whatever it writes, sets or names; each refusal has its reason.

use super::*;

const RULES: &str = "\
defaultBackend: files
backends:
  files: {type: file, root: secrets}
  other: {type: file, root: secrets}
policy:
  paths:
    - {backend: files, allow: \"${ARGOCD_APP_PROJECT_NAME}/**\"}
    - {backend: sops, allow: \"*.enc.yaml\"}
  secretsOnlyIn: [Secret]
";

#[test]
fn each_project_reads_its_own() {
    let server = Server::start(RULES, &[]);
    let of = |project: &str| {
        app(&secret(&format!("<path:{project}#password>")))
            .variable("ARGOCD_APP_PROJECT_NAME", project)
    };
    assert_eq!(server.render(&of("a")).manifests(), [object(SECRET)]);
    assert_eq!(server.render(&of("b")).manifests(), [object("cnry-of-b")]);
    let nobody = of("a").variable("ARGOCD_APP_PROJECT_NAME", "");
    failed(
        &server.render(&nobody),
        "policy.paths does not let this application read",
    );
}

#[test]
fn no_spelling_of_a_path_and_no_other_backend_leads_to_another_project() {
    let server = Server::start(RULES, &[]);
    for (reference, text) in [
        (
            "<path:b#password>",
            "policy.paths does not let this application read",
        ),
        ("<path:a/../b#password>", "which policy.paths never allows"),
        ("<path:a//../b#password>", "which policy.paths never allows"),
        (
            "<path:a/%2e%2e/b#password>",
            "which policy.paths never allows",
        ),
        (
            "<path:a%2f..%2fb#password>",
            "which policy.paths never allows",
        ),
        (
            "<path:a\\\\..\\\\b#password>",
            "which policy.paths never allows",
        ),
        (
            "<files:b#password>",
            "policy.paths does not let this application read",
        ),
        ("<other:a#password>", "no rule names other"),
        (
            "<awssecretsmanager:a#password>",
            "no rule names awssecretsmanager",
        ),
    ] {
        let answer = server.render(&app(&secret(&format!("\"{reference}\""))));
        assert_eq!(answer.status, Some(7), "{reference}: {}", answer.text);
        failed(&answer, text);
        failed(&answer, "a.yaml:5:");
    }
}

#[test]
fn sops_files_outside_of_the_folder_are_not_read() {
    let server = Server::start(RULES, &[]);
    for (path, text) in [
        ("../other/x.enc.yaml", "which policy.paths never allows"),
        (
            "/etc/x.enc.yaml",
            "policy.paths does not let this application read",
        ),
        ("x.enc.yaml", "Could not find file"),
    ] {
        let upload = Upload::new(
            "apps/shop",
            &[
                ("apps/shop/a.yaml", &secret(&format!("<sops:{path}#a>"))),
                ("apps/other/x.enc.yaml", "a: 1"),
            ],
        );
        failed(&server.render(&upload), text);
    }
    // Without rules for it, the folder alone confines.
    let server = Server::start(SETTINGS, &[]);
    for path in ["../other/x.enc.yaml", "/etc/x", "../../../x", "link.yaml"] {
        let upload = Upload::new(
            "apps/shop",
            &[
                ("apps/shop/a.yaml", &secret(&format!("<sops:{path}#a>"))),
                ("apps/other/x.enc.yaml", "a: 1"),
            ],
        );
        let text = if path == "link.yaml" {
            "Could not find file"
        } else {
            "leads out of the application's root"
        };
        failed(&server.render(&upload), text);
    }
}

#[test]
fn variables_of_an_application_set_nothing_unless_the_operator_says_so() {
    let server = Server::start(RULES, &[]);
    for name in [
        "AVP_TYPE",
        "AVP_PATH_VALIDATION",
        "VAULT_ADDR",
        "VAULT_TOKEN",
        "AWS_REGION",
        "avp_type",
        "SOPS_AGE_KEY",
    ] {
        let upload =
            app(&secret("<path:a#password>")).variable(&format!("ARGOCD_ENV_{name}"), "cnry-mine");
        let answer = server.render(&upload);
        assert_eq!(answer.status, Some(7), "{name}: {}", answer.text);
        failed(
            &answer,
            &format!("does not let an application set ARGOCD_ENV_{name}"),
        );
    }
    for name in ["MANIFUSE_CONFIG", "MANIFUSE_SECRET_CACHE"] {
        let upload = app(&secret("<path:a#password>"))
            .variable(&format!("ARGOCD_ENV_{name}"), "/etc/passwd");
        failed(
            &server.render(&upload),
            &format!("an application may not set ARGOCD_ENV_{name}"),
        );
    }
    // What comes without Argo CD's prefix is nobody's.
    for name in ["AVP_TYPE", "VAULT_ADDR", "MANIFUSE_CONFIG", "PATH"] {
        let upload = app(&secret("<path:a#password>")).variable(name, "cnry-mine");
        assert_eq!(
            server.render(&upload).manifests(),
            [object(SECRET)],
            "{name}"
        );
    }
    let allowed = format!("{RULES}  tenantVariables: [AVP_KV_VERSION]\n");
    let server = Server::start(&allowed, &[]);
    let upload = app(&secret("<path:a#password>")).variable("ARGOCD_ENV_AVP_KV_VERSION", "1");
    assert_eq!(server.render(&upload).manifests(), [object(SECRET)]);
    let upload = upload.variable("ARGOCD_ENV_AVP_TYPE", "vault");
    failed(
        &server.render(&upload),
        "policy.tenantVariables does not let an application set ARGOCD_ENV_AVP_TYPE",
    );
}

#[test]
fn parameters_choose_among_the_operator_s_backends_and_their_rules_hold() {
    let server = Server::start(RULES, &[]);
    let of = |backend: &str| {
        let json = format!(r#"[{{"name":"backend","string":"{backend}"}}]"#);
        app(&secret("<path:a#password>")).variable("ARGOCD_APP_PARAMETERS", json)
    };
    assert_eq!(server.render(&of("files")).manifests(), [object(SECRET)]);
    failed(&server.render(&of("other")), "no rule names other");
    failed(
        &server.render(&of("nothing")),
        "which the operator has not set up",
    );
}

#[test]
fn values_land_only_where_the_operator_says() {
    let server = Server::start(RULES, &[]);
    let map = "apiVersion: v1\nkind: ConfigMap\ndata: {x: '<path:a#password>'}\n";
    failed(&server.render(&app(map)), "policy.secretsOnlyIn");
    let report = RULES.replace("policy:\n", "policy:\n  mode: report\n");
    let mut server = Server::start(&report, &[]);
    assert_eq!(server.render(&app(map)).status, Some(0));
    server.background.wait_for("policy.secretsOnlyIn");
    let log = server.background.stderr();
    assert!(
        log.contains("policy.secretsOnlyIn") && !log.contains("cnry"),
        "{log}"
    );
}

#[test]
fn settings_in_the_repository_count_nothing() {
    let server = Server::start(RULES, &[]);
    let manifest = secret("<path:b#password>");
    let files = [
        ("apps/shop/a.yaml", manifest.as_str()),
        ("apps/shop/manifuse.yaml", SETTINGS),
        ("manifuse.yaml", SETTINGS),
    ];
    failed(
        &server.render(&Upload::new("apps/shop", &files)),
        "policy.paths does not let",
    );
}

#[test]
fn uploads_of_people_and_the_hydrator_get_no_secrets() {
    let server = Server::start(RULES, &[]);
    let upload = app(&secret("<path:a#password>")).variable("ARGOCD_APP_REVISION", "streamed");
    failed(
        &server.render(&upload),
        "uploaded files are not rendered with secrets",
    );
    let hydrator = app(&secret("<path:a#password>"))
        .variable("KUBE_VERSION", "")
        .variable("KUBE_API_VERSIONS", "");
    failed(
        &server.render(&hydrator),
        "nothing is rendered for the source hydrator",
    );
    let left = Server::start(RULES, &["--uploads", "leave", "--hydrator", "leave"]);
    for upload in [&upload, &hydrator] {
        assert_eq!(
            left.render(upload).manifests(),
            [object("<path:a#password>")]
        );
    }
    let rendered = Server::start(RULES, &["--uploads", "render", "--hydrator", "render"]);
    for upload in [&upload, &hydrator] {
        assert_eq!(rendered.render(upload).manifests(), [object(SECRET)]);
    }
}

/// Two projects at once, many times: nobody ever sees the other's.
#[test]
fn nobody_gets_another_s_answer() {
    let server = Server::start(RULES, &["--secret-cache", "1m"]);
    let threads = [("a", SECRET), ("b", "cnry-of-b")].map(|(project, value)| {
        let socket = server.socket();
        std::thread::spawn(move || {
            let own = app(&secret(&format!("<path:{project}#password>")))
                .variable("ARGOCD_APP_PROJECT_NAME", project);
            let other = if project == "a" { "b" } else { "a" };
            let others = app(&secret(&format!("<path:{other}#password>")))
                .variable("ARGOCD_APP_PROJECT_NAME", project);
            for _ in 0..50 {
                let mut client = Client::connect(&socket);
                assert_eq!(client.render(&own).manifests(), [object(value)]);
                failed(&client.render(&others), "policy.paths does not let");
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}
