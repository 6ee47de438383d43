//! Numbers modulo p = 2^255 - 19 in lanes, by fused multiply-add: five limbs of 51 bits as floating-point numbers.
//!
//! Multipliers of doubles are twice as wide as those of integers. A product of two limbs is cut by rounding: added to
//! a number so large that only multiples of 2^51 fit beside it, it leaves its high part h; what is missing, the low
//! part l, comes exactly out of a second multiply-add. a b = h 2^51 + l.
//!
//! Bounds, which `tests` drive to their ends:
//! - A *number* has limbs of at most 2^50 + 2^13 in size ([`Fma::carry`] makes them, tables hold them).
//! - A product of limbs is at most (2^50 + 2^13)^2 < 2^100 + 2^65. C = 1.5 * 2^103 plus or minus that stays between
//!   2^103 and 2^104, where doubles are the multiples of 2^51: h is a b/2^51 rounded, below 2^49 + 2^14 + 1, and exactly
//!   the difference in bits. |l| <= 2^50.
//! - D - (C + h 2^51), where D = C + 1.5 * 2^52, is a multiple of 2^51 below 2^101: exact. Adding a b gives
//!   1.5 * 2^52 + l, between 2^52 and 2^53, where doubles are the integers: exact, and l is the difference in bits.
//! - A column sums at most five products, of weight 1 or 19: at most 19 * 5 * (2^50 + 2^49 + 2^14 + 1) < 2^57.2. Sums
//!   and differences of two columns are below 2^58.2, and that is what `carry` takes: below 2^59.
//!
//! Numbers in the bits of the two constants ride along in every sum, modulo 2^64, and are taken off in `carry`.

use super::adder::Adder;
use super::arch::{LANES_MAX, Lanes};
use super::entry::{Entry, Form};
use super::field::Fe;

/// C: adding it leaves multiples of 2^51.
const HIGH: f64 = 1.5 * (1_u128 << 103) as f64;
/// 1.5 * 2^52: adding it leaves integers.
const LOW: f64 = 1.5 * (1_u64 << 52) as f64;
/// D = C + 1.5 * 2^52, which is exact: three times 2^51 more.
const BOTH: f64 = HIGH + LOW;

/// What the bits of the constants add up to in each column of a product.
const RIDERS: [u64; 5] = {
    let mut riders = [0_u64; 5];
    let (mut i, mut j) = (0, 0);
    while i < 5 {
        let (low, high) = (i + j, i + j + 1);
        let (low_weight, high_weight) = (if low < 5 { 1 } else { 19 }, if high < 5 { 1 } else { 19 });
        riders[low % 5] = riders[low % 5].wrapping_add(LOW.to_bits().wrapping_mul(low_weight));
        riders[high % 5] = riders[high % 5].wrapping_add(HIGH.to_bits().wrapping_mul(high_weight));
        (i, j) = if j == 4 { (i + 1, 0) } else { (i, j + 1) };
    }
    riders
};

/// Added before carrying, so that columns are positive and limbs come out around zero: 2^59 + 2^50.
const LIFT: u64 = (1 << 59) + (1 << 50);
/// What `LIFT` makes of the carry out of a column: 2^59/2^51.
const LIFTED_CARRY: u64 = 1 << 8;

/// Of riders that were subtracted.
const MINUS_ONE: u64 = u64::MAX;

/// Arithmetic with these lanes.
#[derive(Clone, Copy)]
pub(super) struct Fma<L>(pub(super) L);

/// A number modulo p in each lane.
type Number<L> = [<L as Lanes>::Floats; 5];
/// A number as integer columns, not carried, with riders.
type Columns<L> = [<L as Lanes>::Ints; 5];

/// A point in each lane: Y + X, Y - X, Z, T.
#[derive(Clone, Copy)]
pub(super) struct Sum<L: Lanes> {
    plus: Number<L>,
    minus: Number<L>,
    z: Number<L>,
    t: Number<L>,
}

impl<L: Lanes> Fma<L> {
    /// The product, with [`RIDERS`] once.
    #[inline(always)]
    fn mul(self, a: &Number<L>, b: &Number<L>) -> Columns<L> {
        let lanes = self.0;
        let (high, both) = (lanes.floats(HIGH), lanes.floats(BOTH));
        // Column k of the low parts, and of the high parts one further up.
        let mut lows = [lanes.ints(0); 9];
        let mut highs = [lanes.ints(0); 9];
        macro_rules! term {
            ($i:literal $j:literal) => {
                let top = lanes.mul_add(a[$i], b[$j], high);
                let rest = lanes.mul_add(a[$i], b[$j], lanes.sub_floats(both, top));
                lows[$i + $j] = lanes.add(lows[$i + $j], lanes.to_bits(rest));
                highs[$i + $j] = lanes.add(highs[$i + $j], lanes.to_bits(top));
            };
        }
        macro_rules! row {
            ($i:literal) => {
                term!($i 0);
                term!($i 1);
                term!($i 2);
                term!($i 3);
                term!($i 4);
            };
        }
        row!(0);
        row!(1);
        row!(2);
        row!(3);
        row!(4);
        // 2^255 is 19.
        let mut columns = [lows[0]; 5];
        for k in 0..5 {
            let low = if k == 0 { lows[0] } else { lanes.add(lows[k], highs[k - 1]) };
            let over = if k == 4 { highs[8] } else { lanes.add(lows[k + 5], highs[k + 4]) };
            columns[k] = lanes.add(low, lanes.times_19(over));
        }
        columns
    }

    /// Carries once, in parallel. The columns hold `RIDERS` `riders` times, and are below 2^59 without them.
    ///
    /// A column plus [`LIFT`] is c 2^51 + r, c below 2^9: the limb is r - 2^50 plus the carry from below, c - 2^8, which
    /// for the lowest is 19 times that: at most 2^50 + 19 * 2^8 < 2^50 + 2^13.
    #[inline(always)]
    fn carry(self, columns: &Columns<L>, riders: u64, others: u64) -> Number<L> {
        let lanes = self.0;
        let mask = lanes.ints((1 << 51) - 1);
        // As bits of a double: 2^52, plus the integer that is put into its low bits.
        let one = lanes.ints(((1_u64 << 52) as f64).to_bits());
        let (mut rests, mut carries) = (*columns, *columns);
        for k in 0..5 {
            let lift = LIFT.wrapping_sub(RIDERS[k].wrapping_mul(riders)).wrapping_sub(others);
            let lifted = lanes.add(columns[k], lanes.ints(lift));
            carries[k] = lanes.shift_right::<51>(lifted);
            rests[k] = lanes.and_or(lifted, mask, one);
        }
        let wrapped = lanes.times_19(carries[4]);
        let mut limbs = [lanes.floats(0.0); 5];
        for k in 0..5 {
            let (carry, off) =
                if k == 0 { (wrapped, 19 * LIFTED_CARRY) } else { (carries[k - 1], LIFTED_CARRY) };
            let lifted = lanes.of_bits(lanes.add(rests[k], carry));
            limbs[k] = lanes.sub_floats(lifted, lanes.floats(((1 << 52) + (1 << 50) + off) as f64));
        }
        limbs
    }

    #[inline(always)]
    fn sum(self, a: &Columns<L>, b: &Columns<L>) -> Columns<L> {
        let mut sum = *a;
        for k in 0..5 {
            sum[k] = self.0.add(a[k], b[k]);
        }
        sum
    }

    #[inline(always)]
    fn difference(self, a: &Columns<L>, b: &Columns<L>) -> Columns<L> {
        let mut difference = *a;
        for k in 0..5 {
            difference[k] = self.0.sub(a[k], b[k]);
        }
        difference
    }

    /// A number as columns, with the bits of `LOW` riding.
    #[inline(always)]
    fn columns(self, a: &Number<L>) -> Columns<L> {
        let mut columns = [self.0.ints(0); 5];
        for k in 0..5 {
            columns[k] = self.0.to_bits(self.0.add_floats(a[k], self.0.floats(LOW)));
        }
        columns
    }

    /// The last four products of every sum and every double.
    #[inline(always)]
    fn complete(self, e: &Number<L>, f: &Number<L>, g: &Number<L>, h: &Number<L>) -> Sum<L> {
        let x = self.mul(e, f);
        let y = self.mul(g, h);
        Sum {
            plus: self.carry(&self.sum(&y, &x), 2, 0),
            minus: self.carry(&self.difference(&y, &x), 0, 0),
            z: self.carry(&self.mul(f, g), 1, 0),
            t: self.carry(&self.mul(e, h), 1, 0),
        }
    }

    /// The numbers of each lane, loose.
    #[inline(always)]
    fn numbers(self, a: &Number<L>) -> [Fe; LANES_MAX] {
        // 2p, so that limbs of either sign come out positive; below 2^53.
        const TWICE_P: [u64; 5] =
            [(1 << 52) - 38, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2];
        let columns = self.columns(a);
        let mut numbers = [Fe::ZERO; LANES_MAX];
        for k in 0..5 {
            let mut words = [0; LANES_MAX];
            self.0.store(columns[k], &mut words);
            for (number, word) in numbers.iter_mut().zip(words) {
                number.0[k] = word.wrapping_sub(LOW.to_bits()).wrapping_add(TWICE_P[k]);
            }
        }
        numbers
    }
}

impl<L: Lanes> Adder for Fma<L> {
    const FORM: Form = Form::Floats;
    type Sum = Sum<L>;

    #[inline(always)]
    fn zero(self) -> Sum<L> {
        let (zero, one) = (self.0.floats(0.0), self.0.floats(1.0));
        let (nothing, unit) = ([zero; 5], [one, zero, zero, zero, zero]);
        Sum { plus: unit, minus: unit, z: unit, t: nothing }
    }

    /// As [`Point::add_affine`](super::point::Point::add_affine). Numbers are added before they are carried, so that
    /// every factor is a sum or a difference of products, but carried.
    #[inline(always)]
    fn add(self, sum: &Sum<L>, terms: &[&Entry; LANES_MAX], negative: u8) -> Sum<L> {
        let lanes = self.0;
        let words = lanes.transpose(terms);
        let (mut plus, mut minus, mut dxy) = (sum.plus, sum.plus, sum.plus);
        for k in 0..5 {
            let (p, m) = (lanes.of_bits(words[k]), lanes.of_bits(words[5 + k]));
            plus[k] = lanes.blend_floats(negative, p, m);
            minus[k] = lanes.blend_floats(negative, m, p);
            dxy[k] = lanes.negate_floats(negative, lanes.of_bits(words[10 + k]));
        }
        let a = self.mul(&sum.minus, &minus);
        let b = self.mul(&sum.plus, &plus);
        let e = self.carry(&self.difference(&b, &a), 0, 0);
        let h = self.carry(&self.sum(&b, &a), 2, 0);
        let c = self.mul(&sum.t, &dxy);
        let d = self.columns(&sum.z);
        let f = self.carry(&self.difference(&d, &c), MINUS_ONE, LOW.to_bits());
        let g = self.carry(&self.sum(&d, &c), 1, LOW.to_bits());
        self.complete(&e, &f, &g, &h)
    }

    /// As [`Point::double`](super::point::Point::double), with all factors twice as large and their signs turned where
    /// that saves a negation: (Y + X)^2 + (Y - X)^2 = 2(X^2 + Y^2), their difference is 4XY, and
    /// 2(Y + X)(Y - X) = 2(Y^2 - X^2).
    #[inline(always)]
    fn double(self, sum: &Sum<L>) -> Sum<L> {
        let a = self.mul(&sum.minus, &sum.minus);
        let b = self.mul(&sum.plus, &sum.plus);
        let e = self.carry(&self.difference(&b, &a), 0, 0);
        let h = self.carry(&self.sum(&b, &a), 2, 0);
        let c = self.mul(&sum.plus, &sum.minus);
        let g = self.carry(&self.sum(&c, &c), 2, 0);
        let z2 = self.mul(&sum.z, &sum.z);
        let d = self.columns(&self.carry(&self.sum(&z2, &z2), 2, 0));
        // 4Z^2 - g, all carried: below 2^52, and LOW rides twice less once.
        let f = self.carry(&self.difference(&self.sum(&d, &d), &self.columns(&g)), 0, LOW.to_bits());
        self.complete(&e, &f, &g, &h)
    }

    #[inline(always)]
    fn unpack(self, sum: &Sum<L>) -> [[Fe; LANES_MAX]; 3] {
        [self.numbers(&sum.plus), self.numbers(&sum.minus), self.numbers(&sum.z)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::twin::{Twin, random};
    use super::*;

    /// The most that a limb may be.
    const MOST: i64 = (1 << 50) + (1 << 13);

    /// A number of signed limbs in each lane.
    type Limbs = [[i64; 5]; LANES_MAX];

    fn limbs(next: &mut impl FnMut() -> u64, turn: usize, most: i64) -> Limbs {
        let mut limb = |sign: bool| {
            let size = match (turn % 4, next() % 8) {
                // Every limb at its end.
                (0, _) | (1, 0..4) => most,
                (1, 4) => 1 << 50,
                (1, 5) => (1 << 50) - 1,
                (1, 6) => (next() % 3) as i64,
                (2, _) => most - (next() % 64) as i64,
                _ => (next() % (most as u64 + 1)) as i64,
            };
            if sign { -size } else { size }
        };
        core::array::from_fn(|lane| {
            // All patterns of signs come up, all alike first.
            let signs = if turn < 64 { [0, 31, 10, 21][(turn + lane) / 2 % 4] } else { turn * 8 + lane };
            core::array::from_fn(|k| limb(signs >> k & 1 == 1))
        })
    }

    fn number<L: Lanes>(lanes: L, limbs: &Limbs) -> Number<L> {
        let mut number = [lanes.floats(0.0); 5];
        for (k, to) in number.iter_mut().enumerate() {
            for (lane, limbs) in limbs.iter().enumerate() {
                *to = lanes.blend_floats(1 << lane, *to, lanes.floats(limbs[k] as f64));
            }
        }
        number
    }

    fn twin(limbs: &[i64; 5]) -> Twin {
        Twin::of_limbs(limbs.map(i128::from))
    }

    /// Holds a carried number to its bounds and to what it should be.
    fn assert_is<L: Lanes>(fma: Fma<L>, number: &Number<L>, expected: impl Fn(usize) -> Twin, what: &str) {
        let numbers = fma.numbers(number);
        for (lane, number) in numbers.iter().enumerate().take(L::COUNT) {
            // `numbers` added 2p.
            let twice_p = [(1 << 52) - 38, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2];
            let limbs: [i64; 5] = core::array::from_fn(|k| number.0[k] as i64 - twice_p[k]);
            assert!(limbs.iter().all(|limb| limb.abs() <= MOST), "{what}: {limbs:?}");
            assert_eq!(Twin::of(number), expected(lane), "{what}");
        }
    }

    /// Every carried sum and difference that an addition of points makes.
    fn hold_to_the_twin<L: Lanes>(lanes: L, most: i64) {
        let fma = Fma(lanes);
        let mut next = random(4);
        for turn in 0..200 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|_| limbs(&mut next, turn, most));
            let [na, nb, nc, nd] = [&a, &b, &c, &d].map(|limbs| number(lanes, limbs));
            let ab = |lane: usize| twin(&a[lane]).mul(&twin(&b[lane]));
            let cd = |lane: usize| twin(&c[lane]).mul(&twin(&d[lane]));
            let (pab, pcd) = (fma.mul(&na, &nb), fma.mul(&nc, &nd));
            assert_is(fma, &fma.carry(&pab, 1, 0), ab, "ab");
            assert_is(fma, &fma.carry(&fma.sum(&pab, &pcd), 2, 0), |l| ab(l).add(&cd(l)), "ab + cd");
            assert_is(fma, &fma.carry(&fma.difference(&pab, &pcd), 0, 0), |l| ab(l).sub(&cd(l)), "ab - cd");
            let whole = fma.columns(&na);
            let sum = fma.carry(&fma.sum(&whole, &pcd), 1, LOW.to_bits());
            assert_is(fma, &sum, |l| twin(&a[l]).add(&cd(l)), "a + cd");
            let difference = fma.carry(&fma.difference(&whole, &pcd), MINUS_ONE, LOW.to_bits());
            assert_is(fma, &difference, |l| twin(&a[l]).sub(&cd(l)), "a - cd");
            let doubled = fma.double(&Sum { plus: na, minus: nb, z: nc, t: nd });
            let [plus, minus, z, t] = [0, 1, 2, 3].map(|part| {
                let twins = |l: usize| Twin::doubled(&twin(&a[l]), &twin(&b[l]), &twin(&c[l]));
                move |l: usize| twins(l)[part].clone()
            });
            assert_is(fma, &doubled.plus, plus, "doubled, Y + X");
            assert_is(fma, &doubled.minus, minus, "doubled, Y - X");
            assert_is(fma, &doubled.z, z, "doubled, Z");
            assert_is(fma, &doubled.t, t, "doubled, T");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn lanes_compute_what_the_twin_computes_with_limbs_at_their_ends() {
        use crate::lanes::arch::{avx2::Avx2, avx512::Avx512};
        if let Some(lanes) = Avx2::detect() {
            hold_to_the_twin(lanes, MOST);
        }
        if let Some(lanes) = Avx512::detect() {
            hold_to_the_twin(lanes, MOST);
        }
    }
    /// Factors twice as large as allowed push products over the edge of the rounding; the rig must see that.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn limbs_beyond_their_bounds_are_caught() {
        if let Some(lanes) = crate::lanes::arch::avx2::Avx2::detect() {
            assert!(std::panic::catch_unwind(|| hold_to_the_twin(lanes, 3 * MOST)).is_err());
        }
    }
}
