//! The ring of provided buffers: which ones the kernel may fill, in its own layout.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use crate::memory::Mapping;
use crate::pool::{Buffer, Pool};

/// Buffers lent to the kernel. Each is either in here or with its reader, never both.
pub(super) struct BufferRing {
    memory: Mapping,
    depth: u16,
    /// Entries ever published; the kernel sees it modulo 2^16.
    tail: u16,
    /// By number in the pool.
    lent: Box<[Option<Buffer>]>,
    lent_count: usize,
}

impl BufferRing {
    /// A ring of `depth` entries, a power of two, for buffers of a pool of `buffers`. Empty.
    pub(super) fn new(depth: u16, buffers: usize) -> io::Result<Self> {
        assert!(depth.is_power_of_two());
        let memory = Mapping::pages(usize::from(depth) * size_of::<BufRingEntry>())?;
        Ok(Self { memory, depth, tail: 0, lent: (0..buffers).map(|_| None).collect(), lent_count: 0 })
    }

    /// Where it lies: page-aligned, as the kernel wants it.
    pub(super) fn address(&self) -> u64 {
        self.memory.start().as_ptr().addr() as u64
    }

    /// Entries it has.
    pub(super) fn depth(&self) -> u16 {
        self.depth
    }

    /// Buffers that the kernel may fill.
    pub(super) fn lent(&self) -> usize {
        self.lent_count
    }

    /// Lends what the pool has, up to the depth.
    pub(super) fn refill(&mut self, pool: &Pool) {
        let missing = usize::from(self.depth) - self.lent_count;
        if missing == 0 || pool.take_many(missing, |buffer| self.lend(buffer)) == 0 {
            return;
        }
        let first: *const BufRingEntry = self.memory.start().as_ptr().cast();
        // SAFETY: `first` is the first entry of the ring, mapped and aligned; the tail lies in its last two bytes,
        // which only this line writes. Release: the kernel sees the entries before it sees that they are there.
        unsafe {
            let tail = BufRingEntry::tail(first).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }

    /// The buffer that the kernel says it filled.
    pub(super) fn take_back(&mut self, number: u16) -> Option<Buffer> {
        let buffer = self.lent.get_mut(usize::from(number))?.take();
        self.lent_count -= usize::from(buffer.is_some());
        buffer
    }

    fn lend(&mut self, buffer: Buffer) {
        let at = usize::from(self.tail & (self.depth - 1));
        // SAFETY: `at < depth`, and the mapping holds `depth` entries, aligned. The kernel reads this one only after
        // the tail passes it: at most `depth` are lent, so the one before it in this place was taken back.
        unsafe {
            let entry = &mut *self.memory.start().as_ptr().cast::<BufRingEntry>().add(at);
            entry.set_addr(buffer.start().as_ptr().addr() as u64);
            entry.set_len(buffer.len() as u32);
            entry.set_bid(buffer.index());
        }
        self.tail = self.tail.wrapping_add(1);
        self.lent_count += 1;
        let place = usize::from(buffer.index());
        self.lent[place] = Some(buffer);
    }
}
