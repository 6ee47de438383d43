//! The way of a datagram up to the merge: parse, find, ask, accept, verify.
//!
//! In come up to 64 received datagrams; out come the frames among them that parse, have a known origin, were not
//! seen, may say what they say, and prove it, cheapest question first. Every other datagram is one reject counted.
//! Nothing here owns state that a frame can change, but for the memory of verified roots: many ingress threads feed
//! one engine, and the engine's windows have the last word on duplicates.

use octick_crypto::{MeshKeys, NodeId};

use super::accept::{self, Terms};
use super::batch::{Batch, Checked};
use super::directory::Directory;
use super::verify::Verifier;
use super::window::{Seen, WindowsView};
use crate::counters::{Counter, Counters};
use crate::limits::BATCH_MAX;
use crate::reject::Reject;
use crate::wire::Frame;

/// The stateless filter in front of an engine.
pub struct Ingress {
    directory: Directory,
    windows: WindowsView,
    terms: Terms,
    verifier: Verifier,
    counters: Counters,
    ticks: fn() -> u64,
}

impl Ingress {
    /// A filter that knows the origins of `directory` and asks the engine's `windows`. `ticks` reads the cycle
    /// counter, four times a batch.
    pub fn new(
        directory: Directory,
        windows: WindowsView,
        terms: Terms,
        keys: MeshKeys,
        counters: Counters,
        ticks: fn() -> u64,
    ) -> Self {
        Self { directory, windows, terms, verifier: Verifier::new(keys), counters, ticks }
    }

    /// Takes another directory into use, and forgets what was verified under the old one.
    pub fn set_directory(&mut self, directory: Directory) {
        self.directory = directory;
        self.verifier.forget();
    }

    /// Checks up to [`BATCH_MAX`] datagrams. Frame i of the batch is datagram i.
    ///
    /// # Panics
    /// When there are more than [`BATCH_MAX`] datagrams.
    pub fn check<'a>(&mut self, datagrams: &[&'a [u8]], now_micros: u64) -> Batch<'a> {
        assert!(datagrams.len() <= BATCH_MAX, "a batch has at most {BATCH_MAX} frames");
        let mut batch = Batch::new();
        let start = (self.ticks)();
        self.parse(datagrams, &mut batch);
        self.ask(&mut batch, now_micros);
        let asked = (self.ticks)();
        self.verifier.check(&mut batch, &self.directory, &self.counters);
        let verified = (self.ticks)();
        self.counters.add(Counter::TimedTicks, asked.wrapping_sub(start));
        self.counters.add(Counter::VerifyTicks, verified.wrapping_sub(asked));
        batch
    }

    /// Views what are frames of known origins.
    fn parse<'a>(&mut self, datagrams: &[&'a [u8]], batch: &mut Batch<'a>) {
        let mut frames = [None; BATCH_MAX];
        let (mut ids, mut places) = ([NodeId([0; 16]); BATCH_MAX], [0; BATCH_MAX]);
        let (mut parsed, mut bytes_in) = (0, 0);
        for (i, bytes) in datagrams.iter().enumerate() {
            bytes_in += bytes.len() as u64;
            match Frame::parse(bytes) {
                Ok(frame) => {
                    frames[i] = Some(frame);
                    (ids[parsed], places[parsed]) = (frame.header().origin(), i);
                    parsed += 1;
                }
                Err(damage) => self.counters.reject(damage.reject),
            }
        }
        self.counters.add(Counter::FramesIn, datagrams.len() as u64);
        self.counters.add(Counter::BytesIn, bytes_in);
        let mut found = [None; BATCH_MAX];
        let (ids, found) = (&ids[..parsed], &mut found[..parsed]);
        self.directory.find_many(ids, found, |origin| self.windows.prefetch(origin));
        for (&i, origin) in places.iter().zip(found) {
            match (*origin, frames[i]) {
                (Some(origin), Some(frame)) => batch.put(i, Checked { frame, origin }),
                _ => self.counters.reject(Reject::UnknownOrigin),
            }
        }
    }

    /// Drops what was seen before or may not be said.
    fn ask(&mut self, batch: &mut Batch<'_>, now_micros: u64) {
        let mut dropped = 0;
        for (i, checked) in batch.live() {
            if let Err(reject) = self.judge(checked, now_micros) {
                self.counters.reject(reject);
                dropped |= 1 << i;
            }
        }
        batch.drop_all(dropped, |_| ());
    }

    fn judge(&self, checked: &Checked<'_>, now_micros: u64) -> Result<(), Reject> {
        let (frame, header) = (&checked.frame, checked.frame.header());
        if self.directory.origin(checked.origin).revoked {
            return Err(Reject::RevokedOrigin);
        }
        if frame.kind().is_data() {
            match self.windows.ask(checked.origin, header.incarnation(), header.seq()) {
                Seen::New => {}
                Seen::Duplicate => return Err(Reject::Duplicate),
                Seen::Behind => return Err(Reject::BehindWindow),
                Seen::OldIncarnation => return Err(Reject::OldIncarnation),
            }
        }
        accept::check(frame, checked.origin, &self.directory, &self.terms, now_micros)
    }
}
