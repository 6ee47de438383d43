//! Who a node's neighbours are: about fourteen of its region, each of which has it for a neighbour too.
//!
//! Whom a node wants is decided by [rank](crate::control::dissemination::rank), so both ends of a link usually want it, and the links make a
//! random regular graph. Nodes whose member tables differ disagree for a moment; therefore a link exists once both have
//! said so: `connect`, answered by `accept` or `disconnect`. Whoever is gone is replaced by the next in rank: the table
//! of live members is what other overlays call the passive view (Leitao et al., HyParView, 2007), and costs nothing here.
//!
//! In go the members that are wanted now, and messages; out come messages and [`LinkChange`]s. A link that is no longer
//! wanted is kept until the wanted ones stand, so an epoch's end disconnects nobody.

use alloc::vec::Vec;

use crate::control::dissemination::rank::RINGS;
use crate::control::id::MemberIndex;
use crate::control::message::gossip::LinkOp;
pub use crate::limits::OVERLAY_MAX;
use crate::limits::PASSED_OVER_MAX;
use crate::time::{MS, S};

/// Links that a node wants.
pub const WANTED: usize = 2 * RINGS;
/// How long an answer may take before a link is asked for again, microseconds; twice as long each time.
const PATIENCE: u64 = 250 * MS;
/// How often a link is asked for before its member is passed over.
const ASKS: u8 = 4;
/// How long a member is passed over that refused, or did not answer, microseconds.
const PASSED_OVER: u64 = 10 * S;
/// How often each link is confirmed, so that none stays that only one end has, microseconds.
const CONFIRM: u64 = 60 * S;

const _: () =
    assert!(WANTED < OVERLAY_MAX && OVERLAY_MAX <= crate::control::dissemination::spread::LINKS_MAX);

/// What became of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// Send this.
    Tell(MemberIndex, LinkOp),
    /// A neighbour more.
    Linked(MemberIndex),
    /// A neighbour less.
    Unlinked(MemberIndex),
}

/// What was not handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Links that others wanted and for which there was no room.
    pub full: u32,
    /// Acceptances of what was not asked for.
    pub unasked: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    peer: MemberIndex,
    /// When to ask again: for an answer, or for confirmation.
    due: u64,
    /// Asked so many times without answer.
    asks: u8,
    /// Both ends have said so.
    stands: bool,
    wanted: bool,
}

/// One node's links.
#[derive(Debug, Default)]
pub struct Overlay {
    links: Vec<Link>,
    passed_over: Vec<(MemberIndex, u64)>,
    /// What was not handled.
    pub refused: Refused,
}

impl Overlay {
    /// The neighbours.
    pub fn neighbours(&self) -> impl Iterator<Item = MemberIndex> {
        self.links.iter().filter(|link| link.stands).map(|link| link.peer)
    }

    /// Whether a member should not be wanted now: it refused, or did not answer. Leave it out when ranking.
    pub fn passes_over(&self, peer: MemberIndex, now: u64) -> bool {
        self.passed_over.iter().any(|(other, until)| *other == peer && now < *until)
    }

    /// Says whom the node wants now, when members or the epoch have changed: [`WANTED`] at most count.
    pub fn want(&mut self, now: u64, wanted: &[MemberIndex], changes: &mut Vec<LinkChange>) {
        let wanted = &wanted[..wanted.len().min(WANTED)];
        self.links.iter_mut().for_each(|link| link.wanted = wanted.contains(&link.peer));
        for peer in wanted {
            if self.find(*peer).is_none() && self.make_room(changes) {
                self.links.push(Link {
                    peer: *peer,
                    due: now + PATIENCE,
                    asks: 1,
                    stands: false,
                    wanted: true,
                });
                changes.push(LinkChange::Tell(*peer, LinkOp::Connect));
            }
        }
        self.drop_surplus(changes);
        self.assert_sound();
    }

    /// A member is gone.
    pub fn gone(&mut self, peer: MemberIndex, changes: &mut Vec<LinkChange>) {
        self.remove(peer, changes);
        self.passed_over.retain(|(other, _)| *other != peer);
    }

    /// A neighbour, or somebody who wants to be, says something about the link.
    pub fn handle(&mut self, now: u64, from: MemberIndex, op: LinkOp, changes: &mut Vec<LinkChange>) {
        match (op, self.find(from)) {
            (LinkOp::Connect, Some(at)) => {
                self.stand(at, now, changes);
                changes.push(LinkChange::Tell(from, LinkOp::Accept));
            }
            (LinkOp::Connect, None) => {
                if self.make_room(changes) {
                    let link = Link { peer: from, due: now, asks: 0, stands: false, wanted: false };
                    self.links.push(link);
                    self.stand(self.links.len() - 1, now, changes);
                    changes.push(LinkChange::Tell(from, LinkOp::Accept));
                } else {
                    self.refused.full += 1;
                    changes.push(LinkChange::Tell(from, LinkOp::Disconnect));
                }
            }
            (LinkOp::Accept, Some(at)) => {
                self.stand(at, now, changes);
                self.drop_surplus(changes);
            }
            (LinkOp::Accept, None) => {
                self.refused.unasked += 1;
                changes.push(LinkChange::Tell(from, LinkOp::Disconnect));
            }
            (LinkOp::Disconnect, Some(at)) => {
                if self.links[at].wanted {
                    self.pass_over(from, now);
                }
                self.remove(from, changes);
            }
            (LinkOp::Disconnect, None) => {}
        }
        self.assert_sound();
    }

    /// Each member is linked once, and no more of them than there may be.
    fn assert_sound(&self) {
        assert!(self.links.len() <= OVERLAY_MAX, "{} links", self.links.len());
        assert!(self.passed_over.len() <= PASSED_OVER_MAX, "{} passed over", self.passed_over.len());
        debug_assert!(
            (0..self.links.len()).all(|i| self.find(self.links[i].peer) == Some(i)),
            "{:?}",
            self.links
        );
    }

    /// When [`Overlay::tick`] has something to do; `u64::MAX` for nothing.
    pub fn next_due(&self) -> u64 {
        self.links.iter().map(|link| link.due).min().unwrap_or(u64::MAX)
    }

    /// Asks again. Returns whether a wanted member was given up, so that others should be wanted.
    pub fn tick(&mut self, now: u64, changes: &mut Vec<LinkChange>) -> bool {
        let mut silent = Vec::new();
        for link in self.links.iter_mut().filter(|link| link.due <= now) {
            if link.asks >= ASKS {
                silent.push(link.peer);
                continue;
            }
            assert!(link.asks < ASKS, "asked {} times", link.asks);
            link.due = now + (PATIENCE << link.asks);
            link.asks += 1;
            changes.push(LinkChange::Tell(link.peer, LinkOp::Connect));
        }
        for peer in &silent {
            self.pass_over(*peer, now);
            // Should only the answers have been lost, the other end must not keep half a link.
            changes.push(LinkChange::Tell(*peer, LinkOp::Disconnect));
            self.remove(*peer, changes);
        }
        self.assert_sound();
        !silent.is_empty()
    }

    /// Bytes of memory that this machine takes, its own size included.
    pub fn memory(&self) -> usize {
        let passed_over = self.passed_over.capacity() * size_of::<(MemberIndex, u64)>();
        size_of::<Self>() + self.links.capacity() * size_of::<Link>() + passed_over
    }

    fn find(&self, peer: MemberIndex) -> Option<usize> {
        self.links.iter().position(|link| link.peer == peer)
    }

    fn stand(&mut self, at: usize, now: u64, changes: &mut Vec<LinkChange>) {
        let link = &mut self.links[at];
        // Spread over the period by who it is, so that links are not all confirmed at once.
        let spread = u64::from(link.peer.0 % 16) * (CONFIRM / 16);
        (link.due, link.asks) = (now + CONFIRM + spread, 0);
        if !core::mem::replace(&mut link.stands, true) {
            changes.push(LinkChange::Linked(link.peer));
        }
        assert!(spread < CONFIRM && self.next_due() <= now + 2 * CONFIRM, "a link is confirmed in time");
    }

    /// Makes room for one more link: a link goes that this node does not want, if there is one.
    fn make_room(&mut self, changes: &mut Vec<LinkChange>) -> bool {
        if self.links.len() < OVERLAY_MAX {
            return true;
        }
        let Some(unwanted) = self.links.iter().find(|link| !link.wanted).map(|link| link.peer) else {
            return false;
        };
        changes.push(LinkChange::Tell(unwanted, LinkOp::Disconnect));
        self.remove(unwanted, changes);
        true
    }

    /// Once all that is wanted stands, who is wanted by neither end need not be kept; whether the other end wants a link
    /// is not known, so as many stay as others may need for theirs.
    fn drop_surplus(&mut self, changes: &mut Vec<LinkChange>) {
        let waits = self.links.iter().any(|link| link.wanted && !link.stands);
        while !waits && self.links.len() > WANTED + 4 {
            let Some(unwanted) = self.links.iter().find(|link| !link.wanted).map(|link| link.peer) else {
                return;
            };
            changes.push(LinkChange::Tell(unwanted, LinkOp::Disconnect));
            self.remove(unwanted, changes);
        }
    }

    fn remove(&mut self, peer: MemberIndex, changes: &mut Vec<LinkChange>) {
        if let Some(at) = self.find(peer) {
            // In order, so that the longest-standing unwanted link is the first to go.
            if self.links.remove(at).stands {
                changes.push(LinkChange::Unlinked(peer));
            }
        }
    }

    fn pass_over(&mut self, peer: MemberIndex, now: u64) {
        self.passed_over.retain(|(other, until)| *other != peer && now < *until);
        if self.passed_over.len() == PASSED_OVER_MAX {
            self.passed_over.remove(0);
        }
        assert!(self.passed_over.len() < PASSED_OVER_MAX, "the oldest gave way");
        self.passed_over.push((peer, now + PASSED_OVER));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Random;
    use crate::control::dissemination::rank::{Purpose, Ranking};
    use octick_crypto::NodeId;
    use std::collections::{BTreeSet, VecDeque};

    /// Nodes that all know who is up, and messages that arrive in order, or are lost.
    struct Region {
        nodes: Vec<Overlay>,
        up: Vec<bool>,
        epoch: u64,
        now: u64,
        send_queue: VecDeque<(u32, u32, LinkOp)>,
        loss_permille: u32,
        random: Random,
    }

    impl Region {
        fn new(count: u32, loss_permille: u32) -> Self {
            let nodes = (0..count).map(|_| Overlay::default()).collect();
            let up = alloc::vec![true; count as usize];
            let random = Random::new(5);
            Self { nodes, up, epoch: 1, now: 0, send_queue: VecDeque::new(), loss_permille, random }
        }

        fn want(&mut self, i: u32) {
            let id = |i: u32| {
                NodeId((u128::from(i).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)).to_le_bytes())
            };
            let overlay = &self.nodes[i as usize];
            let others = (0..self.up.len() as u32).filter(|other| self.up[*other as usize]);
            let others = others.filter(|other| !overlay.passes_over(MemberIndex(*other), self.now));
            let ranking = Ranking::new(&[3; 32], Purpose::Overlay, self.epoch);
            let wanted =
                ranking.neighbours(id(i), others.map(|other| (MemberIndex(other), id(other))), RINGS);
            let mut changes = Vec::new();
            self.nodes[i as usize].want(self.now, &wanted, &mut changes);
            self.post(i, changes);
        }

        fn want_all(&mut self) {
            (0..self.up.len() as u32)
                .filter(|i| self.up[*i as usize])
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|i| self.want(i));
        }

        fn post(&mut self, from: u32, changes: Vec<LinkChange>) {
            for change in changes {
                if let LinkChange::Tell(to, op) = change
                    && !self.random.permille(self.loss_permille)
                {
                    self.send_queue.push_back((from, to.0, op));
                }
            }
        }

        fn run(&mut self, until: u64) {
            while self.now < until {
                self.now += 50 * MS;
                for _ in 0..self.send_queue.len() {
                    let (from, to, op) = self.send_queue.pop_front().unwrap();
                    if self.up[to as usize] {
                        let mut changes = Vec::new();
                        self.nodes[to as usize].handle(self.now, MemberIndex(from), op, &mut changes);
                        self.post(to, changes);
                    }
                }
                for i in 0..self.nodes.len() as u32 {
                    let mut changes = Vec::new();
                    if self.up[i as usize] && self.nodes[i as usize].next_due() <= self.now {
                        let again = self.nodes[i as usize].tick(self.now, &mut changes);
                        self.post(i, changes);
                        if again {
                            self.want(i);
                        }
                    }
                }
            }
        }

        fn fail(&mut self, gone: u32) {
            self.up[gone as usize] = false;
            for node in &mut self.nodes {
                node.gone(MemberIndex(gone), &mut Vec::new());
            }
        }

        /// Links of which one end knows nothing, and the fewest and most links of a node.
        fn state(&self) -> (usize, usize, usize) {
            let sets: Vec<BTreeSet<u32>> =
                self.nodes.iter().map(|node| node.neighbours().map(|place| place.0).collect()).collect();
            let up = || (0..sets.len()).filter(|i| self.up[*i]);
            let one_sided =
                up().map(|i| sets[i].iter().filter(|j| !sets[**j as usize].contains(&(i as u32))).count());
            let sizes = || up().map(|i| sets[i].len());
            (one_sided.sum(), sizes().min().unwrap(), sizes().max().unwrap())
        }
    }

    #[test]
    fn all_links_stand_at_both_ends_after_a_round_trip() {
        let mut region = Region::new(120, 0);
        region.want_all();
        region.run(200 * MS);
        let (one_sided, least, most) = region.state();
        assert!(one_sided == 0 && least >= 9 && most <= WANTED, "{one_sided} {least} {most}");
    }

    #[test]
    fn lost_messages_are_made_good() {
        let mut region = Region::new(100, 100);
        region.want_all();
        region.run(150 * S);
        let (one_sided, least, most) = region.state();
        // Of 700 links, a few are being asked for again at any moment.
        assert!(one_sided <= 4 && least >= 10 && most <= OVERLAY_MAX, "{one_sided} {least} {most}");
    }

    #[test]
    fn who_fails_is_replaced_by_the_next_in_rank() {
        let mut region = Region::new(120, 0);
        region.want_all();
        region.run(S);
        for gone in (0..120).step_by(10) {
            region.fail(gone);
            region.want_all();
            region.run(region.now + 100 * MS);
        }
        region.run(region.now + S);
        let (one_sided, least, most) = region.state();
        assert!(one_sided == 0 && least >= 10 && most <= WANTED + 4, "{one_sided} {least} {most}");
    }

    #[test]
    fn a_new_epoch_moves_the_links_and_leaves_nobody_alone_meanwhile() {
        let mut region = Region::new(120, 0);
        region.want_all();
        region.run(S);
        let before: Vec<MemberIndex> = region.nodes[7].neighbours().collect();
        region.epoch = 2;
        region.want_all();
        for _ in 0..20 {
            region.run(region.now + 50 * MS);
            assert!(region.state().1 >= 8);
        }
        let (one_sided, least, most) = region.state();
        assert!(one_sided == 0 && least >= 10 && most <= WANTED + 4, "{one_sided} {least} {most}");
        let after: Vec<MemberIndex> = region.nodes[7].neighbours().collect();
        assert!(after.iter().filter(|place| before.contains(place)).count() < 8);
    }

    #[test]
    fn a_crowd_that_wants_in_takes_no_wanted_link_and_no_more_room_than_there_is() {
        let mut overlay = Overlay::default();
        let mut changes = Vec::new();
        let wanted: Vec<MemberIndex> = (0..14).map(MemberIndex).collect();
        overlay.want(0, &wanted, &mut changes);
        wanted.iter().for_each(|peer| overlay.handle(0, *peer, LinkOp::Accept, &mut changes));
        (100..10_000).for_each(|i| overlay.handle(0, MemberIndex(i), LinkOp::Connect, &mut changes));
        let neighbours: BTreeSet<MemberIndex> = overlay.neighbours().collect();
        assert_eq!(neighbours.len(), OVERLAY_MAX);
        assert!(wanted.iter().all(|peer| neighbours.contains(peer)));
    }

    #[test]
    fn an_acceptance_of_what_nobody_asked_for_makes_no_link() {
        let mut overlay = Overlay::default();
        let mut changes = Vec::new();
        overlay.handle(0, MemberIndex(1), LinkOp::Accept, &mut changes);
        assert_eq!(changes, [LinkChange::Tell(MemberIndex(1), LinkOp::Disconnect)]);
        assert_eq!((overlay.neighbours().count(), overlay.refused.unasked), (0, 1));
    }

    #[test]
    fn a_silent_member_is_passed_over_for_a_while() {
        let mut overlay = Overlay::default();
        let mut changes = Vec::new();
        overlay.want(0, &[MemberIndex(1)], &mut changes);
        let mut asked = 1;
        let now = loop {
            let now = overlay.next_due();
            changes.clear();
            if overlay.tick(now, &mut changes) {
                break now;
            }
            asked += 1;
        };
        assert_eq!(asked, ASKS);
        assert!(
            overlay.passes_over(MemberIndex(1), now)
                && !overlay.passes_over(MemberIndex(1), now + PASSED_OVER)
        );
    }

    /// What is told to `peer`.
    fn told(changes: &[LinkChange], peer: MemberIndex) -> Vec<LinkOp> {
        let told = |change: &LinkChange| match *change {
            LinkChange::Tell(to, op) if to == peer => Some(op),
            _ => None,
        };
        changes.iter().filter_map(told).collect()
    }

    #[test]
    fn a_link_is_asked_for_four_times_each_after_twice_as_long() {
        let (mut overlay, mut changes, peer) = (Overlay::default(), Vec::new(), MemberIndex(1));
        overlay.want(S, &[peer], &mut changes);
        assert_eq!(changes, [LinkChange::Tell(peer, LinkOp::Connect)]);
        for wait in [250, 750, 1_750] {
            assert_eq!(overlay.next_due(), S + wait * MS);
            changes.clear();
            assert!(!overlay.tick(S + wait * MS - 1, &mut changes) && changes.is_empty());
            assert!(!overlay.tick(S + wait * MS, &mut changes), "it is not given up");
            assert_eq!(told(&changes, peer), [LinkOp::Connect]);
        }
        changes.clear();
        assert!(overlay.tick(S + 3_750 * MS, &mut changes), "others should be wanted");
        assert_eq!(told(&changes, peer), [LinkOp::Disconnect], "should only the answers have been lost");
        assert_eq!(overlay.next_due(), u64::MAX);
    }

    #[test]
    fn links_are_confirmed_after_a_minute_and_not_all_at_once() {
        let (mut overlay, mut changes) = (Overlay::default(), Vec::new());
        for peer in (0..16).map(MemberIndex) {
            overlay.handle(S, peer, LinkOp::Connect, &mut changes);
        }
        for peer in 0..16 {
            let due = S + 60 * S + u64::from(peer) * 3_750 * MS;
            assert_eq!(overlay.next_due(), due);
            changes.clear();
            assert!(!overlay.tick(due, &mut changes));
            assert_eq!(told(&changes, MemberIndex(peer)), [LinkOp::Connect]);
            assert_eq!(changes.len(), 1);
            changes.clear();
            overlay.handle(due, MemberIndex(peer), LinkOp::Accept, &mut changes);
            assert_eq!(changes, [], "it stood, and stands");
        }
    }

    #[test]
    fn whoever_refuses_though_it_was_wanted_is_passed_over_beside_others() {
        let (mut overlay, mut changes) = (Overlay::default(), Vec::new());
        let peers: Vec<MemberIndex> = (0..PASSED_OVER_MAX as u32 + 1).map(MemberIndex).collect();
        for (i, peer) in (0..).zip(&peers) {
            overlay.want(i, &[*peer], &mut changes);
            overlay.handle(i, *peer, LinkOp::Disconnect, &mut changes);
            assert!(
                overlay.passes_over(*peer, i + PASSED_OVER - 1)
                    && !overlay.passes_over(*peer, i + PASSED_OVER)
            );
        }
        assert!(
            !overlay.passes_over(peers[0], S),
            "of one more than there is room for the first is forgotten"
        );
        assert!(peers[1..].iter().all(|peer| overlay.passes_over(*peer, S)));
        overlay.gone(peers[5], &mut changes);
        assert!(!overlay.passes_over(peers[5], S), "should it come back");
        assert!(overlay.passes_over(peers[4], S) && overlay.passes_over(peers[6], S));
        let stranger = MemberIndex(1_000);
        overlay.handle(S, stranger, LinkOp::Connect, &mut changes);
        overlay.handle(S, stranger, LinkOp::Disconnect, &mut changes);
        assert!(!overlay.passes_over(stranger, S), "nobody wanted it");
    }

    #[test]
    fn links_that_nobody_here_wants_stay_while_wanted_ones_wait_and_as_long_as_there_are_few() {
        let (mut overlay, mut changes) = (Overlay::default(), Vec::new());
        let old: Vec<MemberIndex> = (100..100 + WANTED as u32).map(MemberIndex).collect();
        old.iter().for_each(|peer| overlay.handle(0, *peer, LinkOp::Connect, &mut changes));
        let wanted: Vec<MemberIndex> = (0..WANTED as u32 + 3).map(MemberIndex).collect();
        overlay.want(0, &wanted, &mut changes);
        assert!(told(&changes, wanted[WANTED]).is_empty(), "as many as count");
        let stands = |overlay: &Overlay, peer: &MemberIndex| overlay.neighbours().any(|other| other == *peer);
        let all_but_one = &wanted[..WANTED - 1];
        changes.clear();
        all_but_one.iter().for_each(|peer| overlay.handle(0, *peer, LinkOp::Accept, &mut changes));
        let kept = old.iter().filter(|peer| stands(&overlay, peer)).count();
        assert_eq!(kept, OVERLAY_MAX - WANTED, "no more went than had to make room");
        overlay.handle(0, wanted[WANTED - 1], LinkOp::Accept, &mut changes);
        let kept: Vec<_> = old.iter().filter(|peer| stands(&overlay, peer)).collect();
        assert_eq!(overlay.neighbours().count(), WANTED + 4);
        assert_eq!(kept, old[WANTED - 4..].iter().collect::<Vec<_>>(), "the longest-standing go first");
        assert!(wanted[..WANTED].iter().all(|peer| stands(&overlay, peer)));
        overlay.want(S, &wanted, &mut changes);
        changes.clear();
        overlay.want(S, &wanted, &mut changes);
        assert_eq!(changes, [], "who is linked is not asked again");
    }

    #[test]
    fn whoever_wants_in_where_there_is_no_room_is_told_so_and_counted() {
        let (mut overlay, mut changes) = (Overlay::default(), Vec::new());
        let wanted: Vec<MemberIndex> = (0..WANTED as u32).map(MemberIndex).collect();
        for first in [0, 1] {
            overlay.want(0, &wanted[first..], &mut changes);
        }
        for peer in &wanted {
            overlay.handle(0, *peer, LinkOp::Accept, &mut changes);
        }
        let crowd = OVERLAY_MAX as u32 - WANTED as u32;
        (100..100 + crowd)
            .for_each(|peer| overlay.handle(0, MemberIndex(peer), LinkOp::Connect, &mut changes));
        // Everybody is wanted now: nobody gives way.
        overlay.links.iter_mut().for_each(|link| link.wanted = true);
        changes.clear();
        overlay.handle(0, MemberIndex(999), LinkOp::Connect, &mut changes);
        assert_eq!(changes, [LinkChange::Tell(MemberIndex(999), LinkOp::Disconnect)]);
        assert_eq!((overlay.refused.full, overlay.neighbours().count()), (1, OVERLAY_MAX));
    }
}
