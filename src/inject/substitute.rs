//! Answers into edits. Pure; gathers every failure of the run before it gives up.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::evaluate::{Evaluated, Evaluator};
use super::failure::{Failed, Failure, of_backend};
use super::locate::Locator;
use super::place::{Place, Work};
use super::reread::{self, Expected};
use super::{Answers, Plan, Stream, expand, removal};
use crate::backends::ErrorKind;
use crate::diagnostics::{Diagnostic, Fault, Severity, Source, Span, Warning};
use crate::manifest::Format;
use crate::modifier;
use crate::secret::{Map, OnMissing, SecretId, Value};
use crate::yaml::edit::{Edit, slices};
use crate::yaml::rewrite::{self, Certainty};
use crate::yaml::writer::{self, Reader};

/// The texts of a run with their edits, ready to be written.
#[derive(Debug)]
pub struct Rendered<'s> {
    /// The texts, in order.
    pub sources: &'s [Arc<Source>],
    /// The edits of each text: sorted, not overlapping.
    pub edits: Vec<Vec<Edit>>,
    /// What to tell the user, in no order.
    pub warnings: Vec<Diagnostic>,
}

/// The edits of all documents, or everything that failed.
pub fn substitute<'s>(
    stream: Stream<'s>,
    plan: &Plan,
    answers: &Answers,
) -> Result<Rendered<'s>, Vec<Diagnostic>> {
    let mut edits: Vec<Vec<Edit>> = stream.sources.iter().map(|_| Vec::new()).collect();
    let mut told = stream.warnings;
    for work in stream.works.into_iter().flatten() {
        let evaluator = Evaluator { plan, answers };
        let mut document = DocumentEdits {
            evaluator,
            work: &work,
            source: &stream.sources[work.source],
            locator: Locator::new(&stream.sources[work.source], &work),
            told: Vec::new(),
        };
        edits[work.source].extend(document.edits());
        told.append(&mut document.told);
    }
    if has_error(&told) {
        return Err(told);
    }
    Ok(Rendered {
        sources: stream.sources,
        edits,
        warnings: told,
    })
}

fn has_error(told: &[Diagnostic]) -> bool {
    told.iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// What is written in a place.
enum Written {
    /// Replacements in its text.
    Text(Vec<(Range<usize>, String)>),
    /// A node that is no string, in flow style.
    Native(String),
}

/// The edits of one place, or of an alias that keeps a place's old text.
struct PlaceEdit<'p, 's> {
    place: &'p Place<'s>,
    edits: Vec<Edit>,
    certainty: Certainty,
    /// Where the edited node began.
    start: usize,
    expected: Expected,
}

struct DocumentEdits<'r, 's> {
    evaluator: Evaluator<'r>,
    work: &'r Work<'s>,
    source: &'r Arc<Source>,
    locator: Locator<'r>,
    told: Vec<Diagnostic>,
}

impl<'s> DocumentEdits<'_, 's> {
    fn edits(&mut self) -> Vec<Edit> {
        self.check_annotation();
        let new = self.expansion();
        let mut edits = Vec::new();
        let mut removed = HashSet::new();
        for place in &self.work.places {
            let (evaluated, mut findings) = self.evaluator.evaluate(&place.text);
            if self.source.is_derived_in(place.site.span) {
                findings.hide();
            }
            for (mention, name, warning) in findings.warnings {
                let at = self.locator.part(place, &mention);
                self.told.push(
                    Diagnostic::warning(name, format!("{warning} for {}", mention.name())).at(at),
                );
            }
            if !findings.failed.is_empty() {
                removed.extend(self.tell(place, findings.failed).unwrap_or_default());
                continue;
            }
            match self.written(place, evaluated) {
                Some(written) => edits.extend(self.place_edits(place, written)),
                None => self.tell_not_utf8(place),
            }
        }
        if has_error(&self.told) {
            Vec::new()
        } else {
            let edits = self.checked(edits, &removed);
            self.expanded(edits, &new)
        }
    }

    fn tell_at(&mut self, diagnostic: Diagnostic, span: Span) {
        let place = self.locator.span(span);
        self.told.push(diagnostic.at(place));
    }

    /// A `path` annotation must be readable, also when nothing uses it (D46).
    fn check_annotation(&mut self) {
        let Some((secret, span)) = self.work.annotated.as_deref() else {
            return;
        };
        match (
            self.evaluator.plan.refused.get(secret),
            self.evaluator.answers.get(secret),
        ) {
            (Some(refused), _) => self.tell_at(refused.clone(), *span),
            (None, Some(Err(error)))
                if error.kind != ErrorKind::AbsentPath || !self.absence_is_caught(secret) =>
            {
                self.tell_at(of_backend(error), *span);
            }
            _ => {}
        }
    }

    /// Whether everything that refers to a secret says what to do when it is not there.
    fn absence_is_caught(&self, secret: &SecretId) -> bool {
        let places = self.work.places.iter();
        let mut references = places
            .flat_map(|place| place.text.references())
            .filter(|reference| reference.secret.as_ref() == Some(secret))
            .peekable();
        references.peek().is_some()
            && references.all(|reference| modifier::catch_missing(&reference.transforms))
    }

    /// The entries that the `expand` annotation asks for; tells what is wrong with them.
    fn expansion(&mut self) -> Map {
        let Some(expand) = &self.work.expand else {
            return Map::new();
        };
        let evaluator = self.evaluator;
        let errors = match (
            evaluator.plan.refused.get(&expand.secret),
            evaluator.answers.get(&expand.secret),
        ) {
            (Some(refused), _) => vec![refused.clone()],
            (None, None) => Vec::new(),
            (None, Some(answer)) => match expand.entries(answer) {
                Ok(entries) => return entries,
                Err(errors) => errors,
            },
        };
        for error in errors {
            self.tell_at(error, expand.span);
        }
        Map::new()
    }

    /// The edits and those that add entries, as one edit of the whole document.
    fn expanded(&mut self, edits: Vec<Edit>, new: &Map) -> Vec<Edit> {
        let Some(expand) = &self.work.expand else {
            return edits;
        };
        if new.is_empty() || has_error(&self.told) {
            return edits;
        }
        let chunk = self.work.chunk;
        let text: String = slices(self.source.text(), &edits, chunk).collect();
        match expand::expanded(&text, self.work.format, new) {
            Ok(text) => vec![Edit::new(chunk, text)],
            Err(error) => {
                self.tell_at(*error, expand.span);
                Vec::new()
            }
        }
    }

    /// Tells the failures of a place. Gives the keys' positions when its entry is to be removed, with those of its
    /// aliases.
    fn tell(&mut self, place: &Place<'s>, failed: Vec<Failed<'_>>) -> Option<Vec<usize>> {
        let annotated = self.work.annotated.as_deref().map(|(secret, _)| secret);
        let mut removable = None;
        for failed in failed {
            let removes = failed.mention.reference.on_missing == OnMissing::RemoveEntry;
            if let (Failure::Missing(_), true, Some(entry)) =
                (&failed.failure, removes, place.entry)
            {
                removable = Some([&place.alias_entries[..], &[entry]].concat());
                continue;
            }
            let of_secret = matches!(failed.failure, Failure::Backend(_) | Failure::Refused(_));
            if of_secret && failed.mention.reference.secret.as_ref() == annotated {
                // Told once, at the annotation.
                continue;
            }
            let at = self.locator.part(place, &failed.mention);
            let mut diagnostic = failed.explain().at(at);
            if place.shadowed {
                diagnostic = diagnostic.into_warning(Warning::ShadowedFailure);
            }
            self.told.push(diagnostic);
        }
        removable
    }

    fn tell_not_utf8(&mut self, place: &Place<'s>) {
        let error = Diagnostic::error(Fault::Input, "a value is not UTF-8 text");
        self.tell_at(error.with_hint("add `| base64encode`"), place.site.span);
    }

    /// What is written in a place; `None` when it holds text that is not UTF-8.
    fn written(&self, place: &Place<'s>, evaluated: Evaluated) -> Option<Written> {
        let whole = |text: String| Written::Text(vec![(0..place.decoded().len(), text)]);
        let utf8 = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        match evaluated {
            Evaluated::Pieces(pieces) => {
                let text = |(range, bytes)| Some((range, utf8(bytes)?));
                pieces
                    .into_iter()
                    .map(text)
                    .collect::<Option<_>>()
                    .map(Written::Text)
            }
            Evaluated::Whole(value) if self.work.stringify => {
                utf8(modifier::stringify(&value).expose().to_vec()).map(whole)
            }
            Evaluated::Whole(Value::Bytes(bytes)) => {
                Some(whole(crate::yaml::encode_base64(bytes.expose())))
            }
            Evaluated::Whole(value) => {
                let reader = match self.work.format {
                    Format::Json => Reader::Json,
                    Format::Yaml => Reader::Yaml,
                };
                writer::flow(&value, reader).ok().map(Written::Native)
            }
        }
    }

    /// The edits of a place, and of the aliases that must keep its old text.
    fn place_edits<'p>(&self, place: &'p Place<'s>, written: Written) -> Vec<PlaceEdit<'p, 's>> {
        let text = self.source.text();
        let scalar = place.site.scalar(text);
        let start = place.site.span.start;
        let mut all = vec![match written {
            Written::Native(value) => {
                let mut edits: Vec<Edit> = place
                    .site
                    .tag
                    .map(|tag| drop_tag(text, tag))
                    .into_iter()
                    .collect();
                let rewrite = rewrite::whole(&scalar, value.clone());
                edits.extend(rewrite.edits);
                PlaceEdit {
                    place,
                    edits,
                    certainty: rewrite.certainty,
                    start,
                    expected: Expected::Native(value),
                }
            }
            Written::Text(replacements) => {
                let target = rewrite::target(place.decoded(), &replacements);
                let in_flow = place.site.in_flow;
                let rewrite = if place.site.alias {
                    rewrite::whole(&scalar, writer::one_line(&target, in_flow))
                } else {
                    rewrite::in_place(&scalar, place.decoded(), &replacements, in_flow)
                };
                let expected = Expected::Text(target);
                PlaceEdit {
                    place,
                    edits: rewrite.edits,
                    certainty: rewrite.certainty,
                    start,
                    expected,
                }
            }
        }];
        all.extend(place.fixed_aliases.iter().map(|site| {
            let edits = rewrite::whole(
                &site.scalar(text),
                writer::one_line(place.decoded(), site.in_flow),
            )
            .edits;
            let expected = Expected::Text(place.decoded().to_owned());
            PlaceEdit {
                place,
                edits,
                certainty: Certainty::Proved,
                start: site.span.start,
                expected,
            }
        }));
        all
    }

    /// All edits of the document, read again where their form alone does not prove them.
    fn checked(
        &mut self,
        mut places: Vec<PlaceEdit<'_, 's>>,
        removed: &HashSet<usize>,
    ) -> Vec<Edit> {
        let text = self.source.text();
        let removals = match removal::edits(self.source, self.work, removed) {
            Ok(edits) => edits,
            Err(error) => {
                self.told.push(*error);
                return Vec::new();
            }
        };
        let edits = sorted(&places, &removals);
        let proved = places
            .iter()
            .all(|place| place.certainty == Certainty::Proved);
        if proved && removals.is_empty() || self.reads_back(&places, removed, &edits) {
            return edits;
        }
        for place in places
            .iter_mut()
            .filter(|place| place.certainty == Certainty::Reread)
        {
            if let Expected::Text(target) = &place.expected {
                place.edits = rewrite::quoted(&place.place.site.scalar(text), target).edits;
            }
        }
        let edits = sorted(&places, &removals);
        if !self.reads_back(&places, removed, &edits) {
            let bug =
                Diagnostic::error(Fault::Bug, "the edited document does not read as intended");
            let bug = bug.with_hint("nothing was printed; please report this document's shape");
            self.told.push(bug.at(self.locator.document()));
        }
        edits
    }

    fn reads_back(
        &self,
        places: &[PlaceEdit<'_, 's>],
        removed: &HashSet<usize>,
        edits: &[Edit],
    ) -> bool {
        let expected: HashMap<usize, &Expected> = places
            .iter()
            .map(|place| (place.start, &place.expected))
            .collect();
        let (text, work) = (self.source.text(), self.work);
        reread::reads_back(text, work.chunk, work.format, edits, &expected, removed)
    }
}

fn sorted(places: &[PlaceEdit<'_, '_>], removals: &[Edit]) -> Vec<Edit> {
    let mut edits: Vec<Edit> = places
        .iter()
        .flat_map(|place| place.edits.iter().cloned())
        .collect();
    edits.extend(removals.iter().cloned());
    edits.sort_by_key(|edit| edit.span);
    edits
}

/// Removes a tag and the blanks behind it.
fn drop_tag(text: &str, tag: Span) -> Edit {
    let behind = &text[tag.end..];
    let blanks = behind.len() - behind.trim_start_matches([' ', '\t']).len();
    Edit::new(Span::new(tag.start, tag.end + blanks), "")
}
