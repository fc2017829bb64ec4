//! Answers that several renders share for a short time, so that a burst of renders asks a store once. Only in a process
//! that lives longer than a render, and only where the operator says for how long: Argo CD does not tell plugins that a
//! person wants fresh values.
//!
//! One cache belongs to one instance of a backend, so to one identity at one address; what an application may read is
//! decided before anybody looks here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::registry::SettingsError;
use super::{Answer, Backend, Error, FetchContext, Keys, Outcome, Request};
use crate::secret::SecretId;
use crate::sops::Keyring;

/// How long answers are kept, and what was asked. Shared by all instances of a process.
#[derive(Default)]
pub struct Sharing {
    /// `None` keeps nothing.
    life: Option<Duration>,
    /// Secrets that stores were asked for.
    asked: AtomicU64,
    /// Secrets that were answered without a store.
    kept: AtomicU64,
    caches: StdMutex<Vec<Weak<Slots>>>,
}

type Slots = StdMutex<HashMap<SecretId, Slot>>;
/// Held by whoever asks the store, so that others wait for his answer.
type Slot = Arc<Mutex<Option<Kept>>>;

/// An answer, and what it was asked for.
struct Kept {
    answer: Answer,
    keys: Keys,
    until: Instant,
}

impl Kept {
    /// Whether it answers the request. A store that answers whole secrets has given more than it was asked for.
    fn serves(&self, request: &Request, now: Instant) -> bool {
        let is_known = |key: &String| self.answer.outcome(key) != Outcome::Absent;
        let has_keys = match (&self.keys, &request.keys) {
            (Keys::All, _) => true,
            (Keys::Some(_), Keys::All) => false,
            (Keys::Some(kept), Keys::Some(wanted)) => {
                wanted.iter().all(|key| kept.contains(key) || is_known(key))
            }
        };
        has_keys && now < self.until
    }
}

/// Secrets of one instance that are kept at most.
const MOST: usize = 10_000;

impl Sharing {
    /// Answers are kept for so long; for `None` not at all.
    pub fn new(life: Option<Duration>) -> Arc<Self> {
        Arc::new(Self {
            life,
            ..Self::default()
        })
    }

    /// An instance whose answers are shared. One that reads the application's own files is left as it is.
    pub fn of(self: &Arc<Self>, backend: Arc<dyn Backend>) -> Arc<dyn Backend> {
        if backend.reads_files() {
            return backend;
        }
        let slots = Arc::new(Slots::default());
        let mut caches = lock(&self.caches);
        caches.retain(|slots| slots.strong_count() > 0);
        caches.push(Arc::downgrade(&slots));
        Arc::new(Shared {
            backend,
            slots,
            sharing: Arc::clone(self),
        })
    }

    /// How many secrets stores were asked for, and how many were answered without.
    pub fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.asked), count(&self.kept))
    }

    /// Forgets everything: the next render asks again.
    pub fn clear(&self) {
        self.each_slots(|_| false);
    }

    /// Forgets what is too old, so that secrets do not stay in memory for nothing.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.each_slots(|slot| {
            let Ok(kept) = slot.try_lock() else {
                return true;
            };
            kept.as_ref().is_some_and(|kept| now < kept.until)
        });
    }

    fn each_slots(&self, stays: impl Fn(&Slot) -> bool) {
        let caches: Vec<_> = lock(&self.caches)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for slots in caches {
            lock(&slots).retain(|_, slot| stays(slot));
        }
    }
}

fn lock<T>(mutex: &StdMutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Shared {
    backend: Arc<dyn Backend>,
    slots: Arc<Slots>,
    sharing: Arc<Sharing>,
}

impl Shared {
    fn slot(&self, id: &SecretId) -> Slot {
        let mut slots = lock(&self.slots);
        if slots.len() >= MOST && !slots.contains_key(id) {
            slots.clear();
        }
        Arc::clone(slots.entry(id.clone()).or_default())
    }

    async fn fetch_shared(
        &self,
        batch: &[&Request],
        life: Duration,
        context: &FetchContext,
    ) -> Vec<Result<Answer, Error>> {
        // All in one order, so that two batches never wait for each other.
        let mut order: Vec<usize> = (0..batch.len()).collect();
        order.sort_by(|a, b| batch[*a].id.cmp(&batch[*b].id));
        let mut outcomes: Vec<Option<Result<Answer, Error>>> = batch.iter().map(|_| None).collect();
        let mut held = Vec::new();
        for index in order {
            let request = batch[index];
            let slot = self.slot(&request.id).lock_owned().await;
            match &*slot {
                Some(kept) if kept.serves(request, Instant::now()) => {
                    self.sharing.kept.fetch_add(1, Ordering::Relaxed);
                    outcomes[index] = Some(Ok(kept.answer.clone()));
                }
                _ => held.push((index, slot)),
            }
        }
        if !held.is_empty() {
            let until = Instant::now() + life;
            let wanted: Vec<&Request> = held.iter().map(|(index, _)| batch[*index]).collect();
            self.sharing
                .asked
                .fetch_add(wanted.len() as u64, Ordering::Relaxed);
            let fetched = self.backend.fetch_batch(&wanted, context).await;
            for ((index, mut slot), outcome) in held.into_iter().zip(fetched) {
                if let Ok(answer) = &outcome
                    && answer.failed.is_empty()
                {
                    *slot = Some(Kept {
                        answer: answer.clone(),
                        keys: batch[index].keys.clone(),
                        until,
                    });
                }
                outcomes[index] = Some(outcome);
            }
        }
        let told = "a batch has an outcome for each of its requests";
        outcomes
            .into_iter()
            .map(|outcome| outcome.expect(told))
            .collect()
    }
}

impl Backend for Shared {
    fn normalize(&self, path: &str) -> String {
        self.backend.normalize(path)
    }

    fn reads(&self, request: &Request) -> Vec<String> {
        self.backend.reads(request)
    }

    fn odd_settings(&self) -> &[SettingsError] {
        self.backend.odd_settings()
    }

    fn keyring(&self) -> Option<Arc<Keyring>> {
        self.backend.keyring()
    }

    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async move {
            let mut outcomes = self.fetch_batch(&[request], context).await;
            outcomes.pop().expect("one request has one outcome")
        })
    }

    fn batches<'r>(&self, requests: &'r [Request]) -> Vec<Vec<&'r Request>> {
        self.backend.batches(requests)
    }

    fn fetch_batch<'a>(
        &'a self,
        batch: &'a [&'a Request],
        context: &'a FetchContext,
    ) -> BoxFuture<'a, Vec<Result<Answer, Error>>> {
        if let Some(life) = self.sharing.life {
            return Box::pin(self.fetch_shared(batch, life, context));
        }
        let asked = batch.len() as u64;
        self.sharing.asked.fetch_add(asked, Ordering::Relaxed);
        self.backend.fetch_batch(batch, context)
    }
}

#[cfg(test)]
mod tests;
