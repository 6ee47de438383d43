//! What the API says about a node that its handle does not: what its configuration made of it.

use std::time::Instant;

use octick::{Handle, MeshView, NodeId, Slot};

use super::view::{Owner, State};
use crate::config::{Run, Settings};

/// What stays true of a node while it runs.
pub(super) struct Facts {
    /// Name of its mesh.
    pub(super) mesh: String,
    /// Its own runs.
    pub(super) runs: Vec<Run>,
    /// Those of the peers that are listed.
    peers: Vec<(NodeId, Vec<Run>)>,
    /// Whether it was told where to begin.
    pub(super) seeded: bool,
    /// When it started.
    pub(super) began: Instant,
}

impl Facts {
    pub(super) fn of(settings: &Settings) -> Self {
        let peers = settings.peers.iter().filter(|peer| !peer.revoked);
        Self {
            mesh: settings.mesh.clone(),
            runs: settings.agents.clone(),
            peers: peers.map(|peer| (peer.key.id(), peer.runs.clone())).collect(),
            seeded: !settings.membership.seeds.is_empty(),
            began: Instant::now(),
        }
    }

    /// Who speaks for `slot`. Of several claims the mesh honours the oldest, which this node may not know: a member
    /// counts only where neither this node's file nor a listed peer has the slot.
    pub(super) fn owner_of(&self, node: &Handle, mesh: Option<&MeshView>, slot: Slot) -> Option<Owner> {
        let holds = |runs: &[Run]| runs.iter().any(|run| (run.first..run.end).contains(&slot.0));
        let member = |mesh: &MeshView| {
            let claims = |run: &octick::Run| slot.0.wrapping_sub(run.first.0) < run.len;
            let claimants = mesh.members.iter().filter(|member| member.runs.iter().any(claims));
            claimants.min_by_key(|member| !member.state.is_live()).map(|member| member.id)
        };
        let listed = || self.peers.iter().find(|(_, runs)| holds(runs)).map(|(id, _)| *id);
        let own = holds(&self.runs).then(|| node.id());
        let id = own.or_else(listed).or_else(|| mesh.and_then(member))?;
        let on_record = mesh.and_then(|mesh| mesh.members.iter().find(|member| member.id == id));
        Some(Owner {
            id: id.to_string(),
            short: id.short().to_string(),
            state: on_record.map(|member| State::from(member.state)),
            this_node: id == node.id(),
        })
    }
}
