//! What the sessions and each of them share: what may be spent, what comes out, and why something is refused.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::refusal::Refusal;

/// What a node spends on reconciling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Sessions at once, opened or answered. Each may hold 100 bytes a name of its set.
    pub sessions_max: usize,
    /// Names of a set that are compared; the rest waits for another session.
    pub set_max: usize,
    /// Names that are hashed, coded or looked up in one tick: some 20 ns each, 200 when they are coded.
    pub names_per_turn: usize,
    /// Symbols that are made or looked at in one session.
    pub symbols_max: u32,
    /// Bytes that one control frame or one tick may lead a session to send.
    pub round_bytes: usize,
    /// Bytes that a session may send in all.
    pub session_bytes: usize,
    /// Bytes of a filter.
    pub filter_bytes_max: usize,
    /// Names that one tick asks for, or sends, in a session.
    pub batch: usize,
    /// Between two such batches, microseconds.
    pub batch_gap: u64,
    /// How long an answer is waited for before it is asked for again, microseconds.
    pub patience: u64,
    /// How often it is asked for.
    pub tries: u8,
    /// How long a session may last, microseconds.
    pub lifetime: u64,
    /// Between the end of a session that a peer opened and its next, microseconds.
    pub peer_gap: u64,
    /// Peers of whom that is remembered.
    pub peers_max: usize,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            sessions_max: 8,
            set_max: 1 << 17,
            names_per_turn: 4_096,
            symbols_max: 1 << 15,
            round_bytes: 64 << 10,
            session_bytes: 2 << 20,
            filter_bytes_max: 60 << 10,
            batch: 1_000,
            batch_gap: 20_000,
            patience: 300_000,
            tries: 8,
            lifetime: 60_000_000,
            peer_gap: 500_000,
            peers_max: 256,
        }
    }
}

/// Why something that a peer said was not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SessionRefusal {
    /// Not one of the messages.
    Garbled,
    /// Of a session that is not, or not in that state.
    Unknown,
    /// A session of its was answered only just, or that very one before.
    TooSoon,
    /// There is no room for another session.
    Full,
    /// Symbols under another key or of another set than those before.
    Changed,
    /// Symbols that will never decode, found by their number.
    TooLong,
    /// Symbols that are those of no set.
    Contradiction,
    /// More was asked for than a session may send.
    Greedy,
    /// A number past its bound.
    Bound,
}

const _: () = {
    let mut i = 0;
    while i < SessionRefusal::ALL.len() {
        assert!(SessionRefusal::ALL[i] as usize == i, "counters are found by their numbers");
        i += 1;
    }
};

impl SessionRefusal {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 9] = [
        Self::Garbled,
        Self::Unknown,
        Self::TooSoon,
        Self::Full,
        Self::Changed,
        Self::TooLong,
        Self::Contradiction,
        Self::Greedy,
        Self::Bound,
    ];

    /// As the whole node counts it.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::Garbled => Refusal::SessionMalformed,
            Self::Unknown => Refusal::SessionUnknown,
            Self::TooSoon => Refusal::SessionTooSoon,
            Self::Full => Refusal::SessionFull,
            Self::Changed => Refusal::SessionChanged,
            Self::TooLong => Refusal::SessionTooLong,
            Self::Contradiction => Refusal::SessionContradiction,
            Self::Greedy => Refusal::SessionGreedy,
            Self::Bound => Refusal::SessionBound,
        }
    }
}

/// How a session that this node opened came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The difference is known, and was asked for and sent.
    Complete,
    /// Most of it; another session finds the rest, once the peer answers one.
    Partly,
    /// The peer did not answer, or has no room.
    Silent,
    /// It was given up.
    SessionRefusal(SessionRefusal),
}

/// What a node is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<P, N> {
    /// Say this, in a message of kind [`Reconcile`](crate::control::message::kind::MessageKind::Reconcile).
    Say {
        /// To whom.
        to: P,
        /// The body.
        body: Vec<u8>,
    },
    /// Send what bears these names, as far as it is here: the peer lacks it.
    Serve {
        /// To whom.
        to: P,
        /// Of which set.
        set: u8,
        /// The names.
        names: Vec<N>,
    },
    /// These names are here at last known, and not there; the peer was asked for them.
    Expect {
        /// From whom.
        from: P,
        /// Of which set.
        set: u8,
        /// The names.
        names: Vec<N>,
    },
    /// The last session left something, and the peer answers another by now: open it.
    Again {
        /// With whom.
        with: P,
        /// About which set.
        set: u8,
    },
    /// A session that this node opened is over.
    Ended {
        /// With whom.
        with: P,
        /// About which set.
        set: u8,
        /// How.
        how: End,
    },
}

impl<P: Copy, N> Output<P, N> {
    /// Whom it concerns.
    pub fn peer(&self) -> P {
        match self {
            Self::Say { to, .. } | Self::Serve { to, .. } => *to,
            Self::Expect { from, .. } => *from,
            Self::Again { with, .. } | Self::Ended { with, .. } => *with,
        }
    }
}

/// What all sessions share.
pub(super) struct Context<'a, P, N> {
    pub(super) now: u64,
    pub(super) settings: &'a SessionSettings,
    pub(super) out: &'a mut VecDeque<Output<P, N>>,
}
