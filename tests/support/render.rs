//! The library's straight line against secrets in memory.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use manifuse::backends::pool::Pool;
use manifuse::backends::{Answer, Backend, Error, FetchContext, Request};
use manifuse::diagnostics::{Diagnostic, Source};
use manifuse::files::{FileError, Files};
use manifuse::inject::{self, CollectOptions, RenderContext, Rendered};
use manifuse::policy::Policy;
use manifuse::secret::Map;

struct Memory(Map);

impl Backend for Memory {
    fn fetch<'a>(
        &'a self,
        _: &'a Request,
        _: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        async { Ok(Answer::whole(self.0.clone(), None)) }.boxed()
    }
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        Err(FileError::Absent {
            path: path.to_owned(),
        })
    }
}

/// Renders a stream in which every path holds these values.
pub(crate) fn render(text: &str, values: Map, validate: bool) -> Result<String, Vec<Diagnostic>> {
    look(text, values, validate, |rendered| {
        rendered.slices().concat()
    })
}

/// The same, with a look at the edits.
pub(crate) fn look<T>(
    text: &str,
    values: Map,
    validate: bool,
    look: impl FnOnce(&Rendered<'_>) -> T,
) -> Result<T, Vec<Diagnostic>> {
    let mut pool = Pool::default();
    pool.insert("memory", Arc::new(Memory(values)));
    let pool = Arc::new(pool);
    let options = CollectOptions {
        default_backend: "memory".into(),
        backends: pool.names(),
        validate,
        document_limit: inject::DEFAULT_DOCUMENT_LIMIT,
    };
    let context = RenderContext {
        pool,
        files: Arc::new(NoFiles),
        path_rules: Vec::new(),
        policy: Policy::default(),
        fetch_timeout: Duration::from_mins(1),
        concurrency: 1,
    };
    let sources = [Arc::new(Source::new("stream", text))];
    let stream = inject::collect(&sources, &options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without drivers");
    let rendered = runtime.block_on(inject::render(stream, &context))?;
    Ok(look(&rendered))
}
