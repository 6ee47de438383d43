//! The two clocks: what is told apart by type wherever both of them are at hand.
//!
//! Numbers come in and the same numbers go out; nothing here reads a clock. What can never happen: a deadline taken from the wall
//! clock, or a date from the monotonic one.

/// Microseconds in a millisecond.
pub const MS: u64 = 1_000;
/// Microseconds in a second.
pub const S: u64 = 1_000_000;
