//! Updates on their way to everybody: the dissemination of `core`, a hundred thousand nodes at a time.
//!
//! Each node is a [`Spread`] with the neighbours that [`rank`](octick_core::control::dissemination::rank) gives it; updates cross
//! regions by [`Crossing`]. Membership is not run: everybody knows everybody, so a [`MemberIndex`] is a node's number. An update
//! carries a code of its origin, as in [`seal`](crate::seal), and every node checks it before it takes the update in.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use octick_core::control::dissemination::rank::{Purpose, RINGS, Ranking};
use octick_core::control::dissemination::regions::{Crossing, RegionView};
use octick_core::control::dissemination::rounds::Rounds;
use octick_core::control::dissemination::spread::{Accepted, Lane, Spread, SpreadAction, SpreadSettings};
use octick_core::control::id::{FrameRef, MemberIndex, UpdateId};
use octick_core::control::message::gossip::Gossip;
use octick_core::control::{Random, Region};
use octick_crypto::NodeId;

use crate::role::Role;
use crate::trace::Mark;
use crate::world::{Actor, Out};

/// Bytes of an update, its frame included.
pub const UPDATE_LEN: usize = 200;
/// Aggregators of a region.
const AGGREGATORS: usize = 6;

/// What one node sends another.
#[derive(Clone, Debug)]
pub enum Packet {
    /// An update.
    Update(Update),
    /// Ids, in a control frame.
    Ids(Rc<Gossip>),
    /// Bytes that mean nothing.
    Noise,
}

/// An update as it travels: whoever relays it cannot change it unseen.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    origin: u32,
    number: u32,
    code: u64,
}

/// When the updates of a run came to be, and where they have come.
#[derive(Debug, Default)]
pub struct Ledger {
    /// When each update was issued.
    pub issued_at: Vec<u64>,
    /// From there to its being taken in at another node, microseconds.
    pub taken_after: Vec<u32>,
    /// Copies that came to nodes.
    pub copies: u64,
    /// Updates refused for their code.
    pub forged: u64,
    /// Updates taken in that were never issued.
    pub unsigned: u64,
}

/// What rounds do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Nothing: updates travel by push, announcement and pull alone.
    None,
    /// They find what the rest has lost, as in a real node.
    Rounds,
    /// They alone carry updates: push-pull, for comparison with the theory.
    Only,
}

/// What all nodes of a run share.
pub struct Common {
    ids: Vec<NodeId>,
    secrets: u64,
    homes: Vec<u16>,
    members: Vec<Vec<MemberIndex>>,
    aggregators: Vec<Vec<MemberIndex>>,
    spread_settings: SpreadSettings,
    crossing: Crossing,
    /// Between two rounds of comparing, microseconds.
    round: u64,
    rounds: Repair,
    seed: u64,
    /// The truth.
    pub ledger: RefCell<Ledger>,
}

impl Common {
    /// `homes[i]` is the region of node i; regions follow each other.
    pub fn new(seed: u64, homes: Vec<u16>, round: u64, rounds: Repair) -> Self {
        let mut random = Random::new(seed ^ 0x0DD5);
        let name = |_| {
            let (a, b) = (random.u64().to_le_bytes(), random.u64().to_le_bytes());
            NodeId(std::array::from_fn(|i| if i < 8 { a[i] } else { b[i - 8] }))
        };
        let ids: Vec<NodeId> = homes.iter().map(name).collect();
        let regions = homes.last().map_or(0, |last| usize::from(*last) + 1);
        let mut members = vec![Vec::new(); regions];
        homes.iter().zip(0..).for_each(|(home, i)| members[usize::from(*home)].push(MemberIndex(i)));
        let by_rank = ranking(seed, Purpose::Aggregators);
        let named = |place: &MemberIndex| (*place, ids[place.0 as usize]);
        let aggregators =
            members.iter().map(|there| by_rank.top(there.iter().map(named), AGGREGATORS)).collect();
        Self {
            secrets: random.u64(),
            ids,
            homes,
            members,
            aggregators,
            spread_settings: SpreadSettings::default(),
            crossing: Crossing::default(),
            round,
            rounds,
            seed,
            ledger: RefCell::default(),
        }
    }

    /// Stands in for the signature of `origin`.
    fn code(&self, origin: u32, number: u32) -> u64 {
        Random::new(self.secrets ^ u64::from(origin) << 32 ^ u64::from(number)).u64()
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
}

fn ranking(seed: u64, purpose: Purpose) -> Ranking {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    Ranking::new(&key, purpose, 1)
}

/// A node that disseminates.
pub struct SpreadNode {
    spread: Spread,
    node: u32,
    /// Updates that are here, a bit each.
    held: Vec<u64>,
    round_at: u64,
    rounds: Rounds,
    random: Random,
    common: Rc<Common>,
}

impl SpreadNode {
    /// A node with its neighbours.
    pub fn new(common: Rc<Common>, node: u32, now: u64) -> Self {
        let mut random = Random::new(common.seed ^ u64::from(node) << 28);
        let mut spread = Spread::new(random.fork());
        if common.rounds != Repair::Only {
            let there = &common.members[usize::from(common.homes[node as usize])];
            let named = there.iter().map(|place| (*place, common.ids[place.0 as usize]));
            let overlay = ranking(common.seed, Purpose::Overlay);
            for peer in overlay.neighbours(common.ids[node as usize], named, RINGS) {
                let linked = spread.link(peer);
                debug_assert!(linked, "a node has no more neighbours than links");
            }
        }
        let round_at = if common.rounds == Repair::Only { now + common.round } else { u64::MAX };
        Self { spread, node, held: Vec::new(), round_at, rounds: Rounds::new(now), random, common }
    }

    /// Issues an update.
    pub fn issue(&mut self, now: u64, out: &mut Out<Packet>) {
        let number = {
            let mut ledger = self.common.ledger.borrow_mut();
            ledger.issued_at.push(now);
            ledger.issued_at.len() as u32 - 1
        };
        let code = self.common.code(self.node, number);
        self.take_in(now, None, Update { origin: self.node, number, code }, out);
    }

    /// Whether an update is here.
    pub fn holds(&self, number: usize) -> bool {
        self.held.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn hold(&mut self, number: u32) -> bool {
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if self.held.len() <= word {
            self.held.resize(word + 1, 0);
        }
        let fresh = self.held[word] & bit == 0;
        self.held[word] |= bit;
        fresh
    }

    fn take_in(&mut self, now: u64, from: Option<u32>, update: Update, out: &mut Out<Packet>) {
        let common = self.common.clone();
        let id = id_of(&update);
        if from.is_some() {
            common.ledger.borrow_mut().copies += 1;
        }
        if update.code != common.code(update.origin, update.number) {
            common.ledger.borrow_mut().forged += 1;
            out.marks.extend(from.map(|from| (Mark::Forged, from)));
            return;
        }
        if !self.hold(update.number) {
            if let Some(from) = from {
                self.spread.duplicate(now, id, MemberIndex(from));
            }
            return;
        }
        let mut acts = VecDeque::new();
        let accepted = Accepted {
            id,
            frame_ref: FrameRef::default(),
            origin: MemberIndex(update.origin),
            from: from.map(MemberIndex),
            lane: Lane::Normal,
        };
        self.spread.accepted(now, &common.spread_settings, &accepted, &mut acts);
        let (home, mut to) = (Region(common.homes[self.node as usize]), Vec::new());
        if common.rounds == Repair::Rounds {
            self.rounds.news(now);
        }
        if from.is_none() && common.rounds != Repair::Only {
            common.crossing.wave(home, common.views().iter().copied(), &mut self.random, &mut to);
        } else if common.aggregators[usize::from(home.0)].contains(&MemberIndex(self.node))
            && common.rounds != Repair::Only
        {
            let came = Region(common.homes[update.origin as usize]);
            common.crossing.reforward(home, came, common.views().iter().copied(), &mut self.random, &mut to);
        }
        to.into_iter().for_each(|place| self.spread.send(id, place, &mut acts));
        if from.is_some() {
            let mut ledger = common.ledger.borrow_mut();
            match ledger.issued_at.get(update.number as usize).copied() {
                Some(issued_at) => ledger.taken_after.push(now.saturating_sub(issued_at) as u32),
                None => ledger.unsigned += 1,
            }
        }
        self.carry_out(acts, out);
    }

    fn carry_out(&mut self, acts: VecDeque<SpreadAction>, out: &mut Out<Packet>) {
        for act in acts {
            match act {
                SpreadAction::Forward { id, to, .. } => {
                    out.send.push((to.0, Packet::Update(self.update(id))))
                }
                SpreadAction::Announce { to, ids } => {
                    out.send.push((to.0, Packet::Ids(Gossip::Ids(ids).into())))
                }
                SpreadAction::Pull { to, ids } => {
                    out.send.push((to.0, Packet::Ids(Gossip::Pull(ids).into())))
                }
                SpreadAction::Offer { to, ids } => {
                    out.send.push((to.0, Packet::Ids(Gossip::Offer(ids).into())))
                }
                SpreadAction::Prune { to, ids } => {
                    out.send.push((to.0, Packet::Ids(Gossip::Prune(ids).into())))
                }
                SpreadAction::Forget(_) => {}
            }
        }
    }

    /// Whom to compare with, as [`Dissemination`](octick_core::control::dissemination::dissemination::Dissemination) draws it.
    fn draw_partner(&mut self) -> Option<MemberIndex> {
        let (common, home) = (self.common.clone(), Region(self.common.homes[self.node as usize]));
        let neighbours: Vec<MemberIndex> = self.spread.neighbours().collect();
        let mut views = common.views();
        if !Rounds::is_with_anybody(&mut self.random) && !neighbours.is_empty() {
            views[usize::from(home.0)].members = &neighbours;
        }
        let partner = common.crossing.partner(home, views.iter().copied(), &mut self.random);
        partner.filter(|partner| partner.0 != self.node)
    }

    /// The neighbours that are as `is` says, and all there are.
    pub fn neighbours(&self, is: impl Fn(u32) -> bool) -> (usize, usize) {
        let all = || self.spread.neighbours();
        (all().filter(|place| is(place.0)).count(), all().count())
    }

    /// The bytes of an update that is here; its name says which it is.
    fn update(&self, id: UpdateId) -> Update {
        let (origin, number) = ((id.0 >> 32) as u32, id.0 as u32);
        Update { origin, number, code: self.common.code(origin, number) }
    }
}

/// Who issued an update, and its number: names are not hashes here, so that they need no table.
fn id_of(update: &Update) -> UpdateId {
    UpdateId(u64::from(update.origin) << 32 | u64::from(update.number))
}

impl Actor for SpreadNode {
    type Packet = Packet;

    fn len(packet: &Packet) -> usize {
        // A control frame: header 40, signature 64, a message's head 4 and its body, in units of 16.
        let control_frame = |body: usize| 40 + 64 + (4 + body).next_multiple_of(16);
        match packet {
            Packet::Update(_) | Packet::Noise => UPDATE_LEN,
            Packet::Ids(gossip) => match &**gossip {
                Gossip::Ids(ids) | Gossip::Pull(ids) | Gossip::Offer(ids) | Gossip::Prune(ids) => {
                    control_frame(UpdateId::LEN * ids.len())
                }
                _ => control_frame(0),
            },
        }
    }

    fn handle(&mut self, now: u64, from: u32, packet: &Packet, out: &mut Out<Packet>) {
        let common = self.common.clone();
        let (spread_settings, from_place, mut acts) =
            (&common.spread_settings, MemberIndex(from), VecDeque::new());
        match packet {
            Packet::Update(update) => self.take_in(now, Some(from), *update, out),
            Packet::Noise => common.ledger.borrow_mut().forged += 1,
            Packet::Ids(gossip) => match &**gossip {
                Gossip::Ids(ids) => self.spread.handle_ids(now, spread_settings, from_place, ids, &mut acts),
                Gossip::Pull(ids) => {
                    self.spread.handle_pull(now, spread_settings, from_place, ids, &mut acts)
                }
                Gossip::Offer(ids) => {
                    self.spread.handle_offer(now, spread_settings, from_place, ids, &mut acts);
                }
                Gossip::Prune(ids) => self.spread.handle_prune(from_place, ids),
                _ => {}
            },
        }
        self.carry_out(acts, out);
    }

    fn tick(&mut self, now: u64, out: &mut Out<Packet>) {
        let common = self.common.clone();
        let mut acts = VecDeque::new();
        if now >= self.round_at {
            self.round_at += common.round;
            let home = Region(common.homes[self.node as usize]);
            let partner = common.crossing.partner(home, common.views().iter().copied(), &mut self.random);
            if let Some(partner) = partner.filter(|partner| partner.0 != self.node) {
                self.spread.offer(partner, &mut acts);
            }
        }
        if self.rounds.tick(now)
            && let Some(partner) = self.draw_partner()
        {
            self.spread.offer(partner, &mut acts);
        }
        self.spread.tick(now, &common.spread_settings, &mut acts);
        self.carry_out(acts, out);
    }

    fn next_due(&self) -> u64 {
        self.spread.next_due().min(self.round_at).min(self.rounds.next_due())
    }

    fn restart(&mut self, now: u64, disk: bool, _: &mut Out<Packet>) {
        let held = std::mem::take(&mut self.held);
        *self = Self::new(self.common.clone(), self.node, now);
        if disk {
            self.held = held;
        }
    }

    fn misbehave(&mut self, role: Role, packet: Packet, random: &mut Random) -> Option<Packet> {
        match (role, packet) {
            (Role::Silent, _) => None,
            (Role::Garbage, Packet::Update(mut update)) => {
                update.code ^= 1 << random.below(64);
                Some(Packet::Update(update))
            }
            // It announces what it has, and what it does not, and sends nothing of either.
            (Role::Garbage, Packet::Ids(gossip)) => Some(Packet::Ids(gossip)),
            (Role::Garbage | Role::Equivocator, _) => Some(Packet::Noise),
            (_, packet) => Some(packet),
        }
    }
}
