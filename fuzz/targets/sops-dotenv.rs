//! See `tests/support/oracle/sops.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifuse_fuzz::check("sops-dotenv", input));
