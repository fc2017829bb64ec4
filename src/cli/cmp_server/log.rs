//! The server's log: one line an event, on stderr. Only what is handed over here is told, so that nothing of a library's
//! own log, which could hold anything, comes in.

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::diagnostics::Format;
use crate::yaml::timestamp::Timestamp;

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Writes lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    pub(super) format: Format,
}

impl Log {
    /// Tells an event. No field may hold a secret.
    pub(super) fn tell(self, severity: Severity, message: &str, fields: &[(&str, Value)]) {
        let line = self.line(severity, message, fields, SystemTime::now());
        // One that cannot be written can be told nowhere.
        let _ = io::stderr().write_all(line.as_bytes());
    }

    fn line(
        self,
        severity: Severity,
        message: &str,
        fields: &[(&str, Value)],
        now: SystemTime,
    ) -> String {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp::from_unix(now.as_secs()).to_text();
        let now = now.expose_str().unwrap_or_default();
        match self.format {
            Format::Json => {
                let head = [
                    ("time", json!(now)),
                    ("level", json!(severity.name())),
                    ("message", json!(message)),
                ];
                let all = head.iter().chain(fields);
                let all: Map<_, _> = all
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect();
                format!("{}\n", Value::Object(all))
            }
            Format::Text => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| format!(" {name}={value}"));
                let fields: String = fields.collect();
                format!("{now} {}: {message}{fields}\n", severity.name())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let fields = [("request", json!(7)), ("text", json!("two\nlines"))];
        let line = |format| Log { format }.line(Severity::Error, "failed", &fields, UNIX_EPOCH);
        let json = r#"{"time":"1970-01-01T00:00:00Z","level":"error","message":"failed","request":7,"text":"two\nlines"}"#;
        assert_eq!(line(Format::Json), format!("{json}\n"));
        let text = r#"1970-01-01T00:00:00Z error: failed request=7 text="two\nlines""#;
        assert_eq!(line(Format::Text), format!("{text}\n"));
    }
}
