//! The UDP edge: datagrams in by io_uring or recvmmsg, trains out by sendmmsg.
//!
//! ```text
//! kernel > Buffer of the Pool > Arrival (one datagram, or a train that stayed together) > frames()
//! frames > Sender::send_train > one message for each peer and 64 frames > the kernel cuts them apart
//! ```
//!
//! Nothing here reads a frame. Nothing is copied: what was received is what is relayed. After [`Socket::open`]
//! nothing is allocated, and a batch costs one system call. Whatever is dropped is in [`Counters`].

#![allow(unsafe_code)]

mod address;
pub(crate) mod alarm;
mod arrival;
pub mod bounds;
mod buffer_ring;
mod control;
mod counters;
mod drops;
mod filter;
mod gather;
mod gso;
mod mmsg;
mod open;
mod sender;
mod sys;
mod uring;
mod wait;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

pub use arrival::{Arrival, SEGMENTS_MAX};
pub use counters::Counters;
pub use open::{Backend, Choice, Filter, OpenError, Share, SocketSettings, Why};
pub use sender::{SendOutcome, Sender, Stop};
pub use wait::Wait;

use crate::pool::Pool;
use drops::Drops;
use mmsg::Mmsg;
use uring::Uring;

/// A bound UDP socket. The thread that polls it first is the one that polls and drops it.
#[derive(Debug)]
pub struct Socket {
    /// First, so that it is torn down while the descriptor is open.
    receiver: Receiver,
    sender: Sender,
    fd: Arc<OwnedFd>,
    alarm: Arc<OwnedFd>,
    local: SocketAddr,
    why: Why,
    filter: Filter,
    counters: Counters,
    drops: Cell<Drops>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives inside its socket")]
enum Receiver {
    Uring(Uring),
    Mmsg(Mmsg),
}

impl Socket {
    /// Binds, and picks the backend.
    ///
    /// # Errors
    /// One line that says what to do.
    pub fn open(settings: &SocketSettings, pool: &Arc<Pool>) -> Result<Self, OpenError> {
        settings.check_depth(pool.len())?;
        let drops = Cell::new(Drops::new());
        let (fd, filter) = settings.bound()?;
        let fd = Arc::new(fd);
        let other = |what| move |error| OpenError::Other { what, bind: settings.bind, error };
        let local = sys::local_address(fd.as_fd()).map_err(other("name the socket"))?;
        let alarm = Arc::new(alarm::new().map_err(other("make an alarm"))?);
        let (receiver, why) = Receiver::choose(&fd, &alarm, pool, settings)?;
        let sender = Sender::new(fd.clone(), local);
        Ok(Self { receiver, sender, fd, alarm, local, why, filter, counters: Counters::default(), drops })
    }

    /// Takes what has arrived into `out`, as many as its spare capacity holds; says how many.
    ///
    /// # Errors
    /// The kernel no longer lets this socket receive, or another thread polled it before. What `out` got is whole.
    #[inline]
    pub fn poll(&mut self, wait: Wait, out: &mut Vec<Arrival>) -> io::Result<usize> {
        if out.len() == out.capacity() {
            return Ok(0);
        }
        match &mut self.receiver {
            Receiver::Uring(uring) => uring.poll(wait, out, &mut self.counters),
            Receiver::Mmsg(mmsg) => mmsg.poll(wait, out, &mut self.counters),
        }
    }

    /// Sends `frames` to each of `to`, see [`Sender::send_train`].
    pub fn send_train(&mut self, frames: &[&[u8]], to: &[SocketAddr]) -> SendOutcome {
        self.sender.send_train(frames, to)
    }

    /// A handle that sends from this socket's address, for another thread. The port stays bound while one is left.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// What wakes the thread that is parked in [`Socket::poll`]: whatever is written to it, as to any `eventfd`.
    pub fn alarm(&self) -> &Arc<OwnedFd> {
        &self.alarm
    }

    /// What runs.
    pub fn backend(&self) -> Backend {
        match self.receiver {
            Receiver::Uring(_) => Backend::Uring,
            Receiver::Mmsg(_) => Backend::Mmsg,
        }
    }

    /// Why that runs, for the log.
    pub fn why(&self) -> Why {
        self.why
    }

    /// Whether the kernel keeps from this socket what cannot be a frame.
    pub fn filter(&self) -> Filter {
        self.filter
    }

    /// Where it is bound.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Bytes that the kernel holds for this socket, as it counts them: about twice the payload. Less than twice
    /// what the settings ask for means that `net.core.rmem_max` is lower.
    pub fn receive_buffer_bytes(&self) -> usize {
        let [bytes] = sys::option(self.fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF).unwrap_or([0]);
        bytes as usize
    }

    /// Counts of receiving, and of sending by this handle. Asks the kernel for its drops: not for every batch.
    pub fn counters(&self) -> Counters {
        // SK_MEMINFO_DROPS is the ninth.
        let memory = sys::option::<9>(self.fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO);
        if let Ok(fields) = memory {
            self.drops.set(self.drops.get().look(fields[8]));
        }
        let Drops { overflow: kernel_drops, filtered, .. } = self.drops.get();
        Counters { kernel_drops, filtered, ..self.counters }.plus(&self.sender.counters())
    }
}

impl Receiver {
    fn choose(
        fd: &Arc<OwnedFd>,
        alarm: &Arc<OwnedFd>,
        pool: &Arc<Pool>,
        settings: &SocketSettings,
    ) -> Result<(Self, Why), OpenError> {
        let mmsg = || Self::Mmsg(Mmsg::new(fd.clone(), alarm.clone(), pool.clone(), settings));
        if settings.backend == Choice::Mmsg {
            return Ok((mmsg(), Why::Asked));
        }
        match Uring::new(fd.clone(), alarm.clone(), pool.clone(), settings) {
            Ok(uring) if settings.backend == Choice::Uring => Ok((Self::Uring(uring), Why::Asked)),
            Ok(uring) => Ok((Self::Uring(uring), Why::Available)),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(libc::EIO);
                if settings.backend == Choice::Uring {
                    Err(OpenError::Uring(errno))
                } else {
                    Ok((mmsg(), Why::Refused(errno)))
                }
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
