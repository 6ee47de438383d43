//! Drives [`octick_fuzz::ingress`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::ingress::run(data));
