//! Drives [`octick_fuzz::issued`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::issued::run(data));
