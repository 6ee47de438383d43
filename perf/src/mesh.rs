//! A mesh without sockets: the very `Ingress`, `Engine` and control plane of nodes, over a queue of packets and a clock of its own.
//!
//! In go writes and time, out come packets that each node takes one by one, as fast as they are sent; none is lost. What
//! can never happen: two runs that differ.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};

use octick_bench::load::{EPOCH_MICROS, LIFE};
use octick_core::admission::Admission;
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::{Config, Control, NodeInit, Region, Signed};
use octick_core::counters::Counters;
use octick_core::crypto::{Identity, MeshKeys};
use octick_core::data::accept::Terms;
use octick_core::data::{Directory, Ingress, Run, Sender, Update};
use octick_core::engine::{Engine, Parts};
use octick_core::limits::{FRAME_MAX, RUN_ALIGN};
use octick_core::stamp::Slot;
use octick_core::state::{Layout, Regions, State};
use octick_core::table::Kernel;
use octick_core::time::Wall;
use octick_core::wire::Frame;

use crate::pipeline::MESH;
use crate::ticks;

/// Between two turns of all nodes, microseconds.
const STEP: u64 = 5_000;
/// Updates that a node knows at once: few, so that as many have come soon.
const UPDATES: usize = 1 << 10;
/// Bytes of frames that a node keeps.
const FRAME_CACHE: usize = 1 << 20;

/// Nodes that find each other through the first of them.
pub(crate) struct Mesh {
    nodes: Vec<Node>,
    packets: VecDeque<Packet>,
    now: u64,
    turn: u64,
}

struct Node {
    address: SocketAddr,
    ingress: Ingress,
    engine: Engine,
}

/// A frame on its way.
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    len: usize,
    bytes: [u8; FRAME_MAX],
}

impl Mesh {
    /// `count` nodes that have not heard of each other.
    pub(crate) fn new(count: usize) -> Self {
        let layout = Layout { slots: count as u32 * RUN_ALIGN, cells8: true, cells4: false, rows: true };
        let nodes = (0..count).map(|i| Node::new(i, layout)).collect();
        Self { nodes, packets: VecDeque::new(), now: 0, turn: 0 }
    }

    /// Whether every node knows all others.
    pub(crate) fn is_met(&self) -> bool {
        let others = self.nodes.len() - 1;
        self.nodes.iter().all(|node| {
            node.engine
                .control()
                .is_some_and(|control| control.members().live().len() == others && control.is_settled())
        })
    }

    /// Lets so many microseconds pass, in which one node after the other writes; returns how many updates were taken in.
    pub(crate) fn run(&mut self, micros: u64) -> u64 {
        let (until, mut fresh) = (self.now + micros, 0);
        while self.now < until {
            self.now += STEP;
            self.turn += 1;
            let writer = self.turn as usize % self.nodes.len();
            self.nodes[writer].write(self.turn);
            for node in &mut self.nodes {
                node.turn(self.now, &mut self.packets);
            }
            while let Some(packet) = self.packets.pop_front() {
                if let Some(node) = self.nodes.iter_mut().find(|node| node.address == packet.to) {
                    fresh += node.take(self.now, &packet);
                    node.send(self.now, &mut self.packets);
                }
            }
        }
        fresh
    }
}

impl Node {
    fn new(i: usize, layout: Layout) -> Self {
        let identity = || Identity::from_seed(&[i as u8 + 1; 32]);
        let run = Run { first: Slot(i as u32 * RUN_ALIGN), len: RUN_ALIGN };
        let mut config = Config::default();
        config.membership.seeds.extend((i > 0).then(|| address(0)));
        (config.spread.updates_max, config.spread.missing_max) = (UPDATES, UPDATES);
        let settings = config.check().expect("the settings hold together");
        let init = NodeInit {
            mesh: mesh_key(MESH),
            now: 0,
            wall: Wall(EPOCH_MICROS),
            id: identity().id(),
            incarnation: LIFE,
            region: Region(0),
            capabilities: 0,
            addresses: vec![address(i)],
            runs: vec![run],
            seed: i as u64,
            secret: [i as u8; 32],
            admission: Admission::default(),
            credential: None,
        };
        let control = Control::new(settings, init, Box::new(Signed::new(identity(), MESH, None)));
        let directory = Directory::new(Vec::new(), [5, 6]).expect("nobody contradicts nobody");
        let regions = Regions::take(&layout, octick::memory::huge_region).expect("memory for a table");
        let (keys, counters) = (MeshKeys::derive(MESH), Counters::default());
        let engine = Engine::new(Parts {
            identity: identity(),
            keys: keys.clone(),
            incarnation: LIFE,
            directory: directory.clone(),
            origins_max: 64,
            runs: vec![run],
            state: State::new(layout, regions, Kernel::detect(), EPOCH_MICROS),
            changes: 1 << 10,
            counters: counters.clone(),
            ticks: ticks::now,
        });
        let engine = engine.with_control(control, FRAME_CACHE);
        let terms = Terms { layout, skew_micros_max: STEP };
        let ingress = Ingress::new(directory, engine.windows(), terms, keys, counters, ticks::now)
            .for_node(identity().id());
        Self { address: address(i), ingress, engine }
    }

    fn write(&mut self, value: u64) {
        let own = self.engine.members().and_then(|members| members.iter().next());
        let own = own.and_then(|(_, me)| me.announcement().statement().claims.first());
        let slot = own.expect("each node has a run").run.first;
        for update in [Update::Cell8(slot, value), Update::Row(slot, value)] {
            self.engine.write(update).expect("its own cell");
        }
    }

    /// What a node does that nobody caused.
    fn turn(&mut self, now: u64, packets: &mut VecDeque<Packet>) {
        if now >= self.engine.next_due() {
            self.engine.tick(now);
        }
        while self.engine.flush(EPOCH_MICROS + now).is_some() {
            self.engine.pass_own_on(now);
        }
        self.send(now, packets);
    }

    /// What a node does with a frame; returns how many updates it took in, one or none.
    fn take(&mut self, now: u64, packet: &Packet) -> u64 {
        let (bytes, from) = (&packet.bytes[..packet.len], packet.from);
        let batch = self.ingress.check(&[bytes], &[Sender(0)], EPOCH_MICROS + now);
        if batch.strangers != 0 {
            self.engine.handle_stranger(now, from, &Frame::reopen(bytes));
        }
        if batch.repeats != 0 {
            self.engine.handle_duplicate(now, from, bytes);
        }
        let absorbed = self.engine.absorb(&batch);
        if absorbed.fresh != 0 {
            self.engine.pass_on(now, from, bytes);
        }
        if let Some(checked) = batch.get(0).filter(|_| absorbed.control_frames != 0) {
            self.engine.handle_control_frame(now, from, &checked.frame);
        }
        absorbed.fresh
    }

    /// Sends what is to be sent, and learns who is there.
    fn send(&mut self, now: u64, packets: &mut VecDeque<Packet>) {
        let from = self.address;
        let mut send = |frame: &[u8], to: SocketAddr| {
            let mut packet = Packet { from, to, len: frame.len(), bytes: [0; FRAME_MAX] };
            packet.bytes[..frame.len()].copy_from_slice(frame);
            packets.push_back(packet);
        };
        self.engine
            .forward(|frames, to| to.iter().for_each(|to| frames.iter().for_each(|frame| send(frame, *to))));
        while let Some((to, frame)) = self.engine.next_control_frame(EPOCH_MICROS + now) {
            send(frame, to);
        }
        if self.engine.settle_members().is_some() {
            self.ingress.set_directory(self.engine.directory().clone());
        }
        while self.engine.next_event().is_some() {}
    }
}

fn address(i: usize) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, i as u8), 7_700).into()
}
