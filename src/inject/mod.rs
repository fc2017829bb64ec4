//! The straight line: `decrypt` opens encrypted documents, `collect` finds the references of a stream, `plan` makes unique requests of them, `fetch` asks the
//! backends, `substitute` makes edits. Only `fetch` is concurrent and touches the network; the rest is pure.

mod collect;
mod decrypt;
mod document;
mod evaluate;
mod expand;
mod failure;
mod fetch;
mod join;
mod landing;
mod locate;
mod parallel;
mod place;
mod plan;
mod removal;
mod reread;
mod substitute;
mod suspect;
mod text;
mod unknown;

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use crate::backends::pool::Pool;
use crate::diagnostics::Diagnostic;
use crate::files::Files;
use crate::policy::Policy;

pub use collect::{CollectOptions, DEFAULT_DOCUMENT_LIMIT, Stream, collect};
pub use decrypt::{Decryption, decrypt};
pub use fetch::{Answers, fetch};
pub use plan::{PathRule, Plan, plan};
pub use substitute::{Rendered, substitute};

/// What a render works with: no working directory, environment or global stands behind it.
pub struct RenderContext {
    /// The backend instances.
    pub pool: Arc<Pool>,
    /// The application's folder.
    pub files: Arc<dyn Files>,
    /// Path validation: a secret's path must match all of these.
    pub path_rules: Vec<PathRule>,
    /// What the operator lets the application do.
    pub policy: Policy,
    /// How long all fetching may take together.
    pub fetch_timeout: Duration,
    /// How many requests may be under way at one backend.
    pub concurrency: usize,
}

impl PathRule {
    /// A rule from a compiled, unanchored expression.
    pub fn new(expression: Regex) -> Self {
        Self { expression }
    }
}

/// Runs the whole line behind `collect`: all edits, or all failures.
pub async fn render<'s>(
    mut stream: Stream<'s>,
    context: &RenderContext,
) -> Result<Rendered<'s>, Vec<Diagnostic>> {
    let plan = plan(&stream, context);
    let told = landing::check(&stream, &plan, &context.policy);
    stream.warnings.extend(told);
    let answers = fetch(&plan, context).await;
    substitute(stream, &plan, &answers)
}

#[cfg(test)]
mod tests;
