//! Probes: whether members answer, asked one by one, directly and through helpers.
//!
//! SWIM (Das, Gupta, Motivala, 2002), section 3.1, with Lifeguard's local health (IV-A): a node whose own probes fail
//! for want of time asks slower and waits longer. One departure: every other probe goes to the next live member in the
//! order of names, round the circle, so that a dead member is probed within two intervals by at least one neighbour, and
//! not only on average; the other probes take all members in turn, in an order that is shuffled every time round.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::control::id::MemberIndex;
use crate::control::membership::settings::MembershipSettings;
use crate::control::membership::table::Members;
use crate::limits::HELPERS_MAX;
pub use crate::limits::PROBES_MAX;
use crate::random::{Nonces, Random};
use crate::time::{MS, micros};

/// The worst health: intervals and waits are this many times longer, and one.
pub const HEALTH_WORST: u32 = 4;
/// Probes under way for one client; it may ask others as well.
const SERVED_MAX: usize = 8;
// As many clients as a probe has helpers do not fill the room for probes.
const _: () = assert!(SERVED_MAX * HELPERS_MAX < PROBES_MAX && HEALTH_WORST > 0);

/// What the prober wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// Send a probe.
    Probe(MemberIndex, u32),
    /// Ask a helper for one.
    Help(MemberIndex, u32, MemberIndex),
    /// Tell a member for which this node probes that nothing came back.
    Nack(MemberIndex, u32),
    /// Pass on that the target answered.
    Relay(MemberIndex, u32),
    /// The member answered neither this node nor any helper.
    Silent(MemberIndex),
}

/// Asks and waits.
#[derive(Debug)]
pub struct Prober {
    pending: BTreeMap<u32, Probe>,
    actions: VecDeque<ProbeAction>,
    next_at: u64,
    cursor: usize,
    neighbour_turn: bool,
    neighbour: Option<(u64, MemberIndex)>,
    health: u32,
    random: Random,
    nonces: Nonces,
}

#[derive(Clone, Debug)]
struct Probe {
    target: MemberIndex,
    /// When the target itself was asked, once.
    asked_at: u64,
    /// When something happens next if no answer comes.
    due: u64,
    /// When the probe fails; the same as `due` from then on.
    fails_at: u64,
    helpers: Vec<MemberIndex>,
    /// Helpers that said that they heard nothing, each once.
    nacked: Vec<MemberIndex>,
    /// For whom, and under which nonce.
    client: Option<(MemberIndex, u32)>,
}

impl Prober {
    /// Begins within the first interval, so that nodes that start together do not probe together.
    pub fn new(settings: &MembershipSettings, mut random: Random, nonces: Nonces, now: u64) -> Self {
        Self {
            pending: BTreeMap::new(),
            actions: VecDeque::new(),
            next_at: now + random.below(micros(settings.probe_interval)),
            cursor: 0,
            neighbour_turn: random.permille(500),
            neighbour: None,
            health: 0,
            random,
            nonces,
        }
    }

    /// How this node feels: 0 is well, [`HEALTH_WORST`] is worst.
    pub fn health(&self) -> u32 {
        self.health
    }

    /// Something speaks for, or against, this node's own health.
    pub fn adjust_health(&mut self, settings: &MembershipSettings, worse: i32) {
        if settings.lifeguard {
            self.health = self.health.saturating_add_signed(worse).min(HEALTH_WORST);
        }
    }

    /// When [`Prober::tick`] has something to do.
    pub fn next_due(&self, members: &Members) -> u64 {
        let next = if members.live().is_empty() { u64::MAX } else { self.next_at };
        self.pending.values().map(|probe| probe.due).fold(next, u64::min)
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<ProbeAction> {
        self.actions.pop_front()
    }

    /// This node slept for `by` microseconds.
    pub fn postpone(&mut self, by: u64) {
        self.next_at += by;
        for probe in self.pending.values_mut() {
            probe.due += by;
            probe.fails_at += by;
        }
    }

    /// What is due at `now`.
    pub fn tick(&mut self, now: u64, settings: &MembershipSettings, members: &mut Members) {
        let due: Vec<u32> =
            self.pending.iter().filter(|(_, probe)| probe.due <= now).map(|(nonce, _)| *nonce).collect();
        due.into_iter().for_each(|nonce| self.wait_ends(nonce, now, settings, members));
        if self.next_at <= now {
            self.next_at =
                (self.next_at + micros(settings.probe_interval) * u64::from(1 + self.health)).max(now + MS);
            if let Some(target) = self.next_target(members) {
                self.probe(target, now, settings);
            }
        }
        assert!(self.next_at > now && self.health <= HEALTH_WORST, "the next turn is at {}", self.next_at);
    }

    /// Probes a member out of turn, unless it is being probed.
    pub fn probe(&mut self, target: MemberIndex, now: u64, settings: &MembershipSettings) {
        let under_way = self.pending.values().any(|probe| probe.target == target && probe.client.is_none());
        if !under_way {
            let patience = u64::from(1 + self.health);
            let interval = micros(settings.probe_interval);
            let fails_at = now + (interval - interval / 8) * patience;
            let due = now + micros(settings.probe_timeout) * patience;
            assert!(due < fails_at, "helpers are asked at {due}, and the probe fails at {fails_at}");
            let (asked_at, helpers, nacked) = (now, Vec::new(), Vec::new());
            self.send(Probe { target, asked_at, due, fails_at, helpers, nacked, client: None });
        }
    }

    /// Probes `target` for a member that heard nothing from it.
    pub fn help(
        &mut self,
        client: MemberIndex,
        nonce: u32,
        target: MemberIndex,
        now: u64,
        settings: &MembershipSettings,
    ) {
        let served = self.pending.values().filter(|probe| probe.client.is_some_and(|c| c.0 == client));
        if served.count() < SERVED_MAX {
            // The word that nothing came must arrive before the client gives up.
            let due = now + micros(settings.probe_timeout) * 2;
            let client = Some((client, nonce));
            let (asked_at, fails_at, helpers, nacked) = (now, due, Vec::new(), Vec::new());
            self.send(Probe { target, asked_at, due, fails_at, helpers, nacked, client });
        }
    }

    /// An answer came from `from`. Returns the member that is thereby known to be there and, if it answered itself, how
    /// long that took.
    pub fn acked(
        &mut self,
        now: u64,
        nonce: u32,
        from: MemberIndex,
        settings: &MembershipSettings,
    ) -> Option<(MemberIndex, Option<u64>)> {
        let probe = self.pending.get(&nonce)?;
        let direct = probe.target == from;
        if !direct && !probe.helpers.contains(&from) {
            return None;
        }
        let probe = self.pending.remove(&nonce)?;
        match probe.client {
            Some((client, nonce)) => self.actions.push_back(ProbeAction::Relay(client, nonce)),
            None => self.adjust_health(settings, -1),
        }
        Some((probe.target, direct.then(|| now.saturating_sub(probe.asked_at))))
    }

    /// A helper heard nothing, but is there itself.
    pub fn nacked(&mut self, nonce: u32, from: MemberIndex) {
        if let Some(probe) = self.pending.get_mut(&nonce)
            && probe.helpers.contains(&from)
            && !probe.nacked.contains(&from)
        {
            probe.nacked.push(from);
        }
    }

    /// Forgets whatever concerns a place that is given to another member, or to nobody.
    pub fn forget(&mut self, place: MemberIndex) {
        self.pending.retain(|_, probe| {
            probe.helpers.retain(|helper| *helper != place);
            probe.nacked.retain(|helper| *helper != place);
            probe.target != place && probe.client.is_none_or(|(client, _)| client != place)
        });
    }

    fn send(&mut self, probe: Probe) {
        assert!(self.pending.len() <= PROBES_MAX, "{} probes under way", self.pending.len());
        assert!(probe.asked_at <= probe.due && probe.due <= probe.fails_at, "{probe:?}");
        if self.pending.len() < PROBES_MAX {
            let nonce = self.nonces.u32();
            self.actions.push_back(ProbeAction::Probe(probe.target, nonce));
            self.pending.insert(nonce, probe);
        }
    }

    /// No answer in time: helpers are asked, or the member is silent.
    fn wait_ends(&mut self, nonce: u32, now: u64, settings: &MembershipSettings, members: &Members) {
        let Some(probe) = self.pending.get_mut(&nonce) else { return };
        if let Some((client, nonce_of_client)) = probe.client {
            self.actions.push_back(ProbeAction::Nack(client, nonce_of_client));
            self.pending.remove(&nonce);
            return;
        }
        if probe.due < probe.fails_at {
            probe.due = probe.fails_at;
            // Those that count; others only where these are too few.
            let (mut counting, mut others): (Vec<_>, Vec<_>) = (members.live().iter().copied())
                .filter(|helper| *helper != probe.target)
                .partition(|helper| members.get(*helper).counts());
            self.random.shuffle(&mut counting);
            self.random.shuffle(&mut others);
            probe.helpers = counting.into_iter().chain(others).take(settings.helpers).collect();
            assert!(probe.helpers.len() <= HELPERS_MAX && probe.nacked.is_empty(), "{probe:?}");
            self.actions
                .extend(probe.helpers.iter().map(|helper| ProbeAction::Help(*helper, nonce, probe.target)));
            return;
        }
        let Some(probe) = self.pending.remove(&nonce) else { return };
        // A helper that says nothing at all speaks against this node's own ears.
        assert!(probe.nacked.len() <= probe.helpers.len(), "each helper is counted once: {probe:?}");
        let mute = (probe.helpers.len() - probe.nacked.len()) as i32;
        self.adjust_health(settings, if probe.helpers.is_empty() { 1 } else { mute });
        assert!(now >= probe.fails_at, "at {now}: {probe:?}");
        self.actions.push_back(ProbeAction::Silent(probe.target));
    }

    fn next_target(&mut self, members: &mut Members) -> Option<MemberIndex> {
        if members.live().is_empty() {
            return None;
        }
        self.neighbour_turn = !self.neighbour_turn;
        if self.neighbour_turn {
            return self.neighbour(members);
        }
        if self.cursor >= members.live().len() {
            members.reshuffle(&mut self.random);
            self.cursor = 0;
        }
        assert!(self.cursor < members.live().len(), "turn {} of {}", self.cursor, members.live().len());
        self.cursor += 1;
        members.live().get(self.cursor - 1).copied()
    }

    /// The live member that follows this node in the order of names, round the circle.
    fn neighbour(&mut self, members: &Members) -> Option<MemberIndex> {
        if let Some((changes, place)) = self.neighbour
            && changes == members.changes()
        {
            return Some(place);
        }
        let me = members.get(Members::ME).id();
        let place = *members.live().iter().min_by_key(|place| {
            let id = members.get(**place).id();
            (id < me, id)
        })?;
        self.neighbour = Some((members.changes(), place));
        Some(place)
    }
}

#[cfg(test)]
mod tests;
