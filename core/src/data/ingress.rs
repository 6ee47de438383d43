//! The way of a datagram up to the merge: admit, open, find, ask, check, accept, verify.
//!
//! In come up to 64 received datagrams and who sent each; out come the frames among them that are whole, have a known
//! origin, were not seen, may say what they say, and prove it. The cheapest question comes first: a sender that has
//! spent its budget is not even read, and a duplicate is told by its first cache line and the origin's window. Every
//! other datagram is one reject counted.
//! Nothing here owns state that a frame can change, but for the memory of verified roots: many ingress threads feed
//! one engine, and the engine's windows have the last word on duplicates.

use octick_crypto::{MeshKeys, NodeId, Verifier as Signatures};

use super::accept::{self, Terms};
use super::batch::{Batch, Checked, bits};
use super::budget::{Budgets, Proof, Sender};
use super::directory::Directory;
use super::verify::Verifier;
use super::window::{Seen, WindowsView};
use crate::counters::{Counter, Counters};
use crate::limits::{BATCH_MAX, WAVE_MAX};
use crate::reject::Reject;
use crate::stamp::OriginIndex;
use crate::wire::{Envelope, Kind};

/// Up to [`BATCH_MAX`] datagrams that came together, and who sent each.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'b, 'a> {
    /// What came.
    pub datagrams: &'b [&'a [u8]],
    /// The address it came from, as the edge numbers them.
    pub senders: &'b [Sender],
}

/// The stateless filter in front of an engine.
pub struct Ingress {
    directory: Directory,
    windows: WindowsView,
    terms: Terms,
    /// Whom control frames with a recipient are for, if they are taken.
    me: NodeId,
    verifier: Verifier,
    budgets: Budgets,
    counters: Counters,
    ticks: fn() -> u64,
}

impl Ingress {
    /// A filter that knows the origins of `directory` and asks the engine's `windows`. It lets every sender cause as
    /// much work as it likes, and knows but one, until it is given budgets, and takes control frames for anyone only, until it knows
    /// [for whom it stands](Self::for_node). `ticks` reads the cycle counter, four times a batch.
    pub fn new(
        directory: Directory,
        windows: WindowsView,
        terms: Terms,
        keys: MeshKeys,
        counters: Counters,
        ticks: fn() -> u64,
    ) -> Self {
        let verifier = Verifier::new(keys);
        let (me, budgets) = (NodeId([0; 16]), Budgets::unlimited());
        Self { directory, windows, terms, me, verifier, budgets, counters, ticks }
    }

    /// The same filter, in front of node `me`: control frames for others are refused.
    pub fn for_node(mut self, me: NodeId) -> Self {
        (self.me, self.verifier) = (me, self.verifier.for_node(me));
        self
    }

    /// The same filter, for the senders that `budgets` know, within their budgets.
    pub fn with_budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = budgets;
        self
    }

    /// The same filter, with signatures decided by `signatures`.
    pub fn with_signatures(mut self, signatures: Signatures) -> Self {
        self.set_signatures(signatures);
        self
    }

    /// Lets `signatures` decide from now on.
    pub fn set_signatures(&mut self, signatures: Signatures) {
        if signatures.failure().is_some() {
            self.counters.add(Counter::VerifyDisabled, 1);
        }
        self.verifier.set_signatures(signatures);
    }

    /// What decides signatures, once it was needed: its kernel, its tables, and whether it had to be replaced.
    pub fn signatures(&self) -> Option<&Signatures> {
        self.verifier.signatures()
    }

    /// Works for some 30 microseconds on what makes later checks faster: for idle times, and now and then between
    /// batches. False when there is nothing to do.
    pub fn build_step(&mut self) -> bool {
        self.verifier.build_step()
    }

    /// Takes another directory into use, and forgets what was verified under the old one if its indices stood for others.
    pub fn set_directory(&mut self, directory: Directory) {
        let mut moved = false;
        for index in directory.replaced_since(&self.directory) {
            // A peer's account stands at the place of its origin.
            self.budgets.renew(Sender(index.0));
            moved = true;
        }
        if moved {
            self.verifier.forget();
        }
        self.directory = directory;
    }

    /// What senders may still cause, and how they behaved.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Checks up to [`BATCH_MAX`] datagrams. Frame i of the batch is datagram i, and came from `senders[i]`.
    ///
    /// # Panics
    /// When there are more than [`BATCH_MAX`] datagrams, not as many senders, or one that the budgets do not know.
    pub fn check<'a>(&mut self, datagrams: &[&'a [u8]], senders: &[Sender], now_micros: u64) -> Batch<'a> {
        let mut batch = [Batch::new()];
        self.check_wave(&[Arrived { datagrams, senders }], &mut batch, now_micros);
        let [batch] = batch;
        batch
    }

    /// [`Ingress::check`] for several batches that came together: `batches[i]` becomes that of `wave[i]`. Trains then
    /// share the lanes in which signatures are checked. The windows hear of frames only after the merge, so a frame
    /// that stands in a wave twice passes twice; the engine tells.
    ///
    /// # Panics
    /// When there are more than [`WAVE_MAX`] batches, not as many in both slices, or as [`Ingress::check`].
    pub fn check_wave<'a>(&mut self, wave: &[Arrived<'_, 'a>], batches: &mut [Batch<'a>], now_micros: u64) {
        assert!(wave.len() == batches.len() && wave.len() <= WAVE_MAX, "one batch each, {WAVE_MAX} at most");
        let mut hashed = [0; WAVE_MAX];
        let mut before = (self.ticks)();
        for ((arrived, batch), hashed) in wave.iter().zip(&mut *batches).zip(&mut hashed) {
            assert!(arrived.datagrams.len() == arrived.senders.len(), "one sender a datagram");
            let refused = self.refuse(arrived.senders, now_micros);
            *batch = self.sift(arrived.datagrams, refused, now_micros);
            if batch.strangers != 0 {
                self.charge_strangers(batch, arrived.senders, now_micros);
            }
            let now = (self.ticks)();
            batch.ticks = now.wrapping_sub(before);
            self.counters.add(Counter::TimedTicks, batch.ticks);
            (*hashed, before) = (batch.mask(), now);
        }
        let checked = self.verifier.check(batches, &self.directory, &self.counters);
        for (i, (arrived, batch)) in wave.iter().zip(&*batches).enumerate() {
            let proof = Proof { hashed: hashed[i], checked: checked[i], good: batch.mask() };
            debug_assert!(
                (proof.checked | proof.good) & !proof.hashed == 0,
                "stages only ever drop: {proof:?}"
            );
            self.budgets.settle(arrived.senders, &proof);
        }
        self.counters.add(Counter::VerifyTicks, (self.ticks)().wrapping_sub(before));
    }

    /// Whether `sender` has spent its budget; then `frames` of it, `bytes` together, are counted and need not be
    /// looked at. For the edge, which has many frames of one sender in one piece. [`Ingress::check`] asks again, for
    /// what a sender still has is spent by its next frames.
    ///
    /// # Panics
    /// When the budgets do not know the sender.
    #[inline]
    pub fn turn_away(&mut self, sender: Sender, frames: usize, bytes: usize, now_micros: u64) -> bool {
        let Some(reject) = self.budgets.turn_away(sender, frames as u64, now_micros) else { return false };
        self.counters.add(Counter::FramesIn, frames as u64);
        self.counters.add(Counter::BytesIn, bytes as u64);
        self.counters.reject_many(reject, frames as u64);
        true
    }

    /// Counts the frames whose senders have spent their budgets, and returns a bit for each.
    #[inline]
    fn refuse(&mut self, senders: &[Sender], now_micros: u64) -> u64 {
        let refused = self.budgets.refuse(senders, now_micros);
        if refused.mask() != 0 {
            self.counters.reject_many(Reject::OverBudget, refused.by_sender.count_ones().into());
            self.counters.reject_many(Reject::StrangersOverBudget, refused.by_strangers.count_ones().into());
        }
        refused.mask()
    }

    /// The middle of [`Ingress::check`]: everything that comes before hashes and signatures, in passes over the
    /// batch, so that each frame's cache misses hide behind the other frames' work. What it lets through is not
    /// proven to be anybody's; it stands alone only to be measured.
    ///
    /// # Panics
    /// When there are more than [`BATCH_MAX`] datagrams.
    pub fn filter<'a>(&self, datagrams: &[&'a [u8]], now_micros: u64) -> Batch<'a> {
        self.sift(datagrams, 0, now_micros)
    }

    /// [`Ingress::filter`], but for the datagrams whose bits are set in `refused`.
    #[inline]
    fn sift<'a>(&self, datagrams: &[&'a [u8]], refused: u64, now_micros: u64) -> Batch<'a> {
        assert!(datagrams.len() <= BATCH_MAX, "a batch has at most {BATCH_MAX} frames");
        let mut envelopes = [None; BATCH_MAX];
        let (mut ids, mut places) = ([NodeId([0; 16]); BATCH_MAX], [0_u8; BATCH_MAX]);
        let (mut opened, mut bytes_in) = (0, 0);
        for (i, bytes) in datagrams.iter().enumerate() {
            bytes_in += bytes.len() as u64;
            if refused >> i & 1 == 1 {
                continue;
            }
            match Envelope::open(bytes) {
                Ok(envelope) => {
                    envelopes[i] = Some(envelope);
                    (ids[opened], places[opened]) = (envelope.header().origin(), i as u8);
                    opened += 1;
                }
                Err(damage) => self.counters.reject(damage.reject),
            }
        }
        debug_assert!(opened + refused.count_ones() as usize <= BATCH_MAX, "what is refused is not opened");
        self.counters.add(Counter::FramesIn, datagrams.len() as u64);
        self.counters.add(Counter::BytesIn, bytes_in);
        let mut found = [None; BATCH_MAX];
        let (ids, found) = (&ids[..opened], &mut found[..opened]);
        self.directory.find_many(ids, found, |origin| self.windows.prefetch(origin));
        let mut batch = Batch::new();
        for (&i, origin) in places.iter().zip(found) {
            let i = usize::from(i);
            let Some(envelope) = envelopes[i] else { continue };
            match self.judge(envelope, *origin, now_micros) {
                Ok(checked) => batch.put(i, checked),
                // Who was revoked may have been let in again since; it introduces itself like anybody.
                Err(unknown @ (Reject::UnknownOrigin | Reject::RevokedOrigin)) => {
                    match self.may_introduce(envelope, unknown, now_micros) {
                        Ok(()) => batch.strangers |= 1 << i,
                        Err(reject) => self.counters.reject(reject),
                    }
                }
                Err(Reject::Duplicate) => {
                    batch.repeats |= 1 << i;
                    self.counters.reject(Reject::Duplicate);
                }
                Err(reject) => self.counters.reject(reject),
            }
        }
        let judged = batch.mask() | batch.strangers | batch.repeats;
        debug_assert!(judged & refused == 0 && judged.count_ones() as usize <= opened, "one verdict a frame");
        batch
    }

    /// Lets the senders of control frames by unknown signers pay before anybody looks at them.
    #[cold]
    fn charge_strangers(&mut self, batch: &mut Batch<'_>, senders: &[Sender], now_micros: u64) {
        debug_assert!(batch.strangers & batch.mask() == 0, "a stranger is no known origin");
        for i in bits(batch.strangers) {
            if let Err(reject) = self.budgets.admit_unknown(senders[i], now_micros) {
                batch.strangers &= !(1 << i);
                self.counters.reject(reject);
            }
        }
    }

    /// Whether this is a sound control frame for this node, of somebody who may want to become known; `unknown` says otherwise.
    #[cold]
    fn may_introduce(&self, envelope: Envelope<'_>, unknown: Reject, now_micros: u64) -> Result<(), Reject> {
        let dated = envelope.header().version().micros();
        let ahead = dated > now_micros.saturating_add(self.terms.skew_micros_max);
        if envelope.kind() != Kind::Control || ahead {
            return Err(unknown);
        }
        let frame = envelope.check().map_err(|_| unknown)?;
        accept::check_control(&frame, self.me, &self.terms, now_micros)
    }

    /// A known origin, a number not seen before, sound entries, and the right to say it.
    #[inline]
    fn judge<'a>(
        &self,
        envelope: Envelope<'a>,
        origin: Option<OriginIndex>,
        now_micros: u64,
    ) -> Result<Checked<'a>, Reject> {
        let origin = origin.ok_or(Reject::UnknownOrigin)?;
        if self.directory.is_revoked(origin) {
            return Err(Reject::RevokedOrigin);
        }
        if envelope.kind().is_data() {
            let header = envelope.header();
            match self.windows.ask(origin, header.incarnation(), header.seq()) {
                Seen::New => {}
                Seen::Duplicate => return Err(Reject::Duplicate),
                Seen::Behind => return Err(Reject::BehindWindow),
                Seen::OldIncarnation => return Err(Reject::OldIncarnation),
            }
        }
        let frame = envelope.check().map_err(|damage| damage.reject)?;
        accept::check(&frame, origin, &self.directory, &self.terms, now_micros)?;
        if frame.kind() == Kind::Control {
            accept::check_control(&frame, self.me, &self.terms, now_micros)?;
        }
        Ok(Checked { frame, origin })
    }
}
