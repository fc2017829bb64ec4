//! What decrypting a document in place changes in its text: values by the rules of the writer, comments where they
//! stand, the block gone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Fault, Place, Source, Span};
use crate::inject::removal;
use crate::inject::reread::{self, Expected};
use crate::manifest::{Document, Format};
use crate::sops::{Change, Replacement};
use crate::yaml::edit::Edit;
use crate::yaml::rewrite::{self, Certainty};
use crate::yaml::scalar::Scalar;
use crate::yaml::tree::{NodeId, NodeKind, Tree};
use crate::yaml::{Layout, Style, lines, writer};

/// How far the lines of a block stand behind their key.
const INDENT: usize = 2;

/// The edits of a document whose block has this key, sorted.
pub(super) fn of_document(
    source: &Arc<Source>,
    document: &Document<'_>,
    block: NodeId,
    changes: Vec<Change>,
) -> Result<Vec<Edit>, Box<Diagnostic>> {
    let mut editor = Editor {
        text: source.text(),
        document,
        changes: HashMap::new(),
        edits: removal::of_entry(source, document, Tree::ROOT, block),
        strings: Vec::new(),
        expected: HashMap::new(),
        removed: HashSet::from([document.span(block).start]),
    };
    for change in changes {
        let start = change.span.start + document.offset;
        match change.replacement {
            Replacement::Comment(text) if editor.text[start..].starts_with('#') => {
                editor.comment(change.span.shifted(document.offset), &text);
            }
            replacement => {
                editor.changes.insert(start, replacement);
            }
        }
    }
    editor.node(Tree::ROOT, Around::default());
    editor.finish().ok_or_else(|| {
        let message = "the decrypted document does not read as intended";
        let place = Place::new(Arc::clone(source), document.span(block));
        let bug = Diagnostic::error(Fault::Bug, message).at(place);
        Box::new(bug.with_hint("nothing was printed; please report this document's shape"))
    })
}

/// Where a node stands.
#[derive(Clone, Copy, Default)]
struct Around {
    in_flow: bool,
    /// The column of the key or the dash in front of it.
    column: usize,
}

struct Editor<'e, 's> {
    text: &'e str,
    document: &'e Document<'s>,
    /// What takes the place of scalars, by where they begin.
    changes: HashMap<usize, Replacement>,
    edits: Vec<Edit>,
    /// Edits of strings that are to be read again, and what to write if that fails.
    strings: Vec<(Vec<Edit>, Vec<Edit>)>,
    expected: HashMap<usize, Expected>,
    /// The starts of keys and items that go.
    removed: HashSet<usize>,
}

impl Editor<'_, '_> {
    fn span(&self, id: NodeId) -> Span {
        self.document.span(id)
    }

    fn column(&self, position: usize) -> usize {
        position - lines::start_of(self.text, position).max(self.document.offset)
    }

    fn node(&mut self, id: NodeId, around: Around) {
        let document = self.document;
        match &document.tree.node(id).kind {
            NodeKind::Mapping(_, layout) => {
                for (key, value) in document.tree.entries(id) {
                    let inside = self.inside(around, *layout, self.span(*key).start);
                    self.node(*value, inside);
                }
            }
            NodeKind::Sequence(_, layout) => {
                let inside = self.inside(around, *layout, self.span(id).start);
                for item in document.tree.items(id) {
                    self.node(*item, inside);
                }
                self.comments_of(id, *layout);
            }
            NodeKind::Scalar(..) | NodeKind::Alias(_) => {
                let start = self.span(id).start;
                if let Some(Replacement::String(_) | Replacement::Literal(_)) =
                    self.changes.get(&start)
                    && let Some(replacement) = self.changes.remove(&start)
                {
                    self.value(id, &replacement, around);
                }
            }
        }
    }

    fn inside(&self, around: Around, layout: Layout, start: usize) -> Around {
        Around {
            in_flow: around.in_flow || layout == Layout::Flow,
            column: self.column(start),
        }
    }

    fn value(&mut self, id: NodeId, replacement: &Replacement, around: Around) {
        let node = self.document.tree.node(id);
        let (decoded, style) = match &node.kind {
            NodeKind::Scalar(decoded, style) => (Some(&**decoded), *style),
            _ => (None, Style::Plain),
        };
        let scalar = Scalar {
            text: self.text,
            span: self.span(id),
            style,
            after: node.after + self.document.offset,
        };
        let start = scalar.span.start;
        match replacement {
            Replacement::String(text) => {
                let target = text.expose_str().unwrap_or_default();
                let is_block = !around.in_flow && self.document.format == Format::Yaml;
                let indent = is_block.then_some(around.column + INDENT);
                let written = match decoded {
                    Some(decoded) => {
                        rewrite::anew(&scalar, decoded, target, around.in_flow, indent)
                    }
                    None => rewrite::whole(&scalar, writer::one_line(target, around.in_flow)),
                };
                if written.certainty == Certainty::Reread {
                    let quoted = rewrite::quoted(&scalar, target).edits;
                    self.strings.push((written.edits, quoted));
                } else {
                    self.edits.extend(written.edits);
                }
                let expected = Expected::Text(target.to_owned());
                self.expected.insert(start, expected);
            }
            Replacement::Literal(text) => {
                let literal = text.expose_str().unwrap_or_default();
                let edits = rewrite::whole(&scalar, literal.to_owned()).edits;
                self.edits.extend(edits);
                let expected = Expected::Native(literal.to_owned());
                self.expected.insert(start, expected);
            }
            Replacement::Comment(_) => {}
        }
    }

    /// Decrypts a comment, unless it holds what cannot stand in one.
    fn comment(&mut self, span: Span, text: &crate::secret::Text) {
        let indent = " ".repeat(self.column(span.start));
        if let Some(text) = self.as_comment(text, &indent) {
            self.edits.push(Edit::new(span, text));
        }
    }

    /// Each line of a comment with its `#`.
    fn as_comment(&self, text: &crate::secret::Text, indent: &str) -> Option<String> {
        let text = text.expose_str()?;
        let fits = |c: char| matches!(c, '\n' | '\t') || writer::is_printable(c);
        let line_break = if self.document.text.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        };
        let lines = text.replace('\n', &format!("{line_break}{indent}#"));
        text.chars().all(fits).then(|| format!("#{lines}"))
    }

    /// Makes comments of the items that are ones: in brackets they go.
    fn comments_of(&mut self, list: NodeId, layout: Layout) {
        let items = self.document.tree.items(list);
        let goes: Vec<bool> = items
            .iter()
            .map(|item| self.changes.contains_key(&self.span(*item).start))
            .collect();
        if !goes.contains(&true) {
            return;
        }
        let none_stays = !goes.contains(&false);
        match layout {
            Layout::Flow => self.remove_items(list, &goes),
            Layout::Block => {
                if none_stays {
                    self.empty_list(list);
                }
                for item in items.iter().zip(&goes).filter(|(_, goes)| **goes) {
                    self.item_as_comment(*item.0);
                }
            }
        }
        for (item, _) in items.iter().zip(goes).filter(|(_, goes)| *goes) {
            self.changes.remove(&self.span(*item).start);
            self.removed.insert(self.span(*item).start);
        }
    }

    /// A list without items is not written by dashes.
    fn empty_list(&mut self, list: NodeId) {
        let span = self.span(list);
        let after = self.document.tree.node(list).after + self.document.offset;
        let gap = &self.text[after..span.start];
        let behind_key = gap.trim_start().starts_with(':').then(|| gap.find(':'));
        let edit = match behind_key.flatten() {
            Some(colon) => Edit::new(Span::at(after + colon + 1), " []"),
            None => Edit::new(Span::at(span.start), "[] "),
        };
        self.edits.push(edit);
    }

    /// The comment in the place of the item and its dash. One that cannot be a comment leaves nothing.
    fn item_as_comment(&mut self, item: NodeId) {
        let span = self.span(item);
        let before = self.text[..span.start].trim_end();
        let dash = before.strip_suffix('-').map_or(span.start, str::len);
        let indent = " ".repeat(self.column(dash));
        let text = match self.changes.get(&span.start) {
            Some(Replacement::Comment(text)) => self.as_comment(text, &indent),
            _ => None,
        };
        let text = text.unwrap_or_else(|| "#".to_owned());
        self.edits.push(Edit::new(Span::new(dash, span.end), text));
    }

    /// Items go with the comma behind them; those behind the last that stays, with the comma before them.
    fn remove_items(&mut self, list: NodeId, goes: &[bool]) {
        let spans: Vec<Span> = self
            .document
            .tree
            .items(list)
            .iter()
            .map(|item| self.span(*item))
            .collect();
        let Some(kept) = goes.iter().rposition(|goes| !goes) else {
            let span = self.span(list);
            self.edits
                .push(Edit::new(Span::new(span.start + 1, span.end - 1), ""));
            return;
        };
        for index in (0..kept).filter(|index| goes[*index]) {
            let span = Span::new(spans[index].start, spans[index + 1].start);
            self.edits.push(Edit::new(span, ""));
        }
        if kept + 1 < spans.len() {
            let span = Span::new(spans[kept].end, spans[spans.len() - 1].end);
            self.edits.push(Edit::new(span, ""));
        }
    }

    /// All edits, sorted; what is not right by construction has been read again.
    fn finish(mut self) -> Option<Vec<Edit>> {
        let strings = std::mem::take(&mut self.strings);
        let is_certain = strings.is_empty() && self.removed.len() == 1;
        let (written, quoted): (Vec<_>, Vec<_>) = strings.into_iter().unzip();
        let mut candidates = vec![self.with(written)];
        if !quoted.is_empty() {
            candidates.push(self.with(quoted));
        }
        candidates
            .into_iter()
            .find(|edits| is_certain || self.reads_back(edits))
    }

    fn with(&self, strings: Vec<Vec<Edit>>) -> Vec<Edit> {
        let mut edits = self.edits.clone();
        edits.extend(strings.into_iter().flatten());
        edits.sort_by_key(|edit| edit.span);
        edits
    }

    fn reads_back(&self, edits: &[Edit]) -> bool {
        let expected = self.expected.iter().map(|(start, what)| (*start, what));
        let Document {
            offset,
            text,
            format,
            ..
        } = *self.document;
        let chunk = Span::new(offset, offset + text.len());
        reread::reads_back(
            self.text,
            chunk,
            format,
            edits,
            &expected.collect(),
            &self.removed,
        )
    }
}
