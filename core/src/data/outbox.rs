//! This node's own cells, from the moment an agent writes one until it stands in a frame.
//!
//! In come single writes, in any order and as often as an agent likes; out come frames in which each cell that
//! changed stands once, with its last value. A write costs a store and two bits. Memory is taken at construction.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::roster::Run;
use crate::limits::{ROWS_MAX, RUN_ALIGN};
use crate::stamp::Slot;
use crate::state::{Layout, TableKind};
use crate::wire::{Block8, Block16, Kind, Sealer};

/// A write to one of this node's own cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// A cell of eight bytes in the dense table.
    Cell8(Slot, u64),
    /// A cell of four bytes in the dense table.
    Cell4(Slot, u32),
    /// A cell of eight bytes in the sparse table.
    Row(Slot, u64),
}

impl Update {
    /// Which cell it writes.
    pub fn place(&self) -> (TableKind, Slot) {
        match *self {
            Self::Cell8(slot, _) => (TableKind::Cells8, slot),
            Self::Cell4(slot, _) => (TableKind::Cells4, slot),
            Self::Row(slot, _) => (TableKind::Rows, slot),
        }
    }
}

/// The write was not taken: no run of this node holds the slot, or there is no such table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOurs(pub Update);

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (table, Slot(slot)) = self.0.place();
        write!(f, "slot {slot} of {table} is not this node's to write")
    }
}

impl core::error::Error for NotOurs {}

/// Last values and pending bits of this node's own runs.
pub struct Outbox {
    runs: Vec<OwnRun>,
    /// Where the next train goes on: run and table. Every stage has its turn, however busy the first.
    turn: usize,
}

struct OwnRun {
    run: Run,
    cells8: Stage<u64, 8>,
    cells4: Stage<u32, 16>,
    rows: Stage<u64, 16>,
}

/// Tables that a run has stages for.
const STAGES: usize = 3;
const _: () = assert!(STAGES == TableKind::ALL.len());

impl Outbox {
    /// Stages for `runs`, in the tables that `layout` has: about 10 bytes a slot and table.
    pub fn new(runs: &[Run], layout: &Layout) -> Self {
        let aligned = |run: &Run| run.first.0.is_multiple_of(RUN_ALIGN) && run.len.is_multiple_of(RUN_ALIGN);
        assert!(runs.iter().all(aligned), "a block would belong to two nodes: {runs:?}");
        let own = |run: &Run| OwnRun {
            run: *run,
            cells8: Stage::new(run, layout.cells8),
            cells4: Stage::new(run, layout.cells4),
            rows: Stage::new(run, layout.rows),
        };
        Self { runs: runs.iter().map(own).collect(), turn: 0 }
    }

    /// Takes a write; it replaces an earlier one to the same cell that was not sent yet.
    ///
    /// # Errors
    /// [`NotOurs`], and nothing has changed.
    pub fn write(&mut self, update: Update) -> Result<(), NotOurs> {
        let (_, slot) = update.place();
        let holds = |own: &&mut OwnRun| slot.0.wrapping_sub(own.run.first.0) < own.run.len;
        let own = self.runs.iter_mut().find(holds).ok_or(NotOurs(update))?;
        let offset = (slot.0 - own.run.first.0) as usize;
        let taken = match update {
            Update::Cell8(_, value) => own.cells8.write(offset, value),
            Update::Cell4(_, value) => own.cells4.write(offset, value),
            Update::Row(_, value) => own.rows.write(offset, value),
        };
        if taken { Ok(()) } else { Err(NotOurs(update)) }
    }

    /// Marks every cell that was ever written as pending: whoever missed it gets it again.
    pub fn refresh(&mut self) {
        for own in &mut self.runs {
            own.cells8.refresh();
            own.cells4.refresh();
            own.rows.refresh();
        }
    }

    /// The same for the cells of one table in slots `within`, as far as they are this node's: whole blocks.
    pub fn refresh_within(&mut self, table: TableKind, within: Run) {
        for own in &mut self.runs {
            let (first, end) = (within.first.max(own.run.first).0, within.end().min(own.run.end()) as u32);
            if first >= end {
                continue;
            }
            let slots = (first - own.run.first.0) as usize..(end - own.run.first.0) as usize;
            assert!(slots.end <= own.run.len as usize, "slots {slots:?} of a run of {}", own.run.len);
            match table {
                TableKind::Cells8 => own.cells8.refresh_within(slots),
                TableKind::Cells4 => own.cells4.refresh_within(slots),
                TableKind::Rows => own.rows.refresh_within(slots),
            }
        }
    }

    /// Whether any write waits to be sent.
    pub fn has_pending(&self) -> bool {
        self.runs.iter().any(|own| own.cells8.pending + own.cells4.pending + own.rows.pending > 0)
    }

    /// Blocks with writes that wait to be sent, in all tables.
    pub fn pending_blocks(&self) -> usize {
        self.runs.iter().map(|own| own.cells8.pending + own.cells4.pending + own.rows.pending).sum()
    }

    /// Whether any write waits that needs no new unit of the coarse clock: all but those to cells of four bytes.
    pub fn has_fine_pending(&self) -> bool {
        self.runs.iter().any(|own| own.cells8.pending + own.rows.pending > 0)
    }

    /// Moves pending writes into frames until the train is full or nothing is pending. Cells of four bytes wait
    /// while `with_cells4` is false: their table's clock is too coarse for two versions now.
    pub fn fill(&mut self, train: &mut Sealer, with_cells4: bool) {
        let stages = self.runs.len() * STAGES;
        for _ in 0..stages {
            let own = &mut self.runs[self.turn / STAGES];
            match self.turn % STAGES {
                0 => own.cells8.fill(train),
                1 => {
                    if with_cells4 {
                        own.cells4.fill(train);
                    }
                }
                _ => own.rows.fill(train),
            }
            self.turn = (self.turn + 1) % stages;
            if train.is_full() {
                return;
            }
        }
        // Every stage had its turn, and the train still had room.
        let waits = self.has_fine_pending() || (with_cells4 && self.has_pending());
        debug_assert!(!waits, "{} blocks still wait", self.pending_blocks());
    }
}

/// The cells of one run in one table, in blocks of `N`.
struct Stage<T, const N: usize> {
    /// Number of the first block, in the table's count.
    first: u32,
    values: Box<[[T; N]]>,
    /// Cells that wait to be sent, a bit each.
    waiting: Box<[u16]>,
    /// Cells that were ever written.
    written: Box<[u16]>,
    /// Blocks with waiting cells.
    pending: usize,
    /// Where the next frame goes on.
    cursor: usize,
}

impl<T: Copy + Default, const N: usize> Stage<T, N> {
    fn new(run: &Run, exists: bool) -> Self {
        const { assert!((RUN_ALIGN as usize).is_multiple_of(N) && N <= u16::BITS as usize) };
        let blocks = if exists { run.len as usize / N } else { 0 };
        Self {
            first: run.first.0 / N as u32,
            values: vec![[T::default(); N]; blocks].into_boxed_slice(),
            waiting: vec![0; blocks].into_boxed_slice(),
            written: vec![0; blocks].into_boxed_slice(),
            pending: 0,
            cursor: 0,
        }
    }

    fn write(&mut self, offset: usize, value: T) -> bool {
        let (block, lane) = (offset / N, offset % N);
        debug_assert!(self.written.len() == self.values.len() && self.waiting.len() == self.values.len());
        let Some(values) = self.values.get_mut(block) else {
            return false;
        };
        values[lane] = value;
        self.pending += usize::from(self.waiting[block] == 0);
        self.waiting[block] |= 1 << lane;
        self.written[block] |= 1 << lane;
        debug_assert!(0 < self.pending && self.pending <= self.waiting.len(), "{} blocks wait", self.pending);
        true
    }

    fn refresh(&mut self) {
        let before = self.pending;
        self.waiting.copy_from_slice(&self.written);
        self.pending = self.written.iter().filter(|mask| **mask != 0).count();
        assert!(self.pending >= before, "what waits was written, so it still waits");
    }

    fn refresh_within(&mut self, slots: core::ops::Range<usize>) {
        if self.written.is_empty() {
            return;
        }
        for block in slots.start / N..slots.end.div_ceil(N).min(self.written.len()) {
            self.pending += usize::from(self.waiting[block] == 0 && self.written[block] != 0);
            self.waiting[block] |= self.written[block];
        }
        debug_assert_eq!(self.pending, self.waiting.iter().filter(|mask| **mask != 0).count());
    }

    /// The next block with waiting cells at or after the cursor, which stays there.
    fn seek(&mut self) -> Option<usize> {
        let ahead = self.waiting[self.cursor..].iter().position(|mask| *mask != 0)?;
        self.cursor += ahead;
        Some(self.cursor)
    }

    /// Block number, cells and values at the cursor; they no longer wait.
    fn take(&mut self, block: usize) -> (u32, u16, [T; N]) {
        debug_assert!(self.waiting[block] != 0 && self.waiting[block] & !self.written[block] == 0);
        self.cursor = block + 1;
        self.pending -= 1;
        (self.first + block as u32, core::mem::take(&mut self.waiting[block]), self.values[block])
    }

    /// Puts frames on `train` with `frame` as long as blocks wait, each frame in rising order.
    fn fill_with(&mut self, train: &mut Sealer, mut frame: impl FnMut(&mut Self, &mut Sealer)) {
        while self.pending > 0 && !train.is_full() {
            match self.seek() {
                Some(_) => frame(self, train),
                None => {
                    assert!(
                        self.cursor > 0,
                        "{} blocks wait, and none is found from the start",
                        self.pending
                    );
                    self.cursor = 0;
                }
            }
        }
    }
}

impl Stage<u64, 8> {
    fn fill(&mut self, train: &mut Sealer) {
        self.fill_with(train, |stage, train| {
            train.frame(Kind::Block8, |draft| {
                while let Some(block) =
                    (draft.count() < Kind::Block8.count_max()).then(|| stage.seek()).flatten()
                {
                    let (index, mask, values) = stage.take(block);
                    draft.block8(&Block8::new(index, mask as u8, 0, values)).expect("there was room");
                }
            });
        });
    }
}

impl Stage<u32, 16> {
    fn fill(&mut self, train: &mut Sealer) {
        self.fill_with(train, |stage, train| {
            train.frame(Kind::Block16, |draft| {
                while let Some(block) =
                    (draft.count() < Kind::Block16.count_max()).then(|| stage.seek()).flatten()
                {
                    let (index, mask, values) = stage.take(block);
                    draft.block16(&Block16::new(index, mask, 0, values)).expect("there was room");
                }
            });
        });
    }
}

impl Stage<u64, 16> {
    fn fill(&mut self, train: &mut Sealer) {
        self.fill_with(train, |stage, train| {
            let mut rows = [(0, 0, 0); ROWS_MAX];
            let mut count = 0;
            // A block gives up to sixteen rows, all or none, so that no cell waits behind its neighbours for ever.
            while let Some(block) = stage.seek() {
                if count + stage.waiting[block].count_ones() as usize > ROWS_MAX {
                    break;
                }
                let (index, mask, values) = stage.take(block);
                for lane in super::batch::bits(u64::from(mask)) {
                    rows[count] = (index * 16 + lane as u32, 0, values[lane]);
                    count += 1;
                }
            }
            debug_assert!(rows[..count].is_sorted_by(|a, b| a.0 < b.0), "a cell stands in a frame once");
            train.frame(Kind::Rows, |draft| {
                draft.rows(&rows[..count]);
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::{Incarnation, Seq, Version};
    use crate::wire::{Entries, Frame, Stamp};
    use alloc::collections::BTreeMap;
    use octick_crypto::{Identity, MeshKeys};

    const LAYOUT: Layout = Layout { slots: 4_096, cells8: true, cells4: true, rows: true };

    fn runs() -> [Run; 2] {
        [Run { first: Slot(64), len: 32 }, Run { first: Slot(1_024), len: 2_048 }]
    }

    /// All cells that the outbox sends, by table and slot, and the number of frames.
    fn drain(outbox: &mut Outbox) -> (BTreeMap<(TableKind, u32), u64>, usize) {
        let identity = Identity::from_seed(&[3; 32]);
        let (mut cells, mut frames) = (BTreeMap::new(), 0);
        while outbox.has_pending() {
            let mut train = Sealer::new();
            outbox.fill(&mut train, true);
            let version = Version::new(1 << 40, identity.id());
            let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(1), version };
            train.seal(&identity, &MeshKeys::derive("test"), &stamp);
            for bytes in train.frames() {
                frames += 1;
                let mut put = |table, slot, value| {
                    assert_eq!(cells.insert((table, slot), value), None, "a cell stands once in a drain");
                };
                match Frame::parse(bytes).expect("what is built parses").entries() {
                    Entries::Block8(blocks) => blocks.iter().for_each(|block| {
                        for lane in crate::data::batch::bits(block.mask.into()) {
                            put(
                                TableKind::Cells8,
                                block.index.get() * 8 + lane as u32,
                                block.values[lane].get(),
                            );
                        }
                    }),
                    Entries::Block16(blocks) => blocks.iter().for_each(|block| {
                        for lane in crate::data::batch::bits(block.mask.get().into()) {
                            let value = block.values[lane].get().into();
                            put(TableKind::Cells4, block.index.get() * 16 + lane as u32, value);
                        }
                    }),
                    Entries::Rows(rows) => (0..rows.len())
                        .for_each(|i| put(TableKind::Rows, rows.slots[i].get(), rows.values[i].get())),
                    Entries::Stats(_) | Entries::Control(_) => unreachable!("an outbox sends cells"),
                }
            }
        }
        (cells, frames)
    }

    #[test]
    fn each_changed_cell_is_sent_once_with_its_last_value() {
        let mut outbox = Outbox::new(&runs(), &LAYOUT);
        let mut want = BTreeMap::new();
        for n in 0..5_000_u32 {
            let slot = 1_024 + n.wrapping_mul(2_654_435_761) % 2_048;
            let update = match n % 3 {
                0 => Update::Cell8(Slot(slot), n.into()),
                1 => Update::Cell4(Slot(slot), n),
                _ => Update::Row(Slot(slot), n.into()),
            };
            outbox.write(update).unwrap();
            want.insert((update.place().0, slot), u64::from(n));
        }
        outbox.write(Update::Cell8(Slot(64), 7)).unwrap();
        want.insert((TableKind::Cells8, 64), 7);
        assert_eq!(drain(&mut outbox).0, want);
        assert!(!outbox.has_pending());
        outbox.refresh();
        assert_eq!(drain(&mut outbox).0, want, "a refresh sends all of it again");
    }

    #[test]
    fn neighbours_share_frames() {
        let mut outbox = Outbox::new(&runs(), &LAYOUT);
        (0..1_000).for_each(|n| outbox.write(Update::Cell8(Slot(1_024 + n), 1)).unwrap());
        let (cells, frames) = drain(&mut outbox);
        assert_eq!((cells.len(), frames), (1_000, 10), "104 cells a frame");
    }

    #[test]
    fn a_write_outside_the_runs_or_without_a_table_is_refused() {
        let mut outbox = Outbox::new(&runs(), &Layout { rows: false, ..LAYOUT });
        for slot in [0, 63, 96, 1_023, 3_072, u32::MAX] {
            let update = Update::Cell8(Slot(slot), 1);
            assert_eq!(outbox.write(update), Err(NotOurs(update)), "slot {slot}");
        }
        assert!(outbox.write(Update::Row(Slot(64), 1)).is_err());
        assert!(!outbox.has_pending());
    }

    #[test]
    fn runs_side_by_side_are_both_written() {
        let runs = [Run { first: Slot(64), len: 16 }, Run { first: Slot(80), len: 16 }];
        let mut outbox = Outbox::new(&runs, &LAYOUT);
        for slot in [64, 79, 80, 95] {
            assert_eq!(outbox.write(Update::Row(Slot(slot), 1)), Ok(()), "slot {slot}");
        }
        assert!(
            outbox.write(Update::Row(Slot(96), 1)).is_err()
                && outbox.write(Update::Row(Slot(63), 1)).is_err()
        );
    }

    #[test]
    fn blocks_that_wait_are_counted_over_all_tables() {
        let mut outbox = Outbox::new(&runs(), &LAYOUT);
        assert_eq!(outbox.pending_blocks(), 0);
        for (i, slot) in [64, 80, 1_024, 1_040, 1_056].into_iter().enumerate() {
            outbox.write(Update::Cell8(Slot(slot), 1)).unwrap();
            outbox.write(Update::Row(Slot(slot), 1)).unwrap();
            assert_eq!(outbox.pending_blocks(), 2 * i + 2);
        }
        outbox.write(Update::Cell4(Slot(64), 1)).unwrap();
        assert_eq!(outbox.pending_blocks(), 11);
        drain(&mut outbox);
        assert_eq!(outbox.pending_blocks(), 0);
    }

    #[test]
    fn a_frame_of_rows_holds_as_many_as_it_may_and_one_more_begins_another() {
        for (rows, expected) in [(ROWS_MAX as u32, 1), (ROWS_MAX as u32 + 1, 2)] {
            let mut outbox = Outbox::new(&runs(), &LAYOUT);
            (0..rows).for_each(|n| outbox.write(Update::Row(Slot(1_024 + n), 1)).unwrap());
            let (cells, frames) = drain(&mut outbox);
            assert_eq!((cells.len(), frames), (rows as usize, expected));
        }
    }

    #[test]
    fn cells_of_four_bytes_wait_for_their_clock_and_others_do_not() {
        let mut outbox = Outbox::new(&runs(), &LAYOUT);
        outbox.write(Update::Cell4(Slot(64), 1)).unwrap();
        assert!(outbox.has_pending() && !outbox.has_fine_pending());
        let mut train = Sealer::new();
        outbox.fill(&mut train, false);
        assert_eq!((train.len(), outbox.has_pending()), (0, true));
        for update in [Update::Cell8(Slot(64), 1), Update::Row(Slot(1_024), 1)] {
            outbox.write(update).unwrap();
            assert!(outbox.has_fine_pending());
            outbox.fill(&mut train, false);
            assert!(!outbox.has_fine_pending() && outbox.has_pending());
        }
        assert_eq!(train.len(), 2);
        outbox.fill(&mut train, true);
        assert_eq!((train.len(), outbox.has_pending()), (3, false));
    }

    #[test]
    fn every_run_and_table_has_its_turn_however_busy_the_first_is() {
        let mut outbox = Outbox::new(&[Run { first: Slot(0), len: 16_384 }, runs()[0]], &LAYOUT);
        let all = |outbox: &mut Outbox| {
            (0..16_384).for_each(|slot| outbox.write(Update::Cell8(Slot(slot), 1)).unwrap());
        };
        all(&mut outbox);
        outbox.write(Update::Row(Slot(8_000), 1)).unwrap();
        let mut trains = 0;
        while outbox.runs[0].rows.pending > 0 {
            let mut train = Sealer::new();
            outbox.fill(&mut train, true);
            // As fast as it is emptied it is filled again.
            all(&mut outbox);
            trains += 1;
            assert!(trains < 20, "the row waits for ever");
        }
    }

    #[test]
    fn what_was_written_in_some_slots_is_sent_again_by_whole_blocks_and_counted_once() {
        let mut outbox = Outbox::new(&runs(), &LAYOUT);
        for slot in [1_024, 1_033, 1_040, 1_056] {
            outbox.write(Update::Cell8(Slot(slot), 1)).unwrap();
        }
        drain(&mut outbox);
        let again = |outbox: &mut Outbox, first, len| {
            outbox.refresh_within(TableKind::Cells8, Run { first: Slot(first), len });
            outbox.refresh_within(TableKind::Cells8, Run { first: Slot(first), len });
            let blocks = outbox.pending_blocks();
            let slots: Vec<u32> = drain(outbox).0.keys().map(|(_, slot)| *slot).collect();
            (blocks, slots)
        };
        assert_eq!(again(&mut outbox, 1_025, 7), (1, [1_024].to_vec()), "its block");
        assert_eq!(again(&mut outbox, 1_031, 2), (2, [1_024, 1_033].to_vec()), "the two that it touches");
        assert_eq!(again(&mut outbox, 1_048, 8), (0, Vec::new()), "of which nothing was written");
        assert_eq!(again(&mut outbox, 0, 4_096), (4, [1_024, 1_033, 1_040, 1_056].to_vec()));
    }
}
