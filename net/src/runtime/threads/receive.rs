//! The loop of a thread that receives: wait, take what has arrived, check it, and hand it to whatever comes after.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock;
use crate::config::Wait;
use crate::limits::ARRIVALS;
use crate::runtime::ingress::filter::IngressStage;
use crate::runtime::shared::thread_stats::PUBLISH_STATS_MICROS;
use crate::runtime::threads::waker::SocketWaiter;
use crate::socket::{self, Arrival, Socket};

/// What comes after a receiving thread's checks: the engine itself, or the ring to it.
pub(in crate::runtime) trait Sink {
    /// Checks the arrivals with `stage`, and takes them all.
    fn take(&mut self, stage: &mut IngressStage, arrivals: &mut Vec<Arrival>);

    /// Does everything that is not caused by an arrival; `full` is said when as many arrived as fit. Returns whether there is
    /// more to do at once.
    fn turn(&mut self, full: bool) -> bool;

    /// How long the thread may sleep when nothing arrives.
    fn nap(&self) -> Duration;

    /// Whether nothing was asked of this thread since it was last looked.
    fn is_idle(&self) -> bool;

    /// Takes note of the socket's figures, to let others read them.
    fn publish_stats(&mut self, received: socket::Counters);
}

/// A receiving thread.
pub(in crate::runtime) struct Receiver<S> {
    pub(in crate::runtime) socket: Socket,
    pub(in crate::runtime) stage: IngressStage,
    pub(in crate::runtime) sink: S,
    pub(in crate::runtime) waiter: SocketWaiter,
    pub(in crate::runtime) wait: Wait,
}

impl<S: Sink> Receiver<S> {
    /// Runs until `stop`, and hands back what came after it.
    ///
    /// # Errors
    /// The socket is gone for good.
    pub(in crate::runtime) fn run(mut self, stop: &AtomicBool) -> io::Result<S> {
        let mut arrivals: Vec<Arrival> = Vec::with_capacity(ARRIVALS);
        let mut busy = false;
        let mut published_at = 0;
        while !stop.load(Ordering::Relaxed) {
            busy |= self.stage.prepare();
            let (socket, sink) = (&mut self.socket, &self.sink);
            let patience = if busy { socket::Wait::None } else { patience(self.wait, || sink.nap()) };
            let poll = |wait| socket.poll(wait, &mut arrivals);
            let taken = self.waiter.doze(patience, || sink.is_idle(), poll)?;
            self.sink.take(&mut self.stage, &mut arrivals);
            busy = self.sink.turn(taken == ARRIVALS);
            let now = clock::wall_micros();
            if now.abs_diff(published_at) >= PUBLISH_STATS_MICROS {
                self.publish_stats();
                published_at = now;
            }
            if taken == 0 && self.wait == Wait::Yield {
                std::thread::yield_now();
            }
        }
        self.publish_stats();
        Ok(self.sink)
    }

    fn publish_stats(&mut self) {
        self.sink.publish_stats(self.socket.counters());
        self.stage.publish_stats();
    }
}

/// How an idle thread waits at its socket.
fn patience(wait: Wait, nap: impl FnOnce() -> Duration) -> socket::Wait {
    match wait {
        Wait::Spin | Wait::Yield => socket::Wait::None,
        Wait::Park => socket::Wait::Park(nap()),
    }
}
