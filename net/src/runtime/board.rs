//! The latest directory, from the thread that decides who is known to those that receive.
//!
//! A receiver looks once a turn, at the price of one load; only when something was posted does it take the lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use octick_core::data::Directory;

/// Where directories are posted. Clones are the same board.
#[derive(Clone)]
pub(super) struct Board {
    posted: Arc<Posted>,
    /// The number of the last post that this clone took.
    seen: u64,
}

struct Posted {
    number: AtomicU64,
    latest: Mutex<Directory>,
}

impl Board {
    pub(super) fn new(directory: Directory) -> Self {
        Self {
            posted: Arc::new(Posted { number: AtomicU64::new(0), latest: Mutex::new(directory) }),
            seen: 0,
        }
    }

    /// Replaces what is posted.
    pub(super) fn post(&self, directory: Directory) {
        *self.posted.latest.lock().unwrap_or_else(PoisonError::into_inner) = directory;
        // After the directory: who sees the number finds that directory, or a later one.
        self.posted.number.fetch_add(1, Ordering::Release);
    }

    /// What was posted since this clone last looked, if anything was.
    #[inline]
    pub(super) fn news(&mut self) -> Option<Directory> {
        let number = self.posted.number.load(Ordering::Acquire);
        if number == self.seen {
            return None;
        }
        self.seen = number;
        Some(self.posted.latest.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reader_gets_the_latest_once() {
        let empty = || Directory::new(Vec::new(), [1, 2]).unwrap();
        let board = Board::new(empty());
        let mut readers = [board.clone(), board.clone()];
        assert!(readers[0].news().is_none());
        board.post(empty());
        board.post(empty());
        for reader in &mut readers {
            assert!(reader.news().is_some());
            assert!(reader.news().is_none());
        }
    }
}
