//! A scalar as it stands in a text, and the map between its decoded text and its source bytes.
//!
//! The map is made by decoding the token again, and is only offered when that gives what the parser read: so a mistake
//! here can cost a prettier edit, never a wrong one.

use std::fmt;
use std::ops::Range;

use super::event::Style;
use super::lines;
use crate::diagnostics::Span;

/// A scalar in its text.
#[derive(Clone, Copy)]
pub struct Scalar<'s> {
    /// The text that the spans count in.
    pub text: &'s str,
    /// The token (see [`super::Event::span`]).
    pub span: Span,
    /// How it is written.
    pub style: Style,
    /// Where the token before it ended.
    pub after: usize,
}

/// Without the text.
impl fmt::Debug for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scalar")
            .field("span", &self.span)
            .field("style", &self.style)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}

/// The header of a block scalar: `|`, `>-`, `|2+`, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// The indicators, without a comment behind them.
    pub indicators: Span,
    /// The end of the header's line, before its line break.
    pub line_end: usize,
    /// What happens to line ends at the end of the text.
    pub chomping: Chomping,
    /// Whether the indentation is given by a digit.
    pub digit: bool,
}

/// What happens to line ends at the end of a block scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chomping {
    /// `-`: all go.
    Strip,
    /// One stays.
    Clip,
    /// `+`: all stay.
    Keep,
}

impl<'s> Scalar<'s> {
    /// The token's bytes.
    pub fn source(&self) -> &'s str {
        &self.text[self.span.range()]
    }

    /// The header, if this is a block scalar.
    pub fn block_header(&self) -> Option<BlockHeader> {
        if !matches!(self.style, Style::Literal | Style::Folded) {
            return None;
        }
        let start = header_start(self.text.as_bytes(), self.after)?;
        let line_end = lines::end_of(self.text, start);
        let indicators = self.text[start..line_end]
            .split([' ', '\t'])
            .next()
            .unwrap_or_default();
        let chomping = match indicators {
            text if text.contains('-') => Chomping::Strip,
            text if text.contains('+') => Chomping::Keep,
            _ => Chomping::Clip,
        };
        let digit = indicators.bytes().any(|byte| byte.is_ascii_digit());
        Some(BlockHeader {
            indicators: Span::new(start, start + indicators.len()),
            line_end,
            chomping,
            digit,
        })
    }

    /// The lines of a block scalar, from behind the header's line break to the end of its last line that is not blank
    /// (line break not included), and the indentation of its content.
    pub fn block_body(&self) -> Option<BlockBody> {
        let header = self.block_header()?;
        let start = header.line_end + lines::break_at(self.text, header.line_end);
        let line_start = lines::start_of(self.text, self.span.start);
        let indent = self.span.start.checked_sub(line_start)?;
        let mut body = BlockBody {
            start,
            end: start,
            blank_end: start,
            indent,
        };
        for line in lines::of(self.text, start, self.text.len()) {
            let content = line.content;
            let blank = content.len() <= indent && content.bytes().all(|byte| byte == b' ');
            let inside = content.len() > indent
                && content.as_bytes()[..indent]
                    .iter()
                    .all(|byte| *byte == b' ');
            if !blank && !inside {
                break;
            }
            if inside {
                body.end = line.content_end();
            }
            body.blank_end = line.end();
        }
        Some(body)
    }

    /// The map for this token, if decoding it again gives `decoded`.
    pub fn map(&self, decoded: &str) -> Option<SourceMap> {
        let mut map = SourceMap::default();
        let source = self.source();
        match self.style {
            Style::Plain => map.fold_flow(source, self.span.start, Quotes::None),
            Style::SingleQuoted => {
                map.fold_flow(unquoted(source)?, self.span.start + 1, Quotes::Single);
            }
            Style::DoubleQuoted | Style::Json => {
                map.fold_flow(unquoted(source)?, self.span.start + 1, Quotes::Double);
            }
            Style::Literal => {
                map.literal(self.text, self.block_body()?, self.block_header()?.chomping);
            }
            Style::Folded => map.folded(self.text, self.block_body()?),
        }
        let same = if self.style == Style::Folded {
            // The tail of a folded text follows chomping; references never stand in it.
            decoded.trim_end_matches('\n') == map.decoded.trim_end_matches('\n')
        } else {
            decoded == map.decoded
        };
        same.then_some(map)
    }
}

/// The lines of a block scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockBody {
    /// Where the first line begins.
    pub start: usize,
    /// The end of the last line that is not blank, before its line break.
    pub end: usize,
    /// The end of the blank lines behind it.
    pub blank_end: usize,
    /// How many blanks each line begins with.
    pub indent: usize,
}

/// From the end of the token before, over `:`, `-`, properties and comments, to the `|` or `>`.
fn header_start(bytes: &[u8], after: usize) -> Option<usize> {
    let mut position = after;
    loop {
        let end_of = |stop: fn(&u8) -> bool| {
            bytes[position..]
                .iter()
                .position(stop)
                .map(|offset| position + offset)
        };
        match bytes.get(position)? {
            b'|' | b'>' => return Some(position),
            b'#' => position = end_of(|byte| matches!(byte, b'\n' | b'\r'))?,
            b'&' | b'!' => position = end_of(u8::is_ascii_whitespace)?,
            b' ' | b'\t' | b'\r' | b'\n' | b':' | b'-' | b'?' | b',' => position += 1,
            _ => return None,
        }
    }
}

fn unquoted(token: &str) -> Option<&str> {
    token.get(1..token.len().checked_sub(1)?)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// Which source bytes each decoded byte comes from.
#[derive(Clone, Default)]
pub struct SourceMap {
    decoded: String,
    /// In order; together they cover all decoded bytes.
    runs: Vec<Run>,
}

/// Without the text.
impl fmt::Debug for SourceMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceMap")
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

/// Decoded bytes and the source bytes they come from. Runs of equal length are verbatim; others are one unit.
#[derive(Clone, Debug)]
struct Run {
    decoded: Range<usize>,
    source: Range<usize>,
}

impl SourceMap {
    /// The source bytes of a range of decoded bytes; exact where both ends are verbatim or lie between units.
    pub fn span(&self, decoded: Range<usize>) -> Option<Span> {
        let first = self.run_at(decoded.start)?;
        let last = self.run_at(decoded.end.checked_sub(1)?)?;
        let start = first.source_of(decoded.start)?;
        let end = if last.is_verbatim() {
            last.source_of(decoded.end - 1)? + 1
        } else {
            last.source.end
        };
        (start <= end).then(|| Span::new(start, end))
    }

    fn run_at(&self, position: usize) -> Option<&Run> {
        let index = self.runs.partition_point(|run| run.decoded.end <= position);
        self.runs.get(index)
    }

    fn add(&mut self, decoded: &str, source: Range<usize>) {
        let start = self.decoded.len();
        self.decoded.push_str(decoded);
        if !decoded.is_empty() {
            self.runs.push(Run {
                decoded: start..self.decoded.len(),
                source,
            });
        }
    }

    /// Text in flow style: lines folded, quotes' escapes decoded. `offset` is where `text` begins in the source.
    fn fold_flow(&mut self, text: &str, offset: usize, quotes: Quotes) {
        let bytes = text.as_bytes();
        let mut position = 0;
        let mut run = 0;
        while position < bytes.len() {
            let unit = match bytes[position] {
                b'\'' if quotes == Quotes::Single => Some(("'".to_owned(), 2)),
                b'\\' if quotes == Quotes::Double => escape(&text[position..]),
                b' ' | b'\t' | b'\r' | b'\n' => fold(&text[position..]),
                // Also within a character of several bytes.
                _ => None,
            };
            let Some((decoded, length)) = unit else {
                position += 1;
                continue;
            };
            self.add(&text[run..position], offset + run..offset + position);
            self.add(&decoded, offset + position..offset + position + length);
            position += length.min(bytes.len() - position);
            run = position;
        }
        self.add(&text[run..], offset + run..offset + text.len());
    }

    fn literal(&mut self, text: &str, body: BlockBody, chomping: Chomping) {
        let end = if chomping == Chomping::Keep {
            body.blank_end
        } else {
            body.end
        };
        let mut position = body.start;
        for line in lines::of(text, body.start, end) {
            let start = line.start + body.indent.min(line.content.len());
            self.add(&text[start..line.content_end()], start..line.content_end());
            position = line.end();
            if line.line_break > 0 {
                self.add("\n", line.content_end()..position);
            }
        }
        let unfinished = !self.decoded.is_empty() && !self.decoded.ends_with('\n');
        if unfinished && chomping != Chomping::Strip {
            self.add("\n", position..position + lines::break_at(text, position));
        }
    }

    /// A folded block: single line breaks between lines that begin with text become blanks.
    fn folded(&mut self, text: &str, body: BlockBody) {
        let mut previous_is_text = false;
        let mut gap = body.start;
        let mut breaks = 0;
        for line in lines::of(text, body.start, body.end) {
            let start = line.start + body.indent.min(line.content.len());
            let end = line.content_end();
            if start < end {
                let is_text = !text[start..].starts_with([' ', '\t']);
                if breaks > 0 && !self.decoded.is_empty() {
                    let decoded = match (previous_is_text && is_text, breaks) {
                        (true, 1) => " ".to_owned(),
                        (true, breaks) => "\n".repeat(breaks - 1),
                        (false, breaks) => "\n".repeat(breaks),
                    };
                    self.add(&decoded, gap..start);
                }
                self.add(&text[start..end], start..end);
                (previous_is_text, gap, breaks) = (is_text, end, 0);
            } else if self.decoded.is_empty() {
                self.add("\n", start..line.end());
            }
            breaks += usize::from(line.line_break > 0);
        }
    }
}

impl Run {
    fn is_verbatim(&self) -> bool {
        self.decoded.len() == self.source.len()
    }

    /// Where a decoded byte comes from; for a unit only its first byte has an answer.
    fn source_of(&self, position: usize) -> Option<usize> {
        let offset = position - self.decoded.start;
        (offset == 0 || self.is_verbatim()).then_some(self.source.start + offset)
    }
}

/// Blanks around a line break, folded: one break is a blank, more lose one. `None` without a line break.
fn fold(text: &str) -> Option<(String, usize)> {
    let gap = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
    match lines::count_breaks(&text[..gap]) {
        0 => None,
        1 => Some((" ".to_owned(), gap)),
        breaks => Some(("\n".repeat(breaks - 1), gap)),
    }
}

/// The escape that a text begins with, of YAML's and JSON's double quotes, and its length.
fn escape(text: &str) -> Option<(String, usize)> {
    let simple = |character: char| Some((character.to_string(), 2));
    match text.as_bytes().get(1)? {
        b'0' => simple('\0'),
        b'a' => simple('\u{7}'),
        b'b' => simple('\u{8}'),
        b't' | b'\t' => simple('\t'),
        b'n' => simple('\n'),
        b'v' => simple('\u{b}'),
        b'f' => simple('\u{c}'),
        b'r' => simple('\r'),
        b'e' => simple('\u{1b}'),
        b'N' => simple('\u{85}'),
        b'_' => simple('\u{a0}'),
        b'L' => simple('\u{2028}'),
        b'P' => simple('\u{2029}'),
        b'x' => code(text, 2),
        b'u' => surrogates(text).or_else(|| code(text, 4)),
        b'U' => code(text, 8),
        b'\r' | b'\n' => {
            let behind = text[1..].trim_start_matches([' ', '\t', '\r', '\n']);
            let length = text.len() - behind.len();
            Some((
                "\n".repeat(lines::count_breaks(&text[..length]) - 1),
                length,
            ))
        }
        _ => simple(text[1..].chars().next()?),
    }
}

fn code(text: &str, digits: usize) -> Option<(String, usize)> {
    let code = u32::from_str_radix(text.get(2..2 + digits)?, 16).ok()?;
    Some((char::from_u32(code)?.to_string(), 2 + digits))
}

/// A pair of `\u` escapes for one character beyond the basic plane.
fn surrogates(text: &str) -> Option<(String, usize)> {
    let high = u16::from_str_radix(text.get(2..6)?, 16).ok()?;
    let low = u16::from_str_radix(text.get(6..12)?.strip_prefix("\\u")?, 16).ok()?;
    let character = char::decode_utf16([high, low]).next()?.ok()?;
    (character.len_utf16() == 2).then(|| (character.to_string(), 12))
}
