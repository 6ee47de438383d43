//! The keys of the admin API: where it listens, and who can therefore reach it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::conflict::{Checked, require};
use super::keys::AdminKeys;

/// Where the admin API of a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// The Unix socket, relative to the configuration file.
    pub socket: PathBuf,
    /// The TCP address besides, if one is wanted.
    pub listen: Option<SocketAddr>,
    /// The token that it asks for, relative to the configuration file.
    pub token_file: PathBuf,
}

impl AdminSettings {
    pub(super) fn check(keys: &AdminKeys, key_file: &Path) -> Checked<Self> {
        let AdminKeys { enabled, socket, listen, token_file, allow_remote } = keys;
        require(*enabled || listen.is_empty(), "admin.listen", || {
            format!("admin.listen = \"{listen}\", but admin.enabled = false")
        })?;
        require(*enabled || socket.as_os_str().is_empty(), "admin.socket", || {
            format!("admin.socket = \"{}\", but admin.enabled = false", socket.display())
        })?;
        let parsed = listen.parse::<SocketAddr>().ok();
        require(listen.is_empty() || parsed.is_some(), "admin.listen", || {
            format!(
                "admin.listen = \"{listen}\" is not an address; want \"127.0.0.1:7780\", or \"\" for none"
            )
        })?;
        require(
            parsed.is_none_or(|listen| listen.ip().is_loopback()) || *allow_remote,
            "admin.listen",
            || {
                format!(
                    "admin.listen = \"{listen}\" is reached by other machines, to which the token travels in the clear, but \
                 admin.allow_remote = false"
                )
            },
        )?;
        require(!listen.is_empty() || token_file.as_os_str().is_empty(), "admin.token_file", || {
            format!("admin.token_file = \"{}\", but admin.listen is empty", token_file.display())
        })?;
        let beside_the_key = |path: &PathBuf, extension: &str| match path.as_os_str().is_empty() {
            true => key_file.with_extension(extension),
            false => path.clone(),
        };
        Ok(Self {
            enabled: *enabled,
            socket: beside_the_key(socket, "sock"),
            listen: parsed,
            token_file: beside_the_key(token_file, "token"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_beside_the_key_and_tcp_must_be_asked_for() {
        let check = |keys: &AdminKeys| AdminSettings::check(keys, Path::new("keys/a.key"));
        let settings = check(&AdminKeys::default()).unwrap();
        assert_eq!(settings.socket, Path::new("keys/a.sock"));
        assert!(settings.enabled && settings.listen.is_none());
        let keys =
            AdminKeys { socket: "run/b.sock".into(), listen: "[::1]:1".into(), ..AdminKeys::default() };
        let settings = check(&keys).unwrap();
        assert_eq!((settings.socket, settings.listen), ("run/b.sock".into(), "[::1]:1".parse().ok()));
    }

    #[test]
    fn where_it_listens_must_hold_together() {
        for (keys, says) in [
            (AdminKeys { listen: "localhost".into(), ..AdminKeys::default() }, "is not an address"),
            (AdminKeys { token_file: "t".into(), ..AdminKeys::default() }, "admin.listen is empty"),
            (AdminKeys { listen: "10.0.0.1:1".into(), ..AdminKeys::default() }, "admin.allow_remote = false"),
            (
                AdminKeys { enabled: false, listen: "[::1]:1".into(), ..AdminKeys::default() },
                "admin.enabled = false",
            ),
            (
                AdminKeys { enabled: false, socket: "s".into(), ..AdminKeys::default() },
                "admin.enabled = false",
            ),
        ] {
            let conflict = AdminSettings::check(&keys, Path::new("node.key")).unwrap_err();
            assert!(conflict.message.contains(says), "{keys:?}: {}", conflict.message);
        }
    }
}
