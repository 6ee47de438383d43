//! The verdict on signatures whose sums were added up side by side, by [`comb`] or by [`ladder`].
//!
//! In come up to [`LOT_MAX`] signatures; out comes a verdict on each. All lanes of all groups share one inversion.

use super::adder::Adder;
use super::arch::{LANES_MAX, Lanes};
use super::field::Fe;
use super::job::{Job, LOT_MAX};
use super::point::{invert_all, is_identity};
use super::table::Base;
use super::{comb, ladder, portable};

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
            comb::add_up(lanes, adder, base, &group)
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
