//! Atomics as the code of this crate uses them: those of `core`, or with `--cfg loom` those of the model checker.
//!
//! Under loom a test runs every interleaving of its threads, and gives every load each value that
//! the memory model allows it, so an ordering that is too weak fails on the first run and on any machine. The models are
//! the modules named `models`; `.ci/run loom` runs them, `.ci/orderings` shows that they would notice. Whatever two
//! threads share without a lock imports from here.

#[cfg(not(loom))]
pub(crate) use core::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use zerocopy::FromZeros;

#[cfg(loom)]
pub use checked::*;

#[cfg(loom)]
mod checked {
    use core::fmt;

    pub use loom::hint::spin_loop;
    use loom::sync::Condvar;
    use loom::sync::atomic;
    pub use loom::sync::atomic::{Ordering, fence};

    /// What is made of zeros. The checker's atomics are handles, which no zeroed memory can stand for.
    pub trait FromZeros {
        /// As zeroed memory would be.
        fn new_zeroed() -> Self;
    }

    /// loom 0.7.2 remembers the last access to an atomic, not the last of each thread: a thread that loads and then
    /// stores hides its store from earlier loads of others, and the checker skips those interleavings (its issues 166
    /// and 392). So each access is announced first on an object all accesses to which count as conflicts: a condition
    /// variable, whose notification wakes nobody here and orders no memory.
    macro_rules! atomic {
        ($name:ident, $word:ty) => {
            /// An atomic of the checker.
            #[derive(Default)]
            pub struct $name {
                turn: Condvar,
                atomic: atomic::$name,
            }

            #[allow(missing_docs, reason = "as in core")]
            impl $name {
                pub fn new(value: $word) -> Self {
                    Self { turn: Condvar::new(), atomic: atomic::$name::new(value) }
                }

                pub fn load(&self, order: Ordering) -> $word {
                    self.turn.notify_one();
                    self.atomic.load(order)
                }

                pub fn store(&self, value: $word, order: Ordering) {
                    self.atomic.store(value, order);
                }

                pub fn swap(&self, value: $word, order: Ordering) -> $word {
                    self.atomic.swap(value, order)
                }

                pub fn compare_exchange_weak(
                    &self,
                    current: $word,
                    new: $word,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$word, $word> {
                    self.atomic.compare_exchange_weak(current, new, success, failure)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Debug::fmt(&self.atomic, f)
                }
            }

            impl FromZeros for $name {
                fn new_zeroed() -> Self {
                    Self::default()
                }
            }
        };
    }

    macro_rules! arithmetic {
        ($name:ident, $word:ty) => {
            /// Whoever frees an atomic must know that everybody else is done with it.
            impl Drop for $name {
                fn drop(&mut self) {
                    if !std::thread::panicking() {
                        self.atomic.with_mut(|_| ());
                    }
                }
            }

            #[allow(missing_docs, reason = "as in core")]
            impl $name {
                pub fn fetch_add(&self, value: $word, order: Ordering) -> $word {
                    self.atomic.fetch_add(value, order)
                }

                pub fn fetch_sub(&self, value: $word, order: Ordering) -> $word {
                    self.atomic.fetch_sub(value, order)
                }

                pub fn fetch_or(&self, value: $word, order: Ordering) -> $word {
                    self.atomic.fetch_or(value, order)
                }
            }
        };
    }

    atomic!(AtomicBool, bool);
    atomic!(AtomicU32, u32);
    atomic!(AtomicU64, u64);
    atomic!(AtomicUsize, usize);
    arithmetic!(AtomicU32, u32);
    arithmetic!(AtomicU64, u64);
    arithmetic!(AtomicUsize, usize);

    /// Runs a model: `body` once for every interleaving of the threads that it starts, with at most three switches away
    /// from a thread that could have gone on: bugs of this kind need one or two (Musuvathi and Qadeer, "Iterative context
    /// bounding", 2007). `LOOM_MAX_PREEMPTIONS` says another number.
    pub fn model(body: impl Fn() + Sync + Send + 'static) {
        model_within(3, body);
    }

    /// As [`model`], with another bound, for models whose time each more multiplies by ten.
    pub fn model_within(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
        builder.max_branches = 10_000;
        builder.check(body);
    }
}

#[cfg(all(test, loom))]
mod models {
    use alloc::collections::BTreeSet;
    use alloc::sync::Arc;

    use loom::thread;

    use super::*;

    /// The canary of the checker itself: without it, models that are never run would pass as well.
    fn hand_over(order: Ordering) {
        model(move || {
            let (value, ready) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
            let (theirs, tell) = (value.clone(), ready.clone());
            let writer = thread::spawn(move || {
                theirs.store(7, Ordering::Relaxed);
                tell.store(1, order);
            });
            if ready.load(Ordering::Acquire) == 1 {
                assert_eq!(value.load(Ordering::Relaxed), 7, "ready before its value");
            }
            writer.join().unwrap();
        });
    }

    #[test]
    fn the_checker_passes_what_is_released() {
        hand_over(Ordering::Release);
    }

    #[test]
    #[should_panic(expected = "ready before its value")]
    fn the_checker_sees_what_is_not_released() {
        hand_over(Ordering::Relaxed);
    }
    /// Loom alone skips what the second thread's load seems to have seen to (see `checked`).
    #[test]
    fn the_checker_shows_stores_behind_loads_of_the_same_thread() {
        let seen = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
        let all = seen.clone();
        model(move || {
            let shared = Arc::new(AtomicU32::new(0));
            let theirs = shared.clone();
            let writer =
                thread::spawn(move || theirs.store(theirs.load(Ordering::Relaxed) + 1, Ordering::Relaxed));
            all.lock().unwrap().insert(shared.load(Ordering::Relaxed));
            writer.join().unwrap();
        });
        assert_eq!(*seen.lock().unwrap(), BTreeSet::from([0, 1]));
    }
}
