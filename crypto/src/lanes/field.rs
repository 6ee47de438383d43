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
        columns[i + 1] += columns[i] >> 51;
        limbs[i] = columns[i] as u64 & MASK;
    }
    limbs[4] = columns[4] as u64 & MASK;
    // The top column has no fold in it: below 2^111, so its carry is below 2^60, and 19 times that below 2^64.3.
    let top = (columns[4] >> 51) * 19 + u128::from(limbs[0]);
    limbs[0] = top as u64 & MASK;
    limbs[1] += (top >> 51) as u64;
    Fe(limbs)
}
