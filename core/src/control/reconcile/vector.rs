//! Version vectors: which frames of each origin a node has, in a few bytes an origin.
//!
//! An entry says of one incarnation of one origin the highest number that came, and which below it did not, in a window of
//! at most [`SPAN`] numbers. [`missing`] tells from two entries what the other has and this node lacks. A node with very many
//! origins names a hundred a message, by turns, so that all are covered.
//!
//! ```text
//! entry:  origin 16 | incarnation varint | top varint | gaps varint | (numbers had, numbers lacked) varints, from the top
//! ```

use alloc::vec::Vec;

use octick_crypto::NodeId;

use super::symbol::{read_varint, write_varint};
pub use crate::limits::{VECTOR_ENTRIES_MAX, VECTOR_GAPS_MAX};
use crate::stamp::{Incarnation, Seq};

/// Numbers below the top that an entry may speak of: the duplicate window, past which a frame would not be taken.
pub const SPAN: u64 = crate::limits::WINDOW;

/// A run of numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The lowest.
    pub first: u64,
    /// The highest.
    pub last: u64,
}

/// What a node has of one incarnation of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose frames.
    pub origin: NodeId,
    /// In which incarnation.
    pub incarnation: Incarnation,
    /// The highest number that came; 0 for none.
    pub top: Seq,
    /// What did not come of the [`SPAN`] numbers below, from the highest down.
    pub gaps: Vec<Gap>,
}

impl Entry {
    /// Makes an entry by asking for each number of the window whether it came.
    pub fn of(origin: NodeId, incarnation: Incarnation, top: Seq, mut has: impl FnMut(Seq) -> bool) -> Self {
        let mut gaps: Vec<Gap> = Vec::new();
        let lowest = top.0.saturating_sub(SPAN - 1).max(1);
        for number in (lowest..top.0).rev().filter(|number| !has(Seq(*number))) {
            let full = gaps.len() == VECTOR_GAPS_MAX;
            match gaps.last_mut() {
                Some(gap) if gap.first == number + 1 => gap.first = number,
                _ if full => break,
                _ => gaps.push(Gap { first: number, last: number }),
            }
        }
        Self { origin, incarnation, top, gaps }
    }

    /// Whether the number came, as far as the entry tells.
    pub fn has(&self, number: u64) -> bool {
        (1..=self.top.0).contains(&number)
            && !self.gaps.iter().any(|gap| (gap.first..=gap.last).contains(&number))
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.origin.0);
        write_varint(out, self.incarnation.0);
        // The top has 48 bits: the high 24 and the low ones.
        write_varint(out, (self.top.0 >> 24) as u32);
        write_varint(out, (self.top.0 & 0xFF_FFFF) as u32);
        write_varint(out, self.gaps.len() as u32);
        let mut above = self.top.0;
        for gap in &self.gaps {
            write_varint(out, (above - gap.last - 1) as u32);
            write_varint(out, (gap.last - gap.first) as u32);
            above = gap.first;
        }
    }

    /// Takes one off the front of `bytes`; nothing if it is cut short, or says what no entry can.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (origin, mut rest) = bytes.split_first_chunk()?;
        let incarnation = Incarnation(read_varint(&mut rest)?);
        let (high, low) = (read_varint(&mut rest)?, read_varint(&mut rest)?);
        if high >= 1 << 24 || low >= 1 << 24 {
            return None;
        }
        let top = Seq(u64::from(high) << 24 | u64::from(low));
        let count = read_varint(&mut rest)? as usize;
        if count > VECTOR_GAPS_MAX {
            return None;
        }
        let (mut gaps, mut above) = (Vec::with_capacity(count), top.0);
        for _ in 0..count {
            let last = above.checked_sub(u64::from(read_varint(&mut rest)?) + 1)?;
            let first = last.checked_sub(read_varint(&mut rest)?.into())?;
            // Neighbouring gaps are one, and the top itself came.
            let joined = last + 1 == above && !gaps.is_empty();
            if first == 0 || top.0 - first >= SPAN || joined {
                return None;
            }
            gaps.push(Gap { first, last });
            above = first;
        }
        *bytes = rest;
        Some(Self { origin: NodeId(*origin), incarnation, top, gaps })
    }
}

/// What `theirs` has and `ours` lacks, the lowest first, at most `most` numbers. `ours` is nothing if this node knows no
/// frame of that incarnation; of an earlier incarnation of the origin nothing is wanted.
pub fn missing(ours: Option<&Entry>, theirs: &Entry, most: usize) -> Vec<Seq> {
    if ours.is_some_and(|ours| ours.incarnation > theirs.incarnation) {
        return Vec::new();
    }
    let ours = ours.filter(|ours| ours.incarnation == theirs.incarnation);
    let lowest = theirs.top.0.saturating_sub(SPAN - 1).max(1);
    let numbers = (lowest..=theirs.top.0).filter(|number| theirs.has(*number));
    let numbers = numbers.filter(|number| {
        // Of what has left our own window nobody can say whether it came, nor would it be taken.
        let gone = ours.is_some_and(|ours| ours.top.0 >= number + SPAN);
        !gone && !ours.is_some_and(|ours| ours.has(*number))
    });
    numbers.take(most).map(Seq).collect()
}

/// Whose turn it is: spreads a long table over messages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Turn {
    next: usize,
}

impl Turn {
    /// Appends entries for as many of `len` origins as fit `room` bytes and one message may have, where the last call
    /// left off. `entry` gives that of an index, or nothing if there is nothing to say of it.
    pub fn fill(
        &mut self,
        len: usize,
        room: usize,
        out: &mut Vec<u8>,
        mut entry: impl FnMut(usize) -> Option<Entry>,
    ) -> usize {
        let (start, mut entries) = (out.len(), 0);
        for _ in 0..len {
            self.next = if self.next < len { self.next } else { 0 };
            if let Some(entry) = entry(self.next) {
                let before = out.len();
                entry.write(out);
                if out.len() - start > room {
                    out.truncate(before);
                    break;
                }
                entries += 1;
            }
            self.next += 1;
            if entries == VECTOR_ENTRIES_MAX {
                break;
            }
        }
        entries
    }
}

/// Reads the entries of a message; nothing if any is not one, or they are too many.
pub fn read_all(mut bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        if entries.len() == VECTOR_ENTRIES_MAX {
            return None;
        }
        entries.push(Entry::read(&mut bytes)?);
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    const ORIGIN: NodeId = NodeId([7; 16]);

    fn entry(incarnation: u32, had: &BTreeSet<u64>) -> Entry {
        let top = had.last().copied().unwrap_or(0);
        Entry::of(ORIGIN, Incarnation(incarnation), Seq(top), |seq| had.contains(&seq.0))
    }

    /// Clustered, so that gaps fit an entry.
    fn numbers() -> impl Strategy<Value = BTreeSet<u64>> {
        (1..3_000_u64, prop::collection::vec((1..30_u64, 1..20_u64), 0..10)).prop_map(|(start, runs)| {
            let (mut set, mut at) = (BTreeSet::new(), start);
            for (had, lacked) in runs {
                set.extend(at..at + had);
                at += had + lacked;
            }
            set
        })
    }

    proptest! {
        #[test]
        fn an_entry_is_read_as_it_was_written(had in numbers(), incarnation in any::<u32>(), base in 0..1_u64 << 47) {
            let had: BTreeSet<u64> = had.into_iter().map(|number| number + base).collect();
            let entry = entry(incarnation, &had);
            let mut bytes = Vec::new();
            entry.write(&mut bytes);
            prop_assert_eq!(read_all(&bytes), Some([entry].to_vec()));
            for cut in 1..bytes.len() {
                prop_assert_eq!(read_all(&bytes[..cut]), None);
            }
        }

        #[test]
        fn what_is_missing_is_the_difference_of_two_ordered_sets(ours in numbers(), theirs in numbers()) {
            let (here, there) = (entry(1, &ours), entry(1, &theirs));
            let found = missing(Some(&here), &there, usize::MAX);
            let lowest = there.top.0.saturating_sub(SPAN - 1).max(1);
            // The dull twin: all numbers that both windows reach. What lies below the lowest number of a set was never
            // sent in these cases, and counts as one gap; entries say so as far as the window reaches.
            let twin: Vec<Seq> = (lowest..=there.top.0)
                .filter(|number| here.top.0 < number + SPAN)
                .filter(|number| theirs.contains(number) && !ours.contains(number))
                .map(Seq)
                .collect();
            prop_assert_eq!(found, twin);
        }

        #[test]
        fn any_bytes_are_entries_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(entries) = read_all(&bytes) {
                let mut again = Vec::new();
                entries.iter().for_each(|entry| entry.write(&mut again));
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn lives_are_compared_before_numbers() {
        let had: BTreeSet<u64> = (1..=10).collect();
        let less: BTreeSet<u64> = (1..=8).collect();
        assert_eq!(missing(Some(&entry(2, &less)), &entry(1, &had), 99), []);
        assert_eq!(missing(Some(&entry(1, &less)), &entry(1, &had), 99), [Seq(9), Seq(10)]);
        assert_eq!(missing(Some(&entry(1, &had)), &entry(2, &less), 3), [Seq(1), Seq(2), Seq(3)]);
        assert_eq!(missing(None, &entry(2, &less), 99).len(), 8);
    }

    #[test]
    fn every_origin_has_its_turn() {
        let had: BTreeSet<u64> = (1..=10).collect();
        let (mut turn, mut met) = (Turn::default(), [0; 260]);
        for _ in 0..20 {
            let mut bytes = Vec::new();
            let told = turn.fill(met.len(), 900, &mut bytes, |i| {
                (i % 7 != 0).then(|| Entry { origin: NodeId([i as u8; 16]), ..entry(i as u32, &had) })
            });
            assert!(bytes.len() <= 900);
            let entries = read_all(&bytes).unwrap();
            assert_eq!(entries.len(), told);
            entries.iter().for_each(|entry| met[entry.incarnation.0 as usize] += 1);
        }
        assert!((0..260).all(|i| (met[i] > 0) == (i % 7 != 0)), "{met:?}");
    }
}
