//! Ways to send: the loads that receivers are held under, and the contenders of egress.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use octick::pool::Pool;
use octick::socket::{Choice, Socket, SocketSettings};
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};

use crate::ticks;

/// Bytes of a frame: the longest.
pub(super) const FRAME_LEN: usize = octick_core::limits::FRAME_MAX;
/// Frames of a flood's train: what one message holds.
pub(super) const TRAIN_LEN: usize = 53;

/// Frames a second of [`pace`].
pub(super) const PACE: f64 = 200_000.0;
/// Frames of an egress train: the longest that one signature covers.
const EGRESS_TRAIN_LEN: usize = octick_core::crypto::train::TRAIN_MAX;

static FRAME: [u8; FRAME_LEN] = [7; FRAME_LEN];

/// Queues `frames` single frames.
pub(super) fn queue(to: SocketAddr, frames: usize) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket on loopback");
    for _ in 0..frames {
        socket.send_to(&FRAME, to).expect("sent");
    }
}

/// Sends whole trains as fast as the kernel takes them.
pub(super) fn flood(to: SocketAddr, stop: &AtomicBool) {
    let mut socket = socket();
    while !stop.load(Ordering::Relaxed) {
        let _ = socket.send_train(&[&FRAME[..]; TRAIN_LEN], &[to]);
    }
}

/// Sends single frames, [`PACE`] a second, each at its time. Whatever holds the sender up does not make it catch up:
/// a burst would be another shape, and a cheaper one to receive.
pub(super) fn pace(to: SocketAddr, stop: &AtomicBool) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket on loopback");
    let gap = (ticks::hz() / PACE) as u64;
    let mut next = ticks::now();
    while !stop.load(Ordering::Relaxed) {
        while ticks::now() < next {
            std::hint::spin_loop();
        }
        next = (next + gap).max(ticks::now());
        socket.send_to(&FRAME, to).expect("sent");
    }
}

/// One contender of egress.
pub(super) enum Egress {
    Octick(Box<Socket>),
    Tokio { runtime: Runtime, socket: UdpSocket },
}

impl Egress {
    pub(super) fn octick() -> Self {
        Self::Octick(Box::new(socket()))
    }

    pub(super) fn tokio() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).expect("a socket on loopback");
        Self::Tokio { runtime, socket }
    }

    /// Sends `trains`, and says how many frames that was.
    pub(super) fn send(&mut self, to: SocketAddr, trains: usize) -> usize {
        match self {
            Self::Octick(socket) => (0..trains)
                .map(|_| socket.send_train(&[&FRAME[..]; EGRESS_TRAIN_LEN], &[to]).frames_sent)
                .sum(),
            Self::Tokio { runtime, socket } => runtime.block_on(async {
                for _ in 0..trains * EGRESS_TRAIN_LEN {
                    socket.send_to(&FRAME, to).await.expect("sent");
                }
                trains * EGRESS_TRAIN_LEN
            }),
        }
    }
}

fn socket() -> Socket {
    let pool = Arc::new(Pool::new(16).expect("memory"));
    let settings =
        SocketSettings { backend: Choice::Mmsg, ..SocketSettings::new(([127, 0, 0, 1], 0).into()) };
    Socket::open(&settings, &pool).expect("a socket on loopback")
}
