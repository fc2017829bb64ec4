//! See `tests/support/oracle/split.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifuse_fuzz::check("split", input));
