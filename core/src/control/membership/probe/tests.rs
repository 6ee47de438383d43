//! When the prober asks, whom, and what it makes of silence: each time at its microsecond.

use std::collections::BTreeSet;

use super::*;
use crate::control::membership::samples::members;

/// When the tests begin; no multiple of anything that is added to it.
const T: u64 = 10_000_019;

/// A prober among ten others that begins no probe of its own for ten seconds, and what it wants.
struct Rig {
    settings: MembershipSettings,
    members: Members,
    prober: Prober,
}

impl Rig {
    fn new() -> Self {
        let settings = MembershipSettings::default();
        let mut prober = Prober::new(&settings, Random::new(7), Nonces::new(&[7; 32], 1, "test"), T);
        prober.next_at = T + 10_000 * MS;
        Self { settings, members: members(10, 64, T), prober }
    }

    /// What it wants, taken out.
    fn actions(&mut self) -> Vec<ProbeAction> {
        core::iter::from_fn(|| self.prober.poll()).collect()
    }

    fn tick(&mut self, now: u64) -> Vec<ProbeAction> {
        self.prober.tick(now, &self.settings, &mut self.members);
        self.actions()
    }

    /// Probes `target` at `T`, and returns the nonce.
    fn probe(&mut self, target: MemberIndex) -> u32 {
        self.prober.probe(target, T, &self.settings);
        match self.actions()[..] {
            [ProbeAction::Probe(asked, nonce)] if asked == target => nonce,
            ref other => panic!("{other:?} is not one probe of {target:?}"),
        }
    }

    fn help(&mut self, client: MemberIndex, nonce: u32, target: MemberIndex) -> Vec<ProbeAction> {
        self.prober.help(client, nonce, target, T, &self.settings);
        self.actions()
    }

    /// Nothing a microsecond before `due`; what comes then.
    fn exactly_at(&mut self, due: u64) -> Vec<ProbeAction> {
        assert_eq!(self.prober.next_due(&self.members), due);
        assert_eq!(self.tick(due - 1), []);
        self.tick(due)
    }
}

fn helpers(actions: &[ProbeAction], nonce: u32, target: MemberIndex) -> Vec<MemberIndex> {
    let helper = |action: &ProbeAction| match *action {
        ProbeAction::Help(helper, n, t) if (n, t) == (nonce, target) => helper,
        other => panic!("{other:?} asks nobody for help"),
    };
    actions.iter().map(helper).collect()
}

const TARGET: MemberIndex = MemberIndex(3);
const CLIENT: MemberIndex = MemberIndex(4);

#[test]
fn who_does_not_answer_is_asked_through_helpers_and_then_silent() {
    let mut rig = Rig::new();
    let nonce = rig.probe(TARGET);
    let actions = rig.exactly_at(T + 200 * MS);
    let helpers: BTreeSet<_> = helpers(&actions, nonce, TARGET).into_iter().collect();
    assert!(helpers.len() == 3 && !helpers.contains(&TARGET), "{helpers:?}");
    // Seven eighths of an interval: the probe is over before the next one begins.
    assert_eq!(rig.exactly_at(T + 612_500), [ProbeAction::Silent(TARGET)]);
    assert_eq!(rig.prober.next_due(&rig.members), T + 10_000 * MS, "nothing is left of it");
}

#[test]
fn a_node_in_bad_health_waits_longer_in_proportion() {
    let mut rig = Rig::new();
    rig.prober.adjust_health(&rig.settings, 2);
    let nonce = rig.probe(TARGET);
    let actions = rig.exactly_at(T + 3 * 200 * MS);
    assert_eq!(helpers(&actions, nonce, TARGET).len(), 3);
    assert_eq!(rig.exactly_at(T + 3 * 612_500), [ProbeAction::Silent(TARGET)]);
}

#[test]
fn a_member_that_is_being_probed_is_not_probed_again() {
    let mut rig = Rig::new();
    rig.probe(TARGET);
    rig.prober.probe(TARGET, T + MS, &rig.settings);
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.help(CLIENT, 5, TARGET).len(), 1, "a probe for somebody else is another matter");
    let mut rig = Rig::new();
    rig.help(CLIENT, 5, TARGET);
    rig.probe(TARGET);
}

#[test]
fn a_client_hears_that_nothing_came_after_two_timeouts() {
    let mut rig = Rig::new();
    assert!(matches!(rig.help(CLIENT, 77, TARGET)[..], [ProbeAction::Probe(TARGET, _)]));
    assert_eq!(rig.exactly_at(T + 400 * MS), [ProbeAction::Nack(CLIENT, 77)]);
    assert_eq!(rig.prober.health(), 0, "whose silence it was is the client's business");
}

#[test]
fn a_client_is_served_eight_probes_at_once() {
    let mut rig = Rig::new();
    let served: usize = (0..20).map(|nonce| rig.help(CLIENT, nonce, TARGET).len()).sum();
    assert_eq!(served, 8);
    assert_eq!(rig.help(MemberIndex(5), 0, TARGET).len(), 1, "others are not held to it");
    rig.tick(T + 400 * MS);
    assert_eq!(rig.help(CLIENT, 0, TARGET).len(), 1, "nor is it, once they are over");
}

#[test]
fn probes_under_way_are_bounded() {
    let mut rig = Rig::new();
    let sent: usize = (0..40)
        .flat_map(|client| (0..8).map(move |nonce| (client, nonce)))
        .map(|(client, nonce)| rig.help(MemberIndex(100 + client), nonce, TARGET).len())
        .sum();
    assert_eq!(sent, PROBES_MAX);
}

#[test]
fn an_answer_counts_from_the_target_and_from_helpers_that_were_asked() {
    let mut rig = Rig::new();
    let nonce = rig.probe(TARGET);
    let settings = rig.settings.clone();
    let ack = |rig: &mut Rig, nonce, from| rig.prober.acked(T + 250 * MS, nonce, from, &settings);
    assert_eq!(ack(&mut rig, nonce, CLIENT), None, "nobody asked it");
    assert_eq!(ack(&mut rig, nonce.wrapping_add(1), TARGET), None, "not under this nonce");
    let asked = helpers(&rig.tick(T + 200 * MS), nonce, TARGET);
    assert_eq!(
        ack(&mut rig, nonce, asked[1]),
        Some((TARGET, None)),
        "whose way says nothing of the target's"
    );
    assert_eq!(ack(&mut rig, nonce, TARGET), None, "it is over");
    let nonce = rig.probe(TARGET);
    assert_eq!(ack(&mut rig, nonce, TARGET), Some((TARGET, Some(250 * MS))));
}

#[test]
fn an_answer_for_a_client_is_passed_on_and_says_nothing_of_this_nodes_health() {
    let mut rig = Rig::new();
    rig.prober.adjust_health(&rig.settings, 2);
    let [ProbeAction::Probe(_, nonce)] = rig.help(CLIENT, 77, TARGET)[..] else { panic!("one probe") };
    rig.prober.acked(T + MS, nonce, TARGET, &rig.settings);
    assert_eq!((rig.actions(), rig.prober.health()), (alloc::vec![ProbeAction::Relay(CLIENT, 77)], 2));
}

/// The health of a node that probed somebody who is silent, when `nacks` of three helpers said that they heard nothing.
fn health_after(nacks: usize) -> u32 {
    let mut rig = Rig::new();
    let nonce = rig.probe(TARGET);
    let asked = helpers(&rig.tick(T + 200 * MS), nonce, TARGET);
    rig.prober.nacked(nonce, TARGET);
    asked.iter().take(nacks).for_each(|helper| rig.prober.nacked(nonce, *helper));
    assert_eq!(rig.tick(T + 612_500), [ProbeAction::Silent(TARGET)]);
    rig.prober.health()
}

#[test]
fn each_helper_that_says_nothing_speaks_against_this_nodes_own_health() {
    assert_eq!([0, 1, 2, 3].map(health_after), [3, 2, 1, 0]);
}

#[test]
fn a_helper_that_says_so_many_times_counts_once_and_one_that_is_forgotten_not_at_all() {
    let mut rig = Rig::new();
    let nonce = rig.probe(TARGET);
    let asked = helpers(&rig.tick(T + 200 * MS), nonce, TARGET);
    (0..3).for_each(|_| rig.prober.nacked(nonce, asked[0]));
    rig.prober.nacked(nonce, asked[1]);
    rig.prober.forget(asked[1]);
    assert_eq!(rig.tick(T + 612_500), [ProbeAction::Silent(TARGET)]);
    assert_eq!(rig.prober.health(), 1, "of two that are left one said nothing");
}

#[test]
fn silence_where_nobody_can_help_costs_one_of_health_and_an_answer_restores_it() {
    let mut rig = Rig::new();
    rig.settings.helpers = 0;
    rig.probe(TARGET);
    rig.tick(T + 200 * MS);
    assert_eq!(rig.tick(T + 612_500), [ProbeAction::Silent(TARGET)]);
    assert_eq!(rig.prober.health(), 1);
    let nonce = rig.probe(TARGET);
    rig.prober.acked(T, nonce, TARGET, &rig.settings);
    assert_eq!(rig.prober.health(), 0);
}

#[test]
fn health_has_a_worst_and_plain_swim_has_none() {
    let mut rig = Rig::new();
    rig.prober.adjust_health(&rig.settings, 100);
    assert_eq!(rig.prober.health(), HEALTH_WORST);
    rig.settings.lifeguard = false;
    rig.prober.adjust_health(&rig.settings, -1);
    assert_eq!(rig.prober.health(), HEALTH_WORST);
}

#[test]
fn a_sleep_of_this_node_moves_all_that_it_waits_for() {
    const SLEPT: u64 = 3_600_000 * MS;
    let mut rig = Rig::new();
    let nonce = rig.probe(TARGET);
    rig.prober.postpone(SLEPT);
    let actions = rig.exactly_at(T + SLEPT + 200 * MS);
    assert_eq!(helpers(&actions, nonce, TARGET).len(), 3);
    assert_eq!(rig.exactly_at(T + SLEPT + 612_500), [ProbeAction::Silent(TARGET)]);
    assert_eq!(rig.exactly_at(T + SLEPT + 10_000 * MS).len(), 1, "the next probe of its own");
}

#[test]
fn probes_begin_an_interval_apart_and_further_in_bad_health() {
    let mut rig = Rig::new();
    rig.prober.next_at = T;
    assert_eq!(rig.exactly_at(T).len(), 1);
    rig.prober.pending.clear();
    rig.prober.adjust_health(&rig.settings, 1);
    assert_eq!(rig.exactly_at(T + 700 * MS).len(), 1);
    rig.prober.pending.clear();
    assert_eq!(rig.prober.next_due(&rig.members), T + 3 * 700 * MS);
    // Late by ten seconds: one probe, not one for each interval that was missed.
    rig.tick(T + 10_000 * MS);
    rig.prober.pending.clear();
    assert_eq!(rig.prober.next_due(&rig.members), T + 10_001 * MS);
}

#[test]
fn every_other_probe_goes_to_the_next_in_the_order_of_names_and_the_rest_take_all_in_turn() {
    let mut rig = Rig::new();
    let mut targets = Vec::new();
    for _ in 0..60 {
        targets.extend(rig.prober.next_target(&mut rig.members));
    }
    let (mut evens, mut odds): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    targets.chunks(2).for_each(|pair| (evens.push(pair[0]), odds.push(pair[1])).0);
    let me = rig.members.get(Members::ME).id();
    let id = |place: &MemberIndex| rig.members.get(*place).id();
    let mut by_name: Vec<_> = rig.members.live().to_vec();
    by_name.sort_by_key(id);
    let next = by_name.iter().find(|place| id(place) > me).unwrap_or(&by_name[0]);
    let (neighbour, turns) =
        if evens.iter().all(|place| place == next) { (evens, odds) } else { (odds, evens) };
    assert!(neighbour.iter().all(|place| place == next), "{neighbour:?}");
    let all: BTreeSet<_> = by_name.iter().collect();
    for round in turns.chunks(10) {
        assert_eq!(round.iter().collect::<BTreeSet<_>>(), all, "each once a round");
    }
    assert!(turns.chunks(10).any(|round| round != &turns[..10]), "in another order each time");
}

#[test]
fn nobody_is_probed_where_nobody_lives() {
    let mut rig = Rig { members: members(0, 64, T), ..Rig::new() };
    assert_eq!(rig.prober.next_due(&rig.members), u64::MAX);
    assert_eq!(rig.tick(T + 60_000 * MS), []);
}

#[test]
fn whoever_is_forgotten_is_probed_no_more_and_the_others_all_the_same() {
    let mut rig = Rig::new();
    let (gone, other) = (rig.members.live()[0], rig.members.live()[1]);
    rig.probe(gone);
    let nonce = rig.probe(other);
    rig.help(gone, 7, other);
    assert_eq!(rig.prober.pending.len(), 3);
    rig.prober.forget(gone);
    assert_eq!(rig.prober.pending.keys().collect::<Vec<_>>(), [&nonce], "neither as target nor as client");
    assert_eq!(rig.prober.pending[&nonce].target, other);
}
