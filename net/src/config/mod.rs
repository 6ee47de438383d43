//! What may be chosen, and the one check that makes settings of it.

#[allow(clippy::module_inception, reason = "what an embedder fills in bears the name of its folder")]
mod config;

pub(crate) use config::random_word;
pub use config::{Config, ConfigError, Mode, Peer, Push, Settings, SocketConfig, Threads, Wait};
