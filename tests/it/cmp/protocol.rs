//! All four calls, in all forms in which they come.

use std::time::Duration;

use super::*;
use crate::support::repo_server::{Field, chunk};

#[test]
fn an_application_is_rendered() {
    let mut server = Server::start(SETTINGS, &[]);
    let files = [
        (
            "apps/shop/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\ndata: {a: yes, b: '<path:a#password>'}\n",
        ),
        (
            "apps/shop/b/c.yaml",
            "---\n---\napiVersion: v1\nkind: X\n---\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List2}]\n",
        ),
        (
            "apps/shop/d.json",
            "{\"apiVersion\":\"v1\", \"kind\":\"Z\"}",
        ),
        ("apps/shop/notes.txt", "no manifest"),
        ("other/e.yaml", "no: manifest"),
    ];
    let mut client = server.client();
    let check = client.check();
    assert!(
        check.fields().is_empty(),
        "no discovery, no credentials: {check:?}"
    );
    let answer = client.render(&Upload::new("apps/shop", &files));
    let expected = [
        r#"{"apiVersion":"v1","kind":"ConfigMap","data":{"a":true,"b":"cnry-value"}}"#,
        r#"{"apiVersion":"v1","kind":"X"}"#,
        r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List2"}]}"#,
        r#"{"apiVersion":"v1","kind":"Z"}"#,
    ];
    assert_eq!(answer.manifests(), expected);
    assert!(answer.fields().iter().all(|(number, _)| *number == 1));
    server.background.wait_for("rendered");
    let log = server.background.stderr();
    assert!(log.contains(r#"application="shop" project="a""#), "{log}");
    assert!(!log.contains("cnry"), "{log}");
}

#[test]
fn every_form_of_the_authority_is_served() {
    let server = Server::start(SETTINGS, &[]);
    for authority in [
        "/home/argocd/cmp-server/plugins/p.sock",
        "%2Fhome%2Fargocd%2Fcmp-server%2Fplugins%2Fp.sock",
        "home%2Fargocd%2Fcmp-server%2Fplugins%2Fp.sock",
        "localhost",
    ] {
        let mut client = Client::connect_as(&server.socket(), authority);
        assert_eq!(client.check().status, Some(0), "{authority}");
        let answer = client.render(&app(&secret("<path:a#password>")));
        assert_eq!(answer.manifests(), [object(SECRET)], "{authority}");
        assert_eq!(client.check().status, Some(0), "{authority}");
    }
}

#[test]
fn chunks_of_any_size_are_taken() {
    let server = Server::start(SETTINGS, &[]);
    for size in [1, 7, 1024, 4 << 20] {
        let upload = Upload {
            chunk: size,
            ..app(&secret("<path:a#password>"))
        };
        assert_eq!(
            server.render(&upload).manifests(),
            [object(SECRET)],
            "{size}"
        );
    }
    let upload = app(&secret("<path:a#password>"));
    let mut client = server.client();
    let stream = client.begin("GenerateManifest");
    for message in upload.messages() {
        client.send(stream, &message);
        client.send(stream, &chunk(b""));
    }
    assert_eq!(client.finish(stream).manifests(), [object(SECRET)]);
}

/// 2,500 files, and an application that lies in the root, in a folder, or behind `..` and links.
#[test]
fn the_application_may_lie_anywhere_in_a_large_repository() {
    let server = Server::start(SETTINGS, &[]);
    let names: Vec<String> = (0..2500).map(|n| format!("files/{n}/x.txt")).collect();
    let text = "x".repeat(500);
    let mut files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), text.as_str()))
        .collect();
    let manifest = secret("<path:a#password>");
    files.push(("a.yaml", &manifest));
    files.push(("apps/shop/b.yaml", &manifest));
    assert_eq!(
        server.render(&Upload::new(".", &files)).manifests().len(),
        2
    );
    for folder in ["apps/shop", "./apps/shop", "apps/../apps/shop"] {
        assert_eq!(
            server
                .render(&Upload::new(folder, &files))
                .manifests()
                .len(),
            1
        );
    }
}

#[test]
fn pings_are_answered_while_an_upload_is_under_way_and_connections_never_go_away() {
    let server = Server::start(SETTINGS, &[]);
    let upload = app(&secret("<path:a#password>"));
    let mut client = server.client();
    for _ in 0..3 {
        let stream = client.begin("GenerateManifest");
        client.ping([0; 8]);
        for message in upload.messages() {
            client.send(stream, &message);
        }
        client.ping([2, 4, 16, 16, 9, 14, 7, 7]);
        assert_eq!(client.finish(stream).status, Some(0));
    }
    assert_eq!(client.check().status, Some(0));
    assert!(client.pongs.len() >= 6, "{:?}", client.pongs);
    assert!(!client.goes_away);
}

#[test]
fn calls_on_one_connection_run_beside_each_other() {
    let server = Server::start(SETTINGS, &[]);
    let mut client = server.client();
    let uploads: Vec<Upload> = (0..8)
        .map(|n| app(&secret(&format!("n{n}-<path:a#password>"))))
        .collect();
    let streams: Vec<u32> = uploads
        .iter()
        .map(|_| client.begin("GenerateManifest"))
        .collect();
    let longest = uploads
        .iter()
        .map(|upload| upload.messages().len())
        .max()
        .unwrap();
    for index in 0..longest {
        for (upload, stream) in uploads.iter().zip(&streams) {
            if let Some(message) = upload.messages().get(index) {
                client.send(*stream, message);
            }
        }
    }
    for stream in &streams {
        client.half_close(*stream);
    }
    for (index, stream) in streams.into_iter().enumerate().rev() {
        let expected = object(&format!("n{index}-{SECRET}"));
        assert_eq!(client.answer(stream).manifests(), [expected]);
    }
}

#[test]
fn without_discovery_nothing_is_supported_and_the_upload_is_read() {
    let server = Server::start(SETTINGS, &[]);
    let answer = server
        .client()
        .upload("MatchRepository", &app(&secret("<path:a#password>")));
    assert!(answer.fields().is_empty(), "false and false: {answer:?}");
}

#[test]
fn with_discovery_applications_with_references_are_ours() {
    let server = Server::start(SETTINGS, &["--discover"]);
    let check = server.client().check();
    assert_eq!(check.fields(), [(1, Field::Number(1))]);
    for (text, is_ours) in [
        (secret("<path:a#password>"), true),
        (secret("<files:a#password>"), true),
        (secret("plain"), false),
        ("a: {{ broken".to_owned(), false),
        ("x: ENC[AES256_GCM,x]\nkind: Secret\n".to_owned(), true),
    ] {
        // In detection without a type, only the application's own variables come.
        let mut upload = app(&text);
        upload.variables.truncate(5);
        let fields = server.client().upload("MatchRepository", &upload).fields();
        let supported = fields.contains(&(1, Field::Number(1)));
        assert_eq!(
            (supported, fields.contains(&(2, Field::Number(1)))),
            (is_ours, true),
            "{text}"
        );
    }
}

#[test]
fn a_plugin_file_gives_name_version_discovery_and_parameters() {
    let file = "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata: {name: mine}\nspec:\n  version: v2\n  generate: {command: [sh]}\n  discover: {fileName: ./values-*.yaml}\n  parameters: {static: [{name: own, title: Own, string: x}]}\n";
    let program = Program::manifuse([
        "cmp-server",
        "-c",
        "manifuse.yaml",
        "--config-dir-path",
        "config",
        "--socket-folder",
        ".",
    ])
    .file("manifuse.yaml", SETTINGS)
    .file("config/plugin.yaml", file)
    .file("secrets/a/password", SECRET);
    let server = Server::of(program);
    let mut client = Client::connect(&server.program.folder().join("mine-v2.sock"));
    assert_eq!(client.check().fields(), [(1, Field::Number(1))]);
    for (name, is_ours) in [
        ("apps/shop/values-a.yaml", 1),
        ("apps/shop/b/values-a.yaml", 0),
    ] {
        let upload = Upload::new("apps/shop", &[("apps/shop/x.yaml", ""), (name, "a: 1")]);
        let fields = client.upload("MatchRepository", &upload).fields();
        assert_eq!(fields.len(), 1 + is_ours, "{name} {fields:?}");
    }
    let names = parameters(&client.upload("GetParametersAnnouncement", &app("")));
    assert_eq!(
        names,
        [
            "own",
            "backend",
            "values-files",
            "values",
            "set",
            "helm-arguments"
        ]
    );
}

fn parameters(answer: &Answer) -> Vec<String> {
    let fields = answer.fields().into_iter();
    let messages = fields.map(|(number, field)| match (number, field) {
        (1, Field::Bytes(bytes)) => crate::support::repo_server::decode(&bytes),
        other => panic!("{other:?}"),
    });
    messages
        .map(|fields| {
            fields
                .into_iter()
                .find(|(number, _)| *number == 1)
                .unwrap()
                .1
                .text()
        })
        .collect()
}

#[test]
fn parameters_are_announced_without_asking_any_store() {
    let server = Server::start(
        "backends:\n  v: {type: vault, address: 'http://127.0.0.1:1', auth: {type: token, token: t}}\n",
        &[],
    );
    let answer = server
        .client()
        .upload("GetParametersAnnouncement", &app(""));
    assert_eq!(
        parameters(&answer),
        ["backend", "values-files", "values", "set", "helm-arguments"]
    );
    let lists = answer
        .fields()
        .iter()
        .filter(|(_, field)| field_text(field).contains("array"))
        .count();
    assert_eq!(lists, 2);
}

fn field_text(field: &Field) -> String {
    match field {
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Field::Number(_) => String::new(),
    }
}

#[test]
fn health_is_told_to_probes() {
    let server = Server::start(SETTINGS, &[]);
    let health = |service: &[u8]| {
        server
            .client()
            .unary("/grpc.health.v1.Health/Check", service)
    };
    assert_eq!(health(&[]).fields(), [(1, Field::Number(1))]);
    assert_eq!(health(b"\x0a\x01x").status, Some(5));
    assert_eq!(
        server
            .client()
            .unary("/plugin.ConfigManagementPluginService/No", &[])
            .status,
        Some(12)
    );
    assert_eq!(server.client().unary("/x", &[]).status, Some(12));
    let probe = || {
        let folder = server.program.folder();
        Program::manifuse([
            "cmp-server",
            "--name",
            "p",
            "--check",
            "--socket-folder",
            folder.to_str().unwrap(),
        ])
        .run()
    };
    assert_eq!(probe().code, Some(0), "{}", probe().stderr);
    server.background.signal(rustix::process::Signal::KILL);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(probe().code, Some(3));
    assert!(
        probe().stderr.contains("does not answer"),
        "{}",
        probe().stderr
    );
}

/// The sidecar of the example and of the page is started as they say.
#[test]
fn the_example_s_command_line_is_right() {
    let example = include_str!("../../../examples/argocd-server/repo-server.yaml");
    let page = include_str!("../../../docs/argocd.md");
    let mut found = 0;
    for text in [example, page] {
        for line in text.lines() {
            let words = ["args: [", "exec: {command: [manifuse, "];
            let Some(rest) = words.iter().find_map(|word| line.trim().strip_prefix(word)) else {
                continue;
            };
            let arguments: Vec<&str> = rest.split(']').next().unwrap().split(", ").collect();
            let more = if arguments.contains(&"--check") {
                None
            } else {
                Some("--check")
            };
            let run = Program::manifuse(arguments.into_iter().chain(more)).run();
            assert_eq!(
                run.code,
                Some(3),
                "no server is there: {line} {}",
                run.stderr
            );
            found += 1;
        }
    }
    assert_eq!(found, 4);
}
