//! INI files as SOPS reads and writes them: sections of keys and texts, comments in front of what they belong to.
//!
//! In the tree the comment of a section is its first item, that of a key comes right behind the key.

use std::collections::HashMap;
use std::iter::repeat_n;

use zeroize::Zeroizing;

use super::flat_text;
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::sops::error::Error;
use crate::sops::tree::{Branch, Comment, Item, Kind, Leaf, Node};

/// The section of the keys that stand before any header. It is always there, if only empty.
const DEFAULT: &str = "DEFAULT";

/// The sections of a file.
pub(super) fn read(text: &str) -> Result<Branch, Error> {
    let mut reader = Reader {
        text,
        position: if text.starts_with('\u{feff}') { 3 } else { 0 },
        comment: String::new(),
        numbered: 0,
    };
    let mut sections = vec![Section::new(DEFAULT, Span::at(0))];
    while let Some(line) = reader.next_line() {
        let start = line.start + leading_space(&text[line.range()]);
        let content = &text[start..line.end];
        match content.as_bytes().first() {
            None => {}
            Some(b'#' | b';') => reader.comment.push_str(content),
            Some(b'[') => sections.push(reader.header(start, content)?),
            Some(_) => {
                let section = sections.last_mut().expect("there is a first section");
                reader.key(start, content, section)?;
            }
        }
    }
    Ok(sections.into_iter().map(Section::into_item).collect())
}

struct Section {
    name: String,
    span: Span,
    comment: Option<Comment>,
    entries: Vec<(String, Node, Option<Comment>)>,
    /// Where each key stands among the entries: of equal keys the last one counts.
    places: HashMap<String, usize>,
}

impl Section {
    fn new(name: &str, span: Span) -> Self {
        Self {
            name: name.to_owned(),
            span,
            comment: None,
            entries: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn put(&mut self, key: String, node: Node, comment: Option<Comment>) {
        if let Some(place) = self.places.get(&key) {
            let (_, old, old_comment) = &mut self.entries[*place];
            *old = node;
            *old_comment = comment;
        } else {
            self.places.insert(key.clone(), self.entries.len());
            self.entries.push((key, node, comment));
        }
    }

    fn into_item(self) -> Item {
        let mut branch: Branch = self.comment.into_iter().map(Item::Comment).collect();
        for (key, node, comment) in self.entries {
            branch.push(Item::Entry(key, node));
            branch.extend(comment.map(Item::Comment));
        }
        Item::Entry(self.name, Node::new(Kind::Map(branch), self.span))
    }
}

struct Reader<'t> {
    text: &'t str,
    position: usize,
    /// The comments since the last header or key, with their signs and line ends.
    comment: String,
    /// How many keys of the section were called `-`.
    numbered: usize,
}

impl Reader<'_> {
    /// The next line with its line end.
    fn next_line(&mut self) -> Option<Span> {
        let rest = &self.text[self.position..];
        let line = rest.split_inclusive('\n').next()?;
        let span = Span::new(self.position, self.position + line.len());
        self.position = span.end;
        Some(span)
    }

    fn header(&mut self, start: usize, line: &str) -> Result<Section, Error> {
        let unclosed = || Error::structure(Span::at(start), "a section's header without a ]");
        let end = line.rfind(']').ok_or_else(unclosed)?;
        let name = &line[1..end];
        if name.is_empty() {
            return Err(Error::structure(
                Span::at(start),
                "a section without a name",
            ));
        }
        self.comment.push_str(comment_in(&line[end + 1..]));
        self.numbered = 0;
        let mut section = Section::new(name, Span::new(start, start + end + 1));
        section.comment = self.take_comment();
        Ok(section)
    }

    fn key(&mut self, start: usize, line: &str, section: &mut Section) -> Result<(), Error> {
        let (mut name, behind) =
            key_name(line).map_err(|reason| Error::structure(Span::at(start), reason))?;
        if name == "-" {
            self.numbered += 1;
            name = format!("#{}", self.numbered);
        }
        let value = &line[behind..];
        let at = start + behind + leading_space(value);
        let (value, end) = self.value(at, value)?;
        let leaf = Kind::Leaf(Leaf::String(Text::from(value)));
        let comment = self.take_comment();
        section.put(name, Node::new(leaf, Span::new(at, end.max(at))), comment);
        Ok(())
    }

    /// The value that begins at a place, and where it ends.
    fn value(&mut self, at: usize, line: &str) -> Result<(String, usize), Error> {
        let line = line.trim_start();
        let raw = if line.len() > 3 && line.starts_with("\"\"\"") {
            Some("\"\"\"")
        } else {
            line.starts_with('`').then_some("`")
        };
        if let Some(quote) = raw {
            let inner = &line[quote.len()..];
            return match inner.rfind(quote) {
                Some(end) => Ok((inner[..end].to_owned(), at + end + 2 * quote.len())),
                None => self.raw_lines(at, inner, quote),
            };
        }
        let line = line.trim_end();
        if let Some(first) = line.strip_suffix('\\') {
            return Ok(self.continued(first, at + line.len()));
        }
        let end = line.find(['#', ';']).unwrap_or(line.len());
        self.comment.push_str(&line[end..]);
        let value = line[..end].trim_end();
        Ok((unquoted(value).to_owned(), at + value.len()))
    }

    /// A value in raw quotes that goes on over several lines.
    fn raw_lines(&mut self, at: usize, first: &str, quote: &str) -> Result<(String, usize), Error> {
        let mut value = first.to_owned();
        while let Some(line) = self.next_line() {
            let next = &self.text[line.range()];
            if let Some(end) = next.rfind(quote) {
                value.push_str(&next[..end]);
                self.comment.push_str(comment_in(&next[end..]).trim());
                return Ok((value, line.start + end + quote.len()));
            }
            value.push_str(next);
        }
        Err(Error::structure(
            Span::at(at),
            "a quoted value without an end",
        ))
    }

    /// A value whose lines end in a backslash.
    fn continued(&mut self, first: &str, end: usize) -> (String, usize) {
        let (mut value, mut end) = (first.to_owned(), end);
        while let Some(line) = self.next_line() {
            let next = self.text[line.range()].trim();
            end = line.end;
            if next.is_empty() {
                break;
            }
            value.push_str(next);
            match value.strip_suffix('\\') {
                Some(rest) => value.truncate(rest.len()),
                None => break,
            }
        }
        (value, end)
    }

    /// The comments so far as one text, without the signs it begins with.
    fn take_comment(&mut self) -> Option<Comment> {
        let comment = std::mem::take(&mut self.comment);
        let comment = comment.trim();
        let text = match comment.as_bytes().first()? {
            b';' => comment.trim_start_matches([';', ' ']),
            _ => comment.trim_start_matches(['#', ' ']),
        };
        Some(Comment::new(Text::from(text)))
    }
}

fn leading_space(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// From the first comment sign on.
fn comment_in(text: &str) -> &str {
    text.find(['#', ';']).map_or("", |start| &text[start..])
}

/// A key's name, and what stands behind its `=` or `:`.
fn key_name(line: &str) -> Result<(String, usize), &'static str> {
    const DELIMITERS: [char; 2] = ['=', ':'];
    const MISSING: &str = "a line of an INI file without a = or :";
    let quote = if line.len() > 6 && line.starts_with("\"\"\"") {
        "\"\"\""
    } else if line.starts_with('"') {
        "\""
    } else if line.starts_with('`') {
        "`"
    } else {
        return match line.find(DELIMITERS) {
            None => Err(MISSING),
            Some(0) => Err("a value without a key"),
            Some(end) => Ok((line[..end].trim().to_owned(), end + 1)),
        };
    };
    let start = quote.len();
    let end = line[start..]
        .find(quote)
        .ok_or("a quoted key without an end")?
        + start;
    let delimiter = line[end + start..].find(DELIMITERS).ok_or(MISSING)?;
    Ok((
        line[start..end].trim().to_owned(),
        end + start + delimiter + 1,
    ))
}

/// Without the quotes around it, if there are none of their kind inside.
fn unquoted(value: &str) -> &str {
    let inner = |quote: char| {
        let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    };
    inner('\'').or_else(|| inner('"')).unwrap_or(value)
}

/// The sections as lines.
pub(super) fn write(branch: &Branch) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut out = Zeroizing::new(Vec::new());
    let sections = branch.iter().filter_map(|item| match item {
        Item::Entry(name, node) => Some((name, node)),
        Item::Comment(_) => None,
    });
    let mut sections = sections.enumerate().peekable();
    while let Some((index, (name, node))) = sections.next() {
        let Kind::Map(items) = &node.kind else {
            let reason = format!("an INI file can hold {name} only as a section");
            return Err(Error::structure(node.span, reason));
        };
        if let Some(Item::Comment(comment)) = items.first() {
            write_comment(&mut out, comment);
        }
        let has_header = index > 0 || !name.eq_ignore_ascii_case(DEFAULT);
        if has_header {
            out.extend_from_slice(format!("[{name}]\n").as_bytes());
        } else if !items.iter().any(|item| matches!(item, Item::Entry(..))) {
            continue;
        }
        write_keys(&mut out, items)?;
        if sections.peek().is_some() {
            out.push(b'\n');
        }
    }
    Ok(out)
}

fn write_keys(out: &mut Vec<u8>, items: &Branch) -> Result<(), Error> {
    let names = items.iter().filter_map(|item| match item {
        Item::Entry(key, _) => Some(written_key(key).len()),
        Item::Comment(_) => None,
    });
    let width = names.max().unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        let Item::Entry(key, node) = item else {
            continue;
        };
        if let Some(Item::Comment(comment)) = items.get(index + 1) {
            write_comment(out, comment);
        }
        let text = flat_text(node).ok_or_else(|| {
            let reason = format!("an INI file cannot hold the list or mapping {key}");
            Error::structure(node.span, reason)
        })?;
        let key = written_key(key);
        out.extend_from_slice(key.as_bytes());
        out.extend(repeat_n(b' ', width - key.len()));
        out.extend_from_slice(b" = ");
        let value = text.expose();
        let quote = quote_for(value);
        for part in [quote.as_bytes(), value, quote.as_bytes(), b"\n"] {
            out.extend_from_slice(part);
        }
    }
    Ok(())
}

fn written_key(key: &str) -> String {
    if key.contains(['"', '=', ':']) {
        format!("`{key}`")
    } else if key.contains('`') {
        format!("\"\"\"{key}\"\"\"")
    } else {
        key.to_owned()
    }
}

fn quote_for(value: &[u8]) -> &'static str {
    if value.iter().any(|byte| matches!(byte, b'\n' | b'`')) {
        "\"\"\""
    } else if value.iter().any(|byte| matches!(byte, b'#' | b';')) {
        "`"
    } else if value.trim_ascii().len() == value.len() {
        ""
    } else {
        "\""
    }
}

fn write_comment(out: &mut Vec<u8>, comment: &Comment) {
    for line in comment.shown().split('\n') {
        let text = match line.strip_prefix(['#', ';']) {
            Some(rest) => format!("{} {}", &line[..1], rest.trim()),
            None => format!("; {}", line.trim()),
        };
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_comes_out_the_same() {
        let text = "; top\n[s]\n; k note\nk      = v\nlonger = \"\"\"a\nb\"\"\"\n`a:b`  = `x#y`\nblank  = \" x \"\n\n[t]\n";
        let branch = read(text).unwrap();
        let written = write(&branch).unwrap();
        assert_eq!(std::str::from_utf8(&written).unwrap(), text);
    }

    #[test]
    fn broken_lines_are_refused_at_their_place() {
        for (text, position) in [
            ("[s]\nx\n", 4),
            ("[s\n", 0),
            ("=x\n", 0),
            ("a=1\n[]\n", 4),
            ("k = `x\n", 4),
            ("\"k = x\n", 0),
        ] {
            let error = read(text).map(drop).unwrap_err();
            assert_eq!(error.position(), Some(position), "{text}");
        }
    }
}
