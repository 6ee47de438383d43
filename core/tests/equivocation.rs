//! Who says two things under one number is found out, proven, and refused by everybody; and nobody else is.

mod nodes;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{Ipv4Addr, SocketAddr};

use octick_core::Reject;
use octick_core::admission::Admission;
use octick_core::control::message::announcement::mesh_key;
use octick_core::control::message::equivocation::Proof;
use octick_core::control::{Config, Control, MembershipSettings, NodeInit, Region as At, Signed};
use octick_core::counters::Counters;
use octick_core::crypto::{Identity, MeshKeys, NodeId};
use octick_core::data::accept::Terms;
use octick_core::data::batch::bits;
use octick_core::data::{Directory, Ingress, Run, Sender, Update};
use octick_core::engine::{Engine, MeshEvent, Parts};
use octick_core::stamp::{Incarnation, Seq, Slot, Version};
use octick_core::state::{Layout, Regions, State, TableKind};
use octick_core::table::{Kernel, NoSink, Region};
use octick_core::time::Wall;
use octick_core::wire::{Block8, Frame, Kind, Sealer, Stamp};

const MS: u64 = 1_000;
const S: u64 = 1_000_000;
const WALL: u64 = nodes::NOW;
const MESH: &str = "test";

fn identity(i: usize) -> Identity {
    let mut seed = [9; 32];
    seed[..8].copy_from_slice(&(i as u64).to_le_bytes());
    Identity::from_seed(&seed)
}

fn address(i: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, (i >> 8) as u8, i as u8), 7700))
}

fn run(i: usize) -> Run {
    Run { first: Slot(16 * i as u32), len: 16 }
}

/// A whole node, without sockets.
struct Peer {
    engine: Engine,
    ingress: Ingress,
    counters: Counters,
    convicted: Vec<(NodeId, u64)>,
}

enum Event {
    Wake(usize),
    Datagram(usize, SocketAddr, Vec<u8>),
}

/// Whole nodes on links of 0.2 ms, one clock.
struct Net {
    peers: Vec<Peer>,
    now: u64,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
}

impl Net {
    fn new(n: usize) -> Self {
        let peers = (0..n).map(|i| Self::peer(i, n)).collect();
        let mut net =
            Self { peers, now: 10 * S, order: 0, queue: BinaryHeap::new(), events: BTreeMap::new() };
        (0..n).for_each(|i| net.settle(i));
        net
    }

    fn peer(i: usize, n: usize) -> Peer {
        let layout = Layout { slots: 16 * n as u32, cells8: true, cells4: true, rows: true };
        let (id, keys, counters) = (identity(i).id(), MeshKeys::derive(MESH), Counters::default());
        let seeds = if i == 0 { vec![address(1)] } else { vec![address(0)] };
        let membership = MembershipSettings { seeds, ..MembershipSettings::default() };
        let settings = Config { membership, ..Config::default() }.check().unwrap();
        let init = NodeInit {
            mesh: mesh_key(MESH),
            now: 10 * S,
            wall: Wall(WALL + 10 * S),
            id,
            incarnation: Incarnation(1),
            region: At(0),
            capabilities: 0,
            addresses: vec![address(i)],
            runs: vec![run(i)],
            seed: 77 + i as u64,
            secret: [i as u8; 32],
            admission: Admission::default(),
            credential: None,
        };
        let control = Control::new(settings, init, Box::new(Signed::new(identity(i), MESH, None)));
        let directory = Directory::new(Vec::new(), [3, 5]).unwrap();
        let regions = Regions::take(&layout, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
        let engine = Engine::new(Parts {
            identity: identity(i),
            keys: keys.clone(),
            incarnation: Incarnation(1),
            directory: directory.clone(),
            origins_max: 256,
            runs: vec![run(i)],
            state: State::new(layout, regions, Kernel::detect(), WALL),
            changes: 64,
            counters: counters.clone(),
            ticks: nodes::no_ticks,
        });
        let terms = Terms { layout, skew_micros_max: nodes::SKEW };
        let ingress =
            Ingress::new(directory, engine.windows(), terms, keys, counters.clone(), nodes::no_ticks);
        let engine = engine.with_control(control, 1 << 16);
        Peer { engine, ingress: ingress.for_node(id), counters, convicted: Vec::new() }
    }

    fn push(&mut self, at: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order)));
        self.events.insert(self.order, event);
    }

    fn send(&mut self, from: usize, to: SocketAddr, bytes: &[u8]) {
        let SocketAddr::V4(v4) = to else { return };
        let [.., high, low] = v4.ip().octets();
        let to = usize::from(high) << 8 | usize::from(low);
        self.push(self.now + 200, Event::Datagram(to, address(from), bytes.to_vec()));
    }

    /// Does what an embedder does after every call.
    fn settle(&mut self, i: usize) {
        let wall = WALL + self.now;
        let (mut sent, now) = (Vec::new(), self.now);
        let peer = &mut self.peers[i];
        while let Some((to, bytes)) = peer.engine.next_control_frame(wall) {
            sent.push((to, bytes.to_vec()));
        }
        peer.engine.forward(|frames, to| {
            to.iter().for_each(|to| sent.extend(frames.iter().map(|frame| (*to, frame.to_vec()))));
        });
        if peer.engine.settle_members().is_some() {
            peer.ingress.set_directory(peer.engine.directory().clone());
        }
        while let Some(event) = peer.engine.next_event() {
            if let MeshEvent::Convicted(proof) = event {
                peer.convicted.push((proof.origin(), now));
            }
        }
        let due = peer.engine.next_due();
        sent.into_iter().for_each(|(to, bytes)| self.send(i, to, &bytes));
        if due != u64::MAX {
            self.push(due.max(self.now + 1), Event::Wake(i));
        }
    }

    fn datagram(&mut self, i: usize, from: SocketAddr, bytes: &[u8]) {
        let (now, peer) = (self.now, &mut self.peers[i]);
        let batch = peer.ingress.check(&[bytes], &[Sender(0)], WALL + now);
        for _ in bits(batch.strangers) {
            peer.engine.handle_stranger(now, from, &Frame::reopen(bytes));
        }
        for _ in bits(batch.repeats) {
            peer.engine.handle_duplicate(now, from, bytes);
        }
        let absorbed = peer.engine.absorb(&batch);
        for _ in bits(absorbed.fresh) {
            peer.engine.pass_on(now, from, bytes);
        }
        for _ in bits(absorbed.repeats) {
            peer.engine.handle_duplicate(now, from, bytes);
        }
        for i in bits(absorbed.control_frames) {
            peer.engine.handle_control_frame(now, from, &batch.get(i).unwrap().frame);
        }
        self.settle(i);
    }

    fn run(&mut self, micros: u64) {
        let until = self.now + micros;
        while let Some(Reverse((at, order))) =
            self.queue.peek().copied().filter(|Reverse((at, _))| *at <= until)
        {
            self.queue.pop();
            self.now = self.now.max(at);
            match self.events.remove(&order).unwrap() {
                Event::Wake(i) if self.peers[i].engine.next_due() <= self.now => {
                    self.peers[i].engine.tick(self.now);
                    self.settle(i);
                }
                Event::Wake(_) => {}
                Event::Datagram(to, from, bytes) => self.datagram(to, from, &bytes),
            }
        }
        self.now = until;
    }

    fn run_to(&mut self, at_most: u64, mut holds: impl FnMut(&mut Self) -> bool) -> u64 {
        let start = self.now;
        while !holds(self) {
            assert!(self.now < start + at_most, "not within {} ms", at_most / MS);
            self.run(5 * MS);
        }
        self.now - start
    }

    fn write(&mut self, i: usize, value: u64) {
        let (now, peer) = (self.now, &mut self.peers[i]);
        peer.engine.write(Update::Cell8(run(i).first, value)).unwrap();
        peer.engine.write(Update::Row(run(i).first, value)).unwrap();
        assert!(peer.engine.flush(WALL + now).is_some());
        peer.engine.pass_own_on(now);
        self.settle(i);
    }

    fn is_refused(&self, at: usize, origin: usize) -> bool {
        let directory = self.peers[at].engine.directory();
        directory.find(&identity(origin).id()).is_some_and(|index| directory.is_revoked(index))
    }

    fn cell(&self, at: usize, of: usize) -> Option<u64> {
        self.peers[at].engine.state().reader().cell8(run(of).first).map(|cell| cell.value)
    }
}

/// A frame of node `i`, of this number, that says this of its first cell.
fn frame(i: usize, seq: u64, value: u64, micros: u64) -> Vec<u8> {
    let identity = identity(i);
    let mut sealer = Sealer::new();
    sealer.frame(Kind::Block8, |draft| draft.block8(&Block8::new(2 * i as u32, 1, 0, [value; 8])).unwrap());
    let version = Version::new(micros, identity.id());
    let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(seq), version };
    sealer.seal(&identity, &MeshKeys::derive(MESH), &stamp);
    sealer.frames().next().unwrap().to_vec()
}

#[test]
fn a_hundred_nodes_refuse_an_equivocator_and_have_equal_tables_within_two_seconds() {
    let (n, liar) = (100, 7);
    let mut net = Net::new(n);
    let everybody =
        |net: &mut Net| net.peers.iter().all(|peer| peer.engine.members().unwrap().live().len() == n - 1);
    net.run_to(10 * S, everybody);
    net.run(3 * S);
    (0..n).for_each(|i| net.write(i, 1));
    net.run_to(5 * S, |net| (0..n).all(|i| (0..n).all(|of| net.cell(i, of) == Some(1))));
    // To one half it says one thing, and to the other half another, and as much again under the next number.
    let start = net.now;
    for seq in [10, 11] {
        let said = [frame(liar, seq, 100 + seq, WALL + net.now), frame(liar, seq, 200 + seq, WALL + net.now)];
        for to in (0..n).filter(|to| *to != liar) {
            net.send(liar, address(to), &said[to % 2]);
        }
    }
    let honest: Vec<usize> = (0..n).filter(|i| *i != liar).collect();
    let refused = net.run_to(2 * S, |net| honest.iter().all(|i| net.is_refused(*i, liar)));
    let equal = |net: &mut Net| {
        let digests: Vec<_> = honest.iter().map(|i| net.peers[*i].engine.digest()).collect();
        digests.windows(2).all(|pair| pair[0] == pair[1])
    };
    net.run_to(2 * S, equal);
    let took = net.now - start;
    println!("refused everywhere after {} ms, tables equal after {} ms", refused / MS, took / MS);
    assert!(took <= 2 * S);
    assert!(honest.iter().all(|i| net.cell(*i, liar).is_none()), "what it said is nobody's word");
    assert!(honest.iter().all(|i| net.cell(*i, 8) == Some(1)), "others' cells are as they were");
    for i in &honest {
        assert_eq!(net.peers[*i].convicted.len(), 1, "told once to whoever watches node {i}");
        assert!(net.peers[*i].engine.control().unwrap().proofs().of(identity(liar).id()).is_some());
    }
    // Nothing that it says later counts, and nobody else is touched.
    let later = frame(liar, 12, 9, WALL + net.now);
    net.send(liar, address(0), &later);
    net.write(8, 2);
    net.run(S);
    assert!(honest.iter().all(|i| net.cell(*i, 8) == Some(2) && net.cell(*i, liar).is_none()));
    assert!(net.peers[0].counters.snapshot().rejects().any(|(reject, _)| reject == Reject::RevokedOrigin));
    let convicted = |net: &Net, i: usize| net.peers[i].engine.control().unwrap().proofs().iter().count();
    assert!(honest.iter().all(|i| convicted(&net, *i) == 1));
}

#[test]
fn forged_and_repeated_copies_convict_nobody() {
    let n = 4;
    let mut net = Net::new(n);
    net.run_to(10 * S, |net| {
        net.peers.iter().all(|peer| peer.engine.members().unwrap().live().len() == n - 1)
    });
    net.run(2 * S);
    let (genuine, at) = (frame(1, 10, 5, WALL + net.now), WALL + net.now);
    net.send(1, address(0), &genuine);
    net.run(100 * MS);
    assert_eq!(net.cell(0, 1), Some(5));
    // Another wrote the same number over its own words, and others changed a byte here and there.
    let mut forged = frame(2, 10, 6, at);
    forged[4..20].copy_from_slice(&identity(1).id().0);
    forged[32..40].copy_from_slice(&Version::new(at, identity(1).id()).0.to_le_bytes());
    for from in 0..n {
        net.send(from, address(0), &forged);
        net.send(from, address(0), &genuine);
        for byte in (41..genuine.len()).step_by(5) {
            let mut bent = genuine.clone();
            bent[byte] ^= 1;
            net.send(from, address(0), &bent);
        }
    }
    net.run(S);
    assert!(!net.is_refused(0, 1) && net.cell(0, 1) == Some(5));
    let proof = Proof::of(&genuine, &forged).expect("two frames of one number");
    assert!(net.peers[0].engine.control_mut().unwrap().convict(net.now, proof).is_err(), "and no proof");
    assert!(net.peers.iter().all(|peer| peer.engine.control().unwrap().proofs().iter().next().is_none()));
}

#[test]
fn cleared_cells_are_as_if_nobody_had_written_them() {
    let mut writer = nodes::Node::new(1);
    let frames = writer.publish(&nodes::writes());
    let (mut full, mut empty) = (nodes::Node::new(0), nodes::Node::new(0));
    full.take(&frames);
    let layout = nodes::LAYOUT;
    let regions = Regions::take(&layout, |len| Ok::<_, ()>(Region::heap(len))).unwrap();
    let mut state = State::new(layout, regions, Kernel::detect(), nodes::NOW);
    frames.iter().for_each(|frame| _ = state.merge(&Frame::reopen(frame), &mut NoSink));
    assert_eq!(state.digest(), full.engine.digest());
    // A run beside it takes nothing away.
    TableKind::ALL.into_iter().for_each(|table| state.clear(table, nodes::run(0), &mut NoSink));
    assert_eq!(state.digest(), full.engine.digest());
    TableKind::ALL.into_iter().for_each(|table| state.clear(table, nodes::run(1), &mut NoSink));
    assert_eq!(state.digest(), empty.engine.digest());
    assert!((0..1_024).all(|slot| state.reader().cell8(Slot(slot)).is_none()));
    // And can be written again.
    frames.iter().for_each(|frame| _ = state.merge(&Frame::reopen(frame), &mut NoSink));
    assert_eq!(state.digest(), full.engine.digest());
}
