//! One table of any kind, and the way of a batch into it.

use octick_core::data::Windows;
use octick_core::stamp::OriginIndex;
use octick_core::table::{Blocks8, Blocks16, Kernel, Merged, NoSink, RowTable};
use octick_core::wire::{Entries, Frame, Kind};

use crate::load::{Load, Winners};

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
    /// A table whose every cell is written, and a load whose cells are as `winners` says against it.
    pub fn filled(kind: Kind, slots: u32, mask: u16, winners: Winners, kernel: Kernel) -> (Self, Load) {
        let mut table = Self::new(kind, slots, kernel);
        let mut fill = Load::sweep(kind, slots);
        for _ in 0..slots as usize / fill.cells() + 1 {
            fill.next_batch();
            fill.frames().iter().for_each(|frame| {
                table.merge(&Frame::parse(frame).expect("a load is of frames"));
            });
        }
        let mut load = Load::new(kind, slots, mask, winners);
        load.begin_after(&fill);
        (table, load)
    }

    fn new(kind: Kind, slots: u32, kernel: Kernel) -> Self {
        let region = |len| octick::memory::huge_region(len).expect("memory for a table");
        match kind {
            Kind::Block8 => Self::Blocks8(Blocks8::new(slots, region(Blocks8::bytes_needed(slots)), kernel)),
            Kind::Block16 => {
                let epoch = Blocks16::epoch_units_for(1_800_000_000_000_000);
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
