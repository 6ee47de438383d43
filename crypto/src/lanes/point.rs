//! Points of the curve, one at a time: what tables are built with, and the portable kernel's sum.
//!
//! Formulas: Hisil, Wong, Carter, Dawson, "Twisted Edwards curves revisited" (2008), for a = -1. They are complete:
//! no pair of points is special, so crafted input meets no exception.

use curve25519_dalek::edwards::CompressedEdwardsY;

use super::field::Fe;

/// A point as (X : Y : Z : T), x = X/Z, y = Y/Z, T = XY/Z. All tight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: Fe,
    pub(super) y: Fe,
    pub(super) z: Fe,
    pub(super) t: Fe,
}

/// The negative of a key: what tables are made of, decoded once. Tight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Minus {
    x: Fe,
    y: Fe,
}

/// A point with z = 1, ready to be added: (y + x)/2, (y - x)/2, dxy. Tight.
///
/// The halves make all four factors of a sum half as large as the usual form does, which the vector kernels need;
/// the sum is the same point, with a Z four times smaller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine {
    pub(super) plus: Fe,
    pub(super) minus: Fe,
    pub(super) dxy: Fe,
}

/// A point ready to be added many times: Y + X, Y - X, 2Z, 2dT.
#[derive(Clone, Copy)]
pub(super) struct Addend {
    plus: Fe,
    minus: Fe,
    z2: Fe,
    dt2: Fe,
}

impl Point {
    /// The neutral point.
    pub(super) const IDENTITY: Self = Self { x: Fe::ZERO, y: Fe::ONE, z: Fe::ONE, t: Fe::ZERO };

    /// The negative of an encoded point, or nothing if the bytes encode none.
    pub(super) fn decode_negated(bytes: &[u8; 32]) -> Option<Self> {
        let y = Fe::from_bytes(bytes);
        let y2 = y.square();
        let (u, v) = (y2.sub(Fe::ONE), y2.mul(Fe::D).add(Fe::ONE));
        let root = Fe::sqrt_ratio(u, v)?;
        let odd = bytes[31] >> 7 == 1;
        // The root with the other sign than the encoded one.
        let x = if root.is_odd() == odd { root.neg() } else { root }.mul(Fe::ONE);
        Some(Self { x, y, z: Fe::ONE, t: x.mul(y) })
    }

    /// The base point of Ed25519.
    pub(super) fn base() -> Self {
        let mut bytes = curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED.0;
        bytes[31] ^= 0x80;
        Self::decode_negated(&bytes).expect("minus the base point is a point")
    }

    pub(super) fn double(&self) -> Self {
        let (a, b) = (self.x.square(), self.y.square());
        let z2 = self.z.square();
        let h = a.add(b);
        let e = h.sub(self.x.add(self.y).square());
        let g = a.sub(b);
        // Below 2^53 + 2^52 + 2^51 and some: loose.
        let f = z2.add(z2).add(g);
        Self { x: e.mul(f), y: g.mul(h), z: f.mul(g), t: e.mul(h) }
    }

    pub(super) fn addend(&self) -> Addend {
        // Tight again, once: adding is done often.
        let tight = |fe: Fe| fe.mul(Fe::ONE);
        Addend {
            plus: tight(self.y.add(self.x)),
            minus: tight(self.y.sub(self.x)),
            z2: tight(self.z.add(self.z)),
            dt2: self.t.mul(Fe::D.add(Fe::D)),
        }
    }

    pub(super) fn add(&self, other: &Addend) -> Self {
        let a = self.y.sub(self.x).mul(other.minus);
        let b = self.y.add(self.x).mul(other.plus);
        Self::complete(a, b, self.t.mul(other.dt2), self.z.mul(other.z2))
    }

    /// Adds an affine point.
    #[inline(always)]
    pub(super) fn add_affine(&self, other: &Affine) -> Self {
        let a = self.y.sub(self.x).mul(other.minus);
        let b = self.y.add(self.x).mul(other.plus);
        Self::complete(a, b, self.t.mul(other.dxy), self.z)
    }

    /// The last four products of every sum.
    #[inline(always)]
    fn complete(a: Fe, b: Fe, c: Fe, d: Fe) -> Self {
        let (e, f, g, h) = (b.sub(a), d.sub(c), d.add(c), b.add(a));
        Self { x: e.mul(f), y: g.mul(h), z: f.mul(g), t: e.mul(h) }
    }

    /// The affine form, given 1/(2Z).
    pub(super) fn affine(&self, half_inverse: Fe) -> Affine {
        // x/2 and y/2.
        let (x, y) = (self.x.mul(half_inverse), self.y.mul(half_inverse));
        let four_d = Fe([0; 5]).add(Fe::D).add(Fe::D).add(Fe::D).add(Fe::D);
        Affine { plus: y.add(x).mul(Fe::ONE), minus: y.sub(x).mul(Fe::ONE), dxy: x.mul(y).mul(four_d) }
    }

    /// The 32 bytes of this point, given 1/Z.
    pub(super) fn encode(x: Fe, y: Fe, inverse: Fe) -> [u8; 32] {
        let mut bytes = y.mul(inverse).to_bytes();
        bytes[31] |= u8::from(x.mul(inverse).is_odd()) << 7;
        bytes
    }
}

impl Minus {
    /// The negative of an encoded point, or nothing if the bytes encode none.
    pub(crate) fn decode(bytes: &[u8; 32]) -> Option<Self> {
        Point::decode_negated(bytes).map(|Point { x, y, .. }| Self { x, y })
    }

    /// The same, ready to be computed with.
    pub(super) fn point(&self) -> Point {
        Point { x: self.x, y: self.y, z: Fe::ONE, t: self.x.mul(self.y) }
    }
}

impl Affine {
    /// The neutral point.
    pub(super) fn identity() -> Self {
        // 1/2 modulo p is (p + 1)/2 = 2^254 - 9.
        let half = Fe([(1 << 51) - 9, (1 << 51) - 1, (1 << 51) - 1, (1 << 51) - 1, (1 << 50) - 1]);
        Self { plus: half, minus: half, dxy: Fe::ZERO }
    }

    /// The negative, loose in its last part, of a point whose limbs are below 2^53 - 76.
    #[inline(always)]
    pub(super) fn negated(&self) -> Self {
        Self { plus: self.minus, minus: self.plus, dxy: self.dxy.neg_wide() }
    }
}

/// Whether the bytes are those of the neutral point, which no valid signature has as its R.
pub(super) fn is_identity(bytes: &[u8; 32]) -> bool {
    // y = 1, x = 0; the identity's other encodings are not canonical and equal no computed R.
    *bytes == CompressedEdwardsY::default().0
}

/// Replaces each number by its inverse, with one inversion for all: products up, then back down.
///
/// None may be zero: a zero makes all of them zero. Tight from loose. `scratch` is as long as `numbers`.
pub(super) fn invert_all(numbers: &mut [Fe], scratch: &mut [Fe]) {
    let mut product = Fe::ONE;
    for (number, before) in numbers.iter().zip(&mut *scratch) {
        *before = product;
        product = product.mul(*number);
    }
    let mut inverse = product.invert();
    for (number, before) in numbers.iter_mut().zip(scratch).rev() {
        let next = inverse.mul(*number);
        *number = inverse.mul(*before);
        inverse = next;
    }
}
