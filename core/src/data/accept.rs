//! May this origin say this, here and now? Everything that can be told before a signature is worth checking.

use octick_crypto::NodeId;

use super::directory::Directory;
use crate::limits::{CONTROL_FRAME_AGE_MAX, RUN_ALIGN};
use crate::reject::Reject;
use crate::stamp::{OriginIndex, Slot};
use crate::state::Layout;
use crate::wire::{Entries, Frame, Kind};

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
    debug_assert!(first <= last && last <= u64::from(u32::MAX), "slots {first} to {last}");
    let (first, last) = (Slot(first as u32), Slot(last as u32));
    if directory.owns(origin, first, last) { Ok(()) } else { Err(Reject::NotOwner) }
}

/// Checks that a control frame is for node `me`, or for anyone, and made in these seconds: nobody gets far with what was said
/// to another, or long ago.
///
/// # Errors
/// [`Reject::Misaddressed`] or [`Reject::Expired`].
pub fn check_control(frame: &Frame<'_>, me: NodeId, terms: &Terms, now_micros: u64) -> Result<(), Reject> {
    debug_assert!(frame.kind() == Kind::Control, "cells are for everybody");
    if !frame.recipient().admits(me) {
        return Err(Reject::Misaddressed);
    }
    let age_max = terms.skew_micros_max.saturating_add(CONTROL_FRAME_AGE_MAX);
    if frame.header().version().micros().saturating_add(age_max) < now_micros {
        return Err(Reject::Expired);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use octick_crypto::{Identity, MeshKeys};

    use super::*;
    use crate::data::roster::Origin;
    use crate::stamp::{Incarnation, Run, Seq, Version};
    use crate::wire::{Block8, Block16, ControlFrame, Sealer, Stamp};

    const NOW: u64 = 1_700_000_000_000_000;
    const TERMS: Terms = Terms {
        layout: Layout { slots: 128, cells8: true, cells4: true, rows: true },
        skew_micros_max: 1_000,
    };
    /// What the origin owns: slots 32 to 63.
    const RUN: Run = Run { first: Slot(32), len: 32 };

    /// A frame of `kind` whose entries have these indices: blocks, or slots.
    fn frame(identity: &Identity, kind: Kind, indices: &[u32], micros: u64) -> Vec<u8> {
        let mut sealer = Sealer::new();
        sealer.frame(kind, |draft| match kind {
            Kind::Block8 => {
                indices.iter().for_each(|i| draft.block8(&Block8::new(*i, 1, 0, [0; 8])).unwrap())
            }
            Kind::Block16 => {
                indices.iter().for_each(|i| draft.block16(&Block16::new(*i, 1, 0, [0; 16])).unwrap());
            }
            _ => {
                assert_eq!(draft.rows(&indices.iter().map(|i| (*i, 0, 0)).collect::<Vec<_>>()), indices.len())
            }
        });
        let version = Version::new(micros, identity.id());
        let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(1), version };
        sealer.seal(identity, &MeshKeys::derive("accept"), &stamp);
        sealer.frames().next().expect("one frame").to_vec()
    }

    fn verdict(kind: Kind, indices: &[u32], terms: &Terms, micros: u64) -> Result<(), Reject> {
        let identity = Identity::from_seed(&[1; 32]);
        let key = identity.public().clone();
        let origin = Origin { key, runs: alloc::vec![RUN], revoked: false };
        let directory = Directory::new(alloc::vec![origin], [1, 2]).unwrap();
        let bytes = frame(&identity, kind, indices, micros);
        check(&Frame::parse(&bytes).unwrap(), OriginIndex(0), &directory, terms, NOW)
    }

    #[test]
    fn an_origin_may_write_to_the_very_ends_of_its_run_and_no_further() {
        for (kind, len) in [(Kind::Block8, 8), (Kind::Block16, 16), (Kind::Rows, 1)] {
            let (first, last) = (32 / len, 63 / len);
            let verdict = |indices: &[u32]| verdict(kind, indices, &TERMS, NOW);
            assert_eq!(verdict(&[first]), Ok(()), "{kind:?}");
            assert_eq!(verdict(&[last]), Ok(()), "{kind:?}");
            assert_eq!(verdict(&[first, last]), Ok(()), "{kind:?}");
            assert_eq!(verdict(&[first - 1]), Err(Reject::NotOwner), "{kind:?}");
            assert_eq!(verdict(&[last + 1]), Err(Reject::NotOwner), "{kind:?}");
            assert_eq!(verdict(&[first - 1, last]), Err(Reject::NotOwner), "{kind:?}");
            assert_eq!(verdict(&[first, last + 1]), Err(Reject::NotOwner), "{kind:?}");
        }
    }

    #[test]
    fn slots_end_where_the_tables_do() {
        for (kind, len) in [(Kind::Block8, 8), (Kind::Block16, 16), (Kind::Rows, 1)] {
            let verdict = |index| verdict(kind, &[index], &TERMS, NOW);
            assert_eq!(verdict(127 / len), Err(Reject::NotOwner), "{kind:?}: inside, and another's");
            assert_eq!(verdict(128 / len), Err(Reject::SlotRange), "{kind:?}");
            assert_eq!(verdict(u32::MAX), Err(Reject::SlotRange), "{kind:?}");
        }
    }

    #[test]
    fn a_table_that_is_not_kept_is_told_apart_from_one_that_is() {
        let none =
            Terms { layout: Layout { cells8: false, cells4: false, rows: false, ..TERMS.layout }, ..TERMS };
        for kind in [Kind::Block8, Kind::Block16, Kind::Rows] {
            assert_eq!(verdict(kind, &[4], &none, NOW), Err(Reject::NoTable), "{kind:?}");
        }
    }

    #[test]
    fn a_version_may_be_as_far_ahead_as_the_terms_say() {
        assert_eq!(verdict(Kind::Rows, &[32], &TERMS, NOW + 1_000), Ok(()));
        assert_eq!(verdict(Kind::Rows, &[32], &TERMS, NOW + 1_001), Err(Reject::Future));
    }

    #[test]
    fn a_control_frame_is_taken_by_whom_it_names_and_in_its_seconds() {
        let (identity, other) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let verdict = |to: Option<NodeId>, micros: u64| {
            let mut control_frame = ControlFrame::new();
            control_frame.address(to);
            assert!(control_frame.push(7, &[1]));
            let mut sealer = Sealer::new();
            sealer.frame(Kind::Control, |draft| draft.control_frame(&control_frame));
            let version = Version::new(micros, identity.id());
            let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(1), version };
            sealer.seal(&identity, &MeshKeys::derive("accept"), &stamp);
            let frame = Frame::parse(sealer.frames().next().expect("one frame")).unwrap();
            check_control(&frame, other.id(), &TERMS, NOW)
        };
        assert_eq!(verdict(Some(other.id()), NOW), Ok(()));
        assert_eq!(verdict(None, NOW), Ok(()));
        assert_eq!(verdict(Some(identity.id()), NOW), Err(Reject::Misaddressed));
        let oldest = NOW - TERMS.skew_micros_max - CONTROL_FRAME_AGE_MAX;
        assert_eq!(verdict(None, oldest), Ok(()));
        assert_eq!(verdict(None, oldest - 1), Err(Reject::Expired));
    }
}
