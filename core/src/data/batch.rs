//! Up to 64 frames on their way through the stages together.

use super::directory::Directory;
use crate::limits::BATCH_MAX;
use crate::stamp::OriginIndex;
use crate::wire::Frame;

const _: () = assert!(BATCH_MAX == u64::BITS as usize, "a batch's frames are bits of one word");

/// A frame and who claims to have made it.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    /// The frame, viewed where it was received.
    pub frame: Frame<'a>,
    /// Its origin's place in the directory.
    pub origin: OriginIndex,
}

/// Frames by their place in the batch, and a bit for each that is still alive. Stages only ever clear bits.
pub struct Batch<'a> {
    frames: [Option<Checked<'a>>; BATCH_MAX],
    live: u64,
    /// A bit for each sound control frame of an unknown origin, which nobody has verified: for the control plane to judge.
    pub strangers: u64,
    /// A bit for each frame that was merged before; nobody has verified this copy.
    pub repeats: u64,
    /// Ticks spent on it so far, verification left out.
    pub ticks: u64,
}

impl Default for Batch<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Batch<'a> {
    /// No frames.
    pub fn new() -> Self {
        Self { frames: [None; BATCH_MAX], live: 0, strangers: 0, repeats: 0, ticks: 0 }
    }

    /// The batch that another thread checked: the frames of `datagrams` whose bit is set in `live`. A frame whose
    /// origin has left the directory meanwhile is left out.
    pub fn reopen(datagrams: impl Iterator<Item = &'a [u8]>, live: u64, directory: &Directory) -> Self {
        let mut batch = Self::new();
        for (i, bytes) in datagrams.take(BATCH_MAX).enumerate().filter(|(i, _)| live >> i & 1 == 1) {
            let frame = Frame::reopen(bytes);
            if let Some(origin) = directory.find(&frame.header().origin()) {
                batch.put(i, Checked { frame, origin });
            }
        }
        assert!(batch.live & !live == 0, "frames of which the other thread said nothing");
        batch
    }

    /// Places a live frame.
    #[inline]
    pub fn put(&mut self, i: usize, checked: Checked<'a>) {
        debug_assert!((self.strangers | self.repeats) >> i & 1 == 0, "frame {i} was judged otherwise before");
        self.frames[i] = Some(checked);
        self.live |= 1 << i;
    }

    /// One bit for each live frame.
    #[inline]
    pub fn mask(&self) -> u64 {
        self.live
    }

    /// The live frames and their places, in order.
    #[inline]
    pub fn live(&self) -> impl Iterator<Item = (usize, &Checked<'a>)> + '_ {
        bits(self.live).map(|i| (i, self.frames[i].as_ref().expect("a live bit has a frame")))
    }

    /// The live frame at `i`, if there is one.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&Checked<'a>> {
        if self.live >> i & 1 == 1 { self.frames[i].as_ref() } else { None }
    }

    /// Drops the live frames among `places`, telling `each` of them.
    pub fn drop_all(&mut self, places: u64, mut each: impl FnMut(&Checked<'a>)) {
        for i in bits(places & self.live) {
            each(self.frames[i].as_ref().expect("a live bit has a frame"));
        }
        self.live &= !places;
    }
}

/// The places of the set bits, lowest first.
#[inline]
pub fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let i = mask.trailing_zeros() as usize;
        (mask != 0).then(|| {
            mask &= mask - 1;
            i
        })
    })
}
