//! A scenario from its beginning to its verdict.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use octick_core::admission::Admission;
use octick_core::control::{MembershipSettings, Random};

use crate::checkers::quorum::{LOOK, OneQuorum};
use crate::checkers::{self, Evidence, judge};
use crate::engines::{self, EngineNode, Workload};
use crate::link::{Links, Who};
use crate::members::MemberNode;
use crate::population::{self, Truth};
use crate::report::Report;
use crate::role::Role;
use crate::scenario::{Admit, Fault, Scenario, What};
use crate::seal::{Identities, Signatures};
use crate::updates::{self, Repair, SpreadNode};
use crate::world::{Actor, Host, World};
use crate::{MS, S};

/// What a run leaves.
pub struct Outcome {
    /// Its figures.
    pub report: Report,
    /// What happened, one line an event, with a legend.
    pub trace: String,
}

/// Is told, now and then, how far a run is: virtual microseconds, those it will last at most, and events so far.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64, u64);

/// Runs a scenario that has [no fault](Scenario::fault).
pub fn run(scenario: &Scenario, progress: Progress<'_>) -> Outcome {
    match scenario.what {
        What::Engines => run_engines(scenario, progress),
        What::Members => run_members(scenario, progress),
        What::Updates => run_updates(scenario, progress),
    }
}

fn run_engines(scenario: &Scenario, progress: Progress<'_>) -> Outcome {
    let started = Instant::now();
    let roles = roles(scenario);
    let honest = roles.iter().map(|role| *role == Role::Honest).collect();
    let workload = Workload {
        write_gap: scenario.write_millis * MS,
        write_until: scenario.millis * MS,
        refresh_gap: scenario.refresh_millis * MS,
        fanout: scenario.fanout,
    };
    let common = Rc::new(engines::Common::new(scenario.seed, workload, honest));
    let mut world = world(scenario, &roles, |node, now| EngineNode::new(common.clone(), node, now));
    let mut director = Director::new(scenario);
    director.act(&mut world, progress, &mut |_, _| (), &mut |_| ());
    let agreed_after = director.rest(&mut world, |world| checkers::tables::differences(world, &common) == 0);
    let mut ledger = common.ledger.borrow_mut();
    let mut report = begin(scenario, &world, started);
    report.set_times(&mut ledger.seen_after, scenario.conditions.near);
    report.missed = checkers::tables::differences(&world, &common);
    report.signatures = "real";
    report.forged = ledger.forged;
    let honest = world.honest().count().max(1) as f64;
    report.copies_per_node = ledger.copies as f64 / honest / ledger.made.max(1) as f64;
    let evidence = Evidence {
        missed: report.missed,
        unsigned: ledger.unsigned,
        resurrected: ledger.went_back,
        agreed_after,
        micros: world.now(),
        totals: world.totals,
        ..Evidence::default()
    };
    end(scenario, &world, report, &evidence)
}

fn run_members(scenario: &Scenario, progress: Progress<'_>) -> Outcome {
    let started = Instant::now();
    let roles = roles(scenario);
    let settings = MembershipSettings { lifeguard: scenario.lifeguard, ..MembershipSettings::default() };
    let round = settings.gossip_interval.as_micros() as u64;
    let nodes = scenario.nodes as usize;
    let truth = Truth {
        up_since: vec![Some(0); nodes],
        life: vec![1; nodes],
        crashed_at: vec![0; nodes],
        ..Truth::default()
    };
    let cast = Identities::new(scenario.nodes, scenario.seed, scenario.signatures());
    let (admission, credentials) = match scenario.admission {
        Admit::Anyone => (Admission::default(), Vec::new()),
        Admit::Credentialed => population::credentials(&cast, scenario.seed, true),
        Admit::Lenient => population::credentials(&cast, scenario.seed, false),
    };
    let common = Rc::new(population::Common {
        cast,
        admission,
        stolen: scenario.stolen_key.then(|| population::authority(scenario.seed)),
        is_blind: scenario.blind,
        credentials,
        roles: roles.clone(),
        hostile_until: scenario.millis * MS,
        regions: (0..scenario.nodes).map(|node| scenario.region(node)).collect(),
        truth: truth.into(),
        quorum_of: scenario.quorum_of,
        ephemeral_every: scenario.ephemeral_every,
        settings,
        seed: scenario.seed,
    });
    let mut world = world(scenario, &roles, |node, now| MemberNode::new(common.clone(), node, now));
    let mut director = Director::new(scenario);
    let (mut worst, mut sum, mut samples): (f64, f64, u32) = (1.0, 0.0, 0);
    let mut on_life = |node: u32, incarnation: Lifecycle| {
        let mut truth = common.truth.borrow_mut();
        match incarnation {
            Lifecycle::Crash(at) | Lifecycle::Leave(at) => {
                (truth.up_since[node as usize], truth.crashed_at[node as usize]) = (None, at);
            }
            Lifecycle::Start(at) => {
                truth.up_since[node as usize] = Some(at);
                truth.life[node as usize] += 1;
            }
        }
    };
    let mut sampler = Random::new(scenario.seed ^ 0xC0F3);
    let mut one_quorum = OneQuorum::default();
    let mut sample = |world: &World<MemberNode>| {
        one_quorum.look(world);
        if !world.now().is_multiple_of(S) {
            return;
        }
        let honest: Vec<u32> = world.honest().collect();
        let chosen = sampler.choose(honest.len(), 20);
        let share: f64 = chosen.iter().map(|i| checkers::members::coverage(world, honest[*i])).sum();
        if !chosen.is_empty() {
            let share = share / chosen.len() as f64;
            (worst, sum, samples) = (worst.min(share), sum + share, samples + 1);
        }
    };
    director.act(&mut world, progress, &mut on_life, &mut sample);
    let agreed_after = director.rest(&mut world, |world| {
        one_quorum.look(world);
        checkers::members::disagreements(world) == 0
    });
    let mut truth = common.truth.borrow_mut();
    let mut report = begin(scenario, &world, started);
    report.set_times(&mut truth.met_after, round);
    report.missed = checkers::members::disagreements(&world);
    report.signatures = match scenario.signatures() {
        Signatures::Real => "real",
        Signatures::StandIn => "stand-in",
    };
    report.crash_seen_ms = f64::from(truth.missed_after.iter().copied().max().unwrap_or(0)) / 1e3;
    (report.false_suspicions, report.false_deaths) = (truth.false_suspicions, truth.false_deaths);
    report.cut_noticed_ms = one_quorum.noticed_after as f64 / 1e3;
    (report.coverage_worst, report.forged) = (worst, truth.forged);
    report.coverage = if samples == 0 { 1.0 } else { sum / f64::from(samples) };
    let evidence = Evidence {
        missed: report.missed,
        unsigned: truth.unsigned,
        resurrected: truth.resurrected,
        strangers: truth.strangers,
        robbed: truth.robbed,
        postdated: truth.postdated,
        split: one_quorum.faults,
        agreed_after,
        records_max: truth.records_max,
        micros: world.now(),
        totals: world.totals,
    };
    end(scenario, &world, report, &evidence)
}

/// Between two rounds of comparing, microseconds.
const ROUND: u64 = 100 * MS;

fn run_updates(scenario: &Scenario, progress: Progress<'_>) -> Outcome {
    let roles = roles(scenario);
    let homes = (0..scenario.nodes).map(|node| scenario.region(node)).collect();
    let repair = match (scenario.rounds_only, scenario.rounds) {
        (true, _) => Repair::Only,
        (false, true) => Repair::Rounds,
        (false, false) => Repair::None,
    };
    let common = Rc::new(updates::Common::new(scenario.seed, homes, ROUND, repair));
    let mut world = world(scenario, &roles, |node, now| SpreadNode::new(common.clone(), node, now));
    // Who stands next to whom is worked out once, and is no part of what an event costs.
    let started = Instant::now();
    let mut director = Director::new(scenario);
    let gap = scenario.millis * MS / u64::from(scenario.updates.max(1));
    let mut crashed = vec![false; scenario.nodes as usize];
    for _ in 0..scenario.updates {
        world.call(0, |actor, now, out| actor.issue(now, out));
        let until = world.now() + gap;
        let lives = &mut |node: u32, incarnation: Lifecycle| {
            crashed[node as usize] |= !matches!(incarnation, Lifecycle::Start(_))
        };
        director.act_until(until, &mut world, progress, lives, &mut |_| ());
    }
    // Who was away is not dissemination's business, but reconciliation's.
    let lacks = |world: &World<SpreadNode>, node: u32| {
        (0..scenario.updates as usize).filter(|i| !world.actors[node as usize].holds(*i)).count() as u64
    };
    let there = |world: &World<SpreadNode>| -> Vec<u32> {
        world.honest().filter(|node| !crashed[*node as usize]).collect()
    };
    let missed =
        |world: &World<SpreadNode>| -> u64 { there(world).into_iter().map(|node| lacks(world, node)).sum() };
    let agreed_after = director.rest(&mut world, |world| missed(world) == 0);
    let mut ledger = common.ledger.borrow_mut();
    let mut report = begin(scenario, &world, started);
    report.set_times(&mut ledger.taken_after, ROUND);
    report.missed = missed(&world);
    let without = there(&world).into_iter().filter(|node| lacks(&world, *node) > 0);
    report.without = without.take(WITHOUT_MAX).map(|node| without_update(&world, node)).collect();
    (report.signatures, report.forged) = ("stand-in", ledger.forged);
    report.copies_per_node =
        ledger.copies as f64 / f64::from(scenario.nodes) / f64::from(scenario.updates.max(1));
    let evidence = Evidence {
        missed: report.missed,
        unsigned: ledger.unsigned,
        agreed_after,
        micros: world.now(),
        totals: world.totals,
        ..Evidence::default()
    };
    end(scenario, &world, report, &evidence)
}

/// Nodes without all updates that are told.
const WITHOUT_MAX: usize = 8;

/// A node that did not get everything, and what its neighbours are.
fn without_update(world: &World<SpreadNode>, node: u32) -> String {
    let is_honest = |other: u32| world.hosts[other as usize].role == Role::Honest;
    let (honest, all) = world.actors[node as usize].neighbours(is_honest);
    let runs = |other: u32| is_honest(other) && !world.hosts[other as usize].down;
    let (running, _) = world.actors[node as usize].neighbours(runs);
    format!(
        "node {node} of region {}: of {all} neighbours {honest} are honest, {running} of them run",
        world.hosts[node as usize].region
    )
}

/// A node's process begins or ends.
#[derive(Clone, Copy, Debug)]
pub enum Lifecycle {
    /// It crashes, at this time.
    Crash(u64),
    /// It says goodbye and ends, at this time.
    Leave(u64),
    /// It starts again, at this time.
    Start(u64),
}

/// All nodes, as the scenario wants them.
fn world<A: Actor>(scenario: &Scenario, roles: &[Role], actor: impl Fn(u32, u64) -> A) -> World<A> {
    let mut random = Random::new(scenario.seed);
    let links = Links::new(scenario.conditions.clone(), scenario.nodes as usize, random.fork());
    let mut world = World::new(links, random.fork());
    for node in 0..scenario.nodes {
        let skew = random.below(u64::from(scenario.skew_millis) * MS + 1) as u32;
        let is_slow = scenario.slow_every > 0 && node % scenario.slow_every == scenario.slow_every - 1;
        let host = Host {
            region: scenario.region(node),
            role: roles[node as usize],
            skew,
            slow: if is_slow { scenario.slow_micros } else { 0 },
            ..Host::default()
        };
        world.add(host, actor(node, u64::from(skew)));
    }
    world
}

/// Who is evil, and how. The first two nodes never are: others begin with them.
fn roles(scenario: &Scenario) -> Vec<Role> {
    let mut roles = vec![Role::Honest; scenario.nodes as usize];
    let evil = (f64::from(scenario.nodes) * scenario.byzantine) as usize;
    // An update has one origin, the first node: nobody else could equivocate about it.
    let kinds: &[Role] = match scenario.what {
        _ if !scenario.roles.is_empty() => &scenario.roles,
        What::Updates => &[Role::Silent, Role::Garbage],
        What::Engines | What::Members => &[Role::Silent, Role::Garbage, Role::Equivocator],
    };
    let mut random = Random::new(scenario.seed ^ 0xE711);
    for (i, chosen) in random.choose(roles.len().saturating_sub(2), evil).into_iter().enumerate() {
        roles[chosen + 2] = kinds[i % kinds.len()];
    }
    roles
}

/// Lets happen what the scenario wants, when it wants it.
struct Director {
    acts: VecDeque<(u64, Fault)>,
    until: u64,
    quiet: u64,
    step: u64,
}

impl Director {
    fn new(scenario: &Scenario) -> Self {
        let mut acts: Vec<(u64, Fault)> = scenario.acts.iter().map(|act| (act.at * MS, act.fault)).collect();
        let mut random = Random::new(scenario.seed ^ 0xC4A5);
        let crashes = (f64::from(scenario.nodes) * scenario.churn * scenario.millis as f64 / 1e3) as u64;
        for _ in 0..crashes {
            let at = random.below(scenario.millis * MS);
            let who = Who::Node(
                2.min(scenario.nodes - 1) + random.below(u64::from(scenario.nodes.max(3) - 2)) as u32,
            );
            acts.push((at, Fault::Crash { who }));
            acts.push((at + scenario.down_millis * MS, Fault::Restart { who, disk: scenario.disk }));
        }
        acts.sort_by_key(|(at, _)| *at);
        let last = acts.last().map_or(0, |(at, _)| *at);
        let step = if scenario.nodes <= 256 { 10 * MS } else { 100 * MS };
        Self {
            acts: acts.into(),
            until: last.max(scenario.millis * MS),
            quiet: scenario.quiet_millis * MS,
            step,
        }
    }

    /// Everything that is to happen.
    fn act<A: Actor>(
        &mut self,
        world: &mut World<A>,
        progress: Progress<'_>,
        lives: &mut dyn FnMut(u32, Lifecycle),
        sample: &mut dyn FnMut(&World<A>),
    ) {
        self.act_until(self.until, world, progress, lives, sample);
    }

    /// What is to happen up to a time.
    fn act_until<A: Actor>(
        &mut self,
        until: u64,
        world: &mut World<A>,
        progress: Progress<'_>,
        lives: &mut dyn FnMut(u32, Lifecycle),
        sample: &mut dyn FnMut(&World<A>),
    ) {
        loop {
            let act_at = self.acts.front().map_or(u64::MAX, |(at, _)| *at);
            let look = (world.now() / LOOK + 1) * LOOK;
            let at = act_at.min(look).min(until);
            world.run_until(at);
            if at == act_at
                && let Some((_, fault)) = self.acts.pop_front()
            {
                perform(world, fault, lives);
            } else if at == look {
                sample(world);
                progress(at, self.until + self.quiet, world.totals.events);
            } else {
                break;
            }
        }
    }

    /// Runs until the nodes agree, for the quiet time at most; says after how long they did.
    fn rest<A: Actor>(&self, world: &mut World<A>, mut agree: impl FnMut(&World<A>) -> bool) -> Option<u64> {
        let begin = world.now();
        loop {
            if agree(world) {
                return Some(world.now() - begin);
            }
            if world.now() >= begin + self.quiet {
                return None;
            }
            world.run_until(world.now() + self.step);
        }
    }
}

fn perform<A: Actor>(world: &mut World<A>, fault: Fault, lives: &mut dyn FnMut(u32, Lifecycle)) {
    let now = world.now();
    let meant = |world: &World<A>, who: Who| -> Vec<u32> {
        let hosts = world.hosts.iter().zip(0..);
        hosts.filter(|(host, node)| who.holds(*node, host.region)).map(|(_, node)| node).collect()
    };
    match fault {
        Fault::Cut { from, to } => world.cut(from, to),
        Fault::Heal => world.heal(),
        Fault::Stop { who, millis } => {
            meant(world, who).into_iter().for_each(|node| world.stop(node, millis * MS))
        }
        Fault::Leave { who } => {
            for node in meant(world, who)
                .into_iter()
                .filter(|node| !world.hosts[*node as usize].down)
                .collect::<Vec<_>>()
            {
                lives(node, Lifecycle::Leave(now));
                world.leave(node);
            }
        }
        Fault::ForceLeave { who, by } => {
            meant(world, who).into_iter().filter(|of| *of != by).for_each(|of| world.force_leave(by, of));
        }
        Fault::Crash { who } => {
            for node in meant(world, who)
                .into_iter()
                .filter(|node| !world.hosts[*node as usize].down)
                .collect::<Vec<_>>()
            {
                lives(node, Lifecycle::Crash(now));
                world.crash(node);
            }
        }
        Fault::Restart { who, disk } => {
            for node in meant(world, who)
                .into_iter()
                .filter(|node| world.hosts[*node as usize].down)
                .collect::<Vec<_>>()
            {
                lives(node, Lifecycle::Start(now));
                world.restart(node, disk);
            }
        }
    }
}

fn begin<A: Actor>(scenario: &Scenario, world: &World<A>, started: Instant) -> Report {
    let totals = &world.totals;
    let nodes = u64::from(scenario.nodes);
    let honest = world.hosts.iter().filter(|host| host.role == Role::Honest);
    let (bytes, count) = honest.fold((0, 0), |(bytes, count), host| (bytes + host.bytes, count + 1_u64));
    Report {
        nodes: scenario.nodes,
        seed: scenario.seed,
        bytes_per_node: totals.bytes as f64 / nodes as f64,
        bytes_per_honest_node: bytes as f64 / count as f64,
        ns_per_event: started.elapsed().as_nanos() as f64 / totals.events.max(1) as f64,
        events: totals.events,
        bytes_of_memory_per_node: memory_max() / nodes,
        coverage: 1.0,
        coverage_worst: 1.0,
        lost: totals.lost,
        run: format!("{:016x}", world.trace.hash()),
        ..Report::default()
    }
}

fn end<A: Actor>(scenario: &Scenario, world: &World<A>, mut report: Report, evidence: &Evidence) -> Outcome {
    report.agreed_ms = evidence.agreed_after.map(|micros| micros as f64 / 1e3);
    judge(&mut report, evidence, &scenario.bars);
    Outcome { report, trace: world.trace.to_string() }
}

/// The most memory that this process ever had, bytes; zero where the system does not say.
fn memory_max() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1_024
}
