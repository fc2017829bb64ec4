//! Proxies that lead to a server without reading along: CONNECT for https, and SOCKS. They resolve the name, as Go's
//! client leaves it to them.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::{TOKEN, fetch, kv2, open, open_in};
use crate::support::certificates::Certificates;
use crate::support::server::{Reply, Server};

/// Takes a connection, says what was wished for, and leaves it open for the rest.
pub(crate) type Greeting = fn(&mut TcpStream) -> io::Result<String>;

/// A proxy that leads everywhere to the server at HOST:PORT, and what was wished for. It ends with the test's process.
pub(crate) fn proxy(target: &str, greet: Greeting) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let wishes: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = wishes.clone();
    let target = target.to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let Ok(wish) = greet(&mut client) else {
                continue;
            };
            log.lock().unwrap().push(wish);
            let server = TcpStream::connect(&target).unwrap();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                thread::spawn(move || drop(io::copy(&mut from, &mut to)));
            }
        }
    });
    (address, wishes)
}

pub(crate) fn connect(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(client)?);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let head = String::from_utf8_lossy(&head).into_owned();
    Ok(head.lines().next().unwrap().to_owned())
}

/// RFC 1928, with the user name and password of RFC 1929.
fn socks(client: &mut TcpStream) -> io::Result<String> {
    assert_eq!(byte(client)?, 5);
    assert!(text(client)?.contains('\x02'), "it offers a password");
    client.write_all(&[5, 2])?;
    assert_eq!(byte(client)?, 1);
    let (user, password) = (text(client)?, text(client)?);
    client.write_all(&[1, 0])?;
    let mut head = [0; 4];
    client.read_exact(&mut head)?;
    assert_eq!(head, [5, 1, 0, 3], "it asks for a connection to a name");
    let host = text(client)?;
    let port = u16::from_be_bytes([byte(client)?, byte(client)?]);
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    Ok(format!("{host}:{port} by {user} with {password}"))
}

fn byte(client: &mut TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    client.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// A length in one byte, and so many bytes.
fn text(client: &mut TcpStream) -> io::Result<String> {
    let mut text = vec![0; usize::from(byte(client)?)];
    client.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// One read through a proxy: from the server that answers to this name by https.
fn read(greet: Greeting, proxy_url: impl Fn(&str) -> String) -> Vec<String> {
    let certificates = Certificates::new(&["vault.invalid"]);
    let server = Server::start_tls(certificates.server(), |_| {
        Reply::json(200, kv2(r#"{"k":"v"}"#))
    });
    let target = server.url();
    let (address, wishes) = proxy(target.rsplit('/').next().unwrap(), greet);
    let backend = open(&[
        ("VAULT_ADDR", "https://vault.invalid:8200"),
        ("AVP_AUTH_TYPE", "token"),
        ("VAULT_TOKEN", TOKEN),
        ("VAULT_CACERT_BYTES", &certificates.ca_pem),
        ("VAULT_PROXY_ADDR", &proxy_url(&address)),
    ]);
    fetch(backend.unwrap().as_ref(), "kv/data/a").unwrap();
    assert_eq!(server.requests()[0].header("x-vault-token"), Some(TOKEN));
    assert_eq!(
        server.requests()[0].header("host"),
        Some("vault.invalid:8200")
    );
    let wishes = wishes.lock().unwrap();
    wishes.clone()
}

#[test]
fn https_goes_through_a_tunnel_that_sees_no_token() {
    let wishes = read(connect, str::to_owned);
    assert_eq!(wishes, ["CONNECT vault.invalid:8200 HTTP/1.1"]);
}

#[test]
fn socks_gets_name_and_password() {
    let wishes = read(socks, |address| format!("socks5://me:pass@{address}"));
    assert_eq!(wishes, ["vault.invalid:8200 by me with pass"]);
}

#[test]
fn a_redirect_up_to_tls_takes_the_proxy_for_tls() {
    let certificates = Certificates::new(&["vault.invalid"]);
    let secure = Server::start_tls(certificates.server(), |_| {
        Reply::json(200, kv2(r#"{"k":"v"}"#))
    });
    let target = secure.url();
    let (address, wishes) = proxy(target.rsplit('/').next().unwrap(), connect);
    let plain = Server::start(|_| {
        Reply::new(307, "").with_header("Location", "https://vault.invalid:8200/v1/kv/data/a")
    });
    let url = plain.url();
    let environment = [("HTTP_PROXY", url.as_str()), ("HTTPS_PROXY", &address)];
    let settings = [
        ("VAULT_ADDR", "http://vault.invalid:8200"),
        ("AVP_AUTH_TYPE", "token"),
        ("VAULT_TOKEN", TOKEN),
        ("VAULT_CACERT_BYTES", &certificates.ca_pem),
    ];
    let backend = open_in(&environment.into_iter().collect(), &settings).unwrap();
    fetch(backend.as_ref(), "kv/data/a").unwrap();
    assert_eq!(
        plain.lines(),
        ["GET http://vault.invalid:8200/v1/kv/data/a"]
    );
    assert_eq!(
        *wishes.lock().unwrap(),
        ["CONNECT vault.invalid:8200 HTTP/1.1"]
    );
    assert_eq!(secure.requests().len(), 1);
}
