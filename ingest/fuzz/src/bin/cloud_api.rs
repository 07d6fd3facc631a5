//! Fuzzes the parser of the Cloud API's webhook.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| leadstream_ingest_fuzz::cloud_api(input));
