//! The control plane's randomness: small, fast, seeded by the embedder, the same in every run.

use alloc::vec::Vec;

/// SplitMix64 (Steele, Lea, Flood, 2014). Predictable to who knows the seed, so it never makes secrets.
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
