//! Frames that contradict what was merged: found where copies meet, proven, and what becomes of a convicted origin's cells.
//!
//! In come copies of frames that were merged before; out go proofs to the control plane, which tells everybody. A copy is compared with the
//! frame in the cache by its signature, which a liar cannot make alike for two trains; only where they differ is anything hashed or
//! verified, a hundred times a second at most. What can never happen: a frame of a convicted origin that is merged after its
//! cells were cleared.

use octick_crypto::NodeId;

use crate::control::UpdateInfo;
use crate::control::message::equivocation::Proof;
use crate::data::roster::Run;
use crate::engine::router::Mesh;
use crate::engine::{Engine, ToReaders};
use crate::state::TableKind;
use crate::wire::Frame;

impl Mesh {
    /// Holds a copy of a frame that was merged against the frame itself.
    pub(super) fn contradict(&mut self, now: u64, update: &UpdateInfo, bytes: &[u8], own: NodeId) {
        let known = self.control.frame_of(update).and_then(|frame_ref| self.frame_cache.get(frame_ref.0));
        let Some(known) = known else { return };
        // A train has one signature, and at each of its places one frame.
        let place = |bytes: &[u8]| {
            let frame = Frame::parse(bytes).ok()?;
            Some((*frame.signature(), frame.header().train_index()))
        };
        if known == bytes || update.origin == own || place(known) == place(bytes) {
            return;
        }
        if !self.contradictions.take(1, now) {
            return;
        }
        if let Some(proof) = Proof::of(known, bytes) {
            // Refusals are counted by the control plane: whoever made the copy up is not known.
            let _ = self.control.convict(now, proof);
        }
    }
}

impl Engine {
    /// Clears the cells of origins that were convicted, as far as they are theirs by the directory as it was.
    pub(super) fn clear_convicted(&mut self) {
        let Some(mesh) = &mut self.mesh else { return };
        for id in core::mem::take(&mut mesh.convicted) {
            self.convictions += 1;
            let Some(index) = self.directory.find(&id) else { continue };
            let runs = self.directory.origin(index).runs.clone();
            runs.into_iter().for_each(|run| self.clear(run));
        }
        self.publisher.flush();
    }

    fn clear(&mut self, run: Run) {
        assert!(run.len > 0, "an origin's runs are not empty");
        for table in TableKind::ALL {
            let publisher = &mut self.publisher;
            self.state.clear(table, run, &mut ToReaders { publisher, table });
        }
    }
}
