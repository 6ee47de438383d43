//! What was received: a datagram, or a train of them that the kernel kept together.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::slice;

use bytes::Bytes;

use super::address::{self, V6_LEN};
use super::control::{Ancillary, CONTROL_LEN};
use super::counters::Counters;
pub use crate::limits::SEGMENTS_MAX;
use crate::pool::{Buffer, HEAD};

/// Where the sender's address lies in a buffer's head. Before it is io_uring's own header of 16 bytes.
pub(super) const NAME_AT: usize = 16;
/// Room for it.
pub(super) const NAME_LEN: usize = CONTROL_AT - NAME_AT;
/// Where ancillary data lies.
pub(super) const CONTROL_AT: usize = HEAD - CONTROL_LEN;

const _: () = assert!(NAME_LEN >= V6_LEN && CONTROL_AT.is_multiple_of(8));

/// Datagrams of one sender in one buffer, end to end: one, or up to [`SEGMENTS_MAX`] that travelled as a train.
#[derive(Debug)]
pub struct Arrival {
    buffer: Buffer,
    from: SocketAddr,
    stamp_ns: u64,
    len: u32,
    segment: u16,
}

const _: () = assert!(size_of::<Arrival>() <= 64);

impl Arrival {
    /// Reads what the kernel wrote into `buffer`: `len` bytes of payload, `name_len` and `control_len` of its head.
    /// Nothing for datagrams that are empty, whose length is none of `lens`, or that were truncated; they are
    /// counted and the buffer goes home. Of a train all but the last are as long as the first; the last is let through.
    #[inline]
    pub(super) fn read(
        buffer: Buffer,
        received: Received,
        lens: &RangeInclusive<usize>,
        counters: &mut Counters,
    ) -> Option<Self> {
        if received.truncated {
            counters.truncated += 1;
            return None;
        }
        let name = &buffer.head()[NAME_AT..CONTROL_AT][..received.name_len.min(NAME_LEN)];
        let control = &buffer.head()[CONTROL_AT..][..received.control_len.min(CONTROL_LEN)];
        let Some(from) = address::decode(name) else {
            counters.truncated += 1;
            return None;
        };
        let Ancillary { segment, stamp_ns } = Ancillary::parse(control);
        let mut len = received.len;
        let segment = if segment == 0 { len } else { usize::from(segment).min(len) };
        if segment == 0 || !lens.contains(&segment) {
            counters.wrong_length += len.div_ceil(segment.max(1)).max(1) as u64;
            return None;
        }
        if len > segment * SEGMENTS_MAX {
            counters.truncated += 1;
            len = segment * SEGMENTS_MAX;
        }
        counters.arrivals += 1;
        Some(Self { buffer, from, stamp_ns, len: len as u32, segment: segment as u16 })
    }

    /// Who sent it.
    #[inline]
    pub fn from(&self) -> SocketAddr {
        self.from
    }

    /// When the kernel received it, by `CLOCK_REALTIME`, ns; 0 if the socket was not asked to stamp.
    #[inline]
    pub fn stamp_ns(&self) -> u64 {
        self.stamp_ns
    }

    /// Every frame, end to end. Never empty.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer.payload()[..self.len as usize]
    }

    /// Length of each frame but the last, which may be shorter.
    #[inline]
    pub fn segment(&self) -> usize {
        self.segment.into()
    }

    /// How many frames: 1 to [`SEGMENTS_MAX`].
    #[inline]
    pub fn count(&self) -> usize {
        (self.len as usize).div_ceil(self.segment())
    }

    /// Each frame, in the order sent.
    #[inline]
    pub fn frames(&self) -> slice::Chunks<'_, u8> {
        self.bytes().chunks(self.segment())
    }

    /// Every frame as shared bytes, without a copy: for what must outlive the receive path. The buffer is out
    /// until the last clone or slice of them is dropped.
    pub fn into_bytes(self) -> Bytes {
        self.buffer.into_bytes(0..self.len as usize)
    }
}

/// What the kernel says it wrote into a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) len: usize,
    pub(super) name_len: usize,
    pub(super) control_len: usize,
    pub(super) truncated: bool,
}
