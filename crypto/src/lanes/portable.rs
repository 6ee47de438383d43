//! The kernel for any machine, and the specification of the others: one signature after the other, by tables.
//!
//! The naive version is the rule: decode A, compute sB - kA by doubling and adding, encode, compare with R. Departures:
//!
//! 1. Tables hold every multiple of B and -A that a window of s or k can ask for: 63 additions, no doublings.
//! 2. R is never decoded: the computed point is encoded and the bytes are compared.
//! 3. Encoding needs a division; all signatures of a call share one inversion.

use sha2::{Digest as _, Sha512};

use super::arch::prefetch;
use super::digits::{BASE, Digit, KEY, Residue, STEPS, cut};
use super::entry::{Entry, Form};
use super::field::Fe;
use super::job::{Job, LOT_MAX};
use super::point::{Point, invert_all, is_identity};

/// Entries are asked for so many steps ahead.
const AHEAD: usize = 4;

/// Decides up to [`LOT_MAX`] signatures, with tables in any form.
pub(super) fn check(form: Form, base: &[Entry], jobs: &[Job<'_>], verdicts: &mut [bool]) {
    let mut points = [Point::IDENTITY; LOT_MAX];
    let (mut inverses, mut scratch) = ([Fe::ONE; LOT_MAX], [Fe::ZERO; LOT_MAX]);
    for ((job, point), z) in jobs.iter().zip(&mut points).zip(&mut inverses) {
        let k = challenge(job);
        let s = job.s().unwrap_or(Residue::ZERO);
        *point = sum(form, base, &s, job.table, &k);
        *z = point.z;
    }
    // No Z is zero: the formulas are complete.
    invert_all(&mut inverses[..jobs.len()], &mut scratch[..jobs.len()]);
    for (((job, point), inverse), verdict) in jobs.iter().zip(&points).zip(inverses).zip(verdicts) {
        let encoded = Point::encode(point.x, point.y, inverse);
        *verdict = encoded == *job.r() && job.s().is_some() && !is_identity(job.r());
    }
}

/// SHA-512(R, A, m) modulo L.
fn challenge(job: &Job<'_>) -> Residue {
    let hash = Sha512::new().chain_update(job.r()).chain_update(job.key).chain_update(job.message).finalize();
    Residue::of_hash(&hash.into())
}

/// sB + k(-A).
#[inline(always)]
fn sum(form: Form, base: &[Entry], s: &Residue, key: &[Entry], k: &Residue) -> Point {
    let mut terms = [Digit::default(); STEPS];
    cut(s, BASE, |window, digit| terms[window] = digit);
    cut(k, KEY, |window, digit| terms[BASE.count() + window] = digit);
    let entry = |step: usize| {
        let table = if step < BASE.count() { base } else { key };
        &table[terms[step].entry as usize]
    };
    let mut sum = Point::IDENTITY;
    for (step, digit) in terms.iter().enumerate() {
        prefetch(entry((step + AHEAD).min(STEPS - 1)));
        let term = entry(step).affine(form);
        sum = sum.add_affine(&if digit.negative { term.negated() } else { term });
    }
    sum
}
