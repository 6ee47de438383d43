//! Sleeping until something is published, without missing it and without holding up who publishes.
//!
//! In come calls of one publisher, once a batch, and [`Waiter`]s on any thread; out go wake-ups. What was published lies
//! elsewhere (a ring, a log): a waiter brings a closure that looks there. Memory is taken when a waiter is made; waiting and
//! waking take none.
//!
//! ```text
//!  publisher                                   waiter
//!  P1  publish                                 W1  put the waker into its own place, count it in `armed`
//!  P2  fence                                   W2  fence
//!  P3  armed > 0?                              W3  look: found something? then do not sleep
//!  P4    take each waker that is there, wake        else sleep until woken
//! ```
//!
//! **No wake-up is lost.** Both fences are sequentially consistent, so one comes before the other. If P2 is first, W3 sees what
//! P1 published. If W2 is first, P3 sees the count and P4 finds the waker. (`armed` changes only together with its place,
//! under the place's lock: while a waker is in its place, it is counted.)
//!
//! **The publisher never waits.** It only tries locks. That of a place it misses while the place's own waiter is inside W1: had W2
//! already come before P2, P4 would see the lock released; so P2 is first, and W3 finds what was published. That of the list of
//! places it misses while a waiter comes or goes; then [`Notifier::notify`] says so, and is called again a little later. Wakers
//! run when no lock is held, so one that drops its waiter does no harm.
//!
//! What it costs: nothing where nothing is published (nobody subscribes), a fence and a load a batch where something is and nobody
//! sleeps, the waker's own work (a system call, as a rule) for each that does.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, fence};

/// Where a waiter leaves its waker while it sleeps.
type Place = Mutex<Option<Waker>>;

#[derive(Default)]
struct Shared {
    /// Places with a waker in them.
    armed: AtomicUsize,
    /// Whether nothing more will be published.
    closed: AtomicBool,
    places: Mutex<Vec<Arc<Place>>>,
}

/// The publisher's end. Dropping it ends all waiting.
#[derive(Default)]
pub(crate) struct Notifier {
    shared: Arc<Shared>,
    /// Wakers taken out of their places; empty between calls.
    due: Vec<Waker>,
}

impl Notifier {
    /// Where waiters are made.
    pub(crate) fn waiters(&self) -> Waiters {
        Waiters(self.shared.clone())
    }

    /// Wakes whoever sleeps, after something was published. Returns whether that is done; if not, somebody is just coming or
    /// going, and this must be called again soon.
    #[must_use]
    #[inline]
    pub(crate) fn notify(&mut self) -> bool {
        // P2: orders the caller's publication before the load, against W2.
        fence(Ordering::SeqCst);
        self.shared.armed.load(Ordering::Relaxed) == 0 || self.wake_all()
    }

    #[cold]
    fn wake_all(&mut self) -> bool {
        let Ok(places) = self.shared.places.try_lock() else { return false };
        for place in places.iter() {
            if let Ok(mut place) = place.try_lock() {
                self.due.extend(self.shared.take(&mut place));
            }
        }
        drop(places);
        self.due.drain(..).for_each(Waker::wake);
        true
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        // After the last publication: who sees this and looks once more has seen all.
        self.shared.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        // The end may wait for a lock that is held for a moment.
        let places = lock(&self.shared.places).clone();
        let wakers = places.iter().filter_map(|place| self.shared.take(&mut lock(place)));
        self.due.extend(wakers);
        self.due.drain(..).for_each(Waker::wake);
    }
}

impl Shared {
    /// Empties a place whose lock is held.
    fn take(&self, place: &mut Option<Waker>) -> Option<Waker> {
        let waker = place.take()?;
        self.armed.fetch_sub(1, Ordering::Relaxed);
        Some(waker)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes waiters, on any thread.
#[derive(Clone)]
pub(crate) struct Waiters(Arc<Shared>);

impl Waiters {
    pub(crate) fn waiter(&self) -> Waiter {
        let place = Arc::new(Place::default());
        lock(&self.0.places).push(place.clone());
        Waiter { shared: self.0.clone(), place, is_armed: false, parked: None }
    }
}

/// Nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// One who waits.
pub(crate) struct Waiter {
    shared: Arc<Shared>,
    place: Arc<Place>,
    /// Whether the waker may still be in its place.
    is_armed: bool,
    /// A waker of the thread that waited last, kept for the next time.
    parked: Option<(Thread, Waker)>,
}

impl Waiter {
    /// Whether nothing more will be published. Whoever is told so looks once more.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// What `look` finds, if anything; else the task is woken when it should look again.
    pub(crate) fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        mut look: impl FnMut() -> Option<T>,
    ) -> Poll<Result<T, Closed>> {
        let found = look().or_else(|| {
            self.arm(context.waker());
            // W2: orders the waker's way into its place before the look, against P2.
            fence(Ordering::SeqCst);
            None
        });
        // Before the last look, which then finds whatever was published before the end.
        let closed = self.is_closed();
        match found.or_else(look) {
            None if closed => {
                self.disarm();
                Poll::Ready(Err(Closed))
            }
            None => Poll::Pending,
            Some(found) => {
                self.disarm();
                Poll::Ready(Ok(found))
            }
        }
    }

    /// What `look` finds within `timeout`, if anything; the thread sleeps meanwhile.
    pub(crate) fn wait<T>(
        &mut self,
        timeout: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Closed> {
        if let Some(found) = look() {
            return Ok(Some(found));
        }
        // A time beyond all clocks is never reached.
        let deadline = Instant::now().checked_add(timeout);
        let waker = self.thread_waker();
        let mut context = Context::from_waker(&waker);
        loop {
            match self.poll(&mut context, &mut look) {
                Poll::Ready(outcome) => return outcome.map(Some),
                Poll::Pending => {}
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => {
                    self.disarm();
                    return Ok(None);
                }
                // May return early, for a wake-up meant for somebody else on this thread; then the loop looks again.
                Some(rest) => thread::park_timeout(rest),
                None => thread::park(),
            }
        }
    }

    /// W1.
    fn arm(&mut self, waker: &Waker) {
        let mut place = lock(&self.place);
        let before = match &mut *place {
            Some(there) if there.will_wake(waker) => None,
            Some(there) => Some(std::mem::replace(there, waker.clone())),
            empty => {
                *empty = Some(waker.clone());
                self.shared.armed.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        drop(place);
        // Others' code, perhaps: with no lock held.
        drop(before);
        self.is_armed = true;
    }

    /// Spares the publisher a wake-up that nobody needs.
    fn disarm(&mut self) {
        if std::mem::take(&mut self.is_armed) {
            let waker = self.shared.take(&mut lock(&self.place));
            drop(waker);
        }
    }

    /// Wakes the calling thread from `park`.
    fn thread_waker(&mut self) -> Waker {
        let current = thread::current();
        match &self.parked {
            Some((thread, waker)) if thread.id() == current.id() => waker.clone(),
            _ => {
                let waker = Waker::from(Arc::new(Unpark(current.clone())));
                self.parked.insert((current, waker)).1.clone()
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.disarm();
        lock(&self.shared.places).retain(|place| !Arc::ptr_eq(place, &self.place));
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives a future on this thread, which sleeps in between: what an executor is at its least.
#[cfg(test)]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(Duration::from_secs(60)),
        }
    }
}

#[cfg(all(test, loom))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    /// How long a machine may keep a thread from running.
    const LONG: Duration = Duration::from_secs(20);

    /// Publishes numbers up to `last`, each as soon as all waiters have seen the one before, which is when they fall asleep
    /// again: a wake-up that is lost leaves everybody waiting.
    fn race(last: u64, waiters: u64, wait: impl Fn(&mut Waiter, &dyn Fn() -> Option<()>) + Sync) {
        let (published, seen) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut notifier = Notifier::default();
        let all = notifier.waiters();
        thread::scope(|scope| {
            for _ in 0..waiters {
                let (mut waiter, published, seen, wait) = (all.waiter(), &published, &seen, &wait);
                scope.spawn(move || {
                    for next in 1..=last {
                        wait(&mut waiter, &|| (published.load(Ordering::Relaxed) >= next).then_some(()));
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for number in 1..=last {
                published.store(number, Ordering::Relaxed);
                while !notifier.notify() {
                    thread::yield_now();
                }
                let began = Instant::now();
                while seen.load(Ordering::Relaxed) < number * waiters {
                    assert!(began.elapsed() < LONG, "somebody slept through number {number}");
                    thread::yield_now();
                }
            }
        });
        assert_eq!(all.0.armed.load(Ordering::Relaxed), 0, "nobody is left counted");
        assert!(lock(&all.0.places).is_empty(), "nobody is left on the list");
    }

    #[test]
    fn no_thread_sleeps_through_a_publication() {
        race(10_000, 3, |waiter, look| {
            assert_eq!(waiter.wait(2 * LONG, look), Ok(Some(())), "slept through it");
        });
    }

    #[test]
    fn no_task_sleeps_through_a_publication() {
        race(10_000, 1, |waiter, look| {
            let found = block_on(std::future::poll_fn(|context| waiter.poll(context, look)));
            assert_eq!(found, Ok(()));
        });
    }

    #[test]
    fn waiting_ends_at_its_time_and_leaves_nothing_behind() {
        let notifier = Notifier::default();
        let mut waiter = notifier.waiters().waiter();
        let began = Instant::now();
        assert_eq!(waiter.wait(Duration::from_millis(20), || None::<()>), Ok(None));
        assert!(began.elapsed() >= Duration::from_millis(20));
        assert_eq!(notifier.shared.armed.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_end_wakes_everybody_and_hides_nothing_that_came_before_it() {
        let published = AtomicBool::new(false);
        let notifier = Notifier::default();
        let all = notifier.waiters();
        thread::scope(|scope| {
            let mut waiter = all.waiter();
            let published = &published;
            let waits = scope.spawn(move || {
                let look = || published.swap(false, Ordering::Relaxed).then_some(());
                [(); 2].map(|()| waiter.wait(Duration::from_secs(20), look))
            });
            published.store(true, Ordering::Relaxed);
            drop(notifier);
            assert_eq!(waits.join().unwrap(), [Ok(Some(())), Err(Closed)]);
        });
    }

    /// Drops the waiter that it is to wake.
    struct Dropping(Mutex<Option<Waiter>>);

    impl Wake for Dropping {
        fn wake(self: Arc<Self>) {
            drop(lock(&self.0).take());
        }
    }

    #[test]
    fn a_waker_may_drop_its_waiter() {
        let mut notifier = Notifier::default();
        let mut waiter = notifier.waiters().waiter();
        let dropping = Arc::new(Dropping(Mutex::new(None)));
        let waker = Waker::from(dropping.clone());
        assert!(waiter.poll(&mut Context::from_waker(&waker), || None::<()>).is_pending());
        *lock(&dropping.0) = Some(waiter);
        assert!(notifier.notify());
        assert!(lock(&notifier.shared.places).is_empty());
    }
}
