//! Diagnostics as people and programs read them: text with the place and a caret, or one JSON object a line.
//!
//! Written by hand instead of with a snippet library: only the reference's head may be quoted, never the line it
//! stands in, and such libraries take the quoted text for the line, so that their columns are wrong.

mod json;
mod position;
mod text;

pub use text::printable;

use std::collections::HashMap;
use std::sync::Arc;

use super::{Diagnostic, Severity, Source};

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per diagnostic and line.
    Json,
}

/// What a reader of the diagnostics may see.
#[derive(Clone, Copy, Debug)]
pub struct Rendering {
    /// Text or JSON.
    pub format: Format,
    /// Whether the reader is a terminal that shows colours. Text only.
    pub colours: bool,
    /// Whether reference heads may be quoted. Not under Argo CD, which shows our stderr to everybody.
    pub excerpts: bool,
    /// How many bytes of text are sure to be read. Diagnostics that say the same are then joined, and a count stands
    /// for what does not fit. Text only.
    pub limit: Option<usize>,
}

impl Rendering {
    /// Plain text without colours or limit.
    pub const PLAIN: Self = Self {
        format: Format::Text,
        colours: false,
        excerpts: true,
        limit: None,
    };
}

/// The diagnostics as text that ends with a line end, in the order given.
pub fn render(diagnostics: &[Diagnostic], how: Rendering) -> String {
    let places = position::of(diagnostics);
    match how.format {
        Format::Text => text::render(diagnostics, &places, how),
        Format::Json => json::render(diagnostics, &places, how),
    }
}

/// Sorts into file order: errors before warnings, then what has no place in an input, then by input and position.
/// Diagnostics of one position keep their order.
pub fn sort(diagnostics: &mut [Diagnostic], inputs: &[Arc<Source>]) {
    let order: HashMap<_, _> = (0..)
        .zip(inputs)
        .map(|(n, source)| (Arc::as_ptr(source), n))
        .collect();
    diagnostics.sort_by_cached_key(|diagnostic: &Diagnostic| {
        let place = diagnostic.place.as_ref().and_then(|place| {
            let (source, position) = place.origin();
            let input: &usize = order.get(&Arc::as_ptr(source))?;
            Some((*input, position))
        });
        (diagnostic.severity == Severity::Warning, place)
    });
}

#[cfg(test)]
mod tests;
