//! The whole pipeline on one thread, run to completion: receive, check, merge, relay, then everything else.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::bell::Dozer;
use super::desk::LAY_OUT_MICROS;
use super::door::Door;
use super::keeper::Keeper;
use crate::clock;
use crate::config::Wait;
use crate::socket::{self, Arrival, Socket};

/// Arrivals taken from the socket at a time.
pub(super) const ARRIVALS: usize = 64;

/// What the one thread works with.
pub(super) struct Solo {
    pub(super) socket: Socket,
    pub(super) door: Door,
    pub(super) keeper: Keeper,
    pub(super) dozer: Dozer,
    pub(super) wait: Wait,
}

impl Solo {
    /// Runs until `stop`.
    ///
    /// # Errors
    /// The socket is gone for good.
    pub(super) fn run(mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut arrivals: Vec<Arrival> = Vec::with_capacity(ARRIVALS);
        let mut busy = false;
        let mut counted_at = 0;
        while !stop.load(Ordering::Relaxed) {
            let building = self.door.prepare();
            let hurry = busy || building;
            let patience = if hurry { socket::Wait::None } else { patience(self.wait, || self.keeper.nap()) };
            let (socket, keeper) = (&mut self.socket, &self.keeper);
            let taken =
                self.dozer.doze(patience, || keeper.is_idle(), |wait| socket.poll(wait, &mut arrivals))?;
            self.process(&mut arrivals);
            busy = self.keeper.turn() || taken == ARRIVALS;
            let now = clock::wall_micros();
            if now.abs_diff(counted_at) >= LAY_OUT_MICROS {
                self.keeper.received = self.socket.counters();
                self.door.lay_out();
                counted_at = now;
            }
            if taken == 0 && self.wait == Wait::Yield {
                std::thread::yield_now();
            }
        }
        self.keeper.received = self.socket.counters();
        self.keeper.lay_out();
        self.door.lay_out();
        Ok(())
    }

    fn process(&mut self, arrivals: &mut Vec<Arrival>) {
        self.door.check(arrivals, |batch, frames, places| {
            self.keeper.absorb(batch, frames, places, arrivals);
        });
        self.keeper.release(arrivals.drain(..));
    }
}

/// How an idle thread waits at its socket.
pub(super) fn patience(wait: Wait, nap: impl FnOnce() -> Duration) -> socket::Wait {
    match wait {
        Wait::Spin | Wait::Yield => socket::Wait::None,
        Wait::Park => socket::Wait::Park(nap()),
    }
}
