//! The three clocks of a node: the wall for versions, a steady one for deadlines, ticks for budgets.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970 by the wall clock, the one that stamps received datagrams.
pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Microseconds since 1970 by the wall clock.
pub fn wall_micros() -> u64 {
    wall_ns() / 1_000
}

/// Seconds from 1970 to 2021.
const INCARNATIONS_FROM: u64 = 1_609_459_200;

/// Nanoseconds that one incarnation lasts at least.
const INCARNATION_NS: u64 = 100_000_000;

/// The incarnation of a process that starts now and remembers none: tenths of a second since 2021. It exceeds the seconds since 1970
/// that nodes took before, and serves until 2034. A clock that is further off is held within those bounds. A node that
/// [remembers](crate::stable) takes a later one if the clock did not go on since its last start.
pub fn incarnation() -> u32 {
    incarnation_at(wall_ns())
}

/// Incarnations that no clock gives, for starts after that of a clock far in the future: one a second for half a year.
const INCARNATIONS_SPARE: u32 = 1 << 24;

pub(crate) fn incarnation_at(wall_ns: u64) -> u32 {
    let tenths = (wall_ns / INCARNATION_NS).saturating_sub(10 * INCARNATIONS_FROM);
    // Zero is nobody's, and a clock that is wrong for once must not use up what there is.
    tenths.clamp(1, u64::from(u32::MAX - INCARNATIONS_SPARE)) as u32
}

/// The CPU's time-stamp counter; where there is none, nanoseconds. About 22 ticks a reading.
#[inline]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 CPU has the instruction; it reads a counter and nothing else.
        #[allow(unsafe_code)]
        unsafe {
            core::arch::x86_64::_rdtsc()
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}

/// The least that two readings of the wall clock lie apart, ns: no latency below it means anything.
pub fn timer_floor_ns() -> u64 {
    let step = || {
        let first = wall_ns();
        (0..1_000).map(|_| wall_ns()).find(|&next| next > first).map_or(u64::MAX, |next| next - first)
    };
    (0..100).map(|_| step()).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_a_tenth_of_a_second_later_is_a_later_incarnation() {
        const SECOND: u64 = 1_000_000_000;
        let now = 1_795_276_824 * SECOND;
        assert!(
            u64::from(incarnation_at(now)) > now / SECOND,
            "and later than the seconds that earlier releases took"
        );
        for start in 0..100 {
            let start = now + start * 7_654_321;
            assert_eq!(incarnation_at(start) + 1, incarnation_at(start + SECOND / 10));
        }
        assert_eq!((incarnation_at(0), incarnation_at(u64::MAX)), (1, u32::MAX - (1 << 24)));
    }
}
