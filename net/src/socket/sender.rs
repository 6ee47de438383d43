//! Sending trains: the same frames to every peer, by as few system calls as the kernel allows.
//!
//! The obvious way sends each frame to each peer: a trip through the kernel's stack each time. Departures:
//! 1. frames of equal length travel as one message that the kernel cuts (UDP_SEGMENT): one trip for up to 64;
//! 2. a message is gathered from where its frames lie, and frames that lie end to end are one piece: no copy;
//! 3. messages for all peers go down in one sendmmsg. io_uring was measured for this and lost.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::address::{Family, RawAddress, encode};
use super::control::SegmentControl;
use super::counters::Counters;
use super::{gso, sys};

/// Messages handed to the kernel at a time.
const BATCH: usize = 64;

/// Sends from a socket's address. A clone sends from the same, with counters of its own; each belongs to one thread.
#[derive(Debug)]
pub struct Sender {
    fd: Arc<OwnedFd>,
    family: Family,
    /// Whether the kernel cuts trains; not after it said that the device cannot.
    cuts: bool,
    counters: Counters,
    scratch: Scratch,
}

/// What became of a train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct SendOutcome {
    /// Frames handed to the kernel, each peer's copy counting. The kernel may still lose them.
    pub frames_sent: usize,
    /// Where the socket's send buffer was full, if it was. Nothing from there on was sent.
    pub stopped: Option<Stop>,
}

/// Where sending stopped: peers before this one have every frame, peers after it none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Index of the peer that has frames before `frame` only.
    pub peer: usize,
    /// Index of the first frame that it lacks.
    pub frame: usize,
}

impl Stop {
    /// Each peer that lacks frames, and which: to be queued by the caller. `frames` and `peers` as they were sent.
    pub fn remaining(self, frames: usize, peers: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        (self.peer..peers)
            .map(move |peer| (peer, if peer == self.peer { self.frame..frames } else { 0..frames }))
    }
}

/// What the kernel reads during a call; rebuilt by each, kept for its memory.
struct Scratch {
    vectors: Vec<libc::iovec>,
    groups: Vec<Group>,
    names: Vec<RawAddress>,
    messages: Vec<libc::mmsghdr>,
}

/// Frames that travel as one message.
struct Group {
    frames: Range<usize>,
    vectors: Range<usize>,
    control: SegmentControl,
}

// SAFETY: the raw pointers in `vectors` and `messages` are followed only by the kernel, only during the call of
// `send_train` that wrote them; between calls they are dead values.
unsafe impl Send for Scratch {}
// SAFETY: as above; nothing is reachable through `&Scratch`.
unsafe impl Sync for Scratch {}

/// Why a batch of messages ended early.
enum End {
    /// The socket's send buffer is full.
    Full,
    /// The next message was not taken and never will be as it is.
    Refused(io::Error),
}

impl Sender {
    pub(super) fn new(fd: Arc<OwnedFd>, local: SocketAddr) -> Self {
        Self {
            fd,
            family: Family::of(local),
            cuts: true,
            counters: Counters::default(),
            scratch: Scratch::default(),
        }
    }

    /// Sends `frames`, in order, to each of `to`, in order. Does not wait, and allocates nothing for up to
    /// 64 frames.
    ///
    /// A full send buffer stops it: the outcome says where, and the rest is the caller's. A message that the kernel
    /// refuses (no route, a firewall, longer than the path allows) is dropped and counted.
    pub fn send_train(&mut self, frames: &[&[u8]], to: &[SocketAddr]) -> SendOutcome {
        let mut outcome = SendOutcome { frames_sent: 0, stopped: None };
        self.scratch.plan(frames, self.cuts);
        let groups = self.scratch.groups.len();
        // Message `m` is group `m % groups` for peer `m / groups`.
        let mut at = 0;
        while at < groups * to.len() {
            self.scratch.address(at, to, self.family);
            let (taken, end) = self.hand_over();
            outcome.frames_sent += self.scratch.frames_of(at, taken);
            at += taken;
            let Some(end) = end else { continue };
            let (peer, group) = (at / groups, at % groups);
            let range = self.scratch.groups[group].frames.clone();
            outcome.stopped = match end {
                End::Full => Some(Stop { peer, frame: range.start }),
                End::Refused(error) if range.len() > 1 && is_about_cutting(&error) => {
                    self.counters.gso_fallbacks += 1;
                    // EIO is about the device's checksums, for good; EINVAL about this path's frame length.
                    self.cuts &= error.raw_os_error() != Some(libc::EIO);
                    let (sent, stopped_at) = self.send_singly(&frames[range.clone()], to[peer]);
                    outcome.frames_sent += sent;
                    stopped_at.map(|frame| Stop { peer, frame: range.start + frame })
                }
                End::Refused(_) => {
                    self.counters.send_errors += range.len() as u64;
                    None
                }
            };
            if outcome.stopped.is_some() {
                self.counters.send_again += 1;
                break;
            }
            at += 1;
        }
        self.counters.frames_sent += outcome.frames_sent as u64;
        outcome
    }

    /// What this handle sent, and what it could not.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Hands over the messages that [`Scratch::address`] laid out: how many were taken, and why no more.
    fn hand_over(&mut self) -> (usize, Option<End>) {
        let messages = &mut self.scratch.messages;
        let mut taken = 0;
        let mut forgiven = false;
        while taken < messages.len() {
            self.counters.syscalls += 1;
            let rest = &mut messages[taken..];
            // SAFETY: `rest` are messages whose pointers `address` aimed at this scratch's own names, vectors and
            // controls, and its vectors at the caller's frames; all outlive the call, which only reads them.
            let answer = unsafe {
                libc::sendmmsg(
                    self.fd.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as _,
                    libc::MSG_DONTWAIT as _,
                )
            };
            let error = match sys::check(answer) {
                Ok(sent) => {
                    taken += sent as usize;
                    continue;
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => return (taken, Some(End::Full)),
                // What an earlier datagram met; this one was not tried.
                Some(libc::ECONNREFUSED) if !forgiven => forgiven = true,
                _ => return (taken, Some(End::Refused(error))),
            }
        }
        (taken, None)
    }

    /// Sends frame by frame: how many went, and at which the send buffer was full.
    fn send_singly(&mut self, frames: &[&[u8]], to: SocketAddr) -> (usize, Option<usize>) {
        let mut name = RawAddress::default();
        let name_len = encode(to, self.family, &mut name);
        let mut sent = 0;
        for (i, frame) in frames.iter().enumerate() {
            self.counters.syscalls += 1;
            // SAFETY: `frame` and `name` are read for their lengths and outlive the call.
            let answer = unsafe {
                let name = (&raw const name).cast();
                let (fd, data) = (self.fd.as_raw_fd(), frame.as_ptr().cast());
                libc::sendto(fd, data, frame.len(), libc::MSG_DONTWAIT, name, name_len)
            };
            if answer >= 0 {
                sent += 1;
                continue;
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => return (sent, Some(i)),
                _ => self.counters.send_errors += 1,
            }
        }
        (sent, None)
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        let (counters, scratch) = (Counters::default(), Scratch::default());
        Self { fd: self.fd.clone(), family: self.family, cuts: self.cuts, counters, scratch }
    }
}

/// Whether a refusal may be about `UDP_SEGMENT` and not about the frames.
fn is_about_cutting(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP))
}

impl Default for Scratch {
    /// Room for a train of [`BATCH`] frames in as many pieces; a longer one makes it grow, once.
    fn default() -> Self {
        Self {
            vectors: Vec::with_capacity(BATCH),
            groups: Vec::with_capacity(BATCH),
            names: vec![RawAddress::default(); BATCH],
            messages: Vec::with_capacity(BATCH),
        }
    }
}

impl Scratch {
    /// Groups `frames` into messages, and describes where each one's bytes lie.
    fn plan(&mut self, frames: &[&[u8]], cuts: bool) {
        self.vectors.clear();
        self.groups.clear();
        let mut at = 0;
        while at < frames.len() {
            let len = if cuts { gso::group_len(&frames[at..]) } else { 1 };
            let group = &frames[at..at + len];
            let first = self.vectors.len();
            for frame in group {
                self.gather(first, frame);
            }
            // Only groups of several have it cut, and those fit 16 bits.
            let control = SegmentControl::new(group[0].len() as u16);
            self.groups.push(Group { frames: at..at + len, vectors: first..self.vectors.len(), control });
            at += len;
        }
    }

    /// Adds `frame` to the message whose pieces start at `first`: to its last piece, if it lies right behind it.
    fn gather(&mut self, first: usize, frame: &[u8]) {
        if let Some(last) = self.vectors[first..].last_mut()
            && last.iov_base.addr() + last.iov_len == frame.as_ptr().addr()
        {
            last.iov_len += frame.len();
            return;
        }
        self.vectors.push(libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() });
    }

    /// Lays out messages `from` and on, up to [`BATCH`].
    fn address(&mut self, from: usize, to: &[SocketAddr], family: Family) {
        let groups = self.groups.len();
        let until = (groups * to.len()).min(from + BATCH);
        self.messages.clear();
        for (name, at) in self.names.iter_mut().zip(from..until) {
            let group = &mut self.groups[at % groups];
            let name_len = encode(to[at / groups], family, name);
            // SAFETY: all-zero bytes are a valid `mmsghdr`: null pointers and zero lengths.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            let header = &mut message.msg_hdr;
            header.msg_name = (&raw mut *name).cast();
            header.msg_namelen = name_len;
            header.msg_iov = self.vectors[group.vectors.clone()].as_mut_ptr();
            header.msg_iovlen = group.vectors.len() as _;
            if group.frames.len() > 1 {
                header.msg_control = (&raw mut group.control).cast();
                header.msg_controllen = size_of::<SegmentControl>() as _;
            }
            self.messages.push(message);
        }
    }

    /// Frames in messages `from` to `from + taken`.
    fn frames_of(&self, from: usize, taken: usize) -> usize {
        (from..from + taken).map(|at| self.groups[at % self.groups.len()].frames.len()).sum()
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}
