//! Buffers that datagrams are received into: taken by a socket, read anywhere, home again on drop.
//!
//! One mapping holds them all. Which are home is a bit each: taking some is one compare-and-swap for the lot,
//! giving one back is one `fetch_or` from whatever thread read it last. The lowest come first, so that a lightly
//! loaded node keeps using the few that are in its cache. A buffer is in exactly one place: home, or in one
//! [`Buffer`]; it cannot leak short of [`std::mem::forget`].

#![allow(unsafe_code)]

use std::ops::Range;
use std::ptr::NonNull;
use std::{fmt, io, slice};

use bytes::Bytes;
use crossbeam::utils::CachePadded;

pub use crate::limits::{PAYLOAD_MAX, POOL_BUFFERS_MAX};
use crate::memory::Mapping;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

/// Room before the payload for what the kernel writes beside it: lengths, sender's address, ancillary data. Two
/// cache lines, so that the payload starts on its own.
pub(crate) const HEAD: usize = 128;
/// Buffers by default: three batches of a hot ring of 16, and one that is being read.
pub const BUFFERS: usize = 64;

/// Strides are odd multiples of this, so that the first lines of neighbours fall into different cache sets.
const STAGGER: usize = 256;
/// Buffers whose bits share a word. Few, so that returns from several threads seldom meet.
const WORD: usize = 32;
/// Bit of a word: the pool's handle is gone, so whoever brings the word's last buffer home closes it.
const CLOSED: u64 = 1 << 63;

/// A fixed number of equal buffers in one mapping.
///
/// The memory lives until both this handle and every [`Buffer`] taken from it are dropped.
pub struct Pool {
    shared: NonNull<Shared>,
}

/// One buffer of a [`Pool`], owned. Dropping it brings it home, from any thread.
pub struct Buffer {
    shared: NonNull<Shared>,
    index: u32,
}

struct Shared {
    memory: Mapping,
    stride: usize,
    payload_max: usize,
    count: usize,
    /// Bit `i` of word `w`: buffer `w * WORD + i` is home.
    home: Box<[CachePadded<AtomicU64>]>,
    /// What still refers to this: the handle, and each word that is not closed with all its buffers home.
    referrers: AtomicUsize,
}

// SAFETY: `Shared` is reached through atomics or is constant, and lives while its referrers do (see `release`).
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}
// SAFETY: a buffer's bytes belong to its one `Buffer`; nothing about them depends on a thread.
unsafe impl Send for Buffer {}
// SAFETY: through `&Buffer` bytes are only read.
unsafe impl Sync for Buffer {}

impl Pool {
    /// `buffers` of [`PAYLOAD_MAX`] bytes, in huge pages where the kernel has them, faulted in now.
    ///
    /// # Errors
    /// The kernel has no memory for it.
    ///
    /// # Panics
    /// `buffers` is 0 or above [`POOL_BUFFERS_MAX`].
    pub fn new(buffers: usize) -> io::Result<Self> {
        Self::with_payload(buffers, PAYLOAD_MAX)
    }

    /// The same with room for `payload_max` bytes each: less memory where trains are not received as one.
    /// Longer datagrams are then truncated, which sockets count.
    ///
    /// # Errors
    /// The kernel has no memory for it.
    ///
    /// # Panics
    /// `buffers` is 0 or above [`POOL_BUFFERS_MAX`], or `payload_max` is 0 or above [`PAYLOAD_MAX`].
    pub fn with_payload(buffers: usize, payload_max: usize) -> io::Result<Self> {
        assert!((1..=POOL_BUFFERS_MAX).contains(&buffers), "a pool of {buffers} buffers");
        assert!((1..=PAYLOAD_MAX).contains(&payload_max), "buffers of {payload_max} bytes");
        let stride = (HEAD + payload_max).next_multiple_of(STAGGER) | STAGGER;
        let memory = Mapping::mostly_huge(buffers * stride)?;
        memory.populate();
        let home: Box<[_]> = (0..buffers.div_ceil(WORD))
            .map(|word| CachePadded::new(AtomicU64::new(all_of(word, buffers))))
            .collect();
        let referrers = AtomicUsize::new(home.len() + 1);
        let shared = Box::new(Shared { memory, stride, payload_max, count: buffers, home, referrers });
        Ok(Self { shared: NonNull::from(Box::leak(shared)) })
    }

    /// A buffer that is home, the lowest first.
    pub fn take(&self) -> Option<Buffer> {
        let mut one = None;
        self.take_many(1, |buffer| one = Some(buffer));
        one
    }

    /// Hands up to `n` buffers that are home to `keep`; says how many.
    pub fn take_many(&self, n: usize, mut keep: impl FnMut(Buffer)) -> usize {
        let mut taken = 0;
        for (word, home) in self.shared().home.iter().enumerate() {
            if taken == n {
                break;
            }
            let mut bits = take_bits(home, n - taken);
            taken += bits.count_ones() as usize;
            while bits != 0 {
                let index = (word * WORD) as u32 + bits.trailing_zeros();
                bits &= bits - 1;
                keep(Buffer { shared: self.shared, index });
            }
        }
        taken
    }

    /// Buffers that are home now.
    pub fn free(&self) -> usize {
        self.shared().home.iter().map(|word| word.load(Ordering::Relaxed).count_ones() as usize).sum()
    }

    /// Buffers in all.
    #[expect(clippy::len_without_is_empty, reason = "no pool is empty")]
    pub fn len(&self) -> usize {
        self.shared().count
    }

    /// Longest payload of a buffer, bytes.
    pub fn payload_max(&self) -> usize {
        self.shared().payload_max
    }

    fn shared(&self) -> &Shared {
        // SAFETY: this handle is one of the referrers, so the box is alive.
        unsafe { self.shared.as_ref() }
    }
}

/// The bits of `word`'s buffers in a pool of `buffers`.
fn all_of(word: usize, buffers: usize) -> u64 {
    (1 << (buffers - word * WORD).min(WORD)) - 1
}

/// Clears up to `n` of the lowest set bits and returns them.
fn take_bits(home: &AtomicU64, n: usize) -> u64 {
    let mut seen = home.load(Ordering::Relaxed);
    loop {
        let mut rest = seen;
        for _ in 0..n {
            rest &= rest.wrapping_sub(1);
        }
        if rest == seen {
            return 0;
        }
        // Acquire: what the last owner read of these buffers happened before the kernel writes them anew.
        match home.compare_exchange_weak(seen, rest, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return seen & !rest,
            Err(now) => seen = now,
        }
    }
}

impl Shared {
    /// Sets `bits` of a word, and lets go of `shared` if that closes it.
    ///
    /// # Safety
    /// `shared` is alive, and the caller holds what `bits` stand for: a buffer of `word`, or the open handle.
    unsafe fn set(shared: NonNull<Self>, word: usize, bits: u64) {
        // SAFETY: alive, because the word is not closed while the caller holds what the bits stand for.
        let (home, all) = unsafe {
            let shared = shared.as_ref();
            (&shared.home[word], all_of(word, shared.count) | CLOSED)
        };
        // Release: reads of the buffer stay before; Acquire: whoever closes frees what others read before.
        if home.fetch_or(bits, Ordering::AcqRel) | bits == all {
            // SAFETY: only one `fetch_or` sets the last bit of a closed word, and this was it.
            unsafe { Self::release(shared) };
        }
    }

    /// One referrer less; the last one frees.
    ///
    /// # Safety
    /// The caller speaks for one referrer, once, and does not touch `shared` afterwards.
    unsafe fn release(shared: NonNull<Self>) {
        // SAFETY: the caller's referrer keeps it alive up to this very decrement; at one, nobody else is left.
        unsafe {
            if shared.as_ref().referrers.fetch_sub(1, Ordering::AcqRel) == 1 {
                drop(Box::from_raw(shared.as_ptr()));
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for word in 0..self.shared().home.len() {
            // SAFETY: the handle is open until here, and is a referrer until the line after the loop.
            unsafe { Shared::set(self.shared, word, CLOSED) };
        }
        // SAFETY: the handle's own reference, given up once, last.
        unsafe { Shared::release(self.shared) };
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let (word, bit) = (self.index as usize / WORD, self.index as usize % WORD);
        // SAFETY: this buffer is out, so its word is not closed; it is given back once, here.
        unsafe { Shared::set(self.shared, word, 1 << bit) };
    }
}

impl Buffer {
    /// Its payload, whole: a datagram fills a part, the rest is what was there before.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.all()[HEAD..]
    }

    /// Turns `range` of the payload into shared bytes without a copy; the buffer comes home when the last clone is
    /// dropped.
    ///
    /// # Panics
    /// `range` leaves the payload.
    pub fn into_bytes(self, range: Range<usize>) -> Bytes {
        struct Filled {
            buffer: Buffer,
            range: Range<usize>,
        }
        impl AsRef<[u8]> for Filled {
            fn as_ref(&self) -> &[u8] {
                &self.buffer.payload()[self.range.clone()]
            }
        }
        Bytes::from_owner(Filled { buffer: self, range })
    }

    /// Its number in its pool.
    pub(crate) fn index(&self) -> u16 {
        self.index as u16
    }

    /// What the kernel wrote before the payload.
    pub(crate) fn head(&self) -> &[u8] {
        &self.all()[..HEAD]
    }

    /// First byte, for the kernel to write from; `len()` bytes are there.
    pub(crate) fn start(&self) -> NonNull<u8> {
        let shared = self.shared();
        // SAFETY: `index < count`, and the mapping holds `count` strides.
        unsafe { shared.memory.start().add(self.index as usize * shared.stride) }
    }

    /// Length with the head, bytes.
    pub(crate) fn len(&self) -> usize {
        HEAD + self.shared().payload_max
    }

    fn all(&self) -> &[u8] {
        // SAFETY: part of one stride of mapped, initialised (zeroed) memory, which belongs to this buffer alone. The kernel
        // writes it only while the socket holds the `Buffer` back from readers.
        unsafe { slice::from_raw_parts(self.start().as_ptr(), self.len()) }
    }

    fn shared(&self) -> &Shared {
        // SAFETY: while this buffer is out its word is not closed, and an unclosed word is a referrer.
        unsafe { self.shared.as_ref() }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("len", &self.len()).field("free", &self.free()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Buffer").field(&self.index).finish()
    }
}

#[cfg(all(test, loom))]
mod models;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_outlives_the_handle_while_a_buffer_is_out() {
        let pool = Pool::with_payload(70, 100).expect("memory");
        let (first, last) = (pool.take().expect("free"), pool.take_many(68, drop));
        assert_eq!((first.index(), last), (0, 68));
        let bytes = first.into_bytes(3..50);
        drop(pool);
        assert!(bytes.iter().all(|&byte| byte == 0) && bytes.len() == 47);
        let clone = bytes.clone();
        drop(bytes);
        assert_eq!(clone.len(), 47);
    }

    #[test]
    fn buffers_do_not_overlap() {
        let pool = Pool::with_payload(5, 1_000).expect("memory");
        let mut spans = Vec::new();
        let mut held = Vec::new();
        while let Some(buffer) = pool.take() {
            let start = buffer.start().as_ptr().addr();
            assert_eq!(start % 64, 0);
            assert!(buffer.payload().len() >= 1_000);
            spans.push((start, start + buffer.len()));
            held.push(buffer);
        }
        assert_eq!(spans.len(), 5);
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    }

    #[test]
    fn buffers_come_home_from_other_threads_and_none_is_handed_out_twice() {
        let pool = Pool::with_payload(100, 64).expect("memory");
        thread::scope(|scope| {
            for _ in 0..3 {
                let (give, get) = mpsc::sync_channel::<Buffer>(40);
                scope.spawn(move || get.into_iter().for_each(drop));
                let pool = &pool;
                scope.spawn(move || {
                    for round in 0..3_000 {
                        pool.take_many(round % 17, |buffer| {
                            // A second owner of the same bytes would see this number change under it.
                            let tag = buffer.start().as_ptr().cast::<u64>();
                            // SAFETY: the buffer is ours alone and longer than eight bytes.
                            unsafe {
                                tag.write_volatile(round as u64);
                                assert_eq!(tag.read_volatile(), round as u64);
                            }
                            give.send(buffer).expect("the reader runs");
                        });
                    }
                });
            }
        });
        assert_eq!(pool.free(), 100);
    }

    proptest! {
        #[test]
        fn a_pool_is_a_set_that_gives_its_lowest(
            buffers in 1usize..100,
            steps in prop::collection::vec((any::<bool>(), 0usize..100), 0..60),
        ) {
            let pool = Pool::with_payload(buffers, 64).expect("memory");
            let mut twin: BTreeSet<usize> = (0..buffers).collect();
            let mut out = Vec::new();
            for (take, n) in steps {
                if take {
                    let before = out.len();
                    let taken = pool.take_many(n, |buffer| out.push(buffer));
                    let expected: Vec<_> = twin.iter().copied().take(n).collect();
                    let got: Vec<usize> = out[before..].iter().map(|buffer| buffer.index().into()).collect();
                    prop_assert_eq!(taken, expected.len());
                    prop_assert_eq!(&got, &expected);
                    twin.retain(|index| !expected.contains(index));
                } else if !out.is_empty() {
                    let buffer: Buffer = out.swap_remove(n % out.len());
                    twin.insert(buffer.index().into());
                }
                prop_assert_eq!(pool.free(), twin.len());
            }
            drop(out);
            prop_assert_eq!(pool.free(), buffers);
        }
    }
}
