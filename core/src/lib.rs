//! The Octick protocol as state machines: what a frame is, what a node keeps, and how one becomes the other.
//!
//! No sockets, clocks, threads or files: bytes, time and randomness are arguments. The journey of a datagram
//! names the modules:
//!
//! ```text
//! datagram > wire::Frame (a checked view) > data: seen? > verify > accept > table: merge > data: publish, egress
//! ```

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(any(test, loom))]
extern crate std;

pub mod admission;
pub mod contradiction;
pub mod control;
pub mod counters;
pub mod data;
pub mod engine;
mod hash_index;
pub mod limits;
pub mod list;
mod listed;
pub mod prefetch;
pub mod random;
pub mod refusal;
pub mod reject;
pub mod stamp;
pub mod state;
#[cfg(not(loom))]
mod sync;
#[cfg(loom)]
pub mod sync;
pub mod table;
pub mod time;
pub mod token_bucket;
pub mod wire;

pub use octick_crypto as crypto;
pub use reject::Reject;
