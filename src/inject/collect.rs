//! Finds the references of a stream. Documents are parsed one by one and their trees dropped; documents that can hold
//! nothing are not parsed at all.

use std::sync::Arc;

use super::document::{Collector, diagnostic};
use super::parallel;
use super::place::Work;
use crate::diagnostics::{Diagnostic, Source, Span};
use crate::manifest::{self, FastPath, Format};
use crate::placeholder;

/// The largest document that is parsed unless the user says otherwise (design section 7).
pub const DEFAULT_DOCUMENT_LIMIT: u64 = 256 << 20;

/// What collecting must know of the settings.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    /// The instance that `path:` means.
    pub default_backend: Arc<str>,
    /// The names that `<NAME:PATH#KEY>` accepts.
    pub backends: Arc<[Arc<str>]>,
    /// Parse every document, also those that hold nothing for us.
    pub validate: bool,
    /// The largest document that is parsed, in bytes.
    pub document_limit: u64,
}

/// The references of a stream, and its texts.
pub struct Stream<'s> {
    /// The texts, in order.
    pub(super) sources: &'s [Arc<Source>],
    /// The documents with work, in order, in the groups in which they were read.
    pub(super) works: Vec<Vec<Work<'s>>>,
    /// How many documents there are, empty ones not counted.
    documents: usize,
    /// What to tell the user, whatever comes of the run.
    pub warnings: Vec<Diagnostic>,
}

impl Stream<'_> {
    /// Whether a document refers to a secret.
    pub fn has_work(&self) -> bool {
        self.works.iter().any(|works| !works.is_empty())
    }

    /// How many documents there are; empty ones (only comments, or null) do not count.
    pub fn documents(&self) -> usize {
        self.documents
    }
}

/// Reads all documents: their references, or everything that is wrong with them, in file order.
///
/// Documents cannot refer to each other, so a large stream is read by all cores side by side.
pub fn collect<'s>(
    sources: &'s [Arc<Source>],
    options: &CollectOptions,
) -> Result<Stream<'s>, Vec<Diagnostic>> {
    let (jobs, mut errors) = jobs(sources);
    let fast = FastPath::new(placeholder::needles());
    let mut stream = Stream {
        sources,
        works: Vec::new(),
        documents: 0,
        warnings: Vec::new(),
    };
    let collector = || Collector {
        sources,
        options,
        fast: &fast,
        found: Found::default(),
    };
    let read = |jobs: Vec<Job>| {
        let mut collector = collector();
        for job in jobs {
            collector.job(job);
        }
        collector.found
    };
    for mut found in parallel::in_groups(jobs, |job| job.chunk.len(), read) {
        stream.works.push(found.works);
        stream.documents += found.documents;
        stream.warnings.append(&mut found.warnings);
        errors.append(&mut found.errors);
    }
    if errors.is_empty() {
        Ok(stream)
    } else {
        Err(errors)
    }
}

/// A chunk to read.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub source: usize,
    pub chunk: Span,
    pub format: Format,
}

/// All chunks of all sources, in order, and what is wrong with the lines between them.
pub(super) fn jobs(sources: &[Arc<Source>]) -> (Vec<Job>, Vec<Diagnostic>) {
    let mut jobs = Vec::new();
    let mut errors = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let format = Format::of(source.text());
        let (chunks, wrong) = manifest::split(source.text());
        errors.extend(
            wrong
                .iter()
                .map(|error| diagnostic(error, source, error.span)),
        );
        jobs.extend(chunks.into_iter().map(|chunk| Job {
            source: index,
            chunk,
            format,
        }));
    }
    (jobs, errors)
}

/// What was found in some documents.
#[derive(Default)]
pub(super) struct Found<'s> {
    pub works: Vec<Work<'s>>,
    pub documents: usize,
    pub warnings: Vec<Diagnostic>,
    pub errors: Vec<Diagnostic>,
}
