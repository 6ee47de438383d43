//! Peer selection, of those one could write to: anybody, the nearest, mostly the nearest, or those of the local region.

use crate::control::id::{MemberIndex, Region};
use crate::control::membership::rtt::Rtt;
use crate::random::Random;

/// How peers are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Each as likely as the next: the best mixing, and the reference for convergence.
    #[default]
    Random,
    /// The nearest by round trip; those never measured come last.
    LatencyAware,
    /// Four of five nearest, one of five any: near, and yet no clique closes on itself.
    Hybrid,
    /// Those of the own region, any of them; then others, nearest first.
    Geographic,
}

impl Strategy {
    /// Its name in configuration, and as the metric attribute `strategy`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::LatencyAware => "latency_aware",
            Self::Hybrid => "hybrid",
            Self::Geographic => "geographic",
        }
    }

    /// The strategy of that name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Random, Self::LatencyAware, Self::Hybrid, Self::Geographic];
        all.into_iter().find(|strategy| strategy.name() == name)
    }
}

/// Somebody who could be chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Candidate {
    /// Who.
    pub place: MemberIndex,
    /// The local region.
    pub region: Region,
    /// How far.
    pub rtt: Rtt,
}

impl Candidate {
    fn distance(&self) -> u32 {
        self.rtt.micros().unwrap_or(u32::MAX)
    }
}

/// Chooses `count` of the candidates, or all there are; nobody twice. The chosen are left in front, the others behind them.
pub fn choose<'c>(
    strategy: Strategy,
    candidates: &'c mut [Candidate],
    count: usize,
    local_region: Region,
    random: &mut Random,
) -> &'c [Candidate] {
    let count = count.min(candidates.len());
    // Equals, among them all whose distance nobody knows, must not be chosen by their place in the list.
    random.shuffle(candidates);
    match strategy {
        Strategy::Random => {}
        Strategy::LatencyAware => candidates.sort_unstable_by_key(Candidate::distance),
        Strategy::Hybrid => {
            candidates.sort_unstable_by_key(Candidate::distance);
            let near = (count * 4).div_ceil(5).min(count);
            random.shuffle(&mut candidates[near..]);
        }
        Strategy::Geographic => candidates.sort_unstable_by_key(|candidate| {
            if candidate.region == local_region { (false, 0) } else { (true, candidate.distance()) }
        }),
    }
    assert!(count <= candidates.len(), "{count} of {}", candidates.len());
    &candidates[..count]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// A hundred candidates; number `i` is `i + 1` milliseconds away, every tenth of the local region, number 99 unmeasured.
    fn chosen(strategy: Strategy, count: usize, seed: u64) -> Vec<u32> {
        let mut candidates: Vec<Candidate> = (0..100)
            .map(|i| {
                let mut rtt = Rtt::default();
                if i != 99 {
                    rtt.sample(u64::from(i + 1) * 1_000);
                }
                Candidate { place: MemberIndex(i), region: Region(i as u16 % 10), rtt }
            })
            .collect();
        let chosen = choose(strategy, &mut candidates, count, Region(3), &mut Random::new(seed));
        chosen.iter().map(|candidate| candidate.place.0).collect()
    }

    #[test]
    fn latency_aware_takes_the_nearest() {
        assert_eq!(chosen(Strategy::LatencyAware, 3, 1), [0, 1, 2]);
        assert_eq!(chosen(Strategy::LatencyAware, 100, 1).last(), Some(&99), "unmeasured comes last");
    }

    #[test]
    fn hybrid_takes_four_of_five_nearest_and_one_of_any() {
        let mut strangers = Vec::new();
        for seed in 0..200 {
            let ten = chosen(Strategy::Hybrid, 10, seed);
            assert!(ten[..8].iter().copied().eq(0..8));
            strangers.extend_from_slice(&ten[8..]);
        }
        assert!(strangers.iter().any(|i| *i > 80) && strangers.iter().all(|i| *i >= 8));
    }

    #[test]
    fn geographic_stays_at_home_while_it_can() {
        let twelve = chosen(Strategy::Geographic, 12, 1);
        assert!(twelve[..10].iter().all(|i| i % 10 == 3));
        assert_eq!(twelve[10..], [0, 1]);
    }

    #[test]
    fn random_takes_all_alike_and_nobody_twice() {
        let mut met = [0_u32; 100];
        for seed in 0..1_000 {
            let mut ten = chosen(Strategy::Random, 10, seed);
            ten.iter().for_each(|i| met[*i as usize] += 1);
            ten.sort_unstable();
            ten.dedup();
            assert_eq!(ten.len(), 10);
        }
        assert!(met.iter().all(|count| (60..150).contains(count)));
    }

    #[test]
    fn strategies_bear_the_names_that_operators_write() {
        for name in ["random", "latency_aware", "hybrid", "geographic"] {
            assert_eq!(Strategy::named(name).unwrap().name(), name);
        }
        assert_eq!(Strategy::named("nearest"), None);
    }
}
