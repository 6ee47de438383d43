//! Signatures side by side: each step adds one table entry in every lane.
//!
//! The naive version is [`portable`]. Departures from it:
//!
//! 1. Each lane computes another signature; lanes never look at each other, so a bad one costs only its own.
//! 2. Which entries all steps take is known before the first: entries are asked for some steps ahead.
//! 3. All lanes of all groups of a call share one inversion.
//! 4. One or two signatures that are left over go to [`portable`]: a group costs the same however few are in it.
//!
//! [`ladder`] differs in how it adds up, and in nothing else: what all have in common is [`decide`].

use super::arch::{LANES_MAX, Lanes, prefetch};
use super::digits::{BASE, Digit, KEY, Residue, STEPS, cut};
use super::field::Fe;
use super::job::{Job, LOT_MAX};
use super::point::{invert_all, is_identity};
use super::table::{Base, Entry, Form};
use super::{ladder, portable, sha512};

/// Entries are asked for so many steps ahead.
const AHEAD: usize = 2;

/// Adds points in lanes, in some form of field arithmetic.
pub(super) trait Adder: Copy {
    /// What the words of entries are.
    const FORM: Form;
    /// A point in each lane.
    type Sum: Copy;

    fn zero(self) -> Self::Sum;
    /// Adds term l in lane l, or subtracts it where the bit of `negative` is set.
    fn add(self, sum: &Self::Sum, terms: &[&Entry; LANES_MAX], negative: u8) -> Self::Sum;
    /// Doubles every lane's point.
    fn double(self, sum: &Self::Sum) -> Self::Sum;
    /// Each lane's Y + X, Y - X and Z, limbs below 2^53.
    fn unpack(self, sum: &Self::Sum) -> [[Fe; LANES_MAX]; 3];
}

/// The terms of a group's sums: for each step, an entry and a sign in each lane.
struct Plan<'a> {
    terms: [[&'a Entry; LANES_MAX]; STEPS],
    negative: [u8; STEPS],
}

/// Decides up to [`LOT_MAX`] signatures.
#[inline(always)]
pub(super) fn check<L: Lanes, A: Adder>(
    lanes: L,
    adder: A,
    base: Base<'_>,
    jobs: &[Job<'_>],
    verdicts: &mut [bool],
) {
    // Two of eight lanes cost more than two signatures one by one, and so does one of four.
    let rest = jobs.len() % L::COUNT;
    let in_lanes = if rest <= L::COUNT / 4 { jobs.len() - rest } else { jobs.len() };
    let ((jobs, left), (verdicts, for_left)) = (jobs.split_at(in_lanes), verdicts.split_at_mut(in_lanes));
    if !left.is_empty() {
        portable::check(A::FORM, base.long(), left, for_left);
    }
    if jobs.is_empty() {
        // Not even the inversion that all would share.
        return;
    }
    decide::<L, A, false>(lanes, adder, base, jobs, verdicts);
}

/// Decides up to [`LOT_MAX`] signatures in lanes, by long tables or, if `SHORT`, by [`ladder`].
#[inline(always)]
pub(super) fn decide<L: Lanes, A: Adder, const SHORT: bool>(
    lanes: L,
    adder: A,
    base: Base<'_>,
    jobs: &[Job<'_>],
    verdicts: &mut [bool],
) {
    let mut plus = [Fe::ZERO; LOT_MAX];
    let mut minus = [Fe::ZERO; LOT_MAX];
    let mut inverses = [Fe::ONE; LOT_MAX];
    for (g, group) in jobs.chunks(L::COUNT).enumerate() {
        // Lanes without a job repeat the first one.
        let group: [&Job<'_>; LANES_MAX] = core::array::from_fn(|lane| group.get(lane).unwrap_or(&group[0]));
        let sum = if SHORT {
            ladder::add_up(lanes, adder, base, &group)
        } else {
            add_up::<L, A>(adder, &plan(lanes, base.long(), &group))
        };
        let unpacked = adder.unpack(&sum);
        let at = g * L::COUNT;
        for lane in 0..L::COUNT.min(jobs.len() - at) {
            (plus[at + lane], minus[at + lane]) = (unpacked[0][lane], unpacked[1][lane]);
            inverses[at + lane] = unpacked[2][lane].add(unpacked[2][lane]);
        }
    }
    finish(jobs, &plus, &minus, &mut inverses, verdicts);
}

/// Encodes every point and compares: `doubled` holds each 2Z.
fn finish(jobs: &[Job<'_>], plus: &[Fe], minus: &[Fe], doubled: &mut [Fe], verdicts: &mut [bool]) {
    let mut scratch = [Fe::ZERO; LOT_MAX];
    let n = jobs.len();
    // No Z is zero: the formulas are complete.
    invert_all(&mut doubled[..n], &mut scratch[..n]);
    for (i, (job, verdict)) in jobs.iter().zip(verdicts).enumerate() {
        // (Y + X) + (Y - X) over 2Z is y, and their difference x.
        let (plus, minus) = (plus[i].mul(doubled[i]), minus[i].mul(doubled[i]));
        let mut encoded = plus.add(minus).to_bytes();
        encoded[31] |= u8::from(plus.sub(minus).is_odd()) << 7;
        *verdict = encoded == *job.r() && job.s().is_some() && !is_identity(job.r());
    }
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
fn add_up<L: Lanes, A: Adder>(adder: A, plan: &Plan<'_>) -> A::Sum {
    let mut sum = adder.zero();
    for (step, (terms, negative)) in plan.terms.iter().zip(plan.negative).enumerate() {
        for term in &plan.terms[(step + AHEAD).min(STEPS - 1)][..L::COUNT] {
            prefetch(term);
        }
        sum = adder.add(&sum, terms, negative);
    }
    sum
}
