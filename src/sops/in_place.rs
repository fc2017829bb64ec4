//! Decryption where the values stand: what takes the place of each encrypted text, for whoever wants to keep the bytes
//! around them. How a text is written there is the caller's business.

use super::cipher::Opened;
use super::document::{self, Format};
use super::error::Error;
use super::keys::DataKey;
use super::tree::Leaf;
use super::{Encrypted, MacCheck, decrypt};
use crate::diagnostics::Span;
use crate::secret::Text;

/// An encrypted text and what takes its place.
pub struct Change {
    /// A scalar's token, or a comment with its `#`.
    pub span: Span,
    /// What goes there.
    pub replacement: Replacement,
}

/// What takes the place of an encrypted text.
pub enum Replacement {
    /// A string.
    String(Text),
    /// A value that is none, as the format spells it.
    Literal(Text),
    /// A comment, without its `#`. Where an element of a list stood, the list loses that element.
    Comment(Text),
}

impl Replacement {
    pub(super) fn of(opened: &Opened, format: Format, span: Span) -> Result<Self, Error> {
        Ok(match opened {
            Opened::Comment(text) => Self::Comment(text.clone()),
            Opened::Leaf(Leaf::String(text)) if text.expose_str().is_some() => {
                Self::String(text.clone())
            }
            Opened::Leaf(leaf) => Self::Literal(document::literal(leaf, format, span)?),
        })
    }
}

impl Encrypted<'_> {
    /// Whether both are parts of what was encrypted as one text: their blocks are copies of one.
    pub fn is_of_one_text_with(&self, other: &Self) -> bool {
        let [a, b] = [&self.metadata, &other.metadata];
        !a.mac.expose().is_empty() && a.mac == b.mac && a.last_modified == b.last_modified
    }

    /// Decrypts all values of the parts of one text, in order, and checks the MAC over them: gives the changes in each
    /// part. What is wrong is told with the number of the part.
    pub fn decrypt_in_place(
        parts: Vec<Self>,
        key: &DataKey,
        check: MacCheck,
    ) -> Result<Vec<Vec<Change>>, (usize, Error)> {
        decrypt::in_place(parts, key, check)
    }
}
