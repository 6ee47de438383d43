//! The whole pipeline on one thread, run to completion: receive, check, merge, relay, then everything else.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock;
use crate::config::Wait;
use crate::runtime::engine::engine_loop::Keeper;
use crate::runtime::ingress::filter::Door;
use crate::runtime::shared::thread_stats::LAY_OUT_MICROS;
use crate::runtime::threads::waker::Dozer;
use crate::socket::{self, Arrival, Socket};

/// Arrivals taken from the socket at a time.
pub(in crate::runtime) const ARRIVALS: usize = 64;

/// What the one thread works with.
pub(in crate::runtime) struct Solo {
    pub(in crate::runtime) socket: Socket,
    pub(in crate::runtime) door: Door,
    pub(in crate::runtime) keeper: Keeper,
    pub(in crate::runtime) dozer: Dozer,
    pub(in crate::runtime) wait: Wait,
}

impl Solo {
    /// Runs until `stop`.
    ///
    /// # Errors
    /// The socket is gone for good.
    pub(in crate::runtime) fn run(mut self, stop: &AtomicBool) -> io::Result<()> {
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
pub(in crate::runtime) fn patience(wait: Wait, nap: impl FnOnce() -> Duration) -> socket::Wait {
    match wait {
        Wait::Spin | Wait::Yield => socket::Wait::None,
        Wait::Park => socket::Wait::Park(nap()),
    }
}
