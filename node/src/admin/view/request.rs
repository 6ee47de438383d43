//! The bodies of requests, and the answer to one that was carried out.

use serde::{Deserialize, Serialize};

/// The body of `POST /api/v1/join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Host and port of any member of the other mesh.
    pub address: String,
}

/// The body of the requests that need none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The body of `POST /api/v1/members/{id}/leave` and, with a state, of `POST /api/v1/members/leave`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForceLeave {
    /// Whether they are to be forgotten as well: shown to nobody, their slots free.
    #[serde(default)]
    pub prune: bool,
    /// Members in which state; only `failed` can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<super::State>,
}

/// The answer to both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Who has left now, by their ids.
    pub left: Vec<String>,
    /// Who was believed live, and leaves unless it says that it is there.
    pub suspected: Vec<String>,
}

/// The answer to a request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The full name of the member that it was about, or the address that was greeted.
    pub done: String,
}

/// Decisions that one request may bring.
pub const DECISIONS_AT_ONCE: usize = 32;

/// The body of `POST /api/v1/decisions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Decisions of the mesh's authority, in hex digits, in their order.
    pub decisions: Vec<String>,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// How many decisions the node knows now.
    pub known: u64,
    /// What became of each, up to the first that was not taken.
    pub decided: Vec<Outcome>,
}

/// What became of one decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its number.
    pub number: u64,
    /// What it says.
    pub says: String,
    /// `new`, `known`, `gap`, `contradiction`, `unsigned` or `full`; only the first two were taken.
    pub became: String,
}
