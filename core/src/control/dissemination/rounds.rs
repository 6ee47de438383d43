//! Rounds: when a node compares what came last with somebody, and how far from home that one is.
//!
//! News bring ten rounds a second, quiet slows them, and some seconds after the last update they end. One round in two is
//! with a neighbour, the other with any member of the region: a node whose neighbours all are Byzantine, or cannot
//! reach it, is brought nothing by them, hears of nothing, and so makes no rounds of its own; others find it, and it finds
//! others from the first update on. (With a third of all nodes Byzantine it is one of five million.)

use crate::control::dissemination::rate::Rate;
use crate::random::Random;
use crate::time::S;

/// How long rounds go on after the last update: eight of them. Four are with anybody, so that a given node, however its
/// neighbours are, is drawn by nobody once in fifty times (e^-4); where a third is Byzantine and 5 % are lost, once in
/// thirteen. Every further update brings as many, and the audit finds the rest.
const ROUNDS_FOR: u64 = 4 * S;
/// Rounds with any member of the region, of a thousand; others are with neighbours, who have shown their addresses.
const ANYBODY_PERMILLE: u32 = 500;

/// The rounds of one node.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    rate: Rate,
    until: u64,
}

impl Rounds {
    /// None before the first update.
    pub const fn new(now: u64) -> Self {
        Self { rate: Rate::new(now), until: 0 }
    }

    /// An update came, or was issued.
    pub fn news(&mut self, now: u64) {
        self.rate.quicken(now);
        self.until = now + ROUNDS_FOR;
        assert!(self.rate.next_due() < self.until, "news is told in a round at least");
    }

    /// When the next round is due; [`u64::MAX`] for never.
    pub const fn next_due(&self) -> u64 {
        if self.until > self.rate.next_due() { self.rate.next_due() } else { u64::MAX }
    }

    /// Whether a round is due now; if so, the next one is set.
    pub fn tick(&mut self, now: u64) -> bool {
        now < self.until && self.rate.tick(now)
    }

    /// Rounds a second at present, in thousandths; at rest there are none.
    pub const fn per_second_milli(&self, now: u64) -> u64 {
        if now < self.until { self.rate.per_second_milli() } else { 0 }
    }

    /// Whether the partner of this round is any member of the region, neighbour or not.
    pub fn is_with_anybody(random: &mut Random) -> bool {
        random.permille(ANYBODY_PERMILLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MS;

    #[test]
    fn an_update_brings_eight_rounds_and_then_quiet() {
        let mut rounds = Rounds::new(0);
        assert_eq!((rounds.next_due(), rounds.tick(S)), (u64::MAX, false));
        rounds.news(60 * S);
        let ticks = (60_000..120_000).filter(|ms| rounds.tick(ms * MS)).count();
        assert_eq!((ticks, rounds.next_due()), (8, u64::MAX));
    }

    #[test]
    fn half_of_the_rounds_are_with_anybody() {
        let mut random = Random::new(3);
        let with_anybody = (0..10_000).filter(|_| Rounds::is_with_anybody(&mut random)).count();
        assert!((4_800..5_200).contains(&with_anybody), "{with_anybody}");
    }

    #[test]
    fn rounds_end_four_seconds_after_the_last_update_and_are_reported_till_then() {
        let mut rounds = Rounds::new(0);
        rounds.news(60 * S);
        assert_eq!(rounds.next_due(), 60 * S, "it has been left alone for a while");
        assert_eq!((rounds.per_second_milli(60 * S), rounds.per_second_milli(64 * S)), (10_000, 0));
        assert!(rounds.per_second_milli(64 * S - 1) > 0);
        assert!(!rounds.tick(64 * S) && rounds.tick(64 * S - 1));
        assert_eq!(rounds.next_due(), u64::MAX);
        rounds.news(64 * S);
        assert!(rounds.next_due() <= 64 * S + 100 * MS);
    }
}
