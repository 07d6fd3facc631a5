#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| leadstream_processor_fuzz::document(input));
