//! Samples of the mesh, refreshed by exchange: CYCLON (Voulgaris, Gavidia and van Steen, 2005).
//!
//! A node keeps ten descriptors of others. Now and then it takes the oldest out and sends its member five, its own
//! among them, against five of that member's: over time everyone's view is a random sample of who is there, and whoever
//! is gone fades from all views. Unlike in the paper, a descriptor is dated by its member's announcement rather than
//! by its age in exchanges, and refers to it: receivers who do not know the announcement ask for it and check it
//! before they write to that address, so a descriptor that nobody signed leads nowhere.

use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::message::descriptor::Descriptor;
use crate::control::message::gossip::SHUFFLE_MAX;
use crate::random::Random;
use crate::time::{S, Wall};

/// Descriptors in a view.
pub const VIEW: usize = 10;
/// Descriptors in an exchange.
pub const SHUFFLE: usize = 5;
/// How old an announcement may be that a descriptor refers to, microseconds: members renew theirs in eight hours.
pub const AGE_MAX: u64 = 24 * 3_600 * S;
/// How far ahead of this node's clock it may be dated, microseconds.
pub const AHEAD_MAX: u64 = 60 * S;
/// How long an answer to an exchange is expected, microseconds.
pub const EXPECTED: u64 = 2 * S;

const _: () = assert!(SHUFFLE <= SHUFFLE_MAX && SHUFFLE <= VIEW);

/// Why a shuffle, or a descriptor in it, was not handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Shuffles with more descriptors than one may carry.
    pub oversized: u32,
    /// Answers that nobody asked for, or that came too late.
    pub unasked: u32,
    /// Descriptors of announcements too old, or dated ahead of time.
    pub misdated: u32,
}

/// One node's view.
#[derive(Debug)]
pub struct Sampling {
    me: NodeId,
    view: Vec<Descriptor>,
    /// The exchange that was begun: with whom, until when an answer counts, and who was sent.
    begun: Option<(NodeId, u64)>,
    sent: Vec<NodeId>,
    /// What was not handled.
    pub refused: Refused,
    random: Random,
}

impl Sampling {
    /// A node that knows nobody.
    pub const fn new(me: NodeId, random: Random) -> Self {
        let refused = Refused { oversized: 0, unasked: 0, misdated: 0 };
        Self { me, view: Vec::new(), begun: None, sent: Vec::new(), refused, random }
    }

    /// Whom it knows.
    pub fn view(&self) -> &[Descriptor] {
        &self.view
    }

    /// Takes in a member that was met elsewhere.
    pub fn meet(&mut self, descriptor: Descriptor) {
        self.take_in(&[descriptor], &[]);
    }

    /// A member is gone, or lied.
    pub fn forget(&mut self, id: NodeId) {
        self.view.retain(|known| known.id != id);
    }

    /// Begins an exchange with the member of the oldest descriptor, which leaves the view: if it does not answer, it is
    /// forgotten. Returns it, and what to send it. `own` describes this node.
    pub fn begin(&mut self, now: u64, own: Descriptor) -> Option<(Descriptor, Vec<Descriptor>)> {
        let oldest = (0..self.view.len()).min_by_key(|i| (self.view[*i].version, self.view[*i].id))?;
        let partner = self.view.swap_remove(oldest);
        let mut offered = self.draw(SHUFFLE - 1, partner.id);
        self.sent = offered.iter().map(|descriptor| descriptor.id).collect();
        offered.push(own);
        assert!(offered.len() <= SHUFFLE, "{} descriptors offered", offered.len());
        self.begun = Some((partner.id, now + EXPECTED));
        Some((partner, offered))
    }

    /// `from` asks for an exchange. Returns what to answer; nothing if it is refused.
    pub fn handle_ask(&mut self, wall: Wall, from: NodeId, theirs: &[Descriptor]) -> Option<Vec<Descriptor>> {
        if theirs.len() > SHUFFLE_MAX {
            self.refused.oversized += 1;
            return None;
        }
        let answer = self.draw(SHUFFLE, from);
        assert!(answer.len() <= SHUFFLE, "{} descriptors for an answer", answer.len());
        let sent: Vec<NodeId> = answer.iter().map(|descriptor| descriptor.id).collect();
        let sound = self.sound(wall, theirs);
        self.take_in(&sound, &sent);
        (!answer.is_empty()).then_some(answer)
    }

    /// `from` answers. Returns whether it was asked.
    pub fn handle_answer(&mut self, now: u64, wall: Wall, from: NodeId, theirs: &[Descriptor]) -> bool {
        if theirs.len() > SHUFFLE_MAX {
            self.refused.oversized += 1;
            return false;
        }
        match self.begun {
            Some((partner, until)) if partner == from && now < until => self.begun = None,
            _ => {
                self.refused.unasked += 1;
                return false;
            }
        }
        let (sound, sent) = (self.sound(wall, theirs), core::mem::take(&mut self.sent));
        self.take_in(&sound, &sent);
        true
    }

    /// Descriptors whose date is one that a member present could have given.
    fn sound(&mut self, wall: Wall, theirs: &[Descriptor]) -> Vec<Descriptor> {
        let dated = |descriptor: &&Descriptor| {
            let dated = descriptor.version.wall();
            dated <= wall.later(AHEAD_MAX) && dated.later(AGE_MAX) >= wall
        };
        let sound: Vec<Descriptor> = theirs.iter().filter(dated).copied().collect();
        assert!(sound.len() <= SHUFFLE_MAX, "more were let through than a message may hold");
        self.refused.misdated += (theirs.len() - sound.len()) as u32;
        sound
    }

    /// Keeps the later of two descriptors of one member; fills the view; then replaces those that were `sent` away.
    fn take_in(&mut self, theirs: &[Descriptor], sent: &[NodeId]) {
        let mut replaceable: Vec<NodeId> = sent.to_vec();
        for descriptor in theirs.iter().filter(|descriptor| descriptor.id != self.me) {
            if let Some(known) = self.view.iter_mut().find(|known| known.id == descriptor.id) {
                if descriptor.version > known.version {
                    *known = *descriptor;
                }
                continue;
            }
            if self.view.len() < VIEW {
                self.view.push(*descriptor);
                continue;
            }
            while let Some(id) = replaceable.pop() {
                if let Some(known) = self.view.iter_mut().find(|known| known.id == id) {
                    *known = *descriptor;
                    break;
                }
            }
        }
        assert!(self.view.len() <= VIEW, "a view of {}", self.view.len());
        debug_assert!(self.view.iter().all(|known| known.id != self.me), "a view of others");
        debug_assert!(
            (1..self.view.len()).all(|i| self.view[..i].iter().all(|other| other.id != self.view[i].id))
        );
    }

    fn draw(&mut self, count: usize, but: NodeId) -> Vec<Descriptor> {
        let others: Vec<Descriptor> = self.view.iter().filter(|known| known.id != but).copied().collect();
        self.random.choose(others.len(), count).into_iter().map(|i| others[i]).collect()
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;
    use std::collections::BTreeSet;

    use super::*;
    use crate::control::message::malformed::Malformed;
    use crate::stamp::Version;

    const WALL: Wall = Wall(1_700_000_000 * S);

    fn id(number: u32) -> NodeId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        NodeId(bytes)
    }

    fn descriptor(number: u32, wall: Wall) -> Descriptor {
        let address = SocketAddr::from(([10, 0, 0, 1], 1 + number as u16));
        Descriptor { id: id(number), version: Version::new(wall.0, id(number)), address }
    }

    fn sampling(number: u32) -> Sampling {
        Sampling::new(id(number), Random::new(u64::from(number)))
    }

    /// Exchanges of everybody, once.
    fn exchange(nodes: &mut [Sampling], is_up: impl Fn(u32) -> bool, round: u64) {
        let (now, wall) = (round * S, WALL.later(round * S));
        let number = |id: NodeId| u32::from_le_bytes(*id.0.first_chunk().unwrap());
        for asker in 0..nodes.len() as u32 {
            if !is_up(asker) {
                continue;
            }
            let Some((partner, offered)) = nodes[asker as usize].begin(now, descriptor(asker, wall)) else {
                continue;
            };
            let partner = number(partner.id);
            if is_up(partner)
                && let Some(answer) = nodes[partner as usize].handle_ask(wall, id(asker), &offered)
            {
                assert!(nodes[asker as usize].handle_answer(now, wall, id(partner), &answer));
            }
        }
    }

    fn ring(count: u32) -> Vec<Sampling> {
        let mut nodes: Vec<Sampling> = (0..count).map(sampling).collect();
        for i in 0..count {
            nodes[i as usize].meet(descriptor((i + 1) % count, WALL));
        }
        nodes
    }

    #[test]
    fn a_ring_becomes_a_random_graph() {
        let mut nodes = ring(500);
        (1..60).for_each(|round| exchange(&mut nodes, |_| true, round));
        let mut in_degree = [0_u32; 500];
        let mut far = 0;
        for (i, node) in nodes.iter().enumerate() {
            let known: BTreeSet<_> = node.view().iter().map(|d| d.id).collect();
            assert!(known.len() == node.view().len() && !known.contains(&id(i as u32)));
            for known in node.view() {
                let other = u32::from_le_bytes(*known.id.0.first_chunk().unwrap()) as usize;
                in_degree[other] += 1;
                far += usize::from(other.abs_diff(i) > 50);
            }
        }
        let total: u32 = in_degree.iter().sum();
        assert!(total > 4_000 && far > total as usize / 2, "{total} known, {far} far");
        assert!(in_degree.iter().all(|degree| *degree >= 1), "{in_degree:?}");
    }

    #[test]
    fn who_is_gone_fades_from_all_views() {
        let mut nodes = ring(300);
        (1..40).for_each(|round| exchange(&mut nodes, |_| true, round));
        let up = |node: u32| !node.is_multiple_of(3);
        (40..80).for_each(|round| exchange(&mut nodes, up, round));
        let known = nodes.iter().enumerate().filter(|(i, _)| up(*i as u32)).flat_map(|(_, node)| node.view());
        let gone = known.filter(|known| !up(u32::from_le_bytes(*known.id.0.first_chunk().unwrap()))).count();
        assert!(gone < 10, "{gone} descriptors of who is gone");
    }

    #[test]
    fn a_shuffle_of_ten_thousand_is_refused_whole() {
        let mut node = sampling(1);
        let flood: Vec<Descriptor> = (2..10_002).map(|i| descriptor(i, WALL)).collect();
        assert_eq!(node.handle_ask(WALL, id(2), &flood), None);
        assert!(!node.handle_answer(0, WALL, id(2), &flood));
        assert_eq!((node.view().len(), node.refused.oversized), (0, 2));
    }

    #[test]
    fn a_shuffle_of_as_many_as_a_message_holds_is_taken_and_one_more_refused() {
        let full: Vec<Descriptor> = (3..3 + SHUFFLE_MAX as u32).map(|i| descriptor(i, WALL)).collect();
        let more: Vec<Descriptor> = (3..4 + SHUFFLE_MAX as u32).map(|i| descriptor(i, WALL)).collect();
        for answers in [false, true] {
            let mut node = sampling(1);
            let mut handle = |theirs: &[Descriptor]| {
                node.meet(descriptor(2, WALL));
                if answers {
                    let (partner, _) = node.begin(0, descriptor(1, WALL)).expect("somebody to ask");
                    _ = node.handle_answer(0, WALL, partner.id, theirs);
                } else {
                    _ = node.handle_ask(WALL, id(2), theirs);
                }
                node.refused.oversized
            };
            assert_eq!((handle(&full), handle(&more)), (0, 1), "answers: {answers}");
        }
    }

    #[test]
    fn descriptors_out_of_date_or_ahead_of_time_are_refused() {
        let mut node = sampling(1);
        let old = descriptor(2, Wall(WALL.0 - AGE_MAX - 1));
        let ahead = descriptor(3, WALL.later(AHEAD_MAX + S));
        node.handle_ask(WALL, id(9), &[old, ahead, descriptor(4, WALL)]);
        assert_eq!((node.view().len(), node.refused.misdated), (1, 2));
        let mut undated = descriptor(5, WALL);
        undated.version = Version(0);
        let mut bytes = Vec::new();
        undated.encode(&mut bytes);
        assert_eq!(Descriptor::decode(&bytes.try_into().unwrap()), Err(Malformed::Value));
    }

    #[test]
    fn an_answer_that_nobody_asked_for_changes_nothing() {
        let mut node = sampling(1);
        node.meet(descriptor(2, WALL));
        assert!(!node.handle_answer(0, WALL, id(2), &[descriptor(3, WALL)]));
        let (partner, _) = node.begin(0, descriptor(1, WALL)).unwrap();
        assert!(!node.handle_answer(0, WALL, id(7), &[descriptor(3, WALL)]), "another's");
        assert!(!node.handle_answer(EXPECTED, WALL, partner.id, &[descriptor(3, WALL)]), "too late");
        assert_eq!((node.view().len(), node.refused.unasked), (0, 3));
    }

    #[test]
    fn old_gossip_does_not_replace_a_later_descriptor() {
        let mut node = sampling(1);
        node.meet(descriptor(2, WALL));
        let mut moved = descriptor(2, Wall(WALL.0 - S));
        moved.address.set_port(99);
        node.handle_ask(WALL, id(9), &[moved]);
        assert_eq!(node.view(), [descriptor(2, WALL)]);
    }

    #[test]
    fn an_exchange_gives_away_the_oldest_and_keeps_no_more_than_a_view() {
        let mut node = sampling(1);
        (2..40).for_each(|i| node.meet(descriptor(i, Wall(WALL.0 - u64::from(i) * S))));
        let held = |node: &Sampling| node.view().iter().map(|known| known.id).collect::<BTreeSet<_>>();
        assert_eq!(held(&node), (2..12).map(id).collect(), "there was room for ten");
        let own = descriptor(1, WALL);
        let (partner, offered) = node.begin(S, own).unwrap();
        assert_eq!((partner.id, node.view().len()), (id(11), VIEW - 1), "it is gone if it does not answer");
        let ids: BTreeSet<_> = offered.iter().map(|offered| offered.id).collect();
        assert_eq!((ids.len(), offered.len(), offered.last()), (SHUFFLE, SHUFFLE, Some(&own)));
        assert!(!ids.contains(&partner.id));
        // One place is free; what was sent makes room for the others, and nothing else does.
        let theirs: Vec<Descriptor> = (50..50 + SHUFFLE as u32).map(|i| descriptor(i, WALL)).collect();
        let kept: BTreeSet<_> = held(&node).difference(&ids).copied().collect();
        assert!(node.handle_answer(2 * S, WALL, partner.id, &theirs));
        let after = held(&node);
        assert!(node.view().len() == VIEW && kept.is_subset(&after));
        assert!(theirs.iter().all(|descriptor| after.contains(&descriptor.id)));
        assert!(!node.handle_answer(2 * S, WALL, partner.id, &theirs), "once");
    }

    #[test]
    fn who_asks_is_answered_with_others_and_never_with_itself() {
        let mut node = sampling(1);
        assert_eq!(node.handle_ask(WALL, id(9), &[descriptor(9, WALL), descriptor(1, WALL)]), None);
        assert_eq!(node.view(), [descriptor(9, WALL)], "this node is not in its own view");
        assert_eq!(node.handle_ask(WALL, id(9), &[]), None, "there is nobody else to tell it of");
        node.meet(descriptor(8, WALL));
        assert_eq!(node.handle_ask(WALL, id(9), &[]), Some(Vec::from([descriptor(8, WALL)])));
    }

    #[test]
    fn a_member_that_is_gone_is_forgotten_and_no_other_and_a_later_word_of_one_replaces_the_earlier() {
        let mut node = sampling(1);
        [2, 3].iter().for_each(|i| node.meet(descriptor(*i, WALL)));
        node.forget(id(2));
        assert_eq!(node.view(), [descriptor(3, WALL)]);
        let later = descriptor(3, WALL.later(S));
        node.meet(later);
        assert_eq!(node.view(), [later]);
    }

    #[test]
    fn descriptors_are_taken_up_to_the_age_and_the_lead_that_a_member_may_have() {
        let (old, ahead) = (Wall(WALL.0 - AGE_MAX), WALL.later(AHEAD_MAX));
        let mut node = sampling(1);
        node.handle_ask(WALL, id(9), &[descriptor(2, old), descriptor(3, ahead)]);
        assert_eq!((node.view().len(), node.refused.misdated), (2, 0));
    }
}
