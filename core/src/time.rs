//! Units of time. Every time in this crate is microseconds, of the monotonic clock unless its name says `wall`.

/// Microseconds in a millisecond.
pub const MS: u64 = 1_000;
/// Microseconds in a second.
pub const S: u64 = 1_000_000;
