//! How long an answer takes: smoothed round trips, and the patience that follows from them (RFC 6298).

/// One peer's round trips; eight bytes, so that every member's record has room for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    /// Smoothed, microseconds; zero while nothing is known.
    smoothed: u32,
    /// Smoothed deviation, microseconds.
    deviation: u32,
}

/// Least patience: a peer's thread may sleep for a millisecond, microseconds.
pub const TIMEOUT_MIN: u32 = 2_000;
/// Greatest patience, microseconds.
pub const TIMEOUT_MAX: u32 = 5_000_000;
/// Patience with a peer of whom nothing is known: RFC 6298 takes a second, for which a mesh has no time.
pub const TIMEOUT_UNKNOWN: u32 = 300_000;

impl Rtt {
    /// Takes in a round trip. Only of a question that was asked once: otherwise nobody knows which one was answered
    /// (Karn and Partridge, 1987).
    pub fn sample(&mut self, micros: u64) {
        let sample = micros.clamp(1, u64::from(TIMEOUT_MAX)) as u32;
        if self.smoothed == 0 {
            *self = Self { smoothed: sample, deviation: sample / 2 };
            return;
        }
        let off = self.smoothed.abs_diff(sample);
        self.deviation = self.deviation - self.deviation / 4 + off / 4;
        self.smoothed = (self.smoothed - self.smoothed / 8 + sample / 8).max(1);
    }

    /// The smoothed round trip, microseconds, once there is one.
    pub fn micros(self) -> Option<u32> {
        (self.smoothed != 0).then_some(self.smoothed)
    }

    /// How long to wait for an answer, microseconds.
    pub fn timeout(self) -> u32 {
        match self.micros() {
            None => TIMEOUT_UNKNOWN,
            Some(smoothed) => {
                let patience = smoothed.saturating_add(self.deviation.saturating_mul(4));
                patience.clamp(TIMEOUT_MIN, TIMEOUT_MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_what_was_measured() {
        let mut rtt = Rtt::default();
        assert_eq!((rtt.micros(), rtt.timeout()), (None, TIMEOUT_UNKNOWN));
        rtt.sample(100_000);
        assert_eq!((rtt.micros(), rtt.timeout()), (Some(100_000), 300_000));
        (0..100).for_each(|_| rtt.sample(50_000));
        let settled = rtt.micros().unwrap();
        assert!((50_000..50_010).contains(&settled) && rtt.timeout() < 50_100);
        rtt.sample(150_000);
        assert!(rtt.timeout() > 150_000, "one late answer makes for patience");
    }

    #[test]
    fn absurd_round_trips_stay_within_bounds() {
        let mut rtt = Rtt::default();
        for sample in [0, 1, u64::MAX, 0, u64::MAX, u64::MAX] {
            rtt.sample(sample);
            assert!((TIMEOUT_MIN..=TIMEOUT_MAX).contains(&rtt.timeout()));
            assert!(rtt.micros().is_some());
        }
    }
}
