//! Drives [`octick_fuzz::verify_vs_reference`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::verify_vs_reference::run(data));
