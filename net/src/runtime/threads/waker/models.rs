//! Whoever puts something where a sleeper looks and then rings wakes it, in every interleaving. In a model a sleeper sleeps
//! until it is woken, so a lost wakeup is a deadlock, which the checker reports.

use loom::thread;
use octick_core::sync::model;

use super::*;
use crate::sync::AtomicU64;

const LONG: Duration = Duration::MAX;

/// What rings between threads promise of their length: once pushed, it is seen whole by who sees the length.
#[derive(Clone, Default)]
struct Ring(Arc<AtomicU64>);

impl Ring {
    fn push(&self) {
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// No stronger than rtrb's.
    fn len(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// `producers` threads with a ring each push `each` and ring; a sleeper takes all of it.
fn parked(producers: usize, each: u64) {
    model(move || {
        let waiter = ParkWaiter::new();
        let rings: Vec<Ring> = (0..producers).map(|_| Ring::default()).collect();
        let threads: Vec<_> = rings
            .iter()
            .cloned()
            .map(|ring| {
                let waker = waiter.waker();
                thread::spawn(move || {
                    for _ in 0..each {
                        ring.push();
                        waker.ring();
                    }
                })
            })
            .collect();
        let mut taken = vec![0; producers];
        while taken.iter().sum::<u64>() < each * producers as u64 {
            for (taken, ring) in taken.iter_mut().zip(&rings) {
                *taken = ring.len();
            }
            let nothing = || rings.iter().zip(&taken).all(|(ring, taken)| ring.len() == *taken);
            if taken.iter().sum::<u64>() < each * producers as u64 {
                waiter.sleep(LONG, nothing);
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_parked_thread_is_woken_for_everything_that_is_pushed() {
    parked(1, 2);
}

#[test]
fn a_parked_thread_is_woken_by_whichever_of_two_pushes() {
    parked(2, 1);
}

#[test]
fn a_thread_parked_at_its_socket_is_woken_for_everything_that_is_pushed() {
    model(|| {
        let alarm = Alarm::default();
        let waiter = SocketWaiter::new(alarm.clone());
        let ring = Ring::default();
        let (theirs, waker) = (ring.clone(), waiter.waker());
        let producer = thread::spawn(move || {
            for _ in 0..2 {
                theirs.push();
                waker.ring();
            }
        });
        let mut taken = 0;
        while taken < 2 {
            waiter.doze(
                socket::Wait::Park(LONG),
                || ring.len() == taken,
                |wait| {
                    if matches!(wait, socket::Wait::Park(_)) {
                        alarm.wait();
                    }
                },
            );
            taken = ring.len();
        }
        producer.join().unwrap();
    });
}
