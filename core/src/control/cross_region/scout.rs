//! Keeping in touch with other regions: knowing enough members of each to write to, and hearing when their leaders fall
//! silent.
//!
//! Nobody watches another region's members as its own do. A node looks for more of them where it knows too few, by
//! asking those it knows and by exchanging samples (CYCLON); writes to each now and then, and lets go of who does not
//! answer. The leader of a region, the first in rank, sends the leaders of the others a heartbeat a second, and
//! judges theirs by [phi](crate::control::cross_region::phi). A mesh of one region does none of this.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

use octick_crypto::NodeId;

use crate::control::cross_region::cyclon::Sampling;
use crate::control::cross_region::phi::{Pace, Phi};
use crate::control::id::{MemberIndex, Region};
use crate::control::membership::table::{Member, Members};
use crate::control::message::descriptor::Descriptor;
use crate::random::Random;
use crate::time::{MS, S, Wall};

/// Between two turns while regions are being got to know, microseconds, and at rest.
const GAP: (u64, u64) = (500 * MS, 10 * S);
/// Members that are asked for others of their region in one turn.
const ASKS: usize = 4;
/// Strangers that are greeted after one exchange.
const GREETINGS: usize = 2;
/// How long a member of another region may be silent before it is written to.
const SILENCE: u64 = 60 * S;
/// How often it is written to in vain before it counts as gone, a turn each.
const PINGS: u8 = 3;
/// A leader that was heard within this time is there, whomever it sends its heartbeats to.
const PINGS_FOR: u64 = 3 * S;
/// Between two heartbeats of a leader.
const BEAT: u64 = S;
/// Phi at which a leader counts as gone: a mistake in a hundred million, at the pace it kept so far.
const CERTAIN: f64 = 8.0;
// Whoever is taken for lost was asked before, and had time to answer.
const _: () = assert!(PINGS > 0 && BEAT * PINGS as u64 <= PINGS_FOR && PINGS_FOR < SILENCE && GAP.0 < GAP.1);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) enum ScoutAction {
    /// Exchange samples; or answer who asks for that.
    Shuffle { to: MemberIndex, answer: bool, descriptors: Vec<Descriptor> },
    /// Say hello to somebody unknown.
    Greet(SocketAddr),
    /// Ask for more members of its region.
    Ask(MemberIndex),
    /// See whether it is there.
    Ping(MemberIndex),
    /// It does not answer.
    Lost(MemberIndex),
    /// Send this node's heartbeat to a leader.
    Beat(MemberIndex, u64),
}

/// What the scout needs to know at a turn.
pub(in crate::control) struct RegionView<'a> {
    /// Everybody on record.
    pub(in crate::control) members: &'a Members,
    /// A member each of regions of which too few are known.
    pub(in crate::control) lacking: &'a [MemberIndex],
    /// The leaders of the other regions, as far as known.
    pub(in crate::control) leaders: &'a [(Region, MemberIndex)],
    /// Whether this node leads its own.
    pub(in crate::control) leads: bool,
    /// What this node says of itself; nothing while it does not know its address.
    pub(in crate::control) own: Option<Descriptor>,
}

/// One node's scout.
#[derive(Debug)]
pub struct Scout {
    sampling: Sampling,
    next_at: u64,
    gap: u64,
    /// Members in other regions at the last turn.
    known: usize,
    /// Who is being written to in vain, and how often.
    knocked: BTreeMap<MemberIndex, u8>,
    beat_at: u64,
    beats: u64,
    /// The heartbeats of the other leaders.
    leaders: BTreeMap<Region, Leader>,
    actions: VecDeque<ScoutAction>,
    random: Random,
}

/// Another region's leader, as this one hears it.
#[derive(Debug)]
struct Leader {
    place: MemberIndex,
    phi: Phi,
    /// How often it was asked in vain whether it is there.
    pings: u8,
}

impl Scout {
    pub(in crate::control) fn new(sampling: Sampling, random: Random) -> Self {
        Self {
            sampling,
            next_at: u64::MAX,
            gap: GAP.0,
            known: 0,
            knocked: BTreeMap::new(),
            beat_at: u64::MAX,
            beats: 0,
            leaders: BTreeMap::new(),
            actions: VecDeque::new(),
            random,
        }
    }

    /// The samples.
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// How sure this node is that the leaders of other regions are gone; only leaders listen to them.
    pub fn phis(&self, now: u64) -> impl Iterator<Item = (Region, MemberIndex, f64)> {
        self.leaders.iter().map(move |(region, leader)| (*region, leader.place, leader.phi.phi(now)))
    }

    /// When [`Scout::tick`] has something to do.
    pub(in crate::control) fn next_due(&self) -> u64 {
        self.next_at.min(self.beat_at)
    }

    /// What to do next.
    pub(in crate::control) fn poll(&mut self) -> Option<ScoutAction> {
        self.actions.pop_front()
    }

    /// There are other regions: begins to look around.
    pub(in crate::control) fn wake(&mut self, now: u64) {
        if self.next_at == u64::MAX {
            (self.next_at, self.beat_at, self.gap) =
                (now + GAP.0 / 2 + self.random.below(GAP.0), now + BEAT, GAP.0);
        }
    }

    /// A member is gone, or its place is given to another.
    pub(in crate::control) fn forget(&mut self, place: MemberIndex, id: NodeId) {
        self.sampling.forget(id);
        self.knocked.remove(&place);
        self.leaders.retain(|_, leader| leader.place != place);
    }

    /// Does what is due.
    pub(in crate::control) fn tick(&mut self, now: u64, view: &RegionView<'_>) {
        if now >= self.beat_at {
            self.beat_at = now + BEAT;
            self.beat(now, view);
            assert!(self.leaders.len() <= view.leaders.len(), "{} leaders are judged", self.leaders.len());
        }
        if now < self.next_at {
            return;
        }
        let known = view.members.remote_len();
        if known == 0 && self.sampling.view().is_empty() {
            (self.next_at, self.beat_at) = (u64::MAX, u64::MAX);
            return;
        }
        let grows = known > core::mem::replace(&mut self.known, known);
        self.gap = if grows { GAP.0 } else { (self.gap * 2).min(GAP.1) };
        assert!((GAP.0..=GAP.1).contains(&self.gap), "a gap of {} us", self.gap);
        self.next_at = now + self.gap / 2 + self.random.below(self.gap);
        let lacking = self.random.choose(view.lacking.len(), ASKS);
        self.actions.extend(lacking.into_iter().map(|i| ScoutAction::Ask(view.lacking[i])));
        self.shuffle(now, view);
        self.ping(now, view.members);
    }

    fn shuffle(&mut self, now: u64, view: &RegionView<'_>) {
        let Some(own) = view.own else { return };
        let members = view.members;
        if self.sampling.view().is_empty() {
            let remote =
                members.iter().filter(|(place, member)| *place != Members::ME && member.state().is_live());
            let all: Vec<Descriptor> = remote.filter_map(|(_, member)| member.descriptor()).collect();
            for i in self.random.choose(all.len(), crate::control::cross_region::cyclon::VIEW / 2) {
                self.sampling.meet(all[i]);
            }
        }
        let Some((partner, offered)) = self.sampling.begin(now, own) else { return };
        self.actions.push_back(match members.find(partner.id) {
            Some(place) if members.get(place).state().is_live() => {
                ScoutAction::Shuffle { to: place, answer: false, descriptors: offered }
            }
            _ => ScoutAction::Greet(partner.address),
        });
    }

    /// Samples came.
    pub(in crate::control) fn handle_shuffle(
        &mut self,
        now: u64,
        wall: Wall,
        from: MemberIndex,
        (answer, theirs): (bool, &[Descriptor]),
        members: &Members,
    ) {
        let id = members.get(from).id();
        self.wake(now);
        if answer {
            if !self.sampling.handle_answer(now, wall, id, theirs) {
                return;
            }
        } else if let Some(descriptors) = self.sampling.handle_ask(wall, id, theirs) {
            self.actions.push_back(ScoutAction::Shuffle { to: from, answer: true, descriptors });
        }
        let unknown: Vec<SocketAddr> = theirs
            .iter()
            .filter(|descriptor| members.find(descriptor.id).is_none())
            .map(|descriptor| descriptor.address)
            .collect();
        // Where nothing is lacking, a new face is still met now and then.
        let greetings = if self.gap < GAP.1 || self.random.below(8) == 0 { GREETINGS } else { 0 };
        let chosen = self.random.choose(unknown.len(), greetings);
        self.actions.extend(chosen.into_iter().map(|i| ScoutAction::Greet(unknown[i])));
    }

    /// Writes to the member in other regions that has been silent longest, and again to those that have not answered yet.
    fn ping(&mut self, now: u64, members: &Members) {
        let local_region = members.get(Members::ME).region();
        let is_silent =
            |member: &Member| now.saturating_sub(member.heard_at.max(member.changed_at)) >= SILENCE;
        // Who is known to be gone by other news is asked no more.
        self.knocked
            .retain(|place, _| is_silent(members.get(*place)) && members.get(*place).state().is_live());
        let remote =
            members.iter().filter(|(_, member)| member.region() != local_region && member.state().is_live());
        let silent = remote.filter(|(place, member)| is_silent(member) && !self.knocked.contains_key(place));
        if let Some((place, _)) = silent.min_by_key(|(place, member)| (member.heard_at, *place)) {
            self.knocked.insert(place, 0);
        }
        for (place, pings) in &mut self.knocked {
            self.actions.push_back(if *pings < PINGS {
                ScoutAction::Ping(*place)
            } else {
                ScoutAction::Lost(*place)
            });
            *pings = pings.saturating_add(1);
        }
    }

    /// A leader's heartbeat came.
    pub(in crate::control) fn handle_heartbeat(&mut self, now: u64, region: Region, from: MemberIndex) {
        if let Some(leader) = self.leaders.get_mut(&region).filter(|leader| leader.place == from) {
            leader.phi.heartbeat(now);
            leader.pings = 0;
        }
    }

    /// Among leaders: shows that this one is there, and looks who is not.
    fn beat(&mut self, now: u64, view: &RegionView<'_>) {
        if !view.leads {
            self.leaders.clear();
            return;
        }
        self.beats += 1;
        // Of a region where nobody lives any more, nobody need be judged.
        self.leaders.retain(|region, _| view.leaders.iter().any(|(other, _)| other == region));
        for (region, place) in view.leaders {
            self.actions.push_back(ScoutAction::Beat(*place, self.beats));
            let new = || Leader { place: *place, phi: Phi::new(Pace::default(), now), pings: 0 };
            let leader = self.leaders.entry(*region).or_insert_with(new);
            if leader.place != *place {
                *leader = new();
            }
        }
        for leader in self.leaders.values_mut() {
            let heard_at = view.members.get(leader.place).heard_at;
            if leader.phi.phi(now) < CERTAIN || now < heard_at + PINGS_FOR {
                continue;
            }
            // It may take another for this region's leader, and send its heartbeats there: so it is asked.
            self.actions.push_back(if leader.pings < PINGS {
                ScoutAction::Ping(leader.place)
            } else {
                ScoutAction::Lost(leader.place)
            });
            leader.pings = leader.pings.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::membership::samples::members;

    #[test]
    fn a_leader_that_falls_silent_is_asked_three_times_before_it_is_lost() {
        let members = members(3, 16, 0);
        let mut random = Random::new(1);
        let mut scout = Scout::new(Sampling::new(members.get(Members::ME).id(), random.fork()), random);
        let leader = members.live()[0];
        let leaders = [(Region(7), leader)];
        let view = RegionView { members: &members, lacking: &[], leaders: &leaders, leads: true, own: None };
        let (mut beats, mut asked) = (0, Vec::new());
        for second in 1..=60 {
            scout.beat(second * S, &view);
            while let Some(action) = scout.poll() {
                match action {
                    ScoutAction::Beat(to, number) => {
                        beats += 1;
                        assert_eq!((to, number), (leader, beats));
                    }
                    other => asked.push(other),
                }
            }
            // It keeps its pace for a while, and then says nothing more.
            if second <= 10 {
                assert_eq!(asked, [], "nobody is asked who is heard");
                scout.handle_heartbeat(second * S + 1, Region(7), leader);
            }
        }
        let (pings, lost) = asked.split_at(3);
        assert_eq!(
            pings,
            [const { ScoutAction::Ping(MemberIndex(1)) }; 3].map(|_| ScoutAction::Ping(leader))
        );
        assert!(
            !lost.is_empty() && lost.iter().all(|action| *action == ScoutAction::Lost(leader)),
            "{lost:?}"
        );
        scout.handle_heartbeat(61 * S, Region(7), leader);
        scout.beat(62 * S, &view);
        assert_eq!(scout.poll(), Some(ScoutAction::Beat(leader, 61)));
        assert_eq!(scout.poll(), None, "who is heard again is asked nothing");
    }

    #[test]
    fn who_leads_no_longer_judges_nobody() {
        let members = members(3, 16, 0);
        let mut random = Random::new(1);
        let mut scout = Scout::new(Sampling::new(members.get(Members::ME).id(), random.fork()), random);
        let leaders = [(Region(7), members.live()[0])];
        let view = RegionView { members: &members, lacking: &[], leaders: &leaders, leads: true, own: None };
        scout.beat(S, &view);
        assert_eq!(scout.phis(S).count(), 1);
        scout.beat(2 * S, &RegionView { leads: false, ..view });
        assert_eq!(scout.phis(2 * S).count(), 0);
    }

    #[test]
    fn the_leader_of_a_region_where_nobody_lives_is_judged_no_more() {
        let members = members(3, 16, 0);
        let mut random = Random::new(1);
        let mut scout = Scout::new(Sampling::new(members.get(Members::ME).id(), random.fork()), random);
        let leaders = [(Region(7), members.live()[0])];
        let view = RegionView { members: &members, lacking: &[], leaders: &leaders, leads: true, own: None };
        (1..=300).for_each(|second| scout.beat(second * S, &view));
        while scout.poll().is_some() {}
        scout.beat(301 * S, &RegionView { leaders: &[], ..view });
        assert_eq!((scout.poll(), scout.phis(301 * S).count()), (None, 0));
    }

    use crate::control::membership::samples::members_of;
    use crate::stamp::Version;

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 7_700))
    }

    /// Members of which the first `local` are of this node's region, and the others of another.
    fn two_regions(local: u8, others: u8, now: u64) -> Members {
        members_of(others, 64, now, |key, statement| {
            statement.addresses.push(address(key));
            statement.region = Region(u16::from(key > local));
        })
    }

    fn scout(members: &Members) -> Scout {
        Scout::new(Sampling::new(members.get(Members::ME).id(), Random::new(3)), Random::new(4))
    }

    fn view_of(members: &Members) -> RegionView<'_> {
        let own = members.get(Members::ME).descriptor();
        RegionView { members, lacking: &[], leaders: &[], leads: false, own }
    }

    fn actions(scout: &mut Scout) -> Vec<ScoutAction> {
        core::iter::from_fn(|| scout.poll()).collect()
    }

    fn place_of(members: &Members, key: u8) -> MemberIndex {
        members.iter().find(|(_, member)| member.address() == Some(address(key))).unwrap().0
    }

    #[test]
    fn a_mesh_of_one_region_has_nothing_due_and_another_region_wakes_it_once() {
        let members = two_regions(3, 3, 0);
        let mut scout = scout(&members);
        assert_eq!(scout.next_due(), u64::MAX);
        scout.wake(100 * S);
        let first = scout.next_at;
        assert!((100 * S + GAP.0 / 2..100 * S + GAP.0 / 2 + GAP.0).contains(&first), "{first}");
        assert_eq!(scout.beat_at, 100 * S + BEAT);
        scout.wake(101 * S);
        assert_eq!(scout.next_at, first, "it is awake");
        scout.tick(first, &view_of(&members));
        assert_eq!((scout.next_due(), actions(&mut scout).len()), (u64::MAX, 0), "there is nobody after all");
    }

    #[test]
    fn who_still_comes_to_know_members_looks_around_twice_a_second_and_at_rest_every_ten() {
        let members = two_regions(1, 6, 0);
        let mut scout = scout(&members);
        scout.wake(0);
        let mut gaps = Vec::new();
        for turn in 0..12 {
            // As if members had come to be known since the last turn, for the first three.
            if turn < 3 {
                scout.known = 0;
            }
            let now = scout.next_at;
            scout.tick(now, &view_of(&members));
            let wait = scout.next_at - now;
            assert!((scout.gap / 2..scout.gap / 2 + scout.gap).contains(&wait), "{wait} of {}", scout.gap);
            gaps.push(scout.gap);
        }
        assert_eq!(gaps[..3], [GAP.0; 3]);
        assert!(gaps[3..].is_sorted() && gaps[3] == 2 * GAP.0 && gaps[11] == GAP.1, "{gaps:?}");
    }

    #[test]
    fn of_regions_of_which_too_few_are_known_four_are_asked_in_a_turn() {
        let members = two_regions(1, 9, 0);
        let lacking: Vec<MemberIndex> = members.iter().map(|(place, _)| place).skip(2).collect();
        let mut scout = scout(&members);
        scout.wake(0);
        scout.tick(scout.next_at, &RegionView { lacking: &lacking, ..view_of(&members) });
        let asked = |action: &ScoutAction| match action {
            ScoutAction::Ask(place) => Some(*place),
            _ => None,
        };
        let mut asked: Vec<MemberIndex> = actions(&mut scout).iter().filter_map(asked).collect();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), ASKS);
        assert!(asked.iter().all(|place| lacking.contains(place)));
    }

    #[test]
    fn samples_are_exchanged_with_a_live_member_that_is_not_this_node() {
        let members = two_regions(1, 6, 0);
        let mut scout = scout(&members);
        scout.shuffle(S, &RegionView { own: None, ..view_of(&members) });
        assert_eq!(actions(&mut scout), [], "not before it knows its own address");
        scout.shuffle(S, &view_of(&members));
        let said = actions(&mut scout);
        let [ScoutAction::Shuffle { to, answer: false, descriptors }] = &said[..] else { panic!("{said:?}") };
        assert!(*to != Members::ME && members.get(*to).state().is_live());
        assert_eq!(descriptors.last(), members.get(Members::ME).descriptor().as_ref());
        let begun = crate::control::cross_region::cyclon::VIEW / 2;
        assert_eq!(scout.sampling.view().len(), begun - 1, "it began with five of those on record");
        assert!(scout.sampling.view().iter().all(|known| known.id != members.get(Members::ME).id()));
    }

    #[test]
    fn samples_begin_with_live_members() {
        let mut members = two_regions(1, 9, 0);
        for key in 2..=9 {
            let place = place_of(&members, key);
            let (id, rank) = (members.get(place).id(), members.get(place).rank());
            members.report(id, rank, crate::control::PeerState::Failed, 1);
        }
        let mut scout = scout(&members);
        scout.shuffle(S, &view_of(&members));
        let said = actions(&mut scout);
        assert!(
            matches!(said[..], [ScoutAction::Shuffle { to, .. }] if to == place_of(&members, 1)),
            "{said:?}"
        );
        assert!(scout.sampling.view().is_empty(), "there is no other");
    }

    #[test]
    fn who_is_sampled_and_not_known_is_greeted_and_so_is_who_failed() {
        let mut members = two_regions(1, 2, 0);
        let place = place_of(&members, 2);
        let (id, rank) = (members.get(place).id(), members.get(place).rank());
        members.report(id, rank, crate::control::PeerState::Failed, 1);
        let gone = members.get(place).descriptor().unwrap();
        let mut scout = scout(&members);
        scout.sampling.meet(gone);
        scout.shuffle(S, &view_of(&members));
        assert_eq!(actions(&mut scout), [ScoutAction::Greet(gone.address)]);
        let stranger = |n: u8| {
            let id = NodeId([n; 16]);
            Descriptor { id, version: Version::new(1_700_000_000_000_000, id), address: address(n) }
        };
        let theirs: Vec<Descriptor> =
            (50..54).map(stranger).chain(members.get(place_of(&members, 1)).descriptor()).collect();
        let wall = Wall(1_700_000_000_000_000);
        let from = place_of(&members, 1);
        let greeted = |scout: &mut Scout, members: &Members| {
            scout.handle_shuffle(2 * S, wall, from, (false, &theirs), members);
            let greet = |action: &ScoutAction| matches!(action, ScoutAction::Greet(_));
            let known = ScoutAction::Greet(address(1));
            let actions = actions(scout);
            assert!(!actions.contains(&known), "who is known is not greeted");
            actions.iter().filter(|action| greet(action)).count()
        };
        assert_eq!(greeted(&mut scout, &members), GREETINGS);
        scout.gap = GAP.1;
        let times: Vec<usize> = (0..800).map(|_| greeted(&mut scout, &members)).collect();
        let met = times.iter().filter(|count| **count == GREETINGS).count();
        assert!(times.iter().all(|count| [0, GREETINGS].contains(count)));
        assert!((60..140).contains(&met), "one time in eight at rest: {met} of 800");
    }

    #[test]
    fn an_answer_that_nobody_asked_for_leads_nowhere() {
        let members = two_regions(1, 2, 0);
        let mut scout = scout(&members);
        let id = NodeId([50; 16]);
        let version = Version::new(1_700_000_000_000_000, id);
        let theirs = [Descriptor { id, version, address: address(50) }];
        let wall = Wall(1_700_000_000_000_000);
        scout.handle_shuffle(S, wall, place_of(&members, 1), (true, &theirs), &members);
        assert_eq!((actions(&mut scout), scout.sampling.view().len()), (Vec::new(), 0));
        assert!(scout.next_due() < u64::MAX, "but there is another region");
    }

    #[test]
    fn who_is_silent_for_a_minute_is_asked_three_times_and_the_longest_silent_first() {
        let mut members = two_regions(1, 4, S);
        let places = [2, 3, 4].map(|key| place_of(&members, key));
        for (at, place) in [30 * S, 10 * S, 20 * S].into_iter().zip(places) {
            let from = members.get(place).address().unwrap();
            members.get_mut(place).heard_from(from, at);
        }
        let mut scout = scout(&members);
        let turn = |scout: &mut Scout, now, members: &Members| {
            scout.ping(now, members);
            actions(scout)
        };
        assert_eq!(turn(&mut scout, 10 * S + SILENCE - 1, &members), []);
        let [a, b, c] = places;
        assert_eq!(turn(&mut scout, 10 * S + SILENCE, &members), [ScoutAction::Ping(b)]);
        let all = 90 * S;
        let second = turn(&mut scout, all, &members);
        let both = [ScoutAction::Ping(b), ScoutAction::Ping(c)];
        assert!(
            second.len() == 2 && both.iter().all(|ping| second.contains(ping)),
            "one more each turn: {second:?}"
        );
        assert_eq!(turn(&mut scout, all, &members).len(), 3);
        let lost = turn(&mut scout, all, &members);
        assert!(lost.contains(&ScoutAction::Lost(b)) && lost.contains(&ScoutAction::Ping(a)), "{lost:?}");
        // Who writes is asked no more, and this region's members are watched by others.
        let from = members.get(b).address().unwrap();
        members.get_mut(b).heard_from(from, all);
        let after = turn(&mut scout, all, &members);
        assert!(
            !after.contains(&ScoutAction::Lost(b)) && !after.contains(&ScoutAction::Ping(b)),
            "{after:?}"
        );
        let local = place_of(&members, 1);
        assert!((0..9).all(|_| !turn(&mut scout, 900 * S, &members).contains(&ScoutAction::Ping(local))));
    }

    #[test]
    fn a_heartbeat_counts_from_the_leader_of_its_region() {
        let members = two_regions(1, 4, 0);
        let (leader, other) = (place_of(&members, 2), place_of(&members, 3));
        let leaders = [(Region(1), leader)];
        let view = RegionView { leaders: &leaders, leads: true, ..view_of(&members) };
        let mut scout = scout(&members);
        scout.beat(0, &view);
        (1..=20).for_each(|second| scout.handle_heartbeat(second * S, Region(1), leader));
        let sure = |scout: &Scout, now| scout.phis(now).next().unwrap().2;
        let before = sure(&scout, 23 * S);
        scout.handle_heartbeat(22 * S, Region(1), other);
        scout.handle_heartbeat(22 * S, Region(2), leader);
        assert_eq!(sure(&scout, 23 * S), before, "another's, or of another region");
        scout.handle_heartbeat(22 * S, Region(1), leader);
        assert!(sure(&scout, 23 * S) < before);
        let next = [(Region(1), other)];
        scout.beat(23 * S, &RegionView { leaders: &next, ..view_of_leader(&view) });
        assert_eq!(scout.phis(23 * S).map(|(_, place, _)| place).collect::<Vec<_>>(), [other]);
        scout.forget(leader, members.get(leader).id());
        assert_eq!(scout.phis(23 * S).count(), 1, "it led no longer");
        scout.forget(other, members.get(other).id());
        assert_eq!(scout.phis(23 * S).count(), 0);
    }

    fn view_of_leader<'a>(view: &RegionView<'a>) -> RegionView<'a> {
        RegionView { members: view.members, lacking: view.lacking, leaders: &[], leads: true, own: view.own }
    }

    #[test]
    fn a_leader_that_was_heard_of_late_is_not_asked_though_its_heartbeats_go_elsewhere() {
        let mut members = two_regions(1, 2, 0);
        let leader = place_of(&members, 2);
        let leaders = [(Region(1), leader)];
        let mut scout = scout(&members);
        for second in 1..=60 {
            // It writes to this node every other second, and takes another one for its leader.
            if second % 2 == 0 {
                let from = members.get(leader).address().unwrap();
                members.get_mut(leader).heard_from(from, second * S);
            }
            scout.beat(second * S, &RegionView { leaders: &leaders, leads: true, ..view_of(&members) });
        }
        let asked = actions(&mut scout);
        assert!(asked.iter().all(|action| matches!(action, ScoutAction::Beat(..))), "{asked:?}");
        scout.beat(
            60 * S + PINGS_FOR - 1,
            &RegionView { leaders: &leaders, leads: true, ..view_of(&members) },
        );
        assert_eq!(actions(&mut scout).len(), 1);
        scout.beat(60 * S + PINGS_FOR, &RegionView { leaders: &leaders, leads: true, ..view_of(&members) });
        assert!(actions(&mut scout).contains(&ScoutAction::Ping(leader)));
    }
}
