//! A mesh in virtual time for the tests of the dissemination: real machines, links with delay and loss, nodes that are
//! silent, lie, or die.

use alloc::collections::{BinaryHeap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use octick_crypto::NodeId;

use crate::control::dissemination::rank::{Purpose, RINGS, Ranking};
use crate::control::dissemination::regions::{Crossing, RegionView};
use crate::control::dissemination::spread::{Accepted, Lane, Spread, SpreadAction, SpreadSettings};
use crate::control::id::{FrameRef, MemberIndex, Region, UpdateId};
use crate::control::message::gossip::Gossip;
use crate::control::{Random, Refusal};
use crate::time::{MS, S};

/// Bytes of an update.
pub(in crate::control) const UPDATE: usize = 200;

/// What kind of mesh.
#[derive(Clone, Copy)]
pub(in crate::control) struct LinkConditions {
    pub(in crate::control) nodes: u32,
    pub(in crate::control) regions: u32,
    pub(in crate::control) loss_permille: u32,
    /// Nodes that die in a second.
    pub(in crate::control) churn_permille: u32,
    /// Nodes of a hundred that are silent, and as many that announce all and send nothing.
    pub(in crate::control) silent_percent: u32,
    pub(in crate::control) lying_percent: u32,
    pub(in crate::control) seed: u64,
}

impl LinkConditions {
    pub(in crate::control) const fn clear(nodes: u32, regions: u32, seed: u64) -> Self {
        Self {
            nodes,
            regions,
            loss_permille: 0,
            churn_permille: 0,
            silent_percent: 0,
            lying_percent: 0,
            seed,
        }
    }

    pub(in crate::control) const fn rough(nodes: u32, regions: u32, seed: u64) -> Self {
        let conditions = Self::clear(nodes, regions, seed);
        Self { loss_permille: 50, churn_permille: 10, silent_percent: 17, lying_percent: 16, ..conditions }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Honest,
    Silent,
    Lying,
}

enum Event {
    Update(UpdateId),
    ControlFrame(Gossip),
    Timer,
}

struct Node {
    spread: Spread,
    timer: u64,
    manner: Manner,
    dies_at: u64,
    /// When it first had the update.
    reached: Vec<Option<u64>>,
    lied: bool,
}

/// All of it.
pub(in crate::control) struct Mesh {
    conditions: LinkConditions,
    pub(in crate::control) spread_settings: SpreadSettings,
    crossing: Crossing,
    nodes: Vec<Node>,
    members: Vec<Vec<MemberIndex>>,
    aggregators: Vec<Vec<MemberIndex>>,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    bodies: std::collections::HashMap<u64, (u32, u32, Event)>,
    sent: u64,
    random: Random,
    pub(in crate::control) now: u64,
    pub(in crate::control) copies: u64,
    pub(in crate::control) bytes: u64,
    pub(in crate::control) handled: u64,
    actions: VecDeque<SpreadAction>,
}

/// How it went.
#[derive(Debug)]
#[expect(dead_code, reason = "printed")]
pub(in crate::control) struct Outcome {
    /// Honest nodes alive at the end.
    pub(in crate::control) live: usize,
    pub(in crate::control) missed: usize,
    pub(in crate::control) p50: u64,
    pub(in crate::control) p999: u64,
    pub(in crate::control) p100: u64,
    pub(in crate::control) copies: f64,
    pub(in crate::control) bytes: f64,
    pub(in crate::control) events: u64,
}

impl Mesh {
    pub(in crate::control) fn new(conditions: LinkConditions) -> Self {
        let mut random = Random::new(conditions.seed);
        let ids: Vec<NodeId> = (0..conditions.nodes)
            .map(|_| {
                let (a, b) = (random.u64().to_le_bytes(), random.u64().to_le_bytes());
                NodeId(core::array::from_fn(|i| if i < 8 { a[i] } else { b[i - 8] }))
            })
            .collect();
        let mut members = vec![Vec::new(); conditions.regions as usize];
        (0..conditions.nodes).for_each(|i| members[(i % conditions.regions) as usize].push(MemberIndex(i)));
        let name = |place: &MemberIndex| (*place, ids[place.0 as usize]);
        let by_rank = Ranking::new(&[1; 32], Purpose::Aggregators, 1);
        let aggregators = members.iter().map(|there| by_rank.top(there.iter().map(name), 6)).collect();
        let overlay = Ranking::new(&[1; 32], Purpose::Overlay, 1);
        let named = |there: &Vec<MemberIndex>| there.iter().map(name).collect::<Vec<_>>();
        let graphs: Vec<_> = members.iter().map(|there| overlay.graph(&named(there), RINGS)).collect();
        let mut nodes = Vec::new();
        for i in 0..conditions.nodes {
            let mut spread = Spread::new(random.fork());
            for peer in &graphs[(i % conditions.regions) as usize][(i / conditions.regions) as usize] {
                assert!(spread.link(*peer));
            }
            let dies = random.permille(conditions.churn_permille);
            let dies_at = if dies { random.below(S) } else { u64::MAX };
            let manner = match random.below(100) as u32 {
                roll if roll < conditions.silent_percent => Manner::Silent,
                roll if roll < conditions.silent_percent + conditions.lying_percent => Manner::Lying,
                _ => Manner::Honest,
            };
            nodes.push(Node { spread, timer: u64::MAX, manner, dies_at, reached: Vec::new(), lied: false });
        }
        nodes[0].manner = Manner::Honest;
        nodes[0].dies_at = u64::MAX;
        Self {
            conditions,
            spread_settings: SpreadSettings::default(),
            crossing: Crossing::default(),
            nodes,
            members,
            aggregators,
            events: BinaryHeap::new(),
            bodies: std::collections::HashMap::new(),
            sent: 0,
            random,
            now: 0,
            copies: 0,
            bytes: 0,
            handled: 0,
            actions: VecDeque::new(),
        }
    }

    pub(in crate::control) fn node(&mut self, i: u32) -> &mut Spread {
        &mut self.nodes[i as usize].spread
    }

    fn region(&self, node: u32) -> u32 {
        node % self.conditions.regions
    }

    fn views(&self) -> Vec<RegionView<'_>> {
        let views = (0..).zip(self.members.iter().zip(&self.aggregators));
        views
            .map(|(region, (members, aggregators))| RegionView {
                region: Region(region),
                aggregators,
                members,
            })
            .collect()
    }

    /// Half a round trip: half a millisecond within a region; 25 to 125 ms between two, by the pair.
    fn delay(&mut self, from: u32, to: u32) -> u64 {
        let (a, b) = (self.region(from), self.region(to));
        let base = if a == b {
            500
        } else {
            let pair = (u64::from(a.min(b)) << 32) | u64::from(a.max(b));
            25_000 + Random::new(pair).below(100_001)
        };
        base + self.random.below(base / 20 + 1)
    }

    fn send(&mut self, from: u32, to: u32, event: Event) {
        let bytes = match &event {
            Event::Update(_) => {
                self.copies += 1;
                UPDATE as u64
            }
            // A control frame: header 40, signature 64, a message's head 4 and its body, in units of 16.
            Event::ControlFrame(gossip) => {
                let mut body = Vec::new();
                gossip.encode(&mut body);
                40 + 64 + (4 + body.len() as u64).next_multiple_of(16)
            }
            Event::Timer => 0,
        };
        // What liars send is theirs to pay.
        if self.nodes[from as usize].manner == Manner::Honest {
            self.bytes += bytes;
        }
        if !self.random.permille(self.conditions.loss_permille) {
            let at = self.now + self.delay(from, to);
            self.schedule(at, from, to, event);
        }
    }

    fn schedule(&mut self, at: u64, from: u32, to: u32, event: Event) {
        self.sent += 1;
        self.events.push(Reverse((at, self.sent)));
        self.bodies.insert(self.sent, (from, to, event));
    }

    /// Lets node `i` issue an update.
    pub(in crate::control) fn publish(&mut self, i: u32, number: u64, lane: Lane) {
        self.take_in(i, None, number, lane);
        self.carry_out(i);
    }

    fn take_in(&mut self, i: u32, from: Option<u32>, number: u64, lane: Lane) {
        let (id, now, spread_settings) =
            (UpdateId(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)), self.now, self.spread_settings);
        let node = &mut self.nodes[i as usize];
        if node.reached.len() <= number as usize {
            node.reached.resize(number as usize + 1, None);
        }
        if node.reached[number as usize].is_some() {
            node.spread.duplicate(now, id, MemberIndex(from.expect("issued once")));
            return;
        }
        node.reached[number as usize] = Some(now);
        let mut actions = core::mem::take(&mut self.actions);
        let accepted = Accepted {
            id,
            frame_ref: FrameRef::default(),
            origin: MemberIndex(0),
            from: from.map(MemberIndex),
            lane,
        };
        node.spread.accepted(now, &spread_settings, &accepted, &mut actions);
        let (is_local, mut to) = (Region(self.region(i) as u16), Vec::new());
        if from.is_none() {
            let mut random = self.random.fork();
            self.crossing.wave(is_local, self.views().iter().copied(), &mut random, &mut to);
        } else if self.aggregators[usize::from(is_local.0)].contains(&MemberIndex(i)) {
            let (mut random, came) = (self.random.fork(), Region(self.region(0) as u16));
            self.crossing.reforward(is_local, came, self.views().iter().copied(), &mut random, &mut to);
        }
        for to in to {
            self.nodes[i as usize].spread.send(id, to, &mut actions);
        }
        self.actions = actions;
    }

    fn carry_out(&mut self, i: u32) {
        for action in core::mem::take(&mut self.actions) {
            let (to, event) = match action {
                SpreadAction::Forward { id, to, .. } => (to, Event::Update(id)),
                SpreadAction::Prune { to, ids } => (to, Event::ControlFrame(Gossip::Prune(ids))),
                SpreadAction::Announce { to, ids } => (to, Event::ControlFrame(Gossip::Ids(ids))),
                SpreadAction::Pull { to, ids } => (to, Event::ControlFrame(Gossip::Pull(ids))),
                SpreadAction::Offer { to, ids } => (to, Event::ControlFrame(Gossip::Offer(ids))),
                SpreadAction::Forget(_) => continue,
            };
            self.send(i, to.0, event);
        }
        let due = self.nodes[i as usize].spread.next_due();
        if due < self.nodes[i as usize].timer {
            self.nodes[i as usize].timer = due;
            self.schedule(due.max(self.now), i, i, Event::Timer);
        }
    }

    /// Lets time pass.
    pub(in crate::control) fn run(&mut self, until: u64) {
        while let Some(Reverse((at, number))) = self.events.peek().copied() {
            if at > until {
                break;
            }
            self.events.pop();
            self.now = at;
            self.handled += 1;
            let (from, i, event) = self.bodies.remove(&number).expect("every event has a body");
            self.handle(from, i, event);
        }
        self.now = until;
    }

    fn handle(&mut self, from: u32, i: u32, event: Event) {
        let (now, spread_settings) = (self.now, self.spread_settings);
        let node = &mut self.nodes[i as usize];
        if now >= node.dies_at || node.manner == Manner::Silent {
            return;
        }
        if node.manner == Manner::Lying {
            // Says that it has whatever it hears of, and sends nothing.
            let ids = match event {
                Event::Update(id) => vec![id],
                Event::ControlFrame(Gossip::Ids(ids)) => ids,
                _ => return,
            };
            if !core::mem::replace(&mut node.lied, true) {
                let neighbours: Vec<MemberIndex> = node.spread.neighbours().collect();
                for to in neighbours {
                    self.send(i, to.0, Event::ControlFrame(Gossip::Ids(ids.clone())));
                }
            }
            return;
        }
        let mut actions = core::mem::take(&mut self.actions);
        match event {
            Event::Update(id) => {
                self.actions = actions;
                // The inverse of the multiplier, modulo 2^64.
                self.take_in(i, Some(from), id.0.wrapping_mul(0xF1DE_83E1_9937_733D), Lane::Normal);
                self.carry_out(i);
                return;
            }
            Event::ControlFrame(Gossip::Ids(ids)) => {
                node.spread.handle_ids(now, &spread_settings, MemberIndex(from), &ids, &mut actions);
            }
            Event::ControlFrame(Gossip::Pull(ids)) => {
                node.spread.handle_pull(now, &spread_settings, MemberIndex(from), &ids, &mut actions);
            }
            Event::ControlFrame(Gossip::Offer(ids)) => {
                node.spread.handle_offer(now, &spread_settings, MemberIndex(from), &ids, &mut actions);
            }
            Event::ControlFrame(other) => panic!("{other:?} is of another machine: {:?}", Refusal::Malformed),
            Event::Timer => {
                if node.timer <= now {
                    node.timer = u64::MAX;
                }
                node.spread.tick(now, &spread_settings, &mut actions);
            }
        }
        self.actions = actions;
        self.carry_out(i);
    }

    /// One push-pull round: everybody offers what it has to one member, any of its region or now and then one in other regions.
    pub(in crate::control) fn round(&mut self) {
        for i in 0..self.nodes.len() as u32 {
            let node = &self.nodes[i as usize];
            if node.manner != Manner::Honest || self.now >= node.dies_at {
                continue;
            }
            let is_local = Region(self.region(i) as u16);
            let mut random = self.random.fork();
            let partner = loop {
                match self.crossing.partner(is_local, self.views().iter().copied(), &mut random) {
                    Some(partner) if partner.0 == i => {}
                    partner => break partner,
                }
            };
            if let Some(partner) = partner {
                self.nodes[i as usize].spread.offer(partner, &mut self.actions);
                self.carry_out(i);
            }
        }
    }

    pub(in crate::control) fn reached(&self, number: usize) -> usize {
        self.nodes.iter().filter(|node| node.reached.get(number).is_some_and(Option::is_some)).count()
    }

    /// How update `number` fared, which was issued at `issued`.
    pub(in crate::control) fn outcome(&self, number: usize, issued: u64) -> Outcome {
        let live: Vec<&Node> = self
            .nodes
            .iter()
            .filter(|node| node.manner == Manner::Honest && node.dies_at > issued + S)
            .collect();
        let mut times: Vec<u64> =
            live.iter().filter_map(|node| *node.reached.get(number)?).map(|at| at - issued).collect();
        times.sort_unstable();
        let at = |permille: usize| {
            let rank = (live.len() * permille).div_ceil(1_000).max(1) - 1;
            times.get(rank).copied().unwrap_or(u64::MAX)
        };
        Outcome {
            live: live.len(),
            missed: live.len() - times.len(),
            p50: at(500),
            p999: at(999),
            p100: times.last().copied().unwrap_or(u64::MAX),
            copies: self.copies as f64 / self.nodes.len() as f64,
            bytes: self.bytes as f64 / self.nodes.len() as f64,
            events: self.handled,
        }
    }
}

fn wave(conditions: LinkConditions) -> Outcome {
    let mut mesh = Mesh::new(conditions);
    mesh.publish(0, 0, Lane::Normal);
    mesh.run(S);
    let outcome = mesh.outcome(0, 0);
    std::println!("{} nodes, {} regions: {outcome:?}", conditions.nodes, conditions.regions);
    outcome
}

#[test]
fn one_region_is_covered_at_about_one_copy_a_node() {
    let outcome = wave(LinkConditions::clear(1_000, 1, 1));
    assert_eq!(outcome.missed, 0);
    assert!(outcome.copies < 1.4 && outcome.p100 < 40 * MS, "{outcome:?}");
}

#[test]
fn five_thousand_in_five_regions_are_covered_in_the_longest_trip_and_25_ms() {
    let outcome = wave(LinkConditions::clear(5_000, 5, 2));
    assert_eq!(outcome.missed, 0);
    assert!(outcome.p999 < 150 * MS && outcome.copies < 2.0 && outcome.bytes < 1_300.0, "{outcome:?}");
}

#[test]
fn loss_churn_and_a_third_byzantine_keep_nobody_from_hearing() {
    for seed in 3..6 {
        let outcome = wave(LinkConditions::rough(5_000, 5, seed));
        assert_eq!(outcome.missed, 0, "seed {seed}");
        assert!(outcome.p999 < 200 * MS && outcome.copies < 2.0 && outcome.bytes < 1_300.0, "{outcome:?}");
    }
}

#[test]
fn two_nodes_need_one_copy_and_no_control_frame() {
    let mut mesh = Mesh::new(LinkConditions::clear(2, 1, 1));
    mesh.publish(0, 0, Lane::Normal);
    mesh.run(S);
    assert_eq!((mesh.copies, mesh.bytes, mesh.reached(0)), (1, UPDATE as u64, 2));
}

#[test]
fn the_same_seed_is_the_same_run() {
    let print = |seed| std::format!("{:?}", wave(LinkConditions::rough(1_000, 4, seed)));
    assert_eq!(print(7), print(7));
    assert_ne!(print(7), print(8));
}

fn rounds_to_reach_all(nodes: u32) -> u32 {
    let mut mesh = Mesh::new(LinkConditions::clear(nodes, 1, u64::from(nodes)));
    // Rounds alone: nothing is pushed or announced.
    for i in 0..nodes {
        let peers: Vec<MemberIndex> = mesh.node(i).neighbours().collect();
        peers.into_iter().for_each(|peer| mesh.node(i).unlink(peer));
    }
    mesh.publish(0, 0, Lane::Normal);
    for round in 1..100 {
        mesh.round();
        mesh.run(u64::from(round) * 100 * MS);
        if mesh.reached(0) == nodes as usize {
            return round;
        }
    }
    panic!("not everybody was reached");
}

#[test]
fn push_pull_rounds_reach_all_in_log2_n_and_three_and_within_two_of_the_model() {
    // The model takes 4 and 9; log2(n) + 3 is 6.3 and 12.97.
    let (ten, thousand) = (rounds_to_reach_all(10), rounds_to_reach_all(1_000));
    std::println!("push-pull rounds to reach 10: {ten}, 1,000: {thousand}");
    assert!(ten.abs_diff(4) <= 2 && thousand.abs_diff(9) <= 2);
}

/// The figures at full size: `cargo test --release -p octick-core -- --ignored --nocapture hundred_thousand`.
#[test]
#[ignore = "half a minute with optimisation, and some 200 MB"]
fn a_hundred_thousand_in_a_hundred_regions_hold_the_bars() {
    let rounds = rounds_to_reach_all(100_000);
    std::println!("push-pull rounds to reach 100,000: {rounds}");
    assert!(rounds <= 19);
    for (conditions, p999) in [
        (LinkConditions::clear(100_000, 100, 1), 150 * MS),
        (LinkConditions::rough(100_000, 100, 1), 200 * MS),
    ] {
        let outcome = wave(conditions);
        assert_eq!(outcome.missed, 0);
        assert!(outcome.p999 <= p999 && outcome.p100 <= S, "{outcome:?}");
        assert!(outcome.copies <= 2.0 && outcome.bytes <= 1_300.0, "{outcome:?}");
    }
}
