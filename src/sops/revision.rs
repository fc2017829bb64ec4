//! An encrypted file that is to be written again: opened, changed, and encrypted with what is unchanged left as it stands.

use zeroize::Zeroizing;

use super::change::{self, NewValue};
use super::document::{self, Format, Layout};
use super::encrypt;
use super::error::Error;
use super::keys::DataKey;
use super::metadata::Metadata;
use super::path::{NotFound, TreePath};
use super::recipe;
use super::rewrite::rewritten;
use super::sealed::Sealed;
use super::tree::{self, Branch};
use super::{Encrypted, MacCheck, decrypt};
use crate::secret::Text;

/// An encrypted file, opened.
pub struct Revision<'a> {
    text: &'a str,
    format: Format,
    pub(super) metadata: Metadata,
    pub(super) key: DataKey,
    /// In the open.
    documents: Vec<Branch>,
    pub(super) sealed: Sealed,
    /// Whether its block is to be written anew, not only its MAC and time.
    pub(super) has_new_keys: bool,
}

impl<'a> Encrypted<'a> {
    /// Opens the file so that it can be written again.
    pub fn revise(mut self, key: DataKey, check: MacCheck) -> Result<Revision<'a>, Error> {
        let mut sealed = Sealed::new();
        let documents = decrypt::documents(&mut self, &key, check, Some(&mut sealed))?;
        Ok(Revision {
            text: self.text,
            format: self.format,
            metadata: self.metadata,
            key,
            documents,
            sealed,
            has_new_keys: false,
        })
    }
}

impl Revision<'_> {
    /// Puts a value at a path of the first document, and makes what is missing on the way. Gives whether that changes
    /// anything.
    ///
    /// # Errors
    /// The path does not fit the document, or the format cannot hold the value.
    pub fn set(&mut self, path: &TreePath, value: NewValue) -> Result<bool, change::Error> {
        let first = self.documents.first_mut().ok_or(Error::Empty)?;
        let changed = change::set(first, path, value, self.format)?;
        document::refuse(&self.documents, self.format)?;
        // What cannot be written in the open could not be read again.
        self.print(Layout::default())?;
        Ok(changed)
    }

    /// Takes away what a path of the first document leads to.
    ///
    /// # Errors
    /// It leads nowhere.
    pub fn unset(&mut self, path: &TreePath) -> Result<(), NotFound> {
        self.documents
            .first_mut()
            .map_or(Ok(()), |first| change::unset(first, path))
    }

    /// The values in the open, as an editor shows them.
    pub fn print(&self, layout: Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
        let documents: Vec<&Branch> = self.documents.iter().collect();
        document::write(&documents, self.format, layout)
    }

    /// Puts the values of a text in the place of all.
    ///
    /// # Errors
    /// The text is not of the file's format, or holds no document.
    pub fn replace(&mut self, text: &[u8]) -> Result<(), Error> {
        self.documents = document::read_plain(text, self.format)?;
        Ok(())
    }

    /// The values in the open, and the block as it stands.
    pub fn print_with_block(&self, layout: Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
        let old = document::read(self.text, self.format)?;
        let mut documents = Vec::with_capacity(self.documents.len());
        for (document, old) in self.documents.iter().zip(&old) {
            let mut document = tree::copy_all(document);
            document::restore_block(old, &mut document, None, self.format);
            documents.push(document);
        }
        let documents: Vec<&Branch> = documents.iter().collect();
        let written = match self.format {
            Format::Binary => Format::Json,
            format => format,
        };
        document::write(&documents, written, layout)
    }

    /// Puts the values of a text in the place of all, and its block in the place of the file's.
    ///
    /// # Errors
    /// The text is not of the file's format, or its block says something wrong.
    pub fn replace_with_block(&mut self, text: &[u8]) -> Result<(), Error> {
        let mut documents = document::read(document::utf8(text)?, self.format)?;
        let block = document::take_block(&mut documents, self.format)?;
        let metadata = Metadata::parse(&block)?;
        self.has_new_keys = !tree::same(&metadata.block(), &self.metadata.block());
        (self.metadata, self.documents) = (metadata, documents);
        Ok(())
    }

    /// The file encrypted. What is unchanged stands as it stood; `layout` is for what the file has no example of.
    ///
    /// # Errors
    /// A value cannot be written in the file's format.
    pub fn write(mut self, layout: Layout) -> Result<Vec<u8>, Error> {
        let now = recipe::now();
        let rule = (&self.metadata.selector, self.metadata.mac_only_encrypted);
        let (mut documents, mac) =
            encrypt::documents(self.documents, rule, &self.key, &mut self.sealed, &now)?;
        let old = document::read(self.text, self.format)?;
        self.metadata.mac = mac;
        self.metadata.last_modified = Text::from(now);
        let block = self.has_new_keys.then(|| self.metadata.block());
        for (index, document) in documents.iter_mut().enumerate() {
            let old = old.get(index).unwrap_or(&old[0]);
            document::restore_block(old, document, block.as_ref(), self.format);
            document::stamp(document, self.format, &self.metadata);
        }
        rewritten(self.text, &old, &documents, self.format, layout)
    }
}
