//! The configuration: a TOML file comes in, settings that contradict nothing come out.
//!
//! ```text
//! text > Config::parse (types, unknown keys) > Config::check (what only the file has, then the library's check) > Settings
//! ```
//!
//! Nothing is clamped: a value that cannot hold is refused, and the error names both sides. Parsing and checking are
//! pure; key files and host names come later, in [`crate::run`].

mod admin;
mod admission;
mod change;
mod check;
mod conflict;
mod error;
mod example;
pub mod file;
mod hex;
mod keys;
mod library;
mod lines;
mod mistake;
mod section;

pub use admin::AdminSettings;
pub use admission::AdmissionSettings;
pub use change::changed_keys;
pub use check::{PeerSettings, Run, Settings};
pub use conflict::Conflict;
pub use error::ConfigError;
pub use example::example;
pub use keys::{
    AdminKeys, AdmissionKeys, AuthorityKeys, Backend, Config, DiscoveryKeys, Kernel, LimitKeys, LogKeys,
    MembershipKeys, Mode, PeerKeys, PushKeys, ReportKeys, Rule, RunKeys, Selection, SocketKeys, TableKeys,
    ThreadKeys, VerifyKernel, VerifyKeys, Wait,
};

impl Config {
    /// Reads a configuration, refusing unknown keys and values of another type.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| mistake::explain(text, &error))
    }
}

/// Parses and checks in one go.
///
/// # Errors
/// The first mistake or contradiction, with its line.
pub fn load(text: &str) -> Result<Settings, ConfigError> {
    read(text).map(|(_, settings)| settings)
}

/// As [`load`], with the file's own words.
///
/// # Errors
/// The first mistake or contradiction, with its line.
pub fn read(text: &str) -> Result<(Config, Settings), ConfigError> {
    let config = Config::parse(text)?;
    let settings = config.check().map_err(|conflict| ConfigError {
        line: lines::line_of(text, &conflict.key),
        message: conflict.message,
    })?;
    Ok((config, settings))
}
