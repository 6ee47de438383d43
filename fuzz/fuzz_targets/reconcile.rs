//! Drives [`octick_fuzz::reconcile`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octick_fuzz::reconcile::run(data));
