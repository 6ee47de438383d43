//! How much two sets differ, in 96 bytes: the tug of war (Alon, Matias, Szegedy, 1996).
//!
//! Each of 64 ropes is pulled by every name, one way or the other, as one bit of its hash says. The difference of two
//! sets' ropes is a sum of as many ±1 as they differ in names, and the mean square of 64 such sums is that number, give or
//! take 18 %. Ropes are told modulo 2^12, which is enough for differences up to 250,000 names.

use super::key::{Key, Name};

/// Sums of signs.
pub const ROPES: usize = 64;
/// Bits of a rope on the wire.
const BITS: u32 = 12;
/// Bytes on the wire.
pub const LEN: usize = ROPES * BITS as usize / 8;
// Ropes are counted eight to a word, eight words of them, and travel two in three bytes.
const _: () = assert!(ROPES == 8 * 8 && LEN == ROPES / 2 * 3 && BITS <= u16::BITS);

/// A set in 64 sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// How many names pull one way; the others pull the other way.
    ones: [u32; ROPES],
    size: u32,
    /// Counters of eight bits, eight a word, that were not added yet; and how many names are in them.
    pending: [u64; 8],
    waiting: u8,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { ones: [0; ROPES], size: 0, pending: [0; 8], waiting: 0 }
    }
}

impl Sketch {
    /// The sketch of a set.
    pub fn of<N: Name>(key: &Key, names: impl IntoIterator<Item = N>) -> Self {
        let mut sketch = Self::default();
        names.into_iter().for_each(|name| sketch.add(name.under(key)));
        sketch
    }

    /// Adds a name by its hash.
    ///
    /// In words: of 64 counters, add one to those whose bit is set. Departure: eight counters share a word, bits of one
    /// residue are added at once, and every 255 names the counters are emptied before they can run over.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        for (i, word) in self.pending.iter_mut().enumerate() {
            *word += hash >> i & 0x0101_0101_0101_0101;
        }
        self.size = self.size.wrapping_add(1);
        self.waiting += 1;
        if self.waiting == u8::MAX {
            self.settle();
        }
        debug_assert!(self.waiting < u8::MAX, "the next name would carry into a neighbour's count");
    }

    fn settle(&mut self) {
        debug_assert!(u32::from(self.waiting) <= self.size, "{} of {} names wait", self.waiting, self.size);
        for (i, word) in core::mem::take(&mut self.pending).into_iter().enumerate() {
            for (j, count) in word.to_le_bytes().into_iter().enumerate() {
                self.ones[8 * j + i] += u32::from(count);
            }
        }
        self.waiting = 0;
    }

    /// As it goes on the wire: two ropes in three bytes.
    pub fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let ropes = self.ropes();
        for (place, [a, b]) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(ropes.as_chunks::<2>().0) {
            let [low, middle, high, _] = (u32::from(*a) | u32::from(*b) << BITS).to_le_bytes();
            *place = [low, middle, high];
        }
        bytes
    }

    /// About in how many names this set differs from that whose sketch came.
    pub fn differs_by(&self, other: &[u8; LEN]) -> u32 {
        let ropes = self.ropes();
        let mut squares = 0;
        for ([low, middle, high], [a, b]) in other.as_chunks::<3>().0.iter().zip(ropes.as_chunks::<2>().0) {
            let pair = u32::from_le_bytes([*low, *middle, *high, 0]);
            for (ours, theirs) in [(*a, pair as u16), (*b, (pair >> BITS) as u16)] {
                // The difference modulo 2^12, as the signed number nearest to zero.
                let apart = (ours.wrapping_sub(theirs) << (16 - BITS)) as i16 >> (16 - BITS);
                squares += i64::from(apart).pow(2);
            }
        }
        (squares / ROPES as i64) as u32
    }

    /// The sums, modulo 2^12.
    fn ropes(&self) -> [u16; ROPES] {
        let mut settled = self.clone();
        settled.settle();
        settled.ones.map(|ones| ones.wrapping_mul(2).wrapping_sub(self.size) as u16 & ((1 << BITS) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Random;
    use alloc::vec::Vec;

    #[test]
    fn ropes_count_the_bits_of_hashes() {
        let mut random = Random::new(1);
        let hashes: Vec<u64> = (0..1_000).map(|_| random.u64()).collect();
        let mut sketch = Sketch::default();
        hashes.iter().for_each(|hash| sketch.add(*hash));
        for (i, rope) in sketch.ropes().into_iter().enumerate() {
            let sum: i32 = hashes.iter().map(|hash| if hash >> i & 1 == 1 { 1 } else { -1 }).sum();
            assert_eq!(i32::from(rope), sum.rem_euclid(1 << BITS), "rope {i}");
        }
    }

    #[test]
    fn the_estimate_is_near_the_difference() {
        let mut random = Random::new(2);
        for differ in [0_usize, 1, 10, 100, 1_000, 10_000, 100_000] {
            let key = Key::of("test", random.u64(), random.u64());
            let names: Vec<u64> = (0..100_000 + differ).map(|_| random.u64()).collect();
            // A third of what differs is here, two thirds are there.
            let ours = Sketch::of(&key, names[differ / 3..100_000].iter().copied());
            let theirs = names.iter();
            let theirs = Sketch::of(&key, theirs.copied());
            let exact = (differ / 3 + differ) as f64;
            let guess = f64::from(ours.differs_by(&theirs.encode()));
            assert!((guess - exact).abs() <= 0.7 * exact, "{guess} is far from {exact}");
        }
    }
}
