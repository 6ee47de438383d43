//! Signatures side by side for keys without a long table: doublings instead of it.
//!
//! The naive version is to double and add, bit by bit. Departures from it:
//!
//! 1. As in [`comb`](super::comb): lanes, and one inversion for all.
//! 2. Four bits at a time, of signed digits: each signature brings the multiples 1 to 8 of its -A, and all lanes double
//!    in step. 252 doublings and 63 additions; the base point's come from its table: 21 from the long one, or 42.

use super::adder::Adder;
use super::arch::{LANES_MAX, Lanes, prefetch};
use super::digits::{Digit, KEY, Residue, SHORT, cut};
use super::entry::Entry;
use super::job::Job;
use super::sha512;
use super::table::Base;

/// Entries are asked for so many steps ahead.
const AHEAD: usize = 2;

/// In each lane, sB + k(-A) of one job, whose table is one short window: 0 to 8 times -A.
#[inline(always)]
pub(super) fn add_up<'a, L: Lanes, A: Adder>(
    lanes: L,
    adder: A,
    base: Base<'a>,
    group: &[&Job<'a>; LANES_MAX],
) -> A::Sum {
    let challenges = sha512::challenges(lanes, group);
    let mut keys = Terms::<{ SHORT.count() }>::new(&base.entries[0]);
    let mut bases = Terms::<{ KEY.count() }>::new(&base.entries[0]);
    for lane in 0..L::COUNT {
        let s = group[lane].s().unwrap_or(Residue::ZERO);
        let k = Residue::of_hash(&challenges[lane]);
        cut(&s, base.windows, |window, digit| bases.put(lane, window, base.entries, digit));
        cut(&k, SHORT, |window, digit| {
            // There is but the lowest window.
            let entry = digit.entry - (window * SHORT.entries()) as u32;
            keys.put(lane, window, group[lane].table, Digit { entry, ..digit });
        });
    }
    let mut sum = adder.zero();
    for (window, (terms, negative)) in keys.entries.iter().zip(keys.negative).enumerate().rev() {
        if window + 1 < SHORT.count() {
            for _ in 0..SHORT.bits() {
                sum = adder.double(&sum);
            }
        }
        sum = adder.add(&sum, terms, negative);
    }
    let count = base.windows.count();
    for (step, (terms, negative)) in bases.entries[..count].iter().zip(bases.negative).enumerate() {
        for term in &bases.entries[(step + AHEAD).min(count - 1)][..L::COUNT] {
            prefetch(term);
        }
        sum = adder.add(&sum, terms, negative);
    }
    sum
}

/// For each of so many windows, an entry and a sign in each lane.
struct Terms<'a, const WINDOWS: usize> {
    entries: [[&'a Entry; LANES_MAX]; WINDOWS],
    negative: [u8; WINDOWS],
}

impl<'a, const WINDOWS: usize> Terms<'a, WINDOWS> {
    #[inline(always)]
    fn new(any: &'a Entry) -> Self {
        Self { entries: [[any; LANES_MAX]; WINDOWS], negative: [0; WINDOWS] }
    }

    #[inline(always)]
    fn put(&mut self, lane: usize, window: usize, table: &'a [Entry], digit: Digit) {
        self.entries[window][lane] = &table[digit.entry as usize];
        self.negative[window] |= u8::from(digit.negative) << lane;
    }
}
