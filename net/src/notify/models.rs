//! A task that waits and a publisher that never does, in every interleaving. A task that is not woken sleeps for good, which
//! the checker reports as a deadlock.

use loom::thread;
use octick_core::sync::{model, model_within};

use super::*;
use crate::sync::{Alarm, AtomicU64};

struct Task(Alarm);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

/// Publishes as the ring does at its weakest, and notifies until that is done.
fn publish(published: &AtomicU64, notifier: &mut Notifier, n: u64) {
    published.store(n, Ordering::Relaxed);
    while !notifier.notify() {
        thread::yield_now();
    }
}

/// Sleeps until `n` was published; what it was told at last.
fn wait_for(published: &AtomicU64, waiter: &mut Waiter, n: u64) -> Result<(), Closed> {
    let alarm = Alarm::default();
    let waker = Waker::from(Arc::new(Task(alarm.clone())));
    let mut context = Context::from_waker(&waker);
    loop {
        let look = || (published.load(Ordering::Relaxed) >= n).then_some(());
        match waiter.poll(&mut context, look) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => alarm.wait(),
        }
    }
}

#[test]
fn a_waiting_task_is_woken_by_what_is_published() {
    model(|| {
        let published = Arc::new(AtomicU64::new(0));
        let mut notifier = Notifier::default();
        let mut waiter = notifier.waiters().waiter();
        let theirs = published.clone();
        let publisher = thread::spawn(move || {
            publish(&theirs, &mut notifier, 1);
            notifier
        });
        assert_eq!(wait_for(&published, &mut waiter, 1), Ok(()));
        // Only now: the end wakes, too.
        drop(publisher.join().unwrap());
    });
}

#[test]
fn a_task_that_waits_again_is_woken_again() {
    model_within(2, || {
        let published = Arc::new(AtomicU64::new(0));
        let mut notifier = Notifier::default();
        let mut waiter = notifier.waiters().waiter();
        let theirs = published.clone();
        let publisher = thread::spawn(move || {
            publish(&theirs, &mut notifier, 1);
            publish(&theirs, &mut notifier, 2);
            notifier
        });
        assert_eq!(wait_for(&published, &mut waiter, 1), Ok(()));
        assert_eq!(wait_for(&published, &mut waiter, 2), Ok(()));
        drop(publisher.join().unwrap());
    });
}

#[test]
fn a_waiter_that_comes_while_others_are_woken_misses_nothing() {
    model_within(2, || {
        let published = Arc::new(AtomicU64::new(0));
        let mut notifier = Notifier::default();
        let waiters = notifier.waiters();
        let theirs = published.clone();
        let publisher = thread::spawn(move || {
            publish(&theirs, &mut notifier, 1);
            notifier
        });
        let mut waiter = waiters.waiter();
        assert_eq!(wait_for(&published, &mut waiter, 1), Ok(()));
        drop(waiter);
        drop(publisher.join().unwrap());
    });
}

#[test]
fn the_end_wakes_whoever_waits_for_more() {
    model(|| {
        let published = Arc::new(AtomicU64::new(0));
        let notifier = Notifier::default();
        let mut waiter = notifier.waiters().waiter();
        let publisher = thread::spawn(move || drop(notifier));
        assert_eq!(wait_for(&published, &mut waiter, 1), Err(Closed));
        publisher.join().unwrap();
    });
}

#[test]
fn what_was_published_before_the_end_is_found_before_it() {
    model(|| {
        let published = Arc::new(AtomicU64::new(0));
        let mut notifier = Notifier::default();
        let mut waiter = notifier.waiters().waiter();
        let theirs = published.clone();
        let publisher = thread::spawn(move || publish(&theirs, &mut notifier, 1));
        assert_eq!(wait_for(&published, &mut waiter, 1), Ok(()));
        publisher.join().unwrap();
    });
}

/// As when the publisher's thread panics after a merge.
#[test]
fn what_was_published_and_not_told_is_found_before_the_end() {
    model(|| {
        let published = Arc::new(AtomicU64::new(0));
        let notifier = Notifier::default();
        let mut waiter = notifier.waiters().waiter();
        let theirs = published.clone();
        let publisher = thread::spawn(move || {
            theirs.store(1, Ordering::Relaxed);
            drop(notifier);
        });
        assert_eq!(wait_for(&published, &mut waiter, 1), Ok(()));
        publisher.join().unwrap();
    });
}
