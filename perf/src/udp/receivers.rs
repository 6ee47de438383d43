//! Ways to receive: ours, and the loop that one writes first.

use std::hint::black_box;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use octick::pool::Pool;
use octick::socket::{Arrival, Choice, Socket, SocketSettings, Wait};
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};

/// Queued datagrams must all fit.
pub(super) const RECEIVE_BUFFER_BYTES: usize = 16 << 20;
/// How ours waits: as a node's thread does, asleep, with the socket's own gathering.
const WAIT: Wait = Wait::Park(Duration::from_millis(1));

/// One contender.
pub(super) enum Receiver {
    Octick(Box<Rig>),
    Tokio { runtime: Runtime, socket: UdpSocket, granted_bytes: usize },
}

/// An Octick socket with what it needs.
pub(super) struct Rig {
    socket: Socket,
    out: Vec<Arrival>,
}

impl Receiver {
    /// Ours, with the kernel's time stamps or without.
    pub(super) fn octick(backend: Choice, stamps: bool) -> Self {
        Self::Octick(Box::new(Rig::open(&SocketSettings { stamps, ..settings(backend) })))
    }

    /// As the manual shows it: one runtime on this thread, one buffer, `recv_from`.
    pub(super) fn tokio() -> Self {
        let settings = SocketSettings { gro: false, stamps: false, ..settings(Choice::Mmsg) };
        let pool = Arc::new(Pool::new(16).expect("memory"));
        let socket = Socket::open(&settings, &pool).expect("a socket on loopback");
        let granted_bytes = socket.receive_buffer_bytes();
        let socket = std::net::UdpSocket::from(socket.as_fd().try_clone_to_owned().expect("a descriptor"));
        socket.set_nonblocking(true).expect("a socket");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let socket = {
            let _inside = runtime.enter();
            UdpSocket::from_std(socket).expect("a socket")
        };
        Self::Tokio { runtime, socket, granted_bytes }
    }

    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Octick(rig) => rig.address(),
            Self::Tokio { socket, .. } => socket.local_addr().expect("bound"),
        }
    }

    /// Frames that the kernel surely queues while nobody receives: it counts about 2,300 bytes for each.
    pub(super) fn queue_len(&self) -> usize {
        let granted = match self {
            Self::Octick(rig) => rig.socket.receive_buffer_bytes(),
            Self::Tokio { granted_bytes, .. } => *granted_bytes,
        };
        granted / 4_096
    }

    /// What runs, for the note.
    pub(super) fn runs(&self) -> &'static str {
        match self {
            Self::Octick(rig) => match rig.socket.backend() {
                octick::socket::Backend::Uring => "io_uring",
                octick::socket::Backend::Mmsg => "recvmmsg",
            },
            Self::Tokio { .. } => "tokio",
        }
    }

    /// Takes at least `frames`, looking at each.
    pub(super) fn take(&mut self, frames: usize) {
        let mut taken = 0;
        match self {
            Self::Octick(rig) => {
                while taken < frames {
                    taken += rig.poll(WAIT);
                }
            }
            Self::Tokio { runtime, socket, .. } => runtime.block_on(async {
                let mut buffer = [0; 2_048];
                while taken < frames {
                    let (len, from) = socket.recv_from(&mut buffer).await.expect("received");
                    black_box((&buffer[..len], buffer[0], from));
                    taken += 1;
                }
            }),
        }
    }
}

impl Rig {
    /// What takes the egress of others, with room for that much.
    pub(super) fn sink(receive_buffer_bytes: usize) -> Self {
        Self::open(&SocketSettings { receive_buffer_bytes, ..settings(Choice::Auto) })
    }

    fn open(settings: &SocketSettings) -> Self {
        let pool = Arc::new(Pool::new(octick::pool::BUFFERS).expect("memory"));
        let socket = Socket::open(settings, &pool).expect("a socket on loopback");
        Self { socket, out: Vec::with_capacity(octick::pool::BUFFERS) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.socket.local_address()
    }

    /// Receives until told to stop.
    pub(super) fn swallow(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.poll(WAIT);
        }
    }

    fn poll(&mut self, wait: Wait) -> usize {
        self.socket.poll(wait, &mut self.out).expect("received");
        let mut frames = 0;
        for arrival in self.out.drain(..) {
            for frame in arrival.frames() {
                black_box((frame, frame[0], arrival.from()));
                frames += 1;
            }
        }
        frames
    }
}

fn settings(backend: Choice) -> SocketSettings {
    SocketSettings {
        backend,
        receive_buffer_bytes: RECEIVE_BUFFER_BYTES,
        ..SocketSettings::new(([127, 0, 0, 1], 0).into())
    }
}
