//! Tables that serve one call: the lowest multiples of each key that has no table of its own.

use alloc::boxed::Box;
use alloc::vec;

use super::digits::SHORT;
use super::entry::{Entry, Form};
use super::job::LOT_MAX;
use super::point::Minus;
use super::table::Filler;

/// Room for the short tables of one lot, 72 KB; taken once.
pub(super) struct ShortTables {
    filler: Filler,
    entries: Box<[Entry]>,
}

impl ShortTables {
    pub(super) fn new(form: Form) -> Self {
        Self {
            filler: Filler::new(SHORT, form, LOT_MAX),
            entries: vec![Entry::EMPTY; LOT_MAX * SHORT.entries()].into_boxed_slice(),
        }
    }

    /// Makes the tables of up to [`LOT_MAX`] keys: the i-th is [`table`](Self::table)`(i)`.
    pub(super) fn fill<'k>(&mut self, keys: impl ExactSizeIterator<Item = &'k Minus>) {
        let entries = &mut self.entries[..keys.len() * SHORT.entries()];
        self.filler.fill_lowest(keys.map(Minus::point), entries);
    }

    pub(super) fn table(&self, i: usize) -> &[Entry] {
        &self.entries[i * SHORT.entries()..][..SHORT.entries()]
    }
}
