//! The cycle counter: what a tick is here, and how long it lasts.
//!
//! On x86-64 a tick is one cycle of the time-stamp counter, which runs at one rate whatever the core's clock does.
//! Elsewhere it is one nanosecond of the monotonic clock, and [`UNIT`] says so.

use std::hint::black_box;
use std::time::Duration;

/// What the numbers of this module count.
pub(crate) const UNIT: &str = if cfg!(target_arch = "x86_64") { "ticks" } else { "ns" };

/// Reads the counter after everything before it has finished, and before anything after it has begun.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn now() -> u64 {
    use std::arch::x86_64::{__rdtscp, _mm_lfence};
    let mut core = 0;
    // SAFETY: rdtscp writes the core's number to a local; it exists on every x86-64 made since 2008, and this crate
    // measures no older ones. The fence has no operands.
    unsafe {
        let ticks = __rdtscp(&mut core);
        _mm_lfence();
        ticks
    }
}

/// Reads the counter.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn now() -> u64 {
    raw_clock().as_nanos() as u64
}

/// Ticks a second, measured against `CLOCK_MONOTONIC_RAW` for a twentieth of a second.
pub(crate) fn hz() -> f64 {
    const SPAN: Duration = Duration::from_millis(50);
    let (start, from) = (raw_clock(), now());
    loop {
        let elapsed = raw_clock() - start;
        let ticks = now() - from;
        if elapsed >= SPAN {
            return ticks as f64 / elapsed.as_secs_f64();
        }
    }
}

/// Ticks that reading the counter costs: the least difference of two readings back to back.
pub(crate) fn floor() -> u64 {
    (0..10_000).map(|_| now().wrapping_neg().wrapping_add(now())).min().unwrap_or(0)
}

/// Steps of one [`calibration`].
pub(crate) const CALIBRATION_STEPS: u32 = 2_048;

/// Work whose speed depends on nothing but the core's clock: each step needs the one before, and no memory.
/// About five cycles a step: a multiplication, an exclusive or, and a shift beside it.
#[inline(never)]
pub(crate) fn calibration() {
    let mut x = black_box(0x9E37_79B9_7F4A_7C15_u64);
    for _ in 0..CALIBRATION_STEPS {
        x = x.wrapping_mul(0xD134_2543_DE82_EF95) ^ (x >> 29);
    }
    black_box(x);
}

fn raw_clock() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec for the kernel to fill.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &mut time) };
    assert_eq!(status, 0, "every Linux since 2.6.28 has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_rises_and_its_rate_is_plausible() {
        let first = now();
        assert!(now() > first);
        let hz = hz();
        assert!((5e7..2e10).contains(&hz), "{hz} {UNIT} a second");
    }
}
