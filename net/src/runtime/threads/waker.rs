//! Waking a thread that sleeps: the engine's own, on a parker, or a solo node's, at its socket.
//!
//! Whoever puts something where the sleeper looks rings afterwards; the sleeper says that it will sleep, looks once
//! more, and then sleeps. Each side fences between its store and its load, so at least one of them sees the other.

use std::sync::Arc;
use std::time::Duration;

use crate::socket;
use crate::sync::{Alarm, AtomicBool, Ordering, Parker, Unparker, fence};

/// Wakes the sleeper, if it sleeps.
#[derive(Clone)]
pub(crate) struct Waker {
    asleep: Arc<AtomicBool>,
    wake: Wake,
}

#[derive(Clone)]
enum Wake {
    Parked(Unparker),
    AtSocket(Alarm),
}

impl Waker {
    /// Wakes the sleeper after something was put where it looks. Costs a load while it is awake.
    #[inline]
    pub(crate) fn ring(&self) {
        // Orders the caller's store before the load, against the sleeper's store before its last look.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            match &self.wake {
                Wake::Parked(unparker) => unparker.unpark(),
                Wake::AtSocket(alarm) => alarm.ring(),
            }
        }
    }
}

/// The end of a thread that sleeps on a parker.
pub(in crate::runtime) struct ParkWaiter {
    asleep: Arc<AtomicBool>,
    parker: Parker,
}

impl ParkWaiter {
    pub(in crate::runtime) fn new() -> Self {
        Self { asleep: Arc::new(AtomicBool::new(false)), parker: Parker::new() }
    }

    pub(in crate::runtime) fn waker(&self) -> Waker {
        Waker { asleep: self.asleep.clone(), wake: Wake::Parked(self.parker.unparker().clone()) }
    }

    /// Sleeps for `nap` at most, unless `nothing` is false once more.
    pub(in crate::runtime) fn sleep(&self, nap: Duration, nothing: impl FnOnce() -> bool) {
        lie_down(&self.asleep);
        if nothing() {
            self.parker.park_timeout(nap);
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}

/// The end of a thread that sleeps at its socket.
pub(in crate::runtime) struct SocketWaiter {
    asleep: Arc<AtomicBool>,
    alarm: Alarm,
}

impl SocketWaiter {
    /// That of the thread that polls the socket with this alarm.
    pub(in crate::runtime) fn new(alarm: impl Into<Alarm>) -> Self {
        Self { asleep: Arc::new(AtomicBool::new(false)), alarm: alarm.into() }
    }

    pub(in crate::runtime) fn waker(&self) -> Waker {
        Waker { asleep: self.asleep.clone(), wake: Wake::AtSocket(self.alarm.clone()) }
    }

    /// Polls as `wait` says; does not sleep if `nothing` is false once more.
    pub(in crate::runtime) fn doze<T>(
        &self,
        wait: socket::Wait,
        nothing: impl FnOnce() -> bool,
        poll: impl FnOnce(socket::Wait) -> T,
    ) -> T {
        if !matches!(wait, socket::Wait::Park(_)) {
            return poll(wait);
        }
        lie_down(&self.asleep);
        let polled = poll(if nothing() { wait } else { socket::Wait::None });
        self.asleep.store(false, Ordering::Relaxed);
        polled
    }
}

fn lie_down(asleep: &AtomicBool) {
    asleep.store(true, Ordering::Relaxed);
    fence(Ordering::SeqCst);
}

#[cfg(all(test, loom))]
mod models;
