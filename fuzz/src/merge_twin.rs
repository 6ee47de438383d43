//! Frames for the three tables: every kernel that this CPU runs gives the cells, counts and changes of the twin.

use octick_core::stamp::{Slot, Version};
use octick_core::state::TableKind;
use octick_core::table::{Blocks8, Blocks16, Kernel, Merged, Region, RowTable, Sink};
use octick_core::wire::{Block8, Block16, Entries, Rows};
use zerocopy::byteorder::little_endian::{U32, U64};

use crate::cursor::Cursor;
use crate::twin::{Changed, Twin};
use crate::world::NOW;

/// Merges the frames that `data` describes into tables of every kernel, and into the twin.
pub fn run(data: &[u8]) {
    let mut input = Cursor::new(data);
    let slots = 1 + u32::from(input.u8()) * 3;
    let mut twin = Twin::new(slots, NOW);
    let first_epoch = twin.epoch_units();
    let mut all: Vec<Tables> =
        Kernel::all_available().map(|kernel| Tables::new(slots, kernel, NOW)).collect();
    let mut frames = Vec::new();
    while !input.is_empty() {
        let version = draw_version(&mut input);
        let said = Said::draw(&mut input);
        if matches!(said, Said::Block16(_)) {
            assert!(all.iter().all(|tables| tables.cells4.horizon_ok(version) == twin.horizon_ok(version)));
            if !twin.horizon_ok(version) {
                continue;
            }
        }
        let (merged, changes) = twin.merge(version, &said.entries());
        for tables in &mut all {
            let mut heard = Heard::default();
            assert_eq!(tables.merge(version, &said.entries(), &mut heard), merged, "{}", tables.kernel);
            assert_eq!(heard.0, changes, "{}", tables.kernel);
        }
        frames.push((version, said));
    }
    all.iter().for_each(|tables| tables.equal(&twin, slots));
    agree_on_the_digest(&mut all, None);

    // The order of arrival does not matter, nor does a second arrival, as long as no clock moved meanwhile.
    if twin.epoch_units() == first_epoch {
        let mut backwards = Tables::new(slots, Kernel::detect(), NOW);
        for (version, said) in frames.iter().rev().chain(&frames) {
            backwards.merge(*version, &said.entries(), &mut Heard::default());
        }
        backwards.equal(&twin, slots);
        let digests = all[0].digests();
        agree_on_the_digest(&mut [backwards], Some(digests));
    }
}

/// Equal cells, equal digest; asking twice changes nothing.
fn agree_on_the_digest(all: &mut [Tables], expected: Option<[octick_core::crypto::Hash; 3]>) {
    let expected = expected.unwrap_or_else(|| all[0].digests());
    for tables in all {
        assert_eq!(tables.digests(), expected, "{}", tables.kernel);
        assert_eq!(tables.digests(), expected, "{}, asked again", tables.kernel);
    }
}

/// Mostly near [`NOW`], by few origins; sometimes so far that the clock of the four-byte cells must move.
fn draw_version(input: &mut Cursor<'_>) -> Version {
    let (amount, shift, tag) = (u64::from(input.u8()), input.u8(), u64::from(input.u8() & 3));
    let distance = amount << (shift % 46);
    let micros = if shift & 0x80 == 0 { NOW + distance } else { NOW.saturating_sub(distance) };
    Version(micros.clamp(Version::MIN_WIRE.micros(), (1 << 52) - 1) << Version::SHIFT | tag << 1)
}

/// The entries of one frame, strictly rising as a checked frame's are.
enum Said {
    Block8(Vec<Block8>),
    Block16(Vec<Block16>),
    Rows { slots: Vec<U32>, ages: Vec<U32>, values: Vec<U64> },
}

impl Said {
    fn draw(input: &mut Cursor<'_>) -> Self {
        let mut said = match input.u8() % 3 {
            0 => Self::Block8(Vec::new()),
            1 => Self::Block16(Vec::new()),
            _ => Self::Rows { slots: Vec::new(), ages: Vec::new(), values: Vec::new() },
        };
        let most = if matches!(said, Self::Rows { .. }) { 58 } else { 13 };
        let count = 1 + usize::from(input.u8()) % most;
        let mut index = u32::from(input.u8());
        for _ in 0..count {
            let (step, age, value) = (input.u8(), input.u8(), u64::from(input.u8() & 3));
            let wide_age = u16::from(age & 0x3F) << (age >> 6 << 2);
            let lane_value = |lane: usize| value + (lane as u64 & u64::from(step >> 7));
            match &mut said {
                Self::Block8(blocks) => {
                    let mask = input.u8().max(1);
                    blocks.push(Block8::new(index, mask, wide_age, std::array::from_fn(lane_value)));
                }
                Self::Block16(blocks) => {
                    let mask = input.u16().max(1);
                    let values = std::array::from_fn(|lane| lane_value(lane) as u32);
                    blocks.push(Block16::new(index, mask, wide_age, values));
                }
                Self::Rows { slots, ages, values } => {
                    slots.push(index.into());
                    ages.push((u32::from(wide_age) << (step >> 4)).min(Rows::AGE_MAX).into());
                    values.push(value.into());
                }
            }
            // Far past every table, now and then.
            let stride = if step == 0xFF { u32::MAX / 3 } else { 1 + u32::from(step & 7) };
            let Some(next) = index.checked_add(stride) else { break };
            index = next;
        }
        said
    }

    fn entries(&self) -> Entries<'_> {
        match self {
            Self::Block8(blocks) => Entries::Block8(blocks),
            Self::Block16(blocks) => Entries::Block16(blocks),
            Self::Rows { slots, ages, values } => Entries::Rows(Rows { slots, ages, values }),
        }
    }
}

/// Writes down what it is told.
#[derive(Default)]
struct Heard(Vec<Changed>);

impl Sink for Heard {
    fn changed(&mut self, index: u32, mask: u16, version: Version) {
        self.0.push((index, mask, version));
    }
}

/// The three tables under one kernel.
struct Tables {
    kernel: Kernel,
    cells8: Blocks8,
    cells4: Blocks16,
    rows: RowTable,
}

impl Tables {
    fn new(slots: u32, kernel: Kernel, now_micros: u64) -> Self {
        let epoch = Blocks16::epoch_units_for(now_micros);
        Self {
            kernel,
            cells8: Blocks8::new(slots, Region::heap(Blocks8::bytes_needed(slots)), kernel),
            cells4: Blocks16::new(slots, Region::heap(Blocks16::bytes_needed(slots)), kernel, epoch),
            rows: RowTable::new(slots, Region::heap(RowTable::bytes_needed(slots)), kernel),
        }
    }

    fn merge(&mut self, version: Version, entries: &Entries<'_>, sink: &mut Heard) -> Merged {
        match entries {
            Entries::Block8(blocks) => {
                self.cells8.prefetch(blocks);
                self.cells8.merge(version, blocks, sink)
            }
            Entries::Block16(blocks) => {
                self.cells4.prefetch(blocks);
                self.cells4.merge(version, blocks, sink)
            }
            Entries::Rows(rows) => {
                self.rows.prefetch(rows);
                self.rows.merge(version, rows, sink)
            }
            Entries::Stats(_) | Entries::Control(_) => Merged::default(),
        }
    }

    /// Every cell is the twin's, alone and in its block.
    fn equal(&self, twin: &Twin, slots: u32) {
        let (readers8, readers4) = (self.cells8.reader(), self.cells4.reader());
        let mut written = [0; 3];
        // A little past the end, where nothing is.
        for slot in (0..slots.next_multiple_of(16) + 32).map(Slot) {
            let (cell8, cell4, row) = (self.cells8.cell(slot), self.cells4.cell(slot), self.rows.cell(slot));
            assert_eq!(cell8, twin.cell8(slot), "{} {slot:?}", self.kernel);
            assert_eq!(cell4, twin.cell4(slot), "{} {slot:?}", self.kernel);
            assert_eq!(row, twin.row(slot), "{} {slot:?}", self.kernel);
            for (count, present) in written.iter_mut().zip([cell8.is_some(), cell4.is_some(), row.is_some()])
            {
                *count += usize::from(present);
            }
            if let (Some(cell), Some(block)) = (cell8, readers8.block(slot.0 / 8)) {
                let lane = slot.0 as usize % 8;
                assert_eq!((block.versions[lane], block.values[lane]), (cell.version, cell.value));
            }
            if let (Some(cell), Some(block)) = (cell4, readers4.block(slot.0 / 16)) {
                let lane = slot.0 as usize % 16;
                assert_eq!((block.versions[lane], block.values[lane]), (cell.version, cell.value));
            }
        }
        assert_eq!(written, TableKind::ALL.map(|table| twin.written(table)), "cells past the end");
    }

    fn digests(&mut self) -> [octick_core::crypto::Hash; 3] {
        [self.cells8.digest(), self.cells4.digest(), self.rows.digest()]
    }
}
