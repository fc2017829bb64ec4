//! The types of settings files: a table of name endings and, for each format, one adapter from its parser to
//! [`Entry`]s. A further format is one file and one line.
//!
//! Parsers like to quote the line they fail at, and settings hold credentials: an adapter takes a place from its parser
//! and says the rest in words of ours.

mod dotenv;
mod hcl;
mod ini;
mod properties;
mod toml;
mod yaml;

use std::sync::Arc;

use super::document::Entry;
use crate::diagnostics::{Diagnostic, Source};
use crate::env::Environment;

/// Reads a file of one format. The environment is for formats that refer to it.
pub(super) type Parse = fn(&Arc<Source>, &Environment) -> Result<Vec<Entry>, Box<Diagnostic>>;

/// By the text after the last dot of the base name; case matters, as in AVP.
const FORMATS: &[(&str, Parse)] = &[
    ("yaml", yaml::parse),
    ("yml", yaml::parse),
    ("json", yaml::parse_json),
    ("toml", toml::parse),
    ("hcl", hcl::parse),
    ("tfvars", hcl::parse),
    ("properties", properties::parse),
    ("props", properties::parse),
    ("prop", properties::parse),
    ("env", dotenv::parse),
    ("dotenv", dotenv::parse),
    ("ini", ini::parse),
];

/// The format of a file with this ending.
pub(super) fn find(extension: &str) -> Option<Parse> {
    let known = FORMATS.iter().find(|(name, _)| *name == extension);
    known.map(|(_, parse)| *parse)
}

/// All endings, for people.
pub(super) fn endings() -> String {
    let endings: Vec<_> = FORMATS.iter().map(|(name, _)| format!(".{name}")).collect();
    endings.join(" ")
}

/// Keys within keys, and references within references: far more than anybody writes, far less than a stack holds.
const DEPTH: usize = 64;
/// All that references of a file may bring in, so that a few lines that double each other do not fill the memory.
const EXPANSION: usize = 1 << 20;
/// The words for a file that goes past it.
const TOO_LARGE: &str = "what ${...} stands for has more than 1 MiB in all";

/// The bytes at which lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let after = text.match_indices('\n').map(|(end, _)| end + 1);
        Self(std::iter::once(0).chain(after).collect())
    }

    /// Where a line begins; lines count from 1.
    fn start(&self, line: usize) -> usize {
        self.0.get(line.saturating_sub(1)).copied().unwrap_or(0)
    }
}
