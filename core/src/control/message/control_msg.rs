//! A message of a control frame, decoded once and named by the machine that it is for.
//!
//! In come the messages of a frame that was verified; out comes what a machine is given. Bodies of sessions and audits go to their
//! machines as they came, which read them once. What can never happen: a panic, or memory taken for a count that was not
//! checked.

use crate::control::message::gossip::Gossip;
use crate::control::message::id_lists::IdLists;
use crate::control::message::kind::{Family, MessageKind};
use crate::control::message::malformed::Malformed;
use crate::control::message::membership::MembershipMsg;
use crate::list::List;
use crate::wire::control_frame::BODY_MAX;
use crate::wire::{ControlFrame, Message};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlMsg<'a> {
    /// About members.
    Membership(MembershipMsg<'a>),
    /// About updates and links.
    Dissemination(Gossip),
    /// About other regions.
    CrossRegion(Gossip),
    /// Of a session that compares sets.
    Reconcile(&'a [u8]),
    /// Of a machine outside of the control plane.
    Other(MessageKind, &'a [u8]),
}

impl<'a> ControlMsg<'a> {
    /// Reads a message, ids into one of `lists`.
    ///
    /// # Errors
    /// What is wrong with it; [`Malformed::Kind`] if it is none that this node knows.
    pub fn decode(message: Message<'a>, lists: &mut IdLists) -> Result<Self, Malformed> {
        let kind = MessageKind::of(message.kind).ok_or(Malformed::Kind)?;
        Ok(match kind.family() {
            Family::Membership => Self::Membership(MembershipMsg::decode(kind, message.body)?),
            Family::Dissemination => Self::Dissemination(Gossip::decode(kind, message.body, lists)?),
            Family::CrossRegion => Self::CrossRegion(Gossip::decode(kind, message.body, lists)?),
            Family::Reconcile => Self::Reconcile(message.body),
            Family::Audit => Self::Other(kind, message.body),
        })
    }
}

/// What can be written into a control frame.
pub trait Encode {
    /// Adds the message. Returns whether it fitted; if not, the control frame is as it was.
    #[must_use]
    fn encode_into(&self, control_frame: &mut ControlFrame) -> bool;
}

impl Encode for MembershipMsg<'_> {
    fn encode_into(&self, control_frame: &mut ControlFrame) -> bool {
        self.write(control_frame)
    }
}

impl Encode for Gossip {
    fn encode_into(&self, control_frame: &mut ControlFrame) -> bool {
        let mut body = List::<u8, BODY_MAX>::new();
        self.encode(&mut body);
        control_frame.push(self.kind() as u8, &body)
    }
}

impl Encode for Message<'_> {
    fn encode_into(&self, control_frame: &mut ControlFrame) -> bool {
        control_frame.push(self.kind, self.body)
    }
}
