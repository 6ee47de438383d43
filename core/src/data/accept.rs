//! May this origin say this, here and now? Everything that can be told before a signature is worth checking.

use super::directory::Directory;
use crate::limits::RUN_ALIGN;
use crate::reject::Reject;
use crate::stamp::{OriginIndex, Slot};
use crate::state::Layout;
use crate::wire::{Entries, Frame};

/// What a node takes, apart from who speaks.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Which tables there are, and how long.
    pub layout: Layout,
    /// How far ahead of this node's clock a version may lie, microseconds.
    pub skew_micros_max: u64,
}

/// Checks time, tables, range and ownership. The answer blames nobody: the frame may be forged.
///
/// # Errors
/// The first of [`Reject::Future`], [`Reject::NoTable`], [`Reject::SlotRange`], [`Reject::NotOwner`] that holds.
#[inline]
pub fn check(
    frame: &Frame<'_>,
    origin: OriginIndex,
    directory: &Directory,
    terms: &Terms,
    now_micros: u64,
) -> Result<(), Reject> {
    if frame.header().version().micros() > now_micros.saturating_add(terms.skew_micros_max) {
        return Err(Reject::Future);
    }
    let layout = &terms.layout;
    let Some((kept, first, last)) = span(frame, layout) else {
        return Ok(());
    };
    if !kept {
        return Err(Reject::NoTable);
    }
    if last >= u64::from(layout.slots) {
        return Err(Reject::SlotRange);
    }
    // Entries rise strictly and runs are whole blocks, so the ends speak for all between.
    let (first, last) = (Slot(first as u32), Slot(last as u32));
    if directory.owns(origin, first, last) { Ok(()) } else { Err(Reject::NotOwner) }
}

/// Whether the frame's table exists, and the first and last slot that it touches; nothing for frames without cells.
#[inline]
fn span(frame: &Frame<'_>, layout: &Layout) -> Option<(bool, u64, u64)> {
    const { assert!(RUN_ALIGN.is_multiple_of(16)) };
    match frame.entries() {
        Entries::Block8(blocks) => {
            let (first, last) = (blocks[0].index.get(), blocks[blocks.len() - 1].index.get());
            Some((layout.cells8, 8 * u64::from(first), 8 * u64::from(last) + 7))
        }
        Entries::Block16(blocks) => {
            let (first, last) = (blocks[0].index.get(), blocks[blocks.len() - 1].index.get());
            Some((layout.cells4, 16 * u64::from(first), 16 * u64::from(last) + 15))
        }
        Entries::Rows(rows) => {
            let (first, last) = (rows.slots[0].get(), rows.slots[rows.len() - 1].get());
            Some((layout.rows, u64::from(first), u64::from(last)))
        }
        Entries::Stats(_) | Entries::Control(_) => None,
    }
}
