//! Many control planes in one process: virtual time, links that delay, lose and are cut, nodes that stop and die.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use octick_core::admission::{Admission, Credential};
use octick_core::control::id::FrameRef;
use octick_core::control::message::accusation::Accusation;
use octick_core::control::message::announcement::{Announcement, EPHEMERAL, Unsound, mesh_key};
use octick_core::control::message::equivocation::Proof;
use octick_core::control::message::force_leave::{ForceLeave, Removal};
use octick_core::control::output::Rights;
use octick_core::control::{
    Config, Control, MembershipSettings, NodeInit, Output, PacketInfo, Partition, PeerState, Random, Region,
    Signer, Statement, UpdateInfo,
};
use octick_core::crypto::{Identity, MeshKeys, NodeId, PublicKey};
use octick_core::stamp::{Incarnation, Run, Seq, Version};
use octick_core::time::Wall;
use octick_core::wire::ControlFrame;

pub(crate) const MS: u64 = 1_000;
pub(crate) const S: u64 = 1_000_000;
/// What the wall clocks show when a run begins.
pub(crate) const WALL: u64 = 1_700_000_000_000_000;
/// Bytes of a frame around a control frame, without its signature.
const HEADER: u64 = 40;
const SIGNATURE: u64 = 64;

/// Announcements that were verified, so that a run with many nodes verifies each once.
pub(crate) type Archive = Arc<Mutex<HashMap<Vec<u8>, Result<Arc<Announcement>, Unsound>>>>;

struct Shared {
    identity: Identity,
    archive: Archive,
}

impl Signer for Shared {
    fn announce(&mut self, statement: &Statement) -> Arc<Announcement> {
        Arc::new(Announcement::sign(&self.identity, &mesh_key("test"), statement))
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Arc<Announcement>, Unsound> {
        let verify = || Announcement::verify(bytes, &mesh_key("test")).map(Arc::new);
        self.archive.lock().unwrap().entry(bytes.to_vec()).or_insert_with(verify).clone()
    }

    fn force_leave(&mut self, removal: &Removal) -> Arc<ForceLeave> {
        Arc::new(ForceLeave::sign(&self.identity, &mesh_key("test"), removal))
    }

    fn read_force_leave(&mut self, bytes: &[u8]) -> Result<Arc<ForceLeave>, Unsound> {
        ForceLeave::verify(bytes, &mesh_key("test")).map(Arc::new)
    }

    fn accuse(&mut self, accusation: &Accusation) -> Accusation {
        accusation.sign(&self.identity, &mesh_key("test"))
    }

    fn is_accused(&mut self, accusation: &Accusation, key: &PublicKey) -> bool {
        accusation.is_signed(key, &mesh_key("test"))
    }

    fn is_equivocation(&mut self, proof: &Proof, key: &PublicKey) -> bool {
        proof.holds(&MeshKeys::derive("test"), key)
    }
}

pub(crate) struct Node {
    pub(crate) control: Control,
    pub(crate) address: SocketAddr,
    pub(crate) id: NodeId,
    pub(crate) incarnation: Incarnation,
    pub(crate) dead: bool,
    /// Control frames and wakes before this time wait.
    stopped_until: u64,
    seq: u64,
    /// What was last said of each member.
    pub(crate) said: BTreeMap<NodeId, PeerState>,
    pub(crate) conflicts: Vec<NodeId>,
    pub(crate) superseded: Vec<(Incarnation, Option<SocketAddr>)>,
    pub(crate) lost: Vec<(Run, NodeId)>,
    /// What each member may write.
    pub(crate) runs: BTreeMap<NodeId, Vec<Run>>,
    pub(crate) alone: bool,
    /// The incarnations that it was told of, of before its start.
    pub(crate) outlived: Vec<Incarnation>,
    /// How far its wall clock is behind.
    pub(crate) behind: u64,
    pub(crate) bytes: u64,
    pub(crate) control_frames: u64,
    pub(crate) group: u32,
    pub(crate) suspicions: u64,
    /// Updates that are here, by origin and number, and when they came.
    pub(crate) held: BTreeMap<(usize, u64), u64>,
    /// Copies of updates that came, further ones included.
    pub(crate) copies: u64,
    /// What it may do, by its own reckoning.
    pub(crate) rights: Rights,
    /// Decisions of the mesh's authority that it took.
    pub(crate) decided: u64,
}

enum Event {
    Wake(usize),
    ControlFrame { to: usize, packet: PacketInfo, control_frame: Box<ControlFrame> },
    Update { to: usize, from: SocketAddr, update: (usize, u64) },
}

/// Bytes of an update.
pub(crate) const UPDATE: u64 = 200;

pub(crate) struct Mesh {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now: u64,
    pub(crate) loss_permille: u32,
    pub(crate) delay: u64,
    /// From whom nothing arrives where.
    pub(crate) cuts: BTreeSet<(usize, usize)>,
    pub(crate) settings: MembershipSettings,
    pub(crate) largest: usize,
    /// Nodes take them by turns.
    pub(crate) regions: u16,
    /// Whether an update of somebody whom the receiver does not know is refused, as the data plane does.
    pub(crate) refuse_strangers: bool,
    /// Whether nodes that start from now on are ephemeral.
    pub(crate) ephemeral: bool,
    /// Who may be a member, to nodes that start from now on; and their credentials, by key.
    pub(crate) admission: Admission,
    pub(crate) credentials: Vec<Arc<Credential>>,
    /// Every control frame that was sent, when they are being recorded.
    pub(crate) record: Option<Vec<(usize, PacketInfo, ControlFrame)>>,
    archive: Archive,
    random: Random,
    seed: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: HashMap<u64, Event>,
    order: u64,
}

pub(crate) fn address(i: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, (i >> 8) as u8, i as u8), 7700))
}

pub(crate) fn identity(i: usize) -> Identity {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(i as u64).to_le_bytes());
    Identity::from_seed(&seed)
}

impl Mesh {
    /// Nobody yet.
    pub(crate) fn new(seed: u64) -> Self {
        println!("mesh of seed {seed}");
        Self {
            nodes: Vec::new(),
            now: 10 * S,
            loss_permille: 0,
            delay: 200,
            cuts: BTreeSet::new(),
            settings: MembershipSettings::default(),
            largest: 0,
            regions: 1,
            refuse_strangers: false,
            ephemeral: false,
            admission: Admission::default(),
            credentials: Vec::new(),
            record: None,
            archive: Archive::default(),
            random: Random::new(seed),
            seed,
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            order: 0,
        }
    }

    /// `n` nodes that begin at once, all but the first with the first as their seed.
    pub(crate) fn of(n: usize, seed: u64) -> Self {
        let mut mesh = Self::new(seed);
        mesh.add_many(n);
        mesh
    }

    pub(crate) fn add_many(&mut self, n: usize) {
        (0..n).for_each(|_| {
            self.add(&[]);
        });
    }

    /// One more node, which knows the first.
    pub(crate) fn add(&mut self, runs: &[Run]) -> usize {
        let i = self.nodes.len();
        let node = self.born(i, address(i), Incarnation(1), runs, 0);
        self.nodes.push(node);
        self.after(i);
        i
    }

    fn born(
        &mut self,
        key: usize,
        address_of: SocketAddr,
        incarnation: Incarnation,
        runs: &[Run],
        behind: u64,
    ) -> Node {
        let identity = identity(key);
        let id = identity.id();
        let seeds = match (self.nodes.is_empty(), key) {
            (true, _) => Vec::new(),
            (false, 0) => vec![address(1)],
            (false, _) => vec![address(0)],
        };
        let membership = MembershipSettings { seeds, ..self.settings.clone() };
        let settings = Config { membership, ..Config::default() }.check().expect("the settings hold");
        let init = NodeInit {
            mesh: mesh_key("test"),
            now: self.now,
            wall: Wall(WALL + self.now - behind),
            id,
            incarnation,
            region: Region((key % usize::from(self.regions)) as u16),
            capabilities: if self.ephemeral { EPHEMERAL } else { 0 },
            addresses: vec![address_of],
            runs: runs.to_vec(),
            seed: self.random.u64(),
            secret: [key as u8; 32],
            admission: self.admission.clone(),
            credential: self.credentials.get(key).cloned(),
        };
        let signer = Shared { identity, archive: self.archive.clone() };
        Node {
            control: Control::new(settings, init, Box::new(signer)),
            address: address_of,
            id,
            incarnation,
            dead: false,
            stopped_until: 0,
            seq: 0,
            said: BTreeMap::new(),
            conflicts: Vec::new(),
            superseded: Vec::new(),
            lost: Vec::new(),
            runs: BTreeMap::new(),
            alone: false,
            outlived: Vec::new(),
            behind: 0,
            bytes: 0,
            control_frames: 0,
            group: 0,
            suspicions: 0,
            held: BTreeMap::new(),
            copies: 0,
            rights: Rights::Full,
            decided: 0,
        }
    }

    /// A second process with the key of node `of`, at an address of its own.
    pub(crate) fn double(&mut self, of: usize, incarnation: u32) -> usize {
        let i = self.nodes.len();
        let node = self.born(of, address(i), Incarnation(incarnation), &[], 0);
        self.nodes.push(node);
        self.after(i);
        i
    }

    pub(crate) fn kill(&mut self, i: usize) {
        self.nodes[i].dead = true;
    }

    /// Starts a dead node again, in its next incarnation, knowing nothing but the first node (and the first, the second).
    pub(crate) fn restart(&mut self, i: usize) {
        let incarnation = Incarnation(self.nodes[i].incarnation.0 + 1);
        let node = self.born(i, self.nodes[i].address, incarnation, &[], 0);
        self.nodes[i] = node;
        self.after(i);
    }

    /// Starts a dead node again from a copy of long ago: as an incarnation that is over, its wall clock so far behind. It hears
    /// what the others remember before it counts on itself.
    pub(crate) fn restore(&mut self, i: usize, incarnation: u32, behind: u64) {
        let address = self.nodes[i].address;
        self.nodes[i] = Node { behind, ..self.born(i, address, Incarnation(incarnation), &[], behind) };
        self.nodes[i].control.hear_first();
        self.after(i);
    }

    pub(crate) fn stop(&mut self, i: usize, micros: u64) {
        self.nodes[i].stopped_until = self.now + micros;
    }

    /// Calls a node's control plane, and does what it wants.
    pub(crate) fn call<T>(&mut self, i: usize, f: impl FnOnce(&mut Control, u64) -> T) -> T {
        let now = self.now;
        let out = f(&mut self.nodes[i].control, now);
        self.after(i);
        out
    }

    fn push(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order)));
        self.events.insert(self.order, event);
    }

    fn after(&mut self, i: usize) {
        while let Some(output) = self.nodes[i].control.poll() {
            self.intend(i, output);
        }
        let due = self.nodes[i].control.next_due();
        if due != u64::MAX {
            self.push(due.max(self.now), Event::Wake(i));
        }
    }

    fn intend(&mut self, i: usize, output: Output) {
        let node = &mut self.nodes[i];
        match output {
            Output::Send { to, control_frame } => self.send(i, to, control_frame),
            Output::Member { announcement, state, runs, .. } => {
                node.runs.insert(announcement.id(), runs);
                let before = node.said.insert(announcement.id(), state);
                node.suspicions +=
                    u64::from(state == PeerState::Suspected && before != Some(PeerState::Suspected));
            }
            Output::Forgotten(id) => {
                node.said.remove(&id);
            }
            Output::Conflict { id, .. } => node.conflicts.push(id),
            Output::Superseded { incarnation, at } => node.superseded.push((incarnation, at)),
            Output::SlotsLost { run, to } => node.lost.push((run, to)),
            Output::Alone => node.alone = true,
            Output::Outlived(incarnation) => node.outlived.push(incarnation),
            Output::Rights(rights) => node.rights = rights,
            Output::Decided(_) => node.decided += 1,
            Output::Convicted(_)
            | Output::AuthorityContradicts(_)
            | Output::Partition(_)
            | Output::Deliver { .. } => {}
            Output::Forward { frame_ref, to } => {
                self.forward(i, (frame_ref.0 as usize >> 32, frame_ref.0 & 0xFFFF_FFFF), to)
            }
        }
    }

    /// Node `i` issues its update of this number.
    pub(crate) fn issue(&mut self, i: usize, number: u64) {
        self.handle_update(i, None, (i, number));
    }

    /// The same of one that cannot wait, and concerns a member.
    pub(crate) fn issue_critical(&mut self, i: usize, number: u64, to: NodeId) {
        let now = self.now;
        let node = &mut self.nodes[i];
        node.held.insert((i, number), now);
        let (origin, frame_ref) = (node.id, FrameRef((i as u64) << 32 | number));
        let incarnation = Incarnation(1);
        let update =
            UpdateInfo { origin, incarnation, seq: Seq(number), frame_ref, from: None, critical: true };
        let id = node.control.handle_update(now, &update);
        assert!(node.control.send_update(now, id, to));
        self.after(i);
    }

    fn handle_update(&mut self, i: usize, from: Option<SocketAddr>, (of, number): (usize, u64)) {
        let (now, origin) = (self.now, self.nodes[of].id);
        let node = &mut self.nodes[i];
        node.copies += u64::from(from.is_some());
        if self.refuse_strangers && node.control.members().find(origin).is_none() {
            return;
        }
        let frame_ref = FrameRef((of as u64) << 32 | number);
        let incarnation = Incarnation(1);
        let update = UpdateInfo { origin, incarnation, seq: Seq(number), frame_ref, from, critical: false };
        match node.held.entry((of, number)) {
            Entry::Occupied(_) => node.control.handle_duplicate(now, &update),
            Entry::Vacant(vacant) => {
                vacant.insert(now);
                node.control.handle_update(now, &update);
            }
        }
        self.after(i);
    }

    fn forward(&mut self, i: usize, update: (usize, u64), to: SocketAddr) {
        let node = &mut self.nodes[i];
        node.bytes += UPDATE;
        let (now, group, from) = (self.now, node.group, node.address);
        let Some(to) = self.nodes.iter().position(|node| node.address == to) else { return };
        if self.nodes[to].group != group
            || self.cuts.contains(&(i, to))
            || self.random.permille(self.loss_permille)
        {
            return;
        }
        let at = now + self.delay / 2 + self.random.below(self.delay);
        self.push(at, Event::Update { to, from, update });
    }

    /// How many nodes that are there have an update.
    pub(crate) fn holders(&self, of: usize, number: u64) -> usize {
        self.nodes.iter().filter(|node| !node.dead && node.held.contains_key(&(of, number))).count()
    }

    /// That of the next control frame of node `i`.
    pub(crate) fn packet(&mut self, i: usize) -> PacketInfo {
        let now = self.now;
        let node = &mut self.nodes[i];
        node.seq += 1;
        PacketInfo {
            from: node.address,
            to: None,
            origin: node.id,
            incarnation: node.incarnation,
            seq: Seq(node.seq),
            version: Version::new(WALL + now - node.behind, node.id),
        }
    }

    fn send(&mut self, i: usize, to: SocketAddr, control_frame: Box<ControlFrame>) {
        let packet = PacketInfo { to: control_frame.recipient(), ..self.packet(i) };
        self.largest = self.largest.max(control_frame.padded().len());
        let node = &mut self.nodes[i];
        node.control_frames += 1;
        node.bytes += HEADER + control_frame.padded().len() as u64;
        let (now, group) = (self.now, node.group);
        let Some(to) = self.nodes.iter().position(|node| node.address == to) else { return };
        if let Some(record) = &mut self.record {
            record.push((to, packet, (*control_frame).clone()));
        }
        if self.nodes[to].group != group
            || self.cuts.contains(&(i, to))
            || self.random.permille(self.loss_permille)
        {
            return;
        }
        let at = now + self.delay / 2 + self.random.below(self.delay);
        self.push(at, Event::ControlFrame { to, packet, control_frame });
    }

    /// Lets a control frame arrive, whoever wrote it; if it names no recipient, as one that names this node.
    pub(crate) fn deliver(&mut self, to: usize, packet: &PacketInfo, control_frame: &ControlFrame) {
        let named = packet.to.or(Some(self.nodes[to].id));
        self.arrive(to, &PacketInfo { to: named, ..*packet }, control_frame);
    }

    /// Lets a control frame arrive as it is.
    pub(crate) fn arrive(&mut self, to: usize, packet: &PacketInfo, control_frame: &ControlFrame) {
        let (now, control) = (self.now, &mut self.nodes[to].control);
        let messages = control_frame.messages();
        if let Ok(announcement) = control.introduce(now, packet.from, packet.origin, messages.clone()) {
            let _ = control.handle_introduced(now, packet, announcement, messages);
        }
        self.after(to);
    }

    pub(crate) fn run_until(&mut self, until: u64) {
        while let Some(Reverse((at, order))) = self.queue.peek().copied() {
            if at > until {
                break;
            }
            self.queue.pop();
            self.now = self.now.max(at);
            let event = self.events.remove(&order).unwrap();
            let i = match &event {
                Event::Wake(i) | Event::ControlFrame { to: i, .. } | Event::Update { to: i, .. } => *i,
            };
            let node = &mut self.nodes[i];
            if node.dead {
                continue;
            }
            if node.stopped_until > self.now {
                let at = node.stopped_until;
                self.push(at, event);
                continue;
            }
            match event {
                Event::Wake(i) => {
                    if node.control.next_due() <= self.now {
                        node.control.tick(self.now);
                        self.after(i);
                    }
                }
                Event::ControlFrame { to, packet, control_frame } => self.arrive(to, &packet, &control_frame),
                Event::Update { to, from, update } => self.handle_update(to, Some(from), update),
            }
        }
        self.now = self.now.max(until);
    }

    pub(crate) fn run(&mut self, micros: u64) {
        self.run_until(self.now + micros);
    }

    /// Runs until something holds, looked at every 10 ms; says how long it took.
    pub(crate) fn run_to(&mut self, at_most: u64, holds: impl Fn(&Self) -> bool) -> u64 {
        let start = self.now;
        while !holds(self) {
            assert!(self.now < start + at_most, "not within {} ms, seed {}", at_most / MS, self.seed);
            self.run(10 * MS);
        }
        self.now - start
    }

    /// Members that node `i` believes live, itself included.
    pub(crate) fn live(&self, i: usize) -> usize {
        self.nodes[i].control.members().live().len() + 1
    }

    pub(crate) fn state(&self, i: usize, of: usize) -> Option<PeerState> {
        let members = self.nodes[i].control.members();
        members.find(self.nodes[of].id).map(|place| members.get(place).state())
    }

    /// How many beliefs there are, of any node about any other that is there, that it is in `state`.
    pub(crate) fn believed(&self, state: PeerState) -> usize {
        let there = |i: &usize| !self.nodes[*i].dead;
        let believers = (0..self.nodes.len()).filter(there);
        believers
            .map(|i| (0..self.nodes.len()).filter(|j| there(j) && self.state(i, *j) == Some(state)).count())
            .sum()
    }

    /// Whether every node that is there believes exactly those that are there live.
    pub(crate) fn agrees(&self) -> bool {
        let there = self.nodes.iter().filter(|node| !node.dead).count();
        let all = (0..self.nodes.len()).filter(|i| !self.nodes[*i].dead);
        let digests: Vec<u32> = all.clone().map(|i| self.nodes[i].control.members().digest()).collect();
        all.clone().all(|i| self.live(i) == there) && digests.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Whether everybody who is there believes `of` to be gone.
    pub(crate) fn all_miss(&self, of: usize) -> bool {
        let there = |i: &usize| !self.nodes[*i].dead && *i != of;
        (0..self.nodes.len()).filter(there).all(|i| self.state(i, of).is_none_or(|state| !state.is_live()))
    }

    pub(crate) fn partition(&self, i: usize) -> Partition {
        self.nodes[i].control.partition()
    }

    /// Bytes a second and node without signatures, and of signatures, over a time of rest.
    pub(crate) fn traffic(&mut self, micros: u64) -> (f64, f64) {
        self.nodes.iter_mut().for_each(|node| (node.bytes, node.control_frames) = (0, 0));
        self.run(micros);
        let n = self.nodes.iter().filter(|node| !node.dead).count() as f64 * micros as f64 / S as f64;
        let bytes: u64 = self.nodes.iter().map(|node| node.bytes).sum();
        let control_frames: u64 = self.nodes.iter().map(|node| node.control_frames).sum();
        (bytes as f64 / n, (control_frames * SIGNATURE) as f64 / n)
    }
}
