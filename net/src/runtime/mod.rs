//! From settings to running threads.
//!
//! ```text
//! solo     [ socket > door > keeper(engine, egress) ]                      one thread
//!
//! split    [ socket > door ] -ring-+
//!          [ socket > door ] -ring-+-> [ keeper(engine, egress) ]          N + 1 threads
//! ```

mod engine;
mod ingress;
mod shared;
mod start;
mod threads;

pub use ingress::sender_table::SenderStats;
pub use shared::latency::Latencies;
pub use start::{StartError, start};

pub(crate) use engine::engine_loop::{Command, Urgency, Write, tally};
pub(crate) use shared::thread_stats::Desk;
pub(crate) use start::Crew;
pub(crate) use threads::waker::Bell;
