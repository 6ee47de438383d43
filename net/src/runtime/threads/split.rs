//! Several threads that receive and verify, one that merges and sends.
//!
//! What crosses between them is an arrival: its buffer by index, and a bit for each frame that proved itself. The
//! engine's thread views those frames again at the price of their headers, and its windows have the last word.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use octick_core::counters::Counter;
use octick_core::data::batch::Batch;
use rtrb::{Consumer, Producer};

use crate::clock;
use crate::config::Wait;
use crate::runtime::engine::engine_loop::Keeper;
use crate::runtime::ingress::batches::{Place, for_batches};
use crate::runtime::ingress::filter::Door;
use crate::runtime::shared::thread_stats::{Desk, LAY_OUT_MICROS};
use crate::runtime::threads::solo::{ARRIVALS, patience};
use crate::runtime::threads::waker::{Bell, Sleeper};
use crate::socket::{self, Arrival, Socket};

/// Arrivals that may wait between an ingress thread and the engine.
pub(in crate::runtime) const RING: usize = 1_024;
/// Longest sleep of an ingress thread: how late it may notice that it is to stop.
const INGRESS_NAP: Duration = Duration::from_millis(50);

/// An arrival of which the engine should hear.
pub(in crate::runtime) struct Parcel {
    arrival: Arrival,
    masks: Masks,
    /// Ticks that the ingress spent on the batch, on one parcel of it.
    ticks: u64,
}

/// What the frames of an arrival are, a bit each.
#[derive(Clone, Copy, Default)]
struct Masks {
    /// Proved themselves.
    live: u64,
    /// Letters of strangers, which nobody has verified.
    strangers: u64,
    /// Were merged before; nobody has verified these copies.
    repeats: u64,
}

impl Masks {
    fn all(self) -> u64 {
        self.live | self.strangers | self.repeats
    }
}

/// What an ingress thread works with.
pub(in crate::runtime) struct Receiver {
    pub(in crate::runtime) socket: Socket,
    pub(in crate::runtime) door: Door,
    pub(in crate::runtime) ring: Producer<Parcel>,
    pub(in crate::runtime) bell: Bell,
    pub(in crate::runtime) desk: Desk,
    pub(in crate::runtime) wait: Wait,
}

impl Receiver {
    /// Runs until `stop`.
    ///
    /// # Errors
    /// The socket is gone for good.
    pub(in crate::runtime) fn run(mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut arrivals: Vec<Arrival> = Vec::with_capacity(ARRIVALS);
        let mut counted_at = 0;
        while !stop.load(Ordering::Relaxed) {
            let building = self.door.prepare();
            let patience = if building { socket::Wait::None } else { patience(self.wait, || INGRESS_NAP) };
            let taken = self.socket.poll(patience, &mut arrivals)?;
            self.process(&mut arrivals);
            let now = clock::wall_micros();
            if now.abs_diff(counted_at) >= LAY_OUT_MICROS {
                self.lay_out();
                counted_at = now;
            }
            if taken == 0 && self.wait == Wait::Yield {
                std::thread::yield_now();
            }
        }
        self.lay_out();
        Ok(())
    }

    fn process(&mut self, arrivals: &mut Vec<Arrival>) {
        if arrivals.is_empty() {
            return;
        }
        let mut masks = [Masks::default(); ARRIVALS];
        let mut ticks = 0;
        self.door.check(arrivals, |batch, _, places| {
            ticks += batch.ticks;
            batch.live().for_each(|(i, _)| masks[places[i].arrival].live |= 1 << places[i].frame);
            for (i, place) in places.iter().enumerate() {
                let masks = &mut masks[place.arrival];
                masks.strangers |= (batch.strangers >> i & 1) << place.frame;
                masks.repeats |= (batch.repeats >> i & 1) << place.frame;
            }
        });
        // One arrival of nothing but repeats is enough for a hint; more could crowd out what is new.
        let mut hints = 1;
        for (arrival, masks) in arrivals.drain(..).zip(masks) {
            let wanted = (masks.live | masks.strangers).count_ones();
            if wanted == 0 {
                if masks.repeats == 0 || hints == 0 {
                    continue;
                }
                hints -= 1;
            }
            let ticks = std::mem::take(&mut ticks);
            if self.ring.push(Parcel { arrival, masks, ticks }).is_err() {
                self.desk.counters.add(Counter::RingFull, wanted.into());
            }
        }
        self.bell.ring();
    }

    fn lay_out(&self) {
        self.desk.lay_out(|bulk| bulk.socket = self.socket.counters());
        self.door.lay_out();
    }
}

/// What the engine's thread works with.
pub(in crate::runtime) struct Merger {
    pub(in crate::runtime) rings: Vec<Consumer<Parcel>>,
    pub(in crate::runtime) keeper: Keeper,
    pub(in crate::runtime) sleeper: Sleeper,
    pub(in crate::runtime) wait: Wait,
}

impl Merger {
    /// Runs until `stop`.
    pub(in crate::runtime) fn run(mut self, stop: &AtomicBool) {
        let mut arrivals = Vec::with_capacity(ARRIVALS);
        let mut masks = Vec::with_capacity(ARRIVALS);
        let mut ticks = 0;
        while !stop.load(Ordering::Relaxed) {
            ticks += self.collect(&mut arrivals, &mut masks);
            let busy = !arrivals.is_empty();
            for_batches(
                &arrivals,
                |i| masks[i].all(),
                |frames, places| {
                    let gather = |mask: fn(&Masks) -> u64| {
                        let bit = |place: &Place| mask(&masks[place.arrival]) >> place.frame & 1;
                        places.iter().enumerate().fold(0, |all, (i, place)| all | bit(place) << i)
                    };
                    // What nobody has verified is not reopened, even if its origin has become known meanwhile.
                    let live = gather(|masks| masks.live);
                    let directory = self.keeper.directory();
                    let mut batch = Batch::reopen(frames.iter().copied(), live, directory);
                    batch.strangers = gather(|masks| masks.strangers);
                    batch.repeats = gather(|masks| masks.repeats);
                    batch.ticks = std::mem::take(&mut ticks);
                    self.keeper.absorb(&batch, frames, places, &arrivals);
                },
            );
            self.keeper.release(arrivals.drain(..));
            masks.clear();
            if !(self.keeper.turn() || busy) {
                self.idle();
            }
        }
        self.keeper.lay_out();
    }

    /// Takes what has come, and says what the ingress threads spent on it.
    fn collect(&mut self, arrivals: &mut Vec<Arrival>, masks: &mut Vec<Masks>) -> u64 {
        let mut ticks = 0;
        // A fair share of the room for each ring, the rest of it for whoever has more.
        for share in [ARRIVALS / self.rings.len().max(1), ARRIVALS] {
            for ring in &mut self.rings {
                for _ in 0..share.min(ARRIVALS - arrivals.len()) {
                    let Ok(parcel) = ring.pop() else { break };
                    arrivals.push(parcel.arrival);
                    masks.push(parcel.masks);
                    ticks += parcel.ticks;
                }
            }
        }
        ticks
    }

    fn idle(&self) {
        match self.wait {
            Wait::Spin => std::hint::spin_loop(),
            Wait::Yield => std::thread::yield_now(),
            Wait::Park => {
                let nothing = || self.rings.iter().all(Consumer::is_empty) && self.keeper.is_idle();
                self.sleeper.sleep(self.keeper.nap(), nothing);
            }
        }
    }
}
