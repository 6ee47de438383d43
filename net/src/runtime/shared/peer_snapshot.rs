//! The latest news of who is known, from the thread that decides it to those that receive.
//!
//! A receiver looks once a turn, at the price of one load; only when something was posted does it take the lock.

use std::sync::{Arc, Mutex, PoisonError};

use octick_core::data::{Directory, Origin};
use octick_core::stamp::Slot;
use octick_crypto::NodeId;

use crate::runtime::engine::egress::Target;
use crate::sync::{AtomicU64, Ordering};

/// Who is known, and where.
#[derive(Clone)]
pub(in crate::runtime) struct News {
    pub(in crate::runtime) directory: Directory,
    /// The peers that can be sent to.
    pub(in crate::runtime) peers: Vec<Target>,
}

/// Where news are posted. Clones are the same snapshot.
#[derive(Clone)]
pub(crate) struct PeerSnapshot {
    posted: Arc<Posted>,
    /// The number of the last post that this clone took.
    seen: u64,
}

struct Posted {
    number: AtomicU64,
    latest: Mutex<News>,
}

impl PeerSnapshot {
    /// A snapshot with these news on it, which nobody has read yet.
    pub(in crate::runtime) fn new(news: News) -> Self {
        Self { posted: Arc::new(Posted { number: AtomicU64::new(1), latest: Mutex::new(news) }), seen: 0 }
    }

    /// Replaces what is posted.
    pub(in crate::runtime) fn post(&self, news: News) {
        *self.posted.latest.lock().unwrap_or_else(PoisonError::into_inner) = news;
        // After the news: who sees the number finds those, or later ones.
        self.posted.number.fetch_add(1, Ordering::Release);
    }

    /// Whether `id` can be sent to; nothing if it is not known.
    pub(crate) fn reaches(&self, id: NodeId) -> Option<bool> {
        let news = self.posted.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = news.directory.find(&id)?;
        Some(news.peers.iter().any(|peer| peer.origin == origin))
    }

    /// Who speaks for `slot`. Looks at every run that is known.
    pub(crate) fn owner_of(&self, slot: Slot) -> Option<NodeId> {
        let directory = self.posted.latest.lock().unwrap_or_else(PoisonError::into_inner).directory.clone();
        let holds = |origin: &&Origin| {
            !origin.revoked && origin.runs.iter().any(|run| slot.0.wrapping_sub(run.first.0) < run.len)
        };
        directory.origins().find(holds).map(|origin| origin.key.id())
    }

    /// What was posted since this clone last looked, if anything was.
    #[inline]
    pub(in crate::runtime) fn news(&mut self) -> Option<News> {
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
        let empty = || News { directory: Directory::new(Vec::new(), [1, 2]).unwrap(), peers: Vec::new() };
        let snapshot = PeerSnapshot::new(empty());
        let mut readers = [snapshot.clone(), snapshot.clone()];
        assert!(readers[0].news().is_some() && readers[0].news().is_none());
        snapshot.post(empty());
        snapshot.post(empty());
        for reader in &mut readers {
            assert!(reader.news().is_some());
            assert!(reader.news().is_none());
        }
    }
}
