//! Large manifests of other projects, which are not part of this one: byte-identical without placeholders, right with
//! placeholders at random places.
//!
//! Run on a folder of them: `MANIFUSE_TEST_MANIFESTS=DIR cargo test --test it public_manifests -- --ignored`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use manifuse::diagnostics::Span;
use manifuse::manifest::{Document, Format, Listing, Position, split};
use manifuse::secret::{Map, Value};
use manifuse::yaml::Style;
use manifuse::yaml::edit::{Edit, apply};
use manifuse::yaml::tree::NodeKind;

use crate::support::expectation::Expectation;
use crate::support::kube_yaml;
use crate::support::render::render;
use crate::support::tree::{self, Tree};

const VALUES: &[&str] = &[
    "alice",
    "p@ss: #1 'x' \"y\"",
    "12",
    "",
    " a\n\nb\n",
    "-----BEGIN\nAA\n-----END\n",
    "\u{1b}é😀",
    "yes",
    "- x",
];

#[expect(
    clippy::disallowed_methods,
    reason = "a test that is told by hand where its data lies"
)]
fn manifests() -> Vec<(PathBuf, String)> {
    let folder =
        std::env::var("MANIFUSE_TEST_MANIFESTS").expect("MANIFUSE_TEST_MANIFESTS names a folder");
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!files.is_empty(), "the folder is empty");
    files
        .into_iter()
        .map(|file| (file.clone(), std::fs::read_to_string(file).unwrap()))
        .collect()
}

/// A small generator of numbers; each run is the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// The text with placeholders put into one of `every` strings: before or behind the text of the token.
fn with_placeholders(text: &str, random: &mut Random, every: usize) -> (String, usize) {
    let mut edits = Vec::new();
    for chunk in split(text).0 {
        let (document, _) = Document::read(text, chunk, Format::of(text)).unwrap();
        if let Some(document) = document {
            for string in document.strings(Listing::All).strings {
                let node = document.tree.node(string.node);
                let usable = string.position != Position::Fixed
                    && string.node == string.scalar
                    && !string.shadowed;
                let NodeKind::Scalar(decoded, style) = &node.kind else {
                    continue;
                };
                if !usable || decoded.is_empty() || decoded.contains('<') || random.below(every) > 0
                {
                    continue;
                }
                let span = document.span(string.node);
                let quoted = usize::from(!matches!(
                    style,
                    Style::Plain | Style::Literal | Style::Folded
                ));
                let at = match style {
                    Style::Literal | Style::Folded => span.start,
                    _ if random.below(2) == 0 => span.start + quoted,
                    _ => span.end - quoted,
                };
                edits.push(Edit::new(
                    Span::at(at),
                    format!("<path:s#k{}>", random.below(VALUES.len())),
                ));
            }
        }
    }
    (apply(text, &edits), edits.len())
}

#[test]
#[ignore = "needs manifests of other projects in the folder MANIFUSE_TEST_MANIFESTS"]
fn manifests_of_other_projects() {
    let secret: Map = VALUES
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("k{index}"), Value::string(*value)))
        .collect();
    let values: BTreeMap<String, Tree> = VALUES
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("k{index}"), Tree::String((*value).to_owned())))
        .collect();
    // All values are strings, so the kind makes no difference.
    let expected = Expectation {
        secret: &values,
        kind: "X",
    };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for (file, text) in manifests() {
        for validate in [false, true] {
            assert!(
                render(&text, secret.clone(), validate).unwrap() == text,
                "{} changed",
                file.display()
            );
        }
        for every in [1, 20] {
            let (input, count) = with_placeholders(&text, &mut random, every);
            let output = render(&input, secret.clone(), false)
                .unwrap_or_else(|told| panic!("{}: {told:?}", file.display()));
            assert!(count > 0, "{} holds no string", file.display());
            let before = kube_yaml::documents(input.as_bytes()).unwrap();
            let after = kube_yaml::documents(output.as_bytes()).unwrap();
            assert_eq!(before.len(), after.len(), "{}", file.display());
            for (before, after) in before.iter().zip(&after) {
                let lines = tree::differences(&expected.of(before, false), after);
                assert!(lines.is_empty(), "{}: {}", file.display(), lines.join("\n"));
            }
        }
    }
}
