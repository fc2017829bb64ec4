//! Encrypted documents of a stream are decrypted in place before references are looked for: they become texts of their
//! own, which know what they were made of. Bytes outside what was encrypted stay.

mod edits;
mod find;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::Instant;

use self::find::{Sealed, SealedText};
use super::parallel;
use crate::backends::registry::SettingsError;
use crate::diagnostics::{Diagnostic, Place, Source, Span};
use crate::sops::{self, Change, DataKey, Encrypted, Keyring, Layout, MacCheck};
use crate::yaml::edit::Edit;
use crate::yaml::encode_base64;

/// How documents of a stream are decrypted.
pub struct Decryption<'d> {
    /// Gives the keys, unless their settings are wrong; asked only where something is encrypted.
    pub keyring: &'d dyn Fn() -> Result<Arc<Keyring>, SettingsError>,
    /// Whether the MAC must be right.
    pub mac: MacCheck,
    /// The largest document that is parsed, in bytes.
    pub document_limit: u64,
    /// How long servers that hold keys may take together.
    pub timeout: Duration,
}

/// The sources with all encrypted documents decrypted; those without any are the same as before.
pub async fn decrypt(
    sources: &[Arc<Source>],
    how: &Decryption<'_>,
) -> Result<Vec<Arc<Source>>, Vec<Diagnostic>> {
    let (sealed, mut unreadable) = find::find(sources, how.document_limit);
    if sealed.is_empty() {
        return Ok(sources.to_vec());
    }
    let keyring = (how.keyring)().map_err(|error| vec![Diagnostic::from_error(&error)])?;
    let deadline = Instant::now() + how.timeout;
    let (parts, mut errors) = parts(sources, &sealed);
    let opener = Opener {
        sources,
        mac: how.mac,
    };
    let mut groups = Vec::new();
    for keyed in opener.keys(parts, &keyring, deadline).await {
        match keyed {
            Ok(group) => groups.push(group),
            Err(error) => errors.push(*error),
        }
    }
    let open = |groups: Vec<Keyed<'_>>| -> Vec<_> {
        groups.into_iter().map(|group| opener.open(group)).collect()
    };
    let weight = |(group, _): &Keyed<'_>| group.iter().map(Part::len).sum();
    let mut edits: Vec<Vec<Edit>> = sources.iter().map(|_| Vec::new()).collect();
    for opened in parallel::in_groups(groups, weight, open)
        .into_iter()
        .flatten()
    {
        match opened {
            Ok(done) => {
                for (source, mut own) in done {
                    edits[source].append(&mut own);
                }
            }
            Err(error) => errors.push(*error),
        }
    }
    if errors.is_empty() {
        // What is unreadable is told of when references are looked for.
        Ok(derived(sources, edits))
    } else {
        // A document that cannot be read is missing from the MAC of its file.
        errors.append(&mut unreadable);
        Err(errors)
    }
}

/// How many data keys are asked for at once.
const AT_ONCE: usize = 64;

/// An encrypted text, taken apart.
struct Part<'s> {
    sealed: &'s Sealed<'s>,
    text: &'s SealedText<'s>,
    encrypted: Encrypted<'s>,
}

impl Part<'_> {
    fn len(&self) -> usize {
        self.text.text.len()
    }
}

/// Takes all texts apart, and tells what is wrong with their blocks.
fn parts<'s>(
    sources: &[Arc<Source>],
    sealed: &'s [Sealed<'s>],
) -> (Vec<Part<'s>>, Vec<Diagnostic>) {
    let texts = |sealed: &'s Sealed<'s>| sealed.texts.iter().map(move |text| (sealed, text));
    let texts: Vec<_> = sealed.iter().flat_map(texts).collect();
    let parse = |texts: Vec<(&'s Sealed<'s>, &'s SealedText<'s>)>| -> Vec<_> {
        let parts = texts
            .into_iter()
            .map(|(sealed, text)| part(sources, sealed, text));
        parts.collect()
    };
    let mut errors = Vec::new();
    let mut parts = Vec::new();
    let weight = |(_, text): &(_, &SealedText<'_>)| text.text.len();
    for parsed in parallel::in_groups(texts, weight, parse)
        .into_iter()
        .flatten()
    {
        match parsed {
            Ok(part) => parts.push(part),
            Err(error) => errors.push(*error),
        }
    }
    (parts, errors)
}

fn part<'s>(
    sources: &[Arc<Source>],
    sealed: &'s Sealed<'s>,
    text: &'s SealedText<'s>,
) -> Result<Part<'s>, Box<Diagnostic>> {
    let encrypted = Encrypted::parse(&text.text, text.format)
        .map_err(|error| Box::new(told(sources, sealed, text, &error)))?;
    Ok(Part {
        sealed,
        text,
        encrypted,
    })
}

/// Parts that were encrypted as one text, together. SOPS puts a copy of the block into each document of a YAML file, and
/// its MAC is over all of them.
fn groups(parts: Vec<Part<'_>>) -> Vec<Vec<Part<'_>>> {
    let mut groups: Vec<Vec<Part<'_>>> = Vec::new();
    for part in parts {
        let belongs = |last: &Part<'_>| {
            last.text.file.is_none()
                && part.text.file.is_none()
                && last.sealed.source == part.sealed.source
                && last.encrypted.is_of_one_text_with(&part.encrypted)
        };
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(belongs) => group.push(part),
            _ => groups.push(vec![part]),
        }
    }
    groups
}

/// The edits of some sources.
type Opened = Vec<(usize, Vec<Edit>)>;

/// The parts of one text, and its data key.
type Keyed<'s> = (Vec<Part<'s>>, DataKey);

struct Opener<'o> {
    sources: &'o [Arc<Source>],
    mac: MacCheck,
}

impl Opener<'_> {
    /// Each text with its data key, in order.
    async fn keys<'s>(
        &self,
        parts: Vec<Part<'s>>,
        keyring: &Keyring,
        deadline: Instant,
    ) -> Vec<Result<Keyed<'s>, Box<Diagnostic>>> {
        let key = async |group: Vec<Part<'s>>| {
            let key = group[0].encrypted.data_key(keyring, deadline).await;
            match key {
                Ok(key) => Ok((group, key)),
                Err(error) => {
                    let Part { sealed, text, .. } = &group[0];
                    Err(Box::new(told(self.sources, sealed, text, &error)))
                }
            }
        };
        let keys = groups(parts).into_iter().map(key);
        futures::stream::iter(keys)
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    fn open(&self, (group, key): Keyed<'_>) -> Result<Opened, Box<Diagnostic>> {
        let Some((sealed, text)) = group.first().map(|first| (first.sealed, first.text)) else {
            return Ok(Vec::new());
        };
        let wrong = |error: &sops::Error| Box::new(told(self.sources, sealed, text, error));
        match text.file {
            None => self.documents(group, &key),
            Some(format) => {
                let file = group.into_iter().next().map(|part| part.encrypted);
                let write = |file: Encrypted<'_>| {
                    file.decrypt(&key, self.mac)?
                        .write(format, Layout::default())
                };
                let written = file.map_or(Ok(None), |file| write(file).map(Some));
                let written = written.map_err(|error| wrong(&error))?;
                let base64 = encode_base64(&written.unwrap_or_default());
                let edit = Edit::new(sealed.document.span(text.node), base64);
                Ok(vec![(sealed.source, vec![edit])])
            }
        }
    }

    /// The changes in a document whose MAC is over it alone: it may stand in the stream twice.
    fn alone(&self, text: &SealedText<'_>, key: &DataKey) -> Option<Vec<Change>> {
        let part = Encrypted::parse(&text.text, text.format).ok()?;
        let changes = Encrypted::decrypt_in_place(vec![part], key, self.mac).ok()?;
        changes.into_iter().next()
    }

    fn documents(&self, group: Vec<Part<'_>>, key: &DataKey) -> Result<Opened, Box<Diagnostic>> {
        let (places, parts): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|part| ((part.sealed, part.text), part.encrypted))
            .unzip();
        let changes = match Encrypted::decrypt_in_place(parts, key, self.mac) {
            Err((index, sops::Error::MacMismatch)) if places.len() > 1 => {
                let each = places.iter().map(|(_, text)| self.alone(text, key));
                let each: Option<_> = each.collect();
                each.ok_or((index, sops::Error::MacMismatch))
            }
            together => together,
        };
        let changes = changes.map_err(|(index, error)| {
            let (sealed, text) = places[index];
            Box::new(told(self.sources, sealed, text, &error))
        })?;
        let edits = places
            .into_iter()
            .zip(changes)
            .map(|((sealed, text), changes)| {
                let source = &self.sources[sealed.source];
                let edits = edits::of_document(source, &sealed.document, text.node, changes)?;
                Ok((sealed.source, edits))
            });
        edits.collect()
    }
}

/// A failure at its place. What the file's author encrypted is not quoted, not even as it is written.
fn told(
    sources: &[Arc<Source>],
    sealed: &Sealed<'_>,
    text: &SealedText<'_>,
    error: &sops::Error,
) -> Diagnostic {
    let document = &sealed.document;
    let span = match error.position() {
        Some(position) if text.file.is_none() => Span::at(document.offset + position),
        _ => document.span(text.node),
    };
    let mut place = Place::new(Arc::clone(&sources[sealed.source]), span);
    let resource = document.identity().to_string();
    place.resource = Some(resource).filter(|resource| !resource.contains("ENC["));
    let mut diagnostic = Diagnostic::from_error(error)
        .with_causes(&error.causes())
        .at(place);
    if let sops::Error::MacMismatch = error {
        let hint = "it was changed, added to or moved since it was encrypted; where a renderer such as kustomize does that, say sops.streamMac: ignore (MANIFUSE_SOPS_STREAM_MAC=ignore), as Flux always does";
        diagnostic.hint = Some(hint.to_owned());
    }
    diagnostic
}

fn derived(sources: &[Arc<Source>], edits: Vec<Vec<Edit>>) -> Vec<Arc<Source>> {
    let derive = |(source, mut edits): (&Arc<Source>, Vec<Edit>)| {
        if edits.is_empty() {
            return Arc::clone(source);
        }
        edits.sort_by_key(|edit| edit.span);
        let replacements = edits.iter().map(|edit| (edit.span, edit.text.as_str()));
        Arc::new(Source::derived(source, replacements))
    };
    sources.iter().zip(edits).map(derive).collect()
}
