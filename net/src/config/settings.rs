//! What passed the check.

use octick_core::data::Directory;

use super::config::Config;

/// A configuration that holds together: what [`start`](crate::start) takes. Only the machine can still refuse it: a port
/// that is taken, memory that is not there.
#[derive(Debug)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) directory: Directory,
}

impl Settings {
    /// What was chosen.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
