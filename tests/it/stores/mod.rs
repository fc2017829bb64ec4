//! What every store must do, whatever it speaks: one suite that all of them pass, each against a fake that checks a
//! request as the real server would, and that can misbehave.
//!
//! A store is a file with a [`Store`] and `suite!(STORE);`. What only one store does is tested in its file, below that.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod awssecretsmanager;
#[cfg(feature = "aws")]
mod awsssm;
#[cfg(feature = "azure")]
mod azurekeyvault;
mod delineasecretserver;
#[cfg(feature = "gcp")]
mod gcpsecretmanager;
mod ibmsecretsmanager;
pub(crate) mod keepersecretsmanager;
#[cfg(feature = "kubernetes")]
mod kubernetessecret;
mod local;
mod onepasswordconnect;
mod pass;
mod together;
mod vault;
mod yandexcloudlockbox;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::certificates::Certificates;
use crate::support::program::{Program, Run};
use crate::support::server::{Reply, Request, Server};

/// What a secret that is called by a number holds, before the number.
const NUMBERED: &str = "cnry-value-v7q2-";
/// A current value.
const VALUE: &str = "cnry-value-v7q2-now";
/// Its value in the version before.
const OLD: &str = "cnry-value-v7q2-before";
/// A text with letters of several alphabets, an emoji and line ends.
const UNICODE: &str = "cnry-value-v7q2 \u{e4}\u{df}\u{6f22}\u{1f600}\nsecond line\n";
/// Bytes that are no text.
const BYTES: &[u8] = b"\xff\xfe\x00cnry";
/// A credential that the fake wants to see, and that no message may show.
const CREDENTIAL: &str = "cnry-credential-c8r6";
/// A part of an answer that makes no sense.
const BODY: &str = "cnry-body-b6y3";

/// No message holds any of them.
const CANARIES: [&str; 4] = ["cnry-value", CREDENTIAL, BODY, "cnry-token"];

/// What a fake that speaks https may be called; a proxy leads there by another name.
const HOSTS: [&str; 4] = [
    "localhost",
    "127.0.0.1",
    "login.microsoftonline.com",
    "*.vault.azure.net",
];

/// A large value: what the largest stores take.
fn large() -> String {
    "x".repeat(60_000)
}

/// A store, and the fake of it. A reference is written as in a manifest, without the brackets: `vault:kv/data/a#k`.
struct Store {
    /// Where [`VALUE`] is.
    current: &'static str,
    /// Where [`OLD`] is, if the store has versions.
    old: Option<&'static str>,
    /// Where [`UNICODE`] is.
    unicode: &'static str,
    /// Where [`large`] is, if the store takes such values.
    large: Option<&'static str>,
    /// Where [`BYTES`] are, if the store takes them. They come out as base64.
    bytes: Option<&'static str>,
    /// A path that does not exist, and words of the message besides the path.
    absent_path: (&'static str, &'static str),
    /// A key that does not exist at a path that does, if paths have keys.
    absent_key: Option<&'static str>,
    /// Where the number `n` behind [`NUMBERED`] is.
    numbered: fn(usize) -> String,
    /// How many secrets one call may bring, where the store has such a call.
    batch: usize,
    /// Whether the fake speaks https, as the real one does and its client demands.
    tls: bool,
    /// The settings that lead to the fake at this address; a file is put into the program's folder.
    settings: fn(Program, &str) -> Program,
    /// The answer of the real server, which checks the request. What it has no answer for, it refuses.
    answer: fn(&Request) -> Reply,
    /// Whether a request reads secrets; the others log in or look around.
    reads: fn(&Request) -> bool,
    /// What it answers to one who may not read.
    denied: fn() -> Reply,
    /// What it answers to one who asks too often.
    throttled: fn() -> Reply,
}

/// What became of a run.
struct Outcome {
    run: Run,
    requests: Vec<Request>,
}

/// What the fake does instead of answering a read.
enum Instead {
    /// Nothing else.
    Never,
    /// This, each time.
    Always(fn() -> Reply),
    /// This, to the first few.
    First(usize, fn() -> Reply),
}

impl Store {
    /// Renders references, each as the value of a key `v0`, `v1`, ….
    fn render(&self, references: &[String], instead: Instead) -> Outcome {
        self.render_within(references, instead, "20s")
    }

    fn render_within(&self, references: &[String], instead: Instead, time: &str) -> Outcome {
        let (answer, reads, asked) = (self.answer, self.reads, AtomicUsize::new(0));
        let handler = move |request: &Request| {
            let right = answer(request);
            if !reads(request) {
                return right;
            }
            let earlier = asked.fetch_add(1, Ordering::SeqCst);
            match instead {
                Instead::Always(other) => other(),
                Instead::First(count, other) if earlier < count => other(),
                _ => right,
            }
        };
        if self.tls {
            let certificates = Certificates::new(&HOSTS);
            let server = Server::start_tls(certificates.server(), handler);
            let program = program(references, time)
                .file("ca.pem", &certificates.ca_pem)
                .env("SSL_CERT_FILE", "ca.pem");
            self.outcome(program, &server)
        } else {
            self.outcome(program(references, time), &Server::start(handler))
        }
    }

    fn outcome(&self, program: Program, server: &Server) -> Outcome {
        let url = server.url();
        let run = (self.settings)(program, &url).run();
        for canary in CANARIES {
            assert!(!run.stderr.contains(canary), "{}", run.stderr);
        }
        let requests = server.requests();
        Outcome { run, requests }
    }

    /// A run without a result, with this exit code and these words.
    fn fails(&self, reference: &str, instead: Instead, code: i32, words: &[&str]) {
        let outcome = self.render_within(&[reference.to_owned()], instead, "3s");
        let run = &outcome.run;
        assert_eq!(
            (run.code, run.stdout.len()),
            (Some(code), 0),
            "{}",
            run.stderr
        );
        for words in words {
            assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
        }
        assert!(run.stderr.len() < 4096, "{}", run.stderr);
    }
}

pub(crate) fn program(references: &[String], time: &str) -> Program {
    Program::manifuse(["generate", "-", "--timeout", time]).stdin(manifest(references))
}

/// A manifest with references, each as the value of a key `v0`, `v1`, ….
fn manifest(references: &[String]) -> String {
    let mut manifest =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: values\ndata:\n".to_owned();
    for (number, reference) in references.iter().enumerate() {
        let _ = writeln!(manifest, "  v{number}: <{reference}>");
    }
    manifest
}

/// The rendering of the first example of a page.
fn example(page: &str) -> Program {
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (manifest, _) = rest.split_once("```").unwrap();
    Program::manifuse(["generate", "-"]).stdin(manifest)
}

/// The values of all rendered documents, by another reader than ours.
pub(crate) fn values(run: &Run) -> Vec<String> {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let text = std::str::from_utf8(&run.stdout).unwrap();
    let documents = yaml_rust2::YamlLoader::load_from_str(text).unwrap();
    let data = documents
        .iter()
        .flat_map(|document| document["data"].as_hash().unwrap());
    let texts = data.map(|(_, value)| value.as_str().unwrap().to_owned());
    texts.collect()
}

fn gives_values_of_all_kinds(store: &Store) {
    let large = large();
    let mut wanted = vec![(store.current, VALUE), (store.unicode, UNICODE)];
    wanted.extend(store.large.map(|reference| (reference, large.as_str())));
    wanted.extend(store.old.map(|reference| (reference, OLD)));
    let references: Vec<String> = wanted.iter().map(|(one, _)| (*one).to_owned()).collect();
    let outcome = store.render(&references, Instead::Never);
    let texts: Vec<&str> = wanted.iter().map(|(_, text)| *text).collect();
    assert_eq!(values(&outcome.run), texts);
}

fn gives_bytes(store: &Store) {
    let Some(reference) = store.bytes else { return };
    let outcome = store.render(
        &[format!("{reference} | toString | base64encode")],
        Instead::Never,
    );
    assert_eq!(values(&outcome.run), [STANDARD.encode(BYTES)]);
}

/// Each secret is read once, however often it is named, and nothing besides is asked twice: one login at most.
fn asks_once(store: &Store) {
    let numbers: Vec<usize> = (0..30).chain(0..30).collect();
    let references: Vec<String> = numbers.iter().map(|n| (store.numbered)(*n)).collect();
    let outcome = store.render(&references, Instead::Never);
    let texts: Vec<String> = numbers.iter().map(|n| format!("{NUMBERED}{n}")).collect();
    assert_eq!(values(&outcome.run), texts);
    let (reads, others): (Vec<&Request>, Vec<_>) = outcome
        .requests
        .iter()
        .partition(|request| (store.reads)(request));
    assert_eq!(reads.len(), 30_usize.div_ceil(store.batch));
    let distinct: BTreeSet<_> = others
        .iter()
        .map(|other| (other.line(), &other.body))
        .collect();
    assert_eq!(distinct.len(), others.len(), "{distinct:?}");
}

fn tells_what_is_absent(store: &Store) {
    let (reference, words) = store.absent_path;
    store.fails(reference, Instead::Never, 1, &[words]);
    if let Some(reference) = store.absent_key {
        store.fails(reference, Instead::Never, 1, &["has no key"]);
    }
}

fn tells_who_may_not_read(store: &Store) {
    let denied = store.denied;
    store.fails(store.current, Instead::Always(denied), 3, &[]);
}

fn tells_of_a_server_that_is_not_there(store: &Store) {
    let close: fn() -> Reply = || Reply::Close;
    store.fails(store.current, Instead::Always(close), 3, &[]);
}

fn waits_no_longer_than_the_deadline(store: &Store) {
    let silence: fn() -> Reply = || Reply::Silence;
    store.fails(store.current, Instead::Always(silence), 3, &[]);
}

fn tells_of_answers_without_sense(store: &Store) {
    let answers: [fn() -> Reply; 4] = [
        || Reply::json(200, format!("{{\"a\": \"{BODY}\"")),
        || Reply::json(200, format!("[\"{BODY}\"]")),
        || Reply::new(200, format!("<html>{BODY}</html>")),
        || Reply::json(200, "{}"),
    ];
    for answer in answers {
        let outcome = store.render(&[store.current.to_owned()], Instead::Always(answer));
        assert!(matches!(outcome.run.code, Some(1 | 3)), "{:?}", outcome.run);
        assert!(outcome.run.stdout.is_empty());
    }
}

fn tries_again_when_it_was_too_often(store: &Store) {
    let outcome = store.render(
        &[store.current.to_owned()],
        Instead::First(2, store.throttled),
    );
    assert_eq!(values(&outcome.run), [VALUE]);
}

/// An answer without an end is not read to it.
fn takes_no_endless_answer(store: &Store) {
    let endless: fn() -> Reply = || Reply::Endless(1 << 40);
    let outcome = store.render(&[store.current.to_owned()], Instead::Always(endless));
    assert!(matches!(outcome.run.code, Some(1 | 3)), "{:?}", outcome.run);
    assert!(outcome.run.stdout.is_empty());
}

/// The suite for one store.
macro_rules! suite {
    ($store:expr; $($case:ident)*) => {
        $(#[test]
        fn $case() {
            super::$case(&$store);
        })*
    };
    ($store:expr) => {
        super::suite! {
            $store;
            asks_once
            gives_bytes
            gives_values_of_all_kinds
            takes_no_endless_answer
            tells_of_a_server_that_is_not_there
            tells_of_answers_without_sense
            tells_what_is_absent
            tells_who_may_not_read
            tries_again_when_it_was_too_often
            waits_no_longer_than_the_deadline
        }
    };
}
use suite;
