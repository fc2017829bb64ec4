//! Where a walk over a tree is: what a value there is bound to, what messages call it, and whether it is encrypted.

use super::error::{Error, ValueError};
use super::selector::{Position, Selector};
use crate::diagnostics::Span;

/// A place in a tree.
pub(super) struct Place<'s> {
    pub(super) position: Position<'s>,
    /// The keys on the way to here, each with a colon behind it.
    aad: Vec<u8>,
    keys: Vec<String>,
}

impl<'s> Place<'s> {
    /// The top of a document.
    pub(super) fn new(selector: &'s Selector) -> Self {
        Self {
            position: Position::new(selector),
            aad: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// Goes into the value of a key. To be followed by [`Self::leave_key`].
    pub(super) fn enter_key(&mut self, key: &str) {
        self.aad.extend_from_slice(key.as_bytes());
        self.aad.push(b':');
        self.keys.push(key.to_owned());
        self.position.enter_key(key);
    }

    pub(super) fn leave_key(&mut self) {
        self.position.leave_key();
        let key = self.keys.pop().map_or(0, |key| key.len() + 1);
        self.aad.truncate(self.aad.len() - key);
    }

    /// What a value or comment here is bound to.
    pub(super) fn aad(&self) -> &[u8] {
        if self.aad.is_empty() { b":" } else { &self.aad }
    }

    /// A failure at this place.
    pub(super) fn error(&self, span: Span, reason: ValueError) -> Error {
        Error::Value {
            path: self.keys.join("."),
            span,
            reason,
        }
    }
}
