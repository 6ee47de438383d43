//! Units of time, and the clock that must not be taken for the other.
//!
//! A time that is a plain number, `now` or `at`, is microseconds of the monotonic clock, which begins anywhere and never steps. A
//! time of day is a [`Wall`], so that a compiler sees where one stands for the other. What an operator chooses is a
//! [`Duration`], which a machine turns into microseconds where it reads it.

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

/// A moment of the wall clock: microseconds since 1970. It dates versions and announcements, which other nodes compare with
/// theirs; nothing is due by it, for it may step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Wall(pub u64);

impl Wall {
    /// So many microseconds later.
    #[must_use]
    pub const fn later(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds since `earlier`; none if that is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_times_end_at_their_bounds_instead_of_wrapping() {
        assert_eq!((Wall(5).later(2), Wall(u64::MAX).later(1)), (Wall(7), Wall(u64::MAX)));
        assert_eq!((Wall(7).since(Wall(5)), Wall(5).since(Wall(7))), (2, 0));
        assert_eq!((micros(Duration::from_nanos(1_999)), micros(Duration::MAX)), (1, u64::MAX));
    }
}
