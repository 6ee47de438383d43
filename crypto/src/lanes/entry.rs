//! An entry of a comb table: an affine point, in the words that the kernel computes with.

use super::field::Fe;
use super::point::Affine;

/// A point in a table: three numbers of five words, (y + x)/2, (y - x)/2 and dxy, and a word of padding.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Entry(pub(super) [u64; 16]);

/// What the words of a table's entries are: as the kernel that reads them computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Limbs from 0 up to 2^51.
    Words,
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "no kernel there computes so"))]
    /// Limbs between -2^50 and 2^50 + 19, as the bits of an `f64`.
    Floats,
}

impl Entry {
    /// Not a point yet.
    pub(super) const EMPTY: Self = Self([0; 16]);

    pub(super) fn new(point: &Affine, form: Form) -> Self {
        let mut words = [0; 16];
        for (i, fe) in [point.plus, point.minus, point.dxy].into_iter().enumerate() {
            let Fe(limbs) = fe.reduced();
            words[5 * i..5 * i + 5].copy_from_slice(&match form {
                Form::Words => limbs,
                Form::Floats => balanced(limbs).map(|limb| (limb as f64).to_bits()),
            });
        }
        Self(words)
    }

    /// The point of an entry in this form. Loose.
    #[inline(always)]
    pub(super) fn affine(&self, form: Form) -> Affine {
        // 2p, more than any negative limb.
        const TWICE_P: [i64; 5] =
            [(1 << 52) - 38, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2];
        let words = match form {
            Form::Words => self.0,
            Form::Floats => {
                let mut words = self.0;
                for (i, word) in words[..15].iter_mut().enumerate() {
                    *word = (f64::from_bits(*word) as i64 + TWICE_P[i % 5]) as u64;
                }
                words
            }
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, _] = words;
        Affine { plus: Fe([a, b, c, d, e]), minus: Fe([f, g, h, i, j]), dxy: Fe([k, l, m, n, o]) }
    }
}

/// The same number in limbs from -2^50 up to 2^50; the first may be 19 more.
fn balanced(limbs: [u64; 5]) -> [i64; 5] {
    let mut limbs = limbs.map(|limb| limb as i64);
    for i in 0..5 {
        if limbs[i] >= 1 << 50 {
            limbs[i] -= 1 << 51;
            limbs[(i + 1) % 5] += if i == 4 { 19 } else { 1 };
        }
    }
    limbs
}
