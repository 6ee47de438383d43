//! How a node stands, as one thread decides it and any other may see at the price of a load: whether it takes writes, which
//! of its slots others hold, whether it has joined, and what it left unsent at its end.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use octick_core::stamp::{Run, Slot};
use octick_crypto::NodeId;

/// The node takes no more writes.
const STOPPED: u8 = 1;
/// Others hold slots that it was configured with.
const SLOTS_LOST: u8 = 2;
/// Its clock is past what its store has taken.
const NOT_RESERVED: u8 = 4;

/// What a node had not sent when it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsent {
    /// Writes and groups of writes in the queue, that the engine had not taken.
    pub writes: usize,
    /// Blocks of own cells that waited for their train.
    pub blocks: usize,
    /// Frames that waited for room in the socket, own and relayed, each for one member.
    pub frames: usize,
}

impl Unsent {
    /// Whether all was handed to the network. It may lose some all the same; others then have it from those it reached.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a node is on its way into the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Standing {
    /// It has met nobody, and should have.
    Unmet,
    /// It still compares what it knows with what others know.
    Unsettled,
    /// It reaches too few members.
    Partitioned,
    /// It is a member like any other.
    Ready,
}

/// Clones are the same status.
#[derive(Clone)]
pub(crate) struct Status(Arc<Inner>);

struct Inner {
    /// [`STOPPED`], [`SLOTS_LOST`] and [`NOT_RESERVED`], so that a write has one load to pay for all.
    refuses: AtomicU8,
    standing: AtomicU8,
    lost: Mutex<Vec<(Run, NodeId)>>,
    not_reserved: Mutex<Option<ErrorKind>>,
    unsent: Mutex<Unsent>,
}

/// Why a write is refused that would have been taken once.
pub(crate) enum Refusal {
    /// The node stops, or has stopped.
    Stopped,
    /// Another member holds the slot.
    LostTo(NodeId),
    /// The store has not taken what the clock needs.
    NotReserved(ErrorKind),
}

impl Status {
    pub(crate) fn new(standing: Standing) -> Self {
        Self(Arc::new(Inner {
            refuses: AtomicU8::new(0),
            standing: AtomicU8::new(standing as u8),
            lost: Mutex::default(),
            not_reserved: Mutex::default(),
            unsent: Mutex::default(),
        }))
    }

    /// From now on no write is taken. Whoever queues one orders its own look at [`Status::is_stopped`] behind that.
    pub(crate) fn stop(&self) {
        self.0.refuses.fetch_or(STOPPED, Ordering::SeqCst);
    }

    /// Whether the node takes no more writes.
    #[inline]
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.refuses.load(Ordering::Relaxed) & STOPPED != 0
    }

    /// Whether a write to `slot` is refused for what has happened since the start.
    #[inline]
    pub(crate) fn refuses(&self, slot: Slot) -> Option<Refusal> {
        let refuses = self.0.refuses.load(Ordering::Relaxed);
        if refuses == 0 { None } else { self.refuses_now(refuses, slot) }
    }

    #[cold]
    fn refuses_now(&self, refuses: u8, slot: Slot) -> Option<Refusal> {
        if refuses & STOPPED != 0 {
            return Some(Refusal::Stopped);
        }
        let why = *self.0.not_reserved.lock().unwrap_or_else(PoisonError::into_inner);
        why.map(Refusal::NotReserved).or_else(|| self.lost_to(slot).map(Refusal::LostTo))
    }

    /// Takes note that nothing can be issued, and why; or that it can again.
    pub(crate) fn set_not_reserved(&self, why: Option<ErrorKind>) {
        *self.0.not_reserved.lock().unwrap_or_else(PoisonError::into_inner) = why;
        match why {
            Some(_) => self.0.refuses.fetch_or(NOT_RESERVED, Ordering::Relaxed),
            None => self.0.refuses.fetch_and(!NOT_RESERVED, Ordering::Relaxed),
        };
    }

    /// Who holds `slot`, if this node was configured with it and lost it.
    pub(crate) fn lost_to(&self, slot: Slot) -> Option<NodeId> {
        let lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |run: &Run| slot.0.wrapping_sub(run.first.0) < run.len;
        lost.iter().find(|(run, _)| holds(run)).map(|(_, to)| *to)
    }

    /// Takes note of all slots that others hold.
    pub(crate) fn set_lost(&self, now: impl Iterator<Item = (Run, NodeId)>) {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clear();
        lost.extend(now);
        if lost.is_empty() {
            self.0.refuses.fetch_and(!SLOTS_LOST, Ordering::Relaxed);
        } else {
            self.0.refuses.fetch_or(SLOTS_LOST, Ordering::Relaxed);
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        match self.0.standing.load(Ordering::Relaxed) {
            0 => Standing::Unmet,
            1 => Standing::Unsettled,
            2 => Standing::Partitioned,
            _ => Standing::Ready,
        }
    }

    /// Takes note of a change; returns whether it is one.
    pub(crate) fn set_standing(&self, standing: Standing) -> bool {
        self.0.standing.swap(standing as u8, Ordering::Relaxed) != standing as u8
    }

    /// What the node could not send before it ended.
    pub(crate) fn unsent(&self) -> Unsent {
        *self.0.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_unsent(&self, unsent: Unsent) {
        *self.0.unsent.lock().unwrap_or_else(PoisonError::into_inner) = unsent;
    }
}
