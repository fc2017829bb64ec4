//! The walk: every value of every document in order, decrypted where the file's rule says so, and hashed on the way.
//! What comes out is handed on only after the hash has proved equal to the file's MAC.

use super::cipher::{Cipher, Opened, Plain};
use super::document::Format;
use super::error::{Error, ValueError};
use super::in_place::{Change, Replacement};
use super::keys::DataKey;
use super::mac::Mac;
use super::metadata::Metadata;
use super::place::Place;
use super::sealed::Sealed;
use super::tree::{Branch, Comment, Element, Item, Kind, Leaf, Node};
use super::{Encrypted, MacCheck};
use crate::diagnostics::Span;

/// Decrypts all documents and checks the MAC. What was encrypted is kept in `sealed`, if that is wanted.
pub(super) fn documents(
    encrypted: &mut Encrypted<'_>,
    key: &DataKey,
    check: MacCheck,
    sealed: Option<&mut Sealed>,
) -> Result<Vec<Branch>, Error> {
    let documents = std::mem::take(&mut encrypted.documents);
    let metadata = &encrypted.metadata;
    let cipher = Cipher::new(key.expose());
    let mut walk = Walk::new(&cipher, metadata, encrypted.text, encrypted.format);
    walk.sealed = sealed;
    let decrypted = documents
        .into_iter()
        .map(|branch| walk.branch(branch))
        .collect::<Result<Vec<_>, _>>()?;
    if check == MacCheck::Required {
        verify(walk.mac, metadata, &cipher)?;
    }
    Ok(decrypted)
}

/// Decrypts the parts of one file that stand apart, and gives the changes in each. A failure is told with the number of
/// its part.
pub(super) fn in_place(
    mut parts: Vec<Encrypted<'_>>,
    key: &DataKey,
    check: MacCheck,
) -> Result<Vec<Vec<Change>>, (usize, Error)> {
    let take = |part: &mut Encrypted<'_>| std::mem::take(&mut part.documents);
    let documents: Vec<Vec<Branch>> = parts.iter_mut().map(take).collect();
    let Some(metadata) = parts.first().map(|part| &part.metadata) else {
        return Ok(Vec::new());
    };
    let cipher = Cipher::new(key.expose());
    let mut walk = Walk::new(&cipher, metadata, "", Format::Yaml);
    let mut changes = Vec::with_capacity(parts.len());
    for ((index, part), documents) in parts.iter().enumerate().zip(documents) {
        (walk.text, walk.format) = (part.text, part.format);
        walk.changes = Some(Vec::new());
        for branch in documents {
            walk.branch(branch).map_err(|error| (index, error))?;
        }
        changes.extend(walk.changes.take());
    }
    if check == MacCheck::Required {
        verify(walk.mac, metadata, &cipher).map_err(|error| (0, error))?;
    }
    Ok(changes)
}

fn verify(mac: Mac, metadata: &Metadata, cipher: &Cipher) -> Result<(), Error> {
    let stored = metadata.mac.expose_str().unwrap_or_default();
    let opened = cipher
        .open(stored, metadata.last_modified.expose())
        .map_err(Error::BrokenMac)?;
    match opened {
        Opened::Leaf(Leaf::String(text)) if text.expose().is_empty() => Err(Error::NoMac),
        Opened::Leaf(Leaf::String(text)) if mac.is(&text) => Ok(()),
        _ => Err(Error::MacMismatch),
    }
}

struct Walk<'w> {
    cipher: &'w Cipher,
    place: Place<'w>,
    mac: Mac,
    only_encrypted: bool,
    text: &'w str,
    format: Format,
    /// What was decrypted, where that is wanted.
    changes: Option<Vec<Change>>,
    /// What was encrypted, where that is wanted.
    sealed: Option<&'w mut Sealed>,
}

impl<'w> Walk<'w> {
    fn new(cipher: &'w Cipher, metadata: &'w Metadata, text: &'w str, format: Format) -> Self {
        Self {
            cipher,
            place: Place::new(&metadata.selector),
            mac: Mac::new(metadata.mac_only_encrypted),
            only_encrypted: metadata.mac_only_encrypted,
            text,
            format,
            changes: None,
            sealed: None,
        }
    }

    fn branch(&mut self, branch: Branch) -> Result<Branch, Error> {
        let mut decrypted = Branch::with_capacity(branch.len());
        self.place.position.enter_collection();
        for item in branch {
            decrypted.push(match item {
                Item::Comment(comment) => Item::Comment(self.comment(comment)),
                Item::Entry(key, node) => {
                    let node = self.entry(&key, node)?;
                    self.place.position.after_entry();
                    Item::Entry(key, node)
                }
            });
        }
        self.place.position.leave_collection();
        Ok(decrypted)
    }

    fn entry(&mut self, key: &str, node: Node) -> Result<Node, Error> {
        self.place.enter_key(key);
        let span = node.span;
        let decrypted = match self.node(node)? {
            Element::Value(node) => node,
            Element::Comment(_) => return Err(self.place.error(span, ValueError::Comment)),
        };
        self.place.leave_key();
        Ok(decrypted)
    }

    /// A value; an encrypted comment in a list turns out to be one only now.
    fn node(&mut self, node: Node) -> Result<Element, Error> {
        let kind = match node.kind {
            Kind::Null => Kind::Null,
            Kind::Map(branch) => Kind::Map(self.branch(branch)?),
            Kind::List(elements) => Kind::List(self.list(elements)?),
            Kind::Leaf(leaf) => match self.leaf(leaf, node.span)? {
                Opened::Leaf(leaf) => Kind::Leaf(leaf),
                Opened::Comment(text) => return Ok(Element::Comment(Comment::new(text))),
            },
        };
        Ok(Element::Value(Node::new(kind, node.span)))
    }

    fn list(&mut self, elements: Vec<Element>) -> Result<Vec<Element>, Error> {
        let mut decrypted = Vec::with_capacity(elements.len());
        self.place.position.enter_collection();
        for element in elements {
            decrypted.push(match element {
                Element::Comment(comment) => Element::Comment(self.comment(comment)),
                Element::Value(node) => self.element(node)?,
            });
        }
        self.place.position.leave_collection();
        Ok(decrypted)
    }

    fn element(&mut self, node: Node) -> Result<Element, Error> {
        let span = node.span;
        let element = self.node(node)?;
        match &element {
            // It stands above what follows by the text that it has in the file.
            Element::Comment(_) => {
                let written = self.text.get(span.range()).unwrap_or_default();
                self.place.position.meet_comment(written.as_bytes());
            }
            Element::Value(_) => self.place.position.after_entry(),
        }
        Ok(element)
    }

    fn leaf(&mut self, leaf: Leaf, span: Span) -> Result<Opened, Error> {
        if !self.place.position.is_encrypted() {
            if !self.only_encrypted {
                self.hash_plain(&leaf, span);
            }
            return Ok(Opened::Leaf(leaf));
        }
        let Leaf::String(text) = leaf else {
            return Err(self
                .place
                .error(span, ValueError::NotText(leaf.type_name())));
        };
        let text = text.expose_str();
        let opened = text
            .ok_or(ValueError::NotEncrypted)
            .and_then(|text| self.cipher.open(text, self.place.aad()))
            .map_err(|reason| self.place.error(span, reason))?;
        if let Opened::Leaf(leaf) = &opened {
            self.mac.add(leaf);
        }
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            if let Some(sealed) = &mut self.sealed {
                sealed.keep(self.place.aad(), &Plain::of(&opened), text);
            }
            self.note(span, |format| Replacement::of(&opened, format, span))?;
        }
        Ok(opened)
    }

    fn hash_plain(&mut self, leaf: &Leaf, span: Span) {
        match (self.format, leaf) {
            (Format::Json, Leaf::Int(_) | Leaf::Float(_)) => {
                let literal = self.text.get(span.range()).unwrap_or_default();
                self.mac.add_json_number(leaf, literal);
            }
            _ => self.mac.add(leaf),
        }
    }

    /// A comment that cannot be decrypted stays as it is: old files have plain comments between encrypted values.
    fn comment(&mut self, comment: Comment) -> Comment {
        if !self.place.position.meet_comment(comment.text.expose()) {
            return comment;
        }
        let written = comment.text.expose_str().unwrap_or_default();
        let text = match self.cipher.open(written, self.place.aad()) {
            Ok(Opened::Comment(text)) => Some(text),
            Ok(Opened::Leaf(leaf)) => Some(leaf.text()),
            Err(_) => None,
        };
        if let Some(sealed) = &mut self.sealed {
            let plain = Plain::comment(text.as_ref().unwrap_or(&comment.text));
            sealed.keep(self.place.aad(), &plain, written);
        }
        let Some(text) = text else {
            return comment;
        };
        if let (Some(span), Some(changes)) = (comment.span, &mut self.changes) {
            let replacement = Replacement::Comment(text.clone());
            changes.push(Change { span, replacement });
        }
        match &self.sealed {
            Some(_) => comment.with_text(text),
            // SOPS shows it on a line of its own.
            None => Comment::new(text),
        }
    }

    fn note(
        &mut self,
        span: Span,
        replacement: impl FnOnce(Format) -> Result<Replacement, Error>,
    ) -> Result<(), Error> {
        if let Some(changes) = &mut self.changes {
            let replacement = replacement(self.format)?;
            changes.push(Change { span, replacement });
        }
        Ok(())
    }
}
