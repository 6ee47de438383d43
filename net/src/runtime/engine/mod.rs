//! The thread that owns the engine: what it does, what it sends, what is due.

pub(super) mod command;
pub(super) mod egress;
pub(super) mod engine_loop;
pub(super) mod stats_query;
pub(super) mod timers;
