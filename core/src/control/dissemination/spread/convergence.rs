//! When an update has converged, as far as one node can tell: nobody next to it lacked it any more.
//!
//! An update counts as converged once it has been quiet for [`QUIET`]: since then no neighbour announced it, was sent it,
//! or asked for it. Its time runs from the first hearing of it to the last such event: the wave's passage through this
//! neighbourhood. Figures of `mesh.gossip.convergence.time` and `.rounds`.

/// How long nothing may happen to an update before it counts as converged, microseconds.
pub const QUIET: u64 = 500_000;
/// Upper bounds of the classes of time, milliseconds; a last class is beyond.
pub const TIME_MS: [u32; 7] = [10, 50, 100, 500, 1_000, 5_000, 10_000];
/// Upper bounds of the classes of rounds; a last class is beyond.
pub const ROUNDS: [u32; 7] = [3, 5, 7, 10, 15, 20, 30];

/// How long updates took, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Convergence {
    /// Updates that have converged here.
    pub count: u32,
    /// By time, as [`TIME_MS`].
    pub time: [u32; TIME_MS.len() + 1],
    /// By rounds, as [`ROUNDS`].
    pub rounds: [u32; ROUNDS.len() + 1],
    /// The time of the last of them, microseconds.
    pub last_micros: u32,
}

impl Convergence {
    /// Takes in an update that has converged.
    pub(in crate::control) fn record(&mut self, micros: u32, rounds: u16) {
        self.count = self.count.saturating_add(1);
        self.last_micros = micros;
        let class = TIME_MS.partition_point(|bound| micros > bound.saturating_mul(1_000));
        self.time[class] = self.time[class].saturating_add(1);
        let class = ROUNDS.partition_point(|bound| u32::from(rounds) > *bound);
        self.rounds[class] = self.rounds[class].saturating_add(1);
        debug_assert!(
            self.count == u32::MAX || self.time.iter().sum::<u32>() == self.count,
            "one class each"
        );
        debug_assert!(
            self.count == u32::MAX || self.rounds.iter().sum::<u32>() == self.count,
            "one class each"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_falls_into_its_class() {
        let mut figures = Convergence::default();
        for (micros, rounds) in [(0, 0), (10_000, 3), (10_001, 4), (u32::MAX, 31)] {
            figures.record(micros, rounds);
        }
        assert_eq!((figures.count, figures.last_micros), (4, u32::MAX));
        assert_eq!(figures.time, [2, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(figures.rounds, [2, 1, 0, 0, 0, 0, 0, 1]);
    }
}
