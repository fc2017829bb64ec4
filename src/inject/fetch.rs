//! The only step that waits: each distinct secret is asked for once, concurrently, inside one deadline.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::{Plan, RenderContext};
use crate::backends::{Answer, Backend, Error, ErrorKind, FetchContext, Request};
use crate::secret::SecretId;

/// What the backends said. Failures are kept too: no secret is asked for twice.
pub type Answers = HashMap<SecretId, Result<Answer, Error>>;

/// Makes all requests of a plan. An empty plan opens no connection.
pub async fn fetch(plan: &Plan, context: &RenderContext) -> Answers {
    let fetching = FetchContext {
        files: Arc::clone(&context.files),
        deadline: Instant::now() + context.fetch_timeout,
    };
    let of_one_backend = plan.requests.chunk_by(|a, b| a.id.backend == b.id.backend);
    let batches = of_one_backend.filter_map(|requests| {
        let backend = context.pool.get(&requests[0].id.backend)?.as_ref().ok()?;
        let permits = Arc::new(Semaphore::new(context.concurrency));
        let batches = backend.batches(requests).into_iter();
        let fetching = &fetching;
        Some(batches.map(move |batch| {
            let permits = Arc::clone(&permits);
            fetch_batch(batch, backend.as_ref(), permits, fetching)
        }))
    });
    let pending: FuturesUnordered<_> = batches.flatten().collect();
    pending.flat_map(stream::iter).collect().await
}

async fn fetch_batch(
    batch: Vec<&Request>,
    backend: &dyn Backend,
    permits: Arc<Semaphore>,
    context: &FetchContext,
) -> Vec<(SecretId, Result<Answer, Error>)> {
    let fetched = timeout_at(context.deadline, async {
        let _permit = permits
            .acquire()
            .await
            .expect("the semaphore is never closed");
        backend.fetch_batch(&batch, context).await
    });
    let too_late = |request: &&Request| {
        Err(Error::new(
            ErrorKind::Unreachable,
            format!("no answer for {} in time", request.id.path),
        )
        .with_hint("the whole run's fetching has one time limit; --timeout sets it"))
    };
    let fetched = fetched.await;
    let outcomes = fetched.unwrap_or_else(|_| batch.iter().map(too_late).collect());
    let ids = batch.iter().map(|request| request.id.clone());
    ids.zip(outcomes).collect()
}
