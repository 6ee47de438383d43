//! Drives [`octick_fuzz::merge_twin`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::merge_twin::run(data));
