//! A keyed Bloom filter (Bloom, 1970): which names the other side has for certain not, for a fraction of what naming
//! them costs.
//!
//! When one side is far behind, coded symbols cost 18 bytes for each of very many differences. The side that has less
//! sends a filter of what it has instead, at most ten bits a name; the other then knows all but one in a hundred of what
//! is missing there, and the next comparison finds the rest.

use alloc::boxed::Box;
use alloc::vec;

use super::key::{Key, Name};

/// Bits for each name, where there is room: one in 120 that are not there seems to be.
pub const BITS_PER_NAME: u64 = 10;
/// Bits that a name sets, for [`BITS_PER_NAME`]: their product with ln 2.
const HASHES: u32 = 7;

/// A filter in the making, or one that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bloom {
    key: Key,
    hashes: u32,
    bits: Box<[u8]>,
}

impl Bloom {
    /// Bytes for `names`, up to `most`.
    pub fn bytes_for(names: u32, most: usize) -> usize {
        ((u64::from(names) * BITS_PER_NAME).div_ceil(8)).min(most as u64) as usize
    }

    /// The hash functions that are best for so many names in so many bytes: bits a name times ln 2, at least one.
    pub fn hashes_for(names: u32, bytes: usize) -> u32 {
        let bits = bytes as u64 * 8;
        ((bits * 693 / 1_000).div_ceil(u64::from(names.max(1)))).clamp(1, HASHES.into()) as u32
    }

    /// A filter of `names`, sized by their number, of at most `most` bytes.
    pub fn of<N: Name>(key: Key, names: &[N], most: usize) -> Self {
        let size = names.len() as u32;
        let mut bloom = Self::empty(key, size, Self::bytes_for(size, most));
        assert!(bloom.bits.len() <= most, "a filter of {} bytes", bloom.bits.len());
        names.iter().for_each(|name| bloom.insert(*name));
        bloom
    }

    /// A filter of `size` names that are still to come, as bits or one by one.
    pub fn empty(key: Key, size: u32, bytes: usize) -> Self {
        let hashes = Self::hashes_for(size, bytes);
        assert!((1..=HASHES).contains(&hashes), "{hashes} hashes");
        Self { key, hashes, bits: vec![0; bytes].into() }
    }

    /// Puts a name in. A filter of no bytes says of everything that it is not there.
    pub fn insert<N: Name>(&mut self, name: N) {
        if self.bits.is_empty() {
            return;
        }
        for bit in probes(self.hashes, self.bits.len(), name.under(&self.key)) {
            self.bits[bit / 8] |= 1 << (bit % 8);
        }
        debug_assert!(self.may_hold(name), "no name that was put in is ever denied");
    }

    /// Whether the name may be in it. A no is certain.
    pub fn may_hold<N: Name>(&self, name: N) -> bool {
        !self.bits.is_empty()
            && probes(self.hashes, self.bits.len(), name.under(&self.key))
                .all(|bit| self.bits[bit / 8] >> (bit % 8) & 1 == 1)
    }

    /// Its bits, as they go on the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bits
    }

    /// Its bits, to be filled with what came.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bits
    }
}

/// The bits of a name: two halves of one hash make them all (Kirsch and Mitzenmacher, 2006).
fn probes(hashes: u32, bytes: usize, hash: u64) -> impl Iterator<Item = usize> {
    let (bits, step) = (bytes as u64 * 8, hash.rotate_left(32) | 1);
    (0..u64::from(hashes)).map(move |i| {
        let mixed = hash.wrapping_add(i.wrapping_mul(step));
        ((u128::from(mixed) * u128::from(bits)) >> 64) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Random;
    use alloc::vec::Vec;
    use std::eprintln;

    #[test]
    fn what_was_put_in_is_always_there() {
        let mut random = Random::new(1);
        let key = Key::of("test", 1, 2);
        for (count, most) in [(0, 100), (1, 100), (1_000, 64), (1_000, 1 << 20), (50, 0)] {
            let names: Vec<u64> = (0..count).map(|_| random.u64()).collect();
            let bloom = Bloom::of(key, &names, most);
            assert!(bloom.bytes().len() <= most);
            assert!(most == 0 || names.iter().all(|name| bloom.may_hold(*name)));
        }
    }

    #[test]
    fn an_empty_filter_holds_nothing() {
        assert!(!Bloom::of::<u64>(Key::of("test", 1, 2), &[], 1 << 20).may_hold(7_u64));
    }

    /// `cargo test --release -p octick-core -- --nocapture false_positives_are_as_many`
    #[test]
    fn false_positives_are_as_many_as_theory_says() {
        let (mut random, asked) = (Random::new(2), 200_000);
        for (count, most) in [(10_000, 1 << 20), (10_000, 10_000), (10_000, 5_000), (10_000, 2_500)] {
            let names: Vec<u64> = (0..count).map(|_| random.u64()).collect();
            let bloom = Bloom::of(Key::of("test", count, most), &names, most as usize);
            let wrong = (0..asked).filter(|_| bloom.may_hold(random.u64())).count() as f64 / f64::from(asked);
            let (k, bits) = (f64::from(bloom.hashes), bloom.bytes().len() as f64 * 8.0);
            let theory = (1.0 - (-k * count as f64 / bits).exp()).powf(k);
            eprintln!(
                "{:5.2} bits a name: {:.3} % pass wrongly, {:.3} % in theory",
                bits / count as f64,
                100.0 * wrong,
                100.0 * theory
            );
            assert!((wrong / theory - 1.0).abs() < 0.15, "{wrong} is not {theory}");
        }
    }

    #[test]
    fn as_many_hashes_as_bits_a_name_allow() {
        for (names, bytes, hashes) in
            [(100, 125, 7), (300, 125, 3), (1_000, 125, 1), (1, 125, 7), (0, 1, 5), (9, 0, 1)]
        {
            assert_eq!(Bloom::hashes_for(names, bytes), hashes, "{names} names in {bytes} bytes");
        }
    }
}
