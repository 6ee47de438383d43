//! Once warm, a socket takes no memory from the heap, and makes no system call beyond its batches.

mod socket_rig;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use octick::socket::{Backend, Socket, Wait};
use socket_rig::{backends, frame, open, pool};

/// The system's allocator, counting for each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One train of 50 frames to five addresses, and back in; how many frames came.
fn round(socket: &mut Socket, train: &[&[u8]], out: &mut Vec<octick::socket::Arrival>) -> usize {
    let to = [socket.local_address(); 5];
    assert_eq!(socket.send_train(train, &to).frames_sent, 5 * train.len());
    let mut frames = 0;
    while frames < 5 * train.len() {
        // Less than a batch is ready, and a batch is waited for only this long.
        socket.poll(Wait::Micros(1), out).expect("received");
        frames += out.drain(..).map(|arrival| arrival.frames().count()).sum::<usize>();
    }
    frames
}

#[test]
fn a_warm_socket_allocates_nothing_and_calls_once_a_batch() {
    for backend in backends() {
        let mut socket = open(backend, &pool());
        let train: Vec<_> = (0..50).map(|number| frame(number, 1_232)).collect();
        let slices: Vec<&[u8]> = train.iter().map(Vec::as_slice).collect();
        let mut out = Vec::with_capacity(64);
        for _ in 0..10 {
            round(&mut socket, &slices, &mut out);
        }
        let (allocations, before) = (ALLOCATIONS.get(), socket.counters());
        let frames: usize = (0..100).map(|_| round(&mut socket, &slices, &mut out)).sum();
        let (allocated, after) = (ALLOCATIONS.get() - allocations, socket.counters());
        assert_eq!((allocated, frames), (0, 25_000), "{backend:?}");
        // A send, a receive and, without io_uring, a nap for each batch of 250 frames. The slack is for batches
        // that a busy machine splits; a call a frame would be 25,000.
        let calls = after.syscalls - before.syscalls;
        let least = if socket.backend() == Backend::Uring { 200 } else { 300 };
        assert!((least..2 * least).contains(&calls), "{backend:?}: {calls}");
    }
}

#[test]
fn an_empty_poll_of_io_uring_calls_nobody() {
    let mut socket = open(octick::socket::Choice::Auto, &pool());
    if socket.backend() != Backend::Uring {
        eprintln!("skipped: {}", socket.why());
        return;
    }
    let mut out = Vec::with_capacity(64);
    socket.poll(Wait::None, &mut out).expect("armed");
    let before = socket.counters();
    for _ in 0..1_000 {
        assert_eq!(socket.poll(Wait::None, &mut out).expect("polled"), 0);
    }
    assert_eq!(socket.counters(), before);
}
