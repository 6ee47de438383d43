//! Which node a command is about.

use std::path::{Path, PathBuf};

use super::{Address, Token};
use crate::config::file::load_file;
use crate::failure::Failure;

/// Where commands look for a node unless told otherwise: beside the key that `octick keygen` makes in this directory.
const DEFAULT: &str = "node.sock";

/// Where they look for the token of a TCP address.
const TOKEN: &str = "node.token";

/// Where the node's admin API is.
#[derive(Clone, Debug, clap::Args)]
pub struct Locate {
    /// The node's admin.socket, a path, or its admin.listen, host:port or an address with the token as the demo prints it [default: that of --config, else ./node.sock]
    #[arg(long, value_name = "WHERE")]
    admin: Option<String>,
    /// The file with the token that an admin.listen asks for [default: ./node.token, if it is there]
    #[arg(long, value_name = "FILE", requires = "admin")]
    token_file: Option<PathBuf>,
    /// The node's configuration, to take its admin.socket from
    #[arg(long, value_name = "FILE", conflicts_with = "admin")]
    config: Option<PathBuf>,
}

impl Locate {
    fn with_token(&self, address: Address) -> Result<Address, Failure> {
        let beside = Path::new(TOKEN);
        let file = self.token_file.as_deref().or(beside.exists().then_some(beside));
        match (&address, file) {
            (Address::Tcp { token: None, .. }, Some(file)) => {
                Ok(address.with_token(Some(Token::read(file)?)))
            }
            _ => Ok(address),
        }
    }

    /// The address.
    ///
    /// # Errors
    /// The configuration is not sound, or says that there is no API; the name does not resolve.
    pub fn address(&self) -> Result<Address, Failure> {
        match (&self.admin, &self.config) {
            (Some(admin), _) => self.with_token(Address::parse(admin)?),
            (None, None) => Ok(Address::unix(Path::new(DEFAULT))),
            (None, Some(path)) => {
                let admin = load_file(path)?.admin;
                if admin.enabled {
                    return Ok(Address::unix(&admin.socket));
                }
                let at = path.display();
                let line = format!("{at}: admin.enabled = false: set it to true and start the node again");
                Err(Failure::new(line))
            }
        }
    }
}
