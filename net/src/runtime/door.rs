//! Where arrivals are let in or turned away: the filter of one receiving thread, and what it knows of senders.

use octick_core::data::batch::Batch;
use octick_core::data::{Ingress, Sender};
use octick_core::limits::BATCH_MAX;

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
}

impl Door {
    pub(super) fn new(ingress: Ingress, senders: Senders, board: Board, desk: Desk) -> Self {
        Self { ingress, senders, board, desk }
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
