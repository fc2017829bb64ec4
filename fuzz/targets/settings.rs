//! See `tests/support/oracle/settings.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifuse_fuzz::check("settings", input));
