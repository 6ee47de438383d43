//! Finding a record by its key, where records lie elsewhere and have numbers.
//!
//! **In words**: a hash map from key to number, open addressing with linear probing, at most half full. Departures: keys
//! stay with their records, and beside each number stands half of its key's hash. So whoever does not match is passed over
//! without a look at its record, and growing and removing look at none.

use alloc::vec;
use alloc::vec::Vec;

/// No entry: its high half is no record's hash.
const EMPTY: u64 = u64::MAX;

/// The hash as it stands in entries. Two of all share a place; which record is meant its key says, as ever.
fn held(hash: u32) -> u32 {
    hash.min(u32::MAX - 1)
}

/// Numbers by hash: the number in the low half of an entry, the hash in the high one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// A power of two, or none.
    entries: Vec<u64>,
    len: usize,
}

impl Index {
    /// The number of a record of this hash that `is` the one.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.position(hash, is).map(|at| self.entries[at] as u32)
    }

    /// Adds a record that is not there yet.
    pub(crate) fn insert(&mut self, hash: u32, number: u32) {
        if 2 * (self.len + 1) > self.entries.len() {
            self.grow((2 * self.entries.len()).max(4));
        }
        self.len += 1;
        assert!(2 * self.len <= self.entries.len(), "{} records in {} places", self.len, self.entries.len());
        self.place(u64::from(held(hash)) << 32 | u64::from(number));
    }

    /// Takes a record out, and moves back whoever stands behind it and would rather stand there (Knuth, 6.4, R).
    pub(crate) fn remove(&mut self, hash: u32, number: u32) {
        let Some(mut gap) = self.position(hash, |other| other == number) else { return };
        let mask = self.entries.len() - 1;
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            if self.entries[at] == EMPTY {
                break;
            }
            let home = self.home(self.entries[at]);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.entries[gap] = self.entries[at];
                gap = at;
            }
        }
        self.entries[gap] = EMPTY;
        assert!(self.len > 0, "a record was found among none");
        self.len -= 1;
    }

    /// Takes the memory for so many records.
    pub(crate) fn reserve(&mut self, count: usize) {
        let entries = (2 * count).next_power_of_two();
        if self.entries.len() < entries {
            self.grow(entries);
        }
    }

    /// Gives back the memory of an empty index beyond that of so many records.
    pub(crate) fn shrink_to(&mut self, count: usize) {
        if self.len == 0 && self.entries.len() > (2 * count).next_power_of_two() {
            self.entries = Vec::new();
            if count > 0 {
                self.reserve(count);
            }
        }
    }

    /// Bytes of memory taken, its own size left out.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<u64>()
    }

    #[inline]
    fn position(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<usize> {
        if self.entries.is_empty() {
            return None;
        }
        let (hash, mask) = (held(hash), self.entries.len() - 1);
        let mut at = self.home(u64::from(hash) << 32);
        loop {
            let entry = self.entries[at];
            if entry == EMPTY {
                return None;
            }
            if (entry >> 32) as u32 == hash && is(entry as u32) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self, entries: usize) {
        for entry in core::mem::replace(&mut self.entries, vec![EMPTY; entries]) {
            if entry != EMPTY {
                self.place(entry);
            }
        }
    }

    fn place(&mut self, entry: u64) {
        let mask = self.entries.len() - 1;
        debug_assert!(self.entries.len().is_power_of_two() && entry != EMPTY);
        let mut at = self.home(entry);
        while self.entries[at] != EMPTY {
            at = (at + 1) & mask;
        }
        self.entries[at] = entry;
    }

    fn home(&self, entry: u64) -> usize {
        (entry >> 32) as usize & (self.entries.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn finds_what_a_map_finds(steps in prop::collection::vec((0..60_u32, any::<bool>()), 0..400), spread in 0..33_u32) {
            // Hashes from all alike to all different.
            let hash = |key: u32| if spread == 0 { 7 } else { key.wrapping_mul(0x9E37_79B1) >> (32 - spread.min(32)) };
            let (mut index, mut map) = (Index::default(), BTreeMap::new());
            for (key, add) in steps {
                if add && !map.contains_key(&key) {
                    index.insert(hash(key), key);
                    map.insert(key, ());
                } else if !add {
                    index.remove(hash(key), key);
                    map.remove(&key);
                }
                for key in 0..60 {
                    let found = index.find(hash(key), |number| number == key);
                    prop_assert_eq!(found, map.contains_key(&key).then_some(key));
                }
            }
        }
    }

    #[test]
    fn every_number_and_every_hash_is_held() {
        let mut index = Index::default();
        let hashes = [0, 1, u32::MAX - 1, u32::MAX];
        let number = |hash: u32, high: bool| if high { u32::MAX - hash % 8 } else { hash % 8 };
        for hash in hashes {
            [false, true].iter().for_each(|high| index.insert(hash, number(hash, *high)));
        }
        for hash in hashes {
            for wanted in [false, true].map(|high| number(hash, high)) {
                assert_eq!(
                    index.find(hash, |number| number == wanted),
                    Some(wanted),
                    "{hash:#x} {wanted:#x}"
                );
                index.remove(hash, wanted);
                assert_eq!(index.find(hash, |number| number == wanted), None);
            }
        }
    }
}
