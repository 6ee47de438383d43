//! Where an admin API is: a Unix socket, or a TCP address that may be a name, with the token that it asks for.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use super::token::Token;
use crate::failure::Failure;

/// The port of a TCP address that is given without one.
const PORT: u16 = 7780;

/// Where an admin API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host.
    Tcp {
        /// Its addresses, to be tried in this order.
        found: Vec<SocketAddr>,
        /// How it was called.
        name: String,
        /// What it asks for, as far as that is known.
        token: Option<Token>,
    },
}

impl Address {
    /// Reads what a user gave: an address as the demo prints it, `http://host:port/...?token=...`; a path if there is a slash in it or it ends in
    /// `.sock`; otherwise an address or a name, with a port or without (7780).
    ///
    /// # Errors
    /// One line: the name does not resolve, or the token is none.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(rest) = text.strip_prefix("http://") {
            let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
            let host = rest.split_once('/').map_or(rest, |(host, _)| host);
            let word = query.split('&').find_map(|pair| pair.strip_prefix("token="));
            // What is wrong is said without the word, which may be a secret.
            let token = word.map(Token::new).transpose();
            let token =
                token.map_err(|why| Failure::usage(format!("--admin http://{host}/?token=...: {why}")))?;
            return Ok(Self::parse(host)?.with_token(token));
        }
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
            Ok(found) if !found.is_empty() => Ok(Self::Tcp { found, name: with_port, token: None }),
            Ok(_) => Err(unresolved(text, "no address")),
            Err(error) => Err(unresolved(text, &error.to_string())),
        }
    }

    /// The same with a token, if there is one and a host that may ask for it.
    #[must_use]
    pub fn with_token(self, shown: Option<Token>) -> Self {
        match self {
            Self::Tcp { found, name, token } => Self::Tcp { found, name, token: shown.or(token) },
            unix @ Self::Unix(_) => unix,
        }
    }

    /// The token that it is known to ask for.
    pub fn token(&self) -> Option<&Token> {
        match self {
            Self::Tcp { token, .. } => token.as_ref(),
            Self::Unix(_) => None,
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
        Self::Tcp { found: vec![address], name: address.to_string(), token: None }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A path that would be taken for a name gets a slash, so that what is printed can be given to --admin.
            Self::Unix(path) if !path.to_string_lossy().contains('/') => write!(f, "./{}", path.display()),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { name, .. } => f.write_str(name),
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
            let Address::Tcp { found, .. } = Address::parse(text).unwrap() else {
                panic!("{text} is no path")
            };
            assert_eq!(found, [wanted.parse().unwrap()], "{text}");
        }
        for (text, port) in [("localhost", 7780), ("localhost:81", 81)] {
            let Address::Tcp { found, name, .. } = Address::parse(text).unwrap() else {
                panic!("{text} is no path")
            };
            assert!(found.iter().all(|to| to.ip().is_loopback() && to.port() == port), "{found:?}");
            assert_eq!(name, format!("localhost:{port}"));
        }
        let with = Address::parse("http://127.0.0.1:81/api/v1/members?token=0123456789abcdef").unwrap();
        assert_eq!(with.to_string(), "127.0.0.1:81", "what is printed has no secret in it");
        assert!(with.token().is_some_and(|token| token.is("0123456789abcdef")));
        assert!(!format!("{with:?}").contains("0123456789abcdef"));
        let why = Address::parse("http://127.0.0.1:81/?token=secret").unwrap_err().to_string();
        assert!(why.contains("want 16 to 256") && !why.contains("secret"), "{why}");
        for text in ["nowhere.invalid", "localhost:port", "127.0.0.1:99999", ""] {
            let why = Address::parse(text).unwrap_err().to_string();
            assert!(why.starts_with(&format!("--admin {text} does not resolve (")), "{why}");
        }
    }
}
