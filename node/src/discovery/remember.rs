//! Members that a node met, in a small file beside its key: where to begin again when all seeds are down.
//!
//! A line an address, at most fifty, those that have lived longest first. The file is replaced as a whole, so it is
//! either the old or the new one; one that is damaged all the same is named, ignored and written anew.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use octick::MeshView;

use crate::output::printable;

/// Addresses in a file: a mesh has to lose this many before a node that was away finds nobody.
const PEERS_MAX: usize = 50;
/// The longest file that is read: fifty of the longest addresses fit three times.
const BYTES_MAX: u64 = 10_000;
/// The first line.
const TITLE: &str = "# octick: members met before";

/// Where the node with this key file remembers members.
pub fn file_of(key_file: &Path) -> PathBuf {
    key_file.with_extension("peers")
}

/// Reads a file; none is an empty one.
///
/// # Errors
/// One line: what is wrong with it. It may be ignored.
pub fn read(path: &Path) -> Result<Vec<SocketAddr>, String> {
    let at = path.display();
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{at}: {error}; it is ignored, and will be written anew")),
        Ok(_) => {}
    }
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, title)| title != TITLE) {
        return Err(format!("{at}:1: want \"{TITLE}\"; it is ignored, and will be written anew"));
    }
    let address = |(i, line): (usize, &str)| {
        let damaged = |_| {
            let line = printable(line);
            format!("{at}:{}: \"{line}\" is no address; the file is ignored, and will be written anew", i + 1)
        };
        line.parse::<SocketAddr>().map_err(damaged)
    };
    lines.take(PEERS_MAX).map(address).collect()
}

/// Keeps a file up to date.
#[derive(Debug)]
pub(super) struct Remembered {
    path: PathBuf,
    written: Vec<SocketAddr>,
    /// Whether it was said that it cannot be written: once is enough.
    failed: bool,
}

impl Remembered {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, written: Vec::new(), failed: false }
    }

    /// Writes down who is there now; a node that is alone keeps what it has.
    pub(super) fn write(&mut self, mesh: &MeshView) {
        let peers = longest_lived(mesh);
        if peers.is_empty() || peers == self.written {
            return;
        }
        match replace(&self.path, &peers) {
            Ok(()) => (self.written, self.failed) = (peers, false),
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    let file = self.path.display();
                    tracing::warn!(%file, %error, "members are not remembered; discovery.remember = false says so, too");
                }
            }
        }
    }
}

/// Incarnations are taken from the clock, unless they were chosen otherwise: the least has lived longest.
fn longest_lived(mesh: &MeshView) -> Vec<SocketAddr> {
    let mut members: Vec<_> = mesh.live().filter(|member| !member.this_node).collect();
    members.sort_by_key(|member| (member.incarnation.0, member.id));
    members.iter().filter_map(|member| member.address).take(PEERS_MAX).collect()
}

fn replace(path: &Path, peers: &[SocketAddr]) -> io::Result<()> {
    let new = path.with_extension("peers.new");
    let mut file = File::create(&new)?;
    let lines: String = peers.iter().map(|peer| format!("{peer}\n")).collect();
    write!(file, "{TITLE}\n{lines}")?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("octick-remember-{name}-{}", std::process::id()))
    }

    #[test]
    fn what_was_written_is_read() {
        let path = path("whole");
        let peers: Vec<SocketAddr> = vec!["127.0.0.1:7700".parse().unwrap(), "[::1]:7701".parse().unwrap()];
        replace(&path, &peers).unwrap();
        assert_eq!(read(&path), Ok(peers));
        fs::remove_file(&path).unwrap();
        assert_eq!(read(&path), Ok(Vec::new()), "none is an empty one");
    }

    #[test]
    fn a_damaged_file_is_named_with_the_line() {
        let path = path("damaged");
        for (text, says) in [
            (format!("{TITLE}\n127.0.0.1:1\n127.0.0"), ":3: \"127.0.0\" is no address; the file is ignored"),
            ("\0\0\0".into(), ":1: want"),
            (String::new(), ":1: want"),
        ] {
            fs::write(&path, text).unwrap();
            let why = read(&path).unwrap_err();
            assert!(why.starts_with(&format!("{}{says}", path.display())), "{why}");
        }
        fs::write(&path, [0xff; 3]).unwrap();
        assert!(read(&path).unwrap_err().contains("written anew"));
        fs::remove_file(&path).unwrap();
    }
}
