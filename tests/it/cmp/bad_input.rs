//! What no repo-server sends, and what people put into repositories: always an answer with the reason, never a secret.

use tar::{EntryType, Header};

use super::*;
use crate::support::repo_server::{archive, chunk, compress};

/// After whatever it was, the server renders as before.
fn still_renders(server: &Server) {
    let answer = server.render(&app(&secret("<path:a#password>")));
    assert_eq!(answer.manifests(), [object(SECRET)]);
}

#[test]
fn an_upload_out_of_order_is_read_to_its_end_and_told() {
    let server = Server::start(SETTINGS, &[]);
    // More than any buffer between us holds: a server that did not read it would leave us standing.
    let text = "x".repeat(100_000);
    let long: Vec<Vec<u8>> = (0..300).map(|_| chunk(text.as_bytes())).collect();
    let upload = app(&secret("<path:a#password>"));
    let metadata = upload.metadata();
    let mut client = server.client();
    for (mut messages, text) in [
        (vec![chunk(b"x")], "it does not begin with metadata"),
        (
            vec![metadata.clone(), metadata.clone()],
            "it holds metadata twice",
        ),
        (vec![metadata.clone(), vec![]], "it holds an empty message"),
        (
            vec![metadata.clone(), chunk(b"x")],
            "does not have the checksum",
        ),
    ] {
        messages.extend(long.iter().cloned());
        let stream = client.begin("GenerateManifest");
        for message in &messages {
            assert!(!client.is_over(stream), "ended while we still send: {text}");
            client.send(stream, message);
        }
        failed(&client.finish(stream), text);
    }
    for (method, messages, text) in [
        ("GenerateManifest", vec![], "it holds no metadata"),
        (
            "MatchRepository",
            vec![chunk(b"x")],
            "it does not begin with metadata",
        ),
        (
            "GetParametersAnnouncement",
            vec![chunk(b"x")],
            "it does not begin with metadata",
        ),
        ("GenerateManifest", vec![vec![0xff; 20]], "cannot be read"),
        (
            "GenerateManifest",
            vec![b"\x0a\x05".to_vec()],
            "cannot be read",
        ),
    ] {
        let mut client = server.client();
        let stream = client.begin(method);
        for message in &messages {
            client.send(stream, message);
        }
        failed(&client.finish(stream), text);
    }
    still_renders(&server);
}

#[test]
fn a_checksum_must_be_the_archive_s() {
    let server = Server::start(SETTINGS, &[]);
    let upload = app(&secret("<path:a#password>"));
    for checksum in ["", "0", &"0".repeat(64)] {
        let wrong = Upload {
            checksum: Some(checksum.to_owned()),
            ..upload.clone()
        };
        failed(&server.render(&wrong), "does not have the checksum");
    }
}

#[test]
fn connections_may_drop_at_every_message() {
    let server = Server::start(SETTINGS, &[]);
    let upload = Upload {
        chunk: 64,
        ..app(&secret("<path:a#password>"))
    };
    let messages = upload.messages();
    for cut in 0..=messages.len() {
        let mut client = server.client();
        let stream = client.begin("GenerateManifest");
        for message in &messages[..cut] {
            client.send(stream, message);
        }
        drop(client);
    }
    for cut in 0..=messages.len() {
        let mut client = server.client();
        let stream = client.begin("GenerateManifest");
        for message in &messages[..cut] {
            client.send(stream, message);
        }
        client.cancel(stream);
        assert_eq!(client.check().status, Some(0), "the connection works on");
    }
    still_renders(&server);
}

fn entry(kind: EntryType, name: &str, link: &str, claimed: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(claimed);
    let old = header.as_old_mut();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    header
}

#[test]
#[rustfmt::skip]
fn archives_that_lead_elsewhere_are_refused() {
    let server = Server::start(SETTINGS, &[]);
    let file = EntryType::Regular;
    for (header, text) in [
        (
            entry(file, "../x.yaml", "", 0),
            "whose name leads elsewhere",
        ),
        (
            entry(file, "/etc/x.yaml", "", 0),
            "whose name leads elsewhere",
        ),
        (
            entry(file, "apps/../../x", "", 0),
            "whose name leads elsewhere",
        ),
        (
            entry(EntryType::Symlink, "apps/shop/x.yaml", "../../../x", 0),
            "a link that leads out of it",
        ),
        (
            entry(EntryType::Symlink, "apps/shop/x.yaml", "/etc/passwd", 0),
            "a link that leads out of it",
        ),
        (
            entry(EntryType::Link, "apps/shop/x.yaml", "/etc/passwd", 0),
            "no file, folder or symbolic link",
        ),
        (
            entry(EntryType::Char, "apps/shop/x.yaml", "", 0),
            "no file, folder or symbolic link",
        ),
        (
            entry(EntryType::Fifo, "apps/shop/x.yaml", "", 0),
            "no file, folder or symbolic link",
        ),
        (
            entry(EntryType::GNUSparse, "apps/shop/x.yaml", "", 10 << 30),
            "the uploaded archive",
        ),
        (
            entry(file, "apps/shop/x.yaml", "", 10 << 30),
            "the uploaded archive is broken",
        ),
    ] {
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend([0; 1024]);
        let upload = Upload {
            archive: compress(&bytes),
            ..app("")
        };
        failed(&server.render(&upload), text);
    }
    still_renders(&server);
}

#[test]
fn archives_that_lie_are_refused() {
    let server = Server::start(SETTINGS, &[]);
    let good = archive(&[("apps/shop/a.yaml", &secret("x"))]);
    for (bytes, text) in [
        (
            good[..good.len() / 2].to_vec(),
            "the uploaded archive is broken",
        ),
        (b"no archive".to_vec(), "the uploaded archive is broken"),
        (Vec::new(), "the uploaded archive is broken"),
    ] {
        failed(
            &server.render(&Upload {
                archive: bytes,
                ..app("")
            }),
            text,
        );
    }
    for folder in ["nowhere", "..", "../..", "/", "apps/shop/a.yaml"] {
        let upload = Upload {
            folder: folder.to_owned(),
            ..app(&secret("x"))
        };
        failed(&server.render(&upload), "is not in the uploaded archive");
    }
    still_renders(&server);
}

/// A megabyte of zeros is a kilobyte compressed: 2 GiB of them are told, and not kept.
#[test]
fn archives_that_unpack_to_too_much_are_refused() {
    let server = Server::start(
        SETTINGS,
        &["--unpacked-limit", "8MiB", "--upload-limit", "1MiB"],
    );
    let zeros = "\0".repeat(9 << 20);
    let upload = Upload::new("apps/shop", &[("apps/shop/a.yaml", ""), ("zeros", &zeros)]);
    assert!(upload.archive.len() < 1 << 20);
    failed(
        &server.render(&upload),
        "the uploaded archive holds more than 8388608 bytes",
    );
    let upload = Upload {
        archive: vec![7; 1 << 21],
        chunk: 4096,
        ..app("")
    };
    failed(
        &server.render(&upload),
        "the uploaded archive has more than 1048576 bytes",
    );
    still_renders(&server);
}

#[test]
fn objects_that_repo_server_would_quote_are_never_sent() {
    let server = Server::start(SETTINGS, &[]);
    let head = "apiVersion: v1\nkind: Secret\n";
    for (manifest, text) in [
        (
            "apiVersion: v1\ndata: <path:a#password>\n".to_owned(),
            "kind",
        ),
        (
            format!("{head}metadata: {{annotations: {{a: '<path:a#password>', b: 1}}}}\n"),
            "metadata.annotations, at b",
        ),
        (
            format!("{head}metadata: {{labels: {{a: ['<path:a#password>']}}}}\n"),
            "metadata.labels, at a",
        ),
        (
            "apiVersion: v1\nkind: List\nitems: [{data: '<path:a#password>'}]\n".to_owned(),
            "item, number 1, that has no apiVersion",
        ),
        ("- <path:a#password>\n".to_owned(), "document 1 of a.yaml"),
        ("<path:a#password>\n".to_owned(), "document 1 of a.yaml"),
    ] {
        let answer = server.render(&app(&manifest));
        assert!(
            answer.status.is_some_and(|status| status != 0),
            "{manifest}"
        );
        assert!(
            answer.text.contains(text) || answer.text.contains("a.yaml:1"),
            "{text}: {}",
            answer.text
        );
        assert!(!answer.text.contains("cnry"), "{}", answer.text);
    }
}

#[test]
fn zero_objects_fail_unless_the_operator_allows_it() {
    let empty = || {
        Upload::new(
            "apps/shop",
            &[("apps/shop/a.yaml", "# nothing\n"), ("apps/shop/x.txt", "")],
        )
    };
    failed(
        &Server::start(SETTINGS, &[]).render(&empty()),
        "the application holds no documents",
    );
    let server = Server::start(SETTINGS, &["--allow-empty"]);
    assert_eq!(server.render(&empty()).manifests(), [""; 0]);
}

#[test]
fn many_and_odd_variables_are_taken() {
    let server = Server::start(SETTINGS, &[]);
    let mut upload = app(&secret("<path:a#password>"))
        .variable("KUBE_API_VERSIONS", "apps/v1,".repeat(25_000))
        .variable("ARGOCD_ENV_lower-case", "x")
        .variable("PARAM_X", b"\xff\xfe");
    for index in 0..2000 {
        upload = upload.variable(&format!("ARGOCD_ENV_{index}"), "v".repeat(100));
    }
    assert_eq!(server.render(&upload).manifests(), [object(SECRET)]);
}

#[test]
fn unknown_parameters_are_told() {
    let server = Server::start(SETTINGS, &[]);
    let of = |json: &str| app(&secret("<path:a#password>")).variable("ARGOCD_APP_PARAMETERS", json);
    for (json, text) in [
        (
            r#"[{"name":"bakend","string":"x"}]"#,
            "there is no parameter bakend",
        ),
        (
            r#"[{"name":"backend","string":"no"}]"#,
            "names no, which the operator has not set up",
        ),
        (
            r#"[{"name":"backend","map":{}}]"#,
            "the parameter backend must be a text",
        ),
        ("{", "is no list of parameters"),
    ] {
        failed(&server.render(&of(json)), text);
    }
    for json in [
        r#"[{"name":"backend","string":"files"}]"#,
        "[]",
        "null",
        r#"[{"name":"backend","string":""}]"#,
    ] {
        assert_eq!(
            server.render(&of(json)).manifests(),
            [object(SECRET)],
            "{json}"
        );
    }
}

#[test]
fn the_same_fault_has_the_same_text_and_all_are_told() {
    let server = Server::start(SETTINGS, &[]);
    let broken: Vec<_> = (0..200)
        .map(|n| secret(&format!("<path:a#none{n}>")))
        .collect();
    let broken = broken.join(
        "---
",
    );
    let first = server.render(&app(&broken));
    failed(&first, "a.yaml:5:");
    assert!(first.text.len() > 3000, "{}", first.text);
    for _ in 0..3 {
        assert_eq!(server.render(&app(&broken)).text, first.text);
    }
}

#[test]
#[rustfmt::skip]
fn wrong_flags_and_settings_are_told_before_anything_is_served() {
    let told = |settings: &str, flags: &[&str], text: &str| {
        let run = unnamed(settings, flags).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    };
    let named = ["--name", "p", "--socket-folder", "."];
    let more = |flags: &[&'static str]| [&named, flags].concat();
    let long = "x".repeat(120);
    told(
        "backends: {x: {type: no}}\n",
        &named,
        "there is no backend type",
    );
    told(
        SETTINGS,
        &more(&["--uploads", "maybe"]),
        "possible values: refuse, leave, render",
    );
    told(
        SETTINGS,
        &["--name", "a/b"],
        "cannot be the name of a plugin",
    );
    told(
        SETTINGS,
        &["--name", &long, "--socket-folder", "."],
        "a socket's path has at most 107 bytes",
    );
    told(
        SETTINGS,
        &["--name", "p", "--socket-folder", "no/such"],
        "could not be bound",
    );
    told(
        SETTINGS,
        &more(&["--config-dir-path", "no/such"]),
        "cannot be read",
    );
    told(
        SETTINGS,
        &more(&["--metrics-address", "127.0.0.1"]),
        "invalid",
    );
    told(
        SETTINGS,
        &more(&["--metrics-address", "192.0.2.1:1"]),
        "could not be bound",
    );
}

#[test]
fn what_else_keeps_it_from_serving_is_told() {
    let run = Program::manifuse(["cmp-server"]).run();
    assert!(
        run.stderr.contains("the plugin has no name"),
        "{}",
        run.stderr
    );
    let run = program(SETTINGS, &[])
        .env("ARGOCD_GRPC_MAX_SIZE_MB", "x")
        .run();
    assert!(
        run.stderr.contains("ARGOCD_GRPC_MAX_SIZE_MB is wrong"),
        "{}",
        run.stderr
    );
    let server = Server::of(program(SETTINGS, &[]).file("q.sock", "no socket"));
    let run = Program::manifuse([
        "cmp-server",
        "--name",
        "q",
        "--socket-folder",
        server.program.folder().to_str().unwrap(),
    ])
    .run();
    assert!(
        run.stderr.contains("no socket lies there"),
        "{}",
        run.stderr
    );
}
