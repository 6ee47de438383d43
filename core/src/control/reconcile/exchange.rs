//! One session, from either side.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::bloom::Bloom;
use super::context::{Context, End, Output, SessionRefusal};
use super::key::{Key, Name};
use super::message::{ReconcileMsg, Topic, names_max, read_names, write_names};
use super::riblt::{Coder, Decoder};
use super::sketch::{self, Sketch};
use super::symbol::Symbol;

/// What a session does at the moment.
#[derive(Debug)]
pub(super) enum Stage<N> {
    /// Hashes its set: up to `at` so far.
    Sketching { at: usize, sketch: Sketch },
    /// Opener: waits for the first answer, and asks again with this.
    Waiting { sketch: [u8; sketch::LEN] },
    /// Codes its set, or waits for someone to want more of it.
    Coding { coder: Coder<N>, end: u32, sent: u32 },
    /// Opener: takes symbols apart.
    Decoding(Apart<N>),
    /// Opener: waits for lists of what its filter does not hold.
    Listing { cursor: u32 },
    /// Looks up what the peer's filter does not hold, from `at` on; `until` names in this round.
    Filtering { bloom: Bloom, pages: Vec<u32>, asked: bool, at: usize },
    /// Opener: asks for and sends what differs.
    Settling,
    /// Answerer: everything was said, but for what the opener may want.
    Serving,
}

/// Symbols on their way into a difference.
#[derive(Debug)]
pub(super) struct Apart<N> {
    pub(super) coder: Coder<N>,
    pub(super) decoder: Decoder<N>,
    /// What came before its turn.
    pub(super) early: BTreeMap<u32, Vec<Symbol<N>>>,
    pub(super) their_size: u32,
    /// Behind the last symbol that was seen or asked for.
    pub(super) end: u32,
}

/// One session.
#[derive(Debug)]
pub(super) struct Exchange<P, N> {
    pub(super) peer: P,
    pub(super) topic: Topic,
    pub(super) opener: bool,
    pub(super) share: u64,
    pub(super) theirs: Option<(u64, u32)>,
    their_sketch: Option<[u8; sketch::LEN]>,
    pub(super) names: Vec<N>,
    pub(super) stage: Stage<N>,
    /// What is still to be asked for, and to be sent.
    pub(super) pull: Vec<N>,
    pub(super) serve: Vec<N>,
    /// Whether the whole difference is known, but for what comes late.
    pub(super) settled: bool,
    /// Opener: whether it said that it wants nothing more.
    done: bool,
    bytes_left: usize,
    /// Names that were listed to, or wanted of, this side.
    pub(super) served: usize,
    ends_at: u64,
    /// When to ask again, or to go on.
    pub(super) due: u64,
    pub(super) tries: u8,
    ended: Option<End>,
}

impl<P: Copy + Ord, N: Name> Exchange<P, N> {
    pub(super) fn open(now: u64, peer: P, topic: Topic, share: u64, names: Vec<N>) -> Self {
        Self {
            peer,
            topic,
            opener: true,
            share,
            theirs: None,
            their_sketch: None,
            names,
            stage: Stage::Sketching { at: 0, sketch: Sketch::default() },
            pull: Vec::new(),
            serve: Vec::new(),
            settled: true,
            done: false,
            bytes_left: usize::MAX,
            served: 0,
            ends_at: u64::MAX,
            due: now,
            tries: 0,
            ended: None,
        }
    }

    pub(super) fn answer(
        now: u64,
        peer: P,
        topic: Topic,
        share: u64,
        names: Vec<N>,
        (their_share, size, sketch): (u64, u32, [u8; sketch::LEN]),
    ) -> Self {
        Self {
            opener: false,
            theirs: Some((their_share, size)),
            their_sketch: Some(sketch),
            ..Self::open(now, peer, topic, share, names)
        }
    }

    pub(super) fn ended(&self) -> Option<End> {
        self.ended
    }

    pub(super) fn next_due(&self) -> u64 {
        let working = match &self.stage {
            Stage::Sketching { .. } => true,
            Stage::Coding { end, sent, .. } => *sent < *end,
            Stage::Decoding(apart) => apart.early.contains_key(&apart.decoder.taken()),
            Stage::Filtering { asked, .. } => *asked,
            Stage::Waiting { .. } | Stage::Listing { .. } | Stage::Settling | Stage::Serving => false,
        };
        if working { 0 } else { self.due.min(self.ends_at) }
    }

    pub(super) fn memory(&self) -> usize {
        let stage = match &self.stage {
            Stage::Coding { coder, .. } => coder.memory(),
            Stage::Decoding(apart) => {
                let early: usize = apart.early.values().map(|symbols| symbols.capacity()).sum();
                apart.coder.memory() + apart.decoder.memory() + early * size_of::<Symbol<N>>()
            }
            Stage::Filtering { bloom, pages, .. } => bloom.bytes().len() + pages.capacity() * 4,
            _ => 0,
        };
        let names = self.names.capacity() + self.pull.capacity() + self.serve.capacity();
        size_of::<Self>() + names * size_of::<N>() + stage
    }

    pub(super) fn handle(
        &mut self,
        ctx: &mut Context<'_, P, N>,
        msg: ReconcileMsg<'_>,
    ) -> Result<(), SessionRefusal> {
        let handled = match msg {
            ReconcileMsg::Symbols { share, size, first, bytes } => {
                self.meet(ctx, share, size)?;
                self.handle_symbols(ctx, first, bytes)
            }
            ReconcileMsg::More { first, end } => self.handle_more(ctx, first, end),
            ReconcileMsg::Far { share, size } => {
                self.meet(ctx, share, size)?;
                self.handle_far(ctx)
            }
            ReconcileMsg::Filter { share, size, total, at, bytes } => {
                self.meet(ctx, share, size)?;
                self.handle_filter(ctx, (size, total), at, bytes)
            }
            ReconcileMsg::Next { cursor } => self.handle_next(ctx, cursor),
            ReconcileMsg::List { cursor, next, names } => self.handle_list(ctx, cursor, next, names),
            ReconcileMsg::Want { names } => self.handle_want(ctx, names),
            ReconcileMsg::Done => {
                self.ended = Some(End::Complete);
                Ok(())
            }
            ReconcileMsg::Busy if matches!(self.stage, Stage::Waiting { .. }) => {
                self.ended = Some(End::Silent);
                Ok(())
            }
            ReconcileMsg::Open { share, .. } if self.theirs.is_some_and(|theirs| theirs.0 == share) => {
                self.answer_again(ctx)
            }
            ReconcileMsg::Busy | ReconcileMsg::Open { .. } => Err(SessionRefusal::Unknown),
        };
        if let Err(
            refused @ (SessionRefusal::TooLong | SessionRefusal::Contradiction | SessionRefusal::Greedy),
        ) = handled
        {
            self.ended = Some(End::SessionRefusal(refused));
        }
        handled
    }

    pub(super) fn tick(&mut self, ctx: &mut Context<'_, P, N>) -> Result<(), SessionRefusal> {
        if self.ends_at == u64::MAX {
            self.ends_at = ctx.now.saturating_add(ctx.settings.lifetime);
            self.bytes_left = ctx.settings.session_bytes;
        }
        if ctx.now >= self.ends_at {
            self.ended = Some(End::Silent);
            return Ok(());
        }
        assert!(self.bytes_left <= ctx.settings.session_bytes, "{} bytes left", self.bytes_left);
        let done = match &mut self.stage {
            Stage::Sketching { at, sketch } => {
                let key = Key::of(
                    "sketch",
                    if self.opener { self.share } else { self.theirs.map_or(0, |t| t.0) },
                    0,
                );
                let end = (*at + ctx.settings.names_per_turn).min(self.names.len());
                self.names[*at..end].iter().for_each(|name| sketch.add(name.under(&key)));
                assert!(end > *at || end == self.names.len(), "a slice goes forward, or to the end");
                *at = end;
                if end == self.names.len() {
                    let sketch = core::mem::take(sketch);
                    self.sketched(ctx, &sketch);
                }
                Ok(())
            }
            Stage::Coding { coder, end, sent } if *sent < *end => {
                if !coder.extend(*end, ctx.settings.names_per_turn) {
                    return Ok(());
                }
                self.send_symbols(ctx)
            }
            Stage::Decoding(apart) if apart.early.contains_key(&apart.decoder.taken()) => self.decode(ctx),
            Stage::Filtering { asked: true, .. } => self.filter(ctx),
            Stage::Settling => {
                self.settle(ctx);
                Ok(())
            }
            _ if ctx.now >= self.due => {
                self.ask_again(ctx);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(refused) = done {
            self.ended = Some(End::SessionRefusal(refused));
        }
        done
    }

    /// The whole set is in the sketch.
    fn sketched(&mut self, ctx: &mut Context<'_, P, N>, sketch: &Sketch) {
        let (Some((their_share, their_size)), Some(theirs)) = (self.theirs, self.their_sketch) else {
            let sketch = sketch.encode();
            self.stage = Stage::Waiting { sketch };
            self.ask_again(ctx);
            return;
        };
        let (size, settings) = (self.names.len() as u32, ctx.settings);
        let apart = size.abs_diff(their_size);
        let differ = sketch.differs_by(&theirs).max(apart);
        let symbols = differ.saturating_add(differ / 20 * 17).saturating_add(differ % 20 * 17 / 20 + 10);
        // A filter costs 1.25 bytes a name of the smaller set and a name for each that is missing; symbols cost 25 bytes a
        // difference and find what differs on either side.
        let lopsided = differ >= 256 && apart >= differ / 4 * 3;
        let dear = u64::from(differ) * 17 > u64::from(size.min(their_size)) * 5 / 4;
        if (lopsided && dear) || symbols > settings.symbols_max / 4 * 3 {
            if their_size <= size {
                self.say(ctx, ReconcileMsg::Far { share: self.share, size });
                let bloom = Bloom::empty(self.key("filter"), 0, 0);
                self.stage = Stage::Filtering { bloom, pages: Vec::new(), asked: false, at: 0 };
            } else {
                self.send_filter(ctx);
                self.stage = Stage::Serving;
            }
            self.wait(ctx);
            return;
        }
        let key = Key::of("symbols", their_share, self.share);
        let coder = Coder::of(key, self.names.iter().copied());
        self.stage = Stage::Coding { coder, end: symbols, sent: 0 };
    }

    fn handle_want(&mut self, ctx: &mut Context<'_, P, N>, names: &[u8]) -> Result<(), SessionRefusal> {
        if self.opener {
            return Err(SessionRefusal::Unknown);
        }
        let names = read_names::<N>(names).ok_or(SessionRefusal::Garbled)?;
        self.served += names.len();
        // Each name of the set once, and once more for what was lost.
        if self.served > 2 * self.names.len() {
            return Err(SessionRefusal::Greedy);
        }
        ctx.out.push_back(Output::Serve { to: self.peer, set: self.topic.set, names });
        self.wait(ctx);
        Ok(())
    }

    /// The question came once more: the answer may have been lost.
    fn answer_again(&mut self, ctx: &mut Context<'_, P, N>) -> Result<(), SessionRefusal> {
        self.tries += 1;
        if self.tries > ctx.settings.tries {
            return Err(SessionRefusal::Greedy);
        }
        match &mut self.stage {
            Stage::Coding { end, sent, .. } if sent == end => *sent = 0,
            Stage::Filtering { pages, .. } if pages.is_empty() => {
                self.say(ctx, ReconcileMsg::Far { share: self.share, size: self.names.len() as u32 });
            }
            Stage::Serving => self.send_filter(ctx),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn begin_to_settle(&mut self, ctx: &mut Context<'_, P, N>) {
        self.stage = Stage::Settling;
        self.names = Vec::new();
        self.due = ctx.now;
        self.settle(ctx);
    }

    /// Asks for a batch, and sends a batch.
    fn settle(&mut self, ctx: &mut Context<'_, P, N>) {
        if ctx.now < self.due {
            return;
        }
        // What was wanted last has had the time to arrive before that is said. The peer need not wait for what it is sent.
        if self.pull.is_empty() && !core::mem::replace(&mut self.done, true) {
            self.say(ctx, ReconcileMsg::Done);
        }
        if self.pull.is_empty() && self.serve.is_empty() {
            self.ended = Some(if self.settled { End::Complete } else { End::Partly });
            return;
        }
        let batch = ctx.settings.batch;
        let wanted = self.pull.split_off(self.pull.len().saturating_sub(batch));
        for names in wanted.chunks(names_max::<N>()) {
            self.say(ctx, ReconcileMsg::Want { names: &write_names(names) });
        }
        let (peer, set) = (self.peer, self.topic.set);
        if !wanted.is_empty() {
            ctx.out.push_back(Output::Expect { from: peer, set, names: wanted });
        }
        let served = self.serve.split_off(self.serve.len().saturating_sub(batch));
        if !served.is_empty() {
            ctx.out.push_back(Output::Serve { to: peer, set, names: served });
        }
        self.due = ctx.now + ctx.settings.batch_gap;
    }

    /// Nothing came for a while.
    fn ask_again(&mut self, ctx: &mut Context<'_, P, N>) {
        self.tries += 1;
        if !self.opener || self.tries > ctx.settings.tries {
            self.ended = Some(End::Silent);
            return;
        }
        let (share, size) = (self.share, self.names.len() as u32);
        let body = match &self.stage {
            Stage::Waiting { sketch } => Some(ReconcileMsg::Open { share, size, sketch }.encode(self.topic)),
            Stage::Decoding(apart) => {
                // Up to what came before its turn, or a quarter as many again.
                let first = apart.decoder.taken();
                let hole = apart.early.keys().find(|early| **early > first).copied();
                let end = hole.unwrap_or(first + first / 4 + 6).min(ctx.settings.symbols_max);
                assert!(first < end, "symbols {first} to {end} are asked for");
                Some(ReconcileMsg::More { first, end }.encode(self.topic))
            }
            Stage::Listing { cursor } => Some(ReconcileMsg::Next { cursor: *cursor }.encode(self.topic)),
            _ => None,
        };
        if let Some(body) = body {
            ctx.out.push_back(Output::Say { to: self.peer, body });
        }
        if let Stage::Filtering { asked, .. } = &mut self.stage
            && self.opener
        {
            *asked = true;
        }
        self.wait(ctx);
    }

    /// The peer's share and size, which must stay what they were.
    fn meet(&mut self, ctx: &Context<'_, P, N>, share: u64, size: u32) -> Result<(), SessionRefusal> {
        if size as usize > ctx.settings.set_max {
            return Err(SessionRefusal::Bound);
        }
        let met = *self.theirs.get_or_insert((share, size));
        if met == (share, size) { Ok(()) } else { Err(SessionRefusal::Changed) }
    }

    pub(super) fn key(&self, purpose: &str) -> Key {
        let theirs = self.theirs.map_or(0, |theirs| theirs.0);
        let (opener, answerer) = if self.opener { (self.share, theirs) } else { (theirs, self.share) };
        Key::of(purpose, opener, answerer)
    }

    pub(super) fn wait(&mut self, ctx: &Context<'_, P, N>) {
        // An answerer waits as long as the opener may go on asking.
        let turns = if self.opener { 1 } else { u64::from(ctx.settings.tries) + 2 };
        self.due = ctx.now + turns * ctx.settings.patience;
        assert!(self.due > ctx.now, "patience takes time");
    }

    pub(super) fn say(&mut self, ctx: &mut Context<'_, P, N>, msg: ReconcileMsg<'_>) {
        let body = msg.encode(self.topic);
        ctx.out.push_back(Output::Say { to: self.peer, body });
    }

    /// Says what the peer asked for, at its price.
    pub(super) fn send(&mut self, ctx: &mut Context<'_, P, N>, body: Vec<u8>) -> Result<(), SessionRefusal> {
        self.bytes_left = self.bytes_left.checked_sub(body.len()).ok_or(SessionRefusal::Greedy)?;
        ctx.out.push_back(Output::Say { to: self.peer, body });
        Ok(())
    }
}
