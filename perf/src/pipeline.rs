//! The hot path without sockets and signatures: parse, window, merge, a batch at a time.
//!
//! The functions are those of the data plane, in the order in which `Ingress` and `Engine` call them. Left out are
//! the checks that cost once a frame and not a cell (ownership, skew), and verification, which has rows of its own.

use octick_core::crypto::NodeId;
use octick_core::data::batch::{Batch, Checked};
use octick_core::data::{Directory, Windows};
use octick_core::limits::BATCH_MAX;
use octick_core::stamp::Incarnation;
use octick_core::state::{Layout, Regions, State};
use octick_core::table::{Kernel, Merged, NoSink, Region};
use octick_core::wire::{Frame, Kind};

use crate::load::{EPOCH_MICROS, Shape};

/// The life of every origin of a load.
pub(crate) const LIFE: Incarnation = Incarnation(1);

/// One node's windows and one of its tables.
pub(crate) struct Pipeline {
    directory: Directory,
    windows: Windows,
    state: State,
}

impl Pipeline {
    /// An empty table for frames of `shape` from the origins of `directory`.
    pub(crate) fn new(shape: &Shape, kernel: Kernel, directory: &Directory) -> Self {
        let layout = Layout {
            slots: shape.slots,
            cells8: shape.kind == Kind::Block8,
            cells4: shape.kind == Kind::Block16,
            rows: shape.kind == Kind::Rows,
        };
        let Ok(regions) = Regions::take(&layout, |len| Ok::<_, std::convert::Infallible>(region(len)));
        let state = State::new(layout, regions, kernel, EPOCH_MICROS);
        Self { directory: directory.clone(), windows: Windows::new(directory.len()), state }
    }

    /// Takes up to [`BATCH_MAX`] datagrams all the way.
    ///
    /// # Panics
    /// When one is damaged, of a stranger, or seen before: a load has none of these.
    #[inline(never)]
    pub(crate) fn take(&mut self, datagrams: &[&[u8]]) -> Merged {
        let batch = self.parse(datagrams);
        self.merge(&batch)
    }

    #[inline]
    fn parse<'a>(&self, datagrams: &[&'a [u8]]) -> Batch<'a> {
        let mut frames = [None; BATCH_MAX];
        let mut ids = [NodeId([0; 16]); BATCH_MAX];
        for ((bytes, frame), id) in datagrams.iter().zip(&mut frames).zip(&mut ids) {
            let parsed = Frame::parse(bytes).expect("a load is well formed");
            *id = parsed.header().origin();
            *frame = Some(parsed);
        }
        let mut origins = [None; BATCH_MAX];
        let (ids, origins) = (&ids[..datagrams.len()], &mut origins[..datagrams.len()]);
        self.directory.find_many(ids, origins, |origin| self.windows.prefetch(origin));
        let mut batch = Batch::new();
        for (i, (frame, origin)) in frames.into_iter().zip(origins).enumerate() {
            let (frame, origin) = frame.zip(*origin).expect("the crowd is known");
            batch.put(i, Checked { frame, origin });
        }
        batch
    }

    #[inline]
    fn merge(&mut self, batch: &Batch<'_>) -> Merged {
        let mut merged = Merged::default();
        let mut live = batch.live().peekable();
        if let Some((_, first)) = live.peek() {
            self.state.prefetch(&first.frame);
        }
        while let Some((_, Checked { frame, origin })) = live.next() {
            if let Some((_, next)) = live.peek() {
                self.state.prefetch(&next.frame);
            }
            let header = frame.header();
            let new = self.windows.insert(*origin, header.incarnation(), header.seq());
            new.expect("a load has no duplicates");
            merged += self.state.merge(frame, &mut NoSink);
        }
        merged
    }
}

/// Memory for a table, in huge pages where the system has them.
pub(crate) fn region(len: usize) -> Region {
    let region = Region::heap(len.next_multiple_of(Region::ALIGN));
    // Advice only; its refusal leaves ordinary pages.
    const COLLAPSE: i32 = 25;
    // SAFETY: the range is exactly the region's; collapsing pages does not change what they hold.
    unsafe { libc::madvise(region.base().as_ptr().cast(), region.len(), COLLAPSE) };
    region
}
