//! Names of 8 or 16 bytes, and the keyed hash that scatters them.
//!
//! The key of a session comes from a share of either side, so whoever plants names in a set before the session cannot
//! know where they fall, and no set fails to decode by design.

use core::fmt::Debug;
use core::hash::Hash;
use core::ops::BitXorAssign;

/// A key of SipHash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(u64, u64);

impl Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// The key that the two sides' shares make; `purpose` keeps keys from the same shares apart.
    pub fn of(purpose: &str, opener: u64, answerer: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("octick v1 reconciliation");
        hasher.update(&opener.to_le_bytes()).update(&answerer.to_le_bytes()).update(purpose.as_bytes());
        let hash = hasher.finalize();
        let (words, _) = hash.as_bytes().as_chunks::<8>();
        Self(u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
    }

    /// SipHash-1-3 (Aumasson and Bernstein, 2012) of `words`, little-endian.
    #[inline]
    pub fn hash(&self, words: &[u64]) -> u64 {
        let mut v = [
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ];
        for word in words.iter().copied().chain([(words.len() as u64) << 59]) {
            v[3] ^= word;
            round(&mut v);
            v[0] ^= word;
        }
        v[2] ^= 0xFF;
        (0..3).for_each(|_| round(&mut v));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

#[inline(always)]
fn round(v: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *v;
    a = a.wrapping_add(b);
    c = c.wrapping_add(d);
    b = b.rotate_left(13) ^ a;
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32);
    c = c.wrapping_add(b);
    a = a.wrapping_add(d);
    b = b.rotate_left(17) ^ c;
    d = d.rotate_left(21) ^ a;
    c = c.rotate_left(32);
    *v = [a, b, c, d];
}

/// A name of something that nodes have or lack.
pub trait Name: Copy + Default + Ord + Hash + Debug + BitXorAssign {
    /// Bytes on the wire.
    const LEN: usize;

    /// Its keyed hash.
    fn under(self, key: &Key) -> u64;

    /// Writes it to the first [`Name::LEN`] bytes of `place`.
    ///
    /// # Panics
    /// When there are fewer.
    fn put(self, place: &mut [u8]);

    /// Reads it from the first [`Name::LEN`] bytes of `bytes`.
    ///
    /// # Panics
    /// When there are fewer.
    fn take(bytes: &[u8]) -> Self;
}

const _: () = assert!(<u64 as Name>::LEN == 8 && <u128 as Name>::LEN == 16, "whole words of the hash");

macro_rules! names {
    ($($int:ty: $words:expr,)+) => {$(
        impl Name for $int {
            const LEN: usize = size_of::<$int>();

            #[inline]
            fn under(self, key: &Key) -> u64 {
                key.hash(&$words(self))
            }

            #[inline]
            fn put(self, place: &mut [u8]) {
                place[..Self::LEN].copy_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn take(bytes: &[u8]) -> Self {
                Self::from_le_bytes(*bytes.first_chunk().expect("as many bytes as the name has"))
            }
        }
    )+};
}

names! {
    u64: |name: u64| [name],
    u128: |name: u128| [name as u64, (name >> 64) as u64],
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{DefaultHasher, Hasher};

    #[test]
    fn the_hash_is_siphash_1_3() {
        // The standard library's hasher is SipHash-1-3 under a key of zeros.
        for name in [0, 1, u64::MAX, 0x0123_4567_89AB_CDEF] {
            let mut twin = DefaultHasher::new();
            twin.write(&name.to_le_bytes());
            assert_eq!(name.under(&Key(0, 0)), twin.finish());
            let long = u128::from(name) << 64 | 77;
            let mut twin = DefaultHasher::new();
            twin.write(&long.to_le_bytes());
            assert_eq!(long.under(&Key(0, 0)), twin.finish());
        }
    }

    #[test]
    fn either_share_and_the_purpose_change_the_key() {
        let keys = [Key::of("a", 1, 2), Key::of("a", 1, 3), Key::of("a", 2, 1), Key::of("b", 1, 2)];
        for (i, key) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|other| other != key));
        }
    }
}
