//! Places for diagnostics. Only failures pay for them: fields' paths are found by parsing the document once more.

use std::cell::OnceCell;
use std::sync::Arc;

use super::failure::{Mention, shown};
use super::place::{Place, Work};
use crate::diagnostics::{Place as DiagnosticPlace, Source, Span};
use crate::manifest::{Document, Identity, Paths};

/// What messages call a document; nothing where that was decrypted.
pub(super) fn identity(source: &Source, document: &Document<'_>) -> Option<Identity> {
    let mut spans = document.identity_spans();
    let is_hidden = spans.any(|span| source.is_derived_in(span));
    (!is_hidden).then(|| document.identity())
}

pub(super) struct Locator<'l> {
    source: &'l Arc<Source>,
    work: &'l Work<'l>,
    /// The document's paths, once they were needed; `None` when it does not parse.
    paths: OnceCell<Option<Paths<'l>>>,
}

impl<'l> Locator<'l> {
    pub(super) fn new(source: &'l Arc<Source>, work: &'l Work<'_>) -> Self {
        Self {
            source,
            work,
            paths: OnceCell::new(),
        }
    }

    /// The place of a span of the document.
    pub(super) fn span(&self, span: Span) -> DiagnosticPlace {
        let mut place = self.document();
        place.span = span;
        place.field = self.field(span.start);
        place
    }

    /// The place of the whole document.
    pub(super) fn document(&self) -> DiagnosticPlace {
        let mut place = DiagnosticPlace::new(Arc::clone(self.source), self.work.chunk);
        place.resource = self.identity().map(|identity| identity.to_string());
        place
    }

    /// The place of a reference in a string; it quotes the head if that may be named and lies in no decoded text.
    pub(super) fn part(&self, place: &Place<'_>, mention: &Mention<'_>) -> DiagnosticPlace {
        let mut found = self.span(place.site.span);
        let map = place.site.scalar(self.source.text()).map(place.decoded());
        let map = map.filter(|_| !place.site.alias);
        if let Some(span) = map.and_then(|map| map.span(mention.range.clone())) {
            found.span = span;
        }
        let decoded = mention.nested || place.site.binary || self.source.is_derived_in(found.span);
        if mention.may_be_named() && !decoded {
            let rest = if mention.reference.transforms.is_empty() {
                ">"
            } else {
                " | …>"
            };
            found.excerpt = Some(format!("<{}{rest}", shown(&mention.reference.head)));
        }
        found
    }

    fn identity(&self) -> Option<Identity> {
        identity(self.source, self.paths()?.document())
    }

    fn field(&self, position: usize) -> Option<String> {
        self.paths()?.at(position)
    }

    fn paths(&self) -> Option<&Paths<'l>> {
        let read = || {
            let (document, _) =
                Document::read(self.source.text(), self.work.chunk, self.work.format).ok()?;
            document.map(Paths::new)
        };
        self.paths.get_or_init(read).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Format;

    #[test]
    fn the_place_of_a_whole_document_names_no_field() {
        let text = "---\nkind: X\n";
        let source = Arc::new(Source::new("x", text));
        let work = Work {
            source: 0,
            chunk: Span::new(4, text.len()),
            format: Format::Yaml,
            stringify: false,
            annotated: None,
            expand: None,
            places: Vec::new(),
        };
        let locator = Locator::new(&source, &work);
        let whole = locator.document();
        assert_eq!((whole.span, whole.field), (work.chunk, None));
        assert_eq!(whole.resource.as_deref(), Some("X"));
        let field = locator.span(Span::new(4, 8)).field;
        assert_eq!(field.as_deref(), Some("kind"));
    }
}
