//! Threads: one for all, or many; where they run and what wakes them.

pub(super) mod pin;
pub(super) mod solo;
pub(super) mod split;
pub(super) mod waker;
