//! Which node a command is about.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::command::load_file;
use crate::failure::Failure;

/// Where the node's admin API is.
#[derive(Clone, Debug, clap::Args)]
pub struct Locate {
    /// The node's admin.listen [default: that of --config, else 127.0.0.1:7780]
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// The node's configuration, to take its admin.listen from
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    config: Option<PathBuf>,
}

impl Locate {
    /// The address.
    ///
    /// # Errors
    /// The configuration is not sound, or says that there is no API.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        match (self.admin, &self.config) {
            (Some(admin), _) => Ok(admin),
            (None, None) => Ok(super::DEFAULT),
            (None, Some(path)) => {
                let admin = load_file(path)?.admin;
                if admin.enabled {
                    return Ok(admin.listen);
                }
                let at = path.display();
                let line = format!("{at}: admin.enabled = false: set it to true and start the node again");
                Err(Failure::new(line))
            }
        }
    }
}
