//! Where arrivals are let in or turned away: the filter of one receiving thread, and what it knows of senders.

use octick_core::counters::Counter;
use octick_core::data::batch::Batch;
use octick_core::data::{Arrived, Ingress, Sender};
use octick_core::limits::{BATCH_MAX, WAVE_MAX};

use crate::clock;
use crate::limits::ARRIVALS;
use crate::runtime::ingress::batches::{BatchPos, for_batches};
use crate::runtime::ingress::sender_table::Senders;
use crate::runtime::ingress::verifier_upgrade::Promise;
use crate::runtime::shared::peer_snapshot::{News, PeerSnapshot};
use crate::runtime::shared::thread_stats::ThreadStats;
use crate::socket::Arrival;

/// The stage of one receiving thread.
pub(in crate::runtime) struct IngressStage {
    ingress: Ingress,
    senders: Senders,
    snapshot: PeerSnapshot,
    thread_stats: ThreadStats,
    wave: Box<Wave>,
    /// A faster verifier, while it is being made.
    promise: Option<Promise>,
}

/// Where the frames of a wave came from; memory that is used again.
struct Wave {
    senders: [[Sender; BATCH_MAX]; WAVE_MAX],
    places: [[BatchPos; BATCH_MAX]; WAVE_MAX],
}

/// Who sent each arrival; nothing for those that were turned away.
struct Admitted {
    senders: [Option<Sender>; ARRIVALS],
    /// How many frames the others hold.
    frames: usize,
}

impl Admitted {
    /// A bit for each frame of arrival `i` that is to be looked at.
    fn wanted(&self, i: usize) -> u64 {
        if self.senders[i].is_some() { u64::MAX } else { 0 }
    }

    /// Who sent the frames at `places`.
    fn place(&self, places: &[BatchPos], senders: &mut [Sender; BATCH_MAX]) {
        for (sender, place) in senders.iter_mut().zip(places) {
            *sender = self.senders[place.arrival].expect("frames of the others are not wanted");
        }
    }
}

impl IngressStage {
    pub(in crate::runtime) fn new(
        ingress: Ingress,
        promise: Option<Promise>,
        senders: Senders,
        snapshot: PeerSnapshot,
        thread_stats: ThreadStats,
    ) -> Self {
        let wave = Wave {
            senders: [[Sender(0); BATCH_MAX]; WAVE_MAX],
            places: [[BatchPos::default(); BATCH_MAX]; WAVE_MAX],
        };
        Self { ingress, senders, snapshot, thread_stats, wave: Box::new(wave), promise }
    }

    /// Takes news of peers, and works a little on what makes later checks faster: what that delays is less than one
    /// check without it. False when there is nothing of the latter to do.
    pub(in crate::runtime) fn prepare(&mut self) -> bool {
        if let Some(News { directory, peers }) = self.snapshot.news() {
            self.ingress.set_directory(directory);
            self.senders.set_peers(&peers);
        }
        if let Some(promise) = &mut self.promise
            && let Some(verifier) = promise.keep(|| self.thread_stats.counters.read(Counter::Signatures))
        {
            self.ingress.set_signatures(verifier);
            self.promise = None;
        }
        self.ingress.build_step()
    }

    /// Checks what arrived, all of it at once: nothing waits here for company. Hands each batch on with its frames
    /// and their places.
    pub(in crate::runtime) fn check<'a>(
        &mut self,
        arrivals: &'a [Arrival],
        mut stage: impl FnMut(&Batch<'a>, &[&'a [u8]], &[BatchPos]),
    ) {
        if arrivals.is_empty() {
            return;
        }
        let now = clock::wall_micros();
        let admitted = self.admit(arrivals, now);
        if admitted.frames > BATCH_MAX {
            return self.check_waves(arrivals, &admitted, now, stage);
        }
        for_batches(
            arrivals,
            |i| admitted.wanted(i),
            |frames, places| {
                let mut senders = [Sender(0); BATCH_MAX];
                admitted.place(places, &mut senders);
                let batch = self.ingress.check(frames, &senders[..frames.len()], now);
                stage(&batch, frames, places);
            },
        );
    }

    /// Finds out who sent what, and turns away whole arrivals of senders that have spent their budgets.
    fn admit(&mut self, arrivals: &[Arrival], now: u64) -> Admitted {
        let mut admitted = Admitted { senders: [None; ARRIVALS], frames: 0 };
        for (place, arrival) in admitted.senders.iter_mut().zip(arrivals) {
            let (sender, count) = (self.senders.of(arrival.from()), arrival.count());
            if !self.ingress.turn_away(sender, count, arrival.bytes().len(), now) {
                *place = Some(sender);
                admitted.frames += count;
            }
        }
        admitted
    }

    /// [`IngressStage::check`] for more than a batch: trains of several batches share the lanes in which signatures are
    /// checked.
    fn check_waves<'a>(
        &mut self,
        arrivals: &'a [Arrival],
        admitted: &Admitted,
        now: u64,
        mut stage: impl FnMut(&Batch<'a>, &[&'a [u8]], &[BatchPos]),
    ) {
        let mut frames = [[&[][..]; BATCH_MAX]; WAVE_MAX];
        let mut len = [0; WAVE_MAX];
        let mut count = 0;
        let mut flush = |wave: &mut Wave, frames: &[[&'a [u8]; BATCH_MAX]], len: &[usize]| {
            let arrived: [Arrived<'_, 'a>; WAVE_MAX] = std::array::from_fn(|b| {
                let b = b.min(len.len() - 1);
                Arrived { datagrams: &frames[b][..len[b]], senders: &wave.senders[b][..len[b]] }
            });
            let mut batches: [Batch<'a>; WAVE_MAX] = std::array::from_fn(|_| Batch::new());
            let batches = &mut batches[..len.len()];
            self.ingress.check_wave(&arrived[..len.len()], batches, now);
            for (b, batch) in batches.iter().enumerate() {
                stage(batch, &frames[b][..len[b]], &wave.places[b][..len[b]]);
            }
        };
        let wave = &mut *self.wave;
        for_batches(
            arrivals,
            |i| admitted.wanted(i),
            |gathered, places| {
                len[count] = gathered.len();
                frames[count][..gathered.len()].copy_from_slice(gathered);
                wave.places[count][..places.len()].copy_from_slice(places);
                admitted.place(places, &mut wave.senders[count]);
                count += 1;
                if count == WAVE_MAX {
                    flush(wave, &frames, &len);
                    count = 0;
                }
            },
        );
        if count > 0 {
            flush(wave, &frames[..count], &len[..count]);
        }
    }

    /// Lets others see who behaved worst.
    pub(in crate::runtime) fn publish_stats(&self) {
        let offenders = self.ingress.budgets().offenders();
        let described = offenders.map(|(sender, score)| self.senders.describe(sender, score));
        self.thread_stats.publish_stats(|bulk| {
            bulk.senders.clear();
            bulk.senders.extend(described);
        });
    }
}
