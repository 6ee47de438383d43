//! What changed, in merge order, for any number of readers that the engine never waits for.
//!
//! One writer goes round a ring; each reader follows at its own pace and is told how many changes it missed when the
//! writer has lapped it. A change says where and when, not what: the value is read from the table, and is at least
//! as new. That keeps a block's change at three words however wide its values.
//!
//! While nobody reads, nothing is published. Whoever begins to read, and then looks at a table, misses nothing all the same: a
//! flush after which something is missing from the ring counts as a *skip*, which costs one store. A reader that finds
//! another number of skips than when it came is told of a gap; and if it finds none, it came after the flush, whose count it
//! acquired, and sees in the tables what was skipped.
//!
//! Source: the broadcast transmitter of Aeron; the stamp protocol is a seqlock per entry (Boehm, 2012).

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::data::batch::bits;
use crate::stamp::{Slot, Version};
use crate::state::TableKind;
use crate::sync::{AtomicU64, AtomicUsize, Ordering, fence};

/// Some neighbouring cells took a newer value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// In which table.
    pub table: TableKind,
    /// The first slot that `mask` speaks of: the first of a block, or the slot of a single row.
    pub first: Slot,
    /// Bit i says that slot `first + i` changed.
    pub mask: u16,
    /// The version that they took.
    pub version: Version,
}

impl Change {
    /// The slots that changed, rising.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let first = self.first.0;
        bits(self.mask.into()).map(move |lane| Slot(first + lane as u32))
    }
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next change.
    Change(Change),
    /// This many changes were overwritten before they were read, or some were merged while this reader subscribed, which counts as
    /// one; the next call goes on behind them.
    Missed(u64),
    /// Nothing yet.
    Empty,
}

#[cfg_attr(not(loom), derive(zerocopy::FromZeros))]
struct Entry {
    /// Number of the change plus one, once it is complete; anything else while it is not.
    stamp: AtomicU64,
    version: AtomicU64,
    /// Table in bits 48 to 55, mask in bits 32 to 47, slot below.
    place: AtomicU64,
}

impl Entry {
    /// So many that are not complete, in memory that nothing touches before the first change does: most nodes have no readers.
    #[cfg(not(loom))]
    fn none(count: usize) -> Box<[Self]> {
        zerocopy::FromZeros::new_box_zeroed_with_elems(count).expect("memory for the ring of changes")
    }

    #[cfg(loom)]
    fn none(count: usize) -> Box<[Self]> {
        let entry =
            || Self { stamp: AtomicU64::new(0), version: AtomicU64::new(0), place: AtomicU64::new(0) };
        (0..count).map(|_| entry()).collect()
    }
}

struct Ring {
    entries: Box<[Entry]>,
    readers: AtomicUsize,
    /// Flushes so far before which something was merged and not put on the ring, for want of readers.
    skips: AtomicU64,
    /// Changes published so far.
    head: AtomicU64,
}

/// The engine's end.
pub struct Publisher {
    ring: Arc<Ring>,
    head: u64,
    skips: u64,
    /// Whether the next flush counts as a skip.
    skipped: bool,
}

impl Publisher {
    /// A ring of `capacity` changes, rounded up to a power of two; 24 bytes each.
    pub fn new(capacity: usize) -> Self {
        let entries = Entry::none(capacity.max(2).next_power_of_two());
        Self {
            ring: Arc::new(Ring {
                entries,
                readers: AtomicUsize::new(0),
                skips: AtomicU64::new(0),
                head: AtomicU64::new(0),
            }),
            head: 0,
            skips: 0,
            skipped: false,
        }
    }

    /// Whether anybody reads. Without readers the engine need not publish, and [skips](Publisher::skip) what it merges.
    #[inline]
    pub fn has_readers(&self) -> bool {
        self.ring.readers.load(Ordering::Relaxed) > 0
    }

    /// Takes note that something is merged and not pushed, because nobody reads.
    #[inline]
    pub fn skip(&mut self) {
        self.skipped = true;
    }

    /// Puts a change on the ring, over the oldest one. Readers see it after the next [`Publisher::flush`].
    #[inline]
    pub fn push(&mut self, change: Change) {
        let entry = &self.ring.entries[self.head as usize & (self.ring.entries.len() - 1)];
        self.head += 1;
        // A reader that meets this entry from here on finds a stamp that is not its own, and counts a miss.
        entry.stamp.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        entry.version.store(change.version.0, Ordering::Relaxed);
        let place = (change.table as u64) << 48 | u64::from(change.mask) << 32 | u64::from(change.first.0);
        entry.place.store(place, Ordering::Relaxed);
        entry.stamp.store(self.head, Ordering::Release);
    }

    /// A number that changes whenever readers may find something that they did not find before.
    #[inline]
    pub fn news(&self) -> u64 {
        // Who subscribed a moment ago may have been overlooked by the flush; so this looks again whenever it is asked.
        self.head + if self.has_readers() { self.skips } else { 0 }
    }

    /// Shows readers all that was pushed; once a batch.
    #[inline]
    pub fn flush(&mut self) {
        if core::mem::take(&mut self.skipped) {
            self.skips += 1;
            // After the merges: whoever sees the count sees them.
            self.ring.skips.store(self.skips, Ordering::Release);
        }
        self.ring.head.store(self.head, Ordering::Release);
    }

    /// Where readers are made.
    pub fn source(&self) -> Source {
        Source { ring: self.ring.clone() }
    }
}

/// Makes readers, on any thread.
#[derive(Clone)]
pub struct Source {
    ring: Arc<Ring>,
}

impl Source {
    /// A reader of the changes from now on: of those that a look at the tables after this does not show. Changes that were
    /// being merged meanwhile may be told as missed.
    pub fn subscribe(&self) -> Reader {
        self.ring.readers.fetch_add(1, Ordering::Relaxed);
        let skips = self.ring.skips.load(Ordering::Acquire);
        Reader { next: self.ring.head.load(Ordering::Acquire), skips, ring: self.ring.clone() }
    }
}

/// A reader's place in the ring.
pub struct Reader {
    ring: Arc<Ring>,
    next: u64,
    /// Skips when it came, or when it was last told of one.
    skips: u64,
}

impl Reader {
    /// The next change, or how many were missed. Never waits.
    pub fn poll(&mut self) -> Next {
        let skips = self.ring.skips.load(Ordering::Acquire);
        if skips != self.skips {
            self.skips = skips;
            return Next::Missed(1);
        }
        let head = self.ring.head.load(Ordering::Acquire);
        if self.next == head {
            return Next::Empty;
        }
        match self.read() {
            Some(change) => {
                self.next += 1;
                Next::Change(change)
            }
            // Lapped: go on half a ring behind the writer, so that it does not lap the reader again at once.
            None => {
                let resume = head.saturating_sub(self.ring.entries.len() as u64 / 2).max(self.next + 1);
                let missed = resume - self.next;
                self.next = resume;
                Next::Missed(missed)
            }
        }
    }

    /// The change numbered `next`, if it is still whole.
    fn read(&self) -> Option<Change> {
        let entry = &self.ring.entries[self.next as usize & (self.ring.entries.len() - 1)];
        if entry.stamp.load(Ordering::Acquire) != self.next + 1 {
            return None;
        }
        let version = Version(entry.version.load(Ordering::Relaxed));
        let place = entry.place.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if entry.stamp.load(Ordering::Relaxed) != self.next + 1 {
            return None;
        }
        let table = TableKind::ALL[(place >> 48) as usize];
        Some(Change { table, first: Slot(place as u32), mask: (place >> 32) as u16, version })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.ring.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;

    fn change(n: u64) -> Change {
        Change {
            table: TableKind::Cells8,
            first: Slot(n as u32),
            mask: 1 << (n % 8),
            version: Version(n << 12),
        }
    }

    #[test]
    fn changes_come_in_the_order_of_the_merge() {
        let mut publisher = Publisher::new(8);
        let mut reader = publisher.source().subscribe();
        (0..5).for_each(|n| publisher.push(change(n)));
        assert_eq!(reader.poll(), Next::Empty, "nothing shows before the flush");
        publisher.flush();
        for n in 0..5 {
            assert_eq!(reader.poll(), Next::Change(change(n)));
        }
        assert_eq!(reader.poll(), Next::Empty);
    }

    #[test]
    fn a_slow_reader_is_told_exactly_how_many_it_missed() {
        let mut publisher = Publisher::new(8);
        let mut reader = publisher.source().subscribe();
        let (mut seen, mut missed) = (0, 0);
        for n in 0..1_000 {
            publisher.push(change(n));
            publisher.flush();
            if n % 37 == 0 || n == 999 {
                loop {
                    match reader.poll() {
                        Next::Change(found) => {
                            assert_eq!(
                                found,
                                change(seen + missed),
                                "the next one, or the next after the gap"
                            );
                            seen += 1;
                        }
                        Next::Missed(gap) => missed += gap,
                        Next::Empty => break,
                    }
                }
            }
        }
        assert_eq!(seen + missed, 1_000);
        assert!(missed > 500, "a ring of 8 cannot hold 37");
    }

    #[test]
    fn a_reader_beside_a_running_writer_never_reads_a_torn_change() {
        let mut publisher = Publisher::new(64);
        let mut reader = publisher.source().subscribe();
        const LAST: u64 = 200_000;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for n in 0..LAST {
                    publisher.push(change(n));
                    publisher.flush();
                }
            });
            let mut next = 0;
            while next < LAST {
                match reader.poll() {
                    Next::Change(found) => {
                        assert_eq!(found, change(next));
                        next += 1;
                    }
                    Next::Missed(gap) => next += gap,
                    Next::Empty => std::hint::spin_loop(),
                }
            }
        });
    }

    #[test]
    fn a_change_names_its_slots() {
        let slots = |mask| Change { first: Slot(48), mask, ..change(0) }.slots().map(|slot| slot.0);
        assert!(slots(0b1000_0000_0000_0101).eq([48, 50, 63]));
        assert!(slots(0).eq([]));
    }

    #[test]
    fn who_comes_while_something_is_merged_is_told_of_a_gap_and_goes_on_behind_it() {
        let mut publisher = Publisher::new(8);
        (0..20).for_each(|n| publisher.push(change(n)));
        publisher.flush();
        publisher.skip();
        let mut reader = publisher.source().subscribe();
        publisher.push(change(20));
        publisher.flush();
        let polled = [(); 3].map(|()| reader.poll());
        assert_eq!(polled, [Next::Missed(1), Next::Change(change(20)), Next::Empty]);
        publisher.push(change(21));
        publisher.flush();
        let polled = [(); 2].map(|()| reader.poll());
        assert_eq!(polled, [Next::Change(change(21)), Next::Empty]);
    }

    #[test]
    fn what_was_skipped_before_somebody_came_is_no_gap() {
        let mut publisher = Publisher::new(8);
        publisher.skip();
        publisher.flush();
        let mut reader = publisher.source().subscribe();
        publisher.flush();
        assert_eq!(reader.poll(), Next::Empty);
    }

    #[test]
    fn who_came_while_something_was_merged_is_worth_waking() {
        let mut publisher = Publisher::new(8);
        let before = publisher.news();
        publisher.skip();
        let reader = publisher.source().subscribe();
        publisher.flush();
        assert_ne!(publisher.news(), before);
        drop(reader);
    }

    #[test]
    fn the_engine_can_tell_that_nobody_reads() {
        let publisher = Publisher::new(8);
        assert!(!publisher.has_readers());
        let reader = publisher.source().subscribe();
        assert!(publisher.has_readers());
        drop(reader);
        assert!(!publisher.has_readers());
    }

    #[test]
    fn changes_are_counted_as_they_are_pushed() {
        let mut publisher = Publisher::new(4);
        for n in 0..9 {
            assert_eq!(publisher.news(), n);
            publisher.push(change(n));
        }
    }

    #[test]
    fn whoever_was_lapped_goes_on_half_a_ring_behind_the_writer() {
        let mut publisher = Publisher::new(64);
        let mut reader = publisher.source().subscribe();
        (0..1_000).for_each(|n| publisher.push(change(n)));
        publisher.flush();
        assert_eq!(reader.poll(), Next::Missed(1_000 - 32));
        assert_eq!(reader.poll(), Next::Change(change(968)));
    }
}
