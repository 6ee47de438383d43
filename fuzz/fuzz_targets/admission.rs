//! Drives [`octick_fuzz::admission`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::admission::run(data));
