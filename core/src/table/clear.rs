//! Cells that are nobody's any more: taken back to never written, as if nothing had come.
//!
//! In come the rows of a run and its table's ranges; out comes, for each row that held something, a word to the sink. What can
//! never happen: a reader that takes an old value for one of the cell that is written next. The one writer locks the versions, clears the
//! values, and then the versions, as a merge does; versions go back here and nowhere else, and whoever may write these
//! cells next has to be later than what is gone.

use super::ranges::Ranges;
use super::row::{Row, Word};
use super::sink::Sink;
use crate::stamp::Version;
use crate::sync::{Ordering, fence};

/// Clears the rows `first..end` of a table, each of `per_range` to a range. Those past its end are passed over.
pub(super) fn clear<W: Word, const N: usize, S: Sink>(
    rows: &[Row<W, N>],
    ranges: &mut Ranges,
    per_range: usize,
    (first, end): (usize, usize),
    sink: &mut S,
) {
    assert!(first <= end && per_range > 0, "rows {first} to {end}, {per_range} to a range");
    let end = end.min(rows.len());
    let mut at = first.min(end);
    while at < end {
        let range = at / per_range;
        let last = ((range + 1) * per_range).min(end);
        // Nothing was ever written in a range without a hash: its memory need not be touched.
        if ranges.hash(range).is_none_or(|hash| hash.0 != [0; 32]) {
            for (i, row) in rows[at..last].iter().enumerate() {
                let mask = clear_row(row);
                if mask != 0 {
                    ranges.dirty()[range] = 1;
                    sink.changed((at + i) as u32, mask, Version::NEVER);
                }
            }
        }
        debug_assert!(last > at, "a step goes forward");
        at = last;
    }
}

/// Clears one row. Returns a bit for each cell that had been written.
fn clear_row<W: Word, const N: usize>(row: &Row<W, N>) -> u16 {
    let versions = row.versions.each_ref().map(|version| W::load(version, Ordering::Relaxed));
    let written = versions.iter().map(|version| u16::from(*version != W::default()));
    let mask = written.rev().fold(0, |mask, bit| mask << 1 | bit);
    if mask == 0 {
        return 0;
    }
    for (version, known) in row.versions.iter().zip(versions) {
        known.locked().store(version, Ordering::Relaxed);
    }
    fence(Ordering::Release);
    row.values.iter().for_each(|value| W::default().store(value, Ordering::Relaxed));
    row.versions.iter().for_each(|version| W::default().store(version, Ordering::Release));
    mask
}
