//! Diagnostics as JSON lines, for pipelines.

use serde::Serialize;

use super::Rendering;
use crate::diagnostics::{Diagnostic, Fault, LineColumn, Severity, Warning};

/// One line. The names are an interface, promised by `docs/command-line.md`.
#[derive(Serialize)]
struct Report<'a> {
    severity: &'static str,
    fault: Option<&'static str>,
    warning: Option<&'static str>,
    message: &'a str,
    causes: &'a [String],
    hint: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    resource: Option<&'a str>,
    field: Option<&'a str>,
    excerpt: Option<&'a str>,
}

pub(super) fn render(
    diagnostics: &[Diagnostic],
    places: &[Option<LineColumn>],
    how: Rendering,
) -> String {
    let mut out = String::new();
    for (diagnostic, at) in diagnostics.iter().zip(places) {
        let line = line(diagnostic, *at, how);
        out += &serde_json::to_string(&line).expect("a struct of texts and numbers is JSON");
        out.push('\n');
    }
    out
}

fn line(diagnostic: &Diagnostic, at: Option<LineColumn>, how: Rendering) -> Report<'_> {
    let place = diagnostic.place.as_ref();
    let excerpt = place.and_then(|place| place.excerpt.as_deref());
    Report {
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        fault: (diagnostic.severity == Severity::Error).then(|| name(diagnostic.fault)),
        warning: diagnostic.warning.map(Warning::name),
        message: &diagnostic.message,
        causes: &diagnostic.causes,
        hint: diagnostic.hint.as_deref(),
        file: place.map(|place| place.source.name()),
        line: at.map(|at| at.line),
        column: at.map(|at| at.column),
        resource: place.and_then(|place| place.resource.as_deref()),
        field: place.and_then(|place| place.field.as_deref()),
        excerpt: excerpt.filter(|_| how.excerpts),
    }
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Input => "input",
        Fault::Settings => "settings",
        Fault::Backend => "backend",
        Fault::Policy => "policy",
        Fault::Bug => "bug",
    }
}
