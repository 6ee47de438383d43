//! What may be issued now. A frame's identity (origin, incarnation, sequence) is used once, and a version that is written is later
//! than all before it, over restarts, too.
//!
//! In come how far the clock was reserved, and what others remember of this node; out comes why nothing is issued, if so. Writes
//! that are withheld stay pending. What can never happen: a frame with cells whose version is beyond the reservation, or in an incarnation
//! that others remember a later one of.

use crate::control::Control;
use crate::engine::Engine;
use crate::stamp::{Incarnation, Seq, Version};
use crate::time::Wall;

/// Why writes are not sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The clock is past what was [reserved](Engine::reserve_clock).
    Unreserved,
    /// This node is to [hear first](Engine::hear_first), and has not.
    Unheard,
    /// Others remember this incarnation, or a later one.
    Outlived(Incarnation),
}

impl Engine {
    /// The next version is later than `micros`, up to which earlier incarnations may have issued some.
    pub fn resume_clock(&mut self, micros: u64) {
        self.clock.observe(Version::new(micros, self.identity.id()));
    }

    /// Versions up to `micros` may be issued from now on: whatever starts next will go on behind that.
    pub fn reserve_clock(&mut self, micros: u64) {
        self.clock.reserve(Wall(micros));
    }

    /// Microseconds of the latest version that this node issued or saw.
    pub fn clock_micros(&self) -> u64 {
        self.clock.last().0
    }

    /// Whether the clock could issue a version now.
    pub fn is_reserved(&self, now_micros: u64) -> bool {
        let unit = self.next_unit(now_micros).map_or(0, |unit| unit * super::UNIT);
        self.clock.may_issue(Wall(now_micros), Wall(unit))
    }

    /// Has this node hear what its mesh remembers of it before it issues anything: nothing vouches for its incarnation but its own
    /// memory, which may be a copy of long ago. Without membership there is nobody to hear.
    pub fn hear_first(&mut self) {
        if let Some(control) = self.control_mut() {
            control.hear_first();
            self.hears_first = true;
        }
    }

    /// Takes note that the mesh was heard, if it was.
    pub(super) fn settle_hearing(&mut self) {
        if self.hears_first && self.control().is_some_and(has_heard) {
            self.hears_first = false;
            if let Some(control) = self.control_mut() {
                control.end_hearing();
            }
        }
    }

    /// Why nothing may be issued at this moment, if so.
    pub fn withheld(&self, now_micros: u64) -> Option<Withheld> {
        if let Some(incarnation) = self.mesh.as_ref().and_then(|mesh| mesh.outlived) {
            return Some(Withheld::Outlived(incarnation));
        }
        if self.hears_first && !self.control().is_some_and(has_heard) {
            return Some(Withheld::Unheard);
        }
        (!self.is_reserved(now_micros)).then_some(Withheld::Unreserved)
    }

    /// This incarnation of the node.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Goes on as a later incarnation, without losing anything: numbers begin anew, others take this node for one that has just
    /// started, and all own cells are sent again.
    ///
    /// # Panics
    /// When `incarnation` is not greater than this one.
    pub fn begin_again(&mut self, now: u64, incarnation: Incarnation) {
        assert!(incarnation > self.incarnation, "incarnations only rise");
        (self.incarnation, self.next_seq) = (incarnation, Seq(1));
        if let Some(mesh) = &mut self.mesh {
            mesh.next_control_frame = Seq(1);
            mesh.outlived = mesh.outlived.filter(|outlived| *outlived >= incarnation);
            mesh.control.begin_again(now, incarnation);
            // Whatever the mesh remembers of this node is earlier than this.
            self.clock.observe(mesh.control.me().rank().1);
        }
        self.outbox.refresh();
    }
}

/// Whether others have told this node all that they know of it.
fn has_heard(control: &Control) -> bool {
    control.has_company() && control.is_settled()
}
