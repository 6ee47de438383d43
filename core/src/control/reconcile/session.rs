//! All sessions of a node: it opens some, answers others, and keeps every one within its [`Settings`].
//!
//! ```text
//! opener        open: share, size, sketch ─────────────>  answerer: estimates the difference
//!               <───────────── symbols, 1.85 for each name     (few differences, scattered)
//!               more, as often as need be ─────────────>
//!               or <──────────── far; filter, next ────>       (the opener is far behind)
//!               <──────────────────────────────── lists
//!               or <───────────────────────────── filter       (the answerer is far behind)
//!               want ──────────────────────────────────>  sends what is wanted
//! ```
//!
//! In come control frames, time and snapshots of sets; out come [`Output`]s. A set is hashed and coded a slice a tick, so that
//! nothing else waits. Lost control frames are asked for again. Who wastes this node's time is told to the embedder by
//! [`Refused`], which takes it from the peer's account.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::exchange::Exchange;
use super::key::Name;
use super::message::{ReconcileMsg, Topic};
use crate::random::Random;
use crate::refusal::Refusal;

/// What a node spends on reconciling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
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

impl Default for Settings {
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
pub enum Refused {
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

impl Refused {
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
    /// Most of it; another session finds the rest.
    Partly,
    /// The peer did not answer, or has no room.
    Silent,
    /// It was given up.
    Refused(Refused),
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

/// What all sessions share.
pub(super) struct Context<'a, P, N> {
    pub(super) now: u64,
    pub(super) settings: &'a Settings,
    pub(super) out: &'a mut VecDeque<Output<P, N>>,
}

/// All sessions of a node with its peers `P` about sets of names `N`.
#[derive(Debug)]
pub struct Reconciler<P, N> {
    settings: Settings,
    random: Random,
    sessions: BTreeMap<(P, Topic, bool), Exchange<P, N>>,
    /// The last session that a peer opened, and when it may open another.
    heard: BTreeMap<P, (u32, u64)>,
    out: VecDeque<Output<P, N>>,
    refused: [u64; Refused::ALL.len()],
}

impl<P: Copy + Ord, N: Name> Reconciler<P, N> {
    /// No sessions. The randomness draw the shares of keys: seed them with a secret, or keys can be guessed.
    pub fn new(settings: Settings, random: Random) -> Self {
        Self {
            settings,
            random,
            sessions: BTreeMap::new(),
            heard: BTreeMap::new(),
            out: VecDeque::new(),
            refused: [0; Refused::ALL.len()],
        }
    }

    /// How often each reason was counted, in the order of [`Refused::ALL`].
    pub fn refused(&self) -> &[u64; Refused::ALL.len()] {
        &self.refused
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Bytes of memory that sessions take.
    pub fn memory(&self) -> usize {
        self.sessions.values().map(Exchange::memory).sum()
    }

    /// Opens a session with `to` about set number `set`, of which `names` is a snapshot without repetition. Returns whether
    /// there was room, and none with the peer about the set already.
    pub fn open(&mut self, now: u64, to: P, set: u8, names: impl Iterator<Item = N>) -> bool {
        let own = |(peer, topic, opener): &(P, Topic, bool)| *peer == to && topic.set == set && *opener;
        if self.sessions.len() >= self.settings.sessions_max || self.sessions.keys().any(own) {
            return false;
        }
        let topic = Topic { set, session: self.random.u64() as u32 };
        let names = names.take(self.settings.set_max).collect();
        let exchange = Exchange::open(now, to, topic, self.random.u64(), names);
        self.sessions.insert((to, topic, true), exchange);
        true
    }

    /// Takes the body of a message of kind [`Reconcile`](crate::control::message::kind::MessageKind::Reconcile). `names` gives a snapshot of a set, and is asked for
    /// only when a session is to be answered; nothing means that there is no such set.
    ///
    /// # Errors
    /// [`Refused`]: it was not handled, or ended its session. The peer's account pays.
    pub fn handle<I: Iterator<Item = N>>(
        &mut self,
        now: u64,
        from: P,
        body: &[u8],
        names: impl FnOnce(u8) -> Option<I>,
    ) -> Result<(), Refused> {
        let handled = self.handle_body(now, from, body, names);
        if let Err(refused) = handled {
            self.refused[refused as usize] += 1;
        }
        handled
    }

    fn handle_body<I: Iterator<Item = N>>(
        &mut self,
        now: u64,
        from: P,
        body: &[u8],
        names: impl FnOnce(u8) -> Option<I>,
    ) -> Result<(), Refused> {
        let (topic, msg) = ReconcileMsg::decode(body).ok_or(Refused::Garbled)?;
        if let ReconcileMsg::Open { share, size, sketch } = msg
            && !self.sessions.contains_key(&(from, topic, false))
        {
            self.admit(now, from, topic)?;
            let names = names(topic.set).ok_or(Refused::Unknown)?.take(self.settings.set_max).collect();
            let exchange =
                Exchange::answer(now, from, topic, self.random.u64(), names, (share, size, *sketch));
            self.sessions.insert((from, topic, false), exchange);
            return Ok(());
        }
        // What only an answerer says is for a session that was opened here.
        let opened = matches!(
            msg,
            ReconcileMsg::Symbols { .. }
                | ReconcileMsg::Far { .. }
                | ReconcileMsg::Filter { .. }
                | ReconcileMsg::List { .. }
                | ReconcileMsg::Busy
        );
        let mut key = (from, topic, opened);
        if matches!(msg, ReconcileMsg::Filter { .. }) && !self.sessions.contains_key(&key) {
            key.2 = false;
        }
        let exchange = self.sessions.get_mut(&key).ok_or(Refused::Unknown)?;
        let mut ctx = Context { now, settings: &self.settings, out: &mut self.out };
        let handled = exchange.handle(&mut ctx, msg);
        self.bury(now, key);
        handled
    }

    /// Whether a peer may open this session now.
    fn admit(&mut self, now: u64, from: P, topic: Topic) -> Result<(), Refused> {
        let busy = self.sessions.keys().any(|(peer, _, opener)| *peer == from && !opener);
        let early = self.heard.get(&from).is_some_and(|(last, until)| *last == topic.session || now < *until);
        if busy || early {
            return Err(Refused::TooSoon);
        }
        if self.sessions.len() >= self.settings.sessions_max {
            self.out.push_back(Output::Say { to: from, body: ReconcileMsg::Busy.encode(topic) });
            return Err(Refused::Full);
        }
        if self.heard.len() >= self.settings.peers_max {
            self.heard.retain(|_, (_, until)| now < *until);
            // All of them opened sessions just now: forget the one whose time comes first.
            if self.heard.len() >= self.settings.peers_max
                && let Some(first) =
                    self.heard.iter().min_by_key(|(_, (_, until))| *until).map(|(peer, _)| *peer)
            {
                self.heard.remove(&first);
            }
        }
        self.heard.insert(from, (topic.session, now + self.settings.peer_gap));
        Ok(())
    }

    /// Does a slice of what there is to do.
    pub fn tick(&mut self, now: u64) {
        let keys: Vec<_> = self.sessions.keys().copied().collect();
        for key in keys {
            let exchange = self.sessions.get_mut(&key).expect("a session of this moment");
            if now < exchange.next_due() {
                continue;
            }
            let mut ctx = Context { now, settings: &self.settings, out: &mut self.out };
            if let Err(refused) = exchange.tick(&mut ctx) {
                self.refused[refused as usize] += 1;
            }
            self.bury(now, key);
        }
    }

    /// When [`Reconciler::tick`] has something to do: zero for at once, [`u64::MAX`] for nothing.
    pub fn next_due(&self) -> u64 {
        let due = self.sessions.values().map(|exchange| exchange.next_due());
        due.min().unwrap_or(u64::MAX)
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<Output<P, N>> {
        self.out.pop_front()
    }

    /// Forgets a session that is over.
    fn bury(&mut self, now: u64, key: (P, Topic, bool)) {
        let Some(how) = self.sessions.get(&key).and_then(Exchange::ended) else { return };
        self.sessions.remove(&key);
        let (peer, topic, opener) = key;
        if opener {
            self.out.push_back(Output::Ended { with: peer, set: topic.set, how });
        } else if let Some((_, until)) = self.heard.get_mut(&peer) {
            *until = now + self.settings.peer_gap;
        }
    }
}

#[cfg(test)]
mod tests;
