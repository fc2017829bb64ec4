//! What Argo CD's repo-server does at the socket of a plugin, byte for byte: HTTP/2 as Go's gRPC writes it (with a socket's
//! path for the authority, a table for headers, and pings), uploads in pieces of 1024 bytes, and archives as Go makes them.
//! Its messages are put together here, and not by the program's own definitions.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use loona_hpack::{Decoder, Encoder};
use sha2::{Digest as _, Sha256};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: u32 = 8;
const WINDOW: i64 = 65_535;

/// A connection to a plugin.
pub(crate) struct Client {
    socket: UnixStream,
    authority: String,
    encoder: Encoder<'static>,
    decoder: Decoder<'static>,
    next: u32,
    window: i64,
    initial_window: i64,
    streams: BTreeMap<u32, Stream>,
    /// The payloads of pings that were answered.
    pub(crate) pongs: Vec<Vec<u8>>,
    /// Whether the server has said that the connection ends.
    pub(crate) goes_away: bool,
    timeout: Option<String>,
}

#[derive(Default)]
struct Stream {
    window: i64,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    ended: bool,
    reset: Option<u32>,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `grpc-status`; `None` where the call ended without one.
    pub(crate) status: Option<u32>,
    /// `grpc-message`.
    pub(crate) text: String,
    /// The message, if there is one.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The fields of the message.
    pub(crate) fn fields(&self) -> Vec<(u64, Field)> {
        assert_eq!(self.status, Some(0), "{}", self.text);
        decode(&self.body)
    }

    /// The manifests of a render.
    pub(crate) fn manifests(&self) -> Vec<String> {
        let fields = self.fields().into_iter();
        fields
            .filter(|(number, _)| *number == 1)
            .map(|(_, field)| field.text())
            .collect()
    }
}

/// A value of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Field {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl Client {
    /// As Argo CD from 3.2 on.
    pub(crate) fn connect(socket: &Path) -> Self {
        let authority = socket
            .to_str()
            .unwrap()
            .trim_start_matches('/')
            .replace('/', "%2F");
        Self::connect_as(socket, &authority)
    }

    pub(crate) fn connect_as(path: &Path, authority: &str) -> Self {
        let mut socket = UnixStream::connect(path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        socket
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        let mut client = Self {
            socket,
            authority: authority.to_owned(),
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            next: 1,
            window: WINDOW,
            initial_window: WINDOW,
            streams: BTreeMap::new(),
            pongs: Vec::new(),
            goes_away: false,
            timeout: Some("59976094u".to_owned()),
        };
        client.frame(SETTINGS, 0, 0, &[]);
        // It waits for the server's settings before its first call.
        while !client.read_frame().unwrap() {}
        client
    }

    /// What the caller waits for, as `grpc-timeout` writes it.
    pub(crate) fn timeout(mut self, text: Option<&str>) -> Self {
        self.timeout = text.map(ToOwned::to_owned);
        self
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // A server that has ended the connection is found out by reading.
        let _ = self.socket.write_all(&frame(kind, flags, stream, payload));
    }

    /// Begins a call, and gives its number.
    pub(crate) fn begin(&mut self, method: &str) -> u32 {
        let path = format!("/plugin.ConfigManagementPluginService/{method}");
        self.begin_at(&path)
    }

    pub(crate) fn begin_at(&mut self, path: &str) -> u32 {
        let mut fields = vec![
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", &self.authority),
            ("content-type", "application/grpc"),
            ("user-agent", "grpc-go/1.83.0"),
            ("te", "trailers"),
            ("grpc-accept-encoding", "gzip"),
        ];
        if let Some(timeout) = &self.timeout {
            fields.push(("grpc-timeout", timeout));
        }
        let fields = fields.iter().map(|(a, b)| (a.as_bytes(), b.as_bytes()));
        let block = self.encoder.encode(fields);
        let stream = self.next;
        self.next += 2;
        let window = self.initial_window;
        self.streams.insert(
            stream,
            Stream {
                window,
                ..Stream::default()
            },
        );
        self.frame(HEADERS, END_HEADERS, stream, &block);
        stream
    }

    /// Sends a message, as far as the server lets it. Go asks how fast the connection is now and then.
    pub(crate) fn send(&mut self, stream: u32, message: &[u8]) {
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        framed.extend(message);
        for piece in framed.chunks(16_384) {
            let size = i64::try_from(piece.len()).unwrap();
            while self.window < size || self.streams[&stream].window < size {
                if self.is_over(stream) || self.read_frame().is_none() {
                    return;
                }
            }
            self.window -= size;
            self.streams.get_mut(&stream).unwrap().window -= size;
            self.frame(DATA, 0, stream, piece);
        }
    }

    /// Whether the server has ended the call.
    pub(crate) fn is_over(&self, stream: u32) -> bool {
        let stream = &self.streams[&stream];
        stream.ended || stream.reset.is_some()
    }

    pub(crate) fn ping(&mut self, payload: [u8; 8]) {
        self.frame(PING, 0, 0, &payload);
    }

    pub(crate) fn half_close(&mut self, stream: u32) {
        self.frame(DATA, END_STREAM, stream, &[]);
    }

    pub(crate) fn cancel(&mut self, stream: u32) {
        self.frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    }

    /// Ends the call on our side, and waits for the answer.
    pub(crate) fn finish(&mut self, stream: u32) -> Answer {
        self.half_close(stream);
        self.answer(stream)
    }

    pub(crate) fn answer(&mut self, stream: u32) -> Answer {
        while !self.is_over(stream) {
            if self.read_frame().is_none() {
                break;
            }
        }
        let stream = self.streams.remove(&stream).unwrap();
        let get = |name: &str| {
            let found = stream.fields.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.clone())
        };
        let text = get("grpc-message").unwrap_or_else(|| format!("{:?}", stream.reset));
        Answer {
            status: get("grpc-status").map(|text| text.parse().unwrap()),
            text: percent_decoded(&text),
            body: stream.body.get(5..).unwrap_or_default().to_vec(),
        }
    }

    /// A call with one message.
    pub(crate) fn unary(&mut self, path: &str, message: &[u8]) -> Answer {
        let stream = self.begin_at(path);
        self.send(stream, message);
        self.finish(stream)
    }

    pub(crate) fn check(&mut self) -> Answer {
        self.unary(
            "/plugin.ConfigManagementPluginService/CheckPluginConfiguration",
            &[],
        )
    }

    /// An upload to a method.
    pub(crate) fn upload(&mut self, method: &str, upload: &Upload) -> Answer {
        let stream = self.begin(method);
        for message in upload.messages() {
            self.send(stream, &message);
        }
        self.finish(stream)
    }

    pub(crate) fn render(&mut self, upload: &Upload) -> Answer {
        self.upload("GenerateManifest", upload)
    }

    fn take_settings(&mut self, payload: &[u8]) {
        for setting in payload.chunks(6) {
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            if setting[..2] == [0, 4] {
                let old = std::mem::replace(&mut self.initial_window, i64::from(value));
                let more = self.initial_window - old;
                for stream in self.streams.values_mut() {
                    stream.window += more;
                }
            }
        }
        self.frame(SETTINGS, ACK, 0, &[]);
    }

    /// Takes the next frame; whether it was the server's settings. `None` where the connection has ended.
    fn read_frame(&mut self) -> Option<bool> {
        let mut header = [0; 9];
        self.socket.read_exact(&mut header).ok()?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.socket.read_exact(&mut payload).ok()?;
        let (kind, flags) = (header[3], header[4]);
        let number = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        match kind {
            SETTINGS if flags & ACK == 0 => {
                self.take_settings(&payload);
                return Some(true);
            }
            PING if flags & ACK == 0 => self.frame(PING, ACK, 0, &payload),
            PING => self.pongs.push(payload),
            GOAWAY => self.goes_away = true,
            WINDOW_UPDATE => {
                let more = i64::from(u32::from_be_bytes(payload.as_slice().try_into().unwrap()));
                match self.streams.get_mut(&number) {
                    Some(stream) => stream.window += more,
                    None if number == 0 => self.window += more,
                    None => {}
                }
            }
            HEADERS => {
                assert_ne!(flags & END_HEADERS, 0, "our answers have short headers");
                let fields = self.decoder.decode(&payload).unwrap();
                let text = |bytes| String::from_utf8(bytes).unwrap();
                let fields = fields.into_iter().map(|(a, b)| (text(a), text(b)));
                if let Some(stream) = self.streams.get_mut(&number) {
                    stream.fields.extend(fields);
                    stream.ended |= flags & END_STREAM != 0;
                }
            }
            DATA => {
                if let Some(stream) = self.streams.get_mut(&number) {
                    stream.body.extend(&payload);
                    stream.ended |= flags & END_STREAM != 0;
                }
                if !payload.is_empty() {
                    for stream in [0, number] {
                        self.frame(WINDOW_UPDATE, 0, stream, &length.to_be_bytes());
                    }
                    self.frame(PING, 0, 0, &[2, 4, 16, 16, 9, 14, 7, 7]);
                }
            }
            RST_STREAM => {
                if let Some(stream) = self.streams.get_mut(&number) {
                    stream.reset = Some(u32::from_be_bytes(payload.as_slice().try_into().unwrap()));
                }
            }
            _ => {}
        }
        Some(false)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(&rest[..2]).unwrap();
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// An upload as repo-server makes it; tests change what is to be wrong.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) folder: String,
    pub(crate) variables: Vec<(String, Vec<u8>)>,
    pub(crate) archive: Vec<u8>,
    pub(crate) checksum: Option<String>,
    pub(crate) chunk: usize,
}

impl Upload {
    /// A repository of these files, and the application in one of its folders. All variables are those of a controller.
    pub(crate) fn new(folder: &str, files: &[(&str, &str)]) -> Self {
        let mut upload = Self {
            folder: folder.to_owned(),
            variables: Vec::new(),
            archive: archive(files),
            checksum: None,
            chunk: 1024,
        };
        for (name, value) in [
            ("ARGOCD_APP_NAME", "shop"),
            ("ARGOCD_APP_NAMESPACE", "shop"),
            ("ARGOCD_APP_PROJECT_NAME", "a"),
            (
                "ARGOCD_APP_REVISION",
                "0f1e2d3c4b5a69788796a5b4c3d2e1f001122334",
            ),
            ("ARGOCD_APP_SOURCE_PATH", folder),
            ("KUBE_VERSION", "1.33.0"),
            ("KUBE_API_VERSIONS", "v1,apps/v1,apps/v1/Deployment"),
            ("ARGOCD_APP_PARAMETERS", "null"),
        ] {
            upload = upload.variable(name, value);
        }
        upload
    }

    /// The same with a variable; a later one of a name counts.
    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.variables
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn metadata(&self) -> Vec<u8> {
        let mut metadata = Vec::new();
        field(
            1,
            self.folder.rsplit('/').next().unwrap().as_bytes(),
            &mut metadata,
        );
        field(2, self.folder.as_bytes(), &mut metadata);
        let digest = format!("{:x}", Sha256::digest(&self.archive));
        field(
            3,
            self.checksum.as_ref().unwrap_or(&digest).as_bytes(),
            &mut metadata,
        );
        metadata.push(4 << 3);
        varint(self.archive.len() as u64, &mut metadata);
        for (name, value) in &self.variables {
            let mut entry = Vec::new();
            field(1, name.as_bytes(), &mut entry);
            field(2, value, &mut entry);
            field(5, &entry, &mut metadata);
        }
        let mut message = Vec::new();
        field(1, &metadata, &mut message);
        message
    }

    /// All messages in order.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        let mut messages = vec![self.metadata()];
        messages.extend(self.archive.chunks(self.chunk).map(chunk));
        messages
    }
}

/// A message with a piece of the archive: 1030 bytes for 1024, with the five before each message.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let (mut file, mut message) = (Vec::new(), Vec::new());
    if !bytes.is_empty() {
        field(1, bytes, &mut file);
    }
    field(2, &file, &mut message);
    message
}

fn field(number: u8, bytes: &[u8], message: &mut Vec<u8>) {
    message.push(number << 3 | 2);
    varint(bytes.len() as u64, message);
    message.extend(bytes);
}

fn varint(mut number: u64, message: &mut Vec<u8>) {
    while number >= 0x80 {
        message.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    message.push(u8::try_from(number).unwrap());
}

/// The fields of a message: numbers and bytes.
pub(crate) fn decode(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut found = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            found |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        found
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes);
        let value = number(&mut bytes);
        let field = if key.is_multiple_of(8) {
            Field::Number(value)
        } else {
            let (field, rest) = bytes.split_at(usize::try_from(value).unwrap());
            bytes = rest;
            Field::Bytes(field.to_vec())
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// Files as Go's archive holds them: `.` first, folders without a slash, all in lexical order.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut names = BTreeMap::from([(PathBuf::from("."), None)]);
    for (name, text) in files {
        for folder in Path::new(name)
            .ancestors()
            .skip(1)
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            names.insert(folder.to_owned(), None);
        }
        names.insert(PathBuf::from(name), Some(*text));
    }
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in names {
        let mut header = tar::Header::new_ustar();
        header.set_mode(if text.is_some() { 0o644 } else { 0o755 });
        header.set_entry_type(if text.is_some() {
            tar::EntryType::Regular
        } else {
            tar::EntryType::Directory
        });
        header.set_size(text.map_or(0, |text| text.len() as u64));
        let name = name.to_str().unwrap();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder
            .append(&header, text.unwrap_or_default().as_bytes())
            .unwrap();
    }
    compress(&builder.into_inner().unwrap())
}

pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
