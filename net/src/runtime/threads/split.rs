//! Several threads that receive and verify, one that merges and sends.
//!
//! What crosses between them is an arrival: its buffer by index, and a bit for each frame that proved itself. The
//! engine's thread views those frames again at the price of their headers, and its windows have the last word.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use octick_core::counters::Counter;
use octick_core::data::batch::Batch;
use rtrb::{Consumer, Producer};

use crate::config::Wait;
use crate::limits::ARRIVALS;
use crate::runtime::engine::engine_loop::EngineLoop;
use crate::runtime::ingress::batches::{BatchPos, for_batches};
use crate::runtime::ingress::filter::IngressStage;
use crate::runtime::shared::thread_stats::ThreadStats;
use crate::runtime::threads::receive::Sink;
use crate::runtime::threads::waker::{ParkWaiter, Waker};
use crate::socket::{self, Arrival};

/// Longest sleep of an ingress thread: how late it may notice that it is to stop.
const INGRESS_NAP: Duration = Duration::from_millis(50);

/// An arrival of which the engine should hear.
pub(in crate::runtime) struct Handoff {
    arrival: Arrival,
    masks: Masks,
    /// Ticks that the ingress spent on the batch, on one handoff of it.
    ticks: u64,
}

/// What the frames of an arrival are, a bit each.
#[derive(Clone, Copy, Default)]
struct Masks {
    /// Proved themselves.
    live: u64,
    /// Control frames of strangers, which nobody has verified.
    strangers: u64,
    /// Were merged before; nobody has verified these copies.
    repeats: u64,
}

impl Masks {
    fn all(self) -> u64 {
        self.live | self.strangers | self.repeats
    }
}

/// The ring from a thread that receives to the one that merges.
pub(in crate::runtime) struct HandOver {
    pub(in crate::runtime) ring: Producer<Handoff>,
    pub(in crate::runtime) waker: Waker,
    pub(in crate::runtime) thread_stats: ThreadStats,
}

impl Sink for HandOver {
    fn take(&mut self, stage: &mut IngressStage, arrivals: &mut Vec<Arrival>) {
        if arrivals.is_empty() {
            return;
        }
        let mut masks = [Masks::default(); ARRIVALS];
        let mut ticks = 0;
        stage.check(arrivals, |batch, _, places| {
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
            if self.ring.push(Handoff { arrival, masks, ticks }).is_err() {
                self.thread_stats.counters.add(Counter::RingFull, wanted.into());
            }
        }
        self.waker.ring();
    }

    /// A full batch is no hurry: the next one may gather as well.
    fn turn(&mut self, _full: bool) -> bool {
        false
    }

    fn nap(&self) -> Duration {
        INGRESS_NAP
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn publish_stats(&mut self, received: socket::Counters) {
        self.thread_stats.publish_stats(|bulk| bulk.socket = received);
    }
}

/// What the engine's thread works with.
pub(in crate::runtime) struct Merger {
    pub(in crate::runtime) rings: Vec<Consumer<Handoff>>,
    pub(in crate::runtime) engine_loop: EngineLoop,
    pub(in crate::runtime) sleeper: ParkWaiter,
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
                        let bit = |place: &BatchPos| mask(&masks[place.arrival]) >> place.frame & 1;
                        places.iter().enumerate().fold(0, |all, (i, place)| all | bit(place) << i)
                    };
                    // What nobody has verified is not reopened, even if its origin has become known meanwhile.
                    let live = gather(|masks| masks.live);
                    let directory = self.engine_loop.directory();
                    let mut batch = Batch::reopen(frames.iter().copied(), live, directory);
                    batch.strangers = gather(|masks| masks.strangers);
                    batch.repeats = gather(|masks| masks.repeats);
                    batch.ticks = std::mem::take(&mut ticks);
                    self.engine_loop.absorb(&batch, frames, places, &arrivals);
                },
            );
            self.engine_loop.release(arrivals.drain(..));
            masks.clear();
            if !(self.engine_loop.turn() || busy) {
                self.idle();
            }
        }
        self.engine_loop.publish_stats();
    }

    /// Takes what has come, and says what the ingress threads spent on it.
    fn collect(&mut self, arrivals: &mut Vec<Arrival>, masks: &mut Vec<Masks>) -> u64 {
        let mut ticks = 0;
        // A fair share of the room for each ring, the rest of it for whoever has more.
        for share in [ARRIVALS / self.rings.len().max(1), ARRIVALS] {
            for ring in &mut self.rings {
                for _ in 0..share.min(ARRIVALS - arrivals.len()) {
                    let Ok(handoff) = ring.pop() else { break };
                    arrivals.push(handoff.arrival);
                    masks.push(handoff.masks);
                    ticks += handoff.ticks;
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
                let nothing = || self.rings.iter().all(Consumer::is_empty) && self.engine_loop.is_idle();
                self.sleeper.sleep(self.engine_loop.nap(), nothing);
            }
        }
    }
}
