//! What goes into the dissemination of updates, and what comes out.

use alloc::vec::Vec;

use crate::control::id::{FrameRef, MemberIndex, UpdateId};

/// How urgent an update is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Announcements wait for company.
    #[default]
    Normal,
    /// More neighbours are sent it at once, and the others told at once.
    Critical,
    /// All neighbours are sent it at once by whoever issues it, and nobody passes it on or announces it: where everybody
    /// is everybody's neighbour, that is one copy a node and nothing besides. Rounds find what was lost.
    Direct,
}

/// An update that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its name.
    pub id: UpdateId,
    /// Where its bytes are until [`SpreadAction::Forget`].
    pub frame_ref: FrameRef,
    /// Who issued it.
    pub origin: MemberIndex,
    /// Who sent it; nobody if this node issued it.
    pub from: Option<MemberIndex>,
    /// How it is to go on.
    pub lane: Lane,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpreadAction {
    /// Send an update's bytes as they were received.
    Forward {
        /// Which.
        id: UpdateId,
        /// Where its bytes are.
        frame_ref: FrameRef,
        /// To whom.
        to: MemberIndex,
    },
    /// Say that these are here.
    Announce {
        /// To whom.
        to: MemberIndex,
        /// Which; at most [`IDS_MAX`](crate::control::message::gossip::IDS_MAX).
        ids: Vec<UpdateId>,
    },
    /// Ask for these.
    Pull {
        /// Whom.
        to: MemberIndex,
        /// Which; at most [`PULL_MAX`](crate::control::message::gossip::PULL_MAX).
        ids: Vec<UpdateId>,
    },
    /// Name what was taken in last, so that both sides get what they lack.
    Offer {
        /// To whom.
        to: MemberIndex,
        /// Which; at most [`OFFER_MAX`](crate::control::message::gossip::OFFER_MAX).
        ids: Vec<UpdateId>,
    },
    /// Say that these came from there, and were here already.
    Prune {
        /// To whom.
        to: MemberIndex,
        /// Which; at most [`IDS_MAX`](crate::control::message::gossip::IDS_MAX).
        ids: Vec<UpdateId>,
    },
    /// The bytes of this update need not be kept any longer.
    Forget(UpdateId),
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Updates taken in.
    pub accepted: u32,
    /// Further copies of them.
    pub duplicates: u32,
    /// Updates asked for.
    pub pulls: u32,
    /// Updates that nobody had of those who said so.
    pub given_up: u32,
    /// Announcements refused: too many are missed already, or their sender's never came true.
    pub ids_refused: u32,
    /// Pulls refused: more than a link may ask for in a second.
    pub pulls_refused: u32,
    /// Updates that offers, or sessions, showed to be lacking and that were not sent: more than a link gets so in a second.
    pub pushes_refused: u32,
    /// Pulls of what is not here.
    pub pulls_unknown: u32,
    /// Updates forgotten before their time, for want of room.
    pub crowded_out: u32,
}
