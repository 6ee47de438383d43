//! Datagrams that no node sends, as fast as one thread can send them, keep nobody from being heard.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use octick::socket::Choice;
use octick::{Config, Handle, Identity, Layout, Mode, Peer, Run, Slot, Update};

const SLOTS: u32 = 1_024;
const OWN: Run = Run { first: Slot(0), len: 16 };
/// For a hundred writes, one after the other: a hundred times what one may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn address() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("loopback")
}

/// A node that lists the other one; the first of the two owns the cells.
fn start(seed: u8, at: SocketAddr, other: (u8, SocketAddr), change: impl FnOnce(&mut Config)) -> Handle {
    let runs = |seed| if seed == 1 { vec![OWN] } else { Vec::new() };
    let mut config = Config::new(Identity::from_seed(&[seed; 32]), at);
    config.layout = Layout { slots: SLOTS, cells8: true, cells4: false, rows: false };
    config.runs = runs(seed);
    let key = Identity::from_seed(&[other.0; 32]).public().clone();
    config.peers = vec![Peer { key, addr: Some(other.1), runs: runs(other.0), revoked: false }];
    change(&mut config);
    octick::start(config.check().expect("sound")).expect("it starts")
}

/// Writes on one node arrive on the other, one after the other, while a stranger sends it datagrams of `len` bytes.
fn heard_beside_datagrams_of(len: usize, change: impl FnOnce(&mut Config)) {
    let (writer_at, reader_at) = (address(), address());
    let writer = start(1, writer_at, (2, reader_at), |_| {});
    let reader = start(2, reader_at, (1, writer_at), change);
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let (stranger, garbage) = (UdpSocket::bind("127.0.0.1:0").expect("loopback"), vec![0x4F; len]);
            while !stop.load(Ordering::Relaxed) {
                stranger.send_to(&garbage, reader_at).expect("loopback takes it");
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let began = Instant::now();
        let done = (1..=100).all(|value| {
            writer.writer().write(Update::Cell8(Slot(3), value)).expect("its own cell");
            while reader.reader().cell8(Slot(3)).is_none_or(|cell| cell.value != value) {
                if began.elapsed() > PATIENCE {
                    eprintln!("write {value} is not there");
                    return false;
                }
                thread::yield_now();
            }
            true
        });
        stop.store(true, Ordering::Relaxed);
        let stats = reader.stats();
        assert!(done, "{} datagrams of {len} bytes: {:?}", sent.load(Ordering::Relaxed), stats.socket);
    });
    let (sent, socket) = (sent.into_inner(), reader.stop().expect("it ran").socket);
    let refused = socket.filtered + socket.wrong_length + socket.kernel_drops;
    assert!(sent > 100 && refused <= sent && refused * 10 >= sent * 9, "{sent} of {len} bytes: {socket:?}");
}

const BACKENDS: [Choice; 2] = [Choice::Auto, Choice::Mmsg];
/// Empty, short, long, and longer than any path carries in one piece.
const LENGTHS: [usize; 4] = [0, 1, 1_233, 9_000];

#[test]
fn a_solo_node_hears_its_peers_beside_datagrams_of_no_frames_length() {
    for backend in BACKENDS {
        for len in LENGTHS {
            heard_beside_datagrams_of(len, |config| config.socket.backend = backend);
        }
    }
}

#[test]
fn a_split_node_hears_its_peers_beside_datagrams_of_no_frames_length() {
    for backend in BACKENDS {
        for len in LENGTHS {
            heard_beside_datagrams_of(len, |config| {
                config.socket.backend = backend;
                config.threads.mode = Mode::Split { ingress: 1 };
            });
        }
    }
}
