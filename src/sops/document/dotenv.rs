//! dotenv files as SOPS reads and writes them: lines of `KEY=value`, and no rules of any shell.

use zeroize::Zeroizing;

use super::flat_text;
use crate::diagnostics::Span;
use crate::secret::Text;
use crate::sops::error::Error;
use crate::sops::tree::{Branch, Comment, Item, Kind, Leaf, Node};

/// The entries of a file. Nothing is trimmed; a line that is neither empty, nor a comment, nor holds a `=` is an error.
pub(super) fn read(text: &str) -> Result<Branch, Error> {
    let mut branch = Branch::new();
    let mut start = 0;
    for line in text.split('\n') {
        let span = Span::new(start, start + line.len());
        start = span.end + 1;
        if line.is_empty() {
            continue;
        }
        branch.push(if let Some(comment) = line.strip_prefix('#') {
            Item::Comment(Comment {
                span: Some(span),
                ..Comment::new(Text::from(comment))
            })
        } else {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| Error::structure(span, "a line of a dotenv file without a ="))?;
            let value = Leaf::String(Text::from(value.replace("\\n", "\n")));
            let span = Span::new(span.start + key.len() + 1, span.end);
            Item::Entry(key.to_owned(), Node::new(Kind::Leaf(value), span))
        });
    }
    Ok(branch)
}

/// The entries as lines.
pub(super) fn write(branch: &Branch) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut out = Zeroizing::new(Vec::new());
    for item in branch {
        match item {
            Item::Comment(comment) => {
                out.push(b'#');
                out.extend_from_slice(comment.text.expose());
            }
            Item::Entry(key, node) => {
                let text = flat_text(node).ok_or_else(|| {
                    let reason = format!("a dotenv file cannot hold the list or mapping {key}");
                    Error::structure(node.span, reason)
                })?;
                out.extend_from_slice(key.as_bytes());
                out.push(b'=');
                for byte in text.expose() {
                    match byte {
                        b'\n' => out.extend_from_slice(b"\\n"),
                        byte => out.push(*byte),
                    }
                }
            }
        }
        out.push(b'\n');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_as_they_went_in() {
        let text = "# note\nA=1\nB C= x \"y\" #z\nD=a\\nb\r\n=e\nF=\nA=2\n";
        let branch = read(text).unwrap();
        assert_eq!(write(&branch).unwrap().as_slice(), text.as_bytes());
        assert_eq!(branch.len(), 7);
    }

    #[test]
    fn a_line_without_a_sign_is_refused_at_its_place() {
        let error = read("A=1\n  \n").map(drop).unwrap_err();
        assert_eq!(error.position(), Some(4));
    }
}
