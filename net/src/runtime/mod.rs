//! From settings to running threads.
//!
//! ```text
//! solo     [ socket > door > keeper(engine, egress) ]                      one thread
//!
//! split    [ socket > door ] -ring-+
//!          [ socket > door ] -ring-+-> [ keeper(engine, egress) ]          N + 1 threads
//! ```

mod bell;
mod board;
mod desk;
mod door;
mod egress;
mod gather;
mod keeper;
mod latency;
mod pin;
mod senders;
mod solo;
mod split;
mod start;
mod timers;
mod warm;

pub use latency::Latencies;
pub use senders::SenderStats;
pub use start::{StartError, start};

pub(crate) use bell::Bell;
pub(crate) use desk::Desk;
pub(crate) use keeper::{Command, Urgency, Write, tally};
pub(crate) use start::Crew;
