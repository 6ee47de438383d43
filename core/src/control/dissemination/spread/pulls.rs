//! What is missing, and when it is asked for.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::control::dissemination::spread::updates::Ordinal;
use crate::control::id::{MemberIndex, UpdateId};

/// When to ask for what. An update that came meanwhile leaves its entry behind, which then finds nothing to do.
#[derive(Debug, Default)]
pub(in crate::control) struct Pulls {
    due: BinaryHeap<Reverse<(u64, Ordinal)>>,
    missing: usize,
    /// Whom to ask for what in one turn; empty between turns.
    pub(super) asks: Vec<(MemberIndex, UpdateId)>,
    /// Whether memory is kept while nothing is missing.
    keeps: bool,
}

impl Pulls {
    /// Takes the memory for so many, and keeps it, and what more it took, from now on.
    pub(super) fn reserve(&mut self, count: usize) {
        self.keeps = true;
        self.due.reserve(count);
        self.asks.reserve(count);
    }

    /// How many are missing.
    pub(in crate::control) fn missing(&self) -> usize {
        // Entries that were left behind count as well: together they bound the memory.
        self.missing.max(self.due.len())
    }

    /// One update more is missing; it is asked for at `at`.
    pub(in crate::control) fn miss(&mut self, at: u64, ordinal: Ordinal) {
        self.missing += 1;
        self.due.push(Reverse((at, ordinal)));
    }

    /// What was just asked for is asked for again at `at`.
    pub(super) fn ask_again(&mut self, at: u64, ordinal: Ordinal) {
        self.due.push(Reverse((at, ordinal)));
    }

    /// One update is missing no longer.
    pub(in crate::control) fn found(&mut self) {
        assert!(self.missing > 0, "something was found that nobody missed");
        self.missing -= 1;
        if self.missing == 0 {
            self.due.clear();
            if !self.keeps {
                (self.due, self.asks) = (BinaryHeap::new(), Vec::new());
            }
        }
    }

    pub(in crate::control) fn next_due(&self) -> u64 {
        self.due.peek().map_or(u64::MAX, |Reverse((at, _))| *at)
    }

    pub(in crate::control) fn memory(&self) -> usize {
        self.due.capacity() * size_of::<(u64, Ordinal)>()
            + self.asks.capacity() * size_of::<(MemberIndex, UpdateId)>()
    }

    /// The next that is due.
    pub(super) fn take(&mut self, now: u64) -> Option<Ordinal> {
        (self.next_due() <= now).then(|| self.due.pop())?.map(|Reverse((_, ordinal))| ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_due_in_the_order_of_time_until_it_is_found() {
        let mut pulls = Pulls::default();
        assert_eq!((pulls.missing(), pulls.next_due(), pulls.take(u64::MAX - 1)), (0, u64::MAX, None));
        pulls.miss(30, Ordinal(1));
        pulls.miss(10, Ordinal(2));
        assert_eq!((pulls.missing(), pulls.next_due()), (2, 10));
        assert_eq!(pulls.take(9), None);
        assert_eq!((pulls.take(10), pulls.next_due()), (Some(Ordinal(2)), 30));
        pulls.ask_again(20, Ordinal(2));
        assert_eq!((pulls.missing(), pulls.next_due()), (2, 20), "asked again, it is still one");
        pulls.ask_again(25, Ordinal(2));
        assert_eq!(pulls.missing(), 3, "what waits bounds the memory, though it be twice the same");
        pulls.found();
        assert_eq!(pulls.take(100), Some(Ordinal(2)), "its entries are left behind");
        pulls.found();
        assert_eq!(
            (pulls.missing(), pulls.next_due(), pulls.memory()),
            (0, u64::MAX, 0),
            "nothing is missing"
        );
    }

    #[test]
    fn memory_that_was_reserved_is_kept_while_nothing_is_missing() {
        let mut pulls = Pulls::default();
        pulls.reserve(64);
        let reserved = pulls.memory();
        assert_eq!(reserved, 64 * (size_of::<(u64, Ordinal)>() + size_of::<(MemberIndex, UpdateId)>()));
        pulls.miss(1, Ordinal(1));
        pulls.found();
        assert_eq!(pulls.memory(), reserved);
    }
}
