//! The control plane's randomness, seeded by the embedder, the same in every run: [`Random`], small and fast, for choices that nobody
//! else is shown as numbers; [`Nonces`] for numbers that others see and must not foretell.
//!
//! What can never happen: a number on the wire from which the next one, or any other, could be worked out.

use alloc::vec::Vec;
use core::fmt;

/// Numbers that go on the wire: session ids, shares, the nonces of probes. Each is a keyed BLAKE3 hash of how many came before it, so
/// whoever has seen any of them knows nothing of the others but that they differ by chance.
pub struct Nonces {
    key: [u8; 32],
    drawn: u64,
}

impl Nonces {
    /// Those for one purpose of a process that began with `seed`, and knows a `secret` that nobody else does. The same numbers for the
    /// same three.
    pub fn new(secret: &[u8; 32], seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(secret);
        hasher.update(b"octick nonces ");
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Self { key: *hasher.finalize().as_bytes(), drawn: 0 }
    }

    /// The next number.
    pub fn u64(&mut self) -> u64 {
        self.drawn += 1;
        debug_assert!(self.drawn > 0, "no number is drawn twice");
        let hash = blake3::keyed_hash(&self.key, &self.drawn.to_le_bytes());
        u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has eight bytes"))
    }

    /// The next number, of half the length.
    pub fn u32(&mut self) -> u32 {
        self.u64() as u32
    }
}

impl fmt::Debug for Nonces {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

/// SplitMix64 (Steele, Lea, Flood, 2014). One number of it gives away its state, so none of them is ever said.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Dice that fall by `seed` alone.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Dice for another purpose, which fall independently of these.
    pub fn fork(&mut self) -> Self {
        Self::new(self.u64())
    }

    /// Any number.
    pub fn u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, each as likely as the next but for one part in 2^64 / n (Lemire, 2019).
    ///
    /// # Panics
    /// When `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "no number is below zero");
        let drawn = ((u128::from(self.u64()) * u128::from(n)) >> 64) as u64;
        debug_assert!(drawn < n);
        drawn
    }

    /// An index into a slice of `len`.
    ///
    /// # Panics
    /// When `len` is zero.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Whether something that happens in `permille` of a thousand cases happens.
    pub fn permille(&mut self, permille: u32) -> bool {
        debug_assert!(permille <= 1_000, "{permille} of a thousand cases");
        self.below(1_000) < u64::from(permille)
    }

    /// Puts `items` in any order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.index(i + 1));
        }
    }

    /// Up to `count` different indices below `len`, in any order.
    pub fn choose(&mut self, len: usize, count: usize) -> Vec<usize> {
        let count = count.min(len);
        let mut chosen = Vec::with_capacity(count);
        // Floyd's sampling: each draw comes from one more index, and a repeated one stands for the newest.
        for top in len - count..len {
            let drawn = self.index(top + 1);
            chosen.push(if chosen.contains(&drawn) { top } else { drawn });
        }
        assert!(chosen.len() == count, "{} of {count} were chosen", chosen.len());
        debug_assert!((1..count).all(|i| !chosen[..i].contains(&chosen[i])), "chosen twice: {chosen:?}");
        self.shuffle(&mut chosen);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_is_one_run_of_nonces_and_each_purpose_has_its_own() {
        let draw = |secret, purpose| -> Vec<u64> {
            let mut nonces = Nonces::new(&[secret; 32], 1, purpose);
            (0..10).map(|_| nonces.u64()).collect()
        };
        assert_eq!(draw(1, "a"), draw(1, "a"));
        let mut all = [draw(1, "a"), draw(2, "a"), draw(1, "b")].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 30, "no two of them are the same");
    }

    /// SplitMix64 backwards: what one number of it says of its state, and so of all that follow.
    fn state_after(number: u64) -> u64 {
        let unshift = |number: u64, by: u32| (0..64 / by).fold(number, |z, _| number ^ (z >> by));
        let inverse =
            |odd: u64| (0..6).fold(odd, |x, _| x.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(x))));
        let z = unshift(number, 31).wrapping_mul(inverse(0x94D0_49BB_1331_11EB));
        let z = unshift(z, 27).wrapping_mul(inverse(0xBF58_476D_1CE4_E5B9));
        unshift(z, 30)
    }

    #[test]
    fn a_nonce_says_nothing_of_the_next_where_a_random_number_says_all() {
        let mut random = Random::new(7);
        let mut foretold = Random::new(state_after(random.u64()));
        assert!((0..10).all(|_| random.u64() == foretold.u64()), "so it is never said");
        let mut nonces = Nonces::new(&[7; 32], 1, "test");
        let mut foretold = Random::new(state_after(nonces.u64()));
        assert!((0..1_000).all(|_| nonces.u64() != foretold.u64()));
    }

    #[test]
    fn one_seed_is_one_run() {
        let draw = |seed| -> Vec<u64> {
            let mut random = Random::new(seed);
            (0..10).map(|_| random.below(1_000)).collect()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn chosen_indices_differ_and_all_come_up() {
        let mut random = Random::new(1);
        let mut met = [false; 12];
        for _ in 0..200 {
            let mut chosen = random.choose(12, 4);
            chosen.iter().for_each(|i| met[*i] = true);
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(chosen.len(), 4);
        }
        assert_eq!((met, random.choose(2, 9).len(), random.choose(0, 3).len()), ([true; 12], 2, 0));
    }

    #[test]
    fn shuffling_keeps_what_there_is() {
        let mut items: Vec<u32> = (0..100).collect();
        Random::new(3).shuffle(&mut items);
        assert!(!items.is_sorted());
        items.sort_unstable();
        assert!(items.into_iter().eq(0..100));
    }
}
