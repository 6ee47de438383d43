//! What happens next: a hierarchical timing wheel (Varghese and Lauck, 1987).
//!
//! **A queue by time, in words**: a sorted map from (time, order of insertion) to item. Departures: (1) eleven wheels of
//! 64 slots, each slot 64 times as long as one of the wheel below; an item waits in the wheel of the highest digit (to
//! the base 64) in which its time differs from now, and is handed down when that digit comes; (2) a slot is a list
//! through one slab, so a push is two stores and nothing is ever moved; (3) a word a wheel says which slots are taken.
//! Items of one microsecond keep their order: whoever waits in a higher wheel was pushed earlier, and is handed down
//! before anybody is pushed behind it.

/// Bits of a digit.
const BITS: u32 = 6;
/// Slots of a wheel.
const SLOTS: usize = 1 << BITS;
/// Wheels that hold any time of 64 bits.
const LEVELS: usize = 64_usize.div_ceil(BITS as usize);
const NONE: u32 = u32::MAX;

/// Items by time.
#[derive(Debug)]
pub struct Wheel<T> {
    now: u64,
    taken: [u64; LEVELS],
    slots: Box<[[List; SLOTS]; LEVELS]>,
    slab: Vec<Entry<T>>,
    free: u32,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

#[derive(Debug)]
struct Entry<T> {
    at: u64,
    next: u32,
    item: Option<T>,
}

const EMPTY: List = List { first: NONE, last: NONE };

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            now: 0,
            taken: [0; LEVELS],
            slots: Box::new([[EMPTY; SLOTS]; LEVELS]),
            slab: Vec::new(),
            free: NONE,
            len: 0,
        }
    }
}

impl<T> Wheel<T> {
    /// Items that wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an item for the time `at`, or for now if that has passed.
    pub fn push(&mut self, at: u64, item: T) {
        let entry = Entry { at: at.max(self.now), next: NONE, item: Some(item) };
        let place = if self.free == NONE {
            self.slab.push(entry);
            (self.slab.len() - 1) as u32
        } else {
            let place = self.free;
            self.free = self.slab[place as usize].next;
            self.slab[place as usize] = entry;
            place
        };
        self.len += 1;
        self.hang(place);
    }

    /// The next item up to and including `until`, and its time.
    pub fn pop(&mut self, until: u64) -> Option<(u64, T)> {
        loop {
            let level = self.taken.iter().position(|taken| *taken != 0)?;
            let slot = self.taken[level].trailing_zeros() as usize;
            let shift = BITS * level as u32;
            let below = u64::MAX.checked_shl(shift + BITS).unwrap_or(0);
            let at = self.now & below | (slot as u64) << shift;
            if at > until {
                return None;
            }
            self.now = at;
            if level == 0 {
                return Some((at, self.take(slot)));
            }
            self.hand_down(level, slot);
        }
    }

    fn take(&mut self, slot: usize) -> T {
        let list = &mut self.slots[0][slot];
        let place = list.first;
        let entry = &mut self.slab[place as usize];
        list.first = entry.next;
        if list.first == NONE {
            *list = EMPTY;
            self.taken[0] &= !(1 << slot);
        }
        entry.next = self.free;
        self.free = place;
        self.len -= 1;
        entry.item.take().expect("a listed entry holds an item")
    }

    fn hand_down(&mut self, level: usize, slot: usize) {
        let mut place = core::mem::replace(&mut self.slots[level][slot], EMPTY).first;
        self.taken[level] &= !(1 << slot);
        while place != NONE {
            let next = core::mem::replace(&mut self.slab[place as usize].next, NONE);
            self.hang(place);
            place = next;
        }
    }

    fn hang(&mut self, place: u32) {
        let at = self.slab[place as usize].at;
        let level = (at ^ self.now).checked_ilog2().map_or(0, |bit| bit / BITS) as usize;
        let slot = (at >> (BITS * level as u32)) as usize % SLOTS;
        let list = &mut self.slots[level][slot];
        if list.first == NONE {
            list.first = place;
            self.taken[level] |= 1 << slot;
        } else {
            self.slab[list.last as usize].next = place;
        }
        list.last = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn yields_what_a_sorted_map_yields(steps in prop::collection::vec((0..3_u8, 0..40_u32, any::<u64>()), 1..400)) {
            let (mut wheel, mut twin) = (Wheel::default(), BTreeMap::new());
            let (mut now, mut order) = (0, 0_u64);
            for (kind, shift, random) in steps {
                // Times of every magnitude.
                let at = now + (random >> (63 - shift));
                if kind < 2 {
                    wheel.push(at, order);
                    twin.insert((at, order), order);
                    order += 1;
                } else {
                    while let Some((at_here, item)) = wheel.pop(at) {
                        prop_assert_eq!(twin.pop_first(), Some(((at_here, item), item)));
                    }
                    prop_assert!(twin.first_key_value().is_none_or(|((first, _), _)| *first > at));
                    now = at;
                }
                prop_assert_eq!(wheel.len(), twin.len());
            }
        }
    }

    #[test]
    fn the_end_of_time_is_a_time_like_any_other() {
        let mut wheel = Wheel::default();
        wheel.push(u64::MAX, 1);
        wheel.push(0, 2);
        assert_eq!(wheel.pop(u64::MAX), Some((0, 2)));
        assert_eq!(wheel.pop(u64::MAX - 1), None);
        assert_eq!((wheel.pop(u64::MAX), wheel.is_empty()), (Some((u64::MAX, 1)), true));
    }
}
