//! A login that is made once, by the first that needs it, and kept for all others while it is good.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// One that has failed is not tried again at once, by each of those that wait for it.
const FAILURE_LIFE: Duration = Duration::from_secs(10);

/// What the last login brought, and until when that counts.
pub struct Login<T, E>(Mutex<Option<(Result<T, E>, Instant)>>);

impl<T: Clone, E: Clone> Login<T, E> {
    /// What it brought; if there is none that counts any more, what this one brings, and for how long that is used.
    pub async fn get<F>(&self, log_in: F) -> Result<T, E>
    where
        F: Future<Output = Result<(T, Duration), E>>,
    {
        let mut kept = self.0.lock().await;
        if let Some((outcome, end)) = &*kept
            && Instant::now() < *end
        {
            return outcome.clone();
        }
        let (outcome, life) = match log_in.await {
            Ok((made, life)) => (Ok(made), life),
            Err(error) => (Err(error), FAILURE_LIFE),
        };
        *kept = Some((outcome.clone(), Instant::now() + life));
        outcome
    }
}

impl<T, E> Default for Login<T, E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
