//! The checks of `tests/support/oracle`, for a fuzzer to drive. Nothing is written twice: the same files are read here.

use std::panic;
use std::sync::Once;

#[path = "../../tests/support"]
#[expect(dead_code, reason = "the tests need more of it")]
mod support {
    pub(crate) mod core_yaml;
    pub(crate) mod expectation;
    pub(crate) mod kube_yaml;
    pub(crate) mod nodes;
    pub(crate) mod oracle;
    pub(crate) mod render;
    pub(crate) mod sops_keys;
    pub(crate) mod tree;
}

/// Runs the check of a target on an input.
pub fn check(target: &str, input: &[u8]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(stop_at_the_top);
    let known = support::oracle::TARGETS
        .iter()
        .find(|(name, _)| *name == target);
    let (_, check) = known.expect("each target has its line in the table");
    check(input);
}

/// A panic that reaches the fuzzer ends it; its own hook would end it at any panic, also where `kube_yaml` catches one
/// of libyaml-safer's.
fn stop_at_the_top() {
    panic::set_hook(Box::new(|panic| {
        let caught = panic
            .location()
            .is_some_and(|at| at.file().contains("libyaml-safer"));
        if !caught {
            eprintln!("{panic}");
        }
    }));
}
