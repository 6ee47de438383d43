//! How far a peer is: smoothed round trips (RFC 6298, its alpha of an eighth).

/// One peer's round trips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    /// Smoothed, microseconds; zero while nothing is known.
    smoothed: u32,
}

/// The longest round trip that is told from longer ones, microseconds.
const MICROS_MAX: u32 = 5_000_000;

impl Rtt {
    /// Takes in a round trip. Only of a question that was asked once: otherwise nobody knows which one was answered
    /// (Karn and Partridge, 1987).
    pub fn sample(&mut self, micros: u64) {
        let sample = micros.clamp(1, u64::from(MICROS_MAX)) as u32;
        self.smoothed = match self.smoothed {
            0 => sample,
            smoothed => (smoothed - smoothed / 8 + sample / 8).max(1),
        };
        assert!((1..=MICROS_MAX).contains(&self.smoothed), "an average of samples: {self:?}");
    }

    /// The smoothed round trip, microseconds, once there is one.
    pub fn micros(self) -> Option<u32> {
        (self.smoothed != 0).then_some(self.smoothed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_follows_what_is_measured() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.micros(), None);
        rtt.sample(100_000);
        assert_eq!(rtt.micros(), Some(100_000), "the first is taken as it is");
        rtt.sample(20_000);
        assert_eq!(rtt.micros(), Some(90_000), "an eighth of the way");
        (0..100).for_each(|_| rtt.sample(50_000));
        assert!((50_000..50_010).contains(&rtt.micros().unwrap()));
    }

    #[test]
    fn absurd_round_trips_stay_within_bounds() {
        let mut rtt = Rtt::default();
        for sample in [0, 1, u64::MAX, 0, u64::MAX, u64::MAX] {
            rtt.sample(sample);
            assert!((1..=MICROS_MAX).contains(&rtt.micros().unwrap()));
        }
    }
}
