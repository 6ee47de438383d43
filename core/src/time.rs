//! Units of time. Every time in this crate is microseconds, of the monotonic clock unless its name says `wall`. What an operator
//! chooses is a [`Duration`], which a machine turns into microseconds where it reads it.

use core::time::Duration;

/// Microseconds in a millisecond.
pub const MS: u64 = 1_000;
/// Microseconds in a second.
pub const S: u64 = 1_000_000;

/// The whole microseconds of a duration; of half a million years or more, the most there are.
pub const fn micros(duration: Duration) -> u64 {
    let micros = duration.as_micros();
    if micros > u64::MAX as u128 { u64::MAX } else { micros as u64 }
}
