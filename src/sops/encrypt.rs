//! The walk the other way: every value of every document in order, hashed, and encrypted where the rule says so.

use super::cipher::{Cipher, Plain};
use super::error::{Error, ValueError};
use super::keys::DataKey;
use super::mac::Mac;
use super::place::Place;
use super::sealed::Sealed;
use super::selector::Selector;
use super::tree::{Branch, Element, Item, Kind, Leaf, Node};
use crate::diagnostics::Span;
use crate::secret::Text;

/// Encrypts documents by a rule, which says too whether only encrypted values count for the MAC, and gives the MAC. What
/// is unchanged gets the text that it has had, from `sealed`.
pub(super) fn documents(
    documents: Vec<Branch>,
    (selector, only_encrypted): (&Selector, bool),
    key: &DataKey,
    sealed: &mut Sealed,
    now: &str,
) -> Result<(Vec<Branch>, Text), Error> {
    let cipher = Cipher::new(key.expose());
    let mut walk = Walk {
        cipher: &cipher,
        sealed,
        place: Place::new(selector),
        mac: Mac::new(only_encrypted),
        only_encrypted,
    };
    let branch = |branch| walk.branch(branch);
    let documents = documents
        .into_iter()
        .map(branch)
        .collect::<Result<_, _>>()?;
    let hash = Plain::leaf(&Leaf::String(walk.mac.text()));
    let mac = Text::from(cipher.seal(&hash, now.as_bytes()));
    Ok((documents, mac))
}

struct Walk<'w> {
    cipher: &'w Cipher,
    sealed: &'w mut Sealed,
    place: Place<'w>,
    mac: Mac,
    only_encrypted: bool,
}

impl Walk<'_> {
    fn branch(&mut self, branch: Branch) -> Result<Branch, Error> {
        self.place.position.enter_collection();
        let mut encrypted = Branch::with_capacity(branch.len());
        for item in branch {
            encrypted.push(match item {
                Item::Comment(comment) => Item::Comment(match self.comment(&comment.text)? {
                    Some(text) => comment.with_text(Text::from(text)),
                    None => comment,
                }),
                Item::Entry(key, node) => {
                    self.place.enter_key(&key);
                    let node = self.node(node)?;
                    self.place.leave_key();
                    self.place.position.after_entry();
                    Item::Entry(key, node)
                }
            });
        }
        self.place.position.leave_collection();
        Ok(encrypted)
    }

    fn node(&mut self, node: Node) -> Result<Node, Error> {
        let kind = match node.kind {
            Kind::Null => Kind::Null,
            Kind::Map(branch) => Kind::Map(self.branch(branch)?),
            Kind::List(elements) => Kind::List(self.list(elements)?),
            Kind::Leaf(leaf) => Kind::Leaf(self.leaf(leaf)),
        };
        Ok(Node::new(kind, node.span))
    }

    fn list(&mut self, elements: Vec<Element>) -> Result<Vec<Element>, Error> {
        self.place.position.enter_collection();
        let mut encrypted = Vec::with_capacity(elements.len());
        for element in elements {
            encrypted.push(match element {
                // In a list an encrypted comment is written as an element. An empty one would come back as an empty
                // text, as it does with sops: a blank keeps it a comment.
                Element::Comment(comment) => {
                    let blank = Text::from(" ");
                    let is_empty = comment.text.expose().is_empty();
                    match self.comment(if is_empty { &blank } else { &comment.text })? {
                        Some(text) => Element::Value(Node::text(text)),
                        None => Element::Comment(comment),
                    }
                }
                Element::Value(node) => {
                    let node = self.node(node)?;
                    self.place.position.after_entry();
                    Element::Value(node)
                }
            });
        }
        self.place.position.leave_collection();
        Ok(encrypted)
    }

    fn leaf(&mut self, leaf: Leaf) -> Leaf {
        let encrypted = self.place.position.is_encrypted();
        if encrypted || !self.only_encrypted {
            self.mac.add(&leaf);
        }
        if !encrypted {
            return leaf;
        }
        Leaf::String(Text::from(self.seal(&Plain::leaf(&leaf))))
    }

    fn seal(&mut self, plain: &Plain) -> String {
        let place = self.place.aad();
        let kept = self.sealed.take(place, plain);
        kept.unwrap_or_else(|| self.cipher.seal(plain, place))
    }

    /// A comment's encrypted text, if it is to be encrypted.
    fn comment(&mut self, comment: &Text) -> Result<Option<String>, Error> {
        if !self.place.position.meet_comment(comment.expose()) {
            return Ok(None);
        }
        let sealed = self.seal(&Plain::comment(comment));
        if !sealed.is_empty() && sealed.as_bytes() == comment.expose() {
            // It stood in an encrypted file as it is, and stays so.
            return Ok(None);
        }
        if self.place.position.keeps_plain(sealed.as_bytes()) {
            // Read again, it would leave plain what comes behind it.
            return Err(self.place.error(Span::at(0), ValueError::LooksLikeRule));
        }
        Ok(Some(sealed))
    }
}
