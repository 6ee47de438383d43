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

/// The answer to a request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The full name of the member that it was about, or the address that was greeted.
    pub done: String,
}
