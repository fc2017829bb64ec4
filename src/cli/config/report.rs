//! What `config show` prints: as text or as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::diagnostics::printable;

/// What is told of a run's settings.
pub(super) struct Report {
    pub(super) file: Option<String>,
    pub(super) looked_at: Vec<String>,
    pub(super) default: Option<String>,
    pub(super) groups: Vec<Group>,
    pub(super) without_effect: Vec<(String, String)>,
}

/// The settings of one backend, or of all.
pub(super) struct Group {
    /// The backend's name and type; none for what is for all.
    pub(super) backend: Option<(String, &'static str)>,
    pub(super) lines: Vec<Line>,
}

/// One setting.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) variable: &'static str,
    /// None for a credential.
    pub(super) value: Option<String>,
    pub(super) origin: String,
    pub(super) over: Vec<String>,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let file = self.file.as_deref().unwrap_or("none");
        let _ = writeln!(out, "settings file: {file}");
        if !self.looked_at.is_empty() {
            let _ = writeln!(out, "looked at: {}", self.looked_at.join(", "));
        }
        let default = self.default.as_deref().unwrap_or("none");
        let _ = writeln!(out, "default backend: {default}");
        for group in self
            .groups
            .iter()
            .filter(|group| group.backend.is_some() || !group.lines.is_empty())
        {
            match &group.backend {
                Some((name, kind)) => {
                    let _ = writeln!(out, "\nbackend {name} ({kind})");
                }
                None => out.push_str("\nfor the run\n"),
            }
            for line in &group.lines {
                let value = line.value.as_deref().map_or("set".into(), printable);
                let _ = writeln!(out, "  {}: {value}", line.name);
                let _ = writeln!(out, "    from {}", line.origin);
                for lost in &line.over {
                    let _ = writeln!(out, "    over {lost}");
                }
            }
        }
        if !self.without_effect.is_empty() {
            out.push_str("\nwithout effect\n");
            for (reason, origin) in &self.without_effect {
                let _ = writeln!(out, "  {origin}: {reason}");
            }
        }
        out
    }

    pub(super) fn json(&self) -> Value {
        let line = |line: &Line| {
            json!({
                "setting": line.name,
                "variable": line.variable,
                "value": line.value,
                "secret": line.value.is_none(),
                "origin": line.origin,
                "over": line.over,
            })
        };
        let group = |group: &Group| {
            let (name, kind) = group
                .backend
                .as_ref()
                .map_or((None, None), |(name, kind)| (Some(name), Some(kind)));
            let lines: Vec<_> = group.lines.iter().map(line).collect();
            json!({"backend": name, "type": kind, "settings": lines})
        };
        let unused =
            |(reason, origin): &(String, String)| json!({"origin": origin, "reason": reason});
        json!({
            "file": self.file,
            "lookedAt": self.looked_at,
            "defaultBackend": self.default,
            "groups": self.groups.iter().map(group).collect::<Vec<_>>(),
            "withoutEffect": self.without_effect.iter().map(unused).collect::<Vec<_>>(),
        })
    }
}
