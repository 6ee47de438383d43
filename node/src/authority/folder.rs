//! Where a command finds its authority.

use std::path::PathBuf;

/// Where the authority keeps what it has.
#[derive(Debug, clap::Args)]
pub struct Folder {
    /// The folder of the authority: its keys and its register
    #[arg(long, value_name = "DIR", default_value = "authority")]
    pub(super) dir: PathBuf,
}
