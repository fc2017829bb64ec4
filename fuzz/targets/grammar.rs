//! See `tests/support/oracle/grammar.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifuse_fuzz::check("grammar", input));
