//! New entries at the end of a map, in the layout that the map has. The caller reads the result again: where readers do
//! not get the old map with its new entries, there is a second place to try.

use super::edit::Edit;
use super::event::Layout;
use super::lines;
use super::tree::{NodeId, NodeKind, Tree};
use super::writer::{self, NotUtf8, Reader};
use crate::diagnostics::Span;
use crate::secret::{Map, Value};

/// Where the entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Right behind the text of the last entry.
    Close,
    /// Behind the blank lines that follow it, which may belong to its value; in front of a closing bracket.
    Far,
}

/// Writes entries into a text and its tree.
#[derive(Clone, Copy, Debug)]
pub struct Grower<'g, 's> {
    /// The text.
    pub text: &'g str,
    /// Its tree.
    pub tree: &'g Tree<'s>,
    /// Who reads the text.
    pub reader: Reader,
    /// Where the entries go.
    pub spot: Spot,
}

impl Grower<'_, '_> {
    /// The edit that puts entries at the end of a map, which is no alias.
    pub fn append(self, mapping: NodeId, new: &Map) -> Result<Edit, NotUtf8> {
        let node = self.tree.node(mapping);
        match &node.kind {
            NodeKind::Mapping(_, Layout::Block) => {
                self.block(self.tree.entries(mapping), node.span.start, new)
            }
            NodeKind::Mapping(_, Layout::Flow) => {
                self.flow(self.tree.entries(mapping), node.span, new)
            }
            _ => Ok(Edit::new(Span::at(node.span.end), "")),
        }
    }

    /// The edit that puts a map in the place of an entry's null.
    pub fn instead_of_null(
        self,
        (key, null): (NodeId, NodeId),
        new: &Map,
    ) -> Result<Edit, NotUtf8> {
        let map = writer::flow(&Value::Map(new.clone()), self.reader)?;
        let span = self.tree.node(null).span;
        if !span.is_empty() {
            return Ok(Edit::new(span, map));
        }
        let colon = self.tree.end_of_empty(self.text, null, b":");
        Ok(match colon {
            Some(colon) => Edit::new(Span::at(colon), format!(" {map}")),
            None => self.behind_lone_key(key, &map),
        })
    }

    /// The colon and the value of `? key`, in the column of its `?`; or of a key that stands alone in brackets.
    fn behind_lone_key(self, key: NodeId, map: &str) -> Edit {
        let start = self.tree.node(key).span.start;
        let line = &self.text[lines::start_of(self.text, start)..start];
        let gap = line.find('?').map_or(String::new(), |column| {
            format!("{}{}", self.line_break(), " ".repeat(column))
        });
        let end = self.tree.end_in(self.text, key);
        Edit::new(Span::at(end), format!("{gap}: {map}"))
    }

    fn flow(self, entries: &[(NodeId, NodeId)], span: Span, new: &Map) -> Result<Edit, NotUtf8> {
        let mut written = Vec::with_capacity(new.len());
        for (key, value) in new {
            let value = writer::flow(value, self.reader)?;
            written.push(format!("{}: {value}", writer::double_quoted(key)));
        }
        let Some(last) = entries.last() else {
            return Ok(Edit::new(Span::at(span.start + 1), written.join(", ")));
        };
        let separator = self.separator(self.tree.node(last.0).span.start);
        let (position, comma) = match self.spot {
            Spot::Close => self.comma_behind(*last),
            Spot::Far => {
                let bracket = span.end - 1;
                let has_comma = self.text[..bracket].trim_end().ends_with(',');
                (bracket, if has_comma { "" } else { "," })
            }
        };
        Ok(Edit::new(
            Span::at(position),
            format!("{comma}{}{}", &separator[1..], written.join(&separator)),
        ))
    }

    /// Where a comma can stand behind an entry, and what to write for it: to some readers one that touches a colon or a
    /// tag is a part of a text.
    fn comma_behind(self, (key, value): (NodeId, NodeId)) -> (usize, &'static str) {
        let end = self.tree.entry_end_in(self.text, (key, value));
        let is_bare = self.tree.node(value).span.is_empty();
        match blanks(&self.text[end..]) {
            _ if !is_bare || end == self.tree.end_in(self.text, key) => (end, ","),
            0 => (end, " ,"),
            blanks => (end + blanks, ","),
        }
    }

    /// What stands between two entries in brackets: like the entry that begins here, the next has a line of its own or not.
    fn separator(self, key: usize) -> String {
        let line = lines::start_of(self.text, key);
        let blanks = &self.text[line..key];
        if line > 0 && blanks.trim().is_empty() {
            format!(",{}{blanks}", self.line_break())
        } else {
            ", ".to_owned()
        }
    }

    fn block(self, entries: &[(NodeId, NodeId)], start: usize, new: &Map) -> Result<Edit, NotUtf8> {
        let Some(last) = entries.last() else {
            return Ok(Edit::new(Span::at(0), ""));
        };
        let line = &self.text[lines::start_of(self.text, start)..];
        let mut column = blanks(line);
        if let Some(map) = line[column..].strip_prefix(": ") {
            // The map of `? key` begins on the line of its colon.
            column += ": ".len() + blanks(map);
        }
        let mut written = String::new();
        self.lines_into(&mut written, new, &" ".repeat(column))?;
        let end = lines::end_of(self.text, self.tree.entry_end_in(self.text, *last));
        let mut position = end + lines::break_at(self.text, end);
        if self.spot == Spot::Far {
            let behind = lines::of(self.text, position, self.text.len());
            let blank = behind.take_while(|line| line.content.trim().is_empty());
            position = blank.last().map_or(position, |line| line.end());
        }
        if !self.text[..position].ends_with(['\n', '\r']) {
            // The last line stays one without a line break.
            let line_break = self.line_break();
            written.truncate(written.len() - line_break.len());
            written.insert_str(0, line_break);
        }
        Ok(Edit::new(Span::at(position), written))
    }

    fn lines_into(self, out: &mut String, new: &Map, indentation: &str) -> Result<(), NotUtf8> {
        for (key, value) in new {
            *out += indentation;
            *out += &writer::one_line(key, false);
            if let Value::Map(inner) = value {
                *out += ":";
                *out += self.line_break();
                self.lines_into(out, inner, &format!("{indentation}  "))?;
                continue;
            }
            *out += ": ";
            match value {
                Value::String(text) => {
                    *out += &writer::one_line(text.expose_str().ok_or(NotUtf8)?, false);
                }
                other => *out += &writer::flow(other, self.reader)?,
            }
            *out += self.line_break();
        }
        Ok(())
    }

    /// The text's own line break.
    fn line_break(self) -> &'static str {
        let first = lines::end_of(self.text, 0);
        match (
            lines::break_at(self.text, first),
            self.text.as_bytes().get(first),
        ) {
            (2, _) => "\r\n",
            (_, Some(b'\r')) => "\r",
            _ => "\n",
        }
    }
}

/// How many spaces a text begins with.
fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}
