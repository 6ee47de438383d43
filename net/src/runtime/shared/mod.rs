//! What threads show each other.

pub(super) mod latency;
pub(super) mod peer_snapshot;
pub(super) mod thread_stats;
