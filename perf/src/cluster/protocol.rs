//! What the parent of a cluster and its nodes say to each other: one JSON object a line.

use serde::{Deserialize, Serialize};

/// What a parent asks on a node's standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ask {
    /// What did you send so far?
    Counts,
    /// Write your cells, over and over, or stop doing so.
    Write(bool),
    /// Who do you believe is there, and what do your tables come to?
    View,
}

/// What a node says by itself or answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Tell {
    /// It runs; its name, and since when it was being started.
    Up(String, u64),
    /// It believes another number of members to be there, since this time of the wall clock, nanoseconds.
    Live(usize, u64),
    /// It believes a member, by its name, to be in a state, since then.
    State(String, State, u64),
    /// To [`Ask::Counts`]: bytes of all frames, and control frames, that it sent.
    Counts { bytes: u64, control_frames: u64 },
    /// To [`Ask::View`]: who it believes is there, by number, and a hash of its tables.
    View { live: Vec<usize>, digest: String },
}

/// What a member is believed to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// There.
    Alive,
    /// Silent.
    Suspected,
    /// Gone.
    Gone,
}
