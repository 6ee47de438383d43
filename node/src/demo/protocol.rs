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
    /// Hash the cells of each origin: asked only when tables differ, to say whose cells do.
    Origins,
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
    /// To [`Ask::Digest`]: of all tables.
    Digest(String),
    /// To [`Ask::Origins`]: of the cells that each origin writes, by its id.
    Origins(BTreeMap<String, String>),
    /// To everything else.
    Done,
}
