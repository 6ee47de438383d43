//! The Unix socket that the API listens on: nobody but this user gets in, a stale one is replaced, a live one is not.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Connections that may wait to be taken.
const BACKLOG: i32 = 64;

/// A socket that is listened on. Dropped, it takes its file with it.
pub(super) struct Bound {
    path: PathBuf,
    /// Device and inode: a file that another process put there since stays.
    file: (u64, u64),
}

/// Listens at `path`, mode 0600. A socket that a process left behind which no longer lives is replaced.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] if somebody listens there, [`io::ErrorKind::AlreadyExists`] if there is something else than
/// a socket, or what the system says.
pub(super) fn listen(path: &Path) -> io::Result<(UnixListener, Bound)> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before anybody is listened to: until then, whoever connects is refused.
    let metadata =
        fs::set_permissions(path, Permissions::from_mode(0o600)).and_then(|()| fs::metadata(path))?;
    let bound = Bound { path: path.into(), file: (metadata.dev(), metadata.ino()) };
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok((socket.into(), bound))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    if !metadata.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file);
        if ours {
            // Whoever cannot remove it leaves a stale socket, which the next start replaces.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("octick-unix-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn only_this_user_gets_in_and_the_file_goes_with_the_listener() {
        let dir = directory("mode");
        let path = dir.join("a.sock");
        let (listener, bound) = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop((listener, bound));
        assert!(!path.exists());
        fs::remove_dir(dir).unwrap();
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_and_a_file_are_not() {
        let dir = directory("stale");
        let path = dir.join("a.sock");
        // Dropping a listener closes it and leaves its file, as a kill does.
        drop(UnixListener::bind(&path).unwrap());
        let (live, bound) = listen(&path).unwrap();
        assert_eq!(listen(&path).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        fs::rename(&path, dir.join("moved")).unwrap();
        fs::write(&path, "mine").unwrap();
        assert_eq!(listen(&path).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        drop((live, bound));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine", "what another put there stays");
        fs::remove_dir_all(dir).unwrap();
    }
}
