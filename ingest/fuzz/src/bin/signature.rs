//! Fuzzes the authentication of webhooks.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| leadstream_ingest_fuzz::signature(input));
