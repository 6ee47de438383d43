//! Where an admin API is: a Unix socket, or a TCP address that may be a name.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The port of a TCP address that is given without one.
const PORT: u16 = 7780;

/// Where an admin API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// The addresses of a host, to be tried in this order, and how it was called.
    Tcp(Vec<SocketAddr>, String),
}

impl Address {
    /// Reads what a user gave: a path if there is a slash in it or it ends in `.sock`, otherwise an address or a name, with
    /// a port or without (7780).
    ///
    /// # Errors
    /// One line: the name does not resolve.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if text.contains('/') || text.ends_with(".sock") {
            return Ok(Self::Unix(text.into()));
        }
        let with_port = match (text.parse::<SocketAddr>(), text.rsplit_once(':')) {
            (Ok(_), _) => text.to_owned(),
            (_, Some((host, port))) if !host.contains(':') && port.parse::<u16>().is_ok() => text.to_owned(),
            (_, Some((host, _))) if host.contains(':') && !text.starts_with('[') => {
                format!("[{text}]:{PORT}")
            }
            (_, Some((_, port))) if !port.ends_with(']') => text.to_owned(),
            _ => format!("{text}:{PORT}"),
        };
        let found = with_port.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        match found {
            Ok(found) if !found.is_empty() => Ok(Self::Tcp(found, with_port)),
            Ok(_) => Err(unresolved(text, "no address")),
            Err(error) => Err(unresolved(text, &error.to_string())),
        }
    }

    /// A Unix socket.
    pub fn unix(path: &Path) -> Self {
        Self::Unix(path.into())
    }
}

fn unresolved(text: &str, why: &str) -> Failure {
    Failure::new(format!(
        "--admin {text} does not resolve ({why}); give the path of the node's socket, as in ./node.sock, or host:port"
    ))
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(vec![address], address.to_string())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A path that would be taken for a name gets a slash, so that what is printed can be given to --admin.
            Self::Unix(path) if !path.to_string_lossy().contains('/') => write!(f, "./{}", path.display()),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(_, name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_addresses_and_names_are_told_apart() {
        for text in ["node.sock", "./admin", "/run/octick/0.sock"] {
            assert_eq!(Address::parse(text).unwrap(), Address::unix(Path::new(text)));
        }
        for (text, wanted) in [
            ("127.0.0.1:81", "127.0.0.1:81"),
            ("127.0.0.1", "127.0.0.1:7780"),
            ("::1", "[::1]:7780"),
            ("[::1]", "[::1]:7780"),
            ("[::1]:81", "[::1]:81"),
        ] {
            let Address::Tcp(found, _) = Address::parse(text).unwrap() else { panic!("{text} is no path") };
            assert_eq!(found, [wanted.parse().unwrap()], "{text}");
        }
        for (text, port) in [("localhost", 7780), ("localhost:81", 81)] {
            let Address::Tcp(found, name) = Address::parse(text).unwrap() else {
                panic!("{text} is no path")
            };
            assert!(found.iter().all(|to| to.ip().is_loopback() && to.port() == port), "{found:?}");
            assert_eq!(name, format!("localhost:{port}"));
        }
        for text in ["nowhere.invalid", "localhost:port", "127.0.0.1:99999", ""] {
            let why = Address::parse(text).unwrap_err().to_string();
            assert!(why.starts_with(&format!("--admin {text} does not resolve (")), "{why}");
        }
    }
}
