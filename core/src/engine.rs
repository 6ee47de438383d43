//! The owner of a node's state. Frames that proved themselves go in; merged cells, changes and own frames come out.
//!
//! The engine has the last word on duplicates (its windows), holds the tables, publishes what changed, and turns the
//! agents' writes into signed trains. It sends nothing and reads no clock: the thread that runs it does, and passes
//! the time in.

mod audit;
mod equivocation;
mod issue;
mod router;
mod settle;

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use octick_crypto::train::TRAIN_MAX;
use octick_crypto::{Hash, Identity, MeshKeys};

pub use self::issue::Withheld;
use self::router::Mesh;
pub use self::router::MeshEvent;

use crate::counters::{Counter, Counters};
use crate::data::batch::{Batch, Checked};
use crate::data::directory::Directory;
use crate::data::outbox::{NotOurs, Outbox, Update};
use crate::data::publish::{Change, Publisher, Source};
use crate::data::report::Report;
use crate::data::roster::{DirectoryError, Origin, Run};
use crate::data::window::{Windows, WindowsView};
use crate::limits::{ORIGINS_MAX, ROWS_MAX};
use crate::reject::Reject;
use crate::stamp::{HybridClock, Incarnation, OriginIndex, Seq, Slot, Version};
use crate::state::{State, TableKind};
use crate::table::{Merged, NoSink, Sink};
use crate::time::Wall;
use crate::wire::{Frame, Kind, Sealer, Stamp, Stat};

/// Shortest time between two answers to one origin, microseconds: an answer costs a signature.
const QUERY_MICROS_MIN: u64 = 10_000;

/// Cells of four bytes are stamped with a version a unit, microseconds.
const UNIT: u64 = 1 << 10;
// A node may write in every unit, and ask more often than it reports.
const _: () = assert!(UNIT < QUERY_MICROS_MIN && Kind::StatsReply.count_max() == ROWS_MAX);

/// Who the engine is and what it owns.
pub struct Parts {
    /// This node's keys.
    pub identity: Identity,
    /// The mesh's hash keys.
    pub keys: MeshKeys,
    /// This incarnation of the node.
    pub incarnation: Incarnation,
    /// Every known origin, this node among them or not.
    pub directory: Directory,
    /// Origins that may become known, those of `directory` included: 72 bytes each are taken at once.
    pub origins_max: usize,
    /// The runs that this node's agents write.
    pub runs: Vec<Run>,
    /// The tables.
    pub state: State,
    /// Changes that the publish ring holds.
    pub changes: usize,
    /// This thread's counters.
    pub counters: Counters,
    /// Reads the cycle counter, twice a batch.
    pub ticks: fn() -> u64,
}

/// What became of a batch: a bit for each frame, by its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absorbed {
    /// Carried cells, was new, and is merged: to be relayed.
    pub fresh: u64,
    /// Queries for statistics that deserve an answer.
    pub queries: u64,
    /// Replies with statistics.
    pub replies: u64,
    /// Control frames for the control plane. Whether they were sent before is for it to tell.
    pub control_frames: u64,
    /// Carried cells, and was merged before: verified copies.
    pub repeats: u64,
    /// Ticks that merging took.
    pub ticks: u64,
    /// Cells that were merged, whether they won or not.
    pub cells: u32,
}

/// One node's state machine.
pub struct Engine {
    identity: Identity,
    keys: MeshKeys,
    incarnation: Incarnation,
    next_seq: Seq,
    clock: HybridClock,
    /// Whether to hear what the mesh remembers of this node before anything is issued.
    hears_first: bool,
    /// The last unit in which cells of four bytes were stamped, and the wall clock at that moment.
    last_unit: u64,
    last_unit_at: u64,
    own: Option<OriginIndex>,
    directory: Directory,
    windows: Windows,
    /// Version of the last question of each origin.
    last_queries: Vec<Version>,
    /// Whether an origin is one of the configuration, by its index: it is never forgotten.
    pinned: Vec<bool>,
    state: State,
    outbox: Outbox,
    train: Sealer,
    publisher: Publisher,
    counters: Counters,
    ticks: fn() -> u64,
    mesh: Option<Mesh>,
    /// Origins that were convicted: frames that were checked before that may still come.
    convictions: u32,
}

impl Engine {
    /// An engine that has merged nothing. All memory that it needs is taken here.
    pub fn new(parts: Parts) -> Self {
        let own = parts.directory.find(&parts.identity.id());
        let origins_max = parts.origins_max.max(parts.directory.len());
        let mut pinned = vec![false; origins_max];
        pinned[..parts.directory.places()].fill(true);
        let outbox = Outbox::new(&parts.runs, &parts.state.layout());
        assert!(parts.directory.len() <= ORIGINS_MAX, "{} origins", parts.directory.len());
        Self {
            clock: HybridClock::new(parts.identity.id()),
            hears_first: false,
            identity: parts.identity,
            keys: parts.keys,
            incarnation: parts.incarnation,
            next_seq: Seq(1),
            last_unit: 0,
            last_unit_at: 0,
            own,
            windows: Windows::new(origins_max),
            last_queries: vec![Version::NEVER; origins_max],
            pinned,
            directory: parts.directory,
            state: parts.state,
            outbox,
            train: Sealer::new(),
            publisher: Publisher::new(parts.changes),
            counters: parts.counters,
            ticks: parts.ticks,
            mesh: None,
            convictions: 0,
        }
    }

    /// Every origin that is known by now.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Takes origins that the configuration names, or whose rights it changed, into the directory. Members that are worth less make
    /// room for them. Ingress must be given the new directory; until then it refuses what they say.
    ///
    /// # Errors
    /// [`NotLearnt`]; nobody was learnt.
    pub fn learn(&mut self, changed: impl IntoIterator<Item = Origin>) -> Result<(), NotLearnt> {
        let changed: Vec<Origin> = changed.into_iter().collect();
        let new = changed.iter().filter(|origin| self.directory.find(&origin.key.id()).is_none()).count();
        if new > self.room() {
            self.make_room(new - self.room(), new);
        }
        self.replace(changed.iter().cloned())?;
        for origin in &changed {
            let index = self.directory.find(&origin.key.id()).expect("it was learnt just now");
            self.pinned[index.0 as usize] = true;
        }
        Ok(())
    }

    /// Takes origins into the directory, if they fit.
    fn replace(&mut self, changed: impl IntoIterator<Item = Origin>) -> Result<(), NotLearnt> {
        let directory = self.directory.with(changed).map_err(NotLearnt::Rule)?;
        if directory.len() > self.last_queries.len() {
            return Err(NotLearnt::Full { origins: directory.len(), max: self.last_queries.len() });
        }
        assert!(directory.places() <= self.last_queries.len(), "free places are taken first");
        self.directory = directory;
        debug_assert!(self.own.is_none_or(|own| self.directory.origin(own).key.id() == self.identity.id()));
        Ok(())
    }

    /// The windows, for ingress to ask.
    pub fn windows(&self) -> WindowsView {
        self.windows.view()
    }

    /// Where subscriptions to changes are made.
    pub fn changes(&self) -> Source {
        self.publisher.source()
    }

    /// A number that changes whenever subscribers may find something that they did not find before.
    #[inline]
    pub fn published(&self) -> u64 {
        self.publisher.news()
    }

    /// The tables, to read or to digest.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// A hash of every cell of every table: equal tables, equal hash. Costs in proportion to what changed since the
    /// last call.
    pub fn digest(&mut self) -> Hash {
        self.state.digest()
    }

    /// Merges frames that ingress let through.
    pub fn absorb(&mut self, batch: &Batch<'_>) -> Absorbed {
        let start = (self.ticks)();
        let mut absorbed = Absorbed::default();
        let mut merged = Merged::default();
        let mut live = batch.live().peekable();
        if let Some((_, first)) = live.peek() {
            self.state.prefetch(&first.frame);
        }
        while let Some((i, checked)) = live.next() {
            // The next frame's rows travel from memory while this one is merged.
            if let Some((_, next)) = live.peek() {
                self.state.prefetch(&next.frame);
            }
            let bit = 1 << i;
            match self.take(checked, &mut merged) {
                Ok(kind) if kind.is_data() => absorbed.fresh |= bit,
                Ok(Kind::StatsQuery) => absorbed.queries |= bit,
                Ok(Kind::Control) => absorbed.control_frames |= bit,
                Ok(_) => absorbed.replies |= bit,
                Err(reject) => {
                    absorbed.repeats |= if reject == Reject::Duplicate { bit } else { 0 };
                    self.counters.reject(reject);
                }
            }
        }
        let Absorbed { fresh, queries, replies, control_frames, .. } = absorbed;
        let (taken, count) = (fresh | queries | replies | control_frames, u64::count_ones);
        assert!(taken & !batch.mask() == 0, "frames that nobody offered");
        assert!(count(taken) == count(fresh) + count(queries) + count(replies) + count(control_frames));
        self.publisher.flush();
        absorbed.ticks = (self.ticks)().wrapping_sub(start);
        absorbed.cells = merged.offered();
        self.counters.add(Counter::FramesFresh, absorbed.fresh.count_ones().into());
        self.counters.add(Counter::TimedTicks, absorbed.ticks);
        self.counters.add(Counter::TimedCells, absorbed.cells.into());
        self.count(&merged);
        absorbed
    }

    fn take(&mut self, checked: &Checked<'_>, merged: &mut Merged) -> Result<Kind, Reject> {
        let (frame, header) = (&checked.frame, checked.frame.header());
        if !frame.kind().is_data() {
            return self.handle_stats(checked);
        }
        if self.convictions > 0 && self.directory.is_revoked(checked.origin) {
            return Err(Reject::RevokedOrigin);
        }
        self.state.check_horizon(frame)?;
        self.windows.insert(checked.origin, header.incarnation(), header.seq())?;
        *merged += merge(&mut self.state, &mut self.publisher, frame);
        // Whatever this node writes from now on is later than what it has seen, whatever its wall clock says. How far that
        // may lie ahead, accepting has checked.
        self.clock.observe(header.version());
        Ok(frame.kind())
    }

    /// Queries and replies for statistics stand outside their origin's sequence: their versions must rise instead.
    fn handle_stats(&mut self, checked: &Checked<'_>) -> Result<Kind, Reject> {
        let kind = checked.frame.kind();
        if kind == Kind::StatsQuery {
            let version = checked.frame.header().version();
            let last = &mut self.last_queries[checked.origin.0 as usize];
            if version.micros() < last.micros() + QUERY_MICROS_MIN {
                return Err(Reject::StaleQuery);
            }
            *last = version;
        }
        Ok(kind)
    }

    /// Takes an agent's write; the next [`Engine::flush`] sends it and makes it readable.
    ///
    /// # Errors
    /// [`NotOurs`]: the cell is not in this node's runs. Nothing has changed.
    pub fn write(&mut self, update: Update) -> Result<(), NotOurs> {
        self.outbox.write(update)
    }

    /// Marks all own cells for sending: whoever missed some gets them again, with a new version.
    pub fn refresh(&mut self) {
        self.outbox.refresh();
    }

    /// Blocks of own cells that wait for [`Engine::flush`].
    pub fn pending_blocks(&self) -> usize {
        self.outbox.pending_blocks()
    }

    /// In how many microseconds [`Engine::flush`] could send something, were there no other reason to wait; nothing
    /// when no write is pending. Only cells of four bytes ever have to wait, 1,024 microseconds at most, for the next
    /// unit of their clock. Nothing, too, while it is [withheld](Engine::withheld): time alone changes nothing then.
    pub fn pending(&self, now_micros: u64) -> Option<u64> {
        if self.withheld(now_micros).is_some() {
            return None;
        }
        if self.outbox.has_fine_pending() {
            return Some(0);
        }
        if now_micros < self.last_unit_at {
            return self.outbox.has_pending().then_some(0);
        }
        let next_unit = ((self.last_unit + 1) << 10).min(self.last_unit_at + UNIT);
        self.outbox.has_pending().then(|| next_unit.saturating_sub(now_micros))
    }

    /// The unit in which cells of four bytes may be sent now, if a new one has begun. Where the hybrid clock is ahead of the wall
    /// clock, units go on from there at the wall clock's pace.
    fn next_unit(&self, now_micros: u64) -> Option<u64> {
        let unit = self.clock.peek(Wall(now_micros)).micros() / UNIT;
        let passed = now_micros < self.last_unit_at || now_micros >= self.last_unit_at + UNIT;
        match unit > self.last_unit {
            true => Some(unit),
            false => passed.then_some(self.last_unit + 1),
        }
    }

    /// Makes, merges and returns one train of pending writes, or nothing when none are pending, or nothing may be
    /// [issued](Engine::withheld) now. One signature, about 50,000 ticks, and a hash a frame.
    pub fn flush(&mut self, now_micros: u64) -> Option<&Sealer> {
        self.train.clear();
        self.settle_hearing();
        if self.withheld(now_micros).is_some() {
            return None;
        }
        // Cells of four bytes are told apart by units of 1,024 microseconds: one version of them a unit.
        let unit = self.next_unit(now_micros);
        self.outbox.fill(&mut self.train, unit.is_some());
        if self.train.is_empty() {
            return None;
        }
        if let Some(unit) = unit {
            self.clock.observe(Version::new(unit * UNIT - 1, self.identity.id()));
            assert!(unit > self.last_unit, "cells of four bytes have one version a unit");
            (self.last_unit, self.last_unit_at) = (unit, now_micros);
        }
        self.seal(now_micros);
        self.merge_own();
        Some(&self.train)
    }

    /// Answers the asker's `token` with a report, as frames for it alone: as many as the report takes.
    pub fn reply_stats(&mut self, token: u64, report: &Report, now_micros: u64) -> &Sealer {
        self.counters.add(Counter::Answers, 1);
        self.word(Kind::StatsReply, token, report, now_micros)
    }

    /// Asks a peer for its report, under a `token` that its answer will carry.
    pub fn query_stats(&mut self, token: u64, now_micros: u64) -> &Sealer {
        self.word(Kind::StatsQuery, token, &Report::default(), now_micros)
    }

    fn word(&mut self, kind: Kind, token: u64, report: &Report, now_micros: u64) -> &Sealer {
        self.train.clear();
        for page in 0..report.pages() {
            self.train.frame(kind, |draft| {
                let token = core::iter::once(Stat::new(Stat::TOKEN, token));
                for stat in token.chain(report.page(page)) {
                    draft.stat(&stat).expect("a page fits a frame");
                }
            });
        }
        let version = self.clock.tick_or_stay(Wall(now_micros));
        let stamp = Stamp { incarnation: self.incarnation, first_seq: Seq(0), version };
        self.train.seal(&self.identity, &self.keys, &stamp);
        assert!(self.train.len() == report.pages(), "a frame a page");
        &self.train
    }

    fn seal(&mut self, now_micros: u64) {
        let stamp = Stamp {
            incarnation: self.incarnation,
            first_seq: self.next_seq,
            version: self.clock.tick(Wall(now_micros)),
        };
        assert!(self.next_seq > Seq(0) && self.train.len() <= TRAIN_MAX, "numbers begin with one");
        self.next_seq = Seq(self.next_seq.0 + self.train.len() as u64);
        self.train.seal(&self.identity, &self.keys, &stamp);
        self.counters.add(Counter::FramesMade, self.train.len() as u64);
    }

    /// Own frames are merged like any other, so that every node's tables come from the same bytes.
    fn merge_own(&mut self) {
        let mut merged = Merged::default();
        for bytes in self.train.frames() {
            let frame = Frame::reopen(bytes);
            let header = frame.header();
            if let Some(own) = self.own {
                let fresh = self.windows.insert(own, header.incarnation(), header.seq());
                debug_assert!(fresh.is_ok(), "own sequence numbers only rise");
            }
            merged += merge(&mut self.state, &mut self.publisher, &frame);
        }
        self.publisher.flush();
        self.count(&merged);
    }

    fn count(&self, merged: &Merged) {
        self.counters.add(Counter::CellsWon, merged.won.into());
        self.counters.add(Counter::CellsStale, merged.stale.into());
        self.counters.add(Counter::CellsFaulty, merged.faults.into());
    }
}

/// Why origins were not taken into the directory. It is as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NotLearnt {
    /// The new list of origins breaks a rule.
    Rule(DirectoryError),
    /// There is no room for so many.
    Full {
        /// How many there would be.
        origins: usize,
        /// How many fit.
        max: usize,
    },
}

impl fmt::Display for NotLearnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(error) => error.fmt(f),
            Self::Full { origins, max } => write!(f, "{origins} origins, where at most {max} fit"),
        }
    }
}

impl core::error::Error for NotLearnt {}

/// Merges a frame, and publishes what changed if anybody reads.
#[inline]
fn merge(state: &mut State, publisher: &mut Publisher, frame: &Frame<'_>) -> Merged {
    if publisher.has_readers() {
        let table = State::table_of(frame);
        state.merge(frame, &mut ToReaders { publisher, table })
    } else {
        publisher.skip();
        state.merge(frame, &mut NoSink)
    }
}

/// Puts what a merge changed on the publish ring.
struct ToReaders<'e> {
    publisher: &'e mut Publisher,
    table: TableKind,
}

impl Sink for ToReaders<'_> {
    #[inline]
    fn changed(&mut self, index: u32, mask: u16, version: Version) {
        let first = Slot(index * self.table.block_len());
        self.publisher.push(Change { table: self.table, first, mask, version });
    }
}
