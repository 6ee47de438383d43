//! What may be chosen, and the one check that makes settings of it.
//!
//! ```text
//! Config (anything may stand in it) > check (every relation) > Settings > start
//! ```

mod check;
#[allow(clippy::module_inception, reason = "what an embedder fills in bears the name of its folder")]
mod config;
mod error;
mod settings;

pub use check::check_reach;
pub(crate) use check::check_runs;
pub(crate) use config::random_word;
pub use config::{Config, Mode, Peer, Push, SocketConfig, Threads, Wait};
pub use error::ConfigError;
pub use settings::Settings;
