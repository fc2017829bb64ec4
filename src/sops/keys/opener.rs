//! What each kind of master key has to do: wrap a data key, and unwrap it.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use futures::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::master::MasterKey;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
use crate::clients::cloud;

/// A data key, or a share of one.
pub(super) type Share = Zeroizing<Vec<u8>>;

/// What wraps and unwraps by one kind of master key.
pub(super) trait Opener: Send + Sync {
    /// The data key, or share, that `enc` holds. Asked once for each wrapped key and run.
    fn unwrap<'a>(
        &'a self,
        key: &'a MasterKey,
        enc: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Share, Failure>>;

    /// The text for `enc`, and the key as it is to be written beside it.
    fn wrap<'a>(
        &'a self,
        key: &'a MasterKey,
        share: &'a [u8],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(MasterKey, String), Failure>>;

    /// Where keys of this kind are looked for, and what was found there; never what they hold.
    fn places(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a wrapped key was not opened, or a share not wrapped. For people, without a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No key at hand fits. The places tell more.
    NoMatch,
    /// What went wrong, and what to try.
    Other {
        /// In lower case, without a final stop.
        reason: String,
        /// What to try.
        hint: Option<String>,
    },
}

impl Failure {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self::Other {
            reason: reason.into(),
            hint: None,
        }
    }

    pub(super) fn hint(&self) -> Option<&str> {
        match self {
            Self::NoMatch => None,
            Self::Other { hint, .. } => hint.as_deref(),
        }
    }

    #[must_use]
    pub(super) fn with_hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::NoMatch => Self::NoMatch,
            Self::Other { reason, .. } => Self::Other {
                reason,
                hint: Some(text.into()),
            },
        }
    }
}

#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
impl From<cloud::Error> for Failure {
    fn from(error: cloud::Error) -> Self {
        let mut reason = error.to_string();
        for cause in error.causes() {
            reason.push_str(": ");
            reason.push_str(cause);
        }
        let failure = Self::new(reason);
        match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoMatch => "no key at hand fits",
            Self::Other { reason, .. } => reason,
        })
    }
}

/// A kind whose keys are used on this machine, by functions that take their time.
pub(super) trait Local: Send + Sync + 'static {
    /// As [`Opener::unwrap`].
    fn unwrap(&self, key: &MasterKey, enc: &str, deadline: Instant) -> Result<Share, Failure>;
    /// As [`Opener::wrap`]; the key is written as it is.
    fn wrap(&self, key: &MasterKey, share: &[u8], deadline: Instant) -> Result<String, Failure>;
    /// As [`Opener::places`].
    fn places(&self) -> Vec<String>;
}

/// Runs the functions of a local kind beside the rest.
pub(super) struct Threads<L> {
    local: Arc<L>,
    queue: Arc<Queue>,
}

impl<L: Local> Threads<L> {
    /// Kinds with one queue share its threads.
    pub(super) fn new(local: L, queue: &Arc<Queue>) -> Self {
        Self {
            local: Arc::new(local),
            queue: Arc::clone(queue),
        }
    }

    /// Runs something on the kind's keys, in its turn.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&L) -> Result<R, Failure> + Send + 'static,
    ) -> Result<R, Failure> {
        let local = Arc::clone(&self.local);
        let (done, result) = oneshot::channel();
        // Nobody takes the result of a run that was given up.
        self.queue
            .add(Box::new(move || drop(done.send(work(&local)))));
        match timeout_at(deadline, result).await {
            Ok(Ok(result)) => result,
            // A panic has been told by its place; its own text could hold the key.
            Ok(Err(_)) => Err(Failure::new("unwrapping was broken off")),
            Err(_) => Err(Failure::new("it took too long")
                .with_hint("a program or somebody did not answer in time")),
        }
    }
}

/// Work for as many threads as there are cores. A thread goes on until nothing waits: to wake one for each of a thousand
/// keys takes longer than to use a key.
#[derive(Default)]
pub(super) struct Queue {
    line: Mutex<Line>,
    cores: OnceLock<usize>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Work>,
    threads: usize,
}

type Work = Box<dyn FnOnce() + Send>;

impl Queue {
    fn add(self: &Arc<Self>, work: Work) {
        let cores = || available_parallelism().map_or(1, NonZero::get);
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting.push_back(work);
        if line.threads < *self.cores.get_or_init(cores) {
            line.threads += 1;
            let queue = Arc::clone(self);
            drop(spawn_blocking(move || queue.work()));
        }
    }

    fn work(&self) {
        while let Some(work) = self.next() {
            // Who waits for a result sees that there will be none.
            drop(catch_unwind(AssertUnwindSafe(work)));
        }
    }

    /// What waits longest. Without any, the thread is to end.
    fn next(&self) -> Option<Work> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let work = line.waiting.pop_front();
        line.threads -= usize::from(work.is_none());
        work
    }
}

impl<L: Local> Opener for Threads<L> {
    fn unwrap<'a>(
        &'a self,
        key: &'a MasterKey,
        enc: &'a str,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Share, Failure>> {
        let (key, enc) = (key.clone(), enc.to_owned());
        Box::pin(self.run(deadline, move |local| local.unwrap(&key, &enc, deadline)))
    }

    fn wrap<'a>(
        &'a self,
        key: &'a MasterKey,
        share: &'a [u8],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<(MasterKey, String), Failure>> {
        let (key, share) = (key.clone(), Zeroizing::new(share.to_vec()));
        Box::pin(self.run(deadline, move |local| {
            local.wrap(&key, &share, deadline).map(|enc| (key, enc))
        }))
    }

    fn places(&self) -> Vec<String> {
        self.local.places()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sops::keys::KeyKind;

    /// Gives back what it is given.
    struct Echo;

    impl Local for Echo {
        fn unwrap(&self, _: &MasterKey, enc: &str, _: Instant) -> Result<Share, Failure> {
            assert_ne!(enc, "a bug");
            Ok(Zeroizing::new(enc.as_bytes().to_vec()))
        }

        fn wrap(&self, _: &MasterKey, _: &[u8], _: Instant) -> Result<String, Failure> {
            Err(Failure::NoMatch)
        }

        fn places(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn panics_end_no_thread_that_others_wait_for() {
        let threads = Threads::new(Echo, &Arc::default());
        let key = MasterKey::new(KeyKind::Age, "k");
        let texts: Vec<_> = (0..200)
            .map(|i| match i % 2 {
                0 => "a bug".to_owned(),
                _ => i.to_string(),
            })
            .collect();
        let deadline = Instant::now() + Duration::from_mins(1);
        let asked = texts
            .iter()
            .map(|text| threads.unwrap(&key, text, deadline));
        let answers = futures::future::join_all(asked).await;
        for (text, answer) in texts.iter().zip(answers) {
            match text.as_str() {
                "a bug" => assert_eq!(answer, Err(Failure::new("unwrapping was broken off"))),
                text => assert_eq!(answer.as_deref().map(Vec::as_slice), Ok(text.as_bytes())),
            }
        }
    }
}
