//! SOPS files: documents whose keys are readable and whose values are encrypted.
//!
//! A text goes through three types, and no other way: [`Encrypted`] (parsed, nothing opened), [`DataKey`] (recovered by
//! a master key), [`Decrypted`] (opened, and its MAC checked). Values that were not checked are never offered. The room
//! is a library of its own: it knows no manifests.

mod cipher;
mod decrypt;
mod document;
mod error;
mod keys;
mod mac;
mod metadata;
mod selector;
mod tree;

pub use document::Format;
pub use error::{Error, NoKey, ValueError};
pub use keys::{DataKey, Identities, Sources};

use self::metadata::Metadata;
use self::tree::{Branch, Item};
use crate::secret::Map;

/// An encrypted text, taken apart. Nothing in it is secret but what its author left unencrypted.
pub struct Encrypted<'a> {
    text: &'a str,
    format: Format,
    documents: Vec<Branch>,
    metadata: Metadata,
}

/// The documents of a text whose MAC was right.
pub struct Decrypted {
    documents: Vec<Branch>,
}

impl<'a> Encrypted<'a> {
    /// Takes a text apart. The first document's `sops` block counts; the others' are copies of it.
    pub fn parse(text: &'a str, format: Format) -> Result<Self, Error> {
        let mut documents = document::read(text, format)?;
        let first = documents.first_mut().ok_or(Error::NoMetadata)?;
        let mut blocks = take_blocks(first);
        let metadata = match (blocks.next(), blocks.next()) {
            (None, _) => return Err(Error::NoMetadata),
            (Some(block), None) => Metadata::parse(&block)?,
            (_, Some(second)) => {
                return Err(Error::structure(second.span, "a second sops block"));
            }
        };
        drop(blocks);
        for other in &mut documents[1..] {
            drop(take_blocks(other));
        }
        Ok(Self {
            text,
            format,
            documents,
            metadata,
        })
    }

    /// Recovers the data key with the identities at hand.
    pub fn data_key(&self, identities: &Identities) -> Result<DataKey, Error> {
        keys::recover(&self.metadata, identities)
    }

    /// Decrypts all values and checks the MAC over them.
    pub fn decrypt(self, key: &DataKey) -> Result<Decrypted, Error> {
        let metadata = &self.metadata;
        let documents = decrypt::documents(self.documents, metadata, key, self.text, self.format)?;
        Ok(Decrypted { documents })
    }
}

/// Takes the `sops` blocks out of a document.
fn take_blocks(document: &mut Branch) -> impl Iterator<Item = tree::Node> {
    let is_block = |item: &mut Item| matches!(item, Item::Entry(key, _) if key == "sops");
    let blocks: Vec<Item> = document.extract_if(.., is_block).collect();
    blocks.into_iter().filter_map(|item| match item {
        Item::Entry(_, node) => Some(node),
        Item::Comment(_) => None,
    })
}

impl Decrypted {
    /// The documents as maps of values, without comments. A merge key (`<<`) is a key like any other.
    pub fn into_documents(self) -> Vec<Map> {
        self.documents.into_iter().map(tree::into_map).collect()
    }
}
