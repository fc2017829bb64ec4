//! A render as log and metrics see it, from its beginning to its end or until nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tokio::time::Instant;

use super::engine::Engine;
use super::failed::Failed;
use super::log::Severity;
use super::metrics::Outcome;
use crate::argocd::service::Failure;
use crate::argocd::variables::Variables;

/// A render for log and metrics. One that is dropped was cancelled.
pub(super) struct Request {
    pub(super) engine: Arc<Engine>,
    pub(super) number: u64,
    application: String,
    project: String,
    revision: String,
    start: Instant,
    ended: bool,
}

impl Request {
    pub(super) fn begin(engine: Arc<Engine>, variables: &Variables) -> Self {
        let get = |name| variables.get(name).unwrap_or_default().to_owned();
        engine.metrics.begin();
        Self {
            number: engine.requests.fetch_add(1, Ordering::Relaxed) + 1,
            engine,
            application: get("ARGOCD_APP_NAME"),
            project: get("ARGOCD_APP_PROJECT_NAME"),
            revision: get("ARGOCD_APP_REVISION"),
            start: Instant::now(),
            ended: false,
        }
    }

    pub(super) fn end(
        mut self,
        rendered: Result<Vec<String>, Failed>,
    ) -> Result<Vec<String>, Failure> {
        self.ended = true;
        let took = self.start.elapsed();
        match rendered {
            Ok(objects) => {
                let bytes = objects.iter().map(String::len).sum();
                self.engine.metrics.end(Outcome::Rendered, took, bytes);
                let told = [("objects", json!(objects.len())), ("bytes", json!(bytes))];
                self.tell(Severity::Info, "rendered", &told);
                Ok(objects)
            }
            Err(failed) => {
                let (failure, fault) = failed.told();
                self.engine.metrics.end(Outcome::Failed(fault), took, 0);
                self.tell(
                    Severity::Error,
                    "not rendered",
                    &[("error", json!(failure.text))],
                );
                Err(failure)
            }
        }
    }

    fn tell(&self, severity: Severity, message: &str, more: &[(&str, serde_json::Value)]) {
        let milliseconds = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut fields = vec![
            ("request", json!(self.number)),
            ("application", json!(self.application)),
            ("project", json!(self.project)),
            ("revision", json!(self.revision)),
            ("milliseconds", json!(milliseconds)),
        ];
        fields.extend(more.iter().cloned());
        self.engine.log.tell(severity, message, &fields);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.ended {
            self.engine
                .metrics
                .end(Outcome::Cancelled, self.start.elapsed(), 0);
            self.tell(
                Severity::Warning,
                "given up: nobody waits for it any more",
                &[],
            );
        }
    }
}
