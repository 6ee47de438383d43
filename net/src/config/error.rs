//! Why a configuration was refused.

use std::fmt;

/// A choice that contradicts another or a bound. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key to look at first, in the words of the configuration file: `table.slots`, `peers[2].runs[0].first`.
    pub key: String,
    /// What is wrong: both sides with their values, and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Refuses with `message` unless the relation holds.
pub(super) fn require(holds: bool, key: &str, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { key: key.into(), message: message() }) }
}

/// Refuses a number outside its bounds.
pub(super) fn within(key: &str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    require(value >= min, key, || format!("{key} = {value} is below the least, {min}"))?;
    require(value <= max, key, || format!("{key} = {value} is above the most, {max}"))
}
