//! Whether points have order L, side by side: L times each must be the neutral point.
//!
//! The naive version is to multiply each by L, bit by bit; [`key`](crate::key) has dalek do it. Departures: lanes, and
//! four bits at a time as in [`ladder`](super::ladder), with digits that are known beforehand, as L is.

use super::adder::Adder;
use super::arch::{LANES_MAX, Lanes};
use super::digits::{ORDER, SHORT};
use super::entry::Entry;
use super::field::Fe;

/// L in signed digits to the base 16, lowest first: L = sum of `digit * 16^i`, every digit from -8 to 8.
const DIGITS: [i8; SHORT.count() + 1] = {
    let mut digits = [0; SHORT.count() + 1];
    let (mut carry, mut i) = (0, 0);
    while i < digits.len() {
        let digit = (ORDER[i / 16] >> (4 * (i % 16)) & 15) as i8 + carry;
        carry = (digit > SHORT.half() as i8) as i8;
        digits[i] = digit - 16 * carry;
        i += 1;
    }
    assert!(carry == 0, "L ends in the last digit");
    digits
};

/// Decides for each of `tables`, which hold 0 to 8 times a point, whether the point's order divides L.
#[inline(always)]
pub(super) fn check<L: Lanes, A: Adder>(adder: A, tables: &[&[Entry]], verdicts: &mut [bool]) {
    for (group, verdicts) in tables.chunks(L::COUNT).zip(verdicts.chunks_mut(L::COUNT)) {
        // Lanes without a point repeat the first one.
        let tables: [&[Entry]; LANES_MAX] =
            core::array::from_fn(|lane| *group.get(lane).unwrap_or(&group[0]));
        let mut sum = adder.zero();
        for (i, digit) in DIGITS.into_iter().enumerate().rev() {
            if i + 1 < DIGITS.len() {
                for _ in 0..SHORT.bits() {
                    sum = adder.double(&sum);
                }
            }
            if digit != 0 {
                let terms = tables.map(|table| &table[usize::from(digit.unsigned_abs())]);
                sum = adder.add(&sum, &terms, if digit < 0 { u8::MAX } else { 0 });
            }
        }
        let [plus, minus, z] = adder.unpack(&sum);
        for (lane, verdict) in verdicts.iter_mut().enumerate() {
            *verdict = is_neutral(plus[lane], minus[lane], z[lane]);
        }
    }
}

/// Whether this is the point with X = 0 and Y = Z, given Y + X and Y - X: both are Z then.
fn is_neutral(plus: Fe, minus: Fe, z: Fe) -> bool {
    let z = z.mul(Fe::ONE);
    [plus, minus].into_iter().all(|fe| fe.sub(z).is_zero())
}
