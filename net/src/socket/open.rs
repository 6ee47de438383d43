//! Settings of a socket, and how it is opened.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use std::{fmt, io};

use octick_core::limits::{FRAME_MAX, FRAME_MIN};

use super::address::Family;
use super::{bounds, filter, sys};
use crate::limits::RING_DEPTH_MAX;

/// How a socket is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// Where it receives, and what it sends from. Port 0 lets the kernel choose.
    pub bind: SocketAddr,
    /// How long a port that is taken is tried again: the kernel closes a killed process's sockets some time after it is
    /// gone, those of io_uring last. [`Socket::open`](super::Socket::open) blocks as long.
    pub bind_patience: Duration,
    /// Whether it shares the port with other sockets: one for each ingress thread. The kernel spreads senders over them.
    pub share: Share,
    /// Bytes of datagrams that the kernel holds while nobody polls.
    pub receive_buffer_bytes: usize,
    /// Bytes of datagrams that the kernel holds while the device is busy. One train is 64 KiB.
    pub send_buffer_bytes: usize,
    /// Which backend.
    pub backend: Choice,
    /// Buffers that wait for datagrams at a time: few stay in the cache, more hold longer bursts of single frames.
    /// A power of two, at most 4,096.
    pub ring_depth: u16,
    /// Microseconds that a parked poll gathers a batch while datagrams flow, and three times as many while the batches are
    /// a quarter of `ring_depth` or more. It adds at most that to what a frame waits, and saves a wake-up each; when
    /// nothing flows, the first datagram wakes at once.
    pub gather_micros: u32,
    /// Lengths of datagrams that can be frames, bytes. Empty ones and others are dropped: by the kernel what is too
    /// short and, unless `gro`, too long, the rest after it was received.
    pub frame_lens: RangeInclusive<usize>,
    /// Whether trains are taken as one arrival.
    pub gro: bool,
    /// Whether arrivals carry the kernel's time stamp.
    pub stamps: bool,
}

/// Who else may have the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// Nobody.
    #[default]
    Alone,
    /// Nobody has it yet, else it is taken; then those who join.
    First,
    /// The sockets of whoever came first.
    Join,
}

/// What the operator asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// io_uring where this kernel and container allow it, else recvmmsg.
    #[default]
    Auto,
    /// io_uring, or no start.
    Uring,
    /// recvmmsg, whatever the kernel can do.
    Mmsg,
}

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// io_uring: one multishot receive into a ring of provided buffers.
    Uring,
    /// recvmmsg.
    Mmsg,
}

/// Why that backend runs: the line for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The settings name it.
    Asked,
    /// Nothing spoke against the first choice, io_uring.
    Available,
    /// io_uring failed with this error number.
    Refused(i32),
}

/// Whether the kernel drops datagrams of no frame's length before they cost anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// It does.
    Attached,
    /// It failed to take the filter with this error number: they are received, and dropped then.
    Refused(i32),
}

/// Why there is no socket. Nothing stays open.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Someone else has the port.
    Taken(SocketAddr),
    /// The address belongs to no interface of this machine.
    NotLocal(IpAddr),
    /// Ports below 1,024 need a privilege.
    Privileged(SocketAddr),
    /// io_uring was asked for, by name, and failed with this error number.
    Uring(i32),
    /// `ring_depth` is not a power of two up to 4,096, or the pool has fewer buffers than that.
    Depth {
        /// `ring_depth` of the settings.
        depth: u16,
        /// Buffers of the pool.
        buffers: usize,
    },
    /// Another call failed.
    Other {
        /// What it was to do.
        what: &'static str,
        /// Where.
        bind: SocketAddr,
        /// What the kernel said.
        error: io::Error,
    },
}

/// Between two tries of a port that is taken.
const BIND_GAP: Duration = Duration::from_millis(10);

impl SocketSettings {
    /// One try of the port, sixteen buffers of trains, 4 MiB in the kernel each way, batches of 20 µs, frames as long as Octick's, stamps, and
    /// the backend that can.
    pub fn new(bind: SocketAddr) -> Self {
        Self {
            bind,
            bind_patience: Duration::ZERO,
            share: Share::Alone,
            receive_buffer_bytes: 4 << 20,
            send_buffer_bytes: 4 << 20,
            backend: Choice::Auto,
            ring_depth: bounds::RING_DEPTH,
            gather_micros: 20,
            frame_lens: FRAME_MIN..=FRAME_MAX,
            gro: true,
            stamps: true,
        }
    }

    pub(super) fn check_depth(&self, buffers: usize) -> Result<(), OpenError> {
        let depth = self.ring_depth;
        let fits = depth.is_power_of_two() && depth <= RING_DEPTH_MAX && usize::from(depth) <= buffers;
        if fits { Ok(()) } else { Err(OpenError::Depth { depth, buffers }) }
    }

    /// A bound socket with every option set, and whether the kernel filters what it takes.
    pub(super) fn bound(&self) -> Result<(OwnedFd, Filter), OpenError> {
        let other = |what| move |error| OpenError::Other { what, bind: self.bind, error };
        let family = Family::of(self.bind);
        let socket = sys::udp(family).map_err(other("make a socket"))?;
        let fd = socket.as_fd();
        let set = |what, level, name, value| sys::set_option(fd, level, name, value).map_err(other(what));
        let share = || set("share the port", libc::SOL_SOCKET, libc::SO_REUSEPORT, 1);
        if self.share == Share::Join {
            share()?;
        }
        if family == Family::V6 {
            set("take IPv4 peers, too", libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)?;
        }
        if self.stamps {
            set("stamp arrivals", libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        }
        if self.gro {
            set("receive trains as one (Linux 5.0)", libc::SOL_UDP, libc::UDP_GRO, 1)?;
        }
        let size = |forced, limited, bytes| {
            let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
            // Beyond the administrator's limit where this process may, else up to it.
            sys::set_option(fd, libc::SOL_SOCKET, forced, bytes)
                .or_else(|_| sys::set_option(fd, libc::SOL_SOCKET, limited, bytes))
                .map_err(other("size its buffers"))
        };
        size(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, self.receive_buffer_bytes)?;
        size(libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, self.send_buffer_bytes)?;
        let filter = match filter::attach(fd, &self.frame_lens, self.gro) {
            Ok(()) => Filter::Attached,
            Err(error) => Filter::Refused(error.raw_os_error().unwrap_or(libc::EIO)),
        };
        self.bind(fd).map_err(|error| match error.raw_os_error() {
            Some(libc::EADDRINUSE) => OpenError::Taken(self.bind),
            Some(libc::EADDRNOTAVAIL) => OpenError::NotLocal(self.bind.ip()),
            Some(libc::EACCES) => OpenError::Privileged(self.bind),
            _ => other("bind")(error),
        })?;
        // Not before: a port that others already share would let this one in as well, and another node lose its datagrams.
        if self.share == Share::First {
            share()?;
        }
        Ok((socket, filter))
    }

    fn bind(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let began = Instant::now();
        loop {
            match sys::bind(fd, self.bind) {
                Err(error)
                    if error.raw_os_error() == Some(libc::EADDRINUSE)
                        && began.elapsed() < self.bind_patience =>
                {
                    sys::nap(BIND_GAP);
                }
                done => return done,
            }
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uring => "io_uring",
            Self::Mmsg => "recvmmsg",
        })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Asked => f.write_str("as configured"),
            Self::Available => f.write_str("io_uring is available"),
            Self::Refused(errno) => write!(f, "{}: using recvmmsg", Refusal(errno)),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Attached => f.write_str("datagrams of no frame's length end in the kernel"),
            Self::Refused(errno) => write!(
                f,
                "the kernel takes no socket filter ({}): empty and short datagrams cost this node a receive each;                  allow setsockopt(SO_ATTACH_FILTER), or raise net.core.optmem_max",
                io::Error::from_raw_os_error(errno)
            ),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(bind) => write!(
                f,
                "UDP port {bind} is taken: choose another, or stop its owner (`ss -lunp sport = :{}` names it)",
                bind.port()
            ),
            Self::NotLocal(ip) => {
                write!(
                    f,
                    "{ip} is no address of this machine: bind to one that `ip address` lists, or to 0.0.0.0"
                )
            }
            Self::Privileged(bind) => {
                write!(
                    f,
                    "UDP port {bind} needs a privilege: choose one above 1023, or grant CAP_NET_BIND_SERVICE"
                )
            }
            Self::Uring(errno) => write!(f, "{}: set the backend to auto or mmsg", Refusal(*errno)),
            Self::Depth { depth, buffers } => write!(
                f,
                "ring_depth {depth} must be a power of two, at most {RING_DEPTH_MAX} and at most the pool's {buffers} buffers"
            ),
            Self::Other { what, bind, error } => write!(f, "cannot {what} for UDP {bind}: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Other { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// An error number of io_uring, and what can be done about it.
struct Refusal(i32);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            libc::EPERM => {
                f.write_str("io_uring denied (EPERM: seccomp profile or kernel.io_uring_disabled)")
            }
            libc::EACCES => f.write_str("io_uring denied (EACCES)"),
            libc::ENOSYS => f.write_str("io_uring denied (ENOSYS: kernel or sandbox without it)"),
            libc::EINVAL => f.write_str("io_uring too old (EINVAL: Linux 6.1 is needed)"),
            libc::ENOMEM => f.write_str("io_uring out of locked memory (ENOMEM: raise RLIMIT_MEMLOCK)"),
            errno => write!(f, "io_uring failed ({})", io::Error::from_raw_os_error(errno)),
        }
    }
}
