//! All sessions of a node: it opens some, answers others, and keeps every one within its [`SessionSettings`].
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
//! [`SessionRefusal`], which takes it from the peer's account.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::context::Context;
pub use super::context::{End, Output, SessionRefusal, SessionSettings};
use super::exchange::Exchange;
use super::key::Name;
use super::message::{ReconcileMsg, Topic};
use crate::random::Nonces;

/// All sessions of a node with its peers `P` about sets of names `N`.
#[derive(Debug)]
pub struct Reconciler<P, N> {
    settings: SessionSettings,
    nonces: Nonces,
    sessions: BTreeMap<(P, Topic, bool), Exchange<P, N>>,
    /// The last session that a peer opened, and when it may open another.
    heard: BTreeMap<P, (u32, u64)>,
    /// Whom this node asked last, by the set: until when it asks for no other session, and whether it then does.
    rests: BTreeMap<(P, u8), (u64, bool)>,
    out: VecDeque<Output<P, N>>,
    refused: [u64; SessionRefusal::ALL.len()],
}

impl<P: Copy + Ord, N: Name> Reconciler<P, N> {
    /// No sessions. The `nonces` name them and draw the shares of their keys.
    pub fn new(settings: SessionSettings, nonces: Nonces) -> Self {
        assert!(settings.set_max <= u32::MAX as usize && settings.names_per_turn > 0, "{settings:?}");
        Self {
            settings,
            nonces,
            sessions: BTreeMap::new(),
            heard: BTreeMap::new(),
            rests: BTreeMap::new(),
            out: VecDeque::new(),
            refused: [0; SessionRefusal::ALL.len()],
        }
    }

    /// How often each reason was counted, in the order of [`SessionRefusal::ALL`].
    pub fn refused(&self) -> &[u64; SessionRefusal::ALL.len()] {
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
    /// there was room, none with the peer about the set already, and the last one over for so long that the peer answers
    /// another. An opening that waits is compared with a set of a later time: what both took in since would seem to lack.
    pub fn open(&mut self, now: u64, to: P, set: u8, names: impl Iterator<Item = N>) -> bool {
        if self.rests.get(&(to, set)).is_some_and(|(until, _)| now < *until) {
            return false;
        }
        let own = |(peer, topic, opener): &(P, Topic, bool)| *peer == to && topic.set == set && *opener;
        if self.sessions.len() >= self.settings.sessions_max || self.sessions.keys().any(own) {
            return false;
        }
        self.rests.remove(&(to, set));
        let topic = Topic { set, session: self.nonces.u32() };
        let names = names.take(self.settings.set_max).collect();
        let exchange = Exchange::open(now, to, topic, self.nonces.u64(), names);
        self.sessions.insert((to, topic, true), exchange);
        assert!(self.sessions.len() <= self.settings.sessions_max, "{} sessions", self.sessions.len());
        true
    }

    /// Takes the body of a message of kind [`Reconcile`](crate::control::message::kind::MessageKind::Reconcile). `names` gives a snapshot of a set, and is asked for
    /// only when a session is to be answered; nothing means that there is no such set.
    ///
    /// # Errors
    /// [`SessionRefusal`]: it was not handled, or ended its session. The peer's account pays.
    pub fn handle<I: Iterator<Item = N>>(
        &mut self,
        now: u64,
        from: P,
        body: &[u8],
        names: impl FnOnce(u8) -> Option<I>,
    ) -> Result<(), SessionRefusal> {
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
    ) -> Result<(), SessionRefusal> {
        let (topic, msg) = ReconcileMsg::decode(body).ok_or(SessionRefusal::Garbled)?;
        if let ReconcileMsg::Open { share, size, sketch } = msg
            && !self.sessions.contains_key(&(from, topic, false))
        {
            self.admit(now, from, topic)?;
            let names =
                names(topic.set).ok_or(SessionRefusal::Unknown)?.take(self.settings.set_max).collect();
            let exchange =
                Exchange::answer(now, from, topic, self.nonces.u64(), names, (share, size, *sketch));
            self.sessions.insert((from, topic, false), exchange);
            assert!(self.sessions.len() <= self.settings.sessions_max, "{} sessions", self.sessions.len());
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
        let exchange = self.sessions.get_mut(&key).ok_or(SessionRefusal::Unknown)?;
        let mut ctx = Context { now, settings: &self.settings, out: &mut self.out };
        let handled = exchange.handle(&mut ctx, msg);
        self.bury(now, key);
        handled
    }

    /// Whether a peer may open this session now.
    fn admit(&mut self, now: u64, from: P, topic: Topic) -> Result<(), SessionRefusal> {
        let busy = self.sessions.keys().any(|(peer, _, opener)| *peer == from && !opener);
        let early = self.heard.get(&from).is_some_and(|(last, until)| *last == topic.session || now < *until);
        if busy || early {
            return Err(SessionRefusal::TooSoon);
        }
        if self.sessions.len() >= self.settings.sessions_max {
            self.out.push_back(Output::Say { to: from, body: ReconcileMsg::Busy.encode(topic) });
            return Err(SessionRefusal::Full);
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
        assert!(self.heard.len() <= self.settings.peers_max.max(1), "{} peers remembered", self.heard.len());
        Ok(())
    }

    /// A peer is gone, and `P` may name another from now on: its sessions end without a word, and nothing of it is left.
    pub fn forget(&mut self, gone: P) {
        self.sessions.retain(|(peer, ..), _| *peer != gone);
        self.heard.remove(&gone);
        self.rests.retain(|(peer, _), _| *peer != gone);
        self.out.retain(|output| output.peer() != gone);
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
        for ((with, set), (until, again)) in &mut self.rests {
            if now >= *until && core::mem::take(again) {
                self.out.push_back(Output::Again { with: *with, set: *set });
            }
        }
    }

    /// When [`Reconciler::tick`] has something to do: zero for at once, [`u64::MAX`] for nothing.
    pub fn next_due(&self) -> u64 {
        let due = self.sessions.values().map(|exchange| exchange.next_due());
        let again = self.rests.values().filter(|(_, again)| *again).map(|(until, _)| *until);
        due.chain(again).min().unwrap_or(u64::MAX)
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<Output<P, N>> {
        self.out.pop_front()
    }

    /// Leaves a peer in peace after a session that this node opened.
    fn rest(&mut self, now: u64, asked: (P, u8), again: bool) {
        self.rests.retain(|_, (until, again)| now < *until || *again);
        if self.rests.len() >= self.settings.peers_max
            && let Some(first) =
                self.rests.iter().min_by_key(|(_, (until, _))| *until).map(|(asked, _)| *asked)
        {
            self.rests.remove(&first);
        }
        // The peer counts from when it hears of the end, which takes less time than an answer is waited for.
        self.rests.insert(asked, (now + self.settings.peer_gap + self.settings.patience, again));
        assert!(self.rests.len() <= self.settings.peers_max.max(1), "{} peers in peace", self.rests.len());
    }

    /// Forgets a session that is over.
    fn bury(&mut self, now: u64, key: (P, Topic, bool)) {
        let Some(how) = self.sessions.get(&key).and_then(Exchange::ended) else { return };
        self.sessions.remove(&key);
        let (peer, topic, opener) = key;
        if opener {
            self.rest(now, (peer, topic.set), how == End::Partly);
            self.out.push_back(Output::Ended { with: peer, set: topic.set, how });
        } else if let Some((_, until)) = self.heard.get_mut(&peer) {
            *until = now + self.settings.peer_gap;
        }
    }
}

#[cfg(test)]
mod tests;
