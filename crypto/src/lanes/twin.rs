//! Numbers modulo p the dull way, byte by byte: what the tests hold all field arithmetic to.

use std::vec;
use std::vec::Vec;

use super::field::Fe;

/// A number below p, little-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Twin(Vec<u8>);

impl Twin {
    pub(super) fn of(fe: &Fe) -> Self {
        Self::of_limbs(fe.0.map(i128::from))
    }

    /// The sum of `limb[i] * 2^(51 i)`, of either sign.
    pub(super) fn of_limbs(limbs: [i128; 5]) -> Self {
        let mut sum = Self(vec![0; 32]);
        for (i, limb) in limbs.into_iter().enumerate() {
            let size = Self::reduce(limb.unsigned_abs().to_le_bytes().to_vec());
            let mut power = vec![0; 32];
            power[51 * i / 8] = 1 << (51 * i % 8);
            let term = size.mul(&Self(power));
            sum = sum.add(&if limb < 0 { term.negative() } else { term });
        }
        sum
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let mut carry = 0;
        let mut bytes: Vec<u8> = self
            .0
            .iter()
            .zip(&other.0)
            .map(|(a, b)| {
                carry = u16::from(*a) + u16::from(*b) + (carry >> 8);
                carry as u8
            })
            .collect();
        bytes.push((carry >> 8) as u8);
        Self::reduce(bytes)
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        let mut columns = vec![0_u64; 64];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                columns[i + j] += u64::from(*a) * u64::from(*b);
            }
        }
        Self::reduce(carry(columns))
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        self.add(&other.negative())
    }

    /// Y + X, Y - X, Z and T of twice the point with such Y + X, Y - X and Z, all four times what is usual.
    pub(super) fn doubled(plus: &Self, minus: &Self, z: &Self) -> [Self; 4] {
        let twice = |number: &Self| number.add(number);
        let (b, a) = (plus.mul(plus), minus.mul(minus));
        let (e, h) = (b.sub(&a), b.add(&a));
        let g = twice(&plus.mul(minus));
        let f = twice(&twice(&z.mul(z))).sub(&g);
        let (x, y) = (e.mul(&f), g.mul(&h));
        [y.add(&x), y.sub(&x), f.mul(&g), e.mul(&h)]
    }

    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0.as_slice().try_into().expect("reduced numbers have 32 bytes")
    }

    fn negative(&self) -> Self {
        Self::reduce(subtract(&prime(), &self.0))
    }

    /// 2^256 is 38; then p off as often as it goes.
    fn reduce(mut bytes: Vec<u8>) -> Self {
        bytes.resize(bytes.len().max(32), 0);
        while bytes.len() > 32 {
            let high = bytes.split_off(32);
            let mut columns: Vec<u64> = bytes.iter().map(|byte| u64::from(*byte)).collect();
            columns.resize(high.len().max(32) + 1, 0);
            for (column, high) in columns.iter_mut().zip(high) {
                *column += 38 * u64::from(high);
            }
            bytes = carry(columns);
            while bytes.len() > 32 && bytes.last() == Some(&0) {
                bytes.pop();
            }
        }
        while bytes.iter().rev().ge(prime().iter().rev()) {
            bytes = subtract(&bytes, &prime());
        }
        Self(bytes)
    }
}

fn prime() -> Vec<u8> {
    let mut bytes = vec![0xFF; 32];
    (bytes[0], bytes[31]) = (0xED, 0x7F);
    bytes
}

fn carry(columns: Vec<u64>) -> Vec<u8> {
    let mut carry = 0;
    let mut bytes: Vec<u8> = columns
        .into_iter()
        .map(|column| {
            carry = column + (carry >> 8);
            carry as u8
        })
        .collect();
    bytes.extend_from_slice(&(carry >> 8).to_le_bytes());
    bytes
}

fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            let difference = i16::from(*a) - i16::from(*b) - borrow;
            borrow = i16::from(difference < 0);
            difference as u8
        })
        .collect()
}

/// Endless numbers, the same every time (SplitMix64).
pub(super) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[test]
fn the_twin_counts_as_numbers_do() {
    let small = |n: i128| Twin::of_limbs([n, 0, 0, 0, 0]);
    assert_eq!(small(7).mul(&small(6)), small(42));
    assert_eq!(small(7).sub(&small(9)), small(-2));
    assert_eq!(small(-2).add(&small(2)), small(0));
    // 2^255 is 19.
    assert_eq!(Twin::of_limbs([0, 0, 0, 0, 1 << 51]), small(19));
    assert_eq!(Twin::of_limbs([-19, 0, 0, 0, 1 << 51]), small(0));
    let third = small(3).mul(&Twin::of(&Fe([3, 0, 0, 0, 0]).invert()));
    assert_eq!(third, small(1).mul(&third));
}
