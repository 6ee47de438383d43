//! To whom, and what waits while the socket is full.
//!
//! Where the control plane finds the members, it says what goes to whom. Without it, own trains go to `fanout` peers and
//! new frames of others to `relay` random peers, in the very buffer in which they were received. What the socket does not take is kept, up to a bound, without a copy of relayed frames; beyond
//! the bound it is counted and dropped, and the next refresh repairs it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;
use octick_core::counters::{Counter, Counters};
use octick_core::stamp::OriginIndex;

use crate::config::Push;
use crate::socket::{Arrival, Sender};

/// A peer that frames can be sent to.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct Target {
    pub(in crate::runtime) origin: OriginIndex,
    pub(in crate::runtime) addr: SocketAddr,
}

/// Frames that were relayed to some and are still owed to others: their arrival must be kept.
struct Owed {
    arrival: usize,
    frame: usize,
    to: SocketAddr,
}

/// The way out of a node.
pub(in crate::runtime) struct Egress {
    sender: Sender,
    targets: Vec<Target>,
    push: Push,
    random: SplitMix,
    /// Whom the frames in hand go to.
    to: Vec<SocketAddr>,
    queue: VecDeque<(Bytes, SocketAddr)>,
    owed: Vec<Owed>,
    counters: Counters,
}

impl Egress {
    pub(in crate::runtime) fn new(
        sender: Sender,
        targets: Vec<Target>,
        push: Push,
        seed: u64,
        counters: Counters,
    ) -> Self {
        Self {
            sender,
            to: Vec::with_capacity(targets.len().max(1)),
            targets,
            push,
            random: SplitMix(seed),
            queue: VecDeque::with_capacity(push.queue),
            owed: Vec::with_capacity(push.queue),
            counters,
        }
    }

    /// Frames that wait for room in the socket.
    pub(in crate::runtime) fn waiting(&self) -> usize {
        self.queue.len() + self.owed.len()
    }

    /// The peers that can be sent to.
    pub(in crate::runtime) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Sends to `origin` at another address from now on, or no longer.
    pub(in crate::runtime) fn aim(&mut self, origin: OriginIndex, addr: Option<SocketAddr>) {
        self.targets.retain(|target| target.origin != origin);
        self.targets.extend(addr.map(|addr| Target { origin, addr }));
    }

    /// Sends this node's own frames to peers.
    pub(in crate::runtime) fn push(&mut self, frames: &[&[u8]]) {
        self.choose(self.push.fanout, None, None);
        self.send_or_keep(frames);
    }

    /// Sends frames to each of `to`.
    pub(in crate::runtime) fn forward(&mut self, frames: &[&[u8]], to: &[SocketAddr]) {
        self.to.clear();
        self.to.extend_from_slice(to);
        self.send_or_keep(frames);
    }

    fn send_or_keep(&mut self, frames: &[&[u8]]) {
        let rest = self.send(frames);
        for (peer, range) in rest {
            for frame in range {
                self.keep(Bytes::copy_from_slice(frames[frame]), self.to[peer]);
            }
        }
    }

    /// Passes on frames of arrival number `arrival`: all of one train, say. `places` are their numbers in it.
    pub(in crate::runtime) fn relay(
        &mut self,
        frames: &[&[u8]],
        places: impl Fn(usize) -> usize,
        arrival: usize,
        from: SocketAddr,
        origin: OriginIndex,
    ) {
        self.choose(self.push.relay, Some(from), Some(origin));
        let rest = self.send(frames);
        for (peer, range) in rest {
            for frame in range {
                if self.queue.len() + self.owed.len() < self.push.queue {
                    self.owed.push(Owed { arrival, frame: places(frame), to: self.to[peer] });
                } else {
                    self.counters.add(Counter::EgressFull, 1);
                }
            }
        }
    }

    /// Sends one frame to one address.
    pub(in crate::runtime) fn reply(&mut self, frame: &[u8], to: SocketAddr) {
        self.forward(&[frame], &[to]);
    }

    /// Keeps the arrivals whose frames are still owed to somebody, and lets the others go.
    pub(in crate::runtime) fn release(&mut self, arrivals: impl Iterator<Item = Arrival>) {
        if self.owed.is_empty() {
            arrivals.for_each(drop);
            return;
        }
        let mut owed = std::mem::take(&mut self.owed);
        for (i, arrival) in arrivals.enumerate() {
            let (segment, len) = (arrival.segment(), arrival.bytes().len());
            let mut mine = owed.iter().filter(|owed| owed.arrival == i).peekable();
            if mine.peek().is_none() {
                continue;
            }
            let bytes = arrival.into_bytes();
            for owed in mine {
                let start = owed.frame * segment;
                self.keep(bytes.slice(start..len.min(start + segment)), owed.to);
            }
        }
        owed.clear();
        self.owed = owed;
    }

    /// Tries again what waits. Returns whether anything still does.
    pub(in crate::runtime) fn retry(&mut self) -> bool {
        while let Some((frame, to)) = self.queue.pop_front() {
            self.to.clear();
            self.to.push(to);
            let blocked = self.send(&[&frame]).next().is_some();
            if blocked {
                self.queue.push_front((frame, to));
                return true;
            }
        }
        false
    }

    pub(in crate::runtime) fn socket_counters(&self) -> crate::socket::Counters {
        self.sender.counters()
    }

    /// Sends `frames` to the chosen; yields the peers that lack some, and which.
    fn send(&mut self, frames: &[&[u8]]) -> impl Iterator<Item = (usize, Range<usize>)> + use<> {
        let outcome = self.sender.send_train(frames, &self.to);
        let bytes: usize = frames.iter().map(|frame| frame.len()).sum();
        self.counters.add(Counter::FramesOut, outcome.frames_sent as u64);
        self.counters.add(Counter::BytesOut, (bytes / frames.len().max(1) * outcome.frames_sent) as u64);
        let (frames, peers) = (frames.len(), self.to.len());
        outcome.stopped.into_iter().flat_map(move |stop| stop.remaining(frames, peers))
    }

    fn keep(&mut self, frame: Bytes, to: SocketAddr) {
        if self.queue.len() < self.push.queue {
            self.queue.push_back((frame, to));
        } else {
            self.counters.add(Counter::EgressFull, 1);
        }
    }

    /// Chooses up to `count` random targets into `to`, without the sender and the origin of what is sent.
    fn choose(&mut self, count: usize, from: Option<SocketAddr>, origin: Option<OriginIndex>) {
        self.to.clear();
        let total = self.targets.len();
        for i in 0..total {
            if self.to.len() == count {
                break;
            }
            // A shuffle that stops as soon as enough are chosen (Fisher and Yates; Durstenfeld, 1964).
            let j = i + self.random.below(total - i);
            self.targets.swap(i, j);
            let target = self.targets[i];
            if Some(target.addr) != from && Some(target.origin) != origin {
                self.to.push(target.addr);
            }
        }
    }
}

/// Steele, Lea and Flood's SplitMix64 (2014): choices of peers need no better randomness.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((u128::from(z) * bound as u128) >> 64) as usize
    }
}
