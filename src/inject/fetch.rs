//! The only step that waits: each distinct secret is asked for once, concurrently, inside one deadline.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
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
    let mut permits: HashMap<Arc<str>, Arc<Semaphore>> = HashMap::new();
    let pending: FuturesUnordered<_> = plan
        .requests
        .iter()
        .filter_map(|request| {
            let backend = context.pool.get(&request.id.backend)?.as_ref().ok()?;
            let permits = permits
                .entry(Arc::clone(&request.id.backend))
                .or_insert_with(|| Arc::new(Semaphore::new(context.concurrency)));
            Some(fetch_one(
                request,
                backend.as_ref(),
                Arc::clone(permits),
                &fetching,
            ))
        })
        .collect();
    pending.collect().await
}

async fn fetch_one(
    request: &Request,
    backend: &dyn Backend,
    permits: Arc<Semaphore>,
    context: &FetchContext,
) -> (SecretId, Result<Answer, Error>) {
    let fetched = timeout_at(context.deadline, async {
        let _permit = permits
            .acquire()
            .await
            .expect("the semaphore is never closed");
        backend.fetch(request, context).await
    });
    let too_late = |_| {
        Err(Error::new(
            ErrorKind::Unreachable,
            format!("no answer for {} in time", request.id.path),
        )
        .with_hint("the whole run's fetching has one time limit; --timeout sets it"))
    };
    (request.id.clone(), fetched.await.unwrap_or_else(too_late))
}
