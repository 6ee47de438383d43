//! The store as the node sees it: two numbers that are there again after a crash.

use std::path::PathBuf;
use std::{fmt, io};

use octick_core::stamp::Incarnation;
use octick_core::time::Wall;
use octick_crypto::NodeId;

/// What is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StableState {
    /// The last incarnation that was begun.
    pub incarnation: Incarnation,
    /// No version later than this was issued.
    pub reserved: Wall,
}

/// Stable storage (Lampson and Sturgis, 1979): what was saved is loaded again, whatever happens in between.
///
/// A node loads once, at its start, and then saves before it issues anything; later about every quarter of the skew that is allowed, and
/// once at its end, never from a thread that carries data.
pub trait StableStore: fmt::Debug + Send + Sync {
    /// What was saved last; nothing if nothing ever was. From now on nobody else may save here, if the store can see to that.
    ///
    /// # Errors
    /// [`StableError`]: the node does not start. What cannot be read must be an error, not nothing.
    fn load(&mut self) -> Result<Option<StableState>, StableError>;

    /// Replaces what is kept, as a whole. When this returns, it is what [`StableStore::load`] finds, even after the power failed.
    ///
    /// # Errors
    /// [`StableError`]: either the old or the new state is kept. It is tried again.
    fn save(&mut self, state: &StableState) -> Result<(), StableError>;

    /// Whether what is kept outlives the process. One that does not is not saved to while the node runs, only at its end.
    fn is_durable(&self) -> bool {
        true
    }
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// It is of another length.
    Length {
        /// Bytes found; of a longer one, those that were looked at.
        found: usize,
        /// Bytes that it has.
        wanted: usize,
    },
    /// It begins with something else.
    Magic,
    /// Its checksum is that of other bytes.
    Checksum,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, wanted } => write!(f, "it has {found} bytes instead of {wanted}"),
            Self::Magic => f.write_str("it does not begin as such a file does"),
            Self::Checksum => f.write_str("its checksum does not match"),
        }
    }
}

/// Why there is nothing to begin with, or why it could not be saved.
#[derive(Debug)]
#[non_exhaustive]
pub enum StableError {
    /// The operating system refused.
    Io {
        /// Which file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// The file is not what was written. It was not touched.
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        damage: Damage,
    },
    /// The file is another node's. It was not touched.
    OtherNode {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        of: NodeId,
    },
    /// Another process uses it.
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// An incarnation was chosen that is not later than the last.
    NotLater {
        /// Which.
        chosen: Incarnation,
        /// The last.
        last: Incarnation,
    },
    /// No incarnation is left: the last one was the greatest.
    NoneLeft,
    /// A store of the embedder's own says so.
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl StableError {
    /// What kind of failure it is, in a word.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io { error, .. } => error.kind(),
            Self::Damaged { .. } => io::ErrorKind::InvalidData,
            Self::InUse { .. } => io::ErrorKind::ResourceBusy,
            _ => io::ErrorKind::Other,
        }
    }
}

impl fmt::Display for StableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, error } => write!(
                f,
                "{}: could not {doing}: {error}; this file keeps which numbers the node has used, and no node runs without: let its \
                 user write there, or name another place (in a node's file: state_file)",
                path.display()
            ),
            Self::Damaged { path, damage } => write!(
                f,
                "{0}: damaged, {damage}; see that no other process uses this node's key and that the clock is right, then move the file \
                 away: mv {0} {0}.damaged. The node begins anew, above what its mesh remembers of it",
                path.display()
            ),
            Self::OtherNode { path, of } => write!(
                f,
                "{}: of another node, {of}; name another place for this one (in a node's file: state_file), or move it away",
                path.display()
            ),
            Self::InUse { path } => write!(
                f,
                "{}: another process uses it, so this node runs already: stop that one, or give each a key and a file of its own",
                path.display()
            ),
            Self::NotLater { chosen, last } => write!(
                f,
                "incarnation = {} is not later than the last one, {}: leave it out, or choose a greater one",
                chosen.0, last.0
            ),
            Self::NoneLeft => f.write_str("this key has used up its incarnations: make another one"),
            Self::Other(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StableError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Other(error) => Some(&**error),
            _ => None,
        }
    }
}
