//! The whole way of a datagram, hostile ones among honest ones: every verdict, every count, every change and every
//! cell is what a dull model says.
//!
//! The model knows no cryptography: a signature holds exactly if the datagram is, byte for byte, one that its origin
//! signed for this mesh.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

use octick_core::Reject;
use octick_core::counters::{Counter, Counters, Tally};
use octick_core::data::accept::Terms;
use octick_core::data::batch::bits;
use octick_core::data::budget::{Limits, Rate};
use octick_core::data::publish::{Change, Next, Reader};
use octick_core::data::{Batch, Budgets, Ingress, Sender};
use octick_core::engine::{Absorbed, Engine, Parts};
use octick_core::limits::{BATCH_MAX, WINDOW};
use octick_core::stamp::{Incarnation, Slot};
use octick_core::state::{Layout, Regions, State, TableKind};
use octick_core::table::{Kernel, Merged, Region};
use octick_core::wire::{Entries, Envelope, Frame, Kind, Sealer};
use octick_crypto::Identity;

use crate::cursor::Cursor;
use crate::twin::Twin;
use crate::world::{NOW, SKEW, SLOTS, World, draw_frame, draw_stamp};

/// Batches that one input may give; more would only be slower.
const BATCHES_MAX: usize = 16;
/// One bad frame empties an account, and all good frames of an input do not.
const ONE_STRIKE: Rate = Rate { checks_per_sec: 8_000, bad_per_sec: 4 };
/// Datagrams of a batch come in turn from a peer and two strangers.
const SENDERS: usize = 3;

/// Feeds the datagrams that `data` describes to a node, batch by batch.
pub fn run(data: &[u8]) {
    play(data);
}

/// The same; what the node counted tells how far the input reached.
pub fn play(data: &[u8]) -> Tally {
    let mut input = Cursor::new(data);
    let flags = input.u8();
    let layout =
        Layout { slots: SLOTS, cells8: flags & 1 == 0, cells4: flags & 2 == 0, rows: flags & 4 == 0 };
    let strict = flags & 16 != 0;
    let (mut rig, mut model) = (Rig::new(layout, strict), Model::new(layout, strict));
    let mut forge = Forge::default();
    for _ in 0..BATCHES_MAX {
        if input.is_empty() {
            break;
        }
        let datagrams = forge.batch(&mut input);
        let expected = model.batch(&datagrams, &forge.genuine);
        rig.batch(&datagrams, flags & 8 != 0, &expected);
    }
    rig.compare(&model.twin);
    rig.counters.snapshot()
}

/// Makes datagrams, good and bad, and remembers which were signed for this mesh.
#[derive(Default)]
struct Forge {
    history: Vec<Vec<u8>>,
    genuine: HashSet<Vec<u8>>,
    train: Sealer,
}

impl Forge {
    fn batch(&mut self, input: &mut Cursor<'_>) -> Vec<Vec<u8>> {
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX - 4 && !input.is_empty() {
            let first = self.history.len();
            // `script` writes these numbers.
            match input.u8() % 10 {
                0..=3 => self.sign(input, true),
                4 => self.sign(input, false),
                5 => self.mangle(input),
                6 => self.splice(input),
                7 => self.cut(input),
                8 => {
                    let len = input.u16() % 1_500;
                    self.history.push(input.bytes(len.into()).to_vec());
                }
                _ => break,
            }
            batch.extend_from_slice(&self.history[first..]);
        }
        batch
    }

    /// A train of one to four frames, for this mesh or for another.
    fn sign(&mut self, input: &mut Cursor<'_>, for_this_mesh: bool) {
        let world = World::get();
        let head = usize::from(input.u8());
        let identity = &world.people[head % world.people.len()];
        let stamp = draw_stamp(input, identity);
        self.train.clear();
        (0..=head >> 6).for_each(|_| {
            draw_frame(input, &mut self.train, head >> 6 == 0);
        });
        self.train.seal(identity, if for_this_mesh { &world.mesh } else { &world.other_mesh }, &stamp);
        for bytes in self.train.frames() {
            self.history.push(bytes.to_vec());
            if for_this_mesh {
                self.genuine.insert(bytes.to_vec());
            }
        }
    }

    fn earlier(&self, input: &mut Cursor<'_>) -> Vec<u8> {
        let back = usize::from(input.u8()) + 1;
        let len = self.history.len();
        if len == 0 { vec![0x4F] } else { self.history[len.saturating_sub(back)].clone() }
    }

    /// An earlier datagram with one byte changed; or not, and then it is a repetition.
    fn mangle(&mut self, input: &mut Cursor<'_>) {
        let mut bytes = self.earlier(input);
        let (at, with) = (usize::from(input.u16()) % bytes.len().max(1), input.u8());
        bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= with);
        self.history.push(bytes);
    }

    /// The beginning of one datagram and the end of another: somebody else's signature, or path.
    fn splice(&mut self, input: &mut Cursor<'_>) {
        let (head, tail) = (self.earlier(input), self.earlier(input));
        let at = usize::from(input.u16()).min(head.len()).min(tail.len());
        self.history.push([&head[..at], &tail[at..]].concat());
    }

    fn cut(&mut self, input: &mut Cursor<'_>) {
        let mut bytes = self.earlier(input);
        bytes.truncate(usize::from(input.u16()));
        self.history.push(bytes);
    }
}

/// What must come of a batch.
#[derive(Default)]
struct Expected {
    absorbed: Absorbed,
    rejects: BTreeMap<Reject, u64>,
    merged: Merged,
    changes: Vec<Change>,
}

/// The node, written dully.
struct Model {
    layout: Layout,
    twin: Twin,
    windows: HashMap<usize, Window>,
    last_queries: HashMap<usize, u64>,
    strict: bool,
    /// Which senders sent a bad frame before.
    struck: [bool; SENDERS],
}

/// Accepted numbers of one origin's life.
#[derive(Default)]
struct Window {
    life: Incarnation,
    top: u64,
    seen: HashSet<u64>,
}

impl Window {
    fn ask(&self, life: Incarnation, seq: u64) -> Result<(), Reject> {
        if life != self.life {
            return if life > self.life { Ok(()) } else { Err(Reject::OldIncarnation) };
        }
        if seq + WINDOW <= self.top {
            return Err(Reject::BehindWindow);
        }
        if self.seen.contains(&seq) { Err(Reject::Duplicate) } else { Ok(()) }
    }

    fn insert(&mut self, life: Incarnation, seq: u64) -> Result<(), Reject> {
        self.ask(life, seq)?;
        if life != self.life {
            *self = Self { life, ..Self::default() };
        }
        self.top = self.top.max(seq);
        self.seen.insert(seq);
        Ok(())
    }
}

impl Model {
    fn new(layout: Layout, strict: bool) -> Self {
        Self {
            layout,
            twin: Twin::new(layout.slots, NOW),
            windows: HashMap::new(),
            last_queries: HashMap::new(),
            strict,
            struck: [false; SENDERS],
        }
    }

    fn batch(&mut self, datagrams: &[Vec<u8>], genuine: &HashSet<Vec<u8>>) -> Expected {
        let mut expected = Expected::default();
        // All are filtered before the first is merged, so a repetition within a batch passes the filter.
        let datagrams = datagrams.iter().enumerate();
        let filtered: Vec<_> =
            datagrams.map(|(i, bytes)| self.admit(i).and_then(|()| self.filter(bytes, genuine))).collect();
        let bad = |verdict: &Result<_, Reject>| matches!(verdict, Err(Reject::BadSignature));
        for (i, _) in filtered.iter().enumerate().filter(|(_, verdict)| bad(verdict)) {
            self.struck[i % SENDERS] = true;
        }
        for (i, filtered) in filtered.into_iter().enumerate() {
            let passed = filtered.is_ok();
            if let Err(reject) = filtered.and_then(|(who, frame)| self.take(i, who, &frame, &mut expected)) {
                *expected.rejects.entry(reject).or_default() += 1;
                expected.absorbed.repeats |= u64::from(passed && reject == Reject::Duplicate) << i;
            }
        }
        expected
    }

    /// Whether the sender of datagram `i` has anything left.
    fn admit(&self, i: usize) -> Result<(), Reject> {
        let (sender, [_, strangers @ ..]) = (i % SENDERS, self.struck);
        match (self.strict, sender) {
            (true, _) if self.struck[sender] => Err(Reject::OverBudget),
            (true, 1..) if strangers.contains(&true) => Err(Reject::StrangersOverBudget),
            _ => Ok(()),
        }
    }

    /// Everything up to and including the signature.
    fn filter<'a>(&self, bytes: &'a [u8], genuine: &HashSet<Vec<u8>>) -> Result<(usize, Frame<'a>), Reject> {
        let envelope = Envelope::open(bytes).map_err(|damage| damage.reject)?;
        let header = envelope.header();
        let known = &World::get().people[..World::get().directory.len()];
        let who = known.iter().position(|person| person.id() == header.origin());
        let unknown = match who {
            None => Some(Reject::UnknownOrigin),
            Some(who) => World::is_revoked(who).then_some(Reject::RevokedOrigin),
        };
        if let Some(unknown) = unknown {
            // It may want to introduce itself, if it speaks to this node now.
            let speaks = envelope.kind() == Kind::Control && header.version().micros() <= NOW + SKEW;
            let frame = envelope.check().ok().filter(|_| speaks).ok_or(unknown)?;
            return Err(Self::is_for_me(&frame).err().unwrap_or(unknown));
        }
        let who = who.expect("an origin that is known");
        if envelope.kind().is_data() {
            let fresh = Window::default();
            let window = self.windows.get(&who).unwrap_or(&fresh);
            window.ask(header.incarnation(), header.seq().0)?;
        }
        let frame = envelope.check().map_err(|damage| damage.reject)?;
        if header.version().micros() > NOW + SKEW {
            return Err(Reject::Future);
        }
        let (kept, slots) = self.touched(&frame);
        if !kept {
            return Err(Reject::NoTable);
        }
        if let (Some(first), Some(last)) = (slots.iter().min(), slots.iter().max()) {
            if *last >= u64::from(self.layout.slots) {
                return Err(Reject::SlotRange);
            }
            if !World::owns(who, *first, *last) {
                return Err(Reject::NotOwner);
            }
        }
        if frame.kind() == Kind::Control {
            Self::is_for_me(&frame)?;
        }
        if genuine.contains(bytes) { Ok((who, frame)) } else { Err(Reject::BadSignature) }
    }

    /// Whether a control frame begins with nobody's name or with this node's, but for a bit, and is of these seconds.
    fn is_for_me(frame: &Frame<'_>) -> Result<(), Reject> {
        let [a, b, c, d, ..] = World::get().people[0].id().0;
        if ![[0; 4], [a | 1, b, c, d]].iter().any(|mark| frame.bytes()[40..44] == *mark) {
            return Err(Reject::Misaddressed);
        }
        let long_ago = NOW - SKEW - 5_000_000;
        if frame.header().version().micros() < long_ago { Err(Reject::Expired) } else { Ok(()) }
    }

    /// Whether the frame's table is kept, and every slot that its blocks and rows speak of.
    fn touched(&self, frame: &Frame<'_>) -> (bool, Vec<u64>) {
        let spread = |index: u32, width: u64| {
            let first = u64::from(index) * width;
            first..first + width
        };
        match frame.entries() {
            Entries::Block8(blocks) => {
                (self.layout.cells8, blocks.iter().flat_map(|b| spread(b.index.get(), 8)).collect())
            }
            Entries::Block16(blocks) => {
                (self.layout.cells4, blocks.iter().flat_map(|b| spread(b.index.get(), 16)).collect())
            }
            Entries::Rows(rows) => {
                (self.layout.rows, rows.slots.iter().map(|slot| slot.get().into()).collect())
            }
            Entries::Stats(_) | Entries::Control(_) => (true, Vec::new()),
        }
    }

    fn take(
        &mut self,
        i: usize,
        who: usize,
        frame: &Frame<'_>,
        expected: &mut Expected,
    ) -> Result<(), Reject> {
        let header = frame.header();
        match frame.kind() {
            Kind::StatsQuery => {
                let last = self.last_queries.entry(who).or_default();
                if header.version().micros() < *last + 10_000 {
                    return Err(Reject::StaleQuery);
                }
                *last = header.version().micros();
                expected.absorbed.queries |= 1 << i;
            }
            Kind::StatsReply => expected.absorbed.replies |= 1 << i,
            Kind::Control => expected.absorbed.control_frames |= 1 << i,
            Kind::Block16 if !self.twin.horizon_ok(header.version()) => return Err(Reject::Horizon),
            _ => {
                self.windows.entry(who).or_default().insert(header.incarnation(), header.seq().0)?;
                let (merged, changes) = self.twin.merge(header.version(), &frame.entries());
                let table = State::table_of(frame);
                expected.absorbed.fresh |= 1 << i;
                expected.absorbed.cells += merged.offered();
                expected.merged += merged;
                expected.changes.extend(changes.into_iter().map(|(index, mask, version)| Change {
                    table,
                    first: Slot(index * table.block_len()),
                    mask,
                    version,
                }));
            }
        }
        Ok(())
    }
}

/// The real node.
struct Rig {
    ingress: Ingress,
    engine: Engine,
    counters: Counters,
    changes: Reader,
    senders: [Sender; BATCH_MAX],
}

impl Rig {
    fn new(layout: Layout, strict: bool) -> Self {
        let world = World::get();
        let counters = Counters::default();
        let regions =
            Regions::take(&layout, |len| Ok::<_, ()>(Region::heap(len))).expect("the heap gives or aborts");
        let engine = Engine::new(Parts {
            identity: Identity::from_seed(&world.people[0].seed()),
            keys: world.mesh.clone(),
            incarnation: Incarnation(1),
            directory: world.directory.clone(),
            origins_max: world.directory.len(),
            runs: World::own_runs(),
            state: State::new(layout, regions, Kernel::detect(), NOW),
            changes: 1 << 13,
            counters: counters.clone(),
            ticks: || 0,
        });
        let ingress = Ingress::new(
            world.directory.clone(),
            engine.windows(),
            Terms { layout, skew_micros_max: SKEW },
            world.mesh.clone(),
            counters.clone(),
            || 0,
        )
        .for_node(world.people[0].id());
        let changes = engine.changes().subscribe();
        if !strict {
            return Self { ingress, engine, counters, changes, senders: [Sender(0); BATCH_MAX] };
        }
        let limits = Limits { peer: ONE_STRIKE, strangers: ONE_STRIKE };
        let ingress = ingress.with_budgets(Budgets::new(&limits, 1, SENDERS as u32 - 1));
        let senders = std::array::from_fn(|i| Sender((i % SENDERS) as u32));
        Self { ingress, engine, counters, changes, senders }
    }

    fn batch(&mut self, datagrams: &[Vec<u8>], reopen: bool, expected: &Expected) {
        let (before, digest) = (self.counters.snapshot(), self.engine.digest());
        let views: Vec<&[u8]> = datagrams.iter().map(Vec::as_slice).collect();
        let checked = self.ingress.check(&views, &self.senders[..views.len()], NOW);
        // The engine looks after no mesh, and has no use for strangers.
        for i in bits(checked.strangers) {
            let from = (Ipv4Addr::LOCALHOST, 1).into();
            self.engine.handle_stranger(0, from, &Frame::parse(views[i]).expect("it is sound"));
        }
        let absorbed = if reopen {
            let again = Batch::reopen(views.iter().copied(), checked.mask(), &World::get().directory);
            self.engine.absorb(&again)
        } else {
            self.engine.absorb(&checked)
        };
        let counted = self.counters.snapshot().since(&before);
        assert_eq!(absorbed, expected.absorbed);
        assert_eq!(counted.rejects().collect::<BTreeMap<Reject, u64>>(), expected.rejects);
        assert_eq!(counted.get(Counter::FramesIn), datagrams.len() as u64);
        let merged = [Counter::CellsWon, Counter::CellsStale, Counter::CellsFaulty].map(|c| counted.get(c));
        let Merged { won, stale, faults } = expected.merged;
        assert_eq!(merged, [won, stale, faults].map(u64::from));
        let mut changes = Vec::new();
        loop {
            match self.changes.poll() {
                Next::Change(change) => changes.push(change),
                Next::Missed(n) => panic!("{n} changes missed by a reader that keeps up"),
                Next::Empty => break,
            }
        }
        assert_eq!(changes, expected.changes);
        assert_eq!(
            self.engine.digest() != digest,
            !expected.changes.is_empty(),
            "the digest tells of changes"
        );
    }

    fn compare(&self, twin: &Twin) {
        let reader = self.engine.state().reader();
        for slot in (0..SLOTS).map(Slot) {
            assert_eq!(reader.cell8(slot), twin.cell8(slot), "{slot:?}");
            assert_eq!(reader.cell4(slot), twin.cell4(slot), "{slot:?}");
            assert_eq!(reader.row(slot), twin.row(slot), "{slot:?}");
        }
        assert!(TableKind::ALL.iter().all(|table| twin.written(*table) <= SLOTS as usize));
    }
}
