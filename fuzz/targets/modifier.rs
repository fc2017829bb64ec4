//! See `tests/support/oracle/modifier.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifuse_fuzz::check("modifier", input));
