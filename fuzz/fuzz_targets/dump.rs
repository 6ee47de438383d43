//! Drives [`octick_fuzz::dump`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::dump::run(data));
