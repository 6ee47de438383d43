//! The whole pipeline on one thread, run to completion: receive, check, merge, relay, then everything else.

use std::time::Duration;

use crate::runtime::engine::engine_loop::EngineLoop;
use crate::runtime::ingress::filter::IngressStage;
use crate::runtime::threads::receive::Sink;
use crate::socket::{self, Arrival};

/// The engine, on the thread that receives for it.
pub(in crate::runtime) struct Solo {
    pub(in crate::runtime) engine_loop: EngineLoop,
}

impl Sink for Solo {
    fn take(&mut self, stage: &mut IngressStage, arrivals: &mut Vec<Arrival>) {
        stage.check(arrivals, |batch, frames, places| {
            self.engine_loop.absorb(batch, frames, places, arrivals);
        });
        self.engine_loop.release(arrivals.drain(..));
    }

    fn turn(&mut self, full: bool) -> bool {
        self.engine_loop.turn() || full
    }

    fn nap(&self) -> Duration {
        self.engine_loop.nap()
    }

    fn is_idle(&self) -> bool {
        self.engine_loop.is_idle()
    }

    fn publish_stats(&mut self, received: socket::Counters) {
        self.engine_loop.received = received;
        self.engine_loop.publish_stats();
    }
}
