//! What the API says about a node that its handle does not: what its configuration made of it.

use std::time::Instant;

use crate::config::Settings;

/// What stays true of a node while it runs.
pub(super) struct Facts {
    /// Name of its mesh.
    pub(super) mesh: String,
    /// Whether it was told where to begin.
    pub(super) seeded: bool,
    /// When it started.
    pub(super) began: Instant,
}

impl Facts {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            mesh: settings.mesh.clone(),
            seeded: !settings.membership.seeds.is_empty(),
            began: Instant::now(),
        }
    }
}
