//! Who stands next to whom, and who speaks for a region: decided by a keyed hash, the same on every node.
//!
//! Nobody nominates anybody, least of all himself: whoever knows the same live members finds the same order, so a
//! failed aggregator is replaced by the next in rank without a message (rendezvous hashing: Thaler and Ravishankar,
//! 1998). The order changes with the epoch, so a place cannot be held, nor prepared for long, by choosing one's key.

use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::id::MemberIndex;

/// Circles in the overlay: 14 neighbours. Two more would cost each node 120 bytes an update, and a third Byzantine leave
/// one node of five million without an honest neighbour as it is.
pub const RINGS: usize = 7;

/// What an order is for; each purpose has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Who stands next to whom in a region.
    Overlay = 1,
    /// Through whom a region hears from others.
    Aggregators = 2,
}

/// One order of all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranking {
    key: [u64; 2],
}

impl Ranking {
    /// The order of an epoch, in the mesh whose key is `mesh`.
    pub fn new(mesh: &[u8; 32], purpose: Purpose, epoch: u64) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(mesh);
        hasher.update(b"octick rank");
        hasher.update(&[purpose as u8]);
        hasher.update(&epoch.to_le_bytes());
        let mut words = [0; 16];
        hasher.finalize_xof().fill(&mut words);
        let (low, high) = words.split_at(8);
        Self { key: [low, high].map(|half| u64::from_le_bytes(half.try_into().expect("eight bytes"))) }
    }

    /// Where a member stands; the greater, the nearer to the top. Names are hashes, so a quick mix spreads them.
    pub fn score(&self, id: NodeId) -> u64 {
        self.score_in(0, id)
    }

    /// The `count` members of the highest rank, best first.
    pub fn top(
        &self,
        members: impl IntoIterator<Item = (MemberIndex, NodeId)>,
        count: usize,
    ) -> Vec<MemberIndex> {
        let mut best: Vec<(u64, NodeId, MemberIndex)> = Vec::with_capacity(count + 1);
        for (place, id) in members {
            let entry = (self.score(id), id, place);
            let at = best.partition_point(|other| *other > entry);
            if at < count {
                best.insert(at, entry);
                best.truncate(count);
            }
        }
        assert!(best.len() <= count, "{} of the {count} highest", best.len());
        best.into_iter().map(|(.., place)| place).collect()
    }

    /// Whether `id` is among the `count` of the highest rank, when `others` are the other members.
    pub fn is_top(&self, id: NodeId, others: impl IntoIterator<Item = NodeId>, count: usize) -> bool {
        let mine = (self.score(id), id);
        let above = others.into_iter().filter(|other| (self.score(*other), *other) > mine);
        above.take(count).count() < count
    }

    /// Where `id` stands in each of `rings` circles of all members, who are still to be [met](Standing::meet).
    pub fn standing(&self, id: NodeId, rings: usize) -> Standing {
        assert!(rings > 0, "somebody stands next to each");
        let mine = (0..rings).map(|ring| self.score_in(ring, id)).collect();
        Standing { ranking: *self, id, mine, nearest: alloc::vec![[(u64::MAX, None); 2]; rings] }
    }

    /// Who stands next to `id` in each of `rings` circles of all members.
    pub fn neighbours(
        &self,
        id: NodeId,
        members: impl IntoIterator<Item = (MemberIndex, NodeId)>,
        rings: usize,
    ) -> Vec<MemberIndex> {
        let mut standing = self.standing(id, rings);
        members.into_iter().for_each(|(place, other)| _ = standing.meet(place, other));
        standing.neighbours()
    }

    /// [`Ranking::neighbours`] of all members at once, by sorting each circle: the whole overlay of a region, as
    /// simulators need it. In the order of `members`.
    pub fn graph(&self, members: &[(MemberIndex, NodeId)], rings: usize) -> Vec<Vec<MemberIndex>> {
        let mut graph = alloc::vec![Vec::with_capacity(2 * rings); members.len()];
        for ring in 0..rings {
            let mut circle: Vec<usize> = (0..members.len()).collect();
            circle.sort_by_cached_key(|i| (self.score_in(ring, members[*i].1), members[*i].1));
            for (at, i) in circle.iter().enumerate() {
                let behind = circle[(at + 1) % circle.len()];
                let before = circle[(at + circle.len() - 1) % circle.len()];
                for other in [behind, before] {
                    let place = members[other].0;
                    if other != *i && !graph[*i].contains(&place) {
                        graph[*i].push(place);
                    }
                }
            }
        }
        graph
    }

    fn score_in(&self, ring: usize, id: NodeId) -> u64 {
        let word = u128::from_le_bytes(id.0);
        let key = self.key[0].wrapping_add((ring as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mixed = fold(word as u64 ^ key, (word >> 64) as u64 ^ self.key[1]);
        fold(mixed ^ key, self.key[1] | 1)
    }
}

/// Who stands next to one member in circles of all members: before it and behind it. Every circle has its own order, so
/// together they make a random regular graph of degree twice their number, whose edges both ends know.
///
/// To meet a member costs some nanoseconds a circle, so members may come and go one by one.
#[derive(Clone, Debug)]
pub struct Standing {
    ranking: Ranking,
    id: NodeId,
    mine: Vec<u64>,
    /// Nearest so far in each circle: how far behind and how far before.
    nearest: Vec<[(u64, Option<MemberIndex>); 2]>,
}

impl Standing {
    /// Takes in a member that has come. Returns whether it is a neighbour now. The member itself is passed over.
    pub fn meet(&mut self, place: MemberIndex, other: NodeId) -> bool {
        let mut near = false;
        if other == self.id {
            return near;
        }
        assert!(self.mine.len() == self.nearest.len(), "a place in each circle");
        for (ring, nearest) in self.nearest.iter_mut().enumerate() {
            let ahead = self.ranking.score_in(ring, other).wrapping_sub(self.mine[ring]);
            for (slot, distance) in nearest.iter_mut().zip([ahead, ahead.wrapping_neg()]) {
                if slot.1.is_none() || distance < slot.0 {
                    (*slot, near) = ((distance, Some(place)), true);
                }
            }
        }
        near
    }

    /// Whether a member is a neighbour: if one goes, all others are to be met anew.
    pub fn has(&self, place: MemberIndex) -> bool {
        self.nearest.iter().flatten().any(|(_, near)| *near == Some(place))
    }

    /// The neighbours, in the order of the circles; nobody twice.
    pub fn neighbours(&self) -> Vec<MemberIndex> {
        let mut chosen = Vec::with_capacity(2 * self.nearest.len());
        for place in self.nearest.iter().flatten().filter_map(|(_, place)| *place) {
            if !chosen.contains(&place) {
                chosen.push(place);
            }
        }
        assert!(chosen.len() <= 2 * self.nearest.len(), "{} neighbours", chosen.len());
        chosen
    }
}

/// The two halves of a product, added without carry.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Random;

    fn members(count: u32, seed: u64) -> Vec<(MemberIndex, NodeId)> {
        let mut random = Random::new(seed);
        let mut id = || NodeId(core::array::from_fn(|_| random.u64() as u8));
        (0..count).map(|i| (MemberIndex(i), id())).collect()
    }

    fn ranking(epoch: u64) -> Ranking {
        Ranking::new(&[7; 32], Purpose::Overlay, epoch)
    }

    #[test]
    fn the_top_is_what_sorting_puts_first() {
        let members = members(300, 1);
        let mut sorted = members.clone();
        sorted.sort_by_key(|(_, id)| core::cmp::Reverse((ranking(1).score(*id), *id)));
        let top = ranking(1).top(members.iter().copied(), 12);
        assert!(top.iter().eq(sorted[..12].iter().map(|(place, _)| place)));
        for (i, (_, id)) in sorted.iter().enumerate() {
            let others = members.iter().map(|(_, other)| *other).filter(|other| other != id);
            assert_eq!(ranking(1).is_top(*id, others, 12), i < 12, "rank {i}");
        }
    }

    #[test]
    fn neighbours_are_those_next_to_one_in_each_sorted_circle() {
        let near = |count, seed| {
            let members = members(count, seed);
            let graph = ranking(3).graph(&members, 8);
            for ((_, me), expected) in members.iter().zip(graph) {
                assert_eq!(ranking(3).neighbours(*me, members.iter().copied(), 8), expected);
            }
        };
        (0..5).for_each(|count| near(count, 1));
        near(100, 2);
    }

    #[test]
    fn both_ends_of_an_edge_know_it() {
        let graph = ranking(1).graph(&members(500, 3), 8);
        for (i, mine) in graph.iter().enumerate() {
            assert!((11..=16).contains(&mine.len()));
            assert!(mine.iter().all(|other| graph[other.0 as usize].contains(&MemberIndex(i as u32))));
        }
    }

    #[test]
    fn few_members_are_all_neighbours_and_none_is_its_own() {
        let members = members(3, 4);
        let mut found = ranking(1).neighbours(members[0].1, members.iter().copied(), 8);
        found.sort_unstable();
        assert_eq!(found, [MemberIndex(1), MemberIndex(2)]);
        assert!(ranking(1).neighbours(members[0].1, [members[0]], 8).is_empty());
    }

    #[test]
    fn each_epoch_and_purpose_has_its_own_order() {
        let members = members(300, 5);
        let top = |ranking: Ranking| ranking.top(members.iter().copied(), 12);
        let common =
            |a: &[MemberIndex], b: &[MemberIndex]| a.iter().filter(|place| b.contains(place)).count();
        let first = top(ranking(1));
        assert!(common(&first, &top(ranking(2))) < 6);
        assert!(common(&first, &top(Ranking::new(&[7; 32], Purpose::Aggregators, 1))) < 6);
    }

    #[test]
    fn who_leaves_is_replaced_by_the_next_and_nobody_else_moves() {
        let mut members = members(300, 6);
        let before = ranking(1).top(members.iter().copied(), 13);
        members.retain(|(place, _)| *place != before[4]);
        let after = ranking(1).top(members.iter().copied(), 12);
        assert!(after.iter().eq(before.iter().filter(|place| **place != before[4])));
    }

    #[test]
    fn names_that_differ_in_one_bit_stand_far_apart_in_every_circle() {
        for ring in 0..RINGS {
            let mut apart = 0;
            for bit in 0..128 {
                let name = |flipped: u128| NodeId((0x1234_5678_9ABC_DEF0_u128 << 60 ^ flipped).to_le_bytes());
                let scores = [name(0), name(1 << bit)].map(|name| ranking(4).score_in(ring, name));
                let differ = (scores[0] ^ scores[1]).count_ones();
                assert!(differ >= 8, "bit {bit} of a name changes {differ} bits of its score");
                apart += differ;
            }
            assert!((26 * 128..38 * 128).contains(&apart), "{apart} of 64 bits, 128 times");
            let ones: u32 =
                members(500, 9).iter().map(|(_, id)| ranking(4).score_in(ring, *id).count_ones()).sum();
            assert!((31 * 500..33 * 500).contains(&ones), "half of the bits are set: {ones}");
        }
    }
}
