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
