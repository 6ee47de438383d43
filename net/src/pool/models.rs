//! Buffers that come home from other threads, in every interleaving. The mapping is real; what a model checks of its bytes
//! is kept beside it, in cells that only one thread may be inside of at a time.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;
use octick_core::sync::model;

use super::*;

/// What is in each buffer, as far as the checker can see.
struct Contents(Vec<UnsafeCell<u32>>);

// SAFETY: the checker fails the model when two threads are inside a cell and one of them writes.
unsafe impl Sync for Contents {}
// SAFETY: as above.
unsafe impl Send for Contents {}

impl Contents {
    fn of(pool: &Pool) -> Arc<Self> {
        Arc::new(Self((0..pool.len()).map(|_| UnsafeCell::new(0)).collect()))
    }

    /// As the kernel does to a buffer that a socket holds.
    fn write(&self, buffer: &Buffer) {
        // SAFETY: checked, see above.
        self.0[usize::from(buffer.index())].with_mut(|content| unsafe { *content += 1 });
    }

    fn read(&self, buffer: &Buffer) -> u32 {
        // SAFETY: checked, see above.
        self.0[usize::from(buffer.index())].with(|content| unsafe { *content })
    }
}

#[test]
fn a_buffer_is_written_anew_only_after_its_last_reader() {
    model(|| {
        let pool = Pool::with_payload(1, 64).expect("memory");
        let contents = Contents::of(&pool);
        let buffer = pool.take().expect("all are home");
        contents.write(&buffer);
        let theirs = contents.clone();
        let reader = thread::spawn(move || assert_eq!(theirs.read(&buffer), 1));
        if let Some(again) = pool.take() {
            contents.write(&again);
        }
        reader.join().unwrap();
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn no_buffer_is_handed_to_two() {
    model(|| {
        let pool = Arc::new(Pool::with_payload(2, 64).expect("memory"));
        let contents = Contents::of(&pool);
        let (theirs, their_contents) = (pool.clone(), contents.clone());
        let other = thread::spawn(move || {
            let buffer = theirs.take().expect("one for each");
            their_contents.write(&buffer);
            buffer
        });
        let mine = pool.take().expect("one for each");
        contents.write(&mine);
        let theirs = other.join().unwrap();
        assert_ne!(mine.index(), theirs.index());
        drop((mine, theirs));
        assert_eq!(pool.free(), 2);
    });
}

#[test]
fn memory_is_freed_once_after_the_last_use() {
    model(|| {
        let pool = Pool::with_payload(2, 64).expect("memory");
        let contents = Contents::of(&pool);
        let (first, second) = (pool.take().expect("home"), pool.take().expect("home"));
        let theirs = contents.clone();
        let reader = thread::spawn(move || {
            theirs.read(&first);
        });
        drop(pool);
        contents.read(&second);
        drop(second);
        reader.join().unwrap();
    });
}

/// The pool closes the word while the last buffer comes home: either may be the one that frees.
#[test]
fn memory_is_freed_after_the_handle_is_done_with_it() {
    model(|| {
        let pool = Pool::with_payload(1, 64).expect("memory");
        let buffer = pool.take().expect("home");
        let reader = thread::spawn(move || drop(buffer));
        drop(pool);
        reader.join().unwrap();
    });
}
