//! An HTTP/1.1 server on 127.0.0.1 whose answers a closure makes, and which can misbehave on demand.
//!
//! Plain threads: a thread per connection, so that it also serves tests without a runtime and sees the program under
//! test only through a socket. Everything ends when the [`Server`] is dropped.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `PUT`, …
    pub(crate) method: String,
    /// Path and query as sent, percent-encoding included.
    pub(crate) target: String,
    /// Header names in lower case, and values, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first header of that name (lower case).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// Method and target in one, for short comparisons: `GET /v1/secret`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// An answer as it should be; the connection stays open.
    Answer {
        /// The status code.
        status: u16,
        /// Headers besides `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The connection is closed without a byte of answer.
    Close,
    /// Half of an answer, then a TCP reset.
    Reset,
    /// `Content-Length` promises ten bytes more than come.
    Truncated(Vec<u8>),
    /// A chunked body of that many bytes, or until the client hangs up.
    Endless(u64),
    /// These bytes and nothing else, then the connection is closed.
    Raw(Vec<u8>),
    /// No answer at all: the connection stays open until the client or the server goes.
    Silence,
    /// Another reply after a while.
    Late(Duration, Box<Reply>),
}

impl Reply {
    /// An answer without further headers.
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An answer in JSON.
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, body).with_header("Content-Type", "application/json")
    }

    /// The same with a header more; misbehaviour has no headers.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same after a while.
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self::Late(wait, Box::new(self))
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running server; dropping it ends it and all its connections.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Box<Handler>,
    tls: Option<Arc<ServerConfig>>,
    requests: Mutex<Vec<Request>>,
    stopping: AtomicBool,
    next: AtomicU64,
    /// The open connections, to cut them when the server goes.
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Server {
    /// Serves plain HTTP on a free port.
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, Box::new(handler))
    }

    /// Serves HTTPS on a free port.
    pub(crate) fn start_tls(
        tls: Arc<ServerConfig>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(tls), Box::new(handler))
    }

    fn listen(tls: Option<Arc<ServerConfig>>, handler: Box<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler,
            tls,
            requests: Mutex::default(),
            stopping: AtomicBool::new(false),
            next: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let accepting = thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Self {
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    /// `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// All requests so far, in the order of their arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Method and target of all requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes `accept`, which has no other way to hear of it.
        drop(TcpStream::connect(self.address));
        for stream in self.shared.open.lock().unwrap().values() {
            drop(stream.shutdown(Shutdown::Both));
        }
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let id = shared.next.fetch_add(1, Ordering::SeqCst);
        let kept = stream.try_clone().unwrap();
        shared.open.lock().unwrap().insert(id, kept);
        let shared = shared.clone();
        thread::spawn(move || {
            // A client that hangs up is no failure of the server.
            drop(serve(stream, id, &shared));
            shared.open.lock().unwrap().remove(&id);
        });
    }
}

/// What a connection reads from and writes to.
trait Wire: Read + Write {
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

fn serve(stream: TcpStream, id: u64, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let wire: Box<dyn Wire> = match &shared.tls {
        None => Box::new(stream),
        Some(config) => {
            let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            Box::new(StreamOwned::new(connection, stream))
        }
    };
    let mut wire = BufReader::new(wire);
    while let Some(request) =
        read_request(&mut wire).or_else(|error| bad_request(&mut wire, error))?
    {
        shared.requests.lock().unwrap().push(request.clone());
        let reply = (shared.handler)(&request);
        match answer(wire.get_mut().as_mut(), reply, id, shared)? {
            Then::Next => {}
            Then::HangUp => return wire.get_ref().socket().shutdown(Shutdown::Both),
            Then::Drop => return Ok(()),
        }
    }
    Ok(())
}

/// What becomes of the connection after an answer.
enum Then {
    /// It serves another request.
    Next,
    /// It is shut down.
    HangUp,
    /// It is only dropped: a shutdown would say goodbye before a reset can.
    Drop,
}

fn read_request(wire: &mut BufReader<Box<dyn Wire>>) -> io::Result<Option<Request>> {
    match wire.fill_buf()?.first() {
        None => return Ok(None),
        // Not a method: it may hold no line end at all.
        Some(first) if !first.is_ascii_uppercase() => return Err(io::ErrorKind::InvalidData.into()),
        Some(_) => {}
    }
    let mut line = String::new();
    wire.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        wire.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        let header = (name.to_ascii_lowercase(), value.trim().to_owned());
        request.headers.push(header);
    }
    let length = request.header("content-length").unwrap_or("0");
    let length = length.parse().map_err(io::Error::other)?;
    request.body.resize(length, 0);
    wire.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// What a server says to something that is not HTTP, for example TLS.
fn bad_request(
    wire: &mut BufReader<Box<dyn Wire>>,
    error: io::Error,
) -> io::Result<Option<Request>> {
    if error.kind() == io::ErrorKind::InvalidData {
        wire.get_mut()
            .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")?;
        wire.get_mut().flush()?;
    }
    Err(error)
}

/// Does what the reply says.
fn answer(wire: &mut dyn Wire, reply: Reply, id: u64, shared: &Shared) -> io::Result<Then> {
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => {
            wire.write_all(&head_and_body(status, &headers, &body, body.len()))?;
            wire.flush()?;
            return Ok(Then::Next);
        }
        Reply::Close => {}
        Reply::Reset => {
            let text = head_and_body(200, &[], b"{\"data\":", 100);
            wire.write_all(&text)?;
            wire.flush()?;
            // The copy in the table would keep the connection from being closed, and so from being reset.
            shared.open.lock().unwrap().remove(&id);
            return reset(wire.socket()).map(|()| Then::Drop);
        }
        Reply::Truncated(body) => {
            wire.write_all(&head_and_body(200, &[], &body, body.len() + 10))?;
            wire.flush()?;
        }
        Reply::Endless(bytes) => endless(wire, bytes)?,
        Reply::Raw(bytes) => {
            wire.write_all(&bytes)?;
            wire.flush()?;
        }
        Reply::Silence => {
            // Returns when either side hangs up.
            let _ = wire.read(&mut [0]);
        }
        Reply::Late(wait, reply) => {
            thread::sleep(wait);
            return answer(wire, *reply, id, shared);
        }
    }
    Ok(Then::HangUp)
}

fn head_and_body(status: u16, headers: &[(String, String)], body: &[u8], length: usize) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .flat_map(|(name, value)| [name, ": ", value, "\r\n"])
        .collect();
    let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// Sends `bytes` bytes in chunks; ends with the client's hanging up as an error.
fn endless(wire: &mut dyn Wire, bytes: u64) -> io::Result<()> {
    const CHUNK: usize = 1 << 16;
    wire.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
    chunk.extend(std::iter::repeat_n(b' ', CHUNK));
    chunk.extend_from_slice(b"\r\n");
    for _ in 0..bytes.div_ceil(CHUNK as u64) {
        wire.write_all(&chunk)?;
    }
    wire.write_all(b"0\r\n\r\n")?;
    wire.flush()
}

/// Makes the close of a socket a reset. The standard library cannot set this option; tokio can.
fn reset(socket: &TcpStream) -> io::Result<()> {
    let copy = socket.try_clone()?;
    copy.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async { tokio::net::TcpStream::from_std(copy)?.set_zero_linger() })
}

mod tests {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;
    use crate::support::certificates::Certificates;

    /// Sends one request on a connection of its own and reads until the server hangs up or the answer is whole.
    fn exchange(server: &Server) -> io::Result<String> {
        let mut stream = TcpStream::connect(server.address)?;
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        let mut buffer = [0; 1024];
        loop {
            let count = stream.read(&mut buffer)?;
            text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
            if count == 0 || text.ends_with("end") {
                return Ok(text);
            }
        }
    }

    #[test]
    fn serves_several_requests_on_one_connection_and_records_them() {
        let server = Server::start(|request| Reply::json(200, request.body.clone()));
        let mut stream = TcpStream::connect(server.address).unwrap();
        for body in ["one", "two"] {
            let text =
                format!("PUT /v1/{body}?q=1 HTTP/1.1\r\nX-A: b\r\nContent-Length: 3\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).unwrap();
            let expected = format!(
                "HTTP/1.1 200 Status\r\nContent-Length: 3\r\nContent-Type: application/json\r\n\r\n{body}"
            );
            let mut answer = vec![0; expected.len()];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(String::from_utf8(answer).unwrap(), expected);
        }
        assert_eq!(server.lines(), ["PUT /v1/one?q=1", "PUT /v1/two?q=1"]);
        assert_eq!(server.requests()[1].header("x-a"), Some("b"));
    }

    #[test]
    fn misbehaves_on_demand() {
        let closing = Server::start(|_| Reply::Close);
        assert_eq!(exchange(&closing).unwrap(), "");
        let cutting = Server::start(|_| Reply::Truncated(b"abc".to_vec()));
        let expected = "HTTP/1.1 200 Status\r\nContent-Length: 13\r\n\r\nabc";
        assert_eq!(exchange(&cutting).unwrap(), expected);
        let raw = Server::start(|_| Reply::Raw(b"what".to_vec()));
        assert_eq!(exchange(&raw).unwrap(), "what");
        let late = Server::start(|_| Reply::new(200, "end").after(Duration::from_millis(5)));
        assert!(exchange(&late).unwrap().ends_with("end"));
    }

    #[test]
    fn a_reset_is_a_reset() {
        let server = Server::start(|_| Reply::Reset);
        let error = exchange(&server).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn an_endless_body_is_as_long_as_told() {
        let server = Server::start(|_| Reply::Endless(3 << 16));
        let length = exchange(&server).unwrap().len();
        assert!((3 << 16..4 << 16).contains(&length), "{length}");
    }

    #[test]
    fn dropping_the_server_ends_a_silent_connection() {
        let server = Server::start(|_| Reply::Silence);
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        while server.requests().is_empty() {
            thread::yield_now();
        }
        drop(server);
        // An end or a reset, but not a wait for ever.
        assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0);
    }

    /// One request over TLS by a client that trusts the authority, with or without a certificate of its own.
    fn exchange_tls(
        server: &Server,
        certificates: &Certificates,
        known: bool,
    ) -> io::Result<Vec<u8>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(pem(&certificates.ca_pem)).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = if known {
            let key = PrivateKeyDer::from_pem_slice(certificates.client_key_pem.as_bytes());
            let chain = vec![pem(&certificates.client_pem)];
            config.with_client_auth_cert(chain, key.unwrap()).unwrap()
        } else {
            config.with_no_client_auth()
        };
        let name = "localhost".try_into().unwrap();
        let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(server.address)?;
        let mut stream = StreamOwned::new(client, socket);
        stream.write_all(b"GET /tls HTTP/1.1\r\n\r\n")?;
        let mut answer = vec![0; 15];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    fn pem(text: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(text.as_bytes()).unwrap()
    }

    #[test]
    fn speaks_tls_with_its_own_authority() {
        let certificates = Certificates::new(&["localhost", "127.0.0.1"]);
        let server = Server::start_tls(certificates.server(), |_| Reply::new(200, "end"));
        assert!(server.url().starts_with("https://127.0.0.1:"));
        let answer = exchange_tls(&server, &certificates, false).unwrap();
        assert_eq!(answer, b"HTTP/1.1 200 St");
        assert_eq!(server.lines(), ["GET /tls"]);
    }

    #[test]
    fn tells_known_clients_from_others() {
        let certificates = Certificates::new(&["localhost"]);
        let tls = certificates.server_for_known_clients();
        let server = Server::start_tls(tls, |_| Reply::new(200, "end"));
        exchange_tls(&server, &certificates, false).unwrap_err();
        let answer = exchange_tls(&server, &certificates, true).unwrap();
        assert_eq!(answer, b"HTTP/1.1 200 St");
    }
}
