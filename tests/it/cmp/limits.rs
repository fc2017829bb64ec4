//! Deadlines, queues and sizes.

use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::support::server::{Reply, Server as Http};

fn hanging_vault() -> Http {
    Http::start(|_| Reply::json(200, "{}").after(Duration::from_mins(1)))
}

fn settings(vault: &Http) -> String {
    let url = vault.url();
    format!(
        "defaultBackend: v\nbackends:\n  v: {{type: vault, address: '{url}', auth: {{type: token, token: t}}}}\n"
    )
}

const REFERENCE: &str = "<path:secret/data/x#password>";

/// The reason comes while the caller still waits.
#[test]
fn a_store_that_hangs_is_named_before_the_caller_s_time_is_up() {
    let vault = hanging_vault();
    let server = Server::start(&settings(&vault), &[]);
    for (timeout, longest) in [("1500m", 1500), ("900000u", 900)] {
        let mut client = server.client().timeout(Some(timeout));
        let start = Instant::now();
        let answer = client.render(&app(&secret(REFERENCE)));
        assert!(
            start.elapsed() < Duration::from_millis(longest),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(answer.status, Some(14), "{}", answer.text);
        failed(&answer, "in time");
    }
    let server = Server::start(&settings(&vault), &["--render-timeout", "1s"]);
    let mut client = server.client().timeout(None);
    failed(&client.render(&app(&secret(REFERENCE))), "in time");
}

/// A client that never ends its upload has its answer at its deadline.
#[test]
fn an_upload_that_never_ends_is_given_up_at_the_deadline() {
    let server = Server::start(SETTINGS, &[]);
    for method in [
        "GenerateManifest",
        "MatchRepository",
        "GetParametersAnnouncement",
    ] {
        let mut client = server.client().timeout(Some("500m"));
        let stream = client.begin(method);
        client.send(stream, &app("").metadata());
        failed(&client.answer(stream), "the upload did not end");
    }
}

#[test]
fn more_renders_than_there_is_room_for_wait_and_then_are_told() {
    let vault = hanging_vault();
    let server = Server::start(&settings(&vault), &["--renders", "2"]);
    let hanging: Vec<_> = (0..2)
        .map(|_| {
            let socket = server.socket();
            thread::spawn(move || {
                Client::connect(&socket)
                    .timeout(Some("3S"))
                    .render(&app(&secret(REFERENCE)))
                    .status
            })
        })
        .collect();
    let start = Instant::now();
    while vault.requests().len() < 2 && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(5));
    }
    let mut client = server.client().timeout(Some("1S"));
    failed(&client.render(&app(&secret("plain"))), "the plugin is busy");
    // One that waits longer has its turn.
    let mut client = server.client().timeout(Some("20S"));
    assert_eq!(
        client.render(&app(&secret("plain"))).manifests(),
        [object("plain")]
    );
    assert!(
        hanging
            .into_iter()
            .all(|render| render.join().unwrap() == Some(14))
    );
}

#[test]
fn what_argo_cd_would_not_take_is_told() {
    let large = format!(
        "apiVersion: v1\nkind: ConfigMap\ndata: {{x: {}}}\n",
        "y".repeat(2 << 20)
    );
    let server = Server::of(program(SETTINGS, &[]).env("ARGOCD_GRPC_MAX_SIZE_MB", "1"));
    failed(
        &server.render(&app(&large)),
        "have more than 1048576 bytes, which Argo CD does not take",
    );
    let server = Server::start(SETTINGS, &[]);
    assert_eq!(server.render(&app(&large)).manifests().len(), 1);
    let server = Server::start(SETTINGS, &["--input-limit", "1MiB"]);
    failed(&server.render(&app(&large)), "have more than 1048576 bytes");
}

/// A message that is larger than any may be is refused without being read into memory.
#[test]
fn messages_have_a_limit() {
    let server = Server::of(program(SETTINGS, &[]).env("ARGOCD_GRPC_MAX_SIZE_MB", "1"));
    let mut client = server.client();
    let stream = client.begin("GenerateManifest");
    client.send(stream, &vec![0; 2 << 20]);
    failed(&client.finish(stream), "larger than the plugin takes");
    assert_eq!(server.render(&app(&secret("plain"))).status, Some(0));
}

/// Hundreds of connections, each with a call; and as many that only stand there.
#[test]
fn many_connections_are_served() {
    let server = Server::start(SETTINGS, &[]);
    let idle: Vec<Client> = (0..100).map(|_| server.client()).collect();
    let renders: Vec<_> = (0..200)
        .map(|_| {
            let socket = server.socket();
            thread::spawn(move || {
                Client::connect(&socket)
                    .render(&app(&secret("<path:a#password>")))
                    .manifests()
            })
        })
        .collect();
    for render in renders {
        assert_eq!(render.join().unwrap(), [object(SECRET)]);
    }
    drop(idle);
}
