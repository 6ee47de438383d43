//! Drives [`octick_fuzz::verify`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::verify::run(data));
