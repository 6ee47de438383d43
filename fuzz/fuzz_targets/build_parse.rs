//! Drives [`octick_fuzz::build_parse`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::build_parse::run(data));
