//! What a node must not forget over restarts, and where it is kept.
//!
//! Two numbers are enough. A frame's identity is (origin, incarnation, sequence), so an incarnation greater than any before makes all
//! sequence numbers fresh; and versions stay later than all before if the hybrid clock never issues one beyond what was made
//! durable, and goes on behind that after a restart.
//!
//! ```text
//! store ── load ─> begin (which incarnation, from where the clock) ── save ─> store
//!                                                                        ┌──────┘
//! engine: issues up to `reserved` <── Reservation ── Keeper: saves again before half of that is used, on a thread of its own
//! ```
//!
//! What can never happen: a frame with cells beyond what is durable, an incarnation that a store has seen before, or a damaged file that
//! is taken for a first start. No frame waits for a disk.

mod begin;
mod file;
mod keeper;
mod layout;
mod memory;
mod store;

pub use file::FileStore;
pub use memory::MemoryStore;
pub use store::{Damage, StableError, StableState, StableStore};

pub(crate) use begin::Beginning;
pub(crate) use keeper::{Keeper, Reservation};
