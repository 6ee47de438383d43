//! In steady state a node allocates nothing: not for a frame, not for a batch, not for a train, not for a group of writes,
//! not for those who wait for changes, and not to make durable what must not be forgotten; and a member of a settled mesh not
//! for probes, rounds, ids, and comparisons of tables.
//!
//! What may allocate is rare: a member that comes, goes, is suspected or announces itself anew; the hourly order of ranks; a
//! session of two members of which one lacks much; a socket that is full; more of anything at once than ever before.

mod patience;

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use octick::{
    Config, Counter, FileStore, Handle, Identity, Layout, Membership, Mode, Peer, RecvError, Run, Slot,
    Update,
};
use patience::{PATIENCE, until};

/// Counts every allocation of the process.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: passes every call on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system wants.
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, place: *mut u8, memory: Memory) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, memory) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// Allocations are counted for the whole process, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn identity(n: usize) -> Identity {
    Identity::from_seed(&[n as u8 + 1; 32])
}

fn start(n: usize, addresses: [SocketAddr; 2], mode: Mode) -> Handle {
    let run = |n| Run { first: Slot(1_024 * n as u32), len: 1_008 };
    let mut config = Config::new(identity(n), addresses[n]);
    config.layout = Layout { slots: 2_048, cells8: true, cells4: true, rows: true };
    config.runs = vec![run(n)];
    let other = 1 - n;
    let key = identity(other).public().clone();
    config.peers = vec![Peer { key, addr: Some(addresses[other]), runs: vec![run(other)], revoked: false }];
    config.threads.mode = mode;
    config.verify_at_once = true;
    config.push.refresh = Duration::from_millis(50);
    // What must not be forgotten is saved four times a second.
    config.skew_max = Duration::from_secs(1);
    let state = format!("octick-steady-{}-{n}-{mode:?}.state", std::process::id());
    let store = FileStore::new(std::env::temp_dir().join(state), identity(n).id());
    config.stable_store = Box::new(store);
    octick::start(config.check().expect("sound")).expect("it starts")
}

/// Keeps both nodes busy until the second has merged `frames` more frames of the first.
fn work(nodes: &[Handle; 2], frames: u64) {
    let merged = || nodes[1].tally().get(Counter::FramesFresh);
    let (goal, began) = (merged() + frames, Instant::now());
    let writers = [nodes[0].writer(), nodes[1].writer()];
    let mut value = 0_u64;
    while merged() < goal {
        assert!(began.elapsed() < Duration::from_secs(30), "the mesh stands still");
        value += 1;
        for (n, writer) in writers.iter().enumerate() {
            let slot = Slot(1_024 * n as u32 + (value % 1_008) as u32);
            // A full queue only means that the node is busy, which is what is wanted.
            let _ = writer.write(Update::Cell8(slot, value));
            let _ = writer.write(Update::Cell4(slot, value as u32));
            let _ = writer.write(Update::Row(slot, value));
            let block = [0, 1, 2, 3].map(|lane| Update::Cell8(Slot(1_024 * n as u32 + lane), value));
            let _ = writer.write_all(&block);
        }
    }
}

/// Waits for changes until the node ends, as a thread and as a task; counts how often it was woken.
fn wait(mut changes: octick::Changes, woken: &AtomicU64) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match changes.recv(Duration::from_secs(30)) {
            Ok(_) => {}
            Err(RecvError::Closed) => return,
            Err(RecvError::Timeout) => panic!("the mesh stands still"),
        }
        woken.fetch_add(1, Ordering::Relaxed);
        match changes.poll_recv(&mut context) {
            Poll::Ready(None) => return,
            Poll::Ready(Some(_)) => {}
            Poll::Pending => thread::park_timeout(Duration::from_millis(1)),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn nothing_is_allocated_once_the_node_is_warm() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for mode in [Mode::Solo, Mode::Split { ingress: 1 }] {
        let held = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
        let addresses = held.map(|socket| socket.local_addr().expect("bound"));
        let nodes = [0, 1].map(|n| start(n, addresses, mode));
        let (woken, subscribers) = (AtomicU64::new(0), nodes.each_ref().map(Handle::subscribe));
        thread::scope(|scope| {
            for changes in subscribers {
                scope.spawn(|| wait(changes, &woken));
            }
            work(&nodes, 2_000);
            let before = (ALLOCATIONS.load(Ordering::Relaxed), woken.load(Ordering::Relaxed));
            work(&nodes, 10_000);
            let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before.0;
            assert_eq!(allocated, 0, "{allocated} allocations in 10,000 frames, {mode:?}");
            assert!(woken.load(Ordering::Relaxed) > before.1, "somebody waited meanwhile");
            nodes.into_iter().for_each(|node| drop(node.stop().expect("it ran")));
        });
        for n in [0, 1] {
            let state = format!("octick-steady-{}-{n}-{mode:?}.state", std::process::id());
            for file in [format!("{state}.lock"), state] {
                drop(std::fs::remove_file(std::env::temp_dir().join(file)));
            }
        }
    }
}

/// Nodes of a mesh: as few as have somebody to ask for help.
const MEMBERS: usize = 3;
/// Control frames of each member in a window: several probes and rounds, and a comparison of tables.
const CONTROL_FRAMES: u64 = 12;
/// Windows in which a loaded machine may have kept a member from answering, which others then talk about.
const WINDOWS: usize = 12;

fn member(n: usize, seed: Option<SocketAddr>, mode: Mode) -> Handle {
    let mut config = Config::new(identity(n), "127.0.0.1:0".parse().expect("an address"));
    config.layout = Layout { slots: 1_024, cells8: true, cells4: true, rows: true };
    config.runs = vec![Run { first: Slot(256 * n as u32), len: 240 }];
    config.threads.mode = mode;
    config.verify_at_once = true;
    let mut membership = Membership { frame_cache: 1 << 20, ..Membership::default() };
    membership.settings.seeds = seed.into_iter().collect();
    // So many have come before the first window, and from then on each new one takes the place of another.
    membership.spread.updates_max = 1 << 11;
    membership.spread.missing_max = 1 << 11;
    config.membership = Some(membership);
    octick::start(config.check().expect("sound")).expect("it starts")
}

/// Writes at all members, at a pace that sockets can follow, until each has merged `frames` more frames and made as many
/// control frames as a window has. Returns how often memory was taken meanwhile.
fn window(nodes: &[Handle], frames: u64) -> u64 {
    let counts = || {
        let count = |node: &Handle, what| node.tally().get(what);
        std::array::from_fn::<_, MEMBERS, _>(|n| {
            (count(&nodes[n], Counter::FramesFresh), count(&nodes[n], Counter::ControlFramesMade))
        })
    };
    let (writers, before, began) =
        (nodes.iter().map(Handle::writer).collect::<Vec<_>>(), counts(), Instant::now());
    let allocated = ALLOCATIONS.load(Ordering::Relaxed);
    let is_over = || {
        counts()
            .iter()
            .zip(&before)
            .all(|(now, before)| now.0 >= before.0 + frames && now.1 >= before.1 + CONTROL_FRAMES)
    };
    let mut value = 0_u64;
    while !is_over() {
        assert!(began.elapsed() < PATIENCE, "the mesh stands still: {before:?}, now {:?}", counts());
        value += 1;
        for (n, writer) in writers.iter().enumerate().filter(|_| frames > 0) {
            let slot = Slot(256 * n as u32 + (value % 240) as u32);
            let _ = writer.write(Update::Cell8(slot, value));
            let _ = writer.write(Update::Cell4(slot, value as u32));
            let _ = writer.write(Update::Row(slot, value));
        }
        thread::sleep(Duration::from_micros(100));
    }
    ALLOCATIONS.load(Ordering::Relaxed) - allocated
}

#[test]
fn nothing_is_allocated_in_a_mesh_that_has_settled() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for mode in [Mode::Solo, Mode::Split { ingress: 1 }] {
        let mut nodes: Vec<Handle> = Vec::new();
        for n in 0..MEMBERS {
            nodes.push(member(n, nodes.first().map(Handle::local_addr), mode));
        }
        let live = |node: &Handle| node.mesh().expect("it looks after a mesh").live().count();
        until("everybody knows everybody", || nodes.iter().all(|node| live(node) == MEMBERS));
        window(&nodes, 6_000);
        for (what, frames) in [("busy", 10_000), ("at rest", 0)] {
            let mut allocated = Vec::new();
            while allocated.last() != Some(&0) {
                assert!(
                    allocated.len() < WINDOWS,
                    "{what}, {mode:?}, in each of {WINDOWS} windows: {allocated:?}"
                );
                allocated.push(window(&nodes, frames));
            }
            println!("{what}, {mode:?}: {allocated:?}");
        }
        nodes.into_iter().for_each(|node| drop(node.stop().expect("it ran")));
    }
}
