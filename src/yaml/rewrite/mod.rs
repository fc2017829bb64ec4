//! Writes a new text into a scalar by the smallest edit that keeps its style, or the whole node in double quotes.
//!
//! An edit is [`Certainty::Proved`] where its form alone shows that readers get the target, else [`Certainty::Reread`]:
//! the caller reads the edited document again and falls back to [`quoted`] (design section 2, "rules for the hard
//! places").

mod literal;

use std::ops::Range;

use super::edit::Edit;
use super::event::Style;
use super::lines;
use super::scalar::Scalar;
use super::writer;
use crate::diagnostics::Span;

/// Whether an edit must be checked by reading the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Right by construction.
    Proved,
    /// To be read again.
    Reread,
}

/// Edits of one scalar, sorted, not overlapping.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// The edits, in the scalar's text.
    pub edits: Vec<Edit>,
    /// Whether the result must be read again.
    pub certainty: Certainty,
}

/// What goes where in a scalar: ranges of its decoded text, in order, and the new texts.
pub type Replacements = [(Range<usize>, String)];

/// The decoded text with its replacements made.
pub fn target(decoded: &str, replacements: &Replacements) -> String {
    let mut out = String::with_capacity(decoded.len());
    let mut position = 0;
    for (range, text) in replacements {
        out.push_str(&decoded[position..range.start]);
        out.push_str(text);
        position = range.end;
    }
    out.push_str(&decoded[position..]);
    out
}

/// Makes the replacements in place, in the scalar's own style where that is possible.
pub fn in_place(
    scalar: &Scalar<'_>,
    decoded: &str,
    replacements: &Replacements,
    in_flow: bool,
) -> Rewrite {
    let target = target(decoded, replacements);
    let styled = match scalar.style {
        Style::Plain => plain(scalar, decoded, replacements, &target, in_flow),
        Style::SingleQuoted => single_quoted(scalar, decoded, replacements),
        Style::DoubleQuoted | Style::Json => double_quoted(scalar, decoded, replacements),
        Style::Literal => literal::in_place(scalar, decoded, replacements, &target),
        Style::Folded => folded(scalar, decoded, replacements),
    };
    styled.unwrap_or_else(|| quoted(scalar, &target))
}

/// A whole new text: in the scalar's own style where that is possible, several lines as a literal block where `indent`
/// says how far to indent it (in brackets and in JSON there are none).
pub fn anew(
    scalar: &Scalar<'_>,
    decoded: &str,
    target: &str,
    in_flow: bool,
    indent: Option<usize>,
) -> Rewrite {
    let block = indent.filter(|_| scalar.style == Style::Plain && target.contains('\n'));
    if let Some(edits) = block.and_then(|indent| literal::instead(scalar, target, indent)) {
        return Rewrite {
            edits,
            certainty: Certainty::Reread,
        };
    }
    let replacements = [(0..decoded.len(), target.to_owned())];
    in_place(scalar, decoded, &replacements, in_flow)
}

/// The whole node as one line in double quotes.
pub fn quoted(scalar: &Scalar<'_>, target: &str) -> Rewrite {
    whole(scalar, writer::double_quoted(target))
}

/// The whole node as the given one-line text, which must read as one node. A block scalar, whose lines go, is to be
/// read again.
pub fn whole(scalar: &Scalar<'_>, text: String) -> Rewrite {
    let Some(header) = scalar.block_header() else {
        let tabs = match scalar.style {
            Style::Plain => tabs_behind(scalar.text, scalar.span.end),
            _ => Vec::new(),
        };
        let tabs = tabs.into_iter().map(|span| Edit::new(span, ""));
        return Rewrite {
            edits: std::iter::once(Edit::new(scalar.span, text))
                .chain(tabs)
                .collect(),
            certainty: Certainty::Proved,
        };
    };
    let end = scalar
        .block_body()
        .map_or(header.line_end, |body| body.end.max(header.line_end));
    let lines = Span::new(header.line_end, end);
    Rewrite {
        edits: vec![Edit::new(header.indicators, text), Edit::new(lines, "")],
        certainty: Certainty::Reread,
    }
}

/// The tabs that begin the blank lines behind a plain scalar, up to a comment. Readers take them for a part of the plain
/// scalar; libyaml refuses them behind anything else.
fn tabs_behind(text: &str, end: usize) -> Vec<Span> {
    let mut tabs = Vec::new();
    for line in lines::of(text, end, text.len()).skip(1) {
        let content = line.content.trim_start_matches([' ', '\t']);
        if !content.is_empty() && !content.starts_with('#') {
            break;
        }
        let blanks = &line.content[..line.content.len() - content.len()];
        let in_text = |(tab, _)| Span::new(line.start + tab, line.start + tab + 1);
        tabs.extend(blanks.match_indices('\t').map(in_text));
        if !content.is_empty() {
            break;
        }
    }
    tabs
}

/// The edits that put each text, written by `write`, in the place of its source bytes.
fn mapped(
    scalar: &Scalar<'_>,
    decoded: &str,
    replacements: &Replacements,
    write: impl Fn(&str) -> String,
) -> Option<Vec<Edit>> {
    let map = scalar.map(decoded)?;
    let edit = |(range, text): &(Range<usize>, String)| {
        Some(Edit::new(map.span(range.clone())?, write(text)))
    };
    replacements.iter().map(edit).collect()
}

fn is_one_line(scalar: &Scalar<'_>) -> bool {
    !scalar.source().contains(['\n', '\r'])
}

fn certainty(proved: bool) -> Certainty {
    if proved {
        Certainty::Proved
    } else {
        Certainty::Reread
    }
}

/// Texts that change nothing around them: no line end, no blank at an edge, nothing to escape.
fn is_inert(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && text.chars().all(writer::is_printable)
}

fn plain(
    scalar: &Scalar<'_>,
    decoded: &str,
    replacements: &Replacements,
    target: &str,
    in_flow: bool,
) -> Option<Rewrite> {
    let one_line = is_one_line(scalar);
    let judged = if one_line {
        target.to_owned()
    } else {
        target.replace('\n', " ")
    };
    let fits = writer::may_be_plain(&judged, in_flow)
        && (one_line || replacements.iter().all(|(_, t)| is_inert(t)));
    if !fits {
        return None;
    }
    let edits = mapped(scalar, decoded, replacements, str::to_owned)?;
    Some(Rewrite {
        edits,
        certainty: certainty(one_line),
    })
}

fn single_quoted(
    scalar: &Scalar<'_>,
    decoded: &str,
    replacements: &Replacements,
) -> Option<Rewrite> {
    let one_line = is_one_line(scalar);
    let fits = |text: &str| text.chars().all(writer::is_printable) && (one_line || is_inert(text));
    if !replacements.iter().all(|(_, text)| fits(text)) {
        return None;
    }
    let edits = mapped(scalar, decoded, replacements, |text| {
        text.replace('\'', "''")
    })?;
    Some(Rewrite {
        edits,
        certainty: certainty(one_line),
    })
}

fn double_quoted(
    scalar: &Scalar<'_>,
    decoded: &str,
    replacements: &Replacements,
) -> Option<Rewrite> {
    let escaped = |text: &str| {
        let mut out = String::new();
        writer::escape_into(&mut out, text);
        out
    };
    let edits = mapped(scalar, decoded, replacements, escaped)?;
    Some(Rewrite {
        edits,
        certainty: certainty(is_one_line(scalar)),
    })
}

fn folded(scalar: &Scalar<'_>, decoded: &str, replacements: &Replacements) -> Option<Rewrite> {
    if !replacements.iter().all(|(_, text)| is_inert(text)) {
        return None;
    }
    let edits = mapped(scalar, decoded, replacements, str::to_owned)?;
    Some(Rewrite {
        edits,
        certainty: Certainty::Reread,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::YamlReader;
    use crate::yaml::edit;
    use crate::yaml::tree::{NodeKind, Tree};

    /// Puts `value` in the place of each `<x>` of the value of `v`, and gives the new text and how sure it is.
    fn put(text: &str, value: &str) -> (String, Certainty) {
        let tree = Tree::read(&mut YamlReader::new(text)).unwrap().unwrap();
        let node = tree.node(tree.get(Tree::ROOT, "v").unwrap());
        let NodeKind::Scalar(decoded, style) = &node.kind else {
            panic!("not a scalar")
        };
        let scalar = Scalar {
            text,
            span: node.span,
            style: *style,
            after: node.after,
        };
        let replacements: Vec<_> = decoded
            .match_indices("<x>")
            .map(|(at, found)| (at..at + found.len(), value.to_owned()))
            .collect();
        let rewrite = in_place(&scalar, decoded, &replacements, false);
        let edited = edit::apply(text, &rewrite.edits);
        let expected = target(decoded, &replacements);
        if rewrite.certainty == Certainty::Proved {
            assert_eq!(
                read(&edited),
                Some(expected),
                "{text:?} with {value:?} gave {edited:?}"
            );
        }
        (edited, rewrite.certainty)
    }

    fn read(text: &str) -> Option<String> {
        let tree = Tree::read(&mut YamlReader::new(text)).ok()??;
        tree.string(tree.get(Tree::ROOT, "v")?).map(str::to_owned)
    }

    const PEM: &str = "-----BEGIN-----\nAAAA\n-----END-----\n";

    /// Text, value, and what comes out.
    const LOOKS: &[(&str, &str, &str)] = &[
        ("v: <x> # c\n", "alice", "v: alice # c\n"),
        ("v: http://<x>:8/\n", "h", "v: http://h:8/\n"),
        ("v: <x>\n", "123", "v: \"123\"\n"),
        ("v: <x>\n", "", "v: \"\"\n"),
        ("v: a<x>\n", ": b", "v: \"a: b\"\n"),
        ("v: '<x>''s'\n", "it's", "v: 'it''s''s'\n"),
        ("v: '<x>'\n", "a\nb", "v: \"a\\nb\"\n"),
        (
            "v: \"\\t<x>\\u0041\"\n",
            "q\"\\",
            "v: \"\\tq\\\"\\\\\\u0041\"\n",
        ),
        (
            "v: |\n  a <x>\n  b\nw: 1\n",
            "alice",
            "v: |\n  a alice\n  b\nw: 1\n",
        ),
        (
            "v: |-\n  <x>\nw: 1\n",
            "a\n\nb",
            "v: |-\n  a\n\n  b\nw: 1\n",
        ),
        (
            "v: |\n  <x>\nw: 1\n",
            PEM,
            "v: |+\n  -----BEGIN-----\n  AAAA\n  -----END-----\n\nw: 1\n",
        ),
        (
            "v: |- # c\n  <x>\nw: 1\n",
            PEM,
            "v: | # c\n  -----BEGIN-----\n  AAAA\n  -----END-----\nw: 1\n",
        ),
        (
            "v: |\r\n  <x>\r\nw: 1\r\n",
            "a\nb",
            "v: |\r\n  a\r\n  b\r\nw: 1\r\n",
        ),
        (
            "v: | # c\n  <x>\n\nw: 1\n",
            "\u{1b}",
            "v: \"\\u001b\\n\" # c\n\nw: 1\n",
        ),
        (
            "v: >\n  a\n  <x>\nw: 1\n",
            "alice",
            "v: >\n  a\n  alice\nw: 1\n",
        ),
        (
            "v: >-\n  a\n  <x>\nw: 1\n",
            "b\nc",
            "v: \"a b\\nc\"\nw: 1\n",
        ),
        ("v: a\n  <x>\n  b\n", "alice", "v: a\n  alice\n  b\n"),
        ("v: <x>\n \t\n\nw: 1\n", "alice", "v: alice\n \t\n\nw: 1\n"),
        (
            "v: <x>\t\n \t\n\n\t # c\nw: 1\n",
            "yes",
            "v: \"yes\"\t\n \n\n # c\nw: 1\n",
        ),
        (
            "v: \"a\n  <x>\\\n  b\"\n",
            "alice",
            "v: \"a\n  alice\\\n  b\"\n",
        ),
    ];

    #[test]
    fn each_style_keeps_its_looks() {
        for &(text, value, expected) in LOOKS {
            assert_eq!(put(text, value).0, expected, "{text:?} with {value:?}");
        }
    }

    #[test]
    fn several_lines_make_a_block() {
        for (text, value, expected) in [
            ("v: x\nw: 1\n", "a\nb", "v: |-\n  a\n  b\nw: 1\n"),
            ("v: x # c\n\n", "a\n\nb\n", "v: | # c\n  a\n\n  b\n\n"),
            ("v: x\r\n", "a\nb\n", "v: |\r\n  a\r\n  b\r\n"),
            ("v: x", "a\nb", "v: \"a\\nb\""),
            ("v: x\r", "a\nb", "v: \"a\\nb\"\r"),
            ("v: x\n", " a\nb", "v: \" a\\nb\"\n"),
            ("v: x\n", "a\n\n", "v: \"a\\n\\n\"\n"),
            ("v: x\n", "a\r\nb", "v: \"a\\r\\nb\"\n"),
            ("v: 'x'\n", "a\nb", "v: \"a\\nb\"\n"),
            ("v: x\n", "a b", "v: a b\n"),
        ] {
            let tree = Tree::read(&mut YamlReader::new(text)).unwrap().unwrap();
            let node = tree.node(tree.get(Tree::ROOT, "v").unwrap());
            let NodeKind::Scalar(decoded, style) = &node.kind else {
                panic!("not a scalar")
            };
            let scalar = Scalar {
                text,
                span: node.span,
                style: *style,
                after: node.after,
            };
            let rewrite = anew(&scalar, decoded, value, false, Some(2));
            let edited = edit::apply(text, &rewrite.edits);
            assert_eq!(edited, expected, "{text:?} with {value:?}");
            assert_eq!(read(&edited).as_deref(), Some(value), "{edited:?}");
        }
    }

    #[test]
    fn what_is_not_proved_is_mostly_right_and_else_quoted() {
        for text in [
            "v: |\n  <x>\n",
            "v: |-\n  <x>\n\n\nw: 1",
            "v: |+\n  <x>\n\n",
            "v: >\n  b\n   <x>\n  c\n",
            "v: 'a\n  <x>'",
        ] {
            for value in [
                "alice", "", " ", " a", "a ", "\n", "a\n", "a\n\n", PEM, "a\tb", "#c", "- d",
                "---", "\u{85}",
            ] {
                let (edited, certainty) = put(text, value);
                let right = read(&edited)
                    .is_some_and(|found| found == read(text).unwrap().replace("<x>", value));
                assert!(
                    right || certainty == Certainty::Reread,
                    "{text:?} with {value:?} gave {edited:?}"
                );
            }
        }
    }
}
