//! TLS: whom we trust, who we are, and that certificate errors are final. Also a server behind a Unix socket.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use manifuse::backends::{Answer, Error, ErrorKind};

use super::{failure, fetch, kv2, request, run, with_token};
use crate::support::certificates::Certificates;
use crate::support::server::{Reply, Server};

fn answer() -> Reply {
    Reply::json(200, kv2(r#"{"k":"v"}"#))
}

fn read(server: &Server, more: &[(&str, &str)]) -> Result<Answer, Error> {
    fetch(with_token(&server.url(), more).as_ref(), "kv/data/a")
}

#[test]
fn trusts_the_authority_of_the_settings_however_it_is_given() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let server = Server::start_tls(certificates.server(), |_| answer());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    fs::write(&file, &certificates.ca_pem).unwrap();
    for setting in [
        ("VAULT_CACERT", file.to_str().unwrap()),
        ("VAULT_CAPATH", folder.path().to_str().unwrap()),
        ("VAULT_CACERT_BYTES", certificates.ca_pem.as_str()),
        ("VAULT_SKIP_VERIFY", "true"),
    ] {
        read(&server, &[setting]).unwrap();
    }
}

#[test]
fn an_unknown_authority_is_final() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let other = Certificates::new(&["127.0.0.1"]);
    let server = Server::start_tls(certificates.server(), |_| answer());
    // The system's authorities know nothing of ours.
    for more in [&[][..], &[("VAULT_CACERT_BYTES", other.ca_pem.as_str())]] {
        let error = failure(read(&server, more));
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert_eq!(
            error.message,
            format!("no secure connection: GET {}", server.url())
        );
        assert!(error.hint.unwrap().contains("authority"));
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_certificate_for_another_name_is_refused_unless_that_name_is_asked_for() {
    let certificates = Certificates::new(&["vault.example.com"]);
    let server = Server::start_tls(certificates.server(), |_| answer());
    let ca = ("VAULT_CACERT_BYTES", certificates.ca_pem.as_str());
    let error = failure(read(&server, &[ca]));
    assert_eq!(
        error.message,
        format!("no secure connection: GET {}", server.url())
    );
    read(
        &server,
        &[ca, ("VAULT_TLS_SERVER_NAME", "vault.example.com")],
    )
    .unwrap();
    let host = server.url().replace("https://", "");
    assert_eq!(server.requests()[0].header("host"), Some(host.as_str()));
}

#[test]
fn shows_its_own_certificate_where_one_is_wanted() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let server = Server::start_tls(certificates.server_for_known_clients(), |_| answer());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = write("c.pem", &certificates.client_pem);
    let key = write("k.pem", &certificates.client_key_pem);
    let ca = ("VAULT_CACERT_BYTES", certificates.ca_pem.as_str());
    let error = failure(read(&server, &[ca]));
    assert_eq!(error.kind, ErrorKind::Unreachable);
    let own = [
        ca,
        ("VAULT_CLIENT_CERT", &certificate),
        ("VAULT_CLIENT_KEY", &key),
    ];
    read(&server, &own).unwrap();
}

#[test]
fn a_key_of_another_certificate_is_told_without_a_request() {
    let ours = Certificates::new(&["127.0.0.1"]);
    let theirs = Certificates::new(&["127.0.0.1"]);
    let folder = tempfile::tempdir().unwrap();
    let certificate = folder.path().join("c.pem");
    let key = folder.path().join("k.pem");
    fs::write(&certificate, &ours.client_pem).unwrap();
    fs::write(&key, &theirs.client_key_pem).unwrap();
    let error = super::open(&[
        ("VAULT_ADDR", "https://127.0.0.1:1"),
        ("AVP_AUTH_TYPE", "token"),
        ("VAULT_TOKEN", "t"),
        ("VAULT_CACERT_BYTES", ours.ca_pem.as_str()),
        ("VAULT_CLIENT_CERT", certificate.to_str().unwrap()),
        ("VAULT_CLIENT_KEY", key.to_str().unwrap()),
    ]);
    let error = error.err().unwrap();
    assert_eq!(
        error.to_string(),
        "error encountered setting up default configuration: the TLS settings for https://127.0.0.1:1 do not work"
    );
    assert!(error.hint.unwrap().contains("KeyMismatch"));
}

/// The first shows whether HTTP/2 lets the others share its connection; where it does not, they go side by side.
#[test]
fn the_first_request_over_tls_goes_alone() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = Server::start_tls(certificates.server(), {
        let (seen, most) = (seen.clone(), most.clone());
        move |_| {
            let beside = now.fetch_add(1, Ordering::SeqCst);
            seen.lock().unwrap().push(beside);
            most.fetch_max(beside, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
            now.fetch_sub(1, Ordering::SeqCst);
            answer()
        }
    });
    let ca = ("VAULT_CACERT_BYTES", certificates.ca_pem.as_str());
    let backend = with_token(&server.url(), &[ca]);
    let requests: Vec<_> = (0..8).map(|n| request(&format!("kv/data/{n}"))).collect();
    let answers = run(backend.as_ref(), &requests, super::PATIENCE);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(seen.lock().unwrap()[..2], [0, 0], "alone, and then another");
    assert!(
        most.load(Ordering::SeqCst) > 2,
        "{:?}",
        seen.lock().unwrap()
    );
}

/// Nobody waits for each other's failure.
#[test]
fn a_failing_first_request_over_tls_holds_nobody_up() {
    let server = Server::start(|_| Reply::Silence);
    let url = server.url().replace("http:", "https:");
    let more = [
        ("VAULT_SKIP_VERIFY", "1"),
        ("VAULT_CLIENT_TIMEOUT", "300ms"),
    ];
    let backend = with_token(&url, &more);
    let requests: Vec<_> = (0..8).map(|n| request(&format!("kv/data/{n}"))).collect();
    let start = Instant::now();
    for outcome in run(backend.as_ref(), &requests, super::PATIENCE) {
        assert_eq!(failure(outcome).kind, ErrorKind::Unreachable);
    }
    assert!(start.elapsed() < super::PATIENCE / 2);
}

#[test]
fn plain_http_on_a_tls_port_and_the_other_way_round() {
    let plain = Server::start(|_| answer());
    let url = plain.url().replace("http:", "https:");
    let backend = with_token(&url, &[("VAULT_SKIP_VERIFY", "1")]);
    let error = failure(fetch(backend.as_ref(), "kv/data/a"));
    assert_eq!(error.message, format!("no secure connection: GET {url}"));
    assert!(error.hint.unwrap().contains("http://"));

    let certificates = Certificates::new(&["127.0.0.1"]);
    let tls = Server::start_tls(certificates.server(), |_| answer());
    let url = tls.url().replace("https:", "http:");
    let error = failure(fetch(with_token(&url, &[]).as_ref(), "kv/data/a"));
    assert!(
        matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Malformed),
        "{error:?}"
    );
}

#[test]
fn a_redirect_from_https_to_http_is_refused() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let thief = Server::start(|_| answer());
    let target = format!("{}/v1/kv/data/a", thief.url());
    let server = Server::start_tls(certificates.server(), move |_| {
        Reply::new(307, "").with_header("Location", &target)
    });
    let error = failure(read(&server, &[("VAULT_SKIP_VERIFY", "true")]));
    assert!(
        error.message.contains("redirects to another host"),
        "{error}"
    );
    assert!(thief.requests().is_empty());
}

#[test]
fn talks_to_an_agent_behind_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let body = kv2(r#"{"k":"v"}"#);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        String::from_utf8(head).unwrap()
    });
    let agent = format!("unix://{}", path.display());
    let more = [("VAULT_AGENT_ADDR", agent.as_str())];
    let backend = with_token("http://127.0.0.1:1", &more);
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    let head = served.join().unwrap();
    assert!(head.starts_with("GET /v1/kv/data/a HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: localhost\r\n"), "{head}");
}
