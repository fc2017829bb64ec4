//! The way to the server: proxies, agents, SRV records, a rate limit, headers, and an upgrade to TLS.

use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use manifuse::backends::{Answer, Error, ErrorKind};
use manifuse::env::Environment;
use tokio::time::Instant;

use super::{PATIENCE, TOKEN, failure, fetch, kv2, open_in, request, run, with_token};
use crate::support::certificates::Certificates;
use crate::support::server::{Reply, Request, Server};

fn good() -> Reply {
    Reply::json(200, kv2(r#"{"k":"v"}"#))
}

/// A proxy for plain HTTP that answers by itself, and asks for a password or not.
fn proxy(password: Option<&'static str>) -> Server {
    Server::start(move |request: &Request| {
        if request.header("proxy-authorization") != password {
            return Reply::new(407, "");
        }
        good()
    })
}

/// One read by settings and an environment.
fn read(environment: &[(&str, &str)], settings: &[(&str, &str)]) -> Result<Answer, Error> {
    let token = [("AVP_AUTH_TYPE", "token"), ("VAULT_TOKEN", TOKEN)];
    let environment: Environment = environment.iter().copied().collect();
    let backend = open_in(&environment, &[&token[..], settings].concat()).unwrap();
    fetch(backend.as_ref(), "kv/data/a")
}

const NOWHERE: (&str, &str) = ("VAULT_ADDR", "http://vault.invalid:8200");
const ASKED: &str = "GET http://vault.invalid:8200/v1/kv/data/a";

#[test]
fn a_proxy_of_the_settings_wins_over_that_of_the_system() {
    let wrong = Server::start(|_| Reply::new(500, ""));
    let right = proxy(None);
    let (wrong, url) = (wrong.url(), right.url());
    let system = [("HTTP_PROXY", wrong.as_str()), ("NO_PROXY", "*")];
    read(&system, &[NOWHERE, ("VAULT_HTTP_PROXY", &url)]).unwrap();
    let both = [
        NOWHERE,
        ("VAULT_HTTP_PROXY", &wrong),
        ("VAULT_PROXY_ADDR", &url),
    ];
    read(&system, &both).unwrap();
    read(&[("http_proxy", &url)], &[NOWHERE]).unwrap();
    assert_eq!(right.lines(), [ASKED; 3]);
    // Also to this machine: a setting is meant.
    let here = [
        ("VAULT_ADDR", "http://127.0.0.1:1"),
        ("VAULT_PROXY_ADDR", url.as_str()),
    ];
    read(&[], &here).unwrap();
}

#[test]
fn the_system_proxy_is_left_out_for_this_machine_and_exceptions() {
    let broken = [("HTTP_PROXY", "http://127.0.0.1:1")];
    let server = Server::start(|_| good());
    read(&broken, &[("VAULT_ADDR", &server.url())]).unwrap();
    assert_eq!(server.lines(), ["GET /v1/kv/data/a"]);
    // Another machine is asked through it.
    let error = failure(read(&broken, &[NOWHERE]));
    assert_eq!(error.causes, ["connection refused"]);
    let hint = error.hint.unwrap();
    assert!(
        hint.ends_with("; the way leads through the proxy http://127.0.0.1:1"),
        "{hint}"
    );
}

#[test]
fn a_wrong_system_proxy_is_told_with_its_variable() {
    let environment: Environment = [("http_proxy", "ftp://CANARY@x")].into_iter().collect();
    let settings = [NOWHERE, ("AVP_AUTH_TYPE", "token"), ("VAULT_TOKEN", "t")];
    let error = open_in(&environment, &settings).err().unwrap();
    assert_eq!(
        error.to_string(),
        "error encountered setting up default configuration: \
         http_proxy: it must start with http://, https:// or socks5://"
    );
}

#[test]
fn a_proxy_gets_its_password_and_nobody_sees_it() {
    // "me" and "CANARY p" in base64.
    let right = proxy(Some("Basic bWU6Q0FOQVJZIHA="));
    let url = right.url().replace("://", "://me:CANARY%20p@");
    read(&[], &[NOWHERE, ("VAULT_PROXY_ADDR", &url)]).unwrap();
    let wrong = right.url().replace("://", "://me:CANARY@");
    let error = failure(read(&[], &[NOWHERE, ("VAULT_PROXY_ADDR", &wrong)]));
    assert!(error.message.ends_with("answered 407"), "{}", error.message);
    let nobody = "http://me:CANARY@127.0.0.1:1";
    let error = failure(read(&[], &[NOWHERE, ("VAULT_PROXY_ADDR", nobody)]));
    assert_eq!(error.kind, ErrorKind::Unreachable);
}

#[test]
fn a_tunnel_that_is_refused_shows_no_password() {
    let proxy = Server::start(|_| Reply::new(403, ""));
    let url = proxy.url().replace("://", "://me:CANARY@");
    let secure = [
        ("VAULT_ADDR", "https://vault.invalid:8200"),
        ("VAULT_PROXY_ADDR", &url),
        ("VAULT_SKIP_VERIFY", "1"),
    ];
    let error = failure(read(&[], &secure));
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(proxy.lines()[0], "CONNECT vault.invalid:8200");
    assert!(proxy.requests()[0].header("x-vault-token").is_none());
}

/// The URL's host is the TLS name then, and a proxy would be asked to connect to that.
#[test]
fn a_server_name_and_a_proxy_do_not_go_together() {
    let open = |system: &[(&str, &str)], address: &str, more: &[(&str, &str)]| {
        let environment: Environment = system.iter().copied().collect();
        let settings = [
            ("VAULT_ADDR", address),
            ("VAULT_TLS_SERVER_NAME", "v"),
            ("AVP_AUTH_TYPE", "token"),
            ("VAULT_TOKEN", "t"),
        ];
        open_in(&environment, &[&settings[..], more].concat())
    };
    let (tls, plain) = ("https://vault.invalid", "http://vault.invalid");
    let system = [("https_proxy", "http://127.0.0.1:1")];
    for outcome in [
        open(&[], tls, &[("VAULT_PROXY_ADDR", "http://127.0.0.1:1")]),
        open(&[], tls, &[("VAULT_HTTP_PROXY", "http://127.0.0.1:1")]),
        open(&system, tls, &[]),
        // A redirect may lead up to TLS.
        open(&system, plain, &[]),
    ] {
        let error = outcome.err().unwrap();
        assert_eq!(
            error.to_string(),
            "error encountered setting up default configuration: \
             VAULT_TLS_SERVER_NAME: it does not work through a proxy"
        );
        assert!(error.hint.unwrap().contains("NO_PROXY"));
    }
    let excepted = [system[0], ("NO_PROXY", ".invalid")];
    assert!(open(&excepted, tls, &[]).is_ok());
    assert!(open(&[("HTTP_PROXY", "http://127.0.0.1:1")], plain, &[]).is_ok());
}

#[test]
fn an_agent_wins_and_a_base_path_is_kept() {
    let agent = Server::start(|_| good());
    let url = format!("{}/base/", agent.url());
    read(
        &[],
        &[
            ("VAULT_ADDR", "http://127.0.0.1:1"),
            ("VAULT_AGENT_ADDR", &url),
        ],
    )
    .unwrap();
    assert_eq!(agent.lines(), ["GET /base/v1/kv/data/a"]);
}

#[test]
fn headers_of_the_settings_go_with_every_request() {
    let server = Server::start(|_| good());
    let headers = r#"{"X-Team": "a", "CF-Access-Client-Secret": "CANARY"}"#;
    let backend = with_token(&server.url(), &[("VAULT_HEADERS", headers)]);
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    let request = server.requests().remove(0);
    assert_eq!(request.header("x-team"), Some("a"));
    assert_eq!(request.header("cf-access-client-secret"), Some("CANARY"));
    assert_eq!(request.header("x-vault-token"), Some(TOKEN));
}

/// Both would make the answers unreadable, or are read by nobody.
#[test]
fn neither_wrapping_nor_a_second_factor_is_asked_for() {
    let server = Server::start(|_| good());
    let more = [("VAULT_WRAP_TTL", "60s"), ("VAULT_MFA", "x:CANARY")];
    fetch(with_token(&server.url(), &more).as_ref(), "kv/data/a").unwrap();
    let request = server.requests().remove(0);
    assert_eq!(request.header("x-vault-wrap-ttl"), None);
    assert_eq!(request.header("x-vault-mfa"), None);
}

#[test]
fn a_rate_limit_spreads_the_requests() {
    let server = Server::start(|_| good());
    let requests: Vec<_> = (0..6).map(|n| request(&format!("kv/data/{n}"))).collect();
    let time = |limit: &str| {
        let backend = with_token(&server.url(), &[("VAULT_RATE_LIMIT", limit)]);
        let start = Instant::now();
        let answers = run(backend.as_ref(), &requests, PATIENCE);
        assert!(answers.iter().all(Result::is_ok));
        start.elapsed()
    };
    // Four of six wait: for 50, 100, 150 and 200 ms.
    assert!(time("20:2") >= Duration::from_millis(200));
    assert!(time("0") < PATIENCE);
    let strict = with_token(&server.url(), &[("VAULT_RATE_LIMIT", "0.01")]);
    let limit = Duration::from_millis(500);
    let mut outcomes = run(strict.as_ref(), &requests[..2], limit);
    let error = failure(outcomes.remove(1));
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(
        error.message,
        format!("the rate limit leaves no time: GET {}", server.url())
    );
}

#[test]
fn a_redirect_up_to_tls_on_the_same_host_is_followed() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let secure = Server::start_tls(certificates.server(), |_| good());
    let to = format!("{}/v1/kv/data/a", secure.url());
    let plain = Server::start(move |_| Reply::new(307, "").with_header("Location", &to));
    let trusting = [("VAULT_CACERT_BYTES", certificates.ca_pem.as_str())];
    fetch(with_token(&plain.url(), &trusting).as_ref(), "kv/data/a").unwrap();
    let request = secure.requests().remove(0);
    assert_eq!(request.header("x-vault-token"), Some(TOKEN));
    assert_eq!(
        Some(secure.url().as_str()),
        request
            .header("host")
            .map(|h| format!("https://{h}"))
            .as_deref()
    );
    // Up to another host is away.
    let to = secure.url().replace("127.0.0.1", "localhost");
    let plain = Server::start(move |_| Reply::new(307, "").with_header("Location", &to));
    let error = failure(fetch(
        with_token(&plain.url(), &trusting).as_ref(),
        "kv/data/a",
    ));
    assert!(
        error.message.contains("redirects to another host"),
        "{}",
        error.message
    );
}

/// Answers each question for SRV records with these: priority, port and target.
fn dns(records: &[(u16, u16, &'static str)]) -> (String, Arc<std::sync::Mutex<Vec<String>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let asked: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let (records, log) = (records.to_vec(), asked.clone());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // It ends with the test's process.
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let query = &buffer[..length];
            let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
            log.lock().unwrap().push(name(&query[12..end - 5]));
            let mut answer = [&query[..2], b"\x84\x00\x00\x01\x00"].concat();
            answer.push(u8::try_from(records.len()).unwrap());
            answer.extend_from_slice(&[0; 4]);
            answer.extend_from_slice(&query[12..end]);
            for (priority, port, target) in &records {
                let mut target: Vec<u8> = target
                    .split('.')
                    .flat_map(|label| {
                        let length = u8::try_from(label.len()).unwrap();
                        [&[length], label.as_bytes()].concat()
                    })
                    .collect();
                target.push(0);
                let length = u16::try_from(6 + target.len()).unwrap();
                // The name of the question, SRV, IN, 60 s.
                answer.extend_from_slice(b"\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x3c");
                for number in [length, *priority, 0, *port] {
                    answer.extend_from_slice(&number.to_be_bytes());
                }
                answer.extend_from_slice(&target);
            }
            socket.send_to(&answer, client).unwrap();
        }
    });
    (address, asked)
}

fn name(labels: &[u8]) -> String {
    let mut rest = labels;
    let mut words = Vec::new();
    while let Some((length, tail)) = rest.split_first() {
        let (label, tail) = tail.split_at(usize::from(*length));
        words.push(String::from_utf8_lossy(label).into_owned());
        rest = tail;
    }
    words.join(".")
}

fn port(server: &Server) -> u16 {
    server.url().rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn a_service_is_found_by_its_srv_records() {
    let server = Server::start(|_| good());
    let (dns, asked) = dns(&[(20, 1, "localhost"), (10, port(&server), "localhost")]);
    let on = [
        ("VAULT_SRV_LOOKUP", "T"),
        ("MANIFUSE_VAULT_DNS_SERVER", &dns),
    ];
    let at = ("VAULT_ADDR", "http://vault.service.test/base");
    let backend = [&on[..], &[at]].concat();
    read(&[], &backend).unwrap();
    assert_eq!(server.lines(), ["GET /base/v1/kv/data/a"]);
    assert_eq!(
        server.requests()[0].header("host"),
        Some("vault.service.test")
    );
    assert_eq!(*asked.lock().unwrap(), ["_http._tcp.vault.service.test"]);
    // An address with a port is what it is.
    let url = server.url();
    read(&[], &[&on[..], &[("VAULT_ADDR", &url)]].concat()).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn without_srv_records_the_address_itself_is_asked() {
    let (dns, asked) = dns(&[]);
    let error = failure(read(
        &[],
        &[
            ("VAULT_ADDR", "http://vault.invalid"),
            ("VAULT_SRV_LOOKUP", "1"),
            ("MANIFUSE_VAULT_DNS_SERVER", &dns),
            ("VAULT_MAX_RETRIES", "0"),
        ],
    ));
    assert_eq!(error.message, "no connection: GET http://vault.invalid");
    assert!(!asked.lock().unwrap().is_empty());
}
