//! Trees as YAML, byte for byte as SOPS prints them: the block style of go-yaml v3, comments above what they belong to.

use zeroize::Zeroizing;

use super::yaml_scalar::{Token, escape_into};
use crate::sops::tree::{Branch, Comment, Element, Item, Kind, Node};

/// The longest key that is written without a `?`, in bytes.
const LONGEST_KEY: usize = 128;

/// All documents of a file. `step` is the indentation of mappings.
pub(super) fn documents(documents: &[&Branch], step: usize) -> Zeroizing<String> {
    let mut writer = Writer::new(step);
    for (index, branch) in documents.iter().enumerate() {
        if index > 0 {
            writer.line("---");
        }
        writer.document(branch);
    }
    writer.finish()
}

/// A value that is no mapping, as a document of its own.
pub(super) fn value(node: &Node, step: usize) -> Zeroizing<String> {
    let mut writer = Writer::new(step);
    match &node.kind {
        Kind::List(elements) if is_block(node) => writer.list(elements, 0),
        _ => writer.scalar(node, (0, writer.step), &[]),
    }
    writer.end_line();
    writer.finish()
}

struct Writer {
    out: Zeroizing<String>,
    step: usize,
    /// Where the last line begins.
    line: usize,
    /// Whether the last line holds nothing but what may stand in front of a nested entry, as `- ` does.
    is_indentation: bool,
    /// The column of a comment that ended a collection: a line on the same one is set off by an empty line.
    foot: Option<usize>,
    /// The comments that end a mapping in a list. Go-yaml holds them back until the next scalar is written.
    held_back: Vec<String>,
    /// Whether the text ends with a block that keeps its line ends, so that the stream's end must be marked.
    open_ended: bool,
}

/// Comments above an entry, and those on its line.
#[derive(Default)]
struct Waiting<'c> {
    above: Vec<&'c Comment>,
    inline: Vec<&'c Comment>,
}

impl<'c> Waiting<'c> {
    fn add(&mut self, comment: &'c Comment) {
        let list = if comment.inline {
            &mut self.inline
        } else {
            &mut self.above
        };
        list.push(comment);
    }

    fn take(&mut self) -> (Vec<&'c Comment>, Vec<&'c Comment>) {
        let Self { above, inline } = std::mem::take(self);
        (above, inline)
    }

    /// What nothing came behind.
    fn rest(self) -> Vec<&'c Comment> {
        [self.above, self.inline].concat()
    }
}

impl Writer {
    fn new(step: usize) -> Self {
        Self {
            out: Zeroizing::new(String::new()),
            // As go-yaml does with what it finds too small or too large.
            step: if (2..=9).contains(&step) { step } else { 2 },
            line: 0,
            is_indentation: true,
            foot: None,
            held_back: Vec::new(),
            open_ended: false,
        }
    }

    fn finish(mut self) -> Zeroizing<String> {
        if self.open_ended {
            self.line("...");
        }
        self.out
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.is_indentation = false;
        self.open_ended = false;
    }

    /// A dash, or what announces a long key: a nested entry may stand behind it.
    fn put_indicator(&mut self, text: &str) {
        let was_indentation = self.is_indentation;
        self.put(text);
        self.is_indentation = was_indentation;
    }

    fn break_line(&mut self) {
        self.out.push('\n');
        self.line = self.out.len();
        self.is_indentation = true;
    }

    fn end_line(&mut self) {
        if self.out.len() > self.line {
            self.break_line();
        }
    }

    fn line(&mut self, text: &str) {
        self.end_line();
        self.put(text);
        self.end_line();
    }

    /// Goes to a column: on this line if only indicators stand on it, else on a new one.
    fn indent(&mut self, column: usize) {
        if !self.is_indentation || self.out.len() - self.line >= column {
            self.end_line();
        }
        if self.foot.take() == Some(column) {
            self.break_line();
        }
        let missing = column - (self.out.len() - self.line);
        self.out.extend(std::iter::repeat_n(' ', missing));
    }

    fn comments(&mut self, comments: &[&Comment], column: usize) {
        for comment in comments {
            self.indent(column);
            self.put("#");
            self.put(&comment.shown());
            self.end_line();
        }
    }

    fn document(&mut self, branch: &Branch) {
        if has_entries(branch) {
            self.branch(branch, 0);
        } else {
            self.comments(&comments_of(branch), 0);
            self.put("{}");
        }
        self.release(0);
        self.foot = None;
        self.end_line();
    }

    fn branch(&mut self, branch: &[Item], column: usize) {
        let mut waiting = Waiting::default();
        for item in branch {
            match item {
                Item::Comment(comment) => waiting.add(comment),
                Item::Entry(key, node) => {
                    let (above, inline) = waiting.take();
                    self.comments(&above, column);
                    self.indent(column);
                    self.key(key, column);
                    let inner = (column / self.step + 1) * self.step;
                    self.value(node, column, inner, &inline);
                }
            }
        }
        let rest = waiting.rest();
        if !rest.is_empty() {
            self.comments(&rest, column);
            self.foot = Some(column);
        }
    }

    fn key(&mut self, key: &str, column: usize) {
        let token = Token::of_text(key);
        if key.len() <= LONGEST_KEY && !matches!(token, Token::Block(_)) {
            self.token(&token, (column, column), &[]);
            self.put(":");
            return;
        }
        self.put_indicator("?");
        self.put(" ");
        let inner = (column / self.step + 1) * self.step;
        self.token(&token, (column, inner), &[]);
        self.indent(column);
        self.put_indicator(":");
    }

    fn list(&mut self, elements: &[Element], column: usize) {
        let mut waiting = Waiting::default();
        let mut last_is_block = false;
        for element in elements {
            match element {
                Element::Comment(comment) => waiting.add(comment),
                Element::Value(node) => {
                    let (above, inline) = waiting.take();
                    self.comments(&above, column);
                    self.item(node, column, &inline);
                    last_is_block = is_block(node);
                }
            }
        }
        let rest = waiting.rest();
        if last_is_block {
            let texts = rest.iter().map(|comment| comment.shown().into_owned());
            self.held_back.extend(texts);
        } else if !rest.is_empty() {
            self.comments(&rest, column);
            self.foot = Some(column);
        }
    }

    /// An item with its dash. The comments that a collection begins with stand above the dash.
    fn item(&mut self, node: &Node, column: usize, inline: &[&Comment]) {
        let mut leading = Vec::new();
        match &node.kind {
            Kind::Map(branch) if is_block(node) => {
                leading.extend(branch.iter().map_while(|item| match item {
                    Item::Comment(comment) if !comment.inline => Some(comment),
                    _ => None,
                }));
                self.dash(&leading, column);
                self.branch(&branch[leading.len()..], column + 2);
            }
            Kind::List(elements) if is_block(node) => {
                leading.extend(elements.iter().map_while(|element| match element {
                    Element::Comment(comment) if !comment.inline => Some(comment),
                    _ => None,
                }));
                self.dash(&leading, column);
                self.list(&elements[leading.len()..], column + 2);
            }
            _ => {
                self.dash(&[], column);
                self.value(node, column, column + 2, inline);
            }
        }
    }

    fn dash(&mut self, above: &[&Comment], column: usize) {
        self.comments(above, column);
        self.indent(column);
        self.put_indicator("-");
    }

    /// A value behind the `:` of a key or the `-` of an item at `column`; entries of its own stand at `inner`.
    fn value(&mut self, node: &Node, column: usize, inner: usize, inline: &[&Comment]) {
        match &node.kind {
            Kind::Map(branch) if is_block(node) => self.branch(branch, inner),
            Kind::List(elements) if is_block(node) => self.list(elements, inner),
            _ => {
                self.put(" ");
                self.scalar(node, (column, inner), inline);
                self.release(column);
            }
        }
    }

    /// Writes the comments that were held back.
    fn release(&mut self, column: usize) {
        if self.held_back.is_empty() {
            return;
        }
        for text in std::mem::take(&mut self.held_back) {
            self.indent(column);
            self.put("#");
            self.put(&text);
            self.end_line();
        }
        self.foot = Some(column);
    }

    fn scalar(&mut self, node: &Node, columns: (usize, usize), inline: &[&Comment]) {
        let word = |word: &str| Token::Word(word.to_owned());
        let token = match &node.kind {
            Kind::Null => word("null"),
            Kind::Leaf(leaf) => Token::of_leaf(leaf),
            Kind::List(_) => word("[]"),
            Kind::Map(_) => word("{}"),
        };
        self.token(&token, columns, inline);
    }

    /// A token, and the comments on its line. Of the columns the first is that of what holds it, the second that of
    /// further lines.
    fn token(&mut self, token: &Token<'_>, columns: (usize, usize), inline: &[&Comment]) {
        match token {
            Token::Word(word) => self.put(word),
            Token::Plain(text) => self.put(text),
            Token::SingleQuoted(text) => {
                self.put("'");
                for (index, part) in text.split('\'').enumerate() {
                    self.put(if index == 0 { "" } else { "''" });
                    self.put(part);
                }
                self.put("'");
            }
            Token::DoubleQuoted(text) => {
                self.put("\"");
                escape_into(&mut self.out, text);
                self.put("\"");
            }
            Token::Block(text) => return self.block(text, columns, inline),
        }
        self.inline_comments(inline);
    }

    fn block(&mut self, text: &str, (outer, inner): (usize, usize), inline: &[&Comment]) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put(&(inner - outer).to_string());
        }
        let chomping = chomping(text);
        self.put(chomping);
        self.inline_comments(inline);
        self.block_lines(text, inner);
        self.open_ended = chomping == "+";
    }

    fn block_lines(&mut self, text: &str, column: usize) {
        self.end_line();
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                self.indent(column);
            }
            match line.strip_suffix('\n') {
                Some(line) => {
                    self.out.push_str(line);
                    self.break_line();
                }
                None => self.put(line),
            }
        }
    }

    fn inline_comments(&mut self, comments: &[&Comment]) {
        for (index, comment) in comments.iter().enumerate() {
            self.put(if index == 0 { " #" } else { "\n#" });
            self.put(&comment.shown());
        }
    }
}

/// Whether a node is written on lines of its own.
fn is_block(node: &Node) -> bool {
    match &node.kind {
        Kind::Map(branch) => has_entries(branch),
        Kind::List(elements) => elements
            .iter()
            .any(|element| matches!(element, Element::Value(_))),
        Kind::Null | Kind::Leaf(_) => false,
    }
}

fn has_entries(branch: &Branch) -> bool {
    branch.iter().any(|item| matches!(item, Item::Entry(..)))
}

fn comments_of(branch: &Branch) -> Vec<&Comment> {
    branch
        .iter()
        .filter_map(|item| match item {
            Item::Comment(comment) => Some(comment),
            Item::Entry(..) => None,
        })
        .collect()
}

/// What ends a block: `-` drops its last line end, `+` keeps several, nothing keeps one.
fn chomping(text: &str) -> &'static str {
    match text.strip_suffix('\n') {
        None => "-",
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => "+",
        Some(_) => "",
    }
}
