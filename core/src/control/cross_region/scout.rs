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
}
