//! Which neighbours get an origin's updates at once: a tree of each origin, found by use.
//!
//! Whoever asks for an update has no better source, so from then on it is sent that origin's updates at once; whoever
//! says that it had them already is not, any more (Leitao, Pereira and Rodrigues, Epidemic broadcast trees, 2007). Where
//! the paper begins with all links and prunes them, this begins with one and grafts: an origin that says one thing a day
//! costs no more than its announcements.

use alloc::collections::BTreeMap;

use crate::control::id::MemberIndex;
use crate::limits::TREES_MAX;

/// Sets of links, of one origin.
#[derive(Clone, Copy, Debug, Default)]
struct Branches {
    /// Get its updates at once.
    grafted: u32,
    /// Get them from elsewhere.
    pruned: u32,
    /// Sent an update that was here already; the next one is an answer's worth.
    repeats: u32,
}

/// The branches of all trees at one node.
#[derive(Debug, Default)]
pub(in crate::control) struct Trees {
    branches: BTreeMap<MemberIndex, Branches>,
}

impl Trees {
    /// Links that get the origin's updates at once, and those that need not.
    pub(in crate::control) fn of(&self, origin: MemberIndex) -> (u32, u32) {
        self.branches.get(&origin).map_or((0, 0), |branches| (branches.grafted, branches.pruned))
    }

    /// A link wants the origin's updates.
    pub(in crate::control) fn graft(&mut self, origin: MemberIndex, bit: u32) {
        if let Some(branches) = self.entry(origin) {
            branches.grafted |= bit;
            branches.pruned &= !bit;
            assert!(branches.grafted & branches.pruned == 0, "sent at once, or not: {branches:?}");
        }
    }

    /// A link has them from elsewhere.
    pub(in crate::control) fn prune(&mut self, origin: MemberIndex, bit: u32) {
        if let Some(branches) = self.entry(origin) {
            branches.grafted &= !bit;
            branches.pruned |= bit;
            assert!(branches.grafted & branches.pruned == 0, "sent at once, or not: {branches:?}");
        }
    }

    /// A link sent what was here already. Returns whether it did so twice in a row, and should be told.
    pub(in crate::control) fn repeats(&mut self, origin: MemberIndex, bit: u32) -> bool {
        self.entry(origin).is_some_and(|branches| {
            let again = branches.repeats & bit != 0;
            branches.repeats ^= bit;
            again
        })
    }

    /// A link sent what was new.
    pub(in crate::control) fn brings_news(&mut self, origin: MemberIndex, bit: u32) {
        if let Some(branches) = self.branches.get_mut(&origin) {
            branches.repeats &= !bit;
        }
    }

    /// A link stands for nobody now.
    pub(in crate::control) fn forget(&mut self, bit: u32) {
        for branches in self.branches.values_mut() {
            branches.grafted &= !bit;
            branches.pruned &= !bit;
            branches.repeats &= !bit;
        }
    }

    /// An origin's place is given to another.
    pub(in crate::control) fn fell(&mut self, origin: MemberIndex) {
        self.branches.remove(&origin);
    }

    pub(in crate::control) fn memory(&self) -> usize {
        // A node of the map holds up to eleven entries, and is half full at least.
        self.branches.len() * 2 * (size_of::<MemberIndex>() + size_of::<Branches>())
    }

    fn entry(&mut self, origin: MemberIndex) -> Option<&mut Branches> {
        if self.branches.len() >= TREES_MAX && !self.branches.contains_key(&origin) {
            return None;
        }
        assert!(self.branches.len() <= TREES_MAX, "{} trees", self.branches.len());
        Some(self.branches.entry(origin).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: MemberIndex = MemberIndex(1);

    #[test]
    fn a_link_that_stands_for_nobody_is_forgotten_and_no_other() {
        let mut trees = Trees::default();
        (0..3).for_each(|link| trees.graft(ORIGIN, 1 << link));
        (2..5).for_each(|link| trees.prune(ORIGIN, 1 << link));
        assert!(!trees.repeats(ORIGIN, 1 << 5) && !trees.repeats(ORIGIN, 1 << 6));
        assert_eq!(trees.of(ORIGIN), (0b00_011, 0b11_100));
        trees.forget(1 << 1);
        trees.forget(1 << 3);
        trees.forget(1 << 5);
        assert_eq!(trees.of(ORIGIN), (0b00_001, 0b10_100));
        assert!(!trees.repeats(ORIGIN, 1 << 5), "its first repeat again");
        assert!(trees.repeats(ORIGIN, 1 << 6), "the other's second");
    }

    #[test]
    fn who_wants_an_origins_updates_is_sent_them_at_once_until_it_says_that_it_had_them() {
        let mut trees = Trees::default();
        assert_eq!(trees.of(ORIGIN), (0, 0));
        trees.graft(ORIGIN, 0b001);
        trees.graft(ORIGIN, 0b010);
        trees.prune(ORIGIN, 0b001);
        trees.prune(ORIGIN, 0b100);
        assert_eq!(trees.of(ORIGIN), (0b010, 0b101));
        trees.graft(ORIGIN, 0b100);
        assert_eq!(trees.of(ORIGIN), (0b110, 0b001));
        assert_eq!(trees.of(MemberIndex(2)), (0, 0), "another origin's tree is another");
        trees.fell(ORIGIN);
        assert_eq!(trees.of(ORIGIN), (0, 0));
    }

    #[test]
    fn every_second_repeat_in_a_row_is_worth_an_answer_and_news_begins_the_row_anew() {
        let mut trees = Trees::default();
        assert_eq!([1, 1, 1, 1].map(|bit| trees.repeats(ORIGIN, bit)), [false, true, false, true]);
        assert!(!trees.repeats(ORIGIN, 1) && !trees.repeats(ORIGIN, 2));
        trees.brings_news(ORIGIN, 1);
        assert!(!trees.repeats(ORIGIN, 1), "the first since");
        assert!(trees.repeats(ORIGIN, 2), "who brought none");
    }

    #[test]
    fn trees_are_bounded_and_those_that_stand_go_on_growing() {
        let mut trees = Trees::default();
        (0..TREES_MAX as u32 + 1).for_each(|origin| trees.graft(MemberIndex(origin), 1));
        assert_eq!(trees.of(MemberIndex(TREES_MAX as u32)), (0, 0));
        assert_eq!(trees.of(MemberIndex(TREES_MAX as u32 - 1)), (1, 0));
        assert!(!trees.repeats(MemberIndex(TREES_MAX as u32), 1));
        trees.graft(MemberIndex(0), 2);
        assert_eq!(trees.of(MemberIndex(0)), (3, 0));
    }
}
