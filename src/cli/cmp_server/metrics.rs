//! What the server counts, in Prometheus' text format, on an address that the operator names. No label holds a name of an
//! application, a project or a path.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::backends::shared::Sharing;
use crate::diagnostics::Fault;

/// Upper ends of the classes of durations, in milliseconds.
const CLASSES: [u64; 12] = [
    5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 60_000,
];

/// How a render ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Rendered,
    /// By what kind of fault.
    Failed(Fault),
    /// Nobody waited any more.
    Cancelled,
}

const OUTCOMES: [(Outcome, &str); 7] = [
    (Outcome::Rendered, "rendered"),
    (Outcome::Failed(Fault::Input), "input"),
    (Outcome::Failed(Fault::Settings), "settings"),
    (Outcome::Failed(Fault::Backend), "backend"),
    (Outcome::Failed(Fault::Policy), "policy"),
    (Outcome::Failed(Fault::Bug), "bug"),
    (Outcome::Cancelled, "cancelled"),
];

/// The counters.
#[derive(Default)]
pub(super) struct Metrics {
    outcomes: [AtomicU64; OUTCOMES.len()],
    classes: [AtomicU64; CLASSES.len()],
    renders: AtomicU64,
    milliseconds: AtomicU64,
    bytes: AtomicU64,
    under_way: AtomicU64,
    sharing: Arc<Sharing>,
}

impl Metrics {
    pub(super) fn new(sharing: Arc<Sharing>) -> Self {
        Self {
            sharing,
            ..Self::default()
        }
    }

    pub(super) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// A render has ended, with so many bytes of manifests.
    pub(super) fn end(&self, outcome: Outcome, took: Duration, bytes: usize) {
        let add = |counter: &AtomicU64, number: u64| counter.fetch_add(number, Ordering::Relaxed);
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        add(&self.renders, 1);
        add(&self.milliseconds, took);
        add(&self.bytes, bytes as u64);
        let index = OUTCOMES.iter().position(|(known, _)| *known == outcome);
        if let Some(counter) = index.and_then(|index| self.outcomes.get(index)) {
            add(counter, 1);
        }
        for (end, counter) in CLASSES.iter().zip(&self.classes) {
            if took <= *end {
                add(counter, 1);
            }
        }
    }

    /// All of them, as Prometheus reads them.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        head(
            &mut text,
            "renders_total",
            "counter",
            "Renders by how they ended.",
        );
        for ((_, name), counter) in OUTCOMES.iter().zip(&self.outcomes) {
            let count = get(counter);
            let _ = writeln!(text, "manifuse_renders_total{{outcome=\"{name}\"}} {count}");
        }
        self.durations(&mut text);
        let (asked, kept) = self.sharing.counts();
        let (under_way, bytes) = (get(&self.under_way), get(&self.bytes));
        #[rustfmt::skip]
        let numbers = [
            ("renders_under_way", "gauge", "Renders that have not ended.", under_way),
            ("manifest_bytes_total", "counter", "Bytes of rendered manifests.", bytes),
            ("secrets_fetched_total", "counter", "Secrets that stores were asked for.", asked),
            ("secrets_shared_total", "counter", "Secrets that the cache answered.", kept),
        ];
        for (name, kind, help, value) in numbers {
            head(&mut text, name, kind, help);
            let _ = writeln!(text, "manifuse_{name} {value}");
        }
        text
    }

    fn durations(&self, text: &mut String) {
        const NAME: &str = "manifuse_render_seconds";
        head(
            text,
            "render_seconds",
            "histogram",
            "How long renders took.",
        );
        for (end, counter) in CLASSES.iter().zip(&self.classes) {
            let (end, count) = (Duration::from_millis(*end).as_secs_f64(), get(counter));
            let _ = writeln!(text, "{NAME}_bucket{{le=\"{end}\"}} {count}");
        }
        let count = get(&self.renders);
        let sum = Duration::from_millis(get(&self.milliseconds)).as_secs_f64();
        let _ = writeln!(text, "{NAME}_bucket{{le=\"+Inf\"}} {count}");
        let _ = write!(text, "{NAME}_sum {sum}\n{NAME}_count {count}\n");
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP manifuse_{name} {help}");
    let _ = writeln!(text, "# TYPE manifuse_{name} {kind}");
}

/// Answers `/metrics` for ever.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let metrics = Arc::clone(&metrics);
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = answer(request.uri().path(), &metrics);
            async move { Ok::<_, Infallible>(answer) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(path: &str, metrics: &Metrics) -> Response<String> {
    let (status, text) = match path {
        "/metrics" => (StatusCode::OK, metrics.text()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_are_counted_by_outcome_and_duration() {
        let metrics = Metrics::default();
        metrics.begin();
        metrics.begin();
        metrics.begin();
        metrics.end(Outcome::Rendered, Duration::from_millis(7), 100);
        metrics.end(Outcome::Failed(Fault::Policy), Duration::from_secs(2), 0);
        let text = metrics.text();
        for line in [
            "manifuse_renders_total{outcome=\"rendered\"} 1",
            "manifuse_renders_total{outcome=\"policy\"} 1",
            "manifuse_renders_total{outcome=\"bug\"} 0",
            "manifuse_render_seconds_bucket{le=\"0.005\"} 0",
            "manifuse_render_seconds_bucket{le=\"0.01\"} 1",
            "manifuse_render_seconds_bucket{le=\"2.5\"} 2",
            "manifuse_render_seconds_bucket{le=\"+Inf\"} 2",
            "manifuse_render_seconds_sum 2.007",
            "manifuse_renders_under_way 1",
            "manifuse_manifest_bytes_total 100",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}\n{text}");
        }
        assert_eq!(answer("/metrics", &metrics).status(), StatusCode::OK);
        assert_eq!(answer("/", &metrics).status(), StatusCode::NOT_FOUND);
    }
}
