//! Drives [`octick_fuzz::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::config::run(data));
