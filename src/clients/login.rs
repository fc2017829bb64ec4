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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn is_made_once_while_it_is_good_and_not_at_once_again_after_a_failure() {
        let made = Cell::new(0);
        let log_in = async |outcome: Result<Duration, ()>| {
            made.set(made.get() + 1);
            outcome.map(|life| (made.get(), life))
        };
        let kept = Login::default();
        let hour = Duration::from_hours(1);
        assert_eq!(kept.get(log_in(Ok(Duration::ZERO))).await, Ok(1));
        assert_eq!(kept.get(log_in(Ok(hour))).await, Ok(2));
        assert_eq!(kept.get(log_in(Ok(hour))).await, Ok(2));
        let kept = Login::default();
        assert_eq!(kept.get(log_in(Err(()))).await, Err(()));
        assert_eq!(kept.get(log_in(Ok(hour))).await, Err(()));
        assert_eq!(made.get(), 3);
    }
}
