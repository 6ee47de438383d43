//! Numbers modulo p = 2^255 - 19 in lanes, by 52-bit multiply-add of integers: five limbs of 51 bits.
//!
//! As [`fma`](super::fma), with half the instructions a product: one adds its low 52 bits to a column, one its high.
//!
//! Bounds, which `tests` drive to their ends:
//! - A *number* has limbs below 2^51 + 2^16 ([`Ifma::carry`] makes them), tables below 2^51, negated ones below 2^52: all
//!   fit the 52 bits that are multiplied.
//! - A column sums at most five low parts and five high parts. Those weigh twice, since 2^52 is two in the column above,
//!   and 19 times beyond the top: at most 19 * 15 * 2^52 < 2^60.2.
//! - Differences add [`LIFT`], a multiple of p whose limbs are between 2^60.9 and 2^61: positive, and below 2^61.7. The
//!   carry out of any of these is below 2^11.

use super::adder::Adder;
use super::arch::{LANES_MAX, Lanes, MulAdd52};
use super::entry::{Entry, Form};
use super::field::Fe;

/// 2^10 p.
const LIFT: [u64; 5] = {
    let limb = ((1 << 51) - 1) << 10;
    [limb - (18 << 10), limb, limb, limb, limb]
};
/// 2p: more than any limb of a table.
const TWICE_P: [u64; 5] = [(1 << 52) - 38, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2];

/// Arithmetic with these lanes.
#[derive(Clone, Copy)]
pub(super) struct Ifma<M>(pub(super) M);

/// A number modulo p in each lane, carried or not.
type Number<M> = [<<M as MulAdd52>::Lanes as Lanes>::Ints; 5];

/// A point in each lane: Y + X, Y - X, Z, T.
#[derive(Clone, Copy)]
pub(super) struct Sum<M: MulAdd52> {
    plus: Number<M>,
    minus: Number<M>,
    z: Number<M>,
    t: Number<M>,
}

impl<M: MulAdd52> Ifma<M> {
    /// The product, not carried.
    #[inline(always)]
    fn mul(self, a: &Number<M>, b: &Number<M>) -> Number<M> {
        let lanes = self.0.lanes();
        // Column k of the low parts, and of the high parts one further up.
        let mut lows = [lanes.ints(0); 9];
        let mut highs = [lanes.ints(0); 9];
        macro_rules! row {
            ($i:literal: $($j:literal)+) => {
                $(
                    lows[$i + $j] = self.0.add_low(lows[$i + $j], a[$i], b[$j]);
                    highs[$i + $j] = self.0.add_high(highs[$i + $j], a[$i], b[$j]);
                )+
            };
        }
        row!(0: 0 1 2 3 4);
        row!(1: 0 1 2 3 4);
        row!(2: 0 1 2 3 4);
        row!(3: 0 1 2 3 4);
        row!(4: 0 1 2 3 4);
        for high in &mut highs {
            *high = lanes.add(*high, *high);
        }
        // 2^255 is 19.
        let mut columns = [lows[0]; 5];
        for k in 0..5 {
            let low = if k == 0 { lows[0] } else { lanes.add(lows[k], highs[k - 1]) };
            let over = if k == 4 { highs[8] } else { lanes.add(lows[k + 5], highs[k + 4]) };
            columns[k] = lanes.add(low, lanes.times_19(over));
        }
        columns
    }

    /// Carries once, in parallel.
    #[inline(always)]
    fn carry(self, columns: &Number<M>) -> Number<M> {
        let lanes = self.0.lanes();
        let (mask, nothing) = (lanes.ints((1 << 51) - 1), lanes.ints(0));
        let (mut limbs, mut carries) = (*columns, *columns);
        for k in 0..5 {
            carries[k] = lanes.shift_right::<51>(columns[k]);
            limbs[k] = lanes.and_or(columns[k], mask, nothing);
        }
        limbs[0] = lanes.add(limbs[0], lanes.times_19(carries[4]));
        for k in 1..5 {
            limbs[k] = lanes.add(limbs[k], carries[k - 1]);
        }
        limbs
    }

    #[inline(always)]
    fn sum(self, a: &Number<M>, b: &Number<M>) -> Number<M> {
        let mut sum = *a;
        for k in 0..5 {
            sum[k] = self.0.lanes().add(a[k], b[k]);
        }
        self.carry(&sum)
    }

    #[inline(always)]
    fn difference(self, a: &Number<M>, b: &Number<M>) -> Number<M> {
        let lanes = self.0.lanes();
        let mut difference = *a;
        for k in 0..5 {
            difference[k] = lanes.sub(lanes.add(a[k], lanes.ints(LIFT[k])), b[k]);
        }
        self.carry(&difference)
    }

    /// The last four products of every sum and every double.
    #[inline(always)]
    fn complete(self, e: &Number<M>, f: &Number<M>, g: &Number<M>, h: &Number<M>) -> Sum<M> {
        let x = self.mul(e, f);
        let y = self.mul(g, h);
        Sum {
            plus: self.sum(&y, &x),
            minus: self.difference(&y, &x),
            z: self.carry(&self.mul(f, g)),
            t: self.carry(&self.mul(e, h)),
        }
    }

    /// The numbers of each lane.
    #[inline(always)]
    fn numbers(self, a: &Number<M>) -> [Fe; LANES_MAX] {
        let mut numbers = [Fe::ZERO; LANES_MAX];
        for (k, limb) in a.iter().enumerate() {
            let mut words = [0; LANES_MAX];
            self.0.lanes().store(*limb, &mut words);
            for (number, word) in numbers.iter_mut().zip(words) {
                number.0[k] = word;
            }
        }
        numbers
    }
}

impl<M: MulAdd52> Adder for Ifma<M> {
    const FORM: Form = Form::Words;
    type Sum = Sum<M>;

    #[inline(always)]
    fn zero(self) -> Sum<M> {
        let (zero, one) = (self.0.lanes().ints(0), self.0.lanes().ints(1));
        let (nothing, unit) = ([zero; 5], [one, zero, zero, zero, zero]);
        Sum { plus: unit, minus: unit, z: unit, t: nothing }
    }

    /// As [`Point::add_affine`](super::point::Point::add_affine).
    #[inline(always)]
    fn add(self, sum: &Sum<M>, terms: &[&Entry; LANES_MAX], negative: u8) -> Sum<M> {
        let lanes = self.0.lanes();
        let words = lanes.transpose(terms);
        let (mut plus, mut minus, mut dxy) = (sum.plus, sum.plus, sum.plus);
        for k in 0..5 {
            let negated = lanes.sub(lanes.ints(TWICE_P[k]), words[10 + k]);
            plus[k] = lanes.blend(negative, words[k], words[5 + k]);
            minus[k] = lanes.blend(negative, words[5 + k], words[k]);
            dxy[k] = lanes.blend(negative, words[10 + k], negated);
        }
        let a = self.mul(&sum.minus, &minus);
        let b = self.mul(&sum.plus, &plus);
        let (e, h) = (self.difference(&b, &a), self.sum(&b, &a));
        let c = self.mul(&sum.t, &dxy);
        let (f, g) = (self.difference(&sum.z, &c), self.sum(&sum.z, &c));
        self.complete(&e, &f, &g, &h)
    }

    /// As [`Fma::double`](super::fma::Fma).
    #[inline(always)]
    fn double(self, sum: &Sum<M>) -> Sum<M> {
        let a = self.mul(&sum.minus, &sum.minus);
        let b = self.mul(&sum.plus, &sum.plus);
        let (e, h) = (self.difference(&b, &a), self.sum(&b, &a));
        let c = self.mul(&sum.plus, &sum.minus);
        let g = self.sum(&c, &c);
        let z2 = self.mul(&sum.z, &sum.z);
        let d = self.sum(&z2, &z2);
        let f = self.difference(&self.sum(&d, &d), &g);
        self.complete(&e, &f, &g, &h)
    }

    #[inline(always)]
    fn unpack(self, sum: &Sum<M>) -> [[Fe; LANES_MAX]; 3] {
        [self.numbers(&sum.plus), self.numbers(&sum.minus), self.numbers(&sum.z)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::twin::{Twin, random};
    use super::*;

    /// The most that a limb of a factor may be.
    const MOST: u64 = (1 << 52) - 1;
    /// The most that a carried limb may be.
    const CARRIED: u64 = (1 << 51) + (1 << 16) - 1;

    fn limbs(next: &mut impl FnMut() -> u64, turn: usize, most: u64) -> [[u64; 5]; LANES_MAX] {
        let mut limb = || match (turn % 3, next() % 8) {
            (0, _) | (1, 0..4) => most,
            (1, 4) => 0,
            (1, 5) => (1 << 51) - 1,
            _ => next() % (most + 1),
        };
        core::array::from_fn(|_| core::array::from_fn(|_| limb()))
    }

    fn number<M: MulAdd52>(m: M, limbs: &[[u64; 5]; LANES_MAX]) -> Number<M> {
        let lanes = m.lanes();
        core::array::from_fn(|k| {
            limbs.iter().enumerate().fold(lanes.ints(0), |number, (lane, limbs)| {
                lanes.blend(1 << lane, number, lanes.ints(limbs[k]))
            })
        })
    }

    fn assert_is<M: MulAdd52>(
        ifma: Ifma<M>,
        number: &Number<M>,
        expected: impl Fn(usize) -> Twin,
        what: &str,
    ) {
        for (lane, number) in ifma.numbers(number).iter().enumerate().take(M::Lanes::COUNT) {
            assert!(number.0.iter().all(|limb| *limb <= CARRIED), "{what}: {number:?}");
            assert_eq!(Twin::of(number), expected(lane), "{what}");
        }
    }

    /// Every carried sum and difference that an addition of points makes.
    fn hold_to_the_twin<M: MulAdd52>(m: M, most: u64) {
        let ifma = Ifma(m);
        let mut next = random(5);
        for turn in 0..200 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|_| limbs(&mut next, turn, most));
            let z = limbs(&mut next, turn, CARRIED);
            let [na, nb, nc, nd, nz] = [&a, &b, &c, &d, &z].map(|limbs| number(m, limbs));
            let ab = |lane: usize| Twin::of(&Fe(a[lane])).mul(&Twin::of(&Fe(b[lane])));
            let cd = |lane: usize| Twin::of(&Fe(c[lane])).mul(&Twin::of(&Fe(d[lane])));
            let whole = |lane: usize| Twin::of(&Fe(z[lane]));
            let (pab, pcd) = (ifma.mul(&na, &nb), ifma.mul(&nc, &nd));
            assert_is(ifma, &ifma.carry(&pab), ab, "ab");
            assert_is(ifma, &ifma.sum(&pab, &pcd), |l| ab(l).add(&cd(l)), "ab + cd");
            assert_is(ifma, &ifma.difference(&pab, &pcd), |l| ab(l).sub(&cd(l)), "ab - cd");
            assert_is(ifma, &ifma.sum(&nz, &pcd), |l| whole(l).add(&cd(l)), "z + cd");
            assert_is(ifma, &ifma.difference(&nz, &pcd), |l| whole(l).sub(&cd(l)), "z - cd");
            let doubled = ifma.double(&Sum { plus: na, minus: nb, z: nc, t: nd });
            let [plus, minus, z, t] = [0, 1, 2, 3].map(|part| {
                let (a, b, c) = (a, b, c);
                move |l: usize| {
                    let [a, b, c] = [a[l], b[l], c[l]].map(|limbs| Twin::of(&Fe(limbs)));
                    Twin::doubled(&a, &b, &c)[part].clone()
                }
            });
            assert_is(ifma, &doubled.plus, plus, "doubled, Y + X");
            assert_is(ifma, &doubled.minus, minus, "doubled, Y - X");
            assert_is(ifma, &doubled.z, z, "doubled, Z");
            assert_is(ifma, &doubled.t, t, "doubled, T");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn lanes_compute_what_the_twin_computes_with_limbs_at_their_ends() {
        if let Some(m) = crate::lanes::arch::avx512ifma::Avx512Ifma::detect() {
            hold_to_the_twin(m, MOST);
        }
    }
    /// The multiplier does not see the 53rd bit of a limb; the rig must.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn limbs_beyond_their_bounds_are_caught() {
        if let Some(m) = crate::lanes::arch::avx512ifma::Avx512Ifma::detect() {
            assert!(std::panic::catch_unwind(|| hold_to_the_twin(m, MOST + 1)).is_err());
        }
    }
}
