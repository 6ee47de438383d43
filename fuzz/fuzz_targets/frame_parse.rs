//! Drives [`octick_fuzz::frame_parse`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::frame_parse::run(data));
