//! Why something was not done: a small enum for each thing that may be asked of a running node. Every variant says what
//! happened to state, and its message what to do.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};

use octick_core::engine::NotLearnt;
use octick_core::stamp::{Run, Slot};
use octick_core::state::TableKind;
use octick_crypto::NodeId;

use crate::config::ConfigError;
use crate::limits::GROUP_MAX;

/// Why a write was not taken. Unless a variant says otherwise, nothing was queued and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The node has stopped, or is stopping. A write that was made at that very moment may have been sent all the same. Start a
    /// node anew; its writers are other ones.
    Gone,
    /// The node keeps no such table. Switch it on in its configuration, on every node of the mesh.
    NoTable {
        /// Which.
        table: TableKind,
    },
    /// The slot lies past the end of every table. Write another, or configure longer tables on every node.
    OutOfRange {
        /// Which.
        slot: Slot,
        /// Slots in each table.
        slots: u32,
    },
    /// The slot is in none of the runs that this node was configured to speak for. Write another, or configure it.
    NotOwned {
        /// Which.
        slot: Slot,
        /// The key of the configuration that lists the runs.
        key: &'static str,
    },
    /// The slot was this node's by its configuration, but another member has the older claim to it, and what this node wrote there
    /// would be refused everywhere. Give one of the two other runs.
    SlotsLost {
        /// Which.
        slot: Slot,
        /// Who holds it.
        to: NodeId,
    },
    /// The node's clock is past what its store has made durable, and goes no further, so that no restart can write what is older. Make
    /// room for the store, or mend its disk; [`Handle::stable_failure`](crate::Handle::stable_failure) says which.
    NotReserved {
        /// What the store fails of; `TimedOut` if it has not answered yet.
        why: io::ErrorKind,
    },
    /// A critical write names somebody that this node cannot send to. Write without naming anybody, or wait until it has joined.
    Unreachable {
        /// Who was named.
        to: NodeId,
        /// Whether this node knows it, without an address, or as gone.
        known: bool,
    },
    /// More updates than one group may have, [`GROUP_MAX`]. Write several groups.
    TooMany {
        /// How many there were.
        given: usize,
    },
    /// The engine is behind and the queue is full. Try again, or configure a longer one.
    Full,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => Gone.fmt(f),
            Self::NoTable { table } => {
                write!(f, "this node keeps no table {table}: switch it on in the layout, on every node")
            }
            Self::OutOfRange { slot, slots } => {
                let last = slots - 1;
                write!(f, "slot {} lies past the tables' last, {last}: configure more slots", slot.0)
            }
            Self::NotOwned { slot, key } => write!(
                f,
                "slot {} is in none of the runs that this node speaks for: configure it under `{key}` (in a node's \
                 file: `agents`), or write it on the node that owns it",
                slot.0
            ),
            Self::SlotsLost { slot, to } => write!(
                f,
                "slot {} belongs to member {to}, which claimed it before this node's configuration did: give one of the \
                 two other slots",
                slot.0
            ),
            Self::NotReserved { why } => write!(
                f,
                "the clock of this node cannot go on, for its store fails ({why}): make room where the node keeps its state (in a \
                 node's file: state_file), or mend the disk; writes are taken again as soon as it answers"
            ),
            Self::Unreachable { to, known: true } => {
                write!(
                    f,
                    "member {to} is gone, or has no address: write without naming it, or wait until it is back"
                )
            }
            Self::Unreachable { to, known: false } => {
                write!(
                    f,
                    "no node named {to} is known here: write without naming it, or wait until it has joined"
                )
            }
            Self::TooMany { given } => {
                write!(f, "{given} updates in one group, where at most {GROUP_MAX} fit: write several groups")
            }
            Self::Full => {
                write!(f, "the queue of writes is full: try again, or configure a longer writes_queue")
            }
        }
    }
}

impl std::error::Error for WriteError {}

/// Why a write that needs a quorum was not taken. Nothing was queued.
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

/// The node's threads have ended. What was asked was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node has stopped; if nobody stopped it, Handle::stop() says why it did")
    }
}

impl std::error::Error for Gone {}

/// Why a node is not ready yet. It goes on trying; ask again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotReady {
    /// It has ended.
    Gone,
    /// Nobody has answered: no seed, and no address that it was told to join.
    NoSeedAnswers {
        /// Who was to answer.
        seeds: Vec<SocketAddr>,
        /// How long was waited.
        waited: Duration,
    },
    /// It has met others, and still learns from them who is there.
    NotSettled {
        /// How long was waited.
        waited: Duration,
    },
    /// It reaches too few members for a quorum.
    Partitioned {
        /// Members that are reachable, this node among them.
        reachable: usize,
        /// Members that would be enough.
        required: usize,
    },
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => Gone.fmt(f),
            Self::NoSeedAnswers { seeds, waited } => {
                write!(f, "within {} nobody answered", seconds(*waited))?;
                for (i, seed) in seeds.iter().enumerate() {
                    write!(f, "{} {seed}", if i == 0 { " at" } else { "," })?;
                }
                f.write_str(": is a node of this mesh there, and does a firewall let UDP through?")
            }
            Self::NotSettled { waited } => write!(
                f,
                "after {} this node has met its mesh, and still learns who is there: wait longer",
                seconds(*waited)
            ),
            Self::Partitioned { reachable, required } => write!(
                f,
                "this node reaches {reachable} members where a quorum takes {required}: wait until the mesh has healed, or \
                 have members that are gone for good leave by force"
            ),
        }
    }
}

impl std::error::Error for NotReady {}

/// Why the mesh cannot be seen, or steered. Nothing has changed.
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
            Self::NoMembership => f.write_str(
                "this node was started without membership, and knows of no mesh but the peers that are listed: start it with \
                 Config::membership (in a node's file: membership.enabled = true)",
            ),
        }
    }
}

impl std::error::Error for MeshError {}

/// Why a node does not live by another credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewError {
    /// The credential is that of this other node. Nothing changed.
    Others(NodeId),
    /// The credential does not grant these slots, which the node writes: it takes them at its next start. Nothing changed.
    Slots(Run),
    /// The node is in no mesh.
    Mesh(MeshError),
}

impl fmt::Display for RenewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Others(member) => write!(f, "the credential is that of {member}, another node"),
            Self::Slots(run) => {
                write!(
                    f,
                    "the credential does not grant slots {run}, which this node writes until its next start"
                )
            }
            Self::Mesh(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for RenewError {}

impl From<MeshError> for RenewError {
    fn from(error: MeshError) -> Self {
        Self::Mesh(error)
    }
}

/// Why peers were not made known. Nothing has changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LearnError {
    /// This node has ended.
    Gone,
    /// The node's own key: what it may write is settled at its start.
    Own,
    /// A run of slots that no origin can have here.
    Run(ConfigError),
    /// The node has no room for so many, or two of them claim the same slots.
    Refused(NotLearnt),
}

impl fmt::Display for LearnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "{Gone}"),
            Self::Own => f.write_str(
                "the node's own key is among the peers: leave it out, what this node may write is settled at its start",
            ),
            Self::Run(error) => write!(f, "{error}"),
            Self::Refused(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for LearnError {}

/// Why there is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// This node has ended.
    Gone,
    /// No answer came. One that comes later is dropped.
    Silent {
        /// Who was asked.
        to: SocketAddr,
        /// How long was waited.
        timeout: Duration,
    },
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => write!(f, "{Gone}"),
            Self::Silent { to, timeout } => {
                write!(
                    f,
                    "no answer from {to} within {}: is a node there that lists this one as a peer?",
                    seconds(*timeout)
                )
            }
        }
    }
}

impl std::error::Error for QueryError {}

/// A time as people write it: seconds, and no more digits than it takes.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_seconds() {
        for (millis, says) in [(0, "0 s"), (300, "0.3 s"), (5_000, "5 s"), (90_500, "90.5 s")] {
            assert_eq!(seconds(Duration::from_millis(millis)), says);
        }
        let silent =
            QueryError::Silent { to: ([127, 0, 0, 1], 1).into(), timeout: Duration::from_millis(20) };
        assert!(silent.to_string().starts_with("no answer from 127.0.0.1:1 within 0.02 s: "));
    }
}
