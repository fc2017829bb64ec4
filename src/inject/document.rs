//! One chunk of a stream: its document, what it says by its annotations, and where its references stand.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::collect::{CollectOptions, Found, Job};
use super::expand::{EXPAND, Expand, fields};
use super::locate::identity;
use super::place::{Place, Work, places};
use super::suspect;
use super::text::Reading;
use crate::diagnostics::{Diagnostic, Fault, Place as DiagnosticPlace, Source, Span, few, nearest};
use crate::manifest::{self, Document, FastPath, Format, Identity, Listing, Strings, Warned};
use crate::placeholder::{Generic, Scope};
use crate::secret::{OnMissing, SecretId};

pub(super) const IGNORE: &str = "avp.kubernetes.io/ignore";
const PATH: &str = "avp.kubernetes.io/path";
const SECRET_VERSION: &str = "avp.kubernetes.io/secret-version";
const BACKEND: &str = "manifuse.io/backend";
const KV_VERSION: &str = "avp.kubernetes.io/kv-version";
pub(super) const REMOVE_MISSING: &str = "avp.kubernetes.io/remove-missing";

/// All annotations that mean something here.
pub(super) const ANNOTATIONS: [&str; 7] = [
    IGNORE,
    PATH,
    BACKEND,
    SECRET_VERSION,
    KV_VERSION,
    REMOVE_MISSING,
    EXPAND,
];

/// Reads chunks and keeps what it finds.
pub(super) struct Collector<'c, 's> {
    pub sources: &'s [Arc<Source>],
    pub options: &'c CollectOptions,
    pub fast: &'c FastPath,
    pub found: Found<'s>,
}

impl<'s> Collector<'_, 's> {
    pub(super) fn job(
        &mut self,
        Job {
            source,
            chunk,
            format,
        }: Job,
    ) {
        let text = &self.sources[source].text()[chunk.range()];
        if format == Format::Yaml && !self.options.validate && self.fast.may_pass(text) {
            self.found.documents += 1;
        } else {
            self.chunk(source, chunk, format);
        }
    }

    fn chunk(&mut self, index: usize, chunk: Span, format: Format) {
        let source = &self.sources[index];
        let limit = self.options.document_limit;
        if chunk.len() as u64 > limit {
            let message = format!("a document of more than {limit} bytes");
            let error = Diagnostic::error(Fault::Input, message)
                .with_hint("a Kubernetes object holds at most a few megabytes; --document-limit raises the limit");
            let place = DiagnosticPlace::new(Arc::clone(source), Span::at(chunk.start));
            self.found.errors.push(error.at(place));
            return;
        }
        match Document::read(source.text(), chunk, format) {
            Err(error) => self
                .found
                .errors
                .push(diagnostic(&error, source, error.span)),
            Ok((document, warnings)) => {
                self.found.documents += usize::from(document.is_some());
                let is_ignored = |document: &Document<'_>| document.annotations().is_true(IGNORE);
                if document.as_ref().is_some_and(is_ignored) {
                    return;
                }
                let warnings = warnings.iter().map(|warning| as_warning(warning, source));
                self.found.warnings.extend(warnings);
                if let Some(document) = document {
                    self.document(index, chunk, &document);
                }
            }
        }
    }

    fn document(&mut self, source: usize, chunk: Span, document: &Document<'s>) {
        let annotations = document.annotations();
        let identity = identity(&self.sources[source], document);
        let identity = identity.as_ref();
        let Some(scope) = self.scope(source, document, identity) else {
            return;
        };
        let path = annotations.get(PATH);
        let annotated =
            path.and_then(|(_, span)| Some(Box::new((annotated_secret(&scope)?, span))));
        let expand = self.expand(source, document, identity, &scope);
        let secret = document.kind() == "Secret";
        let listing = if secret {
            Listing::All
        } else {
            Listing::Telling
        };
        let strings = document.strings(listing);
        let reading = Reading {
            scope: &scope,
            secret,
        };
        let places = places(document, &strings, &reading);
        for (warning, span) in suspect::of(document, &strings, &scope, &places) {
            if self.sources[source].is_derived_in(span) {
                // It may quote what was decrypted.
                continue;
            }
            let place = self.place(source, span, identity);
            self.found.warnings.push(warning.at(place));
        }
        self.refuse_crossed_aliases(source, document, identity, &strings, &places);
        if annotated.is_some() || expand.is_some() || !places.is_empty() {
            let stringify = document.kind() == "ConfigMap";
            let format = document.format;
            self.found.works.push(Work {
                source,
                chunk,
                format,
                stringify,
                annotated,
                expand,
                places,
            });
        }
    }

    /// How the text of a document is to be read, by its annotations; tells what is wrong with them.
    fn scope(
        &mut self,
        source: usize,
        document: &Document<'s>,
        identity: Option<&Identity>,
    ) -> Option<Scope> {
        let annotations = document.annotations();
        for name in ANNOTATIONS {
            if let Some(span) = annotations.collection(name) {
                let message = format!("the annotation {name} is a list or a map, not text");
                self.error(
                    Diagnostic::error(Fault::Input, message),
                    source,
                    span,
                    identity,
                );
            }
        }
        let remove = annotations
            .get(REMOVE_MISSING)
            .filter(|_| annotations.is_true(REMOVE_MISSING));
        if let (Some((_, span)), false) =
            (remove, matches!(document.kind(), "Secret" | "ConfigMap"))
        {
            let message = format!(
                "{REMOVE_MISSING} annotation can only be used on Secret or ConfigMap resources"
            );
            self.error(
                Diagnostic::error(Fault::Input, message),
                source,
                span,
                identity,
            );
            return None;
        }
        let text = |name| {
            annotations
                .get(name)
                .map(|(text, _)| Arc::<str>::from(text))
        };
        let generic = text(PATH).map(|path| Generic {
            path: Some(path).filter(|path| !path.is_empty()),
            version: text(SECRET_VERSION).filter(|version| !version.is_empty()),
        });
        Some(Scope {
            generic,
            default_backend: self.default_backend(source, document, identity)?,
            backends: Arc::clone(&self.options.backends),
            kv_version: text(KV_VERSION),
            on_missing: if remove.is_some() {
                OnMissing::RemoveEntry
            } else {
                OnMissing::Fail
            },
        })
    }

    /// What the `expand` annotation asks for; tells what is wrong with it.
    fn expand(
        &mut self,
        source: usize,
        document: &Document<'s>,
        identity: Option<&Identity>,
        scope: &Scope,
    ) -> Option<Box<Expand>> {
        let (path, span) = document.annotations().get(EXPAND)?;
        let wrong = if fields(document.kind()).is_none() {
            Some((
                "can only be used on Secret or ConfigMap",
                "placeholders such as <path:PATH#KEY> can be used anywhere",
            ))
        } else {
            wrong_path(path)
        };
        if let Some((message, hint)) = wrong {
            let error = Diagnostic::error(Fault::Input, format!("{EXPAND} {message}"));
            self.error(error.with_hint(hint), source, span, identity);
            return None;
        }
        let version = document.annotations().get(SECRET_VERSION);
        let version = version.map(|(version, _)| Arc::from(version));
        let secret = SecretId {
            backend: Arc::clone(&scope.default_backend),
            path: path.into(),
            version: version.filter(|version: &Arc<str>| !version.is_empty()),
            kv_version: scope.kv_version.clone(),
        };
        Some(Box::new(Expand {
            secret,
            span,
            on_missing: scope.on_missing,
        }))
    }

    /// The instance that `path:` means in a document; tells when the annotation names none.
    fn default_backend(
        &mut self,
        source: usize,
        document: &Document<'s>,
        identity: Option<&Identity>,
    ) -> Option<Arc<str>> {
        let Some((name, span)) = document.annotations().get(BACKEND) else {
            return Some(Arc::clone(&self.options.default_backend));
        };
        let names = &self.options.backends;
        // Without settings there are no names; then their error is told, and not this one.
        if let Some(found) = names.iter().find(|known| known.as_ref() == name) {
            return Some(Arc::clone(found));
        } else if names.is_empty() {
            return Some(name.into());
        }
        let shown = if self.sources[source].is_derived_in(span) {
            "as an encrypted annotation says"
        } else {
            name
        };
        let mut error = Diagnostic::error(
            Fault::Settings,
            format!("there is no backend named {shown}"),
        );
        let near = nearest(name, names.iter().map(AsRef::as_ref));
        let near = near.map_or(String::new(), |near| format!("did you mean {near}? "));
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        error.hint = Some(format!("{near}the backends are {}", few(&names)));
        self.error(error, source, span, identity);
        None
    }

    fn refuse_crossed_aliases(
        &mut self,
        source: usize,
        document: &Document<'s>,
        identity: Option<&Identity>,
        strings: &Strings<'_>,
        places: &[Place<'s>],
    ) {
        if strings.crossed_aliases.is_empty() {
            return;
        }
        let starts: BTreeSet<usize> = places.iter().map(|place| place.site.span.start).collect();
        for alias in &strings.crossed_aliases {
            let target = document.span(document.tree.target(*alias));
            if starts.range(target.range()).next().is_some() {
                let message = "an alias in a list within a list stands for text in which placeholders are replaced";
                let error = Diagnostic::error(Fault::Input, message)
                    .with_hint("write the text out instead of the alias");
                self.error(error, source, document.span(*alias), identity);
            }
        }
    }

    fn error(&mut self, error: Diagnostic, source: usize, span: Span, identity: Option<&Identity>) {
        let place = self.place(source, span, identity);
        self.found.errors.push(error.at(place));
    }

    fn place(&self, source: usize, span: Span, identity: Option<&Identity>) -> DiagnosticPlace {
        let mut place = DiagnosticPlace::new(Arc::clone(&self.sources[source]), span);
        place.resource = identity.map(ToString::to_string);
        place
    }
}

/// Why a text is no path of a secret to expand, and what to write instead.
fn wrong_path(path: &str) -> Option<(&'static str, &'static str)> {
    if path.is_empty() {
        Some(("names no secret", "its value is the path of the secret"))
    } else if path.contains(['\n', '\r']) {
        Some((
            "holds a line end",
            "write the path in the line of the annotation: the text of a | block ends in a line end",
        ))
    } else if path.starts_with('<') || path.contains('#') {
        Some((
            "takes the path of a secret, without #KEY and without brackets",
            "it takes all keys; for one of them put <path:PATH#KEY> where its value belongs",
        ))
    } else {
        None
    }
}

/// The secret that the scope's generic placeholders mean.
fn annotated_secret(scope: &Scope) -> Option<SecretId> {
    let generic = scope.generic.as_ref()?;
    Some(SecretId {
        backend: Arc::clone(&scope.default_backend),
        path: generic.path.clone()?,
        version: generic.version.clone(),
        kv_version: scope.kv_version.clone(),
    })
}

pub(super) fn diagnostic(error: &manifest::Error, source: &Arc<Source>, span: Span) -> Diagnostic {
    let mut diagnostic =
        Diagnostic::from_error(error).at(DiagnosticPlace::new(Arc::clone(source), span));
    if source.name().ends_with("kustomization.yaml") {
        diagnostic.hint =
            Some("render it first: kustomize build . | manifuse generate -".to_owned());
    }
    diagnostic.avp.clone_from(&error.avp);
    diagnostic
}

fn as_warning((name, warning): &Warned, source: &Arc<Source>) -> Diagnostic {
    let place = DiagnosticPlace::new(Arc::clone(source), warning.span);
    Diagnostic::from_error(warning)
        .into_warning(*name)
        .at(place)
}
