//! Who is told what a merge changed.

use core::ops::AddAssign;

use crate::stamp::Version;

/// What a merge did, in cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Newer than what the table held, and stored.
    pub won: u32,
    /// Older than what the table held, or the very same.
    pub stale: u32,
    /// Another value of a version that the table held: its origin is at fault.
    pub faults: u32,
}

impl Merged {
    /// Cells that were offered.
    pub fn offered(&self) -> u32 {
        self.won + self.stale + self.faults
    }
}

impl AddAssign for Merged {
    fn add_assign(&mut self, more: Self) {
        self.won += more.won;
        self.stale += more.stale;
        self.faults += more.faults;
        debug_assert!(self.offered() >= more.offered(), "the sum counts at least what was added");
    }
}

/// Is told, in the order of the merge, which cells changed.
pub trait Sink {
    /// In the block `index` of the table, cell `i` now has `version` and a new value, for each bit `i` of `mask`;
    /// at least one is set. A table of single rows gives the slot as `index`, and a mask of 1.
    fn changed(&mut self, index: u32, mask: u16, version: Version);
}

/// Listens to nothing, and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl Sink for NoSink {
    #[inline(always)]
    fn changed(&mut self, _: u32, _: u16, _: Version) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_that_was_offered_won_was_stale_or_at_fault() {
        assert_eq!(Merged { won: 1, stale: 20, faults: 300 }.offered(), 321);
        let mut sum = Merged { won: 1, stale: 2, faults: 3 };
        sum += Merged { won: 10, stale: 20, faults: 30 };
        assert_eq!(sum, Merged { won: 11, stale: 22, faults: 33 });
    }
}
