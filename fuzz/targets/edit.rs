//! See `tests/support/oracle/edit.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifuse_fuzz::check("edit", input));
