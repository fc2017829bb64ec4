//! The `sops` block in a tree: an entry of each document, a section, or lines of a dotenv file whose names begin with
//! `sops_`.

use super::{Format, flat};
use crate::diagnostics::Span;
use crate::sops::error::Error;
use crate::sops::metadata::Metadata;
use crate::sops::tree::{self, Branch, Item, Kind, Leaf, Node};

/// The key of the block.
pub(in crate::sops) const BLOCK: &str = "sops";
/// How the names of a dotenv file's block begin.
const FLAT_BLOCK: &str = "sops_";

fn is_block(item: &Item, format: Format) -> bool {
    match item {
        Item::Entry(key, _) if format == Format::Dotenv => key.starts_with(FLAT_BLOCK),
        Item::Entry(key, _) => key == BLOCK,
        Item::Comment(_) => false,
    }
}

/// Refuses documents that hold something by the name of the block.
pub(in crate::sops) fn refuse(documents: &[Branch], format: Format) -> Result<(), Error> {
    let taken = |item: &Item| is_block(item, format);
    if documents.iter().flatten().any(taken) {
        return Err(Error::Encrypted);
    }
    Ok(())
}

/// Takes the `sops` block out of all documents. The first one's counts; the others' are copies of it.
pub(in crate::sops) fn take_block(documents: &mut [Branch], format: Format) -> Result<Node, Error> {
    let (first, others) = documents.split_first_mut().ok_or(Error::NoMetadata)?;
    if format == Format::Dotenv {
        return take_flat(first);
    }
    for other in others {
        drop(take_entries(other));
    }
    let mut blocks = take_entries(first).into_iter();
    match (blocks.next(), blocks.next(), format) {
        (None, ..) => Err(Error::NoMetadata),
        (_, Some(second), _) => Err(Error::structure(second.span, "a second sops block")),
        (Some(block), None, Format::Ini) => match block.kind {
            Kind::Map(entries) => flat::unflatten(entries, block.span),
            _ => Err(Error::NoMetadata),
        },
        (Some(block), None, _) => Ok(block),
    }
}

/// Puts a block behind the entries of each document.
pub(in crate::sops) fn put_block(documents: &mut [Branch], block: &Branch, format: Format) {
    for document in documents {
        document.extend(items(block, format));
    }
}

/// What a block is in a document of a format.
fn items(block: &Branch, format: Format) -> Branch {
    let section = |block| Item::Entry(BLOCK.to_owned(), Node::new(Kind::Map(block), Span::at(0)));
    let prefixed = |item| match item {
        Item::Entry(name, node) => Item::Entry(format!("{FLAT_BLOCK}{name}"), node),
        comment @ Item::Comment(_) => comment,
    };
    match format {
        Format::Dotenv => flat::flatten(block).into_iter().map(prefixed).collect(),
        Format::Ini => vec![section(flat::flatten(block))],
        Format::Yaml | Format::Json | Format::Binary => vec![section(tree::copy_all(block))],
    }
}

fn take_entries(document: &mut Branch) -> Vec<Node> {
    let blocks = document.extract_if(.., |item| is_block(item, Format::Yaml));
    blocks
        .filter_map(|item| match item {
            Item::Entry(_, node) => Some(node),
            Item::Comment(_) => None,
        })
        .collect()
}

fn take_flat(document: &mut Branch) -> Result<Node, Error> {
    let mut entries = Branch::new();
    for item in document.extract_if(.., |item| is_block(item, Format::Dotenv)) {
        if let Item::Entry(key, node) = item {
            entries.push(Item::Entry(key[FLAT_BLOCK.len()..].to_owned(), node));
        }
    }
    let Some(Item::Entry(_, first)) = entries.first() else {
        return Err(Error::NoMetadata);
    };
    let span = first.span;
    flat::unflatten(entries, span)
}

/// Puts the block of an old document, or a new one, where it stood in it; behind all entries if it stood there.
pub(in crate::sops) fn restore_block(
    old: &Branch,
    document: &mut Branch,
    new_block: Option<&Branch>,
    format: Format,
) {
    let places = (0..old.len()).filter(|place| is_block(&old[*place], format));
    let places: Vec<usize> = places.collect();
    let Some(first) = places.first().copied() else {
        return;
    };
    let is_last = first + places.len() == old.len();
    let at = |place: usize, document: &Branch| {
        let end = document.len();
        if is_last { end } else { place.min(end) }
    };
    if let Some(block) = new_block {
        let place = at(first, document);
        document.splice(place..place, items(block, format));
        return;
    }
    for old_place in places {
        let place = at(old_place, document);
        document.splice(place..place, tree::copy_all(&old[old_place..=old_place]));
    }
}

/// Puts a MAC, and the time that it is bound to, into the block of a document that has one.
pub(in crate::sops) fn stamp(document: &mut Branch, format: Format, metadata: &Metadata) {
    let prefix = if format == Format::Dotenv {
        FLAT_BLOCK
    } else {
        ""
    };
    let block = if format == Format::Dotenv {
        Some(document)
    } else {
        document.iter_mut().find_map(|item| match item {
            Item::Entry(key, node) if key == BLOCK => match &mut node.kind {
                Kind::Map(block) => Some(block),
                _ => None,
            },
            _ => None,
        })
    };
    let Some(block) = block else { return };
    for (name, text) in [
        ("lastmodified", &metadata.last_modified),
        ("mac", &metadata.mac),
    ] {
        let name = format!("{prefix}{name}");
        let found = block.iter_mut().find_map(|item| match item {
            Item::Entry(key, node) if key.eq_ignore_ascii_case(&name) => Some(&mut node.kind),
            _ => None,
        });
        match found {
            Some(kind) => *kind = Kind::Leaf(Leaf::String(text.clone())),
            None => block.push(Item::Entry(name, Node::text(text.clone()))),
        }
    }
}
