//! Why something was not done: a small enum for each thing that may be asked of a running node.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use octick_core::data::{NotOurs, Update};
use octick_core::engine::NotLearnt;

use crate::config::ConfigError;

/// Why a write was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Another node's cell, or no table for it.
    NotOurs(NotOurs),
    /// The engine is behind and the queue is full; the write may be tried again.
    Full(Update),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs(error) => write!(f, "{error}"),
            Self::Full(_) => {
                write!(f, "the queue of writes is full: try again, or configure a longer writes_queue")
            }
        }
    }
}

impl std::error::Error for WriteError {}

/// Why a write that needs a quorum was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuorumError {
    /// Too few members are reachable.
    Partitioned {
        /// Members that are reachable, this node among them.
        reachable: usize,
        /// Members that would be enough.
        required: usize,
    },
    /// No write would have been taken.
    Write(WriteError),
}

impl fmt::Display for QuorumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partitioned { reachable, required } => write!(
                f,
                "this node is cut off: it reaches {reachable} members where a quorum takes {required}; write \
                 without a quorum, or wait until the mesh has healed"
            ),
            Self::Write(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for QuorumError {}

/// The node's threads have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node's threads have ended; stop() says why")
    }
}

impl std::error::Error for Gone {}

/// Why the mesh cannot be seen, or steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeshError {
    /// This node has ended.
    Gone,
    /// The node was started without membership.
    NoMembership,
}

impl fmt::Display for MeshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "{Gone}"),
            Self::NoMembership => {
                f.write_str("the node looks after no mesh: it was started without membership")
            }
        }
    }
}

impl std::error::Error for MeshError {}

/// Why peers were not made known. Nothing has changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LearnError {
    /// This node has ended.
    Gone,
    /// The node's own key: what it may write is settled at its start.
    Own,
    /// A run of slots lies past the tables.
    Run(ConfigError),
    /// The node has no room for so many, or two of them claim the same slots.
    Refused(NotLearnt),
}

impl fmt::Display for LearnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "{Gone}"),
            Self::Own => f.write_str("the node's own key is among the peers"),
            Self::Run(error) => write!(f, "{error}"),
            Self::Refused(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for LearnError {}

/// Why there is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskError {
    /// This node has ended.
    Gone,
    /// No answer came.
    Silent {
        /// Who was asked.
        to: SocketAddr,
        /// How long was waited.
        patience: Duration,
    },
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "{Gone}"),
            Self::Silent { to, patience } => {
                write!(
                    f,
                    "no answer from {to} within {patience:?}: is a node there that lists this one as a peer?"
                )
            }
        }
    }
}

impl std::error::Error for AskError {}
