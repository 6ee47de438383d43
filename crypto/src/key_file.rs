//! The key file: 64 hex digits of secret seed, one line, readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{fmt, str};

use zeroize::Zeroizing;

use crate::Identity;

/// Hex digits of a seed.
const DIGITS: usize = 64;

/// Writes a new key file with mode 0600. An existing file is never overwritten.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::NotAFile`] or [`KeyFileError::Io`]; on an I/O error a partly written file
/// may remain.
pub fn create(path: &Path, identity: &Identity) -> Result<(), KeyFileError> {
    let io_error = |error| KeyFileError::Io { path: path.into(), error };
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(_) if path.is_dir() => return Err(KeyFileError::NotAFile { path: path.into() }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyFileError::Exists { path: path.into() });
        }
        opened => opened.map_err(io_error)?,
    };
    let line = encode(&identity.seed());
    file.write_all(&*line).and_then(|()| file.sync_all()).map_err(io_error)
}

/// Reads an identity, refusing a file that others can read.
///
/// # Errors
/// [`KeyFileError::NotAFile`], [`KeyFileError::Open`] to others, [`KeyFileError::Foreign`], [`KeyFileError::Malformed`] content, or
/// [`KeyFileError::Io`].
pub fn read(path: &Path) -> Result<Identity, KeyFileError> {
    let io_error = |error| KeyFileError::Io { path: path.into(), error };
    // Asked before it is opened: opening a pipe would wait for whoever writes to it.
    let metadata = fs::metadata(path).map_err(io_error)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile { path: path.into() });
    }
    let mut file = File::open(path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    if let Some(owner) = foreign_owner(&metadata) {
        return Err(KeyFileError::Foreign { path: path.into(), owner });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path: path.into(), mode });
    }
    // One byte more than a key and a line end, so that a longer file is noticed without reading it all.
    let mut text = Zeroizing::new([0; DIGITS + 2]);
    let mut len = 0;
    while len < text.len() {
        match file.read(&mut text[len..]).map_err(io_error)? {
            0 => break,
            read => len += read,
        }
    }
    let line = text[..len].strip_suffix(b"\n").unwrap_or(&text[..len]);
    let seed = decode(line).ok_or_else(|| KeyFileError::Malformed { path: path.into(), len })?;
    Ok(Identity::from_seed(&seed))
}

/// The owner of a file that is neither this process's user nor root: whoever owns a file may change what is in it. Nothing where the
/// system does not say who this process runs as.
pub fn foreign_owner(metadata: &fs::Metadata) -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let user = effective_user(&status)?;
    Some(metadata.uid()).filter(|owner| ![0, user].contains(owner))
}

/// The second number of the line `Uid:` (proc(5)): the user by whose rights files are opened.
fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Reads the identity at `path`, or creates one there if nothing is.
///
/// # Errors
/// As [`read`] and [`create`].
pub fn read_or_create(path: &Path) -> Result<Identity, KeyFileError> {
    if fs::exists(path).map_err(|error| KeyFileError::Io { path: path.into(), error })? {
        return read(path);
    }
    let identity =
        Identity::generate().map_err(|error| KeyFileError::Io { path: path.into(), error: error.into() })?;
    create(path, &identity)?;
    Ok(identity)
}

fn encode(seed: &[u8; 32]) -> Zeroizing<[u8; DIGITS + 1]> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut line = Zeroizing::new([b'\n'; DIGITS + 1]);
    for (digits, byte) in line.chunks_exact_mut(2).zip(seed) {
        digits[0] = HEX[usize::from(byte >> 4)];
        digits[1] = HEX[usize::from(byte & 15)];
    }
    line
}

fn decode(line: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    if line.len() != DIGITS || !line.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut seed = Zeroizing::new([0; 32]);
    for (byte, digits) in seed.iter_mut().zip(line.chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(seed)
}

/// Why a key file could not be used. The file on disk is as it was before, unless said otherwise.
#[derive(Debug)]
pub enum KeyFileError {
    /// There is a file already; it was not touched.
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// There is a directory, or something else that is no ordinary file; it was not touched.
    NotAFile {
        /// Where.
        path: PathBuf,
    },
    /// Users other than the owner have rights to the file.
    Open {
        /// Where.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The file is another user's, who may change it.
    Foreign {
        /// Where.
        path: PathBuf,
        /// The number of that user.
        owner: u32,
    },
    /// The content is not 64 hex digits.
    Malformed {
        /// Where.
        path: PathBuf,
        /// Bytes found, at most 66.
        len: usize,
    },
    /// The operating system refused.
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists { path } => {
                write!(f, "{}: a file is there already; remove it or name another", path.display())
            }
            Self::NotAFile { path } => {
                let at = path.display();
                write!(
                    f,
                    "{at}: a directory or a device, not a key file: name a file in it, {at}/node.key say"
                )
            }
            Self::Open { path, mode } => {
                write!(f, "{0}: mode {mode:04o} lets others read the key; run: chmod 600 {0}", path.display())
            }
            Self::Foreign { path, owner } => {
                write!(
                    f,
                    "{0}: it is user {owner}'s, who may read and change the key; use a key of this user's own, or run: chown $USER {0}",
                    path.display()
                )
            }
            Self::Malformed { path, len } => {
                write!(
                    f,
                    "{}: not a key file: want {DIGITS} hex digits, found {len} bytes of something else; make one with: octick keygen",
                    path.display()
                )
            }
            Self::Io { path, error } => {
                let at = path.display();
                match error.kind() {
                    io::ErrorKind::NotFound => {
                        write!(
                            f,
                            "{at}: no such file or directory; make a key with: octick keygen --out {at}"
                        )
                    }
                    io::ErrorKind::PermissionDenied => {
                        write!(f, "{at}: this user may not; run as the owner of the key")
                    }
                    _ => write!(f, "{at}: {error}"),
                }
            }
        }
    }
}

impl std::error::Error for KeyFileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_a_process_is_the_one_by_whose_rights_it_opens_files() {
        assert_eq!(effective_user("Name:\tx\nUid:\t1000\t0\t1000\t0\nGid:\t1\t2\t3\t4\n"), Some(0));
        assert_eq!(effective_user("Name:\tx\n"), None);
        let own = std::env::temp_dir().join(format!("octick-owner-{}", std::process::id()));
        fs::write(&own, "").unwrap();
        let metadata = fs::metadata(&own).unwrap();
        fs::remove_file(&own).unwrap();
        assert_eq!(foreign_owner(&metadata), None, "what this process made is its own");
        assert_eq!(effective_user(&fs::read_to_string("/proc/self/status").unwrap()), Some(metadata.uid()));
    }
}
