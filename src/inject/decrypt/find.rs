//! Which texts of a stream are encrypted: whole documents by their `sops` block, and, in the `data` of a Secret, whole
//! files by the marks that Flux looks for.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use aho_corasick::AhoCorasick;
use memchr::memmem::{self, Finder};

use crate::diagnostics::{Diagnostic, Source};
use crate::inject::collect::{Job, jobs};
use crate::inject::document::{IGNORE, diagnostic};
use crate::inject::parallel;
use crate::manifest::{self, Document};
use crate::sops;
use crate::yaml::decode_base64;
use crate::yaml::tree::{NodeId, Tree};

/// Flux's annotation, which says that a document is to stay encrypted.
const DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";
/// The key of a block, and what makes a mapping one: any of these, so that a block that lost the others is told of.
const BLOCK: &str = "sops";
const FIELDS: [&str; 10] = [
    "mac",
    "lastmodified",
    "age",
    "pgp",
    "kms",
    "gcp_kms",
    "azure_kv",
    "hc_vault",
    "hckms",
    "key_groups",
];

/// What every encrypted value begins with, in each of the three ways that bytes fall into base64.
static SEALED_IN_BASE64: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let needles = [
        "RU5DW0FFUzI1Nl9HQ00s",
        "VOQ1tBRVMyNTZfR0NNL",
        "FTkNbQUVTMjU2X0dDTS",
    ];
    AhoCorasick::new(needles).expect("a few short needles")
});

static BLOCKS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(BLOCK));
static SECRETS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("Secret"));

/// Whether a text has anything in it that an encrypted document cannot be without. Nearly none has, and all are asked.
fn may_hold_sealed(text: &str) -> bool {
    BLOCKS.find(text.as_bytes()).is_some() || SECRETS.find(text.as_bytes()).is_some()
}

/// Whether a document may hold something encrypted: a block, or files in the values of a Secret. Line ends may break
/// their base64, so all Secrets are looked into that have a text on several lines.
fn may_be_sealed(text: &str) -> bool {
    let contains = |needle: &str| memmem::find(text.as_bytes(), needle.as_bytes()).is_some();
    BLOCKS.find(text.as_bytes()).is_some()
        || SECRETS.find(text.as_bytes()).is_some()
            && (SEALED_IN_BASE64.is_match(text) || contains(": |") || contains(": >"))
}

/// A document with encrypted texts.
pub(super) struct Sealed<'s> {
    pub source: usize,
    pub document: Document<'s>,
    pub texts: Vec<SealedText<'s>>,
}

/// An encrypted text.
pub(super) struct SealedText<'s> {
    /// The key of the document's block, or the value that is a file.
    pub node: NodeId,
    pub text: Cow<'s, str>,
    pub format: sops::Format,
    /// The format that a file is written back in; a document is decrypted in place.
    pub file: Option<sops::Format>,
}

/// All encrypted texts, in order, and why documents that may hold some cannot be read.
pub(super) fn find(
    sources: &[Arc<Source>],
    document_limit: u64,
) -> (Vec<Sealed<'_>>, Vec<Diagnostic>) {
    if !sources.iter().any(|source| may_hold_sealed(source.text())) {
        return (Vec::new(), Vec::new());
    }
    let mut jobs = jobs(sources).0;
    jobs.retain(|job| {
        let text = &sources[job.source].text()[job.chunk.range()];
        job.chunk.len() as u64 <= document_limit && may_be_sealed(text)
    });
    let read = |jobs: Vec<Job>| {
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        for job in jobs {
            match sealed(sources, job) {
                Ok(sealed) => found.extend(sealed),
                Err(error) => {
                    unreadable.push(diagnostic(&error, &sources[job.source], error.span));
                }
            }
        }
        (found, unreadable)
    };
    let groups = parallel::in_groups(jobs, |job| job.chunk.len(), read);
    let (found, unreadable): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let found = found.into_iter().flatten().collect();
    (found, unreadable.into_iter().flatten().collect())
}

fn sealed(sources: &[Arc<Source>], job: Job) -> Result<Option<Sealed<'_>>, manifest::Error> {
    let source = sources[job.source].text();
    let (document, _) = Document::read(source, job.chunk, job.format)?;
    Ok(document.and_then(|document| with_texts(document, job)))
}

fn with_texts(document: Document<'_>, job: Job) -> Option<Sealed<'_>> {
    let annotations = document.annotations();
    let decrypt = annotations.get(DECRYPT).map_or("", |(text, _)| text);
    if annotations.is_true(IGNORE) || decrypt.eq_ignore_ascii_case("disabled") {
        return None;
    }
    let texts = match block(&document.tree) {
        Some(node) => vec![SealedText {
            node,
            text: Cow::Borrowed(document.text),
            format: match job.format {
                manifest::Format::Yaml => sops::Format::Yaml,
                manifest::Format::Json => sops::Format::Json,
            },
            file: None,
        }],
        None if document.kind() == "Secret" => files(&document.tree),
        None => Vec::new(),
    };
    let source = job.source;
    (!texts.is_empty()).then_some(Sealed {
        source,
        document,
        texts,
    })
}

/// The key of the document's block.
fn block(tree: &Tree<'_>) -> Option<NodeId> {
    let is_block = |(key, value): &&(NodeId, NodeId)| {
        tree.text(*key) == Some(BLOCK)
            && FIELDS.iter().any(|field| tree.get(*value, field).is_some())
    };
    tree.entries(Tree::ROOT)
        .iter()
        .find(is_block)
        .map(|(key, _)| *key)
}

/// The values of a Secret's data that are encrypted files.
fn files<'s>(tree: &Tree<'_>) -> Vec<SealedText<'s>> {
    let data = tree.get(Tree::ROOT, "data");
    let entries = data.map_or(&[][..], |data| tree.entries(data));
    let file = |(key, value): &(NodeId, NodeId)| {
        let text = String::from_utf8(decode_base64(tree.text(*value)?)?).ok()?;
        Some(SealedText {
            node: *value,
            format: format_by_mark(&text)?,
            text: Cow::Owned(text),
            file: Some(format_by_name(tree.text(*key)?)),
        })
    };
    entries.iter().filter_map(file).collect()
}

/// The format by what the block of each begins with. Flux takes one of those that fit at random.
fn format_by_mark(text: &str) -> Option<sops::Format> {
    const MARKS: [(&str, sops::Format); 4] = [
        ("\"mac\": \"ENC[", sops::Format::Json),
        ("mac: ENC[", sops::Format::Yaml),
        ("sops_mac=ENC[", sops::Format::Dotenv),
        ("[sops]", sops::Format::Ini),
    ];
    let found = MARKS.iter().find(|(mark, _)| text.contains(mark));
    found
        .filter(|_| text.contains("ENC["))
        .map(|(_, format)| *format)
}

/// The format that Flux writes a key's value in.
fn format_by_name(key: &str) -> sops::Format {
    if key.ends_with(".dockerconfigjson") {
        sops::Format::Json
    } else {
        sops::Format::of_path(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::encode_base64;

    #[test]
    fn encrypted_values_are_found_in_base64_wherever_they_begin() {
        for before in ["", "a", "ab", "abc"] {
            let text = encode_base64(format!("{before}ENC[AES256_GCM,data:x").as_bytes());
            assert!(SEALED_IN_BASE64.is_match(&text), "{text}");
        }
        assert!(!SEALED_IN_BASE64.is_match(&encode_base64(b"nothing of that kind, and not short")));
    }

    #[test]
    fn formats_of_files() {
        for (text, format) in [
            ("{\"sops\": {\"mac\": \"ENC[", Some(sops::Format::Json)),
            ("sops:\n  mac: ENC[", Some(sops::Format::Yaml)),
            ("a=b\nsops_mac=ENC[", Some(sops::Format::Dotenv)),
            ("[sops]\nmac = ENC[", Some(sops::Format::Ini)),
            ("[sops]\n", None),
            ("{\"mac\":\"ENC[", None),
        ] {
            assert_eq!(format_by_mark(text), format, "{text}");
        }
        assert_eq!(format_by_name("a.dockerconfigjson"), sops::Format::Json);
        assert_eq!(format_by_name("config"), sops::Format::Binary);
    }
}
