//! Who is in the mesh: one compact record a member, found by name at a price that does not depend on how many there are.
//!
//! **Finding, in words**: a hash map from name to place. Departures: (1) records lie in one vector and never move, so a
//! [`MemberIndex`] stays good until its member is forgotten; (2) the index is keyed by a secret seed; (3) what two nodes compare, a digest of each of 64 buckets of
//! members, is kept up with every change.
//!
//! A member is `alive`, `suspected`, `failed` or `left`. Between two reports of one announcement the later of these
//! states holds; a later announcement outdoes them all. Who left stays on record for a while, so that old gossip does not
//! bring it back. Who failed and counts for the quorum of its region stays until it comes back or is made to leave: forgetting
//! it would lower the quorum, and time never does that.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::id::{MemberIndex, PeerState, Rank, Region};
use crate::control::membership::buckets::{BucketIndex, bucket_of};
pub use crate::control::membership::member::Member;
pub(in crate::control) use crate::control::membership::member::MemberStanding;
use crate::control::membership::member::{NOWHERE, Window, fold, halves};
use crate::control::membership::rtt::Rtt;
use crate::control::message::announcement::Announcement;
use crate::control::message::membership::BUCKETS;
use crate::hash_index::Index;
use crate::random::Random;
use crate::stamp::Incarnation;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// A member that nobody here had heard of.
    New(MemberIndex),
    /// A later word, or a later state; and what the member was before.
    Changed(MemberIndex, PeerState),
    /// Nothing that was not known.
    Old(MemberIndex),
    /// A later word is spoken of, and not known here.
    Ahead(MemberIndex),
    /// A member that nobody here has heard of, and there is no word of its own.
    Unknown,
    /// No room is left; forgetting who is gone would make some.
    Full,
}

/// A member that went, and when; good as long as its record still says so.
type Gone = (MemberIndex, u64);

/// Members of the region that count for its quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Live ones, this node among them.
    pub reachable: usize,
    /// Those that failed, whenever that was.
    pub missing: usize,
}

/// All members, this node among them.
#[derive(Debug)]
pub struct Members {
    records: Vec<Member>,
    free: Vec<u32>,
    index: Index,
    seed: [u64; 2],
    region: Region,
    me: NodeId,
    /// The live members of the region but for this node, in the order in which they are probed.
    live: Vec<MemberIndex>,
    /// Who is gone and may be forgotten, in the order in which that was noticed.
    gone: VecDeque<Gone>,
    /// Who failed and may not be, likewise.
    missing: VecDeque<Gone>,
    gone_count: usize,
    /// Members of the region that count for its quorum: live ones, this node among them, and failed ones.
    counted: Counted,
    digests: [u64; BUCKETS],
    /// Counts the comings and goings of members, and who is missed.
    changes: u64,
    /// The live and the missed members by bucket, as of some count of changes: made when tables are compared.
    buckets: BucketIndex,
    capacity: usize,
    /// Moves live members to places where they cannot be expected.
    random: Random,
}

impl Members {
    /// A table with `me` in it, of at most `capacity` members.
    pub fn new(me: Arc<Announcement>, capacity: usize, mut random: Random) -> Self {
        let mut members = Self {
            records: Vec::new(),
            free: Vec::new(),
            index: Index::default(),
            seed: [random.u64(), random.u64()],
            region: me.statement().region,
            me: me.id(),
            live: Vec::new(),
            gone: VecDeque::new(),
            missing: VecDeque::new(),
            gone_count: 0,
            counted: Counted::default(),
            digests: [0; BUCKETS],
            changes: 0,
            buckets: BucketIndex::default(),
            capacity: capacity.max(1),
            random,
        };
        let applied = members.announce(&me, 0);
        debug_assert_eq!(applied, Applied::New(Self::ME));
        members
    }

    /// This node's own place.
    pub const ME: MemberIndex = MemberIndex(0);

    /// Members on record, whatever their state.
    pub fn len(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// Whether there is nobody; never so, for this node is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Grows whenever a live member comes or goes.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Members that are gone and not forgotten.
    pub fn gone(&self) -> usize {
        self.gone_count
    }

    /// Members of the region that count for its quorum.
    pub fn counted(&self) -> Counted {
        self.counted
    }

    /// Members of the region that failed and count, the latest first.
    pub fn missing(&self) -> impl Iterator<Item = (MemberIndex, &Member)> {
        let missing = self.missing.iter().rev().filter(|gone| self.is_gone(gone));
        missing.map(|(place, _)| (*place, self.get(*place))).filter(|(_, member)| self.misses(member))
    }

    /// Members that are gone, the latest first, in no order between those that count and others.
    pub fn gone_places(&self) -> impl Iterator<Item = MemberIndex> {
        let gone = self.missing.iter().rev().chain(self.gone.iter().rev());
        gone.filter(|gone| self.is_gone(gone)).map(|(place, _)| *place)
    }

    fn is_gone(&self, (place, at): &Gone) -> bool {
        let member = self.get(*place);
        member.incarnation != VACANT && !member.state.is_live() && member.changed_at == *at
    }

    /// Whether a member is one that a quorum lacks.
    fn misses(&self, member: &Member) -> bool {
        member.state == PeerState::Failed && member.region == self.region && member.counts()
    }

    /// Live members of the region, without this node, in probing order.
    pub fn live(&self) -> &[MemberIndex] {
        &self.live
    }

    /// The live members of the region in probing order, to be shuffled.
    pub fn reshuffle(&mut self, random: &mut Random) {
        random.shuffle(&mut self.live);
        for (turn, place) in self.live.iter().enumerate() {
            self.records[place.0 as usize].turn = turn as u32;
        }
    }

    /// Places, those that hold nobody included.
    pub(in crate::control) fn places(&self) -> u32 {
        self.records.len() as u32
    }

    /// Whether a place holds nobody.
    pub(in crate::control) fn is_vacant(&self, place: MemberIndex) -> bool {
        self.get(place).incarnation == VACANT
    }

    /// All members on record, in order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (MemberIndex, &Member)> {
        let vacant = |place: &u32| self.records[*place as usize].incarnation == VACANT;
        (0..self.records.len() as u32)
            .filter(move |place| !vacant(place))
            .map(|place| (MemberIndex(place), &self.records[place as usize]))
    }

    /// The member at a place.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn get(&self, place: MemberIndex) -> &Member {
        &self.records[place.0 as usize]
    }

    /// The member at a place.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn get_mut(&mut self, place: MemberIndex) -> &mut Member {
        &mut self.records[place.0 as usize]
    }

    /// Where a member's record lies.
    pub fn find(&self, id: NodeId) -> Option<MemberIndex> {
        let is = |place: u32| self.records[place as usize].id == id;
        self.index.find(self.hash(id), is).map(MemberIndex)
    }

    /// Digests of the members of the region that are live or missed, a bucket each; zero for an empty one.
    pub fn digests(&self) -> [[u8; 4]; BUCKETS] {
        self.digests.map(|digest| (digest as u32).to_le_bytes())
    }

    /// One digest of all of them: equal tables, equal digest.
    pub fn digest(&self) -> u32 {
        // Each bucket turned by its number, so that members do not cancel across buckets.
        let turned = self.digests.iter().enumerate().map(|(i, digest)| digest.rotate_left(i as u32));
        turned.fold(0, |all, digest| all ^ digest) as u32
    }

    /// Sorts the members of the region that are live or missed by bucket, unless nobody came or went since the last time.
    pub fn index_buckets(&mut self) {
        if self.buckets.is_of(self.changes) {
            return;
        }
        let mut buckets = core::mem::take(&mut self.buckets);
        let local = core::iter::once(Self::ME).chain(self.live.iter().copied());
        let live = local.filter(|place| self.get(*place).state.is_live());
        let places = live.chain(self.missing().map(|(place, _)| place));
        buckets.sort(self.changes, places, |place| bucket_of(self.get(place).id));
        self.buckets = buckets;
    }

    /// The members of the region in one bucket that are live, this node among them, or missed, as of the last [`Members::index_buckets`].
    pub fn bucket(&self, bucket: usize) -> impl Iterator<Item = (MemberIndex, &Member)> {
        self.buckets.bucket(bucket).iter().map(|place| (*place, self.get(*place)))
    }

    /// Live members of another region, as far as known here; nobody here watches them.
    pub fn remote(&self, region: Region) -> impl Iterator<Item = (MemberIndex, &Member)> {
        self.iter().filter(move |(_, member)| member.region == region && member.state.is_live())
    }

    /// How many live members of all other regions are known.
    pub fn remote_len(&self) -> usize {
        let local = usize::from(self.get(Self::ME).state.is_live()) + self.live.len();
        assert!(self.gone_count + local <= self.len(), "{} gone, {local} here", self.gone_count);
        self.len() - self.gone_count - local
    }

    /// Takes in an announcement that was verified.
    pub fn announce(&mut self, announcement: &Arc<Announcement>, now: u64) -> Applied {
        let state = if announcement.statement().leaves { PeerState::Left } else { PeerState::Alive };
        self.announce_as(announcement, state, now)
    }

    /// The same of a member that is known, or told, to be in `state` since.
    pub(in crate::control) fn announce_as(
        &mut self,
        announcement: &Arc<Announcement>,
        state: PeerState,
        now: u64,
    ) -> Applied {
        let (id, rank) = (announcement.id(), announcement.rank());
        let Some(place) = self.find(id) else { return self.add(announcement, state, now) };
        let member = self.get(place);
        if rank <= member.rank() {
            return Applied::Old(place);
        }
        let before = member.state;
        self.withdraw(place);
        self.weigh(place, false);
        let member = self.get_mut(place);
        member.pruned = false;
        let boots = member.announcement.statement().boot != announcement.statement().boot;
        if rank.0 > member.incarnation || boots {
            // The new incarnation knows nobody yet.
            (member.control_frames, member.heard_at) = (Window::default(), 0);
        }
        let address = member.address();
        (member.incarnation, member.version) = rank;
        member.region = announcement.statement().region;
        member.announcement = announcement.clone();
        let via = announcement.statement().addresses.iter().position(|a| Some(*a) == address);
        member.via = via.unwrap_or(0) as u8;
        member.proven &= via.is_some();
        if member.state != state {
            member.changed_at = now;
        }
        member.state = state;
        self.weigh(place, true);
        self.count(place, before, state);
        self.enlist(place);
        assert!(self.get(place).rank() == rank, "the later word counts");
        Applied::Changed(place, before)
    }

    /// What the mesh's rule makes of a member: whether it counts, and whether it writes. Returns whether that is new.
    pub(in crate::control) fn set_standing(&mut self, place: MemberIndex, standing: MemberStanding) -> bool {
        let known = self.get(place).standing;
        self.stand(place, standing.as_long_as(known))
    }

    /// A member was here long enough, or was not. Returns whether that is new.
    pub(in crate::control) fn set_established(&mut self, place: MemberIndex, is: bool) -> bool {
        let known = self.get(place).standing;
        self.stand(place, known.established(is))
    }

    fn stand(&mut self, place: MemberIndex, standing: MemberStanding) -> bool {
        let changed = self.get(place).standing != standing;
        if changed {
            self.weigh(place, false);
            self.get_mut(place).standing = standing;
            self.weigh(place, true);
            self.requeue(place);
        }
        changed
    }

    /// Who failed is kept in one list if a quorum misses it, and in another if not.
    fn requeue(&mut self, place: MemberIndex) {
        for list in [&mut self.gone, &mut self.missing] {
            list.retain(|(other, _)| *other != place);
        }
        let member = self.get(place);
        if !member.state.is_live() {
            let gone = (place, member.changed_at);
            if self.misses(member) { self.missing.push_back(gone) } else { self.gone.push_back(gone) }
        }
    }

    /// Takes in a report that a member, as announced by `rank`, is in `state`.
    pub fn report(&mut self, id: NodeId, rank: Rank, state: PeerState, now: u64) -> Applied {
        match self.find(id) {
            Some(place) => self.report_at(place, rank, state, now),
            None => Applied::Unknown,
        }
    }

    /// As [`Members::report`], of a member whose place is known.
    pub fn report_at(&mut self, place: MemberIndex, rank: Rank, state: PeerState, now: u64) -> Applied {
        let member = self.get(place);
        let before = member.state;
        if rank > member.rank() {
            return Applied::Ahead(place);
        }
        if rank < member.rank() || state <= before {
            return Applied::Old(place);
        }
        self.put(place, state, now);
        Applied::Changed(place, before)
    }

    /// Clears a suspicion: the member was heard itself.
    pub fn clear_suspicion(&mut self, place: MemberIndex, now: u64) -> bool {
        let suspected = self.get(place).state == PeerState::Suspected;
        if suspected {
            self.put(place, PeerState::Alive, now);
        }
        suspected
    }

    fn put(&mut self, place: MemberIndex, state: PeerState, now: u64) {
        let before = self.get(place).state;
        if before.is_live() != state.is_live() {
            self.withdraw(place);
        }
        self.weigh(place, false);
        let member = self.get_mut(place);
        (member.state, member.changed_at) = (state, now);
        self.weigh(place, true);
        self.count(place, before, state);
        if before.is_live() != state.is_live() {
            self.enlist(place);
        }
    }

    fn count(&mut self, place: MemberIndex, before: PeerState, after: PeerState) {
        self.gone_count += usize::from(before.is_live() && !after.is_live());
        self.gone_count -= usize::from(!before.is_live() && after.is_live());
        assert!(self.gone_count <= self.len(), "{} of {} are gone", self.gone_count, self.len());
        if after.is_live() || before == after {
            return;
        }
        let member = self.get(place);
        let (gone, misses) = ((place, member.changed_at), self.misses(member));
        for list in [&mut self.gone, &mut self.missing] {
            if list.len() > 2 * self.capacity {
                let records = &self.records;
                list.retain(|(place, at)| {
                    let member = &records[place.0 as usize];
                    !member.state.is_live() && member.changed_at == *at
                });
            }
        }
        if misses { self.missing.push_back(gone) } else { self.gone.push_back(gone) }
    }

    /// Counts a member into the quorum of the region, or out of it; and into the digests, if it is missed. Before and after all
    /// that concerns either.
    fn weigh(&mut self, place: MemberIndex, into: bool) {
        let member = self.get(place);
        let misses = self.misses(member);
        let reachable = member.state.is_live() && member.region == self.region && member.counts();
        let (bucket, stamp) = (bucket_of(member.id), member.stamp(true));
        let step = |count: &mut usize, counts: bool| match into {
            true => *count += usize::from(counts),
            false => {
                assert!(*count >= usize::from(counts), "more went than had come");
                *count -= usize::from(counts);
            }
        };
        step(&mut self.counted.reachable, reachable);
        step(&mut self.counted.missing, misses);
        if misses {
            self.digests[bucket] ^= stamp;
            self.changes += 1;
        }
    }

    fn add(&mut self, announcement: &Arc<Announcement>, state: PeerState, now: u64) -> Applied {
        if self.len() >= self.capacity {
            return Applied::Full;
        }
        let statement = announcement.statement();
        let member = Member {
            id: announcement.id(),
            version: statement.version,
            announcement: announcement.clone(),
            changed_at: now,
            heard_at: 0,
            rtt: Rtt::default(),
            control_frames: Window::default(),
            answered_until: 0,
            incarnation: statement.incarnation,
            turn: NOWHERE,
            broadcast: 0,
            region: statement.region,
            state,
            via: 0,
            proven: false,
            pruned: false,
            standing: MemberStanding::of(true, true),
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.records[place as usize] = member;
                MemberIndex(place)
            }
            None => {
                self.records.push(member);
                MemberIndex(self.records.len() as u32 - 1)
            }
        };
        self.index.insert(self.hash(announcement.id()), place.0);
        self.weigh(place, true);
        self.count(place, PeerState::Alive, state);
        self.enlist(place);
        assert!(self.len() <= self.capacity, "{} members in a table of {}", self.len(), self.capacity);
        Applied::New(place)
    }

    /// The member that has been gone longest of those that no quorum misses, if that is since before `then`: to be
    /// [removed](Members::remove).
    pub fn gone_before(&mut self, then: u64) -> Option<MemberIndex> {
        while let Some(gone) = self.gone.front() {
            let place = gone.0;
            if self.is_gone(gone) && !self.misses(self.get(place)) {
                return (self.get(place).changed_at < then).then_some(place);
            }
            self.gone.pop_front();
        }
        None
    }

    /// Takes a member that is gone out of all lists that anybody sees; its record stays until it is
    /// [removed](Members::remove).
    pub(in crate::control) fn prune(&mut self, place: MemberIndex) {
        debug_assert!(!self.get(place).state.is_live(), "only who is gone is pruned");
        self.get_mut(place).pruned = true;
    }

    /// Forgets a member that is gone; its place goes to the next newcomer.
    ///
    /// # Panics
    /// When the member is not gone.
    pub fn remove(&mut self, place: MemberIndex) {
        assert!(!self.get(place).state.is_live(), "only who is gone is forgotten");
        self.weigh(place, false);
        self.index.remove(self.hash(self.get(place).id), place.0);
        self.gone_count -= 1;
        let member = self.get_mut(place);
        assert!(member.turn == NOWHERE, "who is gone has no turn");
        (member.incarnation, member.id) = (VACANT, NodeId([0; 16]));
        self.free.push(place.0);
        assert!(self.free.len() < self.records.len(), "this node itself stays");
    }

    /// Counts a live member into the digests and, unless it is this node, into the list.
    fn enlist(&mut self, place: MemberIndex) {
        let member = self.get(place);
        if !member.state.is_live() || member.region != self.region {
            return;
        }
        let (bucket, stamp, own) = (bucket_of(member.id), member.stamp(false), member.id == self.me);
        self.digests[bucket] ^= stamp;
        self.changes += 1;
        if own {
            return;
        }
        // A newcomer changes places with anybody, so that nobody can tell who is probed next.
        assert!(self.get(place).turn == NOWHERE, "{place:?} has a turn already");
        let (last, at) = (self.live.len(), self.random.index(self.live.len() + 1));
        self.live.push(place);
        self.live.swap(at, last);
        for turn in [at, last] {
            let place = self.live[turn];
            self.get_mut(place).turn = turn as u32;
        }
    }

    /// The reverse of [`Members::enlist`].
    fn withdraw(&mut self, place: MemberIndex) {
        let member = self.get(place);
        if !member.state.is_live() || member.region != self.region {
            return;
        }
        let (turn, bucket, stamp) = (member.turn, bucket_of(member.id), member.stamp(false));
        self.digests[bucket] ^= stamp;
        self.changes += 1;
        if turn == NOWHERE {
            return;
        }
        let removed = self.live.swap_remove(turn as usize);
        assert!(removed == place, "the turn of {place:?} was {removed:?}'s");
        if let Some(moved) = self.live.get(turn as usize).copied() {
            self.get_mut(moved).turn = turn;
        }
        self.get_mut(place).turn = NOWHERE;
    }

    fn hash(&self, id: NodeId) -> u32 {
        let [low, high] = halves(id);
        fold(low ^ self.seed[0], high ^ self.seed[1]) as u32
    }
}

/// The incarnation of a record that holds nobody. No node can live it: its next incarnation would not be later.
const VACANT: Incarnation = Incarnation(u32::MAX);

#[cfg(test)]
mod tests;
