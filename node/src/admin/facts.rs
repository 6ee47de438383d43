//! What the API says about a node that its handle does not: what its configuration made of it.

use std::time::Instant;

use octick::{Handle, MeshView, Slot};

use super::view::{Owner, State};
use crate::config::{Run, Settings};

/// What stays true of a node while it runs.
pub(super) struct Facts {
    /// Name of its mesh.
    pub(super) mesh: String,
    /// Its own runs.
    pub(super) runs: Vec<Run>,
    /// Whether it was told where to begin.
    pub(super) seeded: bool,
    /// When it started.
    pub(super) began: Instant,
}

impl Facts {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            mesh: settings.mesh.clone(),
            runs: settings.agents.clone(),
            seeded: !settings.membership.seeds.is_empty(),
            began: Instant::now(),
        }
    }

    /// Who speaks for `slot`, and what `mesh` believes of it.
    pub(super) fn owner_of(node: &Handle, mesh: Option<&MeshView>, slot: Slot) -> Option<Owner> {
        let id = node.owner_of(slot)?;
        let on_record = mesh.and_then(|mesh| mesh.members.iter().find(|member| member.id == id));
        Some(Owner {
            id: id.to_string(),
            short: id.short().to_string(),
            state: on_record.map(|member| State::from(member.state)),
            this_node: id == node.id(),
        })
    }
}
