//! A flood of garbage at ten times the genuine rate costs its senders their budgets, and the node next to nothing:
//! genuine frames are taken, memory stays as it is, and who sent the garbage is known.

use std::alloc::{GlobalAlloc, Layout as Memory, System};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use octick::{
    Config, Counter, Handle, Identity, Layout, Mode, Peer, Reject, Run, SenderScore, SenderStats, Slot,
};
use octick_core::limits::{FRAME_MAX, FRAME_MIN};
use octick_core::stamp::{Incarnation, Seq, Version};
use octick_core::wire::{Kind, Sealer, Stamp};
use octick_crypto::MeshKeys;

/// Counts the bytes that the process holds.
struct Counting;

static HELD: AtomicU64 = AtomicU64::new(0);
/// One test at a time: they would count each other's memory.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: passes every call on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        HELD.fetch_add(memory.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system wants.
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, place: *mut u8, memory: Memory) {
        HELD.fetch_sub(memory.size() as u64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(place, memory) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

const MESH: &str = "octick";
const PATIENCE: Duration = Duration::from_secs(30);
/// Genuine frames in a test, one signature each, and the lots in which they are sent.
const GENUINE: usize = 1_024;
const LOT: usize = 16;
/// Frames of each of the five sorts of garbage for each genuine one.
const TIMES: usize = 2;

/// Seals trains of small frames as one origin.
struct Origin {
    identity: Identity,
    keys: MeshKeys,
    next_seq: u64,
    micros: u64,
}

impl Origin {
    fn new(seed: u8) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
        Self {
            identity: Identity::from_seed(&[seed; 32]),
            keys: MeshKeys::derive(MESH),
            next_seq: 1,
            micros: since_1970.as_micros() as u64,
        }
    }

    fn train(&mut self, len: usize) -> Vec<Vec<u8>> {
        let mut train = Sealer::new();
        for i in 0..len as u32 {
            train.frame(Kind::Rows, |draft| assert_eq!(draft.rows(&[(i, 0, u64::from(i))]), 1));
        }
        self.micros += 1;
        let version = Version::new(self.micros, self.identity.id());
        let stamp = Stamp { incarnation: Incarnation(1), first_seq: Seq(self.next_seq), version };
        self.next_seq += len as u64;
        train.seal(&self.identity, &self.keys, &stamp);
        train.frames().map(<[u8]>::to_vec).collect()
    }

    fn alone(&mut self) -> Vec<u8> {
        self.train(1).remove(0)
    }
}

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("loopback")
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("bound")
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "still not so after {PATIENCE:?}: {what}");
        thread::yield_now();
    }
}

/// A node that lists `peers` with their addresses.
fn start(mode: Mode, peers: &[(&Origin, SocketAddr)]) -> Handle {
    let listen = address(&socket());
    let mut config = Config::new(Identity::from_seed(&[0xFF; 32]), listen);
    config.layout = Layout { slots: 1_024, cells8: false, cells4: false, rows: true };
    config.threads.mode = mode;
    // Later it would take its memory in the flood.
    config.verify_at_once = true;
    // Nothing of what comes in goes out again.
    config.push.relay = 0;
    let peer = |(i, (origin, addr)): (usize, &(&Origin, SocketAddr))| Peer {
        key: origin.identity.public().clone(),
        addr: Some(*addr),
        runs: vec![Run { first: Slot(64 * i as u32), len: 64 }],
        revoked: false,
    };
    config.peers = peers.iter().enumerate().map(peer).collect();
    octick::start(config.check().expect("sound")).expect("it starts")
}

/// Sends `frames` in order, each from its socket, never more than a lot ahead of what the node has taken.
fn send<'f>(node: &Handle, frames: impl Iterator<Item = (&'f UdpSocket, &'f [u8])>) {
    let to = node.local_addr();
    let taken = || node.tally().get(Counter::FramesIn);
    let before = taken();
    let mut sent = 0;
    for (socket, frame) in frames {
        wait_for("the node takes what was sent", || before + sent < taken() + 10 * LOT as u64);
        socket.send_to(frame, to).expect("loopback takes it");
        sent += 1;
    }
    wait_for("the node takes all that was sent", || taken() == before + sent);
}

/// Five sorts of garbage, [`TIMES`] of each for every genuine frame.
struct Garbage {
    sorts: [Vec<Vec<u8>>; 5],
}

const FORGED: usize = 0;
const NOISE: usize = 1;
const UNKNOWN: usize = 2;
const REPLAYED: usize = 3;
const WRONG_PATH: usize = 4;

impl Garbage {
    fn new(genuine: &[Vec<u8>], origin: &mut Origin) -> Self {
        let count = TIMES * genuine.len();
        let mut unknown = Origin::new(0x77);
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let forged = (0..count).map(|i| {
            // What the origin will say, with another value in it.
            let mut frame = genuine[i / TIMES].clone();
            let value = frame.len() - 64 - 1 - i % TIMES;
            frame[value] ^= 1;
            frame
        });
        // As long as frames are: the kernel keeps from the node what is shorter.
        let lens = FRAME_MAX - FRAME_MIN + 1;
        let noise = (0..count).map(|_| {
            let len = FRAME_MIN + random() as usize % lens;
            (0..len).map(|_| random() as u8).collect()
        });
        let replayed: Vec<_> = (0..count).map(|i| genuine[i / TIMES].clone()).collect();
        let wrong_path = (0..count.div_ceil(8)).flat_map(|_| {
            let mut train = origin.train(8);
            train.iter_mut().for_each(|frame| *frame.last_mut().expect("it has a path") ^= 1);
            train
        });
        let wrong_path = wrong_path.collect();
        let (forged, noise) = (forged.collect(), noise.collect());
        let unknown = (0..count).map(|_| unknown.alone()).collect();
        Self { sorts: [forged, noise, unknown, replayed, wrong_path] }
    }

    fn len(&self) -> usize {
        self.sorts.iter().map(Vec::len).sum()
    }
}

fn conduct_of(stats: &[SenderStats], addr: SocketAddr) -> SenderScore {
    stats.iter().find(|sender| sender.addr == addr).map_or(SenderScore::default(), |sender| sender.score)
}

fn flood(mode: Mode) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut origin, from_peer) = (Origin::new(1), socket());
    let node = start(mode, &[(&origin, address(&from_peer))]);
    // The numbers of the wrong paths lie behind those of the genuine frames, and within the window of them.
    let warm_up: Vec<_> = (0..LOT).map(|_| origin.alone()).collect();
    let genuine: Vec<_> = (0..GENUINE).map(|_| origin.alone()).collect();
    let garbage = Garbage::new(&genuine, &mut origin);
    assert_eq!(garbage.len(), 10 * GENUINE);
    let from_strangers: [UdpSocket; 5] = std::array::from_fn(|_| socket());

    send(&node, warm_up.iter().map(|frame| (&from_peer, &frame[..])));
    wait_for("the warm-up is merged", || node.tally().get(Counter::FramesFresh) == LOT as u64);
    let (before, held, began) = (node.tally(), HELD.load(Ordering::Relaxed), Instant::now());
    for lot in 0..GENUINE / LOT {
        let bad = |sort: usize| {
            let frames = garbage.sorts[sort][lot * LOT * TIMES..][..LOT * TIMES].iter();
            let socket = &from_strangers[sort];
            frames.map(move |frame| (socket, &frame[..]))
        };
        // Forgeries come before what they are made from, so that they are new; replays come after it.
        let first = bad(FORGED).chain(bad(NOISE)).chain(bad(UNKNOWN)).chain(bad(WRONG_PATH));
        send(&node, first);
        send(&node, genuine[lot * LOT..][..LOT].iter().map(|frame| (&from_peer, &frame[..])));
        let fresh = || node.tally().since(&before).get(Counter::FramesFresh);
        wait_for("the genuine frames are merged", || fresh() == ((lot + 1) * LOT) as u64);
        send(&node, bad(REPLAYED));
    }
    let grown = HELD.load(Ordering::Relaxed).saturating_sub(held);
    let rejects = || node.tally().since(&before).rejects().map(|(_, count)| count).sum::<u64>();
    wait_for("every other frame is dropped for a reason", || rejects() == garbage.len() as u64);
    let counted = node.tally().since(&before);
    assert_eq!(counted.get(Counter::FramesFresh), GENUINE as u64, "every genuine frame, and nothing else");
    assert_eq!(grown, 0, "{grown} bytes of memory grew with the flood");

    // What the forgers could cause: a quarter of a second's of bad ones each, what time gave them since, and an
    // overdraft of all that was on its way.
    let checks = counted.get(Counter::Signatures) - GENUINE as u64;
    let allowed = 2 * (25 + 10 * LOT as u64 + (100.0 * began.elapsed().as_secs_f64()) as u64);
    assert!(checks <= allowed, "{checks} signature checks of garbage, where {allowed} were allowed");
    let stats = node.stop().expect("it ran");
    let rejected = |reasons: &[Reject]| reasons.iter().map(|&reason| counted.rejected(reason)).sum::<u64>();
    let paid = rejected(&[Reject::BadSignature, Reject::OverBudget, Reject::StrangersOverBudget]);
    let guilt: u64 = stats.senders.iter().map(|sender| sender.score.score()).sum();
    assert_eq!(guilt, paid, "each is on its sender");
    assert!(paid >= (2 * TIMES * GENUINE) as u64, "neither forger's frames were anything else");
    let flooders = from_strangers.each_ref().map(address);
    assert!(stats.senders.iter().all(|sender| !sender.is_peer && flooders.contains(&sender.addr)));
    assert!(stats.senders.iter().all(|sender| sender.score.good == 0));
}

#[test]
fn a_solo_node_takes_every_genuine_frame_in_a_flood() {
    flood(Mode::Solo);
}

#[test]
fn a_split_node_takes_every_genuine_frame_in_a_flood() {
    flood(Mode::Split { ingress: 1 });
}

#[test]
fn a_peer_that_forges_harms_itself_alone() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut honest, forger) = (Origin::new(1), Origin::new(2));
    let (from_honest, from_forger) = (socket(), socket());
    let peers = [(&honest, address(&from_honest)), (&forger, address(&from_forger))];
    let node = start(Mode::Solo, &peers);
    let genuine: Vec<_> = (0..100).map(|_| honest.alone()).collect();
    let forged: Vec<_> = (0..4_000)
        .map(|i| {
            let mut frame = genuine[i % 100].clone();
            let at = frame.len() - 64 - 1 - i / 100 % 8;
            frame[at] ^= 1 + (i / 800) as u8;
            frame
        })
        .collect();
    send(&node, forged.iter().map(|frame| (&from_forger, &frame[..])));
    send(&node, genuine.iter().map(|frame| (&from_honest, &frame[..])));
    wait_for("the genuine frames are merged", || node.tally().get(Counter::FramesFresh) == 100);
    let stats = node.stop().expect("it ran");
    let conduct = conduct_of(&stats.senders, address(&from_forger));
    assert!(stats.senders[0].is_peer && stats.senders[0].addr == address(&from_forger));
    assert!(conduct.refused > 0 && conduct.bad >= 250, "{conduct:?}");
    assert_eq!(conduct.good + conduct.bad + conduct.refused, 4_000);
}
