//! What changed in the tables, to be waited for: by a thread, by a task of any async runtime, or by `poll` and `epoll`.
//!
//! In comes the engine's broadcast ring; out come [`Next`]s in the order of the merge. A subscriber that is slower than the
//! mesh is told what it missed and where to look instead, and never holds the engine up. When the node has ended and all
//! is read, waiting ends, too.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use std::{future, io};

use futures_core::Stream;
use octick_core::data::publish::{self, Change};
use octick_core::stamp::{Slot, Version};
use octick_core::state::{StateReader, TableKind};

use crate::notify::{Closed, Waiter};
use crate::socket::alarm;

/// What a subscriber gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Some neighbouring cells took a newer value. It says where; [`StateReader`] says what, which is at least as new.
    Change(Change),
    /// The subscriber was too slow, and changes were overwritten before it read them; or it came while something was being
    /// merged, which counts as one. Those after them follow.
    Missed(Missed),
}

/// Changes that nobody can tell any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub count: u64,
}

impl Missed {
    /// What to look at instead: every cell that was ever written, in all tables, a block at a time. Cells that did not change
    /// are among them, for there is no telling. Reads each table once, some 10 ns a block.
    pub fn rescan(self, reader: &StateReader) -> impl Iterator<Item = Change> {
        let slots = reader.layout().slots;
        let tables = TableKind::ALL.into_iter().filter(|table| reader.layout().has(*table));
        tables.flat_map(move |table| {
            (0..slots)
                .step_by(table.block_len() as usize)
                .filter_map(move |first| written(reader, table, first))
        })
    }
}

/// The cells of a block that were ever written, as a change to their latest version.
fn written(reader: &StateReader, table: TableKind, first: u32) -> Option<Change> {
    let (mask, version) = match table {
        TableKind::Cells8 => lanes(&reader.block8(first / 8)?.versions),
        TableKind::Cells4 => lanes(&reader.block4(first / 16)?.versions),
        TableKind::Rows => lanes(&[reader.row(Slot(first))?.version]),
    };
    (mask != 0).then_some(Change { table, first: Slot(first), mask, version })
}

fn lanes(versions: &[Version]) -> (u16, Version) {
    versions
        .iter()
        .enumerate()
        .filter(|(_, version)| **version != Version::NEVER)
        .fold((0, Version::NEVER), |(mask, latest), (lane, version)| (mask | 1 << lane, latest.max(*version)))
}

/// Why there is nothing to be had at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing yet.
    Empty,
    /// The node has ended, and all was read: nothing will come any more.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing yet"),
            Self::Closed => RecvError::Closed.fmt(f),
        }
    }
}

impl std::error::Error for TryRecvError {}

/// Why waiting ended with nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// The time is over. Nothing is lost: what comes later is there for the next call.
    Timeout,
    /// The node has ended, and all was read: nothing will come any more.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "nothing came in time; what comes later is there for the next call",
            Self::Closed => "the node has ended, nothing more will come",
        })
    }
}

impl std::error::Error for RecvError {}

/// A subscriber's place in the stream of changes; made by [`Handle::subscribe`](crate::Handle::subscribe).
///
/// | who waits | how |
/// |---|---|
/// | nobody | [`try_recv`](Changes::try_recv): a load when nothing changed |
/// | a thread | [`recv`](Changes::recv): sleeps, and is woken by the engine |
/// | a task of any async runtime | [`next`](Changes::next), [`poll_recv`](Changes::poll_recv), or [`Stream`] |
/// | `poll`, `epoll`, `mio`, `AsyncFd` | [`pollable`](Changes::pollable): a descriptor that is readable when there is something |
///
/// The engine wakes sleepers itself, once a batch, straight after merging it. A waker must not block, which those of
/// executors do not.
pub struct Changes {
    reader: publish::Reader,
    waiter: Waiter,
}

impl Changes {
    pub(crate) fn new(reader: publish::Reader, waiter: Waiter) -> Self {
        Self { reader, waiter }
    }

    /// What is there. Never waits.
    ///
    /// # Errors
    /// [`TryRecvError`].
    #[inline]
    pub fn try_recv(&mut self) -> Result<Next, TryRecvError> {
        match take(&mut self.reader) {
            Some(next) => Ok(next),
            // What came before the end is read first.
            None if self.waiter.is_closed() => take(&mut self.reader).ok_or(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// What is there, or the first that comes within `timeout`; the thread sleeps meanwhile.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn recv(&mut self, timeout: Duration) -> Result<Next, RecvError> {
        let Self { reader, waiter } = self;
        match waiter.wait(timeout, || take(reader)) {
            Ok(next) => next.ok_or(RecvError::Timeout),
            Err(Closed) => Err(RecvError::Closed),
        }
    }

    /// What is there; else the task is woken when there is something. `None` when the node has ended and all was read.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Next>> {
        let Self { reader, waiter } = self;
        waiter.poll(context, || take(reader)).map(Result::ok)
    }

    /// The next, for `.await`; `None` when the node has ended and all was read. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Next> {
        future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// The same with a file descriptor that says when there is something.
    ///
    /// # Errors
    /// The process may open no more descriptors.
    pub fn pollable(self) -> io::Result<PollableChanges> {
        let event = Arc::new(EventFd(alarm::new()?));
        Ok(PollableChanges { changes: self, waker: Waker::from(event.clone()), event })
    }
}

fn take(reader: &mut publish::Reader) -> Option<Next> {
    match reader.poll() {
        publish::Next::Change(change) => Some(Next::Change(change)),
        publish::Next::Missed(count) => Some(Next::Missed(Missed { count })),
        publish::Next::Empty => None,
    }
}

impl Stream for Changes {
    type Item = Next;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Next>> {
        self.poll_recv(context)
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}

/// [`Changes`] with a file descriptor, for loops built on `poll` or `epoll`. Call [`try_recv`](PollableChanges::try_recv) until
/// there is nothing, and only then wait: the descriptor becomes readable when something comes after that.
#[derive(Debug)]
pub struct PollableChanges {
    changes: Changes,
    event: Arc<EventFd>,
    waker: Waker,
}

impl PollableChanges {
    /// What is there. When nothing is, the descriptor becomes readable with the next.
    ///
    /// # Errors
    /// [`TryRecvError`].
    pub fn try_recv(&mut self) -> Result<Next, TryRecvError> {
        if let Ok(next) = self.changes.try_recv() {
            return Ok(next);
        }
        alarm::drain(&self.event.0);
        match self.changes.poll_recv(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Some(next)) => Ok(next),
            Poll::Ready(None) => {
                // Whoever polls from now on is told at once.
                alarm::ring(&self.event.0);
                Err(TryRecvError::Closed)
            }
            Poll::Pending => Err(TryRecvError::Empty),
        }
    }
}

impl AsFd for PollableChanges {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.0.as_fd()
    }
}

#[derive(Debug)]
struct EventFd(OwnedFd);

impl Wake for EventFd {
    fn wake(self: Arc<Self>) {
        alarm::ring(&self.0);
    }
}
