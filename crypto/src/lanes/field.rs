//! Numbers modulo p = 2^255 - 19, one at a time: five limbs of 51 bits in 64-bit words.
//!
//! The specification of the field that the vector kernels compute in, and what tables are built with. Not constant
//! time anywhere.
//!
//! Bounds. *Tight*: every limb below 2^51 + 2^18; products and unpacked bytes are tight. *Loose*: every limb below
//! 2^54; factors may be loose. The sum of up to seven tight numbers is loose, and so is a difference of tight ones.

/// A number modulo 2^255 - 19: the sum of `limb[i] * 2^(51 i)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fe(pub(super) [u64; 5]);

/// The low 51 bits.
const MASK: u64 = (1 << 51) - 1;

impl Fe {
    pub(super) const ZERO: Self = Self([0; 5]);
    pub(super) const ONE: Self = Self([1, 0, 0, 0, 0]);
    /// d of the curve -x^2 + y^2 = 1 + d x^2 y^2: -121665/121666.
    pub(super) const D: Self =
        Self([929955233495203, 466365720129213, 1662059464998953, 2033849074728123, 1442794654840575]);
    /// A square root of -1.
    pub(super) const SQRT_MINUS_ONE: Self =
        Self([1718705420411056, 234908883556509, 2233514472574048, 2117202627021982, 765476049583133]);

    /// Reads 255 bits, little-endian; the last bit is ignored. The number may be p or more. Tight.
    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let word = |at: usize| {
            let (word, _) = bytes[at..].split_first_chunk().expect("at most 24");
            u64::from_le_bytes(*word)
        };
        Self([
            word(0) & MASK,
            word(6) >> 3 & MASK,
            word(12) >> 6 & MASK,
            word(19) >> 1 & MASK,
            word(24) >> 12 & MASK,
        ])
    }

    /// The same number in limbs below 2^51, and below p. From loose.
    pub(super) fn reduced(self) -> Self {
        // Tight now, so below 2p: the number is p or more exactly if adding 19 carries out of the top.
        let Self(mut limbs) = carry(self.0.map(u128::from));
        let carried = limbs.iter().fold(19, |carry, limb| (limb + carry) >> 51);
        let mut carry = 19 * carried;
        for limb in &mut limbs {
            *limb += carry;
            carry = *limb >> 51;
            *limb &= MASK;
        }
        Self(limbs)
    }

    /// Canonical little-endian bytes. From loose.
    pub(super) fn to_bytes(self) -> [u8; 32] {
        let Self([a, b, c, d, e]) = self.reduced();
        let words = [a | b << 51, b >> 13 | c << 38, c >> 26 | d << 25, d >> 39 | e << 12];
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).zip(words).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
        bytes
    }

    /// Whether the canonical bytes are odd, which Ed25519 calls negative. From loose.
    pub(super) fn is_odd(self) -> bool {
        self.reduced().0[0] & 1 == 1
    }

    /// Whether this is a multiple of p. From loose.
    pub(super) fn is_zero(self) -> bool {
        self.reduced().0 == [0; 5]
    }

    /// Tight + tight is loose.
    #[inline(always)]
    pub(super) fn add(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    /// Loose: below 2^52 more than `self`. `other` is tight.
    #[inline(always)]
    pub(super) fn sub(self, other: Self) -> Self {
        // 2p in limbs of 2^52 - 38 and 2^52 - 2, more than any tight limb.
        const TWICE_P: [u64; 5] = [2 * (MASK - 18), 2 * MASK, 2 * MASK, 2 * MASK, 2 * MASK];
        Self(core::array::from_fn(|i| self.0[i] + TWICE_P[i] - other.0[i]))
    }

    /// Loose, from tight.
    pub(super) fn neg(self) -> Self {
        Self::ZERO.sub(self)
    }

    /// Below 2^53, from limbs below 2^53 - 76.
    #[inline(always)]
    pub(super) fn neg_wide(self) -> Self {
        // 4p in limbs of 2^53 - 76 and 2^53 - 4.
        Self(core::array::from_fn(|i| 4 * (MASK - if i == 0 { 18 } else { 0 }) - self.0[i]))
    }

    /// Tight, from loose: each limb below 2^51 but the second, which may have 2^18 more.
    #[inline(always)]
    pub(super) fn mul(self, other: Self) -> Self {
        let (Self(a), Self(b)) = (self, other);
        let wide = |a: u64, b: u64| u128::from(a) * u128::from(b);
        // 19 * 2^54 < 2^59.
        let b19 = [0, b[1] * 19, b[2] * 19, b[3] * 19, b[4] * 19];
        // Five terms, at most 2^(54 + 59) each: below 2^116.
        carry([
            wide(a[0], b[0])
                + wide(a[1], b19[4])
                + wide(a[2], b19[3])
                + wide(a[3], b19[2])
                + wide(a[4], b19[1]),
            wide(a[0], b[1])
                + wide(a[1], b[0])
                + wide(a[2], b19[4])
                + wide(a[3], b19[3])
                + wide(a[4], b19[2]),
            wide(a[0], b[2]) + wide(a[1], b[1]) + wide(a[2], b[0]) + wide(a[3], b19[4]) + wide(a[4], b19[3]),
            wide(a[0], b[3]) + wide(a[1], b[2]) + wide(a[2], b[1]) + wide(a[3], b[0]) + wide(a[4], b19[4]),
            wide(a[0], b[4]) + wide(a[1], b[3]) + wide(a[2], b[2]) + wide(a[3], b[1]) + wide(a[4], b[0]),
        ])
    }

    /// As [`Fe::mul`] by itself.
    #[inline(always)]
    pub(super) fn square(self) -> Self {
        let Self(a) = self;
        let wide = |a: u64, b: u64| u128::from(a) * u128::from(b);
        let (two0, two1, two3) = (a[0] * 2, a[1] * 2, a[3] * 2);
        let (a3_19, a4_19) = (a[3] * 19, a[4] * 19);
        carry([
            wide(a[0], a[0]) + wide(two1, a4_19) + 2 * wide(a[2], a3_19),
            wide(a[3], a3_19) + wide(two0, a[1]) + 2 * wide(a[2], a4_19),
            wide(a[1], a[1]) + wide(two0, a[2]) + wide(two3, a4_19),
            wide(a[4], a4_19) + wide(two0, a[3]) + wide(two1, a[2]),
            wide(a[2], a[2]) + wide(two0, a[4]) + wide(two1, a[3]),
        ])
    }

    fn square_times(self, n: u32) -> Self {
        (0..n).fold(self, |x, _| x.square())
    }

    /// 1/self, and 0 for 0: Fermat's power p - 2 = 2^255 - 21.
    pub(super) fn invert(self) -> Self {
        let (ones, eleven) = self.ladder();
        ones.square_times(5).mul(eleven)
    }

    /// The power (p - 5)/8 = 2^252 - 3.
    fn power_p58(self) -> Self {
        let (ones, _) = self.ladder();
        ones.square_times(2).mul(self)
    }

    /// The powers 2^250 - 1 and 11.
    fn ladder(self) -> (Self, Self) {
        let two = self.square();
        let nine = two.square_times(2).mul(self);
        let eleven = two.mul(nine);
        let ones5 = eleven.square().mul(nine);
        let ones10 = ones5.square_times(5).mul(ones5);
        let ones20 = ones10.square_times(10).mul(ones10);
        let ones40 = ones20.square_times(20).mul(ones20);
        let ones50 = ones40.square_times(10).mul(ones10);
        let ones100 = ones50.square_times(50).mul(ones50);
        let ones200 = ones100.square_times(100).mul(ones100);
        (ones200.square_times(50).mul(ones50), eleven)
    }

    /// A square root of `u`/`v`, if there is one.
    pub(super) fn sqrt_ratio(u: Self, v: Self) -> Option<Self> {
        // u v^3 (u v^7)^((p - 5)/8) is a root of u/v or of -u/v, or there is none.
        let v3 = v.square().mul(v);
        let root = u.mul(v3).mul(u.mul(v3).mul(v3).mul(v).power_p58());
        let check = v.mul(root.square());
        // Tight: u may be loose.
        let u = u.mul(Self::ONE);
        if check.sub(u).is_zero() {
            Some(root)
        } else if check.add(u).is_zero() {
            Some(root.mul(Self::SQRT_MINUS_ONE))
        } else {
            None
        }
    }
}

/// Tight, from columns below 2^115: the carry of each is below 2^64.
#[inline(always)]
fn carry(mut columns: [u128; 5]) -> Fe {
    let mut limbs = [0; 5];
    for i in 0..4 {
        columns[i + 1] += u128::from((columns[i] >> 51) as u64);
        limbs[i] = columns[i] as u64 & MASK;
    }
    limbs[4] = columns[4] as u64 & MASK;
    // The top column has no fold in it: five terms below 2^108, so its carry is below 2^59.4, 19 times that below 2^63.7,
    // and with a limb still below 2^64.
    limbs[0] += (columns[4] >> 51) as u64 * 19;
    limbs[1] += limbs[0] >> 51;
    limbs[0] &= MASK;
    Fe(limbs)
}

#[cfg(test)]
mod tests {
    use super::super::twin::{Twin, random};
    use super::*;
    use std::vec::Vec;

    /// Limbs at the ends of what a factor may have, and others.
    fn loose(next: &mut impl FnMut() -> u64) -> Fe {
        const ENDS: [u64; 8] = [0, 1, MASK - 19, MASK - 18, MASK, MASK + 1, (1 << 54) - 1, (1 << 54) - 2];
        Fe(core::array::from_fn(|_| match next() % 16 {
            end @ 0..8 => ENDS[end as usize],
            8..12 => (1 << 54) - 1,
            _ => next() >> 10,
        }))
    }

    fn tight(next: &mut impl FnMut() -> u64) -> Fe {
        const MOST: u64 = (1 << 51) + (1 << 18) - 1;
        Fe(core::array::from_fn(|_| match next() % 4 {
            0 => MOST,
            1 => 0,
            2 => next() % (MOST + 1),
            _ => MASK - next() % 20,
        }))
    }

    fn assert_tight(fe: Fe) {
        assert!(fe.0.iter().all(|limb| *limb < (1 << 51) + (1 << 18)), "{fe:?} is not tight");
    }

    #[test]
    fn products_are_those_of_the_twin_with_limbs_at_their_ends() {
        let mut next = random(1);
        let most = Fe([(1 << 54) - 1; 5]);
        for i in 0..4000 {
            let (a, b) = if i == 0 { (most, most) } else { (loose(&mut next), loose(&mut next)) };
            let (product, square) = (a.mul(b), a.square());
            assert_tight(product);
            assert_tight(square);
            assert_eq!(product.to_bytes(), Twin::of(&a).mul(&Twin::of(&b)).bytes(), "{a:?} {b:?}");
            assert_eq!(square.to_bytes(), Twin::of(&a).mul(&Twin::of(&a)).bytes(), "{a:?}");
        }
    }

    #[test]
    fn sums_and_differences_are_those_of_the_twin() {
        let mut next = random(2);
        for _ in 0..2000 {
            let (a, b) = (tight(&mut next), tight(&mut next));
            let (ta, tb) = (Twin::of(&a), Twin::of(&b));
            assert_eq!(a.add(b).to_bytes(), ta.add(&tb).bytes());
            assert_eq!(a.sub(b).to_bytes(), ta.sub(&tb).bytes());
            let wide = loose(&mut next);
            let wide = Fe(wide.0.map(|limb| limb >> 1));
            assert_eq!(wide.sub(b).to_bytes(), Twin::of(&wide).sub(&tb).bytes());
            assert_eq!(a.neg().to_bytes(), Twin::of(&Fe::ZERO).sub(&ta).bytes());
            let wide = Fe(wide.0.map(|limb| limb.min((1 << 53) - 77)));
            assert_eq!(wide.neg_wide().to_bytes(), Twin::of(&Fe::ZERO).sub(&Twin::of(&wide)).bytes());
        }
    }

    #[test]
    fn bytes_are_canonical_around_the_prime() {
        for k in 0..40 {
            // p - 20 + k
            let fe = Fe([MASK - 18 - 20 + k, MASK, MASK, MASK, MASK]);
            assert_eq!(fe.to_bytes(), Twin::of(&fe).bytes());
            assert_eq!(Fe::from_bytes(&fe.to_bytes()).to_bytes(), fe.to_bytes());
            assert_eq!(fe.is_zero(), k == 20);
            assert_eq!(fe.is_odd(), fe.to_bytes()[0] & 1 == 1);
        }
    }

    #[test]
    fn inverses_and_roots_undo() {
        let mut next = random(3);
        let mut numbers: Vec<Fe> = (0..20).map(|_| loose(&mut next).mul(Fe::ONE)).collect();
        for fe in &numbers {
            assert_eq!(fe.mul(fe.invert()).to_bytes(), Fe::ONE.to_bytes());
            let root = Fe::sqrt_ratio(fe.square(), Fe::ONE).expect("a square has a root");
            assert_eq!(root.square().to_bytes(), fe.square().to_bytes());
            // 2 is no square modulo p.
            assert!(Fe::sqrt_ratio(fe.square().add(fe.square()), Fe::ONE).is_none());
        }
        let before = numbers.clone();
        super::super::point::invert_all(&mut numbers, &mut [Fe::ZERO; 20]);
        for (a, b) in before.iter().zip(&numbers) {
            assert_eq!(a.mul(*b).to_bytes(), Fe::ONE.to_bytes());
        }
        assert_eq!(Fe::SQRT_MINUS_ONE.square().add(Fe::ONE).to_bytes(), [0; 32]);
        assert_eq!(Fe::D.mul(Fe([121666, 0, 0, 0, 0])).add(Fe([121665, 0, 0, 0, 0])).to_bytes(), [0; 32]);
    }
}
