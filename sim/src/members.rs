//! Control planes on simulated nodes: who is in the mesh, and who is gone.
//!
//! The edge that a real node has around [`Control`] is here in short: sign and send control frames, introduce strangers, verify,
//! hand over. What a control plane says of others is compared with what is true, which only a simulator knows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use octick_core::control::id::Rank;
use octick_core::control::message::announcement::{EPHEMERAL, mesh_key};
use octick_core::control::message::kind::MessageKind;
use octick_core::control::{
    Announcement, Config, Control, MembershipSettings, NodeInit, Output, Partition, PeerState, Quorum,
    Random, Region,
};
use octick_core::stamp::{Incarnation, Run, Seq, Version};
use octick_core::time::Wall;
use octick_core::wire::ControlFrame;
use octick_crypto::NodeId;

use crate::hostile::{Hand, Hostile};
use crate::population::{Common, run_of};
use crate::role::Role;
use crate::scenario::QuorumOf;
use crate::seal::{MESH, Packet, address, node_at};
use crate::trace::Mark;
use crate::world::{Actor, Out};
use crate::{S, WALL};

/// A node with a control plane.
pub struct MemberNode {
    /// The control plane.
    pub control: Control,
    node: u32,
    incarnation: Incarnation,
    seq: u64,
    common: Rc<Common>,
    /// Whom this incarnation has met, a bit each.
    met: Vec<u64>,
    /// The word of each member that is gone, by number.
    gone: BTreeMap<u32, Rank>,
    /// Whom this node has seen hold all slots that its credential grants.
    owners: BTreeSet<u32>,
    /// What it does besides, if it is hostile.
    hostile: Option<Box<Hostile>>,
}

impl MemberNode {
    /// A node in its first life.
    pub fn new(common: Rc<Common>, node: u32, now: u64) -> Self {
        Self::live(common, node, Incarnation(1), now, Vec::new())
    }

    fn live(
        common: Rc<Common>,
        node: u32,
        incarnation: Incarnation,
        now: u64,
        remembered: Vec<std::net::SocketAddr>,
    ) -> Self {
        let region = common.regions[node as usize];
        // The first two nodes of its region, as an operator would write them down.
        let first = common.regions.partition_point(|other| *other < region) as u32;
        let seeds = (first..first + 2)
            .filter(|seed| *seed != node && common.regions.get(*seed as usize) == Some(&region));
        let seeds = seeds.map(address).collect();
        let membership = MembershipSettings { seeds, remembered, ..common.settings.clone() };
        let settings = Config { membership, ..Config::default() }.check().expect("the settings hold");
        let every = common.ephemeral_every;
        let is_ephemeral = every > 0 && node % every == every - 1;
        let mut rng = Random::new(common.seed ^ u64::from(node) << 24 ^ u64::from(incarnation.0));
        let credential = common.credentials.get(node as usize).cloned();
        let init = NodeInit {
            mesh: mesh_key(MESH),
            now,
            wall: Wall(WALL + now),
            id: common.cast.ids()[node as usize],
            incarnation,
            region: Region(region),
            capabilities: if is_ephemeral { EPHEMERAL } else { 0 },
            addresses: vec![address(node)],
            runs: credential.iter().map(|_| run_of(node)).collect(),
            seed: rng.u64(),
            secret: std::array::from_fn(|_| rng.u64() as u8),
            admission: common.admission.clone(),
            credential,
        };
        let control = Control::new(settings, init, common.cast.signer(node));
        let met = vec![0; common.regions.len().div_ceil(64)];
        let (role, until) = (common.roles[node as usize], common.hostile_until);
        let hostile = Hostile::new(role, until, Random::new(common.seed ^ u64::from(node) << 20 ^ 0xBAD));
        let (gone, owners) = (BTreeMap::new(), BTreeSet::new());
        Self { control, node, incarnation, seq: 0, common, met, gone, owners, hostile }
    }

    /// Numbers of the members that this node believes live, itself left out.
    pub fn live_members(&self) -> impl Iterator<Item = u32> + '_ {
        let members = self.control.members();
        members.live().iter().filter_map(|place| self.common.cast.find(members.get(*place).id()))
    }

    /// Whether this node believes that it has a quorum.
    pub fn has_quorum(&self) -> bool {
        match self.common.quorum_of {
            QuorumOf::All => self.control.partition() == Partition::Healthy,
            QuorumOf::Live => Quorum::of(self.control.quorum().reachable, 0).is_there(),
        }
    }

    fn seal(&mut self, now: u64, control_frame: Box<ControlFrame>) -> Packet {
        self.seq += 1;
        let version = Version::new(WALL + now, self.common.cast.ids()[self.node as usize]);
        self.common.cast.seal(self.node, self.incarnation, Seq(self.seq), version, control_frame)
    }

    fn after(&mut self, now: u64, out: &mut Out<Packet>) {
        while let Some(output) = self.control.poll() {
            match output {
                Output::Send { to, control_frame } => {
                    let nodes = self.common.regions.len() as u32;
                    if let Some(to) = node_at(to).filter(|to| *to < nodes) {
                        let post = self.seal(now, control_frame);
                        out.send.push((to, post));
                    }
                }
                Output::Member { announcement, state, runs, .. } => {
                    self.believe(now, &announcement, state, out);
                    self.look_at_slots(announcement.id(), state, &runs);
                }
                Output::Forgotten(id) => {
                    if let Some(node) = self.common.cast.find(id) {
                        self.gone.remove(&node);
                    }
                }
                Output::Conflict { id, .. } => {
                    let about = self.common.cast.find(id).unwrap_or(u32::MAX);
                    out.marks.push((Mark::Conflict, about));
                }
                Output::Partition(Partition::Partitioned { reachable, .. }) => {
                    out.marks.push((Mark::Partition, reachable as u32));
                }
                Output::Forward { .. }
                | Output::Partition(_)
                | Output::SlotsLost { .. }
                | Output::Superseded { .. }
                | Output::Outlived(_)
                | Output::Alone
                | Output::Decided(_)
                | Output::AuthorityContradicts(_)
                | Output::Convicted(_)
                | Output::Rights(_)
                | Output::Deliver { .. } => {}
            }
        }
    }

    /// This node says what it believes of a member; the truth is set beside it.
    fn believe(&mut self, now: u64, announcement: &Announcement, state: PeerState, out: &mut Out<Packet>) {
        let Some(node) = self.common.cast.find(announcement.id()) else {
            self.common.truth.borrow_mut().strangers += u64::from(!self.common.credentials.is_empty());
            return;
        };
        if node == self.node {
            return;
        }
        let mut truth = self.common.truth.borrow_mut();
        let dated = announcement.statement().version.micros();
        truth.postdated += u64::from(dated > WALL + now + POSTDATED);
        let up_since = truth.up_since[node as usize];
        // What is said of an earlier incarnation is no mistake about this one.
        let is_this_life = announcement.statement().incarnation.0 >= truth.life[node as usize];
        truth.records_max = truth.records_max.max(self.control.members().len());
        match state {
            PeerState::Alive => {
                if let Some(rank) = self.gone.remove(&node) {
                    let back = announcement.rank() > rank;
                    out.marks.push((if back { Mark::Back } else { Mark::Fault }, node));
                    truth.resurrected += u64::from(!back);
                }
                let (word, bit) = (node as usize / 64, 1 << (node % 64));
                if self.met[word] & bit == 0 {
                    self.met[word] |= bit;
                    let mine = truth.up_since[self.node as usize];
                    if let (Some(theirs), Some(mine)) = (up_since, mine) {
                        truth.met_after.push(now.saturating_sub(theirs.max(mine)) as u32);
                    }
                }
            }
            PeerState::Suspected => {
                out.marks.push((Mark::Suspect, node));
                truth.false_suspicions += u64::from(up_since.is_some() && is_this_life);
            }
            PeerState::Failed => {
                out.marks.push((Mark::Dead, node));
                self.gone.insert(node, announcement.rank());
                match up_since {
                    Some(_) => truth.false_deaths += u64::from(is_this_life),
                    None => {
                        let after = now.saturating_sub(truth.crashed_at[node as usize]);
                        truth.missed_after.push(after as u32);
                    }
                }
            }
            PeerState::Left => _ = self.gone.insert(node, announcement.rank()),
        }
    }
}

impl MemberNode {
    /// Slots of a member that runs are what its credential grants, once this node has seen them so.
    fn look_at_slots(&mut self, id: NodeId, state: PeerState, runs: &[Run]) {
        let Some(node) = self.common.cast.find(id) else { return };
        let is_honest = self.common.roles[node as usize] == Role::Honest;
        if self.common.credentials.is_empty() || !state.is_live() || !is_honest {
            return;
        }
        let is_whole = *runs == [run_of(node)];
        if is_whole {
            self.owners.insert(node);
        } else if self.owners.contains(&node) {
            let mut truth = self.common.truth.borrow_mut();
            truth.robbed += u64::from(truth.up_since[node as usize].is_some());
        }
    }

    /// Lets a hostile node act.
    fn act(&mut self, now: u64, out: &mut Out<Packet>, f: impl FnOnce(&mut Hostile, &mut Hand<'_>)) {
        let Some(mut hostile) = self.hostile.take() else { return };
        let Self { control, node, incarnation, seq, common, .. } = self;
        let mut seal = |control_frame| {
            *seq += 1;
            let version = Version::new(WALL + now, common.cast.ids()[*node as usize]);
            common.cast.seal(*node, *incarnation, Seq(*seq), version, control_frame)
        };
        f(&mut hostile, &mut Hand { now, node: *node, common, control, seal: &mut seal, out });
        self.hostile = Some(hostile);
    }
}

/// How far ahead an announcement is from the far future, microseconds.
const POSTDATED: u64 = 600 * S;

impl Actor for MemberNode {
    type Packet = Packet;

    fn len(packet: &Packet) -> usize {
        packet.len()
    }

    fn handle(&mut self, now: u64, from: u32, packet: &Packet, out: &mut Out<Packet>) {
        self.act(now, out, |hostile, hand| hostile.hear(from, packet, hand));
        let me = self.common.cast.ids()[self.node as usize];
        let arrived = match self.common.is_blind {
            true => packet.open_blindly(address(from), self.common.cast.ids()),
            false => packet.open(address(from), me, WALL + now),
        };
        let Some(arrived) = arrived else { return };
        let mut packet = arrived.packet;
        packet.to = packet.to.map(|_| me);
        let members = self.control.members();
        let announcement = match members.find(packet.origin) {
            Some(place) => Some(members.get(place).announcement().clone()),
            None => {
                let introduced =
                    self.control.introduce(now, packet.from, packet.origin, arrived.messages.clone());
                introduced.ok()
            }
        };
        if let Some(announcement) = announcement {
            if self.common.cast.verify(&arrived, announcement.key()) {
                self.common.truth.borrow_mut().unsigned += u64::from(!self.common.cast.was_issued(&arrived));
                // Refusals are counted by the control plane itself.
                _ = self.control.handle_introduced(now, &packet, announcement, arrived.messages);
            } else {
                self.common.truth.borrow_mut().forged += 1;
                out.marks.push((Mark::Forged, from));
            }
        }
        self.after(now, out);
    }

    fn tick(&mut self, now: u64, out: &mut Out<Packet>) {
        self.control.tick(now);
        self.after(now, out);
        self.act(now, out, Hostile::strike);
    }

    fn next_due(&self) -> u64 {
        self.hostile.as_ref().map_or(u64::MAX, |hostile| hostile.next_due()).min(self.control.next_due())
    }

    fn restart(&mut self, now: u64, disk: bool, out: &mut Out<Packet>) {
        let members = self.control.members();
        let addresses = members.live().iter().filter_map(|place| members.get(*place).address());
        let remembered = if disk { addresses.take(32).collect() } else { Vec::new() };
        let next = Incarnation(self.incarnation.0 + 1);
        *self = Self::live(self.common.clone(), self.node, next, now, remembered);
        self.after(now, out);
    }

    fn leave(&mut self, now: u64, out: &mut Out<Packet>) {
        self.control.leave(now);
        self.after(now, out);
    }

    fn force_leave(&mut self, now: u64, of: u32, out: &mut Out<Packet>) {
        // Whom this node does not know it cannot have leave.
        _ = self.control.expel(now, self.common.cast.ids()[of as usize], false);
        self.after(now, out);
    }

    fn misbehave(&mut self, role: Role, packet: Packet, random: &mut Random) -> Option<Packet> {
        match role {
            Role::Silent => None,
            Role::Garbage => Some(packet.garble(self.common.cast.ids(), random)),
            Role::Equivocator => {
                // Its own announcement once more, of the same version, with other words in it.
                let mut statement = self.control.me().statement().clone();
                statement.capabilities = 1 + random.below(2) as u32;
                let identity = self.common.cast.identity(self.node);
                let other = Announcement::sign(identity, &mesh_key(MESH), &statement);
                let mut control_frame = ControlFrame::new();
                let fits = control_frame.push(MessageKind::Announce as u8, other.bytes());
                debug_assert!(fits, "an announcement fits a control frame");
                let twisted = random.permille(200);
                Some(if twisted {
                    self.seal(statement.version.micros() - WALL, Box::new(control_frame))
                } else {
                    packet
                })
            }
            _ => Some(packet),
        }
    }
}
