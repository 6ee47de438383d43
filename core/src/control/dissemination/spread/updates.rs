//! Updates that are on their way through this node, in the order in which it heard of them.
//!
//! A queue by time and an index by id. A place in the queue is an [`Ordinal`], which counts on forever: it stays good
//! until its update is forgotten, and then finds nothing. At rest it holds no memory beyond what was [reserved](Updates::reserve).

use alloc::collections::VecDeque;

use crate::control::id::{FrameRef, MemberIndex, UpdateId};
use crate::hash_index::Index;
use crate::limits::UPDATES_MAX;

/// Counts the updates that were ever heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::control) struct Ordinal(pub(in crate::control) u64);

/// What is known of one update. Sets of links are bits, one a slot of the active view.
#[derive(Clone, Debug)]
pub(in crate::control) struct Update {
    pub(in crate::control) id: UpdateId,
    /// When it was first heard of, microseconds.
    pub(in crate::control) heard_at: u64,
    /// Links that have it, or need not hear of it from here.
    pub(in crate::control) told: u32,
    /// Links that said that they have it.
    pub(in crate::control) has: u32,
    /// Links that were asked for it in this turn.
    pub(in crate::control) asked: u32,
    /// The link that was asked last.
    pub(in crate::control) asked_last: u32,
    /// Somebody beyond the links who has it.
    pub(in crate::control) outsider: Option<MemberIndex>,
    /// From its first hearing to the last time a link was found to lack it, microseconds.
    pub(in crate::control) active_for: u32,
    /// The round in which it was first heard of, modulo 2^16.
    pub(in crate::control) round: u16,
    /// Rounds until that last time.
    pub(in crate::control) rounds: u16,
    /// How often it was asked for because a link that had said so before said again that it has it.
    pub(in crate::control) repeats: u8,
    pub(in crate::control) state: State,
    /// Where its bytes are, once it is held.
    pub(in crate::control) frame_ref: FrameRef,
    /// Who issued it, once it is held.
    pub(in crate::control) origin: MemberIndex,
}

impl Update {
    /// Whether it is here, and was laid down no earlier than the bytes that are left.
    pub(in crate::control) fn can_be_served(&self, bytes_from: FrameRef) -> bool {
        self.state == State::Held && self.frame_ref >= bytes_from
    }

    /// Takes note that a link was found to lack it, or to have it.
    pub(in crate::control) fn touch(&mut self, now: u64, round: u16) {
        self.active_for = now.saturating_sub(self.heard_at).min(u64::from(u32::MAX)) as u32;
        self.rounds = round.wrapping_sub(self.round);
    }

    /// Takes note that a link, or somebody beyond (zero), is being asked for it.
    pub(in crate::control) fn ask(&mut self, bit: u32) {
        self.asked |= bit;
        self.asked_last = bit;
    }
}

/// Whether the update is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum State {
    /// Asked for so many times.
    Missing(u8),
    /// Nobody who said so had it.
    GivenUp,
    /// Verified, and its bytes are at hand.
    Held,
}

/// Updates by time and by id.
#[derive(Debug, Default)]
pub(in crate::control) struct Updates {
    queue: VecDeque<Update>,
    /// The ordinal of the first in the queue.
    first: u64,
    /// Low halves of ordinals.
    index: Index,
    seed: u64,
    /// Updates for which memory is kept at rest.
    kept: usize,
}

impl Updates {
    pub(in crate::control) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Takes the memory for so many updates, and keeps it at rest.
    pub(in crate::control) fn reserve(&mut self, count: usize) {
        self.kept = count;
        self.queue.reserve(count);
        self.index.reserve(count);
    }

    pub(in crate::control) fn len(&self) -> usize {
        self.queue.len()
    }

    /// When the latest was heard of.
    pub(in crate::control) fn last_heard_at(&self) -> Option<u64> {
        self.queue.back().map(|update| update.heard_at)
    }

    /// The ordinal of the oldest.
    pub(in crate::control) fn first(&self) -> u64 {
        self.first
    }

    pub(in crate::control) fn find(&self, id: UpdateId) -> Option<Ordinal> {
        let found = self.index.find(self.hash(id), |low| self.queue[self.at(low)].id == id);
        found.map(|low| Ordinal(self.first + self.at(low) as u64))
    }

    pub(in crate::control) fn get(&mut self, ordinal: Ordinal) -> Option<&mut Update> {
        self.queue.get_mut(ordinal.0.checked_sub(self.first)? as usize)
    }

    pub(in crate::control) fn named(&mut self, id: UpdateId) -> Option<&mut Update> {
        let ordinal = self.find(id)?;
        self.get(ordinal)
    }

    pub(in crate::control) fn view(&self, id: UpdateId) -> Option<&Update> {
        let ordinal = self.find(id)?;
        self.queue.get(ordinal.0.checked_sub(self.first)? as usize)
    }

    pub(in crate::control) fn iter_mut(
        &mut self,
    ) -> impl DoubleEndedIterator<Item = &mut Update> + ExactSizeIterator {
        self.queue.iter_mut()
    }

    pub(in crate::control) fn iter(&self) -> impl DoubleEndedIterator<Item = &Update> + ExactSizeIterator {
        self.queue.iter()
    }

    pub(in crate::control) fn front(&self) -> Option<&Update> {
        self.queue.front()
    }

    /// Adds an update that is not there yet.
    pub(in crate::control) fn push(&mut self, update: Update) -> Ordinal {
        debug_assert!(self.find(update.id).is_none(), "an update is added once");
        // The index holds the low half of an ordinal: no two updates in the queue share one.
        assert!(self.queue.len() < UPDATES_MAX + 1, "{} updates", self.queue.len());
        let ordinal = Ordinal(self.first + self.queue.len() as u64);
        self.index.insert(self.hash(update.id), ordinal.0 as u32);
        self.queue.push_back(update);
        ordinal
    }

    /// Forgets the oldest.
    pub(in crate::control) fn pop(&mut self) -> Option<Update> {
        let id = self.queue.front()?.id;
        self.index.remove(self.hash(id), self.first as u32);
        self.first += 1;
        let update = self.queue.pop_front();
        if self.queue.is_empty() {
            // A node at rest gives back what a burst has taken.
            self.queue.shrink_to(self.kept);
            self.index.shrink_to(self.kept);
        }
        update
    }

    /// Bytes of memory taken.
    pub(in crate::control) fn memory(&self) -> usize {
        self.queue.capacity() * size_of::<Update>() + self.index.memory()
    }

    /// Ids are chosen by their origins: the seed keeps them from choosing their place.
    fn hash(&self, id: UpdateId) -> u32 {
        let product = u128::from(id.0 ^ self.seed).wrapping_mul(0x9E37_79B9_7F4A_7C15_D1B5_4A32_D192_ED03);
        (product >> 64) as u32
    }

    fn at(&self, low: u32) -> usize {
        let at = low.wrapping_sub(self.first as u32) as usize;
        debug_assert!(at < self.queue.len(), "{low} is an update that was forgotten");
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, VecDeque};

    fn update(id: u64) -> Update {
        Update {
            id: UpdateId(id),
            heard_at: 0,
            told: 0,
            has: 0,
            asked: 0,
            asked_last: 0,
            outsider: None,
            active_for: 0,
            round: 0,
            rounds: 0,
            repeats: 0,
            state: State::Held,
            frame_ref: FrameRef::default(),
            origin: MemberIndex(0),
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_map_and_a_queue_find(steps in prop::collection::vec((0..200_u64, any::<bool>()), 0..600), seed: u64) {
            let mut updates = Updates::new(seed);
            // Ordinals that are about to pass 2^32.
            updates.first = (1 << 32) - 100;
            let (mut map, mut queue) = (BTreeMap::new(), VecDeque::new());
            for (id, push) in steps {
                if push && !map.contains_key(&id) {
                    map.insert(id, updates.push(update(id)));
                    queue.push_back(id);
                } else if !push {
                    let expected = queue.pop_front();
                    prop_assert_eq!(updates.pop().map(|update| update.id.0), expected);
                    expected.map(|id| map.remove(&id));
                }
                prop_assert_eq!(updates.len(), queue.len());
                for id in 0..200 {
                    prop_assert_eq!(updates.find(UpdateId(id)), map.get(&id).copied());
                }
            }
        }
    }

    /// The most memory while so many come, and what is left when they are gone.
    fn come_and_go(updates: &mut Updates, count: u64) -> (usize, usize) {
        (0..count).for_each(|id| _ = updates.push(update(id)));
        let most = updates.memory();
        while updates.pop().is_some() {}
        (most, updates.memory())
    }

    #[test]
    fn at_rest_it_holds_no_memory() {
        let (most, rest) = come_and_go(&mut Updates::new(1), 1_000);
        assert!(most > 50_000 && rest == 0, "{most} {rest}");
    }

    #[test]
    fn what_is_reserved_is_kept_and_no_more() {
        let mut updates = Updates::new(1);
        updates.reserve(64);
        let reserved = updates.memory();
        assert_eq!(come_and_go(&mut updates, 64), (reserved, reserved));
        assert_eq!(come_and_go(&mut updates, 1_000).1, reserved);
    }

    #[test]
    fn an_update_is_a_line_of_memory() {
        assert!(size_of::<Update>() <= 64);
    }
}
