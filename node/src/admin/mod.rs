//! The admin API: a small HTTP server on loopback, on a thread of its own, for commands and scripts on this machine.
//!
//! ```text
//! serve (connections, bounded) > guard (who may ask) > routes (one function a route) > octick::Handle
//! client (the commands' side)  > the same words as in `view`
//! ```
//!
//! It never touches the threads that carry data: a route asks the node's [`Handle`](octick::Handle) and waits for the answer on a thread
//! that may block.

pub mod client;
mod guard;
mod locate;
mod refusal;
mod routes;
mod serve;
pub mod view;

pub use locate::Locate;
pub use refusal::Refused;
pub use serve::Admin;

/// Where commands look for a node, and where a node listens for them, unless told otherwise.
pub const DEFAULT: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7780);
