//! What the authority decided, kept over restarts: a node that is started again has forgotten no revocation.
//!
//! In comes that the node may know more than its file; out goes the whole file, written beside its name, forced to the disk and renamed. Until
//! then the one before counts, and the mesh tells the rest. A disk that refuses is told once, and tried again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use octick::Handle;
use tracing::{error, info};

use crate::authority::store::hand_out;
use crate::authority::{document, read_decisions};

/// Between two tries on a disk that refused.
const AGAIN: Duration = Duration::from_secs(5);

/// Keeps the file of one node.
pub(crate) struct Keep {
    path: PathBuf,
    mesh: String,
    /// How many decisions it holds.
    saved: u64,
    /// Whether the node may know more.
    due: bool,
    /// Since when the disk refuses.
    refused: Option<Instant>,
}

impl Keep {
    /// Of that file, which need not be there.
    pub(crate) fn new(path: PathBuf, mesh: String) -> Self {
        let saved = count(&path);
        Self { path, mesh, saved, due: false, refused: None }
    }

    /// The node may have heard of another decision.
    pub(crate) fn stir(&mut self) {
        self.due = true;
    }

    /// Somebody else may have written the file.
    pub(crate) fn reread(&mut self) {
        (self.saved, self.due) = (count(&self.path), true);
    }

    /// Writes what is due.
    pub(crate) fn look(&mut self, node: &Handle, now: Instant) {
        if !self.due || self.refused.is_some_and(|at| now < at + AGAIN) {
            return;
        }
        // A node that has ended says so elsewhere.
        let Ok(all) = node.decisions(0) else { return };
        self.due = false;
        if all.len() as u64 <= self.saved {
            return;
        }
        let text = document::decisions(all.iter().map(|signed| (&**signed, "")), &self.mesh);
        match hand_out(&self.path, &text) {
            Ok(()) => {
                self.saved = all.len() as u64;
                if self.refused.take().is_some() {
                    info!(decisions = self.saved, "decisions saved again");
                }
            }
            Err(why) => {
                if self.refused.is_none() {
                    let file = self.path.display();
                    error!(%file, %why, "decisions not saved: this node would have to hear them again after a restart");
                }
                (self.refused, self.due) = (Some(now), true);
            }
        }
    }
}

/// How many decisions the file holds; none if it cannot be read, and then it is written anew.
fn count(path: &Path) -> u64 {
    read_decisions(path).map_or(0, |each| each.len() as u64)
}
