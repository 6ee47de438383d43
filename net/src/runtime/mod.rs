//! From settings to running threads.
//!
//! ```text
//! solo     [ socket > ingress stage > engine loop(engine, egress) ]              one thread
//!
//! split    [ socket > stage ] -ring-+
//!          [ socket > stage ] -ring-+-> [ engine loop(engine, egress) ]          N + 1 threads
//! ```

mod build;
mod engine;
mod ingress;
mod shared;
mod start;
mod threads;

pub use ingress::sender_table::SenderStats;
pub use shared::latency::Latencies;
pub use start::start;
pub use threads::threads::StartError;

pub(crate) use engine::command::{Command, Urgency, What, Write};
pub(crate) use engine::stats_query::tally;
pub(crate) use shared::peer_snapshot::PeerSnapshot;
pub(crate) use shared::thread_stats::ThreadStats;
pub(crate) use threads::threads::Threads;
pub(crate) use threads::waker::Waker;
