//! Scalars as signed digits: which entry of which window each addition takes.
//!
//! A multiple nP with n below L, in windows of w bits: let v = n + bias mod L, where the bias is half a window,
//! 2^(w-1), in each of the 252/w windows. Then n = the sum of (digit - half) * 2^(w i) modulo L over the digits of v,
//! and every digit but the last lies in 0..2^w. L is a little more than 2^252, so the last one may be 2^w itself: a
//! signed digit runs from -half to +half, both included, and tables hold 0 to half. L is odd and every P that comes
//! here has order L, so working modulo L loses nothing; a bit less than L would leave a gap that a forger can aim at.

use curve25519_dalek::scalar::Scalar;

/// Windows of the table of a key: 6 bits each.
pub(super) const KEY: Windows = Windows { bits: 6 };
/// Windows of the table of the base point: 12 bits each.
pub(super) const BASE: Windows = Windows { bits: 12 };

/// Windows of the tables that are made for one signature: 4 bits each.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no kernel there has lanes"))]
pub(super) const SHORT: Windows = Windows { bits: 4 };

/// Additions for sB + k(-A): first the windows of s, then those of k.
pub(super) const STEPS: usize = BASE.count() + KEY.count();

/// How a scalar is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Windows {
    bits: usize,
}

impl Windows {
    /// How wide a window is.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no kernel there has lanes"))]
    pub(super) const fn bits(self) -> usize {
        self.bits
    }

    /// How many windows there are.
    pub(super) const fn count(self) -> usize {
        252 / self.bits
    }

    /// The greatest digit.
    pub(super) const fn half(self) -> usize {
        1 << (self.bits - 1)
    }

    /// Entries a window of a table has: 0 to half.
    pub(super) const fn entries(self) -> usize {
        self.half() + 1
    }

    /// Entries of a whole table.
    pub(super) const fn table(self) -> usize {
        self.count() * self.entries()
    }

    /// The bias: half * (2^252 - 1)/(2^w - 1), which is below 2^252.
    const fn bias(self) -> Residue {
        let mut words = [0; 4];
        let mut window = 0;
        while window < self.count() {
            let bit = window * self.bits + self.bits - 1;
            words[bit / 64] |= 1 << (bit % 64);
            window += 1;
        }
        Residue(words)
    }
}

const _: () = assert!(
    KEY.count() * KEY.bits == 252 && SHORT.count() * SHORT.bits == 252 && BASE.count() * BASE.bits == 252,
    "the windows end where 2^252 does"
);

/// One term of the sum: an entry of a table, added or subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Digit {
    /// Place in the table.
    pub(super) entry: u32,
    /// Whether it is subtracted.
    pub(super) negative: bool,
}

/// A number modulo L, below it; the lowest word first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Residue([u64; 4]);

impl Residue {
    pub(super) const ZERO: Self = Self([0; 4]);

    /// The number in these bytes, if it is below L.
    #[inline]
    pub(super) fn canonical(bytes: &[u8; 32]) -> Option<Self> {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        subtract(&words, &ORDER).is_none().then_some(Self(words))
    }

    /// The number in 64 bytes modulo L.
    #[inline]
    pub(super) fn of_hash(hash: &[u8; 64]) -> Self {
        Self::canonical(Scalar::from_bytes_mod_order_wide(hash).as_bytes()).expect("dalek reduces")
    }

    /// The sum modulo L. Both are below 2^253, so nothing carries out of four words.
    #[inline]
    fn plus(&self, other: &Self) -> Self {
        let mut carry = false;
        let sum = core::array::from_fn(|i| {
            let (sum, over) = self.0[i].overflowing_add(other.0[i]);
            let (sum, again) = sum.overflowing_add(carry.into());
            carry = over | again;
            sum
        });
        Self(subtract(&sum, &ORDER).unwrap_or(sum))
    }

    #[inline]
    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }
}

/// L = 2^252 + 27742317777372353535851937790883648493.
pub(super) const ORDER: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 1 << 60];

/// a - b, unless that is negative.
#[inline]
fn subtract(a: &[u64; 4], b: &[u64; 4]) -> Option<[u64; 4]> {
    let mut borrow = false;
    let difference = core::array::from_fn(|i| {
        let (difference, under) = a[i].overflowing_sub(b[i]);
        let (difference, again) = difference.overflowing_sub(borrow.into());
        borrow = under | again;
        difference
    });
    (!borrow).then_some(difference)
}

/// Cuts `n` into digits, one a window, lowest first.
#[inline(always)]
pub(super) fn cut(n: &Residue, windows: Windows, mut each: impl FnMut(usize, Digit)) {
    let bytes = n.plus(&windows.bias()).to_bytes();
    let half = windows.half() as i32;
    for window in 0..windows.count() {
        let bit = window * windows.bits;
        // A window reaches over three bytes at most, and the last one ends in the highest byte.
        let at = (bit / 8).min(28);
        let (word, _) = bytes[at..].split_first_chunk().expect("at most 28");
        let raw = u32::from_le_bytes(*word) >> (bit - 8 * at);
        // The last window takes the bit above it too, see above.
        let raw = if window + 1 == windows.count() { raw } else { raw & ((1 << windows.bits) - 1) };
        let digit = raw as i32 - half;
        let entry = (window * windows.entries()) as u32 + digit.unsigned_abs();
        each(window, Digit { entry, negative: digit < 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn residue(n: &Scalar) -> Residue {
        Residue::canonical(n.as_bytes()).expect("a scalar is below L")
    }

    fn scalar(n: &Residue) -> Scalar {
        Scalar::from_bytes_mod_order(n.to_bytes())
    }

    #[test]
    fn residues_are_the_scalars_of_dalek() {
        let order = Residue(ORDER).to_bytes();
        assert_eq!(Scalar::from_bytes_mod_order(order), Scalar::ZERO);
        assert_eq!(Residue::canonical(&order), None);
        assert_eq!(Residue::canonical(&[0xFF; 32]), None);
        let most = -Scalar::ONE;
        assert_eq!(scalar(&residue(&most)), most);
        let mut n = Scalar::from(7_u64);
        for _ in 0..200 {
            n = n * n + Scalar::ONE;
            for other in [n + n, most, Scalar::ONE, Scalar::ZERO, -n, -n - Scalar::ONE] {
                let sum = residue(&n).plus(&residue(&other));
                assert_eq!(sum, residue(&(n + other)));
            }
        }
    }

    fn whole(n: &Scalar, windows: Windows) -> Scalar {
        let radix = Scalar::from(1_u64 << windows.bits);
        let mut power = Scalar::ONE;
        let mut sum = Scalar::ZERO;
        cut(&residue(n), windows, |window, digit| {
            let place = digit.entry as usize - window * windows.entries();
            assert!(place <= windows.half(), "digit {place} of window {window}");
            let term = power * Scalar::from(place as u64);
            sum += if digit.negative { -term } else { term };
            power *= radix;
        });
        sum
    }

    #[test]
    fn digits_add_up_to_the_scalar() {
        for windows in [KEY, BASE] {
            let bias = scalar(&windows.bias());
            // Around 0 and L, around where the biased scalar passes 0, L and 2^252, and spread everywhere.
            let top = Scalar::from_bytes_mod_order(core::array::from_fn(|i| u8::from(i == 31) * 0x10));
            for middle in [Scalar::ZERO, bias, -bias, top, top - bias, top + bias] {
                for near in 0..70_u64 {
                    for n in [middle + Scalar::from(near), middle - Scalar::from(near)] {
                        assert_eq!(whole(&n, windows), n);
                    }
                }
            }
            let mut n = Scalar::from(3_u64);
            for _ in 0..500 {
                n = n * n + Scalar::ONE;
                assert_eq!(whole(&n, windows), n);
            }
        }
    }

    #[test]
    fn the_gap_between_two_to_the_252_and_the_order_takes_the_extra_digit() {
        for windows in [KEY, BASE] {
            let n = -Scalar::ONE - scalar(&windows.bias());
            let mut last = Digit::default();
            cut(&residue(&n), windows, |_, digit| last = digit);
            assert_eq!(last.entry as usize, windows.table() - 1);
            assert!(!last.negative);
        }
    }
}
