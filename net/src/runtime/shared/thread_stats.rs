//! What a thread lays out for others to read: counters at once, the bulkier figures now and then.

use std::sync::{Arc, Mutex, PoisonError};

use octick_core::counters::Counters;
use octick_core::limits::OFFENDERS_MAX;

use crate::runtime::ingress::sender_table::SenderStats;
use crate::runtime::shared::latency::Latencies;
use crate::socket;

/// How often a thread lays out its bulkier figures, µs.
pub(in crate::runtime) const PUBLISH_STATS_MICROS: u64 = 100_000;

/// One thread's statistics. Clones show the same ones.
#[derive(Clone, Default)]
pub(crate) struct ThreadStats {
    pub(crate) counters: Counters,
    bulk: Arc<Mutex<Bulk>>,
}

/// Figures that are copied as a whole.
pub(crate) struct Bulk {
    pub(crate) socket: socket::Counters,
    pub(crate) latencies: Latencies,
    /// Those who behaved worst, at most [`OFFENDERS_MAX`].
    pub(crate) senders: Vec<SenderStats>,
}

impl Default for Bulk {
    fn default() -> Self {
        Self {
            socket: socket::Counters::default(),
            latencies: Latencies::default(),
            senders: Vec::with_capacity(OFFENDERS_MAX),
        }
    }
}

impl ThreadStats {
    /// Updates the bulk, unless somebody is reading it just now; then the next time does. Never waits.
    pub(in crate::runtime) fn publish_stats(&self, update: impl FnOnce(&mut Bulk)) {
        if let Ok(mut bulk) = self.bulk.try_lock() {
            update(&mut bulk);
        }
    }

    /// Reads the bulk.
    pub(crate) fn look<T>(&self, read: impl FnOnce(&Bulk) -> T) -> T {
        read(&self.bulk.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
