//! Diagnostics as text: errors as small blocks with the place and the reference's head, warnings as single lines.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use super::Rendering;
use crate::diagnostics::{Diagnostic, LineColumn, MANY, Place, Severity, WARNINGS, Warning};

/// What is kept free under a limit for the line that counts the rest.
const CLOSING: usize = 100;
/// How many characters of a reference's head are quoted.
const EXCERPT: usize = 160;

pub(super) fn render(
    diagnostics: &[Diagnostic],
    places: &[Option<LineColumn>],
    how: Rendering,
) -> String {
    let mut out = String::new();
    let (told, left_out) = few_of_each(diagnostics, how);
    let shown = joined(told, diagnostics, how);
    for (done, (first, again)) in shown.iter().enumerate() {
        let block = block(
            &diagnostics[*first],
            places[*first],
            &again_at(again, diagnostics, places, how),
            how,
        );
        let full = |limit: usize| out.len() + block.len() + CLOSING > limit;
        if !out.is_empty() && how.limit.is_some_and(full) {
            let left: usize = shown[done..].iter().map(|(_, again)| again.len() + 1).sum();
            let _ = writeln!(
                out,
                "and {left} more, see a run outside Argo CD for all of them"
            );
            break;
        }
        out += &block;
    }
    for (warning, count) in left_out {
        let title = Paint(how.colours).warning(&title("warning", Some(warning)));
        let _ = writeln!(
            out,
            "{title}: and {count} more (help: --error-format json tells all of them)"
        );
    }
    out
}

/// All errors, and of the warnings of one name the first; of which names there are how many more. A limit cuts by itself.
fn few_of_each(diagnostics: &[Diagnostic], how: Rendering) -> (Vec<usize>, Vec<(Warning, usize)>) {
    let mut counts = [0; WARNINGS.len()];
    let is_told = |index: &usize| match &diagnostics[*index] {
        Diagnostic {
            severity: Severity::Warning,
            warning: Some(warning),
            ..
        } if how.limit.is_none() => {
            counts[*warning as usize] += 1;
            counts[*warning as usize] <= MANY
        }
        _ => true,
    };
    let told = (0..diagnostics.len()).filter(is_told).collect();
    let more = WARNINGS.iter().map(|line| line.0);
    let more = more.map(|name| (name, usize::saturating_sub(counts[name as usize], MANY)));
    (told, more.filter(|(_, count)| *count > 0).collect())
}

/// Where else the same is said: the first places, or under a limit only how many there are.
fn again_at(
    again: &[usize],
    diagnostics: &[Diagnostic],
    places: &[Option<LineColumn>],
    how: Rendering,
) -> Vec<String> {
    if again.is_empty() {
        return Vec::new();
    }
    let listed = |index: &usize| {
        let place = diagnostics[*index].place.as_ref()?;
        let object = object(place).map_or(String::new(), |object| format!(", {object}"));
        Some(format!("also {}{object}", location(place, places[*index]?)))
    };
    let first: Option<Vec<String>> = again.iter().take(MANY).map(listed).collect();
    match first {
        Some(mut first) if how.limit.is_none() => {
            let left = again.len() - first.len();
            let rest = format!("and in {left} more places (--error-format json tells all of them)");
            first.extend((left > 0).then_some(rest));
            first
        }
        _ => vec![format!("the same in {} more places", again.len())],
    }
}

/// The first of those that say the same, and the others. A warning is a line of its own, unless there is a limit.
fn joined(
    told: Vec<usize>,
    diagnostics: &[Diagnostic],
    how: Rendering,
) -> Vec<(usize, Vec<usize>)> {
    let mut shown: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut seen = HashMap::new();
    for index in told {
        let diagnostic = &diagnostics[index];
        let is_error = diagnostic.severity == Severity::Error;
        let says = (
            is_error,
            (!is_error && how.limit.is_none()).then_some(index),
            &diagnostic.message,
            &diagnostic.causes,
            &diagnostic.hint,
        );
        if let Some(&first) = seen.get(&says) {
            let (_, again): &mut (usize, Vec<usize>) = &mut shown[first];
            again.push(index);
        } else {
            seen.insert(says, shown.len());
            shown.push((index, Vec::new()));
        }
    }
    shown
}

fn block(
    diagnostic: &Diagnostic,
    at: Option<LineColumn>,
    again: &[String],
    how: Rendering,
) -> String {
    match diagnostic.severity {
        Severity::Error => error(diagnostic, at, again, how),
        Severity::Warning => warning(diagnostic, at, again, how),
    }
}

fn error(
    diagnostic: &Diagnostic,
    at: Option<LineColumn>,
    again: &[String],
    how: Rendering,
) -> String {
    let paint = Paint(how.colours);
    let number = at.map_or(String::new(), |at| at.line.to_string());
    let margin = " ".repeat(number.len().max(1));
    let title = paint.error(&title("error", diagnostic.warning));
    let message = paint.bold(&lines(&diagnostic.message, "       "));
    let mut out = format!("{title}: {message}\n");
    if let (Some(place), Some(at)) = (&diagnostic.place, at) {
        let arrow = paint.edge("-->");
        let _ = writeln!(out, "{margin}{arrow} {}", location(place, at));
        if let Some(head) = place.excerpt.as_deref().filter(|_| how.excerpts) {
            excerpt(&mut out, &number, head, paint);
        }
    }
    let mut note = |text: &str| {
        let text = lines(text, &format!("{margin}   "));
        let _ = writeln!(out, "{margin} {} {text}", paint.edge("="));
    };
    if let Some(object) = diagnostic.place.as_ref().and_then(object) {
        note(&object);
    }
    for cause in &diagnostic.causes {
        note(&format!("cause: {cause}"));
    }
    for place in again {
        note(place);
    }
    if let Some(hint) = &diagnostic.hint {
        note(&format!("help: {hint}"));
    }
    out
}

fn excerpt(out: &mut String, number: &str, head: &str, paint: Paint) {
    let mut shown: String = printable(head).chars().take(EXCERPT).collect();
    if printable(head).chars().nth(EXCERPT).is_some() {
        shown.push('…');
    }
    let margin = " ".repeat(number.len());
    let bar = paint.edge("|");
    let carets = paint.error(&"^".repeat(shown.chars().count().max(1)));
    let _ = writeln!(out, "{margin} {bar}");
    let _ = writeln!(out, "{} {bar} {shown}", paint.edge(number));
    let _ = writeln!(out, "{margin} {bar} {carets}");
}

fn warning(
    diagnostic: &Diagnostic,
    at: Option<LineColumn>,
    again: &[String],
    how: Rendering,
) -> String {
    let mut out = Paint(how.colours).warning(&title("warning", diagnostic.warning));
    let place = diagnostic.place.as_ref();
    if let (Some(place), Some(at)) = (place, at) {
        let _ = write!(out, ": {}", location(place, at));
    }
    let _ = write!(out, ": {}", one_line(&diagnostic.message));
    for cause in &diagnostic.causes {
        let _ = write!(out, ": {}", one_line(cause));
    }
    if let Some(object) = place.and_then(object) {
        let _ = write!(out, ", {}", one_line(&object));
    }
    if !again.is_empty() {
        let _ = write!(out, ", and {}", one_line(&again.join(", ")));
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = write!(out, " (help: {})", one_line(hint));
    }
    out.push('\n');
    out
}

/// `warning[list-items]`: the name is what flags and pages call it.
fn title(severity: &str, warning: Option<Warning>) -> String {
    warning.map_or(severity.to_owned(), |warning| {
        format!("{severity}[{}]", warning.name())
    })
}

fn location(place: &Place, at: LineColumn) -> String {
    let name = one_line(place.source.name());
    format!("{name}:{}:{}", at.line, at.column)
}

fn object(place: &Place) -> Option<String> {
    match (&place.resource, &place.field) {
        (Some(resource), Some(field)) => Some(format!("in {resource} at {field}")),
        (Some(resource), None) => Some(format!("in {resource}")),
        (None, Some(field)) => Some(format!("at {field}")),
        (None, None) => None,
    }
}

/// Several lines below each other, the first one without the indentation.
fn lines(text: &str, indentation: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(printable)
        .collect();
    lines.join(&format!("\n{indentation}"))
}

fn one_line(text: &str) -> String {
    lines(text, "").replace('\n', " ")
}

/// The text without what could steer a terminal or turn the reading direction: messages quote names and references
/// that somebody else wrote.
pub fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// ANSI colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn error(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn warning(self, text: &str) -> String {
        self.with("1;33", text)
    }

    fn edge(self, text: &str) -> String {
        self.with("1;34", text)
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, style: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{style}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
