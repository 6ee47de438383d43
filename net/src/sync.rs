//! What threads wait and meet on: atomics, parkers and alarms as they are, or with `--cfg loom` as the model checker has
//! them. The same idea as `core/src/sync.rs`, whose atomics these are then.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(not(loom))]
pub(crate) use crossbeam::sync::{Parker, Unparker};
#[cfg(loom)]
pub(crate) use octick_core::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(loom)]
pub(crate) use modelled::{Alarm, Parker, Unparker};

/// What a thread that is parked at its socket polls beside it.
#[cfg(not(loom))]
#[derive(Clone)]
pub(crate) struct Alarm(std::sync::Arc<std::os::fd::OwnedFd>);

#[cfg(not(loom))]
impl Alarm {
    pub(crate) fn ring(&self) {
        crate::socket::alarm::ring(&self.0);
    }
}

#[cfg(not(loom))]
impl From<std::sync::Arc<std::os::fd::OwnedFd>> for Alarm {
    fn from(fd: std::sync::Arc<std::os::fd::OwnedFd>) -> Self {
        Self(fd)
    }
}

/// Third parties, by what they document: a parker's token, an eventfd's count. There is no time in a model, so whoever
/// waits waits for good, and a wakeup that is lost is a deadlock, which the checker reports.
#[cfg(loom)]
mod modelled {
    use std::os::fd::OwnedFd;
    use std::sync::Arc;
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};

    /// As crossbeam's.
    pub(crate) struct Parker {
        unparker: Unparker,
    }

    /// As crossbeam's.
    #[derive(Clone)]
    pub(crate) struct Unparker {
        token: Alarm,
    }

    impl Parker {
        pub(crate) fn new() -> Self {
            Self { unparker: Unparker { token: Alarm::default() } }
        }

        pub(crate) fn unparker(&self) -> &Unparker {
            &self.unparker
        }

        pub(crate) fn park_timeout(&self, _: Duration) {
            self.unparker.token.wait();
        }
    }

    impl Unparker {
        pub(crate) fn unpark(&self) {
            self.token.ring();
        }
    }

    /// As an eventfd: once rung, it rings until somebody waits for it.
    #[derive(Clone)]
    pub(crate) struct Alarm {
        rings: Arc<(Mutex<bool>, Condvar)>,
    }

    impl Default for Alarm {
        fn default() -> Self {
            Self { rings: Arc::new((Mutex::new(false), Condvar::new())) }
        }
    }

    impl Alarm {
        pub(crate) fn ring(&self) {
            *self.rings.0.lock().unwrap() = true;
            self.rings.1.notify_one();
        }

        /// Waits until it rings, and ends that.
        pub(crate) fn wait(&self) {
            let mut rings = self.rings.0.lock().unwrap();
            while !*rings {
                rings = self.rings.1.wait(rings).unwrap();
            }
            *rings = false;
        }
    }

    /// Nodes are not started under the checker; this lets them compile.
    impl From<Arc<OwnedFd>> for Alarm {
        fn from(_: Arc<OwnedFd>) -> Self {
            Self::default()
        }
    }
}
