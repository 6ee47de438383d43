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

/// Additions for sB + k(-A): first the windows of s, then those of k.
pub(super) const STEPS: usize = BASE.count() + KEY.count();

/// How a scalar is cut.
#[derive(Clone, Copy)]
pub(super) struct Windows {
    bits: usize,
}

impl Windows {
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

    /// The bias modulo L, little-endian: half * (2^252 - 1)/(2^w - 1), which is below 2^252.
    const fn bias(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let mut window = 0;
        while window < self.count() {
            let bit = window * self.bits + self.bits - 1;
            bytes[bit / 8] |= 1 << (bit % 8);
            window += 1;
        }
        bytes
    }
}

const _: () = assert!(
    KEY.count() * KEY.bits == 252 && BASE.count() * BASE.bits == 252,
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

/// Cuts `n` into digits, one a window, lowest first.
#[inline(always)]
pub(super) fn cut(n: &Scalar, windows: Windows, mut each: impl FnMut(usize, Digit)) {
    let biased = n + Scalar::from_bytes_mod_order(windows.bias());
    let bytes = biased.as_bytes();
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

    fn whole(n: &Scalar, windows: Windows) -> Scalar {
        let radix = Scalar::from(1_u64 << windows.bits);
        let mut power = Scalar::ONE;
        let mut sum = Scalar::ZERO;
        cut(n, windows, |window, digit| {
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
            let bias = Scalar::from_bytes_mod_order(windows.bias());
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
            let n = -Scalar::ONE - Scalar::from_bytes_mod_order(windows.bias());
            let mut last = Digit::default();
            cut(&n, windows, |_, digit| last = digit);
            assert_eq!(last.entry as usize, windows.table() - 1);
            assert!(!last.negative);
        }
    }
}
