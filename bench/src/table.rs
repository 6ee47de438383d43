//! One table of any kind, and the way of a batch into it.

use octick_core::data::Windows;
use octick_core::limits::BATCH_MAX;
use octick_core::stamp::OriginIndex;
use octick_core::table::{Blocks8, Blocks16, Kernel, Merged, NoSink, RowTable};
use octick_core::wire::{Entries, Frame, Kind};

use crate::load::{Crowd, EPOCH_MICROS, Frames, Shape};

/// Batches of frames by one origin, to uniformly random places.
pub struct Load {
    shape: Shape,
    crowd: Crowd,
    frames: Frames,
}

impl Load {
    /// Nothing yet; [`Load::next_batch`] makes the first batch.
    pub fn new(shape: Shape) -> Self {
        Self { shape, crowd: Crowd::alone(shape.slots), frames: Frames::new() }
    }

    /// Makes the next batch: other places, other values, the next sequence numbers, and versions as the shape says.
    pub fn next_batch(&mut self) {
        self.frames.next(&self.shape, &mut self.crowd);
    }

    /// The frames of the batch.
    pub fn frames(&self) -> [&[u8]; BATCH_MAX] {
        self.frames.datagrams()
    }

    /// Cells in a batch.
    pub fn cells(&self) -> usize {
        BATCH_MAX * self.shape.cells()
    }
}

/// A table for frames of one kind.
pub enum Table {
    /// For [`Kind::Block8`].
    Blocks8(Blocks8),
    /// For [`Kind::Block16`].
    Blocks16(Blocks16),
    /// For [`Kind::Rows`].
    Rows(RowTable),
}

impl Table {
    /// A table whose every cell is written, and a load whose cells win or lose against it as `shape` says.
    pub fn filled(shape: Shape, kernel: Kernel) -> (Self, Load) {
        let mut table = Self::new(shape.kind, shape.slots, kernel);
        let mut load = Load::new(shape);
        load.frames.fill(&shape, &mut load.crowd, |frames| {
            for bytes in frames {
                table.merge(&Frame::parse(bytes).expect("a load is of frames"));
            }
        });
        (table, load)
    }

    fn new(kind: Kind, slots: u32, kernel: Kernel) -> Self {
        let region = |len| octick::memory::huge_region(len).expect("memory for a table");
        match kind {
            Kind::Block8 => Self::Blocks8(Blocks8::new(slots, region(Blocks8::bytes_needed(slots)), kernel)),
            Kind::Block16 => {
                let epoch = Blocks16::epoch_units_for(EPOCH_MICROS);
                Self::Blocks16(Blocks16::new(slots, region(Blocks16::bytes_needed(slots)), kernel, epoch))
            }
            _ => Self::Rows(RowTable::new(slots, region(RowTable::bytes_needed(slots)), kernel)),
        }
    }

    /// Prefetches what a frame will touch.
    #[inline(always)]
    pub fn prefetch(&self, frame: &Frame<'_>) {
        match (self, frame.entries()) {
            (Self::Blocks8(table), Entries::Block8(entries)) => table.prefetch(entries),
            (Self::Blocks16(table), Entries::Block16(entries)) => table.prefetch(entries),
            (Self::Rows(table), Entries::Rows(rows)) => table.prefetch(&rows),
            _ => panic!("a load is of its table's kind"),
        }
    }

    /// Merges a frame's cells.
    #[inline(always)]
    pub fn merge(&mut self, frame: &Frame<'_>) -> Merged {
        let version = frame.header().version();
        match (self, frame.entries()) {
            (Self::Blocks8(table), Entries::Block8(entries)) => table.merge(version, entries, &mut NoSink),
            (Self::Blocks16(table), Entries::Block16(entries)) => table.merge(version, entries, &mut NoSink),
            (Self::Rows(table), Entries::Rows(rows)) => table.merge(version, &rows, &mut NoSink),
            _ => panic!("a load is of its table's kind"),
        }
    }
}

/// What a thread does with a batch before and after the signatures, which are another budget: parse and ask, then
/// note and merge, the next frame's rows being prefetched meanwhile.
pub fn pipeline(load: &Load, table: &mut Table, windows: &mut Windows) -> Merged {
    let mut merged = Merged::default();
    let mut next = None;
    let (view, origin) = (windows.view(), OriginIndex(0));
    for bytes in load.frames().iter().map(Some).chain([None]) {
        let parsed = bytes.map(|bytes| Frame::parse(bytes).expect("a load is of frames"));
        if let Some(frame) = &parsed {
            table.prefetch(frame);
            view.ask(origin, frame.header().incarnation(), frame.header().seq());
        }
        if let Some(frame) = std::mem::replace(&mut next, parsed) {
            let header = frame.header();
            windows.insert(origin, header.incarnation(), header.seq()).expect("each frame is new");
            merged += table.merge(&frame);
        }
    }
    merged
}
