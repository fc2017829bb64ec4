//! The paths of a document's strings, as messages name them: `spec.containers[0].env[1].value`. One pass over the
//! document serves all its failures, of which there may be thousands.

use std::collections::HashMap;

use super::Document;
use crate::yaml::tree::{NodeId, NodeKind, Tree};
use crate::yaml::writer;

/// A document whose strings can be named by their positions.
#[derive(Debug)]
pub struct Paths<'s> {
    document: Document<'s>,
    /// How each node is reached; `None` for the root.
    steps: Vec<Option<Step>>,
    /// The scalars and aliases by where they begin in the tree's text.
    starts: HashMap<usize, NodeId>,
}

/// The way from a collection to a node in it.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: NodeId,
    to: Field,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    /// That item of a list.
    Item(usize),
    /// The entry with that key: the key itself, or its value.
    Entry(NodeId),
}

impl<'s> Paths<'s> {
    /// The paths of a document.
    pub fn new(document: Document<'s>) -> Self {
        let tree = &document.tree;
        let mut steps = vec![None; tree.len()];
        let mut starts = HashMap::new();
        for from in 0..tree.len() {
            let node = tree.node(from);
            let mut step = |node: NodeId, to| steps[node] = Some(Step { from, to });
            match &node.kind {
                NodeKind::Scalar(..) | NodeKind::Alias(_) => {
                    // An empty scalar may begin where the next one does; nothing is told of it.
                    if !node.span.is_empty() {
                        starts.insert(node.span.start, from);
                    }
                }
                NodeKind::Sequence(..) => {
                    for (index, item) in tree.items(from).iter().enumerate() {
                        step(*item, Field::Item(index));
                    }
                }
                NodeKind::Mapping(..) => {
                    for (key, value) in tree.entries(from) {
                        step(*key, Field::Entry(*key));
                        step(*value, Field::Entry(*key));
                    }
                }
            }
        }
        Self {
            document,
            steps,
            starts,
        }
    }

    /// The document.
    pub fn document(&self) -> &Document<'s> {
        &self.document
    }

    /// The path of the string that begins at a byte of the source, or whose key does.
    pub fn at(&self, position: usize) -> Option<String> {
        let position = position.checked_sub(self.document.offset)?;
        let mut id = *self.starts.get(&position)?;
        let mut fields = Vec::new();
        while let Some(Step { from, to }) = self.steps[id] {
            fields.push(to);
            id = from;
        }
        let mut path = String::new();
        for field in fields.iter().rev() {
            push(&mut path, &self.document.tree, *field);
        }
        Some(path)
    }
}

fn push(path: &mut String, tree: &Tree<'_>, field: Field) {
    match field {
        Field::Item(index) => {
            path.push('[');
            path.push_str(&index.to_string());
            path.push(']');
        }
        Field::Entry(key) => push_key(path, tree.text(key).unwrap_or("?")),
    }
}

fn push_key(path: &mut String, key: &str) {
    let simple = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/'));
    match (simple, path.is_empty()) {
        (true, true) => path.push_str(key),
        (true, false) => {
            path.push('.');
            path.push_str(key);
        }
        (false, _) => {
            path.push('[');
            path.push_str(&writer::double_quoted(key));
            path.push(']');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Format, split};

    fn path(text: &str, needle: &str) -> Option<String> {
        let chunk = *split(text).0.last().unwrap();
        let (document, _) = Document::read(text, chunk, Format::of(text)).unwrap();
        Paths::new(document.unwrap()).at(text.find(needle).unwrap())
    }

    #[test]
    fn strings_keys_and_aliases_have_paths() {
        let yaml = "kind: X\n---\nkind: Foo\ne:\na.b: {c: [d, [&x f]]}\n\"\": |\n  g\nh-i/j: *x\n? k\n: l\n";
        for (needle, expected) in [
            ("Foo", Some("kind")),
            ("e:\na", Some("e")),
            ("a.b", Some("[\"a.b\"]")),
            ("d, ", Some("[\"a.b\"].c[0]")),
            ("f]]", Some("[\"a.b\"].c[1][0]")),
            ("g\n", Some("[\"\"]")),
            ("*x", Some("h-i/j")),
            ("k\n", Some("k")),
            ("l\n", Some("k")),
            ("{c", None),
            ("---", None),
        ] {
            assert_eq!(path(yaml, needle).as_deref(), expected, "{needle:?}");
        }
        let json = r#"{"kind":"X"} {"kind":"Z","a":[{"b":"c"}]}"#;
        assert_eq!(path(json, "\"c\"").as_deref(), Some("a[0].b"));
    }
}
