//! Where one frame ends and the next begins.

use octick_core::limits::FRAME_MAX;
use octick_core::reject::Reject;
use octick_core::wire::dump::claimed_len;
use octick_core::wire::header::MAGIC;
use octick_core::wire::{Damage, Frame};

/// A frame, or bytes that should have been one.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Where it begins in what was split.
    pub at: usize,
    /// Its length, bytes; of damaged bytes in a file, up to the next frame.
    pub len: usize,
    /// The frame, or what is wrong. Offsets of damage count from `at`.
    pub frame: Result<Frame<'a>, Damage>,
}

impl<'a> Piece<'a> {
    fn parse(bytes: &'a [u8], at: usize, len: usize) -> Self {
        Self { at, len, frame: Frame::parse(&bytes[at..at + len]) }
    }
}

/// Splits the payload of one datagram.
///
/// A capture on the sender's side, or on loopback, shows a train as one long datagram: segments of equal length, but
/// the last may be shorter (UDP segmentation offload). So the first frame's own length is the stride.
pub fn datagram(payload: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let stride = claimed_len(payload).filter(|len| payload.get(*len) == Some(&MAGIC)).unwrap_or(usize::MAX);
    let pieces = payload.len().div_ceil(stride).max(1);
    (0..pieces).map(move |i| {
        let at = i * stride;
        Piece::parse(payload, at, stride.min(payload.len() - at))
    })
}

/// Splits a file of frames that stand one behind another.
///
/// Damage does not spread: a frame whose header holds is as long as it says, and after a broken header the search
/// goes on, byte by byte, for the next frame that parses.
pub fn file(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let piece = (at < bytes.len()).then(|| next(bytes, at))?;
        at += piece.len;
        Some(piece)
    })
}

fn next(bytes: &[u8], at: usize) -> Piece<'_> {
    let rest = &bytes[at..];
    if let Some(len) = claimed_len(rest) {
        if len <= rest.len() {
            return Piece::parse(bytes, at, len);
        }
        // The file ends inside the frame; whatever follows its header is what there is of it.
        let frame = Err(Damage { reject: Reject::Truncated, at: rest.len() });
        return Piece { at, len: rest.len(), frame };
    }
    let len = (1..rest.len()).find(|skip| begins_a_frame(&rest[*skip..])).unwrap_or(rest.len());
    // The header itself is at fault, or cut; the length of what follows does not matter.
    let frame = Frame::parse(&rest[..rest.len().min(FRAME_MAX)]);
    Piece { at, len, frame }
}

fn begins_a_frame(bytes: &[u8]) -> bool {
    claimed_len(bytes).is_some_and(|len| bytes.get(..len).is_some_and(|bytes| Frame::parse(bytes).is_ok()))
}
