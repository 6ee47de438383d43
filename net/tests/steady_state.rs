//! In steady state a node allocates nothing: not for a frame, not for a batch, not for a train, not for a group of writes,
//! not for those who wait
//! for changes, and not to make durable what must not be forgotten.

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use octick::{
    Config, Counter, FileStore, Handle, Identity, Layout, Mode, Peer, RecvError, Run, Slot, Update,
};

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
