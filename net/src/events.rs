//! What happens in the mesh, for any number of consumers, each at its own pace.
//!
//! In come the engine's events; out they go to every consumer, oldest first. The last [`EVENTS_MAX`] are kept, whoever reads: a
//! consumer begins with the oldest of them, so that one made right after the start misses nothing, and one that falls
//! behind is told how many it missed.

use std::collections::VecDeque;
use std::fmt;
use std::future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use octick_core::engine::MeshEvent;
use octick_core::limits::EVENTS_MAX;

use crate::changes::{RecvError, TryRecvError};
use crate::notify::{Closed, Notifier, Waiter, Waiters};

/// What a consumer of events gets.
#[derive(Clone, Debug, PartialEq)]
pub enum NextEvent {
    /// Something happened.
    Event(MeshEvent),
    /// The consumer was too slow: this many events are lost to it. [`Handle::mesh`](crate::Handle::mesh) says how things stand.
    Missed(u64),
}

#[derive(Debug)]
struct Log {
    /// Number of the oldest event that is kept.
    first: u64,
    events: VecDeque<MeshEvent>,
}

impl Log {
    /// Event number `next`, or how far it is behind the oldest one. Moves `next` on.
    fn take(&self, next: &mut u64) -> Option<NextEvent> {
        if *next < self.first {
            let missed = self.first - *next;
            *next = self.first;
            return Some(NextEvent::Missed(missed));
        }
        let event = self.events.get((*next - self.first) as usize)?;
        *next += 1;
        Some(NextEvent::Event(event.clone()))
    }
}

/// The engine's end.
pub(crate) struct EventLog {
    log: Arc<Mutex<Log>>,
    notifier: Notifier,
    /// Whether consumers may sleep who have not been woken for the last event.
    owed: bool,
}

impl EventLog {
    pub(crate) fn new() -> Self {
        let log = Log { first: 0, events: VecDeque::with_capacity(EVENTS_MAX) };
        Self { log: Arc::new(Mutex::new(log)), notifier: Notifier::default(), owed: false }
    }

    /// Where consumers are made.
    pub(crate) fn source(&self) -> EventSource {
        EventSource { log: self.log.clone(), waiters: self.notifier.waiters() }
    }

    /// The log to be written to, unless a consumer is reading just now. Never waits.
    pub(crate) fn open(&mut self) -> Option<OpenLog<'_>> {
        Some(OpenLog { log: self.log.try_lock().ok()?, owed: &mut self.owed })
    }

    /// Wakes who sleeps after something was written, or for another reason to look. Returns whether everybody was.
    pub(crate) fn notify(&mut self) -> bool {
        self.owed = self.owed && !self.notifier.notify();
        !self.owed
    }

    /// Has everybody look again at the next [`EventLog::notify`].
    pub(crate) fn stir(&mut self) {
        self.owed = true;
    }
}

/// A log while it is written to.
pub(crate) struct OpenLog<'l> {
    log: MutexGuard<'l, Log>,
    owed: &'l mut bool,
}

impl OpenLog<'_> {
    /// The next event, before which `lost` were lost.
    pub(crate) fn push(&mut self, lost: u64, event: MeshEvent) {
        let Log { first, events } = &mut *self.log;
        if lost > 0 {
            // A gap in the middle of the numbers would need an item of its own; the few events before it join it.
            *first += events.len() as u64 + lost;
            events.clear();
        }
        if events.len() == EVENTS_MAX {
            events.pop_front();
            *first += 1;
        }
        events.push_back(event);
        *self.owed = true;
    }
}

/// Makes consumers.
pub(crate) struct EventSource {
    log: Arc<Mutex<Log>>,
    waiters: Waiters,
}

impl EventSource {
    pub(crate) fn consumer(&self) -> Events {
        Events { log: self.log.clone(), waiter: self.waiters.waiter(), next: 0 }
    }

    /// One who waits for something else that changes with events.
    pub(crate) fn waiter(&self) -> Waiter {
        self.waiters.waiter()
    }
}

/// A consumer of mesh events; made by [`Handle::events`](crate::Handle::events). Waiting works as for
/// [`Changes`](crate::Changes).
pub struct Events {
    log: Arc<Mutex<Log>>,
    waiter: Waiter,
    next: u64,
}

impl Events {
    /// What is there. Never waits for an event.
    ///
    /// # Errors
    /// [`TryRecvError`].
    pub fn try_recv(&mut self) -> Result<NextEvent, TryRecvError> {
        match take(&self.log, &mut self.next) {
            Some(next) => Ok(next),
            None if self.waiter.is_closed() => take(&self.log, &mut self.next).ok_or(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// What is there, or the first that comes within `timeout`; the thread sleeps meanwhile.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn recv(&mut self, timeout: Duration) -> Result<NextEvent, RecvError> {
        let Self { log, waiter, next } = self;
        match waiter.wait(timeout, || take(log, next)) {
            Ok(next) => next.ok_or(RecvError::Timeout),
            Err(Closed) => Err(RecvError::Closed),
        }
    }

    /// What is there; else the task is woken when there is something. `None` when the node has ended and all was read.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<NextEvent>> {
        let Self { log, waiter, next } = self;
        waiter.poll(context, || take(log, next)).map(Result::ok)
    }

    /// The next, for `.await`; `None` when the node has ended and all was read. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<NextEvent> {
        future::poll_fn(|context| self.poll_recv(context)).await
    }
}

fn take(log: &Mutex<Log>, next: &mut u64) -> Option<NextEvent> {
    log.lock().unwrap_or_else(PoisonError::into_inner).take(next)
}

impl Stream for Events {
    type Item = NextEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<NextEvent>> {
        self.poll_recv(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octick_core::stamp::Incarnation;

    fn event(number: u64) -> MeshEvent {
        MeshEvent::Outlived(Incarnation(number as u32))
    }

    fn append(log: &mut EventLog, lost: u64, numbers: std::ops::Range<u64>) {
        let mut open = log.open().expect("nobody reads");
        numbers.for_each(|number| open.push(lost, event(number)));
    }

    fn drain(events: &mut Events) -> Vec<NextEvent> {
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }

    #[test]
    fn every_consumer_gets_every_event_in_order() {
        let mut log = EventLog::new();
        let source = log.source();
        let mut early = source.consumer();
        append(&mut log, 0, 0..3);
        let all: Vec<_> = (0..3).map(|number| NextEvent::Event(event(number))).collect();
        let mut late = source.consumer();
        assert_eq!((drain(&mut early), drain(&mut late)), (all.clone(), all));
        assert_eq!(early.try_recv(), Err(TryRecvError::Empty));
        drop(log);
        assert_eq!(early.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(late.recv(Duration::from_secs(20)), Err(RecvError::Closed));
    }

    #[test]
    fn a_slow_consumer_is_told_how_many_events_it_missed_and_others_are_not() {
        let mut log = EventLog::new();
        let source = log.source();
        let (mut slow, mut quick) = (source.consumer(), source.consumer());
        let more = EVENTS_MAX as u64 + 7;
        for number in 0..more {
            append(&mut log, 0, number..number + 1);
            assert_eq!(drain(&mut quick), [NextEvent::Event(event(number))]);
        }
        let heard = drain(&mut slow);
        assert_eq!((heard.len(), &heard[0]), (EVENTS_MAX + 1, &NextEvent::Missed(7)));
        assert_eq!(heard.last(), Some(&NextEvent::Event(event(more - 1))));
    }

    #[test]
    fn events_that_the_engine_had_no_room_for_are_told_as_a_gap() {
        let mut log = EventLog::new();
        let mut consumer = log.source().consumer();
        append(&mut log, 0, 0..2);
        assert_eq!(drain(&mut consumer).len(), 2);
        append(&mut log, 5, 7..8);
        assert_eq!(drain(&mut consumer), [NextEvent::Missed(5), NextEvent::Event(event(7))]);
    }
}
