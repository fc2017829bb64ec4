//! SOPS files: documents whose keys are readable and whose values are encrypted.
//!
//! A text goes through three types, and no other way: [`Encrypted`] (parsed, nothing opened), [`DataKey`] (recovered by
//! a master key), [`Decrypted`] (opened, and its MAC checked). Values that were not checked are never offered. The room
//! is a library of its own: it knows no manifests.

mod change;
mod cipher;
mod config;
mod decrypt;
mod document;
mod encrypt;
mod error;
mod in_place;
mod keys;
mod mac;
mod merge;
mod metadata;
mod path;
mod place;
mod recipe;
mod rekey;
mod revision;
mod rewrite;
mod sealed;
mod selector;
mod tree;

pub use change::{Error as ChangeError, InvalidValue, NewValue};
pub use config::Config;
pub use document::{Format, Layout};
pub use error::{Error, NoKey, ValueError};
pub use in_place::{Change, Replacement};
pub use keys::{ALLOWLIST, DataKey, FileKeys, InvalidOrder, Keyring, ORDER, SETTINGS, Sealing};
pub use path::{InvalidPath, NotFound, TreePath};
pub use recipe::{InvalidContext, Recipe};
pub use revision::Revision;

use tokio::time::Instant;
use zeroize::Zeroizing;

use self::metadata::Metadata;
use self::tree::Branch;
use crate::secret::{Map, Text};

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

    /// Recovers the data key with the keys at hand. A server that holds one must answer before the deadline.
    pub async fn data_key(&self, keyring: &Keyring, deadline: Instant) -> Result<DataKey, Error> {
        keyring.data_key(&self.metadata, deadline).await
    }

    /// Decrypts all values and checks the MAC over them.
    pub fn decrypt(mut self, key: &DataKey, check: MacCheck) -> Result<Decrypted, Error> {
        let documents = decrypt::documents(&mut self, key, check, None)?;
        Ok(Decrypted { documents })
    }
}

/// Whether the MAC over all values must be right. Each encrypted value is bound to its place in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacCheck {
    /// Nothing comes out unless it is.
    Required,
    /// The user said that something else has changed the document.
    Skipped,
}

impl MacCheck {
    /// As the flag `--ignore-mac` says.
    pub fn unless(ignored: bool) -> Self {
        if ignored {
            Self::Skipped
        } else {
            Self::Required
        }
    }
}

/// Whether a text is an encrypted file: a `sops` block with a MAC and a version.
pub fn is_encrypted(text: &str, format: Format) -> Result<bool, Error> {
    let mut documents = document::read(text, format)?;
    match document::take_block(&mut documents, format) {
        Ok(block) => Ok(metadata::is_complete(&block)),
        Err(Error::NoMetadata) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a text could be encrypted as one of a format.
///
/// # Errors
/// It has not the format's syntax, holds no document, or something by the name of the `sops` block.
pub fn check_plain(bytes: &[u8], format: Format) -> Result<(), Error> {
    document::read_plain(bytes, format).map(drop)
}

impl Decrypted {
    /// The documents as maps of values, without comments. A merge key (`<<`) is a key like any other.
    pub fn into_documents(self) -> Vec<Map> {
        self.documents.into_iter().map(tree::into_map).collect()
    }

    /// The first document's values as environment variables, in order.
    ///
    /// # Errors
    /// A value is a list or a mapping.
    pub fn variables(&self) -> Result<Vec<(String, Text)>, Error> {
        self.documents
            .first()
            .map_or(Ok(Vec::new()), document::variables)
    }

    /// The documents as a text of a format, byte for byte as SOPS prints them.
    ///
    /// # Errors
    /// The format cannot hold them: lists in a dotenv file, a top-level text in an INI file.
    pub fn write(&self, format: Format, layout: Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
        let documents: Vec<&Branch> = self.documents.iter().collect();
        document::write(&documents, format, layout)
    }

    /// What a path leads to in the first document, as a text of a format: strings as they are, a mapping as a document
    /// with the further documents behind it.
    ///
    /// # Errors
    /// The path leads nowhere, or the format cannot hold what it leads to.
    pub fn extract(
        &self,
        path: &TreePath,
        format: Format,
        layout: Layout,
    ) -> Result<Zeroizing<Vec<u8>>, ExtractError> {
        let (first, others) = self.documents.split_first().ok_or(Error::NoMetadata)?;
        let node = path.find(first)?;
        Ok(document::write_value(node, others, format, layout)?)
    }
}

/// Why a part of a file cannot be taken out of it.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The path leads nowhere.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The format cannot hold the part.
    #[error(transparent)]
    Format(#[from] Error),
}
