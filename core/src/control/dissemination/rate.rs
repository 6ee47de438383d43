//! How often a node gossips: ten rounds a second under change, one at rest.

use crate::time::MS;

/// Between two rounds while something changes, microseconds.
pub const GAP_MIN: u64 = 100 * MS;
/// Between two rounds at rest, microseconds.
pub const GAP_MAX: u64 = 1_000 * MS;

/// A clock of rounds. Every round that brings nothing new makes the next gap half as long again; news makes it shortest.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    gap: u64,
    due: u64,
}

impl Rate {
    /// A node that has just begun has everything to learn, so it begins quickly.
    pub const fn new(now: u64) -> Self {
        Self { gap: GAP_MIN, due: now + GAP_MIN }
    }

    /// When the next round is due.
    pub const fn next_due(&self) -> u64 {
        self.due
    }

    /// Rounds a second at present, in thousandths.
    pub const fn per_second_milli(&self) -> u64 {
        1_000_000_000 / self.gap
    }

    /// Takes note of news. The next round comes within the shortest gap.
    pub fn quicken(&mut self, now: u64) {
        self.gap = GAP_MIN;
        // It may have been left alone for a while.
        self.due = self.due.clamp(now, now + GAP_MIN);
        assert!(self.due - now <= GAP_MIN, "at {now}: {self:?}");
    }

    /// Whether a round is due now; if so, the next one is set.
    pub fn tick(&mut self, now: u64) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now + self.gap;
            self.gap = (self.gap + self.gap / 2).min(GAP_MAX);
        }
        assert!(self.due > now && (GAP_MIN..=GAP_MAX).contains(&self.gap), "at {now}: {self:?}");
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(rate: &mut Rate, from: u64, to: u64) -> usize {
        (from / MS..to / MS).filter(|ms| rate.tick(ms * MS)).count()
    }

    #[test]
    fn news_bring_ten_rounds_a_second_and_quiet_one() {
        let mut rate = Rate::new(0);
        rounds(&mut rate, 0, 10_000 * MS);
        assert!((9..=10).contains(&rounds(&mut rate, 10_000 * MS, 20_000 * MS)));
        let busy = (20_000..30_000).filter(|ms| {
            rate.quicken(ms * MS);
            rate.tick(ms * MS)
        });
        assert!((98..=101).contains(&busy.count()));
        assert_eq!(rate.per_second_milli(), 10_000);
    }

    #[test]
    fn after_a_pause_there_is_one_round_and_not_a_hundred() {
        let mut rate = Rate::new(0);
        assert!(rate.tick(3_600_000 * MS) && !rate.tick(3_600_000 * MS));
    }

    #[test]
    fn each_quiet_round_makes_the_gap_half_as_long_again_up_to_a_second() {
        let mut rate = Rate::new(5 * MS);
        let (mut last, mut gaps) = (5 * MS, std::vec::Vec::new());
        for _ in 0..9 {
            let due = rate.next_due();
            assert!(!rate.tick(due - 1));
            assert_eq!(rate.per_second_milli(), 1_000_000_000 / rate.gap);
            assert!(rate.tick(due));
            gaps.push((due - last) / 1_000);
            last = due;
        }
        assert_eq!(gaps, [100, 100, 150, 225, 337, 506, 759, 1_000, 1_000]);
        rate.quicken(last + 1);
        assert_eq!(rate.next_due(), last + 1 + GAP_MIN, "news brings the next round near");
        rate.quicken(last + 900_000 * MS);
        assert_eq!(rate.next_due(), last + 900_000 * MS, "after a pause at once");
    }
}
