//! What a quorum of a mesh takes, and what is there.

use octick::{MeshView, QuorumView};
use serde::{Deserialize, Serialize};

/// What a quorum takes: of n members that count, n - f with f < n/3. Members of the node's region count that are alive, suspected
/// or failed, whenever that was, and not ephemeral.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// Members that count, n.
    pub counted: usize,
    /// How many of them may be missing, f.
    pub may_fail: usize,
    /// How many must be reachable, n - f.
    pub required: usize,
    /// How many are, this node included: alive or suspected.
    pub reachable: usize,
    /// Who is missing: the members that failed, by their ids. They count until they come back or are made to leave.
    pub missing: Vec<String>,
}

impl Quorum {
    pub(super) fn of(mesh: &MeshView) -> Self {
        let QuorumView { members: counted, may_fail, required, reachable } = mesh.quorum;
        let missing = mesh.missing().map(|member| member.id.to_string()).collect();
        Self { counted, may_fail, required, reachable, missing }
    }
}
