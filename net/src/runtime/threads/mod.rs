//! Threads: one for all, or many; where they run and what wakes them.

pub(super) mod pin;
pub(super) mod receive;
pub(super) mod solo;
pub(super) mod split;
#[allow(clippy::module_inception, reason = "what holds the threads together bears the name of its folder")]
pub(super) mod threads;
pub(super) mod waker;
