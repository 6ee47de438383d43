//! One member: its record, in two cache lines.

use alloc::sync::Arc;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::id::{PeerState, Rank, Region};
use crate::control::membership::rtt::Rtt;
use crate::control::message::announcement::Announcement;
use crate::control::message::descriptor::Descriptor;
use crate::control::message::membership::Listed;
use crate::control::send_queue::Recipient;
use crate::limits::ADDRESSES_MAX;
use crate::stamp::{Incarnation, Version};

/// What a control frame of an answer costs who asked, microseconds.
const ANSWER_COST: u64 = 1_000;
/// What may be owed.
const ANSWER_BURST: u64 = 1_000_000;
/// No place in the list of live members.
pub(in crate::control) const NOWHERE: u32 = u32::MAX;
/// One member, in two cache lines: what a report is held against, and what a control frame is.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Member {
    pub(in crate::control) id: NodeId,
    pub(in crate::control) version: Version,
    pub(in crate::control) incarnation: Incarnation,
    pub(in crate::control) region: Region,
    pub(in crate::control) state: PeerState,
    /// Which of its addresses it was last heard from.
    pub(in crate::control) via: u8,
    pub(in crate::control) announcement: Arc<Announcement>,
    /// When the state last changed, microseconds.
    pub changed_at: u64,
    /// Its key among the broadcasts, or zero; the queue's business.
    pub(in crate::control) broadcast: u64,
    /// Its place in the list of live members.
    pub(in crate::control) turn: u32,
    /// Whether it has shown that it receives what is sent to that address.
    pub proven: bool,
    /// Whether an operator had it forgotten: it is kept only so that nothing brings it back.
    pub(in crate::control) pruned: bool,
    pub(in crate::control) standing: MemberStanding,
    /// When a control frame of its own last came, microseconds; zero for never.
    pub heard_at: u64,
    /// How long its answers take.
    pub rtt: Rtt,
    pub(in crate::control) control_frames: Window,
    /// Up to when what it was answered is paid for, microseconds.
    pub(in crate::control) answered_until: u64,
}

const _: () = assert!(size_of::<Member>() == 128);

/// What the mesh's rule makes of a member, and whether it was here long enough: each a bit of one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct MemberStanding(u8);

impl MemberStanding {
    const COUNTS: u8 = 1;
    const WRITES: u8 = 1 << 1;
    const ESTABLISHED: u8 = 1 << 2;

    /// Of a member that was here long enough: whether the mesh's rule has it count, and whether it may write.
    pub(in crate::control) const fn of(counts: bool, writes: bool) -> Self {
        Self(
            Self::ESTABLISHED | if counts { Self::COUNTS } else { 0 } | if writes { Self::WRITES } else { 0 },
        )
    }

    /// The same by the mesh's rule, of a member that was here as long as `other`.
    pub(in crate::control) const fn as_long_as(self, other: Self) -> Self {
        self.established(other.is_established())
    }

    /// The same by the mesh's rule, of a member that was here long enough, or was not.
    pub(in crate::control) const fn established(self, is: bool) -> Self {
        Self(self.0 & !Self::ESTABLISHED | if is { Self::ESTABLISHED } else { 0 })
    }

    /// Whether the mesh's rule has it count.
    pub(in crate::control) const fn counts(self) -> bool {
        self.0 & Self::COUNTS != 0
    }

    /// Whether it may write the slots that it claims.
    pub(in crate::control) const fn writes(self) -> bool {
        self.0 & Self::WRITES != 0
    }

    /// Whether it was here long enough to count.
    pub(in crate::control) const fn is_established(self) -> bool {
        self.0 & Self::ESTABLISHED != 0
    }
}
// An address is named by its place in a byte, and a word has 64 numbers of the window.
const _: () = assert!(ADDRESSES_MAX <= u8::MAX as usize && Window::LEN == 4 * 64);

/// The last 256 numbers of a member's control frames, so that none counts twice. A member numbers all its control frames, whoever
/// they go to, so more of them pass each other on the way than one receiver sees.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::control) struct Window {
    last: u64,
    /// Bit `n % 256` is set for each number n that was seen, of the last 256.
    seen: [u64; 4],
}

impl Window {
    const LEN: u64 = 256;

    /// Whether `seq` is new; it is not afterwards.
    fn insert(&mut self, seq: u64) -> bool {
        if seq + Self::LEN <= self.last {
            return false;
        }
        if seq > self.last {
            // The numbers between are new, and their bits are those of numbers that are behind the window now.
            let passed = (self.last + 1)..=seq;
            if seq - self.last >= Self::LEN {
                self.seen = [0; 4];
            } else {
                passed.for_each(|n| self.seen[Self::word(n)] &= !Self::bit(n));
            }
            self.last = seq;
        }
        assert!(
            seq <= self.last && self.last - seq < Self::LEN,
            "{seq} is outside the window below {}",
            self.last
        );
        let fresh = self.seen[Self::word(seq)] & Self::bit(seq) == 0;
        self.seen[Self::word(seq)] |= Self::bit(seq);
        fresh
    }

    const fn word(seq: u64) -> usize {
        (seq % Self::LEN / 64) as usize
    }

    const fn bit(seq: u64) -> u64 {
        1 << (seq % 64)
    }
}

impl Member {
    /// Its name.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The last word that is known of it.
    pub fn announcement(&self) -> &Arc<Announcement> {
        &self.announcement
    }

    /// What it is believed to be.
    pub fn state(&self) -> PeerState {
        self.state
    }

    /// Its incarnation and its word.
    pub fn rank(&self) -> Rank {
        (self.incarnation, self.version)
    }

    /// Its region.
    pub fn region(&self) -> Region {
        self.region
    }

    /// Where to write to it: the address that it was last heard from, among those that it announces.
    pub fn address(&self) -> Option<SocketAddr> {
        let addresses = &self.announcement.statement().addresses;
        addresses.get(usize::from(self.via)).or(addresses.first()).copied()
    }

    /// Who it is, and where it is written to; nothing without an address.
    pub fn recipient(&self) -> Option<Recipient> {
        self.address().map(|address| Recipient::node(self.id, address))
    }

    /// Whether it ever wrote to this node, and so knows it.
    pub fn has_written(&self) -> bool {
        self.heard_at > 0
    }

    /// As samples refer to it; nothing if it has no address.
    pub fn descriptor(&self) -> Option<Descriptor> {
        Some(Descriptor { id: self.id, version: self.version, address: self.address()? })
    }

    /// Takes note of a control frame: returns whether its number is new in this incarnation.
    pub fn is_new_control_frame(&mut self, seq: u64) -> bool {
        self.control_frames.insert(seq)
    }

    /// Whether it may be answered at length now: a control frame in a millisecond, and a second's worth at once.
    pub fn may_be_answered(&self, now: u64) -> bool {
        self.answered_until < now + ANSWER_BURST
    }

    /// Takes note of what an answer took, control frames.
    pub fn answered(&mut self, control_frames: u64, now: u64) {
        self.answered_until = self.answered_until.max(now) + (1 + control_frames) * ANSWER_COST;
        assert!(self.answered_until > now, "an answer costs something");
    }

    /// Takes note of where a control frame came from. Returns whether that is an address it announces; any other is not
    /// written to, for control frames can be carried elsewhere by anyone.
    pub fn heard_from(&mut self, from: SocketAddr, now: u64) -> bool {
        self.heard_at = now.max(1);
        let addresses = &self.announcement.statement().addresses;
        let Some(via) = addresses.iter().position(|address| *address == from) else { return false };
        if usize::from(self.via) != via {
            self.via = via as u8;
            self.proven = false;
        }
        true
    }

    /// Whether it counts where it is at home, whether it is there or failed: the mesh's rule has it count, it does not say
    /// that it is ephemeral, and it was here long enough.
    pub fn counts(&self) -> bool {
        self.may_count() && self.is_established()
    }

    /// Whether it counts as soon as it was here long enough.
    pub fn may_count(&self) -> bool {
        self.standing.counts() && !self.announcement.statement().is_ephemeral()
    }

    /// Whether its opinion of others counts: the mesh's rule has it count, and it was here long enough. What it says of itself, that it
    /// is ephemeral, is no reason not to believe it.
    pub fn is_witness(&self) -> bool {
        self.standing.counts() && self.is_established()
    }

    /// Whether it was here long enough to count.
    pub fn is_established(&self) -> bool {
        self.standing.is_established()
    }

    /// Whether the mesh's rule does not have it as a member any more: it is on record only so that nothing brings it back.
    pub fn is_denied(&self) -> bool {
        self.pruned && !self.may_write()
    }

    /// Whether it may write the slots that it claims.
    pub fn may_write(&self) -> bool {
        self.standing.writes()
    }

    /// Whether an operator had it forgotten: it is shown to nobody.
    pub fn is_pruned(&self) -> bool {
        self.pruned
    }

    /// How a list names it: who has failed otherwise than who lives.
    pub fn listed(&self) -> Listed {
        self.listed_as(self.state == PeerState::Failed)
    }

    /// How a list of somebody who believes it live, or failed, names it.
    pub(in crate::control) fn listed_as(&self, failed: bool) -> Listed {
        let name = *self.id.0.first_chunk().expect("a name has 16 bytes");
        Listed { name, stamp: (self.stamp(failed) as u32).to_le_bytes() }
    }

    /// A number that depends on who it is, which announcement of it is known, and whether it failed. The same on every node.
    pub(in crate::control) fn stamp(&self, failed: bool) -> u64 {
        let [low, high] = halves(self.id);
        let salt = if failed { 0x8EBC_6AF0_9C88_C6E3 } else { 0x9E37_79B9_7F4A_7C15 };
        let word = fold(low ^ salt, high ^ 0xD1B5_4A32_D192_ED03);
        fold(word ^ self.version.0, 0xA076_1D64_78BD_642F ^ u64::from(self.incarnation.0))
    }
}

pub(in crate::control) fn halves(id: NodeId) -> [u64; 2] {
    let number = u128::from_le_bytes(id.0);
    [number as u64, (number >> 64) as u64]
}

/// A 64 x 64 to 128-bit product folded onto itself, as in wyhash: weak as hashes go, and two nanoseconds.
pub(in crate::control) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_control_frame_counts_once(seqs in prop::collection::vec(0..2_000_u64, 1..600)) {
            let (mut window, mut seen, mut last) = (Window::default(), BTreeSet::new(), 0);
            for seq in seqs {
                last = last.max(seq);
                let behind = seq + Window::LEN <= last;
                prop_assert_eq!(window.insert(seq), !behind && !seen.contains(&seq));
                seen.insert(seq);
            }
        }
    }

    use crate::control::membership::samples::members_of;

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 7_700))
    }

    /// A member of two addresses.
    fn member() -> Member {
        let members = members_of(1, 4, 5, |_, statement| statement.addresses.extend([1, 2].map(address)));
        members.get(members.live()[0]).clone()
    }

    #[test]
    fn a_member_is_written_to_where_it_was_heard_last_and_has_yet_to_show_that_it_receives_there() {
        let mut member = member();
        assert_eq!((member.address(), member.has_written()), (Some(address(1)), false));
        member.proven = true;
        assert!(member.heard_from(address(1), 7));
        assert!(member.proven && member.has_written() && member.heard_at == 7);
        assert!(member.heard_from(address(2), 8));
        assert_eq!((member.address(), member.proven), (Some(address(2)), false));
        member.proven = true;
        assert!(member.heard_from(address(2), 9) && member.proven, "it is where it was");
        assert!(!member.heard_from(address(3), 10), "it does not announce that");
        assert_eq!((member.address(), member.proven, member.heard_at), (Some(address(2)), true, 10));
        member.heard_from(address(2), 0);
        assert!(member.has_written(), "even when the clock began");
    }

    #[test]
    fn answers_are_paid_for_by_the_millisecond_and_a_second_ahead() {
        let mut member = member();
        const NOW: u64 = 10_000_000;
        let mut answers = 0;
        while member.may_be_answered(NOW) {
            member.answered(0, NOW);
            answers += 1;
        }
        assert_eq!(answers, 1_000);
        assert!(!member.may_be_answered(NOW) && member.may_be_answered(NOW + 1));
        member.answered(9, NOW);
        assert!(!member.may_be_answered(NOW + 10_000) && member.may_be_answered(NOW + 10_001), "ten more");
    }

    #[test]
    fn the_stamps_of_members_their_lives_and_their_ends_are_all_different() {
        let mut stamps = BTreeSet::new();
        for change in 0..40 {
            let members = members_of(4, 8, 5, |_, statement| {
                statement.incarnation = crate::stamp::Incarnation(1 + change % 8);
                statement.version = Version(statement.version.0 + (u64::from(change / 8) << 12));
            });
            for (_, member) in members.iter() {
                assert!(stamps.insert(member.stamp(false)) && stamps.insert(member.stamp(true)));
                assert_eq!(member.listed_as(true).name, member.id().0[..8]);
                assert_ne!(member.listed_as(true), member.listed_as(false));
                assert_eq!(member.listed(), member.listed_as(false));
            }
        }
        // Low halves travel in lists: one bit in two of them differs between any two.
        let low: Vec<u32> = stamps.iter().map(|stamp| *stamp as u32).collect();
        let apart = |pair: &[u32]| (pair[0] ^ pair[1]).count_ones();
        let mean = low.windows(2).map(apart).sum::<u32>() as f64 / (low.len() - 1) as f64;
        assert!((14.0..18.0).contains(&mean), "{mean} of 32 bits");
    }

    #[test]
    fn whom_the_rule_refuses_is_kept_and_denied_and_whom_an_operator_prunes_is_not() {
        let mut member = member();
        let mut denied = |pruned, writes| {
            (member.pruned, member.standing) = (pruned, MemberStanding::of(false, writes));
            member.is_denied()
        };
        assert!(denied(true, false));
        assert!(!denied(true, true) && !denied(false, false) && !denied(false, true));
    }
}
