//! Where arrivals are let in or turned away: the filter of one receiving thread, and what it knows of senders.

use octick_core::data::batch::Batch;
use octick_core::data::{Arrived, Ingress, Sender};
use octick_core::limits::{BATCH_MAX, WAVE_MAX};

use super::board::{Board, News};
use super::desk::Desk;
use super::gather::{Place, for_batches};
use super::senders::Senders;
use super::solo::ARRIVALS;
use crate::clock;
use crate::socket::Arrival;

/// The door of one receiving thread.
pub(super) struct Door {
    ingress: Ingress,
    senders: Senders,
    board: Board,
    desk: Desk,
    wave: Box<Wave>,
}

/// Where the frames of a wave came from; memory that is used again.
struct Wave {
    senders: [[Sender; BATCH_MAX]; WAVE_MAX],
    places: [[Place; BATCH_MAX]; WAVE_MAX],
}

impl Door {
    pub(super) fn new(ingress: Ingress, senders: Senders, board: Board, desk: Desk) -> Self {
        let wave = Wave {
            senders: [[Sender(0); BATCH_MAX]; WAVE_MAX],
            places: [[Place::default(); BATCH_MAX]; WAVE_MAX],
        };
        Self { ingress, senders, board, desk, wave: Box::new(wave) }
    }

    /// Takes news of peers, and works a little on what makes later checks faster: what that delays is less than one
    /// check without it. False when there is nothing of the latter to do.
    pub(super) fn prepare(&mut self) -> bool {
        if let Some(News { directory, peers }) = self.board.news() {
            self.ingress.set_directory(directory);
            self.senders.set_peers(&peers);
        }
        self.ingress.build_step()
    }

    /// Checks what arrived, all of it at once: nothing waits here for company. Hands each batch on with its frames
    /// and their places.
    pub(super) fn check<'a>(
        &mut self,
        arrivals: &'a [Arrival],
        mut stage: impl FnMut(&Batch<'a>, &[&'a [u8]], &[Place]),
    ) {
        if arrivals.is_empty() {
            return;
        }
        let now = clock::wall_micros();
        let mut from = [Sender(0); ARRIVALS];
        from.iter_mut().zip(arrivals).for_each(|(sender, arrival)| *sender = self.senders.of(arrival.from()));
        if arrivals.iter().map(Arrival::count).sum::<usize>() > BATCH_MAX {
            return self.check_waves(arrivals, &from, now, stage);
        }
        for_batches(
            arrivals,
            |_| u64::MAX,
            |frames, places| {
                let mut senders = [Sender(0); BATCH_MAX];
                senders.iter_mut().zip(places).for_each(|(sender, place)| *sender = from[place.arrival]);
                let batch = self.ingress.check(frames, &senders[..frames.len()], now);
                stage(&batch, frames, places);
            },
        );
    }

    /// The same for more than a batch: trains of several batches share the lanes in which signatures are checked.
    fn check_waves<'a>(
        &mut self,
        arrivals: &'a [Arrival],
        from: &[Sender; ARRIVALS],
        now: u64,
        mut stage: impl FnMut(&Batch<'a>, &[&'a [u8]], &[Place]),
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
            |_| u64::MAX,
            |gathered, places| {
                len[count] = gathered.len();
                frames[count][..gathered.len()].copy_from_slice(gathered);
                wave.places[count][..places.len()].copy_from_slice(places);
                let senders = wave.senders[count].iter_mut().zip(places);
                senders.for_each(|(sender, place)| *sender = from[place.arrival]);
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
    pub(super) fn lay_out(&self) {
        let offenders = self.ingress.budgets().offenders();
        let described = offenders.map(|(sender, conduct)| self.senders.describe(sender, conduct));
        self.desk.lay_out(|bulk| {
            bulk.senders.clear();
            bulk.senders.extend(described);
        });
    }
}
