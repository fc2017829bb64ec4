//! How it begins and ends, and what its operator sees meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::*;
use crate::support::server::{Reply, Server as Http};

/// A Vault whose answers take so long.
fn slow_vault(wait: Duration) -> Http {
    Http::start(move |request| {
        let body = r#"{"data":{"data":{"password":"cnry-value"},"metadata":{"version":1}}}"#;
        match request.header("x-vault-token") {
            Some("t") => Reply::json(200, body).after(wait),
            _ => Reply::json(403, r#"{"errors":["permission denied"]}"#),
        }
    })
}

fn settings(vault: &Http) -> String {
    let url = vault.url();
    format!(
        "defaultBackend: v\nbackends:\n  v: {{type: vault, address: '{url}', auth: {{type: token, token: t}}}}\n"
    )
}

const REFERENCE: &str = "<path:secret/data/x#password>";

/// Twenty renders are under way when it is told to end: all are answered, on connections that stay, and it ends after them.
#[test]
fn renders_under_way_are_finished_when_it_is_told_to_end() {
    let vault = slow_vault(Duration::from_millis(700));
    let mut server = Server::start(&settings(&vault), &["--renders", "20"]);
    let renders: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.client();
            thread::spawn(move || {
                let answer = client.render(&app(&secret(REFERENCE)));
                (answer.manifests(), client.check().status, client.goes_away)
            })
        })
        .collect();
    let start = Instant::now();
    while vault.requests().len() < 20 {
        assert!(start.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(5));
    }
    server.background.signal(Signal::TERM);
    server.background.wait_for("ending when");
    for render in renders {
        assert_eq!(
            render.join().unwrap(),
            (vec![object(SECRET)], Some(0), false)
        );
    }
    assert_eq!(
        server.background.wait(),
        Some(0),
        "{}",
        server.background.stderr()
    );
    assert!(!server.socket().exists());
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "not at the end of the grace time"
    );
}

/// Between two calls of one render nothing is cut; the grace time ends a client that never goes.
#[test]
fn a_connection_that_stays_open_is_served_until_the_grace_time_ends() {
    let mut server = Server::start(SETTINGS, &["--grace", "1s"]);
    let mut client = server.client();
    assert_eq!(client.check().status, Some(0));
    server.background.signal(Signal::TERM);
    server.background.wait_for("ending when");
    assert_eq!(
        client
            .render(&app(&secret("<path:a#password>")))
            .manifests(),
        [object(SECRET)]
    );
    assert!(!client.goes_away);
    assert_eq!(server.background.wait(), Some(0));
}

#[test]
fn a_socket_that_was_left_behind_is_taken_over() {
    let first = Server::start(SETTINGS, &[]);
    first.background.signal(Signal::KILL);
    thread::sleep(Duration::from_millis(100));
    assert!(first.socket().exists(), "it could not clean up");
    let folder = first.program.folder();
    let flags = ["--name", "p", "--socket-folder", folder.to_str().unwrap()];
    let program = unnamed(SETTINGS, &flags);
    let mut second = program.start_in_background();
    second.wait_for("serving");
    assert_eq!(first.client().check().status, Some(0));
}

#[test]
fn a_render_that_is_given_up_frees_its_place() {
    let vault = slow_vault(Duration::from_secs(20));
    let mut server = Server::start(&settings(&vault), &["--renders", "1"]);
    for kind in ["reset", "drop"] {
        let mut client = server.client();
        let stream = client.begin("GenerateManifest");
        for message in app(&secret(REFERENCE)).messages() {
            client.send(stream, &message);
        }
        client.half_close(stream);
        let before = vault.requests().len();
        let start = Instant::now();
        while vault.requests().len() == before && start.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(5));
        }
        if kind == "reset" {
            client.cancel(stream);
            assert_eq!(client.check().status, Some(0));
        }
        drop(client);
        let answer = server.render(&app(&secret("plain")));
        assert_eq!(answer.manifests(), [object("plain")], "{kind}");
    }
    server.background.wait_for("given up");
    assert!(!server.background.stderr().contains("cnry"));
}

#[test]
fn metrics_and_the_log_tell_what_happened_and_no_name_of_a_secret() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let address = port.to_string();
    let flags = [
        "--metrics-address",
        &address,
        "--log-format",
        "json",
        "--secret-cache",
        "1m",
    ];
    let mut server = Server::start(SETTINGS, &flags);
    for reference in ["<path:a#password>", "<path:a#password>", "<path:a#nothing>"] {
        server.render(&app(&secret(reference)));
    }
    server.background.wait_for("not rendered");
    let mut stream = TcpStream::connect(port).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    for line in [
        "manifuse_renders_total{outcome=\"rendered\"} 2",
        "manifuse_renders_total{outcome=\"input\"} 1",
        "manifuse_renders_under_way 0",
        "manifuse_secrets_shared_total 1",
        "manifuse_render_seconds_count 3",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(
        !text.contains("shop") && !text.contains("password"),
        "{text}"
    );
    let log = server.background.stderr();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["time"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["request"], &last["project"], &last["application"]),
        (&3.into(), &"a".into(), &"shop".into())
    );
    assert!(!log.contains("cnry"), "{log}");
}

/// A log that nobody takes stops nothing.
#[test]
fn a_full_disk_for_the_log_stops_nothing() {
    let program = program(SETTINGS, &[]);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut child = program.start_with(full.into());
    let start = Instant::now();
    let socket = program.folder().join("p.sock");
    while !socket.exists() {
        assert!(start.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(5));
    }
    let answer = Client::connect(&socket).render(&app(&secret("<path:a#password>")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(answer.manifests(), [object(SECRET)]);
}
