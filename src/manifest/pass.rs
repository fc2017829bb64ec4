//! The fast path: documents that can hold nothing for us are not parsed (design section 2.2).

use aho_corasick::{AhoCorasick, packed};
use memchr::memmem;

/// What makes a document worth parsing, apart from the needles of the syntaxes: escapes that could hide a bracket,
/// directives and tags, base64 in Secrets, SOPS blocks, annotations.
const NEEDLES: &[&str] = &[
    "\\x",
    "\\u",
    "\\U",
    "\\\n",
    "\\\r",
    "\n%",
    "!!",
    "Secret",
    "sops",
    "ENC[",
    "avp.kubernetes.io",
    "manifuse.io",
];

/// Decides which documents may pass through unparsed.
#[derive(Debug)]
pub struct FastPath {
    /// Needles of one byte: by far the fastest to look for, and the most likely to be there.
    bytes: Vec<u8>,
    /// All others, by vector instructions where the processor has them.
    packed: Option<packed::Searcher>,
    /// All others, one byte at a time.
    needles: AhoCorasick,
}

impl FastPath {
    /// A fast path for these syntaxes' needles.
    ///
    /// # Panics
    /// When there are absurdly many needles.
    pub fn new<'n>(syntaxes: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let needles = NEEDLES
            .iter()
            .map(|needle| needle.as_bytes())
            .chain(syntaxes);
        let (mut bytes, longer): (Vec<_>, Vec<_>) = needles.partition(|needle| needle.len() == 1);
        bytes.dedup();
        Self {
            bytes: bytes.concat(),
            packed: packed::Searcher::new(&longer),
            needles: AhoCorasick::new(longer).expect("a few short needles"),
        }
    }

    /// Whether a YAML document, without its separator lines, holds nothing for us and is a Kubernetes document at first
    /// sight. `false` says only that it must be parsed.
    pub fn may_pass(&self, document: &str) -> bool {
        let absent = |byte| memchr::memchr(byte, document.as_bytes()).is_none();
        self.bytes.iter().all(|byte| absent(*byte))
            && absent(b'\0')
            && !document.starts_with('%')
            && !self.has_needle(document)
            && has_plain_kind(document)
    }

    fn has_needle(&self, document: &str) -> bool {
        match &self.packed {
            Some(packed) => packed.find(document).is_some(),
            None => self.needles.is_match(document),
        }
    }
}

/// Whether exactly one line begins with `kind:` and its value is one word of ASCII letters that no YAML reader takes
/// for anything but a string.
fn has_plain_kind(document: &str) -> bool {
    let first = document.starts_with("kind:").then_some(0);
    let mut lines = first
        .into_iter()
        .chain(memmem::find_iter(document.as_bytes(), "\nkind:").map(|newline| newline + 1));
    let (Some(start), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let rest = &document[start + "kind:".len()..];
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    let Some(word) = line.strip_prefix(' ').map(str::trim) else {
        return false;
    };
    // The shortest kinds have three letters; `yes`, `off`, `true` and `null` begin with small letters or are listed.
    let is_word = word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && crate::yaml::resolve::is_string_for_all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_and_what_does_not() {
        let path = FastPath::new([b"<".as_slice()]);
        assert!(path.may_pass("apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"));
        assert!(path.may_pass("kind: ConfigMap\r\n"));
        for text in [
            "kind: Secret\n",
            "kind: X\na: <b>\n",
            "kind: X\na: \"\\u003c\"\n",
            "kind: X\nkind: Y\n",
            "kind: yes\n",
            "kind: \"ConfigMap\"\n",
            "kind:\n  ConfigMap\n",
            " kind: ConfigMap\n",
            "kind: Config Map\n",
            "%YAML 1.1\nkind: ConfigMap\n",
            "kind: ConfigMap\nm: {avp.kubernetes.io/ignore: \"true\"}\n",
            "kind: ConfigMap # c\n",
        ] {
            assert!(!path.may_pass(text), "{text:?}");
        }
    }
}
