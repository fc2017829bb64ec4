use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::backends::ErrorKind;
use crate::files::{FileError, Files};
use crate::secret::Value;

/// Answers whole secrets, slowly, and counts.
#[derive(Default)]
struct Store {
    calls: AtomicUsize,
    fails: bool,
    reads_files: bool,
}

impl Backend for Store {
    fn reads_files(&self) -> bool {
        self.reads_files
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Request,
        _: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async {
            let calls = self.calls.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            if self.fails {
                return Err(Error::new(ErrorKind::Unreachable, "away"));
            }
            let value = |key: &str| (key.to_owned(), Value::string(calls.to_string()));
            Ok(Answer::whole(vec![value("a"), value("b")], None))
        })
    }
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        Err(FileError::Absent { path: path.into() })
    }
}

fn context() -> FetchContext {
    FetchContext {
        files: Arc::new(NoFiles),
        deadline: Instant::now() + Duration::from_secs(5),
    }
}

fn request(path: &str, keys: &[&str]) -> Request {
    let keys: BTreeSet<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    Request {
        id: SecretId {
            backend: "s".into(),
            path: path.into(),
            version: None,
            kv_version: None,
        },
        keys: if keys.is_empty() {
            Keys::All
        } else {
            Keys::Some(keys)
        },
    }
}

fn shared(life: Option<Duration>, store: Store) -> (Arc<Store>, Arc<dyn Backend>, Arc<Sharing>) {
    let sharing = Sharing::new(life);
    let store = Arc::new(store);
    let backend = sharing.of(store.clone());
    (store, backend, sharing)
}

const MINUTE: Option<Duration> = Some(Duration::from_mins(1));

#[tokio::test]
async fn a_burst_asks_once_for_each_secret() {
    let (store, backend, sharing) = shared(MINUTE, Store::default());
    let (x, y) = (request("x", &["a"]), request("y", &["b"]));
    let context = context();
    let forth = [&x, &y];
    let back = [&y, &x];
    let batches =
        (0..20).map(|n| backend.fetch_batch(if n % 2 == 0 { &forth } else { &back }, &context));
    let outcomes = futures::future::join_all(batches).await;
    assert!(outcomes.iter().flatten().all(Result::is_ok));
    assert_eq!(store.calls.load(Ordering::Relaxed), 2);
    assert_eq!(sharing.counts(), (2, 38));
}

#[tokio::test]
async fn keys_that_were_given_unasked_count_and_others_are_asked_for() {
    let (store, backend, _) = shared(MINUTE, Store::default());
    let context = context();
    for (keys, calls) in [
        (&["a"][..], 1),
        (&["b"], 1),
        (&["a", "b"], 1),
        (&["c"], 2),
        (&["c"], 2),
        (&[], 3),
        (&["a"], 3),
        (&["d"], 3),
    ] {
        backend.fetch(&request("x", keys), &context).await.unwrap();
        assert_eq!(store.calls.load(Ordering::Relaxed), calls, "{keys:?}");
    }
}

#[tokio::test]
async fn nothing_is_kept_for_longer_nor_after_it_was_cleared() {
    let life = Duration::from_millis(200);
    let (store, backend, sharing) = shared(Some(life), Store::default());
    let (x, context) = (request("x", &["a"]), context());
    for _ in 0..2 {
        backend.fetch(&x, &context).await.unwrap();
    }
    sharing.clear();
    backend.fetch(&x, &context).await.unwrap();
    assert_eq!(store.calls.load(Ordering::Relaxed), 2);
    tokio::time::sleep(life).await;
    sharing.sweep();
    assert!(lock(&lock(&sharing.caches)[0].upgrade().unwrap()).is_empty());
    backend.fetch(&x, &context).await.unwrap();
    assert_eq!(store.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn failures_are_not_kept_and_without_a_life_nothing_is() {
    for (life, fails) in [(MINUTE, true), (None, false)] {
        let (store, backend, sharing) = shared(
            life,
            Store {
                fails,
                ..Store::default()
            },
        );
        let (x, context) = (request("x", &["a"]), context());
        for _ in 0..3 {
            assert_eq!(backend.fetch(&x, &context).await.is_err(), fails);
        }
        assert_eq!(store.calls.load(Ordering::Relaxed), 3);
        assert_eq!(sharing.counts(), (3, 0));
    }
}

#[tokio::test]
async fn instances_share_nothing_with_each_other_and_files_are_never_shared() {
    let sharing = Sharing::new(MINUTE);
    let store = Arc::new(Store::default());
    let own = Arc::new(Store {
        reads_files: true,
        ..Store::default()
    });
    let (x, context) = (request("x", &["a"]), context());
    for backend in [
        sharing.of(store.clone()),
        sharing.of(store.clone()),
        sharing.of(own.clone()),
        sharing.of(own.clone()),
    ] {
        for _ in 0..2 {
            backend.fetch(&x, &context).await.unwrap();
        }
    }
    assert_eq!(store.calls.load(Ordering::Relaxed), 2);
    assert_eq!(own.calls.load(Ordering::Relaxed), 4);
}
