//! Finds the references of a stream. Documents are parsed one by one and their trees dropped; documents that can hold
//! nothing are not parsed at all.

use std::sync::Arc;

use super::document::{Collector, diagnostic};
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
    for mut found in in_parallel(&jobs, collector) {
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
fn jobs(sources: &[Arc<Source>]) -> (Vec<Job>, Vec<Diagnostic>) {
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

/// Runs the jobs in as many groups of neighbours as there are cores; results in the order of the jobs.
fn in_parallel<'c, 's>(
    jobs: &[Job],
    collector: impl Fn() -> Collector<'c, 's> + Sync,
) -> Vec<Found<'s>>
where
    's: 'c,
{
    /// Below this a thread costs more than it gives.
    const MIN_GROUP: usize = 256 << 10;
    let run = |jobs: &[Job]| {
        let mut collector = collector();
        for job in jobs {
            collector.job(*job);
        }
        collector.found
    };
    let total: usize = jobs.iter().map(|job| job.chunk.len()).sum();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let groups = groups(jobs, (total / cores).max(MIN_GROUP));
    if groups.len() < 2 {
        return vec![run(jobs)];
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = groups
            .into_iter()
            .map(|group| scope.spawn(|| run(group)))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join();
        threads
            .into_iter()
            .map(|thread| join(thread).unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Cuts jobs into groups of at least `size` bytes, the last one excepted.
fn groups(jobs: &[Job], size: usize) -> Vec<&[Job]> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, job) in jobs.iter().enumerate() {
        bytes += job.chunk.len();
        if bytes >= size {
            groups.push(&jobs[start..=index]);
            (start, bytes) = (index + 1, 0);
        }
    }
    if start < jobs.len() {
        groups.push(&jobs[start..]);
    }
    groups
}

/// What was found in some documents.
#[derive(Default)]
pub(super) struct Found<'s> {
    pub works: Vec<Work<'s>>,
    pub documents: usize,
    pub warnings: Vec<Diagnostic>,
    pub errors: Vec<Diagnostic>,
}
