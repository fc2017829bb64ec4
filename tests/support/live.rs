//! What `tests/live/run` hands to the tests it starts.

/// A variable that the suite sets.
#[expect(
    clippy::disallowed_methods,
    reason = "a live test is told where servers, tools and records are"
)]
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: live tests are started by tests/live/run"))
}
