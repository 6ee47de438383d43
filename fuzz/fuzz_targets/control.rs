//! Drives [`octick_fuzz::control`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::control::run(data));
