//! How an update crosses regions: in one wave, from who issued it to twelve members of every other region at once.
//!
//! Half of them are the region's aggregators by [rank](crate::control::dissemination::rank), half are drawn, so that neither ranking nor luck
//! alone decides whether a region hears of it: with a third Byzantine and 5 % loss one of 170,000 waves misses a region.
//! Aggregators that did not issue it send it to three regions at random, which finds the missed ones; inside a region the
//! overlay carries it. With one region all of these answer nothing, and cost nothing.

use alloc::vec::Vec;

use crate::control::id::{MemberIndex, Region};
use crate::random::Random;

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Members of a region that a wave goes to; twelve or more.
    pub targets: usize,
    /// How many of them are aggregators, and how many aggregators a region has.
    pub aggregators: usize,
    /// Regions to which an aggregator sends on what others issued.
    pub reforward: usize,
    /// Pulls that leave the region, of a thousand: they heal a cut, even when both sides have declared each other dead.
    pub abroad_permille: u32,
}

impl Default for Crossing {
    fn default() -> Self {
        Self { targets: 12, aggregators: 6, reforward: 3, abroad_permille: 20 }
    }
}

/// What a node knows of a region. Of its own, without itself.
#[derive(Clone, Copy, Debug)]
pub struct RegionView<'a> {
    /// Which.
    pub region: Region,
    /// Its aggregators, best first.
    pub aggregators: &'a [MemberIndex],
    /// Its live members, aggregators included.
    pub members: &'a [MemberIndex],
}

impl Crossing {
    /// Whom an update that this node issued is sent to: [`Crossing::targets`] of every other region, or all there are.
    pub fn wave<'r>(
        &self,
        local_region: Region,
        regions: impl Iterator<Item = RegionView<'r>>,
        random: &mut Random,
        to: &mut Vec<MemberIndex>,
    ) {
        for view in regions.filter(|view| view.region != local_region) {
            let begin = to.len();
            to.extend(view.aggregators.iter().take(self.aggregators));
            let wanted = begin + self.targets.min(view.members.len());
            assert!(self.aggregators <= self.targets, "half of them are drawn: {self:?}");
            if view.members.len() <= 2 * self.targets {
                let rest = to.len();
                for place in view.members {
                    if !to[begin..rest].contains(place) {
                        to.push(*place);
                    }
                }
                random.shuffle(&mut to[rest..]);
                to.truncate(wanted.max(rest));
                continue;
            }
            while to.len() < wanted {
                // More than half of the members are still to be drawn, so this ends soon.
                let drawn = view.members[random.index(view.members.len())];
                if !to[begin..].contains(&drawn) {
                    to.push(drawn);
                }
            }
        }
    }

    /// Whom an aggregator sends an update on to that came to it from elsewhere: one member in each of a few regions,
    /// neither its own nor the one it came from.
    pub fn reforward<'r>(
        &self,
        local_region: Region,
        from: Region,
        regions: impl Iterator<Item = RegionView<'r>> + Clone,
        random: &mut Random,
        to: &mut Vec<MemberIndex>,
    ) {
        let apart = |view: &RegionView<'_>| {
            view.region != local_region && view.region != from && !view.members.is_empty()
        };
        let (mut left, mut wanted) = (regions.clone().filter(apart).count(), self.reforward);
        for view in regions.filter(apart) {
            // Selection sampling: each region with the chance that as many are still wanted of those left (Knuth, 3.4.2, S).
            if random.index(left) < wanted {
                wanted -= 1;
                to.push(view.members[random.index(view.members.len())]);
            }
            left -= 1;
        }
        assert!(left == 0, "each other region had its turn");
    }

    /// Whom to compare with in a round: mostly a member of the own region, now and then one in other regions.
    pub fn partner<'r>(
        &self,
        local_region: Region,
        regions: impl Iterator<Item = RegionView<'r>> + Clone,
        random: &mut Random,
    ) -> Option<MemberIndex> {
        let remote = regions.clone().nth(1).is_some() && random.permille(self.abroad_permille);
        let any = |remote: bool, random: &mut Random| {
            let there =
                regions.clone().filter(move |view: &RegionView<'_>| (view.region != local_region) == remote);
            let count: usize = there.clone().map(|view| view.members.len()).sum();
            let mut drawn = if count == 0 { return None } else { random.index(count) };
            for view in there {
                match view.members.get(drawn) {
                    Some(place) => return Some(*place),
                    None => drawn -= view.members.len(),
                }
            }
            None
        };
        any(remote, random).or_else(|| any(!remote, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Regions of so many members each; the first six of each are its aggregators.
    fn with<T>(sizes: &[u32], test: impl FnOnce(&[RegionView<'_>]) -> T) -> T {
        let members: Vec<Vec<MemberIndex>> = (0..)
            .zip(sizes)
            .map(|(region, size)| (0..*size).map(|i| MemberIndex(region * 1_000 + i)).collect())
            .collect();
        let views: Vec<_> = (0..)
            .zip(&members)
            .map(|(region, members)| RegionView {
                region: Region(region),
                aggregators: &members[..members.len().min(6)],
                members,
            })
            .collect();
        test(&views)
    }

    fn wave(sizes: &[u32], seed: u64) -> Vec<MemberIndex> {
        let mut to = Vec::new();
        with(sizes, |views| {
            Crossing::default().wave(Region(0), views.iter().copied(), &mut Random::new(seed), &mut to);
        });
        to
    }

    #[test]
    fn a_wave_reaches_twelve_of_each_other_region_six_of_them_aggregators() {
        for seed in 0..50 {
            let to: BTreeSet<MemberIndex> = wave(&[100, 500, 30, 13], seed).into_iter().collect();
            for region in 1..4 {
                let there: Vec<u32> =
                    to.iter().filter(|p| p.0 / 1_000 == region).map(|p| p.0 % 1_000).collect();
                assert_eq!((there.len(), there[5]), (12, 5), "region {region}");
            }
            assert_eq!(to.len(), 36, "nobody twice, and nobody of the local region");
        }
    }

    #[test]
    fn small_regions_are_reached_whole() {
        assert_eq!(wave(&[5, 3, 0, 12], 1).len(), 15);
    }

    #[test]
    fn one_region_or_two_nodes_pay_nothing() {
        assert!(wave(&[500], 1).is_empty() && wave(&[1], 1).is_empty());
        let mut to = Vec::new();
        with(&[500], |views| {
            let (views, random) = (views.iter().copied(), &mut Random::new(1));
            Crossing::default().reforward(Region(0), Region(0), views, random, &mut to);
        });
        assert_eq!(to.capacity(), 0);
    }

    #[test]
    fn aggregators_send_on_to_three_regions_that_are_neither_here_nor_there() {
        for seed in 0..50 {
            let mut to = Vec::new();
            with(&[10; 20], |views| {
                let (views, random) = (views.iter().copied(), &mut Random::new(seed));
                Crossing::default().reforward(Region(4), Region(7), views, random, &mut to);
            });
            let regions: BTreeSet<u32> = to.iter().map(|place| place.0 / 1_000).collect();
            assert_eq!((to.len(), regions.len()), (3, 3));
            assert!(!regions.contains(&4) && !regions.contains(&7));
        }
    }

    #[test]
    fn one_pull_in_fifty_leaves_the_region() {
        let mut random = Random::new(9);
        let mut partner = |sizes: &[u32], home| {
            with(sizes, |views| Crossing::default().partner(Region(home), views.iter().copied(), &mut random))
        };
        let remote = (0..10_000).filter(|_| partner(&[100; 10], 3).unwrap().0 / 1_000 != 3).count();
        assert!((150..250).contains(&remote), "{remote}");
        assert!(partner(&[0, 7], 0).is_some(), "a region of one asks another region");
        assert_eq!(partner(&[0], 0), None);
    }
}
