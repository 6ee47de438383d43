//! Whole engines on simulated nodes: tables, windows, trains and real signatures, over links that lose.
//!
//! The edge that a real node has around its engine is here in short: frames that were fresh go on to a few peers as they
//! came, own trains to as many, and now and then all own cells are sent anew, which repairs what was lost. Agents write
//! numbers that count up, so that any reader can tell which writes it has: cell i of an origin holds the last of its
//! writes whose number is i modulo 8, under the origin's number.

use std::cell::RefCell;
use std::rc::Rc;

use octick_core::control::Random;
use octick_core::counters::{Counter, Counters};
use octick_core::data::accept::Terms;
use octick_core::data::{Directory, Ingress, Origin, Run, Sender, Update};
use octick_core::engine::{Engine, Parts};
use octick_core::reject::Reject;
use octick_core::stamp::{Incarnation, OriginIndex, Seq, Slot, Version};
use octick_core::state::{Layout, Regions, State};
use octick_core::table::{Kernel, Region, Snapshot};
use octick_core::wire::{Block8, Entries, Frame, Kind, Sealer, Stamp};
use octick_crypto::{Identity, MeshKeys};

use crate::role::Role;
use crate::seal::{MESH, identity};
use crate::trace::Mark;
use crate::world::{Actor, Out};
use crate::{S, WALL};

/// Slots of an origin: a run's shortest length. The first eight are written.
const RUN: u32 = 16;
/// Cells that an agent writes, one block.
pub const CELLS: usize = 8;
/// How far ahead of a node's clock a version may lie.
const SKEW_MAX: u64 = 10 * S;

/// How agents and edges behave.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Time between two writes of an agent, microseconds.
    pub write_gap: u64,
    /// When agents stop writing.
    pub write_until: u64,
    /// Time between two refreshes of a node's own cells.
    pub refresh_gap: u64,
    /// Peers that a frame is pushed to.
    pub fanout: usize,
}

/// What was written, and what became of it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// When each origin made each of its writes, first to last.
    pub written_at: Vec<Vec<u64>>,
    /// From a write to its being readable at another node, microseconds.
    pub seen_after: Vec<u32>,
    /// Writes that were overtaken by a later one of the same cell before they came.
    pub overtaken: u64,
    /// Cells that went back to an older version.
    pub went_back: u64,
    /// Cells that hold what their origin never wrote.
    pub unsigned: u64,
    /// Frames refused because their origin had not signed them.
    pub forged: u64,
    /// Frames with cells that came to honest nodes.
    pub copies: u64,
    /// Signed frames with cells that were made.
    pub made: u64,
}

/// What all engines of a run share.
pub struct Common {
    identities: Vec<Rc<Identity>>,
    directory: Directory,
    workload: Workload,
    layout: Layout,
    seed: u64,
    honest: Vec<bool>,
    /// The truth.
    pub ledger: RefCell<Ledger>,
}

impl Common {
    /// Keys and slots of `honest.len()` nodes; those that are not honest may write anything in their own name.
    pub fn new(seed: u64, workload: Workload, honest: Vec<bool>) -> Self {
        let identities: Vec<Rc<Identity>> =
            (0..honest.len() as u32).map(|node| Rc::new(identity(seed, node))).collect();
        let origin = |(node, identity): (usize, &Rc<Identity>)| Origin {
            key: identity.public().clone(),
            runs: vec![run(node as u32)],
            revoked: false,
        };
        let origins = identities.iter().enumerate().map(origin).collect();
        let directory = Directory::new(origins, [seed, !seed]).expect("every node has slots of its own");
        let layout =
            Layout { slots: RUN * identities.len() as u32, cells8: true, cells4: false, rows: false };
        let written_at = vec![Vec::new(); identities.len()];
        let ledger = RefCell::new(Ledger { written_at, ..Ledger::default() });
        Self { identities, directory, workload, layout, seed, honest, ledger }
    }

    /// Whether a node is honest.
    pub fn is_honest(&self, node: u32) -> bool {
        self.honest[node as usize]
    }
}

fn run(node: u32) -> Run {
    Run { first: Slot(RUN * node), len: RUN }
}

/// What an agent writes, and the number of the write in it.
fn value(node: u32, number: u64) -> u64 {
    u64::from(node) << 40 | number
}

fn number_in(value: u64) -> u64 {
    value & ((1 << 40) - 1)
}

/// A node with an engine.
pub struct EngineNode {
    engine: Engine,
    ingress: Ingress,
    counters: Counters,
    common: Rc<Common>,
    node: u32,
    incarnation: u32,
    random: Random,
    born: u64,
    write_at: u64,
    refresh_at: u64,
    /// Makes second truths, where the node is an equivocator.
    other_sealer: Option<Box<Sealer>>,
}

const UNSEEN: Snapshot<u64, CELLS> = Snapshot { versions: [Version::NEVER; CELLS], values: [0; CELLS] };

impl EngineNode {
    /// A node in its first life.
    pub fn new(common: Rc<Common>, node: u32, now: u64) -> Self {
        Self::live(common, node, 1, now)
    }

    fn live(common: Rc<Common>, node: u32, life: u32, now: u64) -> Self {
        let layout = common.layout;
        let heap = |len| Ok::<_, std::convert::Infallible>(Region::heap(len));
        let Ok(regions) = Regions::take(&layout, heap);
        let (keys, counters) = (MeshKeys::derive(MESH), Counters::default());
        let engine = Engine::new(Parts {
            identity: Identity::from_seed(&common.identities[node as usize].seed()),
            keys: keys.clone(),
            incarnation: Incarnation(life),
            directory: common.directory.clone(),
            origins_max: common.directory.len(),
            runs: vec![run(node)],
            state: State::new(layout, regions, Kernel::detect(), WALL + now),
            changes: 64,
            counters: counters.clone(),
            ticks: || 0,
        });
        let terms = Terms { layout, skew_micros_max: SKEW_MAX };
        let directory = common.directory.clone();
        let ingress = Ingress::new(directory, engine.windows(), terms, keys, counters.clone(), || 0);
        let mut random = Random::new(common.seed ^ u64::from(node) << 20 ^ u64::from(life));
        let workload = common.workload;
        Self {
            engine,
            ingress,
            counters,
            node,
            incarnation: life,
            born: now,
            write_at: now + random.below(workload.write_gap),
            refresh_at: now + workload.refresh_gap / 2 + random.below(workload.refresh_gap),
            random,
            other_sealer: None,
            common,
        }
    }

    /// The cells of an origin, as this node has them.
    pub fn cells(&self, origin: u32) -> Snapshot<u64, CELLS> {
        let block = RUN * origin / CELLS as u32;
        self.engine.state().reader().block8(block).unwrap_or(UNSEEN)
    }

    fn write(&mut self, now: u64) {
        let number = {
            let mut ledger = self.common.ledger.borrow_mut();
            let written = &mut ledger.written_at[self.node as usize];
            written.push(now);
            written.len() as u64
        };
        self.write_cell(number);
    }

    /// Writes of one cell are numbered 1, 2, 3 and stand in cells 1, 2, 3 to 7, 0, 1.
    fn write_cell(&mut self, number: u64) {
        let slot = Slot(RUN * self.node + number as u32 % CELLS as u32);
        self.engine
            .write(Update::Cell8(slot, value(self.node, number)))
            .expect("the slot is this node's own");
    }

    fn flush(&mut self, now: u64, out: &mut Out<Rc<[u8]>>) {
        let Some(train) = self.engine.flush(WALL + now) else { return };
        let frames: Vec<Rc<[u8]>> = train.frames().map(Rc::from).collect();
        self.common.ledger.borrow_mut().made += frames.len() as u64;
        frames.into_iter().for_each(|frame| self.push(&frame, u32::MAX, out));
    }

    /// To a few others, but not to whom it came from.
    fn push(&mut self, frame: &Rc<[u8]>, from: u32, out: &mut Out<Rc<[u8]>>) {
        let nodes = self.common.identities.len();
        for peer in self.random.choose(nodes, self.common.workload.fanout + 1) {
            if peer as u32 != self.node && peer as u32 != from {
                out.send.push((peer as u32, frame.clone()));
            }
        }
    }

    /// What changed in the cells of an origin: which writes have come, and whether all is as it must be.
    fn look(&mut self, origin: u32, before: &Snapshot<u64, CELLS>, now: u64, out: &mut Out<Rc<[u8]>>) {
        let cells = self.cells(origin);
        let mut ledger = self.common.ledger.borrow_mut();
        for cell in 0..CELLS {
            let (old, new) = (number_in(before.values[cell]), number_in(cells.values[cell]));
            if cells.versions[cell] < before.versions[cell] {
                ledger.went_back += 1;
                out.marks.push((Mark::Fault, origin));
            }
            if !self.common.is_honest(origin) || cells.versions[cell] == Version::NEVER {
                continue;
            }
            let written = ledger.written_at[origin as usize].get(new.wrapping_sub(1) as usize).copied();
            let Some(written_at) = written.filter(|_| cells.values[cell] == value(origin, new)) else {
                ledger.unsigned += 1;
                out.marks.push((Mark::Fault, origin));
                continue;
            };
            if new > old && origin != self.node {
                ledger.seen_after.push(now.saturating_sub(written_at.max(self.born)) as u32);
                let first = if old == 0 { (new - 1) % CELLS as u64 + 1 } else { old + CELLS as u64 };
                ledger.overtaken += (new - first) / CELLS as u64;
            }
        }
    }
}

impl Actor for EngineNode {
    type Packet = Rc<[u8]>;

    fn len(packet: &Rc<[u8]>) -> usize {
        packet.len()
    }

    fn handle(&mut self, now: u64, from: u32, packet: &Rc<[u8]>, out: &mut Out<Rc<[u8]>>) {
        // What it speaks of before anything of it is proven: garbage names nobody.
        let origin = Frame::parse(packet).ok().and_then(|frame| {
            let place = self.engine.directory().find(&frame.header().origin())?;
            Some(self.common.number_of(place.0))
        });
        let cells = origin.map(|origin| (origin, self.cells(origin)));
        let before = self.counters.snapshot();
        let batch = self.ingress.check(&[packet], &[Sender(0)], WALL + now);
        let fresh = self.engine.absorb(&batch).fresh;
        let counted = self.counters.snapshot().since(&before);
        let forged = counted.rejected(Reject::BadSignature);
        {
            let mut ledger = self.common.ledger.borrow_mut();
            ledger.copies += u64::from(self.common.is_honest(self.node));
            ledger.forged += forged;
        }
        if forged > 0 {
            out.marks.push((Mark::Forged, from));
        }
        if fresh != 0 {
            if let Some((origin, before)) = cells {
                self.look(origin, &before, now, out);
            }
            self.push(packet, from, out);
        }
    }

    fn tick(&mut self, now: u64, out: &mut Out<Rc<[u8]>>) {
        let workload = self.common.workload;
        if now >= self.write_at {
            // A process that was stopped may wake when writing is over.
            if now < workload.write_until {
                self.write(now);
            }
            self.write_at = now + workload.write_gap / 2 + self.random.below(workload.write_gap);
        }
        if now >= self.refresh_at {
            self.engine.refresh();
            self.refresh_at = now + workload.refresh_gap / 2 + self.random.below(workload.refresh_gap);
        }
        self.flush(now, out);
    }

    fn next_due(&self) -> u64 {
        if self.write_at < self.common.workload.write_until {
            self.write_at.min(self.refresh_at)
        } else {
            self.refresh_at
        }
    }

    fn restart(&mut self, now: u64, disk: bool, out: &mut Out<Rc<[u8]>>) {
        let cells = self.cells(self.node);
        *self = Self::live(self.common.clone(), self.node, self.incarnation + 1, now);
        if disk {
            let own =
                cells.versions.iter().zip(cells.values).filter(|(version, _)| **version != Version::NEVER);
            own.for_each(|(_, value)| self.write_cell(number_in(value)));
        } else {
            // An agent that remembers nothing says everything anew.
            (0..CELLS).for_each(|_| self.write(now));
        }
        self.flush(now, out);
    }

    fn misbehave(&mut self, role: Role, packet: Rc<[u8]>, random: &mut Random) -> Option<Rc<[u8]>> {
        match role {
            Role::Silent => None,
            Role::Garbage => {
                let mut bytes = packet.to_vec();
                let at = random.index(bytes.len());
                bytes[at] ^= 1 << random.below(8);
                Some(bytes.into())
            }
            Role::Equivocator => {
                let frame = Frame::reopen(&packet);
                let header = frame.header();
                let mine = header.origin() == self.common.identities[self.node as usize].id();
                let Entries::Block8(blocks) = frame.entries() else { return Some(packet) };
                if !mine || random.permille(500) {
                    return Some(packet);
                }
                let stamp = Stamp {
                    incarnation: header.incarnation(),
                    first_seq: Seq(header.seq().0),
                    version: header.version(),
                };
                let sealer = self.other_sealer.get_or_insert_with(Box::default);
                sealer.clear();
                sealer.frame(Kind::Block8, |draft| {
                    for block in blocks {
                        let values = block.values.map(|value| value.get() ^ random.below(4));
                        let other = Block8::new(block.index.get(), block.mask, block.age.get(), values);
                        draft.block8(&other).expect("as many as there were");
                    }
                });
                sealer.seal(&self.common.identities[self.node as usize], &MeshKeys::derive(MESH), &stamp);
                sealer.frames().next().map(Rc::from)
            }
            _ => Some(packet),
        }
    }
}

impl Common {
    /// The number of the node at a place of the directory.
    fn number_of(&self, place: u32) -> u32 {
        let runs = &self.directory.origin(OriginIndex(place)).runs;
        runs.first().map_or(0, |run| run.first.0 / RUN)
    }
}

impl EngineNode {
    /// Signatures that this incarnation has checked.
    pub fn signatures(&self) -> u64 {
        self.counters.snapshot().get(Counter::Signatures)
    }
}
