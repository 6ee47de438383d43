//! The whole pipeline on one thread, run to completion: receive, check, merge, relay, then everything else.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock;
use crate::config::Wait;
use crate::runtime::engine::engine_loop::EngineLoop;
use crate::runtime::ingress::filter::IngressStage;
use crate::runtime::shared::thread_stats::PUBLISH_STATS_MICROS;
use crate::runtime::threads::waker::SocketWaiter;
use crate::socket::{self, Arrival, Socket};

/// Arrivals taken from the socket at a time.
pub(in crate::runtime) const ARRIVALS: usize = 64;

/// What the one thread works with.
pub(in crate::runtime) struct Solo {
    pub(in crate::runtime) socket: Socket,
    pub(in crate::runtime) stage: IngressStage,
    pub(in crate::runtime) engine_loop: EngineLoop,
    pub(in crate::runtime) dozer: SocketWaiter,
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
            let building = self.stage.prepare();
            let hurry = busy || building;
            let patience =
                if hurry { socket::Wait::None } else { patience(self.wait, || self.engine_loop.nap()) };
            let (socket, engine_loop) = (&mut self.socket, &self.engine_loop);
            let taken = self.dozer.doze(
                patience,
                || engine_loop.is_idle(),
                |wait| socket.poll(wait, &mut arrivals),
            )?;
            self.process(&mut arrivals);
            busy = self.engine_loop.turn() || taken == ARRIVALS;
            let now = clock::wall_micros();
            if now.abs_diff(counted_at) >= PUBLISH_STATS_MICROS {
                self.engine_loop.received = self.socket.counters();
                self.stage.publish_stats();
                counted_at = now;
            }
            if taken == 0 && self.wait == Wait::Yield {
                std::thread::yield_now();
            }
        }
        self.engine_loop.received = self.socket.counters();
        self.engine_loop.publish_stats();
        self.stage.publish_stats();
        Ok(())
    }

    fn process(&mut self, arrivals: &mut Vec<Arrival>) {
        self.stage.check(arrivals, |batch, frames, places| {
            self.engine_loop.absorb(batch, frames, places, arrivals);
        });
        self.engine_loop.release(arrivals.drain(..));
    }
}

/// How an idle thread waits at its socket.
pub(in crate::runtime) fn patience(wait: Wait, nap: impl FnOnce() -> Duration) -> socket::Wait {
    match wait {
        Wait::Spin | Wait::Yield => socket::Wait::None,
        Wait::Park => socket::Wait::Park(nap()),
    }
}
