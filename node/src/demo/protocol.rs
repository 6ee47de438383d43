//! What a demo's parent asks its nodes on their standard input, and what they answer: one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::{About, Sample};

/// A numbered question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The answer carries it.
    pub number: u64,
    /// What is asked.
    pub ask: Ask,
}

/// What a parent may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Who are you? Answered once the node runs and has met all others.
    About,
    /// Have your agents begin.
    Begin,
    /// What did you count?
    Sample,
    /// Have your agents rest.
    Drain,
    /// Hash your tables.
    Digest,
    /// Stop. Closing standard input says the same.
    Stop,
}

/// The answer to the question of the same number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whose.
    pub number: u64,
    /// What is answered.
    pub tell: Tell,
}

/// What a node may answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    /// To [`Ask::About`].
    About(About),
    /// To [`Ask::Sample`].
    Sample(Box<Sample>),
    /// To [`Ask::Digest`].
    Digest(Digests),
    /// To everything else.
    Done,
}

/// Hashes of a node's cells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Of all tables.
    pub tables: String,
    /// Of the cells that each origin writes, by its id: says whose cells differ.
    pub origins: BTreeMap<String, String>,
}
