//! Places for diagnostics. Only failures pay for them: fields' paths are found by parsing the document once more.

use std::cell::OnceCell;
use std::sync::Arc;

use super::evaluate::{Mention, shown};
use super::place::{Place, Work};
use crate::diagnostics::{Place as DiagnosticPlace, Source, Span};
use crate::manifest::Document;

pub(super) struct Locator<'l> {
    source: &'l Arc<Source>,
    work: &'l Work<'l>,
    /// The document, once it was needed; `None` when it does not parse.
    document: OnceCell<Option<Document<'l>>>,
}

impl<'l> Locator<'l> {
    pub(super) fn new(source: &'l Arc<Source>, work: &'l Work<'_>) -> Self {
        Self {
            source,
            work,
            document: OnceCell::new(),
        }
    }

    /// The place of a span of the document.
    pub(super) fn span(&self, span: Span) -> DiagnosticPlace {
        let mut place = DiagnosticPlace::new(Arc::clone(self.source), span);
        place.resource = Some(self.work.identity.to_string());
        place.field = self.field(span.start);
        place
    }

    /// The place of a reference in a string; it quotes the head if that may be named and lies in no decoded text.
    pub(super) fn part(&self, place: &Place<'_>, mention: &Mention<'_>) -> DiagnosticPlace {
        let mut found = self.span(place.site.span);
        let map = place.site.scalar(self.source.text()).map(&place.decoded);
        let map = map.filter(|_| !place.site.alias);
        if let Some(span) = map.and_then(|map| map.span(mention.range.clone())) {
            found.span = span;
        }
        if mention.may_be_named() && !mention.nested && !place.site.binary {
            let rest = if mention.reference.transforms.is_empty() {
                ">"
            } else {
                " | …>"
            };
            found.excerpt = Some(format!("<{}{rest}", shown(&mention.reference.head)));
        }
        found
    }

    fn field(&self, position: usize) -> Option<String> {
        let read = || {
            let (document, _) =
                Document::read(self.source.text(), self.work.chunk, self.work.format).ok()?;
            document
        };
        self.document.get_or_init(read).as_ref()?.path_of(position)
    }
}
