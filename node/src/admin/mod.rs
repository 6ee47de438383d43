//! The admin API: a small HTTP server on a Unix socket and, if wanted, a TCP port, on a thread of its own, for commands and
//! scripts on this machine.
//!
//! ```text
//! serve (connections, bounded) > guard (who may ask: by TCP, whoever has the token) > routes (one function a route) > octick::Handle
//! client (the commands' side)  > the same words as in `view`
//! ```
//!
//! It never touches the threads that carry data: a route asks the node's [`Handle`](octick::Handle) and waits for the answer on a thread
//! that may block.

mod address;
mod body;
pub mod client;
mod facts;
mod find;
mod guard;
mod locate;
mod refusal;
mod routes;
mod serve;
mod token;
mod unix;
pub mod view;

pub use address::Address;
pub use locate::Locate;
pub use refusal::Refused;
pub use serve::Admin;
pub use token::Token;
