//! What the dissemination is told, and what it wants done.

use alloc::collections::VecDeque;

use crate::control::dissemination::spread::SpreadAction;
use crate::control::id::{FrameRef, MemberIndex, UpdateId};
use crate::control::message::gossip::LinkOp;

/// An update that this node has merged, or issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct Taken {
    /// Its name.
    pub id: UpdateId,
    /// Where its bytes are.
    pub frame_ref: FrameRef,
    /// Who issued it, if that is a member.
    pub origin: Option<MemberIndex>,
    /// Who sent it; nobody if this node issued it.
    pub from: Option<MemberIndex>,
    /// Whether it should hurry.
    pub critical: bool,
}

/// What is to be done about updates and links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) enum DisseminationAction {
    /// A member has much of what is not here: compare all of it.
    CatchUp(MemberIndex),
    /// Say this to a member about the link to it.
    Link(MemberIndex, LinkOp),
    /// Send an update, or say something of some.
    Spread(SpreadAction),
}

/// What is to be done, a queue a source.
#[derive(Debug, Default)]
pub(super) struct Actions {
    pub(super) behind: VecDeque<MemberIndex>,
    pub(super) links: VecDeque<(MemberIndex, LinkOp)>,
    pub(super) spread: VecDeque<SpreadAction>,
}

impl Actions {
    /// What to do next: sessions first, then links, then updates.
    pub(super) fn poll(&mut self) -> Option<DisseminationAction> {
        let Self { behind, links, spread } = self;
        behind.pop_front().map(DisseminationAction::CatchUp).or_else(|| {
            let link = links.pop_front().map(|(to, op)| DisseminationAction::Link(to, op));
            link.or_else(|| spread.pop_front().map(DisseminationAction::Spread))
        })
    }
}
