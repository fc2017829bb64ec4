//! See `tests/support/oracle/argocd.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifuse_fuzz::check("argocd-authority", input));
