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

pub use document::{Format, Layout};
pub use error::{Error, NoKey, ValueError};
pub use keys::{DataKey, Identities, Sources};

use zeroize::Zeroizing;

use self::metadata::Metadata;
use self::tree::Branch;
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
    /// Takes a text apart.
    pub fn parse(text: &'a str, format: Format) -> Result<Self, Error> {
        let mut documents = document::read(text, format)?;
        let block = document::take_block(&mut documents, format)?;
        Ok(Self {
            text,
            format,
            documents,
            metadata: Metadata::parse(&block)?,
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

impl Decrypted {
    /// The documents as maps of values, without comments. A merge key (`<<`) is a key like any other.
    pub fn into_documents(self) -> Vec<Map> {
        self.documents.into_iter().map(tree::into_map).collect()
    }

    /// The documents as a text of a format, byte for byte as SOPS prints them.
    ///
    /// # Errors
    /// The format cannot hold them: lists in a dotenv file, a top-level text in an INI file.
    pub fn write(&self, format: Format, layout: Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
        document::write(&self.documents, format, layout)
    }
}
