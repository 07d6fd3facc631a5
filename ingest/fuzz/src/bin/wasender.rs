//! Fuzzes the parser of WASenderApi's webhook.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| leadstream_ingest_fuzz::wasender(input));
