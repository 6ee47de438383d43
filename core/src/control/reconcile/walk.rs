//! Which coded symbols a name goes into: symbol i with a chance of 1 / (1 + i/2), by its keyed hash alone.
//!
//! From "Practical Rateless Set Reconciliation" (Yang, Gilad, Alizadeh, 2024): from symbol i, the next is
//! i + (i + 3/2) (1/sqrt(u) - 1), rounded up, for u drawn evenly between zero and one. Both sides must draw the same, so
//! it is integers only: 1/sqrt(u) comes from a table of 193 points and lines between them.

/// Points of 1/sqrt(x) for x = 64/256 to 256/256, in units of 2^-32.
static INVERSE_ROOTS: [u64; 193] = {
    let mut table = [0; 193];
    let mut i = 0;
    while i < table.len() {
        // (2^32 / sqrt(x / 256))^2 = 2^72 / x.
        table[i] = ((1_u128 << 72) / (64 + i as u128)).isqrt() as u64;
        i += 1;
    }
    table
};

/// Past this no symbol is numbered: a walk that comes here has ended.
pub const END: u32 = u32::MAX;

/// One name's way through the symbols.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    rng: u64,
    next: u32,
}

impl Walk {
    /// The way of the name with this hash. Every way begins at symbol 0.
    #[inline]
    pub fn new(hash: u64) -> Self {
        Self { rng: hash, next: 0 }
    }

    /// The next symbol on the way.
    #[inline]
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Goes on behind that symbol.
    #[inline]
    pub fn step(&mut self) {
        self.rng = self.rng.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let product = u128::from(self.rng) * u128::from(self.rng ^ 0xD1B5_4A32_D192_ED03);
        let drawn = (product >> 64) as u64 ^ product as u64;
        // Gaps are below (2i + 3) 2^57 / 2^33: 57 bits and more for the largest i, so they are counted in 128.
        let gap = ((u128::from(self.next) * 2 + 3) * u128::from(inverse_root(drawn) - (1 << 32))) >> 33;
        let from = self.next;
        self.next = u32::try_from(u128::from(from) + gap + 1).unwrap_or(END);
        debug_assert!(self.next > from || from == END, "a walk from {from} goes on");
    }
}

/// 2^32 / sqrt((u + 1) / 2^64), at most 2^57.
#[inline]
fn inverse_root(u: u64) -> u64 {
    // u = x 4^-k with x of at least a quarter, and then 1/sqrt(u) = 2^k / sqrt(x).
    let k = (u.leading_zeros() / 2).min(24);
    let x = u << (2 * k);
    let (at, rest) = (((x >> 56) as usize).max(64) - 64, x >> 40 & 0xFFFF);
    let (above, below) = (INVERSE_ROOTS[at], INVERSE_ROOTS[at + 1]);
    debug_assert!(above > below && rest >> 16 == 0, "between two points of a falling line");
    (above - (((above - below) * rest) >> 16)) << k
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Random;

    #[test]
    fn the_table_is_the_inverse_root() {
        let mut random = Random::new(1);
        for shift in 0..40 {
            let u = random.u64() >> shift;
            let exact = 2_f64.powi(32) / (u as f64 / 2_f64.powi(64)).sqrt();
            let ours = inverse_root(u) as f64;
            assert!((ours / exact - 1.0).abs() < 1e-4, "{u:x}: {ours} is not {exact}");
        }
        assert_eq!(inverse_root(u64::MAX) >> 32, 1);
        assert!(inverse_root(0) <= 1 << 57);
    }

    #[test]
    fn symbols_are_as_dense_as_the_paper_wants() {
        let mut random = Random::new(2);
        let mut hits = [0_u32; 200];
        let names = 100_000;
        for _ in 0..names {
            let mut walk = Walk::new(random.u64());
            while let Some(hit) = hits.get_mut(walk.next() as usize) {
                *hit += 1;
                walk.step();
            }
        }
        for (i, hit) in hits.iter().enumerate() {
            let (chance, drawn) = (2.0 / (2.0 + i as f64), f64::from(*hit) / f64::from(names));
            assert!((drawn / chance - 1.0).abs() < 0.1, "symbol {i}: {drawn}, not {chance}");
        }
    }

    #[test]
    fn every_walk_ends() {
        let mut random = Random::new(3);
        for _ in 0..1_000 {
            let mut walk = Walk::new(random.u64());
            let mut steps = 0;
            while walk.next() < END {
                let before = walk.next();
                walk.step();
                assert!(walk.next() > before);
                steps += 1;
            }
            assert!(steps < 200);
        }
    }
}
