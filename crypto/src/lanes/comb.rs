//! Signatures side by side: each step adds one table entry in every lane.
//!
//! The naive version is [`portable`](super::portable). Departures from it:
//!
//! 1. Each lane computes another signature; lanes never look at each other, so a bad one costs only its own.
//! 2. Which entries all steps take is known before the first: entries are asked for some steps ahead.
//! 3. All lanes of all groups of a call share one inversion.
//! 4. One or two signatures that are left over go to [`portable`](super::portable): a group costs the same however few are in it.
//!
//! [`ladder`](super::ladder) differs in how it adds up, and in nothing else: what all have in common is
//! [`decide`](super::decide).

use super::adder::Adder;
use super::arch::{LANES_MAX, Lanes, prefetch};
use super::digits::{BASE, Digit, KEY, Residue, STEPS, cut};
use super::entry::Entry;
use super::job::Job;
use super::sha512;
use super::table::Base;

/// Entries are asked for so many steps ahead.
const AHEAD: usize = 2;

/// The terms of a group's sums: for each step, an entry and a sign in each lane.
struct Plan<'a> {
    terms: [[&'a Entry; LANES_MAX]; STEPS],
    negative: [u8; STEPS],
}

/// In each lane, sB + k(-A) of one job, by long tables.
#[inline(always)]
pub(super) fn add_up<'a, L: Lanes, A: Adder>(
    lanes: L,
    adder: A,
    base: Base<'a>,
    group: &[&Job<'a>; LANES_MAX],
) -> A::Sum {
    walk::<L, A>(adder, &plan(lanes, base.long(), group))
}

/// Hashes, and cuts the scalars into digits.
#[inline(always)]
fn plan<'a, L: Lanes>(lanes: L, base: &'a [Entry], group: &[&Job<'a>; LANES_MAX]) -> Plan<'a> {
    let challenges = sha512::challenges(lanes, group);
    let mut plan = Plan { terms: [[&base[0]; LANES_MAX]; STEPS], negative: [0; STEPS] };
    for lane in 0..L::COUNT {
        let mut put = |table: &'a [Entry], step: usize, digit: Digit| {
            plan.terms[step][lane] = &table[digit.entry as usize];
            plan.negative[step] |= u8::from(digit.negative) << lane;
        };
        let s = group[lane].s().unwrap_or(Residue::ZERO);
        let k = Residue::of_hash(&challenges[lane]);
        cut(&s, BASE, |window, digit| put(base, window, digit));
        cut(&k, KEY, |window, digit| put(group[lane].table, BASE.count() + window, digit));
    }
    plan
}

#[inline(always)]
fn walk<L: Lanes, A: Adder>(adder: A, plan: &Plan<'_>) -> A::Sum {
    let mut sum = adder.zero();
    for (step, (terms, negative)) in plan.terms.iter().zip(plan.negative).enumerate() {
        for term in &plan.terms[(step + AHEAD).min(STEPS - 1)][..L::COUNT] {
            prefetch(term);
        }
        sum = adder.add(&sum, terms, negative);
    }
    sum
}
