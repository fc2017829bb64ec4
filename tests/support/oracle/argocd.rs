//! What comes from repo-server: header blocks of HTTP/2 and archives.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use loona_hpack::Decoder;
use manifuse::argocd::archive::{Entry, Error, Keep, Limits, unpack};
use manifuse::argocd::authority::Rewriter;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bytes behind a preface come out the same in whatever pieces they came in, as frames that another reader takes, and
/// with the same fields but for the authority's value.
pub(super) fn authority(input: &[u8]) {
    let (whole, pieces) = (rewritten(input, usize::MAX), rewritten(input, 1));
    assert_eq!(whole.is_some(), pieces.is_some());
    let Some(out) = whole else {
        return;
    };
    assert_eq!(Some(&out), pieces.as_ref());
    let (ours, theirs) = (blocks(&out), blocks(input));
    assert!(ours.len() <= theirs.len());
    let mut table = Decoder::new();
    let mut fresh = Decoder::new();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let before = table.decode(theirs).expect("it was taken");
        let after = fresh.decode(ours).expect("it is ours");
        assert_eq!(before.len(), after.len());
        for ((name, value), (new, rewritten)) in before.into_iter().zip(after) {
            let expected = if name == b":authority" {
                b"localhost".to_vec()
            } else {
                value
            };
            assert_eq!((name, expected), (new, rewritten));
        }
    }
}

fn rewritten(input: &[u8], piece: usize) -> Option<Vec<u8>> {
    let mut rewriter = Rewriter::default();
    let mut out = Vec::new();
    rewriter
        .feed(PREFACE, &mut out)
        .expect("a preface goes through");
    for bytes in input.chunks(piece.min(input.len()).max(1)) {
        rewriter.feed(bytes, &mut out).ok()?;
    }
    Some(out.split_off(PREFACE.len()))
}

/// The complete header blocks of a text of frames, without padding and priority.
fn blocks(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut open = Vec::new();
    while let Some((header, rest)) = bytes.split_at_checked(9) {
        let length =
            usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else {
            break;
        };
        bytes = rest;
        let mut fragment = payload;
        if !matches!(header[3], 1 | 9) {
            continue;
        }
        if header[3] == 1 {
            let mut padding = 0;
            if header[4] & 8 != 0 {
                padding = usize::from(fragment[0]);
                fragment = &fragment[1..];
            }
            if header[4] & 0x20 != 0 {
                fragment = &fragment[5..];
            }
            fragment = &fragment[..fragment.len() - padding];
        }
        open.extend_from_slice(fragment);
        if header[4] & 4 != 0 {
            blocks.push(std::mem::take(&mut open));
        }
    }
    blocks
}

/// Whatever an archive holds, names stay within it, links lead to what is in it, and limits hold.
pub(super) fn archive(input: &[u8]) {
    let limits = Limits {
        unpacked: 1 << 20,
        entries: 100,
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(input).expect("it goes to memory");
    let compressed = encoder.finish().expect("it goes to memory");
    for keep in [Keep::Application, Keep::Everything] {
        for folder in [".", "a", "a/b"] {
            let tree = match unpack(|| compressed.as_slice(), folder, keep, &limits) {
                Ok(tree) => tree,
                Err(error) => {
                    assert!(error.to_string().len() < 4096);
                    assert!(!matches!(error, Error::TooMuch(_)) || input.len() > 100 * 512);
                    continue;
                }
            };
            assert!(tree.entries().count() <= limits.entries + 1);
            for (name, entry) in tree.entries() {
                let is_step = |step: &str| !matches!(step, "" | "." | "..");
                assert!(name.is_empty() || name.split('/').all(is_step), "{name:?}");
                if let Entry::Link(target) = entry {
                    assert!(
                        target.is_empty() || target.split('/').all(is_step),
                        "{target:?}"
                    );
                }
            }
            for (name, bytes) in tree.files() {
                let whole = match tree.application() {
                    "" => name.to_owned(),
                    application => format!("{application}/{name}"),
                };
                assert_eq!(tree.file(&whole), Some(bytes), "{name:?}");
            }
        }
    }
}
