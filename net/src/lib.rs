//! Placeholder.

mod memory;
pub mod pool;
pub mod socket;
