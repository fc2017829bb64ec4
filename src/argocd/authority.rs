//! repo-server's HTTP/2 as our HTTP/2 library takes it: gRPC of Go sends a socket's path as `:authority`
//! (`home%2Fargocd%2F…`), which no URL can hold, so that every call would be refused (`argocd-cmp.md` 3.2).
//!
//! Only what comes in is changed, and of it only header blocks: they are decoded with the table of their connection and
//! written again without it, with `localhost` for the authority.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use loona_hpack::Decoder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a client says first.
const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
/// What a frame may hold as long as we tell nobody otherwise.
const FRAME: usize = 16 << 10;
/// What a header block may hold, and all fields of one that are written out. Real ones have 500 bytes.
const BLOCK: usize = 64 << 10;
/// The table for header blocks as long as we tell nobody otherwise.
const TABLE: usize = 4096;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// The bytes of a client, with another `:authority`.
pub struct Rewriter {
    table: Decoder<'static>,
    /// What is not looked at yet: less than a frame's header, or a frame of headers.
    pending: Vec<u8>,
    /// How many bytes go through as they are.
    passing: usize,
    /// A header block that is not complete.
    block: Option<Block>,
}

struct Block {
    stream: [u8; 4],
    end_stream: bool,
    fragments: Vec<u8>,
}

impl Default for Rewriter {
    fn default() -> Self {
        let mut table = Decoder::new();
        table.set_max_allowed_table_size(TABLE);
        Self {
            table,
            pending: Vec::new(),
            passing: PREFACE,
            block: None,
        }
    }
}

impl Rewriter {
    /// Takes the next bytes of a connection, and appends what they become. After an error the connection is of no use.
    pub fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.passing > 0 {
                let (through, rest) = bytes.split_at(self.passing.min(bytes.len()));
                out.extend_from_slice(through);
                self.passing -= through.len();
                bytes = rest;
                continue;
            }
            let wanted = self.wanted() - self.pending.len();
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.pending.extend_from_slice(part);
            bytes = rest;
            if self.pending.len() == FRAME_HEADER && part.len() == wanted {
                self.frame_begins(out)?;
            }
            if self.pending.len() > FRAME_HEADER && self.pending.len() == self.wanted() {
                self.headers(out)?;
            }
        }
        Ok(())
    }

    /// How many pending bytes can be worked with: a frame's header, or the whole frame.
    fn wanted(&self) -> usize {
        match self.pending.get(..FRAME_HEADER) {
            Some(header) => FRAME_HEADER + length(header),
            None => FRAME_HEADER,
        }
    }

    fn frame_begins(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let (length, kind) = (length(&self.pending), self.pending[3]);
        let continues = kind == CONTINUATION;
        if continues != self.block.is_some() {
            return Err(broken("a header block is cut by another frame"));
        }
        if kind != HEADERS && !continues {
            out.append(&mut self.pending);
            self.passing = length;
            return Ok(());
        }
        if length > FRAME {
            return Err(broken("a frame is too large"));
        }
        if length == 0 {
            self.headers(out)?;
        }
        Ok(())
    }

    /// The pending frame is one of headers, and complete.
    fn headers(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let frame = std::mem::take(&mut self.pending);
        let (header, payload) = frame.split_at(FRAME_HEADER);
        let flags = header[4];
        let stream = [header[5], header[6], header[7], header[8]];
        let fragment = if header[3] == HEADERS {
            fragment(flags, payload)?
        } else {
            payload
        };
        let block = self.block.get_or_insert_with(|| Block {
            stream,
            end_stream: flags & END_STREAM != 0,
            fragments: Vec::new(),
        });
        if block.stream != stream {
            return Err(broken("a header block goes on in another stream"));
        }
        if block.fragments.len() + fragment.len() > BLOCK {
            return Err(broken("a header block is too large"));
        }
        block.fragments.extend_from_slice(fragment);
        if flags & END_HEADERS != 0
            && let Some(block) = self.block.take()
        {
            self.rewrite(&block, out)?;
        }
        Ok(())
    }

    fn rewrite(&mut self, block: &Block, out: &mut Vec<u8>) -> io::Result<()> {
        let mut fields = Vec::with_capacity(block.fragments.len() * 2);
        let decoded = self.table.decode_with_cb(&block.fragments, |name, value| {
            if fields.len() <= BLOCK {
                let is_authority = *name == *b":authority";
                literal(
                    &name,
                    if is_authority { b"localhost" } else { &value },
                    &mut fields,
                );
            }
        });
        decoded.map_err(|_| broken("a header block cannot be read"))?;
        if fields.len() > BLOCK {
            return Err(broken("the fields of a header block are too large"));
        }
        let mut kind = HEADERS;
        let mut rest = fields.as_slice();
        loop {
            let (part, left) = rest.split_at(rest.len().min(FRAME));
            let end_headers = if left.is_empty() { END_HEADERS } else { 0 };
            let end_stream = u8::from(kind == HEADERS && block.end_stream) * END_STREAM;
            let length = u32::try_from(part.len()).expect("a frame is small");
            out.extend_from_slice(&length.to_be_bytes()[1..]);
            out.extend_from_slice(&[kind, end_headers | end_stream]);
            out.extend_from_slice(&block.stream);
            out.extend_from_slice(part);
            if left.is_empty() {
                return Ok(());
            }
            (kind, rest) = (CONTINUATION, left);
        }
    }
}

/// The part of a frame of headers that belongs to the block.
fn fragment(flags: u8, payload: &[u8]) -> io::Result<&[u8]> {
    let short = || broken("a frame of headers is too short");
    let mut fragment = payload;
    let mut padding = 0;
    if flags & PADDED != 0 {
        let (length, rest) = fragment.split_first().ok_or_else(short)?;
        (padding, fragment) = (usize::from(*length), rest);
    }
    if flags & PRIORITY != 0 {
        fragment = fragment.get(5..).ok_or_else(short)?;
    }
    let end = fragment.len().checked_sub(padding).ok_or_else(short)?;
    Ok(&fragment[..end])
}

/// A field that names no table and enters none (RFC 7541, 6.2.2).
fn literal(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    for text in [name, value] {
        string_length(text.len(), out);
        out.extend_from_slice(text);
    }
}

/// An integer with a prefix of seven bits (RFC 7541, 5.1).
fn string_length(length: usize, out: &mut Vec<u8>) {
    const PREFIX: usize = 0x7f;
    let Some(mut rest) = length.checked_sub(PREFIX) else {
        out.push(low_bits(length));
        return;
    };
    out.push(low_bits(PREFIX));
    while rest > PREFIX {
        out.push(low_bits(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low_bits(rest));
}

fn low_bits(number: usize) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// What a frame's header says of its length.
fn length(header: &[u8]) -> usize {
    let bytes = [0, header[0], header[1], header[2]];
    usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX)
}

fn broken(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A connection with [`Rewriter`] on the side that is read.
pub struct Connection<S> {
    stream: S,
    rewriter: Rewriter,
    buffer: Box<[u8]>,
    ready: Vec<u8>,
    /// How much of `ready` was taken.
    taken: usize,
}

impl<S> Connection<S> {
    /// Wraps a fresh connection.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            rewriter: Rewriter::default(),
            buffer: vec![0; 32 << 10].into(),
            ready: Vec::new(),
            taken: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.taken == this.ready.len() {
            this.ready.clear();
            this.taken = 0;
            let mut read = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.rewriter.feed(read.filled(), &mut this.ready)?;
        }
        let rest = &this.ready[this.taken..];
        let part = &rest[..rest.len().min(into.remaining())];
        into.put_slice(part);
        this.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
