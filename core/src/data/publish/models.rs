//! The publish ring, in every interleaving of its writer with a reader that it may lap.

use loom::thread;

use super::*;
use crate::sync::model;

/// The smallest ring there is: the third change laps whoever has read none.
const CAPACITY: usize = 2;

fn change(n: u64) -> Change {
    Change { table: TableKind::Rows, first: Slot(n as u32), mask: 1 << n, version: Version(n << 12) }
}

/// A writer of `changes`, flushed one by one, while a reader polls `polls` times, and then to the end.
fn reads_beside_the_writer(changes: u64, polls: usize) {
    model(move || {
        let mut publisher = Publisher::new(CAPACITY);
        let mut reader = publisher.source().subscribe();
        let writer = thread::spawn(move || {
            for n in 0..changes {
                publisher.push(change(n));
                publisher.flush();
            }
        });
        let mut next = 0;
        let mut poll = |reader: &mut Reader| match reader.poll() {
            Next::Change(found) => {
                assert_eq!(found, change(next), "whole, and the next one");
                next += 1;
                true
            }
            Next::Missed(gap) => {
                assert!(gap > 0, "a gap of nothing");
                next += gap;
                true
            }
            Next::Empty => false,
        };
        for _ in 0..polls {
            poll(&mut reader);
        }
        writer.join().unwrap();
        while poll(&mut reader) {}
        assert_eq!(next, changes, "seen and missed add up to what was published");
    });
}

#[test]
fn a_change_is_read_whole_or_counted_as_missed() {
    reads_beside_the_writer(3, 2);
}

#[test]
fn a_reader_that_was_lapped_twice_counts_what_it_missed() {
    reads_beside_the_writer(5, 1);
}

#[test]
fn changes_of_one_flush_are_seen_in_order() {
    model(|| {
        let mut publisher = Publisher::new(CAPACITY);
        let mut reader = publisher.source().subscribe();
        let writer = thread::spawn(move || {
            publisher.push(change(0));
            publisher.push(change(1));
            publisher.flush();
        });
        let first = reader.poll();
        if first != Next::Empty {
            assert_eq!((first, reader.poll()), (Next::Change(change(0)), Next::Change(change(1))));
        }
        writer.join().unwrap();
    });
}

/// Something is merged into a table, here one word, while somebody subscribes and then looks at it.
#[test]
fn who_subscribes_during_a_merge_sees_it_or_is_told_of_it() {
    model(|| {
        let mut publisher = Publisher::new(CAPACITY);
        let source = publisher.source();
        let table = loom::sync::Arc::new(AtomicU64::new(0));
        let merged = table.clone();
        let engine = thread::spawn(move || {
            if publisher.has_readers() {
                publisher.push(change(0));
            } else {
                publisher.skip();
            }
            merged.store(1, Ordering::Relaxed);
            publisher.flush();
        });
        let mut reader = source.subscribe();
        let seen = table.load(Ordering::Relaxed) == 1;
        engine.join().unwrap();
        assert!(seen || reader.poll() != Next::Empty, "neither in the table nor told");
    });
}

/// The same: who is told of it finds it when looking again.
#[test]
fn who_is_told_of_a_skip_finds_in_the_table_what_was_skipped() {
    model(|| {
        let mut publisher = Publisher::new(CAPACITY);
        let mut reader = publisher.source().subscribe();
        let table = loom::sync::Arc::new(AtomicU64::new(0));
        let merged = table.clone();
        let engine = thread::spawn(move || {
            publisher.skip();
            merged.store(1, Ordering::Relaxed);
            publisher.flush();
        });
        if reader.poll() == Next::Missed(1) {
            assert_eq!(table.load(Ordering::Relaxed), 1, "told before it is there");
        }
        engine.join().unwrap();
    });
}
